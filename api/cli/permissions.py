"""`explain`, `blame` and `decisions`: by which statements and grants something was, or would have been, allowed."""

from __future__ import annotations

import time
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from api.cli import permission_tables
from api.cli.events import TABLE_ROWS, Account, Every
from api.cli.exits import Failed
from api.cli.filters import Filters, with_filters
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, batched, print_json_list, print_ndjson, show

DEPTH_MAX = 32

Who = Annotated[
    str,
    typer.Option(
        "--principal", metavar="WHO", help="An ARN, a user or role name, a unique id, an access key."
    ),
]
Action = Annotated[str, typer.Option("--action", metavar="ACTION", help="s3:GetObject")]
Resource = Annotated[
    str | None, typer.Option("--resource", metavar="ARN", help="On which resource; not told if left out.")
]
Told = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="KEY=VALUE", help="A condition key; may be given several times."),
]
At = Annotated[str | None, typer.Option("--at", help="At this time; else now.", metavar="TIME")]


class Agreed(StrEnum):
    """How an inferred decision stands to what AWS did."""

    agrees = "agrees"
    unknown = "unknown"
    eventual_consistency = "eventualConsistency"
    differs = "differs"
    not_told = "notTold"


def add_to(app: typer.Typer) -> None:
    for command in (explain, blame, decisions):
        app.command()(command)


def explain(
    context: typer.Context,
    principal: Who,
    action: Action,
    resource: Resource = None,
    told: Told = None,
    at: At = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Tell whether it would be allowed, then, and why: every statement, and who granted it."""
    _explain(context, principal, action, resource, told, at, account, format, depth=0)


def blame(
    context: typer.Context,
    event: Annotated[
        str | None, typer.Argument(metavar="[EVENT]", help="An event id, or ACCOUNT:POSITION.")
    ] = None,
    principal: Annotated[
        str | None, typer.Option("--principal", metavar="WHO", help="Without an event: who,")
    ] = None,
    action: Annotated[str | None, typer.Option("--action", metavar="ACTION", help="doing what,")] = None,
    resource: Resource = None,
    told: Told = None,
    at: At = None,
    account: Account = None,
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=32, help="How often to ask why whoever granted it could.")
    ] = 0,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Down to root or the beginning of the log.")
    ] = False,
    format: Formatted = Format.table,
) -> None:
    """Tell with what permission a call was made: which statement, through which grants, by whom, when, from where."""
    from api.asking import check_words

    depth = DEPTH_MAX if recursive else depth
    if event is not None:
        if principal or action or resource or told or at or account:
            raise Failed("an event says who, what and when; leave out the options, or the event")
        with investigation(context) as ledger:
            found = ledger.permissions.blame_event(check_words("event", event), depth=depth)
        if not answer(format, found):
            for one in found.get("events", [found]):
                show(*permission_tables.blame(one))
        return
    if principal is None or action is None:
        raise Failed("blame what? give an event, or --principal and --action")
    _explain(context, principal, action, resource, told, at, account, format, depth=depth)


def _explain(
    context: typer.Context,
    principal: str,
    action: str,
    resource: str | None,
    told: list[str] | None,
    at: str | None,
    account: str | None,
    format: Format,
    *,
    depth: int,
) -> None:
    from api.asking import check_account, check_words, context_keys, moment, the_action, the_resource

    when = int(time.time()) if at is None else moment("at", at)
    if account is not None:
        check_account(account)
    keys = context_keys(told or [])
    with investigation(context) as ledger:
        found = ledger.permissions.explain(
            check_words("principal", principal),
            the_action(action),
            None if resource is None else the_resource(resource),
            at=when,
            context=keys,
            account=account,
            depth=depth,
        )
    if not answer(format, found):
        show(*permission_tables.explanation(found))


@with_filters
def decisions(
    context: typer.Context,
    filters: Filters,
    agreement: Annotated[
        list[Agreed] | None,
        typer.Option("--agreement", help="Only where what was inferred stands so to what AWS did."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="At most so many lines.", metavar="N")
    ] = 100,
    every: Every = False,
    format: Formatted = Format.table,
) -> None:
    """List calls with the decision that the log explains beside what AWS decided; the oldest first."""
    asked = filters.question(order="oldest")
    wanted = frozenset(str(one) for one in agreement or ())
    with investigation(context) as ledger:
        found = ledger.permissions.decisions(ledger.entries.every(asked), wanted)
        lines = found if every else islice(found, limit)
        if format is Format.ndjson:
            print_ndjson(lines)
        elif format is Format.json:
            print_json_list("decisions", lines)
        else:
            for batch in batched(lines, TABLE_ROWS):
                show(permission_tables.decisions(batch))
