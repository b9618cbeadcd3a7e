"""Guessing is slow: who fails to give a password or a code has to wait, longer each time.

FREE_FAILURES failures in a row cost nothing; then the wait doubles from one second to WAIT_SECONDS_MAX. Success ends
it. An attempt is counted before it is judged, so asking many times at once gains nothing. Unknown owners wait like
known ones.

So it is with the address that attempts come from, whomever they are of, but that many people may share it: more is free,
a failure is forgiven with time, and a success takes back no more than itself, for who guesses may have a password too.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

import sqlalchemy as sa

from ledger.vault.tables import upsert, vault_attempts

FREE_FAILURES: Final = 5
WAIT_SECONDS_MAX: Final = 900
FORGOTTEN_SECONDS: Final = 86_400  # after the last attempt
SOURCE_FREE_FAILURES: Final = 100
SOURCE_FORGIVEN_SECONDS: Final = 36  # each: a hundred an hour
SOURCE_CHARACTERS_MAX: Final = 64

_SOURCE: Final = ("", "source")  # the account and the kind of rows that are of no account


class TooManyAttempts(Exception):
    """Whoever it is has to wait: `seconds`, and then has one attempt."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed attempts; wait {seconds} s")
        self.seconds = seconds


def wait_seconds(failures: int, free: int) -> int:
    """How long after so many failures in a row no other attempt is heard."""
    more = failures - free
    return 0 if more < 1 else min(1 << min(more - 1, 30), WAIT_SECONDS_MAX)


def begin_attempt(connection: sa.Connection, account_id: str, kind: str, owner: str, now: int) -> None:
    """Count an attempt as failed, until `succeeded`. Raises TooManyAttempts, and counts it not."""
    failures, until = _taken(connection, (account_id, kind, owner), now)
    if failures == 0:
        connection.execute(vault_attempts.delete().where(vault_attempts.c.until < now - FORGOTTEN_SECONDS))
    _check_wait(failures, FREE_FAILURES, until, now)
    wait = wait_seconds(failures + 1, FREE_FAILURES)
    _put(connection, (account_id, kind, owner), failures + 1, now + wait)


def succeeded(connection: sa.Connection, account_id: str, kind: str, owner: str) -> None:
    connection.execute(vault_attempts.delete().where(_of(account_id, kind, owner)))


def begin_attempt_from(connection: sa.Connection, source: str, now: int) -> None:
    """The same by the address; after `begin_attempt`, so that all take the two rows in one order."""
    place = (*_SOURCE, source_of(source))
    failures, until = _taken(connection, place, now)
    _check_wait(failures, SOURCE_FREE_FAILURES, until, now)
    forgiven = max(0, now - until) // SOURCE_FORGIVEN_SECONDS
    failures = max(0, failures - forgiven) + 1
    wait = wait_seconds(failures, SOURCE_FREE_FAILURES)
    # What is not yet a whole failure's time counts on.
    since = until + forgiven * SOURCE_FORGIVEN_SECONDS if failures > 1 else now
    _put(connection, place, failures, now + wait if wait else since)


def succeeded_from(connection: sa.Connection, source: str, now: int) -> None:
    columns, of = vault_attempts.c, _of(*_SOURCE, source_of(source))
    if connection.execute(vault_attempts.delete().where(of, columns.failures <= 1)).rowcount == 0:
        until = sa.case((columns.until > now, now), else_=columns.until)
        connection.execute(
            vault_attempts.update().where(of).values(failures=columns.failures - 1, until=until)
        )


def source_of(address: str) -> str:
    """By what attempts from an address are counted: of IPv6 the /64, which one subscriber has all of."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:SOURCE_CHARACTERS_MAX]
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)


def _check_wait(failures: int, free: int, until: int, now: int) -> None:
    """A wait that is longer than any was is a clock's that has been set back since, and nobody's."""
    if 0 < until - now <= wait_seconds(failures, free):
        raise TooManyAttempts(until - now)


def _taken(connection: sa.Connection, place: tuple[str, str, str], now: int) -> tuple[int, int]:
    """The failures of a row, and until when nobody is heard. To be updated, if only to what it is, it is locked, and
    nobody's success takes it away meanwhile.
    """
    account_id, kind, owner = place
    taken = upsert(connection, vault_attempts).values(
        account_id=account_id, kind=kind, owner=owner, failures=0, until=now
    )
    taken = taken.on_conflict_do_update(
        index_elements=list(vault_attempts.primary_key), set_={"failures": vault_attempts.c.failures}
    )
    row = connection.execute(taken.returning(vault_attempts.c.failures, vault_attempts.c.until)).one()
    return row.failures, row.until


def _put(connection: sa.Connection, place: tuple[str, str, str], failures: int, until: int) -> None:
    connection.execute(vault_attempts.update().where(_of(*place)).values(failures=failures, until=until))


def _of(account_id: str, kind: str, owner: str) -> sa.ColumnElement[bool]:
    columns = vault_attempts.c
    return sa.and_(columns.account_id == account_id, columns.kind == kind, columns.owner == owner)
