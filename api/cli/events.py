"""`events`, `event` and `activity`: who did what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import event_tables
from api.cli.exits import Failed
from api.cli.filters import Filters, with_filters
from api.cli.opening import investigation
from api.cli.printing import (
    Format,
    Formatted,
    ListFormat,
    ListFormatted,
    answer,
    batched,
    print_bytes,
    print_json,
    print_json_list,
    print_ndjson,
    show,
)

if TYPE_CHECKING:
    from ledger.entry import Entry
    from projections.investigation import Investigation

TABLE_ROWS = 500  # of one table, where there is no end of them

Newest = Annotated[bool, typer.Option("--newest", help="Newest first.")]
Oldest = Annotated[bool, typer.Option("--oldest", help="Oldest first.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="At most so many, up to 1000.", metavar="N")]
Every = Annotated[bool, typer.Option("--all", help="Every one, streamed; not only a page.")]
After = Annotated[str | None, typer.Option("--after", help="The page after this cursor.", metavar="CURSOR")]
Since = Annotated[str | None, typer.Option("--from", "--since", help="From this time on.", metavar="TIME")]
Until = Annotated[
    str | None, typer.Option("--to", "--until", help="Up to and without this time.", metavar="TIME")
]
Account = Annotated[str | None, typer.Option("--account", help="Twelve digits.", metavar="ID")]


def add_to(app: typer.Typer) -> None:
    app.command()(events)
    app.command()(event)
    app.command()(activity)


@with_filters
def events(
    context: typer.Context,
    filters: Filters,
    newest: Newest = False,
    oldest: Oldest = False,
    limit: Limit = 100,
    every: Every = False,
    after: After = None,
    format: ListFormatted = ListFormat.table,
) -> None:
    """List calls, by any combination of filters; the newest first.

    Times are RFC 3339, 2026-03-17T13:05 (UTC) or 2026-03-17. A list ends with the cursor of the next page.
    """
    asked = filters.question(order=order(newest, oldest, "newest"), limit=limit, after=after)
    with investigation(context) as ledger:
        if format is ListFormat.csv:
            print_csv(ledger.entries.every(asked) if every else ledger.entries.page(asked).entries)
        elif every:
            print_every(ledger.every_event(asked), format)
        else:
            print_page(ledger.events(asked), format)


def event(
    context: typer.Context,
    named: Annotated[str, typer.Argument(metavar="ID", help="An event id, or ACCOUNT:POSITION.")],
    format: Formatted = Format.table,
) -> None:
    """Tell one event whole: who, back to the human; what; on what; the result; what it changed."""
    from api.asking import check_words

    check_words("event", named)
    with investigation(context) as ledger:
        told = ledger.event(named)
    if not answer(format, told):
        for one in told.get("events", [told]):
            show(*event_tables.event(one))


def activity(
    context: typer.Context,
    principal: Annotated[str, typer.Argument(help="ARN, name or unique id of a user or role.")],
    account: Account = None,
    since: Since = None,
    until: Until = None,
    newest: Newest = False,
    oldest: Oldest = False,
    limit: Limit = 100,
    every: Every = False,
    after: After = None,
    format: ListFormatted = ListFormat.table,
) -> None:
    """List everything that a principal did: keys, console, session tokens, and roles they went on to assume."""
    from api.asking import question

    asked = question(principal=principal, account=account, since=since, until=until, limit=limit, after=after)
    words: dict[str, Any] = {
        "account": account,
        "since": asked.since,
        "until": asked.until,
        "order": order(newest, oldest, "oldest"),
        "after": after,
    }
    with investigation(context) as ledger:
        first = ledger.activity(principal, **words, limit=1_000 if every else limit)
        lines = pages(ledger, principal, words, first) if every else first["events"]
        if format is ListFormat.csv:
            print_csv(entries_of(ledger, lines))
        elif every:
            print_every(lines, format, first)
        else:
            print_page(first, format)


def pages(
    ledger: Investigation, principal: str, words: dict[str, Any], page: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    while True:
        yield from page["events"]
        if page["next"] is None:
            return
        page = ledger.activity(principal, **words | {"after": page["next"]}, limit=1_000)


def order(newest: bool, oldest: bool, default: str) -> str:
    if newest and oldest:
        raise Failed("--newest and --oldest exclude each other")
    return "newest" if newest else "oldest" if oldest else default


def print_page(page: dict[str, Any], format: ListFormat) -> None:
    match format:
        case ListFormat.json:
            print_json(page)
        case ListFormat.ndjson:
            print_ndjson(page["events"])
        case _:
            if "credentials" in page:
                show(*event_tables.credentials(page))
            show(event_tables.events(page["events"]))
            if page["next"] is not None:
                show(f"\nmore: --after {page['next']}")


def print_every(lines: Iterable[Any], format: ListFormat, page: dict[str, Any] | None = None) -> None:
    match format:
        case ListFormat.json:
            beside = {name: value for name, value in (page or {}).items() if name != "events"}
            print_json_list("events", lines, **beside | {"next": None})
        case ListFormat.ndjson:
            print_ndjson(lines)
        case _:
            if page is not None:
                show(*event_tables.credentials(page))
            for batch in batched(lines, TABLE_ROWS):
                show(event_tables.events(batch))


def print_csv(entries: Iterable[Entry]) -> None:
    from projections.export.csv_table import csv_table

    for row in csv_table(entries):
        print_bytes(row)


def entries_of(ledger: Investigation, lines: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    """The entries that the lines are of, in their order."""
    for batch in batched(lines, 1_000):
        by_account: dict[str, list[int]] = {}
        for line in batch:
            by_account.setdefault(line["account"], []).append(line["position"])
        found = {
            (account, entry.position): entry
            for account, positions in by_account.items()
            for entry in ledger.log.entries_at(account, positions)
        }
        for line in batch:
            yield found[line["account"], line["position"]]
