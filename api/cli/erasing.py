"""`erase`: take records out that the law wants gone, by an entry that says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import event_tables
from api.cli.events import Account
from api.cli.exits import Exit, Failed, end, say
from api.cli.printing import Format, Formatted, answer, counted, show
from api.cli.witnesses import written_log

if TYPE_CHECKING:
    from ledger.entry import Entry
    from ledger.log import Log


def add_to(app: typer.Typer) -> None:
    app.command()(erase)


def erase(
    context: typer.Context,
    named: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Event ids, ACCOUNT:POSITION, or positions.")
    ],
    reason: Annotated[
        str, typer.Option(help="Why. It is written down for ever: name a case, not a person.", metavar="TEXT")
    ],
    account: Account = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    format: Formatted = Format.table,
) -> None:
    """Erase records for good, all of them or none. An entry says which, why and on whose word; every proof still holds."""
    import getpass

    from ledger.erasure import NotErasable
    from ledger.erasure import erase as erased
    from ledger.log.erasing import Remains, sweep
    from projections.rebuilding import PROJECTIONS
    from projections.runner import forget

    if not reason.strip():
        raise Failed("--reason: why?")
    with written_log(context.obj) as log:
        account_id, found = _found(log, named, account)
        if not yes:
            _ask(found)
        positions = sorted({entry.position for entry in found})
        try:
            by = erased(
                log,
                account_id,
                positions,
                reason=reason,
                by=getpass.getuser(),
                also=lambda connection, number: forget(connection, PROJECTIONS, number),
            )
        except NotErasable as error:
            raise Failed(str(error), Exit.NOT_ALL) from error
        remains = None
        try:
            sweep(log.engine)
        except Remains as error:
            remains = str(error)
    told = {"account": account_id, "erasedBy": by, "positions": positions, "remains": remains}
    if not answer(format, told):
        show(f"{counted(len(positions), 'record')} erased by entry {account_id}:{by}")
    if remains is not None:
        say(f"what was erased may still be found in the database's files: {remains}")
        end(Exit.NOT_ALL)


def _found(log: Log, named: Sequence[str], account: str | None) -> tuple[str, list[Entry]]:
    """The entries, of one account."""
    from api.asking import check_account, check_words
    from projections.naming import account_named, events_named

    found: list[Entry] = []
    whose = None if account is None else account_named(log, check_account(account))
    for name in named:
        check_words("event", name)
        if name.isascii() and name.isdigit():
            name = f"{account_named(log, whose)}:{name}"
        found += [entry for entry in events_named(log, name) if whose in (None, entry.account_id)]
    accounts = sorted({entry.account_id for entry in found})
    if len(accounts) != 1:
        held = ", ".join(accounts) or "none of them"
        raise Failed(f"an erasure is an entry of one account; these are of {held}: --account says which")
    return accounts[0], found


def _ask(found: Sequence[Entry]) -> None:
    """Whoever sits at a terminal sees what goes, and says so."""
    from projections.lines import line

    if not sys.stdin.isatty():
        raise Failed("it can't be undone: --yes says that it is meant")
    show(event_tables.events(line(entry) for entry in found))
    if not typer.confirm("Erase them for good?", err=True):
        raise Failed("nothing was erased", Exit.NOT_ALL)
