"""Guessing is slow: who fails to give a password or a code has to wait, longer each time.

FREE_FAILURES failures in a row cost nothing; then the wait doubles from one second to WAIT_SECONDS_MAX. Success ends
it. An attempt is counted before it is judged, so asking many times at once gains nothing. Unknown owners wait like
known ones.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from ledger.vault.tables import upsert, vault_attempts

FREE_FAILURES: Final = 5
WAIT_SECONDS_MAX: Final = 900
FORGOTTEN_SECONDS: Final = 86_400  # after the last attempt


class TooManyAttempts(Exception):
    """Whoever it is has to wait: `seconds`, and then has one attempt."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed attempts; wait {seconds} s")
        self.seconds = seconds


def wait_seconds(failures: int) -> int:
    """How long after so many failures in a row no other attempt is heard."""
    more = failures - FREE_FAILURES
    return 0 if more < 1 else min(1 << min(more - 1, 30), WAIT_SECONDS_MAX)


def begin_attempt(connection: sa.Connection, account_id: str, kind: str, owner: str, now: int) -> None:
    """Count an attempt as failed, until `succeeded`. Raises TooManyAttempts, and counts it not."""
    taken = upsert(connection, vault_attempts).values(
        account_id=account_id, kind=kind, owner=owner, failures=0, until=now
    )
    # To be updated, if only to what it is, the row is locked, and nobody's success takes it away meanwhile.
    taken = taken.on_conflict_do_update(
        index_elements=list(vault_attempts.primary_key), set_={"failures": vault_attempts.c.failures}
    )
    row = connection.execute(taken.returning(vault_attempts.c.failures, vault_attempts.c.until)).one()
    if row.failures == 0:
        connection.execute(vault_attempts.delete().where(vault_attempts.c.until < now - FORGOTTEN_SECONDS))
    if row.until > now:
        raise TooManyAttempts(row.until - now)
    failures = row.failures + 1
    until = now + wait_seconds(failures)
    of = _of(account_id, kind, owner)
    connection.execute(vault_attempts.update().where(of).values(failures=failures, until=until))


def succeeded(connection: sa.Connection, account_id: str, kind: str, owner: str) -> None:
    connection.execute(vault_attempts.delete().where(_of(account_id, kind, owner)))


def _of(account_id: str, kind: str, owner: str) -> sa.ColumnElement[bool]:
    columns = vault_attempts.c
    return sa.and_(columns.account_id == account_id, columns.kind == kind, columns.owner == owner)
