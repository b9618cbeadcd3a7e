"""Whose an account alias is. AWS has each but once; a ledger has those of its own accounts, and those of imported ones.

Source: IAM user guide, "Your AWS account ID and its alias": it must be unique across all of AWS.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from ledger.log.names import LOCK
from ledger.log.schema import Kind, entries, strings
from ledger.log.store import Turn

CREATE: Final = "iam:CreateAccountAlias"
DELETE: Final = "iam:DeleteAccountAlias"


def alias_is_anothers(turn: Turn, name: str) -> bool:
    """Whether another account of the ledger has this alias. Nobody else's turn gives it away before this one has ended.

    The logs say so: aliases change so seldom that to read of all their changes is no work. SQLite has one writer anyway; on
    PostgreSQL whoever asks takes the lock that writers of new names take, so that no two wait for one another.
    """
    if turn.connection.dialect.name == "postgresql":
        turn.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    e, action = entries.c, strings.c
    changes = (
        sa.select(e.account, e.position)
        .join(strings, action.id == e.action)
        .where(action.kind == Kind.ACTION, action.text.in_((CREATE, DELETE)))
        .where(e.error.is_(None), e.account != turn.account)
        .order_by(e.account, e.time, e.position)
    )
    places = [(row.account, row.position) for row in turn.connection.execute(changes)]
    held: dict[str, str] = {}
    for entry in turn.log.fetch_all(turn.connection, places):
        told = str(entry.record.request.get("accountAlias"))
        if entry.record.action == CREATE:
            held[entry.account_id] = told
        elif held.get(entry.account_id) == told:
            del held[entry.account_id]
    return name in held.values()
