"""`what-if`, `coverage` and `suggest`: the recorded calls put once more to the policies of their time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import replay_tables
from api.cli.events import Account, Since, Until
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, print_ndjson, show


def add_to(app: typer.Typer) -> None:
    app.command("what-if")(what_if)
    app.command()(coverage)
    app.command()(suggest)


def what_if(
    context: typer.Context,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="EVENT",
            help="Leave this event out: its id, or ACCOUNT:POSITION. May be given several times.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--with", metavar="FILE", help="Put these CloudTrail records in, at their times."),
    ] = None,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    every: Annotated[bool, typer.Option("--all", help="Every call, and not only the first 50.")] = False,
    format: Formatted = Format.table,
) -> None:
    """Replay the recorded calls against an edited history: which would have had another outcome."""
    from api.asking import check_account, check_words, interval

    begin, end = interval(since, until)
    if account is not None:
        check_account(account)
    named = [check_words("without", one) for one in without or []]
    with investigation(context) as ledger:
        told = ledger.what_if(named, file, since=begin, until=end, account=account)
    if format is Format.ndjson:
        print_ndjson(told["calls"])
    elif not answer(format, told):
        show(*replay_tables.what_if(told, every=every))


def coverage(
    context: typer.Context,
    unused: Annotated[bool, typer.Option("--unused", help="Only statements that no call needed.")] = False,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Tell of each statement of each policy in force how often it decided, when last, and who granted it."""
    from api.asking import check_account, interval

    begin, end = interval(since, until)
    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        told = ledger.coverage(since=begin, until=end, account=account, unused=unused)
    if format is Format.ndjson:
        print_ndjson(told["statements"])
    elif not answer(format, told):
        show(*replay_tables.coverage(told))


def suggest(
    context: typer.Context,
    principal: Annotated[
        str, typer.Argument(metavar="PRINCIPAL", help="An ARN, a user or role name, a unique id.")
    ],
    wildcards: Annotated[
        bool, typer.Option("--wildcards", help="Merge what has a beginning in common.")
    ] = False,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Write the least policy that the principal's recorded, allowed calls needed."""
    from api.asking import check_account, check_words, interval

    begin, end = interval(since, until)
    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        told = ledger.suggest(
            check_words("principal", principal),
            since=begin,
            until=end,
            account=account,
            wildcards=wildcards,
        )
    if not answer(format, told):
        if told["policy"] is not None:
            print(replay_tables.policy_text(told["policy"]))
        show(*replay_tables.suggestion(told))
