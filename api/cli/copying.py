"""`backup`: a whole copy of the ledger, while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.exits import Exit, Failed, say
from api.cli.opening import opened_log
from api.cli.printing import show


def add_to(app: typer.Typer) -> None:
    app.command()(backup)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The copy; it must not be there yet.", metavar="FILE")],
) -> None:
    """Copy the whole ledger, while others write to it. Nothing else may copy an SQLite ledger that is in use."""
    from ledger.log.copying import NotCopied, copy_to

    with opened_log(context.obj) as log:
        try:
            sizes = copy_to(log.engine, file)
        except NotCopied as error:
            raise Failed(str(error), Exit.UNAVAILABLE) from error
    show(f"{file}: {sum(sizes.values()):,} entries of {len(sizes):,} accounts")
    say("the vault's key is not in the copy, and without it no secret can be read: keep one apart")
