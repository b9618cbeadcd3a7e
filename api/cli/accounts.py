"""`state`, `diff`, `history`, `principals` and `accounts`: who there is, and what they were at any time."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.cli import access_tables, account_tables, event_tables
from api.cli.events import Account
from api.cli.exits import Failed
from api.cli.opening import investigation
from api.cli.printing import Format, Formatted, answer, print_bytes, show

Kind = Annotated[str, typer.Argument(help="user, group, role, policy, instanceProfile, mfaDevice …")]
Name = Annotated[str, typer.Argument(help="Its name, ARN or unique id.")]


def add_to(app: typer.Typer) -> None:
    for command in (state, diff, history, principals, accounts):
        app.command()(command)


def state(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="user, group, role, policy …")] = None,
    name: Annotated[str | None, typer.Argument(help="Its name, ARN or unique id.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="At this time; else now.", metavar="TIME")] = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Show the account, or one entity of it, as it was at a time."""
    from api.asking import check_account, check_words, moment

    if kind is not None and name is None:
        raise Failed(f"state of which {kind}? give its name, or leave out the kind for the whole account")
    when = int(time.time()) if at is None else moment("at", at)
    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        if kind is None or name is None:
            if format is Format.table:
                show(*account_tables.account(ledger.state(account, when)))
            else:
                print_bytes(ledger.state_bytes(account, when) + b"\n")
            return
        found = ledger.state(account, when, kind, check_words("name", name))
    if not answer(format, found):
        show(*account_tables.entity(kind, found))


def diff(
    context: typer.Context,
    since: Annotated[str, typer.Option("--from", help="The account as it was then,", metavar="TIME")],
    until: Annotated[str, typer.Option("--to", help="and as it was then.", metavar="TIME")],
    permissions: Annotated[
        bool, typer.Option("--permissions", help="What principals may do, and whom roles let in, instead.")
    ] = False,
    principal: Annotated[
        str | None,
        typer.Option("--principal", metavar="WHO", help="With --permissions: of this user or role alone."),
    ] = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Show what differs between the account at two times, with the entry behind each change."""
    from api.asking import check_account, check_words, moments

    if principal is not None and not permissions:
        raise Failed("--principal goes with --permissions; `history` tells what became of one entity")
    if account is not None:
        check_account(account)
    begin, end = moments(since, until)
    with investigation(context) as ledger:
        if permissions:
            who = None if principal is None else check_words("principal", principal)
            changed = ledger.permissions.differences(account, begin, end, principal=who)
            if not answer(format, changed):
                show(*access_tables.changes(changed) if changed else ["no permission differs"])
            return
        found = ledger.diff(account, begin, end)
    if not answer(format, found):
        show(*event_tables.differences(found) if found else ["nothing differs"])


def history(
    context: typer.Context,
    kind: Kind,
    name: Name,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Show every version of an entity, and the entry that made it."""
    from api.asking import check_account, check_words

    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        found = ledger.history(account, kind, check_words("name", name))
    if not answer(format, found):
        for one in found:
            show(*account_tables.history(one))


def principals(
    context: typer.Context,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """List who has called: users, roles, services, other accounts."""
    from api.asking import check_account

    if account is not None:
        check_account(account)
    with investigation(context) as ledger:
        found = ledger.principals(account)
    if not answer(format, found):
        show(account_tables.principals(found))


def accounts(context: typer.Context, format: Formatted = Format.table) -> None:
    """List the accounts that the ledger holds."""
    with investigation(context) as ledger:
        found = ledger.accounts()
    if not answer(format, found):
        show(account_tables.accounts(found))
