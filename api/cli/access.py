"""`access`: everything that a principal could do at a time, and what of it another could not."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from api.cli import access_tables
from api.cli.events import Account
from api.cli.exits import Failed
from api.cli.opening import investigation
from api.cli.permissions import At
from api.cli.printing import Format, Formatted, answer, show

Principal = Annotated[
    str,
    typer.Argument(metavar="PRINCIPAL", help="An ARN, a user or role name, a unique id, an access key."),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against", metavar="WHO", help="Only what it could do that this one could not, and the reverse."
    ),
]
Chain = Annotated[
    bool,
    typer.Option(
        "--chain", help="Of a session's key: what each hop could do that the one before it could not."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(access)


def access(
    context: typer.Context,
    principal: Principal,
    at: At = None,
    against: Against = None,
    chain: Chain = False,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Tell everything that a principal could do, in order of risk, and the roles it could reach."""
    from api.asking import check_account, check_words, moment

    when = int(time.time()) if at is None else moment("at", at)
    if account is not None:
        check_account(account)
    who = check_words("principal", principal)
    if chain and against is not None:
        raise Failed("--chain compares each hop with the one before it; leave out --against")
    if chain and not who.startswith("ASIA"):
        raise Failed(f"--chain is of the key of a session, ASIA…, not of {who[:60]!r}")
    with investigation(context) as ledger:
        if chain:
            hops = ledger.permissions.chain(who, at=when)
            if not answer(format, hops):
                show(*access_tables.chain(hops))
        elif against is not None:
            compared = ledger.permissions.comparison(
                who, check_words("against", against), at=when, account=account
            )
            if not answer(format, compared):
                show(*access_tables.comparison(compared))
        else:
            found = ledger.permissions.access(who, at=when, account=account)
            if not answer(format, found):
                show(*access_tables.access(found))
