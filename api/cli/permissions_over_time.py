"""`who-can`, `first-able`, `exposure`: permission as it changes over time."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.cli import permission_time_tables
from api.cli.events import Account
from api.cli.exits import Failed
from api.cli.filters import UNTIL
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, print_ndjson, show

Context = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="KEY=VALUE", help="A condition key; may be given several times."),
]
Since = Annotated[str | None, typer.Option("--from", "--since", help="From this time on.", metavar="TIME")]
Until = Annotated[str | None, typer.Option("--to", "--until", help=UNTIL, metavar="TIME")]


def add_to(app: typer.Typer) -> None:
    app.command(name="who-can")(who_can)
    app.command(name="first-able")(first_able)
    app.command()(exposure)


def who_can(
    context: typer.Context,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="s3:GetObject")],
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="An ARN, or *.")],
    at: Annotated[str | None, typer.Option("--at", help="At this time; else now.", metavar="TIME")] = None,
    since: Since = None,
    until: Until = None,
    told: Context = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """List who could do it, from when until when, by what; and whether they did."""
    from api.asking import check_account, context_keys, the_action, the_resource, when

    asked = when(at, since, until, now=int(time.time()))
    if account is not None:
        check_account(account)
    keys = context_keys(told or [])
    with investigation(context) as ledger:
        found = ledger.permissions.who_can(
            the_action(action), the_resource(resource), **asked, context=keys, account=account
        )
    if format is Format.ndjson:
        print_ndjson(found["principals"])
    elif not answer(format, found):
        show(*permission_time_tables.who_can(found, single="at" in asked))


def first_able(
    context: typer.Context,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="A name, ARN, unique id or key.")],
    action: Annotated[str | None, typer.Argument(metavar="ACTION", help="s3:GetObject")] = None,
    resource: Annotated[
        str | None, typer.Argument(metavar="RESOURCE", help="An ARN, or *; not told if left out.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="Instead of an action: all that makes an administrator.")
    ] = False,
    told: Context = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Tell when a principal first became able to do it, and every turn since."""
    from api.asking import check_account, check_words, context_keys, the_action, the_resource

    if admin and action is not None:
        raise Failed(f"--admin stands instead of an action ({action})")
    if not admin and action is None:
        raise Failed("able to do what? give an ACTION, or --admin")
    if account is not None:
        check_account(account)
    keys = context_keys(told or [])
    with investigation(context) as ledger:
        found = ledger.permissions.first_able(
            check_words("principal", principal),
            None if action is None else the_action(action),
            None if resource is None else the_resource(resource),
            context=keys,
            account=account,
        )
    if format is Format.ndjson:
        print_ndjson(found["turns"])
    elif not answer(format, found):
        show(*permission_time_tables.first_able(found, admin=admin))


def exposure(
    context: typer.Context,
    principal: Annotated[
        str, typer.Argument(metavar="KEY|PRINCIPAL", help="An access key; a name, ARN or unique id.")
    ],
    since: Since = None,
    until: Until = None,
    action: Annotated[
        str, typer.Option("--action", metavar="PATTERN", help="Only what is about these: iam:*.")
    ] = "*",
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Lay what was done over what was possible, interval by interval."""
    from api.asking import check_account, check_words, interval

    begin, end = interval(since, until)
    if begin is not None and begin == end:
        raise Failed("the interval is empty: --from and --to are the same")
    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        found = ledger.permissions.exposure(
            check_words("principal", principal),
            since=begin,
            until=end,
            pattern=check_words("action", action),
            account=account,
        )
    if format is Format.ndjson:
        print_ndjson(found["segments"])
    elif not answer(format, found):
        show(*permission_time_tables.exposure(found))
