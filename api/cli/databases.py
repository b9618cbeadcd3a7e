"""`database`: on PostgreSQL, the role that serves."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.exits import Failed
from api.cli.opening import opened_log
from api.cli.printing import show

room = typer.Typer(
    name="database", no_args_is_help=True, help="On PostgreSQL: who may do what to the tables."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)


@room.command()
def grant(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="A role of PostgreSQL that owns nothing of the ledger.")],
) -> None:
    """Let a role serve the ledger: read and append, and change nothing of the log. Done by the ledger's owner."""
    from ledger.log import privileges
    from projections.rebuilding import PROJECTIONS
    from projections.runner import Runner, metadata

    with opened_log(context.obj) as log:
        if log.engine.dialect.name != "postgresql":
            raise Failed("an SQLite file has no roles: whoever may write the file may do anything to it")
        Runner(log, PROJECTIONS).prepare()
        try:
            with log.engine.begin() as connection:
                privileges.grant(connection, role, [*privileges.log_tables(), *metadata.sorted_tables])
        except privileges.NotAServiceRole as error:
            raise Failed(str(error)) from error
    show(f"{role} may serve the ledger")
