"""`explain`: whether a principal may do something, at any time, and by which statements and grants."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.cli import permission_tables
from api.cli.events import Account
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, show

Who = Annotated[
    str,
    typer.Option(
        "--principal", metavar="WHO", help="An ARN, a user or role name, a unique id, an access key."
    ),
]
Action = Annotated[str, typer.Option("--action", metavar="ACTION", help="s3:GetObject")]
At = Annotated[str | None, typer.Option("--at", help="At this time; else now.", metavar="TIME")]


def add_to(app: typer.Typer) -> None:
    for command in (explain,):
        app.command()(command)


def explain(
    context: typer.Context,
    principal: Who,
    action: Action,
    resource: Annotated[
        str | None, typer.Option("--resource", metavar="ARN", help="On which resource; not told if left out.")
    ] = None,
    told: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="KEY=VALUE", help="A condition key; may be given several times."),
    ] = None,
    at: At = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Tell whether it would be allowed, then, and why: every statement, and who granted it."""
    from api.asking import check_account, check_words, context_keys, moment, the_action

    when = int(time.time()) if at is None else moment("at", at)
    if account is not None:
        check_account(account)
    keys = context_keys(told or [])
    with investigation(context) as ledger:
        found = ledger.explain(
            check_words("principal", principal),
            the_action(action),
            None if resource is None else check_words("resource", resource),
            at=when,
            context=keys,
            account=account,
        )
    if not answer(format, found):
        show(*permission_tables.explanation(found))
