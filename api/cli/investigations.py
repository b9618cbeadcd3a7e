"""`key`, `lineage` and `findings`: the questions of an incident."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import key_tables
from api.cli.events import Account, Since, Until
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, show


def add_to(app: typer.Typer) -> None:
    for command in (key, lineage, findings):
        app.command()(command)


def key(
    context: typer.Context,
    access_key_id: Annotated[str, typer.Argument(metavar="ID", help="AKIA… or ASIA….")],
    since: Annotated[
        str | None,
        typer.Option("--since", help="What is new from this time on is marked.", metavar="TIME"),
    ] = None,
    format: Formatted = Format.table,
) -> None:
    """Tell all about an access key: owner, status, use, addresses, denied calls, sessions, what it created."""
    from api.asking import check_words, moment

    when = None if since is None else moment("since", since)
    with investigation(context) as ledger:
        told = ledger.key(check_words("key", access_key_id), since=when)
    if not answer(format, told):
        show(*key_tables.key(told))


def lineage(
    context: typer.Context,
    named: Annotated[str, typer.Argument(metavar="NAME", help="An entity, an access key or a session.")],
    since: Since = None,
    until: Until = None,
    format: Formatted = Format.table,
) -> None:
    """Show everything it created or changed, what those went on to create, and what of it still exists."""
    from api.asking import check_words, interval

    begin, end = interval(since, until)
    with investigation(context) as ledger:
        told = ledger.lineage(check_words("name", named), since=begin, until=end)
    if not answer(format, told):
        show(*key_tables.lineage(told))


def findings(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="Only of this kind.")] = None,
    account: Account = None,
    since: Since = None,
    until: Until = None,
    format: Formatted = Format.table,
) -> None:
    """List what an investigator should look at, the gravest first, each with the entries it rests on."""
    from api.asking import check_account, check_words, interval

    begin, end = interval(since, until)
    if account is not None:
        check_account(account)
    if kind is not None:
        check_words("kind", kind)
    with investigation(context) as ledger:
        found = ledger.findings(kind, account=account, since=begin, until=end)
    if not answer(format, found):
        show(key_tables.findings(found))
