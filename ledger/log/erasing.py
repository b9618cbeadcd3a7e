"""Records taken out of the log's tables, and the names that nothing else bears; what proofs rest on stays.

A row becomes what follows from its leaf alone. Names become blank and keep their numbers, for a number that stood for
somebody must never come to stand for somebody else. Triggers let through nothing else (migration 0005).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any, Final

import sqlalchemy as sa

from ledger.log.reading import everything
from ledger.log.rows import among
from ledger.log.schema import (
    HAS_RECORD,
    NO_TIME,
    accounts,
    arrivals,
    entries,
    erasures,
    frames,
    identities,
    mentions,
    principals,
    strings,
)
from ledger.log.store import Turn
from ledger.log.vacuuming import vacuum
from ledger.own_records import SOURCE
from ledger.record import Record

ERASE: Final = f"{SOURCE}:EraseRecords"
ERASED_ENTRY: dict[str, Any] = {
    "time": NO_TIME,
    "frame": 0,
    "action": 0,
    "error": None,
    "identity": 0,
    "access_key": None,
    "session_began": None,
    "address": None,
    "agent": None,
    "coding": 0,
    "salt": b"",
    "body": b"",
}
"""What the columns of an entry hold whose record was erased; the others stay."""
NO_EVENT_ID = {"event_head": 0, "event_tail": b""}


def take_away(turn: Turn, kept: Mapping[int, bytes], *, erased_by: int, named: Collection[int]) -> None:
    """Take the records at these positions out, in the turn that `Log.sole_turn` gave.

    `kept` are the commitments by position, `named` those positions whose event ids stay, and `erased_by` is where the
    entry stands that says so.
    """
    connection, account = turn.connection, turn.account
    here = sa.and_(entries.c.account == account, among(connection, entries.c.position, kept))
    rows = connection.execute(everything().where(here)).all()
    number = connection.execute(sa.select(sa.func.max(erasures.c.number))).scalar() or 0
    connection.execute(
        erasures.insert(),
        [
            {"number": number, "account": account, "position": position, "erased_by": erased_by}
            | {"commitment": commitment}
            for number, (position, commitment) in enumerate(sorted(kept.items()), number + 1)
        ],
    )
    mentioned = sa.and_(mentions.c.account == account, among(connection, mentions.c.position, kept))
    resources = set(connection.scalars(sa.select(mentions.c.resource).where(mentioned)))
    connection.execute(sa.delete(mentions).where(mentioned))
    for positions, blank in (
        (kept.keys() & set(named), ERASED_ENTRY),
        (kept.keys() - set(named), ERASED_ENTRY | NO_EVENT_ID),
    ):
        these = sa.and_(entries.c.account == account, among(connection, entries.c.position, positions))
        connection.execute(sa.update(entries).where(these).values(blank))
    _blank_names(connection, rows, resources)


def records_erased(record: Record, *, native: bool) -> dict[int, str | None]:
    """The positions whose records an entry says it erased, each with the event id that stays; none for any other entry.

    Only what this ledger wrote itself says so: the log that a record was imported from had other positions.
    """
    if record.action != ERASE or not native:
        return {}
    return {one["position"]: one.get("eventID") for one in record.request["records"]}


def erasing_entries(connection: sa.Connection, account_id: str, positions: Collection[int]) -> set[int]:
    """The positions of the entries that erased any of these records."""
    x = erasures.c
    query = (
        sa.select(x.erased_by)
        .join(accounts, accounts.c.id == x.account)
        .where(accounts.c.account_id == account_id, among(connection, x.position, positions))
    )
    return set(connection.scalars(query))


def _blank_names(connection: sa.Connection, rows: Collection[sa.Row[Any]], resources: set[int]) -> None:
    """Of the names that these rows bore, those that no entry bears any more."""
    e, f = entries.c, frames.c
    for principal in {row.principal for row in rows}:
        if not _any(connection, e.principal == principal, HAS_RECORD):
            _blank(connection, principals, principal)
    for principal, identity in {(row.principal, row.identity) for row in rows}:
        if not _any(connection, e.principal == principal, e.identity == identity):
            _blank(connection, identities, identity)
    for action, frame in {(row.action, row.frame) for row in rows}:
        if not _any(connection, e.action == action, e.frame == frame):
            _blank(connection, frames, frame)
    for action in {row.action for row in rows}:
        if not _any(connection, f.action == action):
            _blank(connection, strings, action)
    for column in (e.error, e.access_key, e.address, e.agent):
        for text in {getattr(row, column.name) for row in rows} - {None}:
            if not _any(connection, column == text):
                _blank(connection, strings, text)
    for resource in resources:
        if not _any(connection, mentions.c.resource == resource):
            _blank(connection, strings, resource)
    for arrival in {
        row.arrival for row in rows
    }:  # no index has them, so one that nothing else came by takes a walk
        if not _any(connection, e.arrival == arrival, HAS_RECORD):
            _blank(connection, arrivals, arrival)


def _any(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> bool:
    return connection.execute(sa.select(sa.literal(1)).where(*conditions).limit(1)).first() is not None


def blank_of(table: sa.Table, number: int) -> dict[str, Any]:
    """What a row of names holds after its name has gone. Its digest goes too: it would tell of a guess at it."""
    match table.name:
        case principals.name:
            nothing = dict.fromkeys(("account_id", "unique_id", "arn", "name"))
            return {"digest": number, "kind": ""} | nothing
        case identities.name:
            return {"digest": number, "session_arn": None, "document": b""}
        case frames.name:
            return {"digest": number, "action": 0, "read_only": False, "document": b""}
        case strings.name:
            return {"kind": 0, "digest": number, "text": ""}
        case arrivals.name:
            return {"origin": b""}
    raise ValueError(f"{table.name} holds no names")


def _blank(connection: sa.Connection, table: sa.Table, number: int) -> None:
    connection.execute(sa.update(table).where(table.c.id == number).values(blank_of(table, number)))


# -- what is left of it below the tables ------------------------------------------------------------------------------


class Remains(Exception):
    """The records are gone from the tables; what the database keeps beneath may still have them. The message says why."""


def sweep(engine: sa.Engine) -> None:
    """Rewrite what the database keeps beneath its tables: what went from a row is left in pages and in the log beside.

    An SQLite file is written anew, so it takes as much room again, and whoever writes waits meanwhile. PostgreSQL's VACUUM
    makes the room free to be written over; it neither writes over it nor reaches into its own log. Raises Remains.
    """
    try:
        if engine.dialect.name == "sqlite":
            _rewrite(engine)
        elif warned := vacuum(engine, _TOUCHED):
            raise Remains(warned[0])
    except engine.dialect.loaded_dbapi.Error as error:
        raise Remains(f"the database was not swept: {str(error).splitlines()[0]}") from error


_TOUCHED = (entries, mentions, principals, identities, frames, strings, arrivals)


def _rewrite(engine: sa.Engine) -> None:
    with closing(engine.raw_connection()) as borrowed:
        borrowed.detach()  # with settings of its own, nobody else is given it
        cursor: Any = borrowed.cursor()
        cursor.execute("PRAGMA temp_store = FILE")  # the ledger may be larger than the memory
        cursor.execute("VACUUM")
        busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Remains(
                f"somebody reads the ledger, so that {os.path.basename(_file(cursor))}-wal was not emptied"
            )


def _file(cursor: Any) -> str:
    return str(cursor.execute("PRAGMA database_list").fetchone()[2])
