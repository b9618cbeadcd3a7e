"""The log of each account: append a batch, read entries back.

Positions come from the account's head row, never from a sequence: sequences leave gaps, and a tree has no leaf
for a gap. Whoever holds the head row (PostgreSQL) or the write lock (SQLite) appends; the primary key keeps a
writer from taking a place that is taken.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.entry import SALT_BYTES, Draft, Entry, Origin, body_bytes
from ledger.log import bodies
from ledger.log.bodies import Compression, Parts, event_id_of, event_number, join, split
from ledger.log.names import Names
from ledger.log.schema import (
    Kind,
    accounts,
    dictionaries,
    entries,
    frames,
    identities,
    mentions,
    principals,
    strings,
    tails,
)
from ledger.record import canonical
from ledger.resources import resources_of

TRAINING_RECORDS_MIN = 2_000
READ_PAGE = 2_000
ID_LIST_MAX = 5_000

Key = tuple[str, int]  # account id, position


class HeadMoved(Exception):
    """The log has grown since its head was looked at; nothing was written."""

    def __init__(self, account_id: str, expected: int, found: int) -> None:
        super().__init__(f"account {account_id}: expected the head at {expected}, found it at {found}")
        self.expected, self.found = expected, found


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: the first new position and the number of new entries by account."""

    spans: dict[str, tuple[int, int]]
    duplicates: int

    @property
    def count(self) -> int:
        return sum(count for _, count in self.spans.values())


@dataclass(slots=True)
class _Prepared:
    draft: Draft
    parts: Parts
    packed: bytes
    resources: list[str]
    number: tuple[int, bytes]


class Log:
    """Every account's log in one database. `engine` is one that `open_engine` gave."""

    def __init__(self, engine: sa.Engine, *, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self._clock = clock
        self._names = Names()
        self._compression = Compression()
        self._reading = _Reading()
        self._insert_entry = _inserter(engine, entries)
        self._insert_mention = _inserter(engine, mentions)
        with engine.connect() as connection:
            self._load_dictionaries(connection)

    # -- writing ------------------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft], *, head: int | None = None) -> Appended:
        """Write all the drafts that are new, durably and in order, or raise and write none.

        The drafts may belong to several accounts; an account is made when it is first met. A draft whose event
        id the account has with the same content is a duplicate: skipped and counted. With `head`, which needs
        drafts of one account, raises HeadMoved when the log's size is not that.
        """
        if not self._compression.newest and len(drafts) >= TRAINING_RECORDS_MIN:
            self._train(drafts)
        prepared = [self._prepare(draft) for draft in drafts]
        return self.append_prepared(prepared, head=head)

    def append_prepared(self, prepared: Sequence[_Prepared], *, head: int | None = None) -> Appended:
        by_account: dict[str, list[_Prepared]] = {}
        for one in prepared:
            by_account.setdefault(one.draft.record.account_id, []).append(one)
        if head is not None and len(by_account) != 1:
            raise ValueError(f"an expected head needs drafts of one account, not of {len(by_account)}")
        spans: dict[str, tuple[int, int]] = {}
        duplicates = 0
        with self._names.in_transaction(), self.engine.execution_options(writes=True).begin() as connection:
            for account_id in sorted(by_account):  # one order for all writers: no deadlock
                account, size = self._take_head(connection, account_id)
                if head is not None and size != head:
                    raise HeadMoved(account_id, head, size)
                fresh = self._fresh(connection, account, by_account[account_id])
                duplicates += len(by_account[account_id]) - len(fresh)
                if fresh:
                    self._write(connection, account_id, account, size, fresh)
                    spans[account_id] = (size, len(fresh))
        return Appended(spans=spans, duplicates=duplicates)

    def _prepare(self, draft: Draft) -> _Prepared:
        record = draft.record
        parts = split(record, draft.canonical_record)
        return _Prepared(
            draft=draft,
            parts=parts,
            packed=self._compression.compress(parts.rest),
            resources=resources_of(record.document, record.account_id),
            number=event_number(record.event_id),
        )

    def _take_head(self, connection: sa.Connection, account_id: str) -> tuple[int, int]:
        query = sa.select(accounts.c.id, accounts.c.size).where(accounts.c.account_id == account_id)
        query = query.with_for_update()
        row = connection.execute(query).first()
        if row is None:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    "INSERT INTO accounts (account_id, size) VALUES (%s, 0) ON CONFLICT DO NOTHING",
                    (account_id,),
                )
            else:
                connection.execute(accounts.insert().values(account_id=account_id, size=0))
            row = connection.execute(query).one()
        return row.id, row.size

    def _fresh(self, connection: sa.Connection, account: int, batch: Sequence[_Prepared]) -> list[_Prepared]:
        """The drafts that are no duplicates, of the log or of one another."""
        same_id: dict[tuple[int, bytes], list[bytes]] = {}
        heads = list({one.number[0] for one in batch})
        wanted = {one.number for one in batch}
        for start in range(0, len(heads), ID_LIST_MAX):
            query = sa.select(entries.c.position, entries.c.event_head, entries.c.event_tail).where(
                entries.c.account == account, entries.c.event_head.in_(heads[start : start + ID_LIST_MAX])
            )
            known = [row for row in connection.execute(query) if (row[1], bytes(row[2])) in wanted]
            positions = [position for position, _, _ in known]
            found = {entry.position: entry for entry in self._load(connection, account, positions)}
            for position, head, tail in known:
                same_id.setdefault((head, bytes(tail)), []).append(canonical(found[position].document))
        fresh = []
        for one in batch:
            seen = same_id.get(one.number)
            if seen is None:
                same_id[one.number] = [one.draft.canonical_record]
            elif one.draft.canonical_record in seen:
                continue
            else:
                seen.append(one.draft.canonical_record)
            fresh.append(one)
        return fresh

    def _write(
        self,
        connection: sa.Connection,
        account_id: str,
        account: int,
        size: int,
        batch: Sequence[_Prepared],
    ) -> None:
        recorded_at = int(self._clock() * 1000)
        origins = {one.draft.origin: one.draft.origin.to_bytes() for one in batch}
        names = self._names
        names.learn(
            connection,
            [one.parts for one in batch],
            (resource for one in batch for resource in one.resources),
            [raw.decode() for raw in origins.values()],
        )
        number_of, frame_of, identity_of = names.strings, names.frames, names.identities
        origin_numbers = {origin: number_of[_ORIGIN, raw.decode()] for origin, raw in origins.items()}
        people = {identity_of[one.parts.identity].principal for one in batch}
        last = dict(
            connection.execute(
                sa.select(tails.c.principal, tails.c.position).where(
                    tails.c.account == account, tails.c.principal.in_(people)
                )
            )
            .tuples()
            .all()
        )
        salts = os.urandom(SALT_BYTES * len(batch))
        dictionary = self._compression.newest
        sha256 = hashlib.sha256
        rows: list[tuple[Any, ...]] = []
        named: list[tuple[int, int, int, int]] = []
        position = size
        for index, one in enumerate(batch):
            parts, record = one.parts, one.draft.record
            frame = frame_of[parts.frame]
            who = identity_of[parts.identity]
            salt = salts[index * SALT_BYTES : (index + 1) * SALT_BYTES]
            origin = origins[one.draft.origin]
            commitment = sha256(salt + body_bytes(one.draft.canonical_record, origin))
            previous = last.get(who.principal)
            # The bytes are Leaf.to_bytes'; a test holds the two together.
            leaf = (
                f'\0{{"account":"{account_id}","commitment":"{commitment.hexdigest()}",'
                f'"position":{position},"previous":{"null" if previous is None else previous},'
                f'"principal":"{who.pseudonym.hex()}","recordedAt":{recorded_at}}}'
            ).encode()
            rows.append(
                (
                    account,
                    position,
                    record.time,
                    recorded_at,
                    *one.number,
                    frame.id,
                    frame.action,
                    None if parts.error is None else number_of[_ERROR, parts.error],
                    who.id,
                    who.principal,
                    previous,
                    None if parts.key is None else number_of[_KEY, parts.key],
                    parts.began,
                    None if parts.address is None else number_of[_ADDRESS, parts.address],
                    None if parts.agent is None else number_of[_AGENT, parts.agent],
                    origin_numbers[one.draft.origin],
                    parts.layout,
                    dictionary,
                    sha256(leaf).digest(),
                    salt,
                    one.packed,
                )
            )
            named.extend(
                [(number_of[_RESOURCE, text], record.time, account, position) for text in one.resources]
            )
            last[who.principal] = position
            position += 1
        self._insert_entry(connection, rows)
        if named:
            self._insert_mention(connection, named)
        self._move_tails(connection, account, {person: last[person] for person in people})
        connection.execute(sa.update(accounts).where(accounts.c.id == account).values(size=position))

    @staticmethod
    def _move_tails(connection: sa.Connection, account: int, last: dict[int, int]) -> None:
        if connection.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
        upsert = insert(tails)
        upsert = upsert.on_conflict_do_update(
            index_elements=[tails.c.account, tails.c.principal],
            set_={"position": upsert.excluded.position},
        )
        connection.execute(
            upsert,
            [
                {"account": account, "principal": person, "position": position}
                for person, position in sorted(last.items())
            ],
        )

    # -- the dictionary -----------------------------------------------------------------------------------------

    def _load_dictionaries(self, connection: sa.Connection) -> None:
        for number, content in connection.execute(sa.select(dictionaries.c.id, dictionaries.c.content)):
            if not self._compression.knows(number):
                self._compression.add(number, bytes(content))

    def _train(self, drafts: Sequence[Draft]) -> None:
        """Train a dictionary on the first large batch, unless another writer has just done so."""
        samples = [split(draft.record, draft.canonical_record).rest for draft in drafts]
        content = bodies.train_dictionary(samples)
        if content is None:
            return
        with self.engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE dictionaries IN EXCLUSIVE MODE")
            if connection.execute(sa.select(sa.func.count()).select_from(dictionaries)).scalar_one() == 0:
                connection.execute(dictionaries.insert().values(id=1, content=content))
        with self.engine.connect() as connection:
            self._load_dictionaries(connection)

    # -- reading ------------------------------------------------------------------------------------------------

    def account_ids(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.select(accounts.c.account_id).order_by(accounts.c.account_id)))

    def size(self, account_id: str) -> int:
        """How many entries the account's log has; 0 where there is no such account."""
        with self.engine.connect() as connection:
            query = sa.select(accounts.c.size).where(accounts.c.account_id == account_id)
            return connection.execute(query).scalar() or 0

    def read(self, account_id: str, start: int = 0) -> Iterator[Entry]:
        """Every entry of the account from `start` to the head, in order and without gaps."""
        while True:
            with self.engine.connect() as connection:
                query = (
                    _everything()
                    .where(accounts.c.account_id == account_id, entries.c.position >= start)
                    .order_by(entries.c.position)
                    .limit(READ_PAGE)
                )
                page = self.decode(connection, connection.execute(query).all())
            yield from page
            if len(page) < READ_PAGE:
                return
            start = page[-1].position + 1

    def fetch(self, connection: sa.Connection, account: int, positions: Sequence[int]) -> list[Entry]:
        """The entries at these positions of an account (by its number), in the order asked for."""
        found = {entry.position: entry for entry in self._load(connection, account, positions)}
        return [found[position] for position in positions if position in found]

    def entry(self, account_id: str, position: int) -> Entry | None:
        with self.engine.connect() as connection:
            query = _everything().where(accounts.c.account_id == account_id, entries.c.position == position)
            found = self.decode(connection, connection.execute(query).all())
        return found[0] if found else None

    def entries_named(self, event_id: str) -> list[Entry]:
        """Every entry with this event id: one as a rule, several where AWS used an id twice."""
        head, tail = event_number(event_id)
        with self.engine.connect() as connection:
            query = (
                _everything()
                .where(entries.c.event_head == head, entries.c.event_tail == tail)
                .order_by(accounts.c.account_id, entries.c.position)
            )
            return self.decode(connection, connection.execute(query).all())

    def _load(self, connection: sa.Connection, account: int, positions: Sequence[int]) -> Iterator[Entry]:
        for start in range(0, len(positions), ID_LIST_MAX):
            query = _everything().where(
                entries.c.account == account,
                entries.c.position.in_(positions[start : start + ID_LIST_MAX]),
            )
            yield from self.decode(connection, connection.execute(query).all())

    def decode(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Entry]:
        """Entries from rows of `everything()`."""
        for number in {row.dictionary for row in rows}:
            if not self._compression.knows(number):
                self._load_dictionaries(connection)
        self._reading.look_up(connection, rows)
        return [self._entry(row) for row in rows]

    def _entry(self, row: sa.Row[Any]) -> Entry:
        reading = self._reading
        rest = self._compression.decompress(row.dictionary, row.body)
        identity, pseudonym = reading.identities[row.identity]
        if row.layout == bodies.WHOLE:
            document = orjson.loads(rest)
        else:
            document = join(
                frame=reading.frames[row.frame],
                identity=identity,
                event_id=event_id_of(row.event_head, bytes(row.event_tail)),
                seconds=row.time,
                key=reading.strings[row.access_key] if row.access_key is not None else None,
                began=row.session_began,
                address=reading.strings[row.address] if row.address is not None else None,
                agent=reading.strings[row.agent] if row.agent is not None else None,
                rest=rest,
            )
        return Entry(
            account_id=row.account_id,
            position=row.position,
            recorded_at=row.recorded_at,
            time=row.time,
            previous=row.previous,
            principal=pseudonym,
            salt=bytes(row.salt),
            leaf_hash=bytes(row.leaf_hash),
            origin=reading.origin(row.origin),
            document=document,
        )


def _everything() -> sa.Select[Any]:
    return sa.select(accounts.c.account_id, entries).join(accounts, accounts.c.id == entries.c.account)


everything = _everything


class _Reading:
    """What numbers stand for, remembered; the log never changes, so nothing here grows stale."""

    REMEMBERED_MAX = 200_000

    def __init__(self) -> None:
        self.strings: dict[int, str] = {}
        self.frames: dict[int, dict[str, Any]] = {}
        self.identities: dict[int, tuple[bytes, bytes]] = {}
        self._origins: dict[int, Origin] = {}

    def origin(self, number: int) -> Origin:
        found = self._origins.get(number)
        if found is None:
            found = self._origins[number] = Origin.from_bytes(self.strings[number].encode())
        return found

    def look_up(self, connection: sa.Connection, rows: Iterable[sa.Row[Any]]) -> None:
        for memory in (self.strings, self.frames, self.identities, self._origins):
            if len(memory) > self.REMEMBERED_MAX:
                memory.clear()
        texts: set[int] = set()
        for row in rows:
            texts.update((row.access_key, row.address, row.agent, row.origin))
        texts.discard(None)
        for number, text in _by_id(connection, strings, ("text",), texts - self.strings.keys()):
            self.strings[number] = text
        wanted = {row.frame for row in rows} - self.frames.keys()
        for number, document in _by_id(connection, frames, ("document",), wanted):
            self.frames[number] = orjson.loads(document)
        wanted = {row.identity for row in rows} - self.identities.keys()
        joined = identities.join(principals, principals.c.id == identities.c.principal)
        for start in range(0, len(few := list(wanted)), ID_LIST_MAX):
            query = (
                sa.select(identities.c.id, identities.c.document, principals.c.pseudonym)
                .select_from(joined)
                .where(identities.c.id.in_(few[start : start + ID_LIST_MAX]))
            )
            for number, document, pseudonym in connection.execute(query):
                self.identities[number] = (bytes(document), bytes(pseudonym))


def _by_id(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], wanted: set[int]
) -> Iterator[Any]:
    few = list(wanted)
    for start in range(0, len(few), ID_LIST_MAX):
        query = sa.select(table.c.id, *[table.c[name] for name in columns]).where(
            table.c.id.in_(few[start : start + ID_LIST_MAX])
        )
        yield from connection.execute(query)


def _inserter(
    engine: sa.Engine, table: sa.Table
) -> Callable[[sa.Connection, Sequence[tuple[Any, ...]]], None]:
    """The fastest way to insert rows of plain tuples: executemany on SQLite, COPY on PostgreSQL."""
    columns = ", ".join(column.name for column in table.columns)
    if engine.dialect.name == "postgresql":
        statement = f"COPY {table.name} ({columns}) FROM STDIN (FORMAT BINARY)"
        kinds = [_postgresql_type(column.type) for column in table.columns]

        def copy(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
            driver: Any = connection.connection.driver_connection
            with driver.cursor() as cursor, cursor.copy(statement) as target:
                target.set_types(kinds)
                for row in rows:
                    target.write_row(row)

        return copy
    marks = ", ".join("?" for _ in table.columns)
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"

    def insert(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        connection.exec_driver_sql(statement, list(rows))

    return insert


def _postgresql_type(kind: sa.types.TypeEngine[Any]) -> str:
    if isinstance(kind, sa.SmallInteger):
        return "int2"
    if isinstance(kind, sa.BigInteger):
        return "int8"
    if isinstance(kind, sa.Integer):
        return "int4"
    return "bytea"


_ERROR, _KEY, _ADDRESS = int(Kind.ERROR), int(Kind.KEY), int(Kind.ADDRESS)
_AGENT, _RESOURCE, _ORIGIN = int(Kind.AGENT), int(Kind.RESOURCE), int(Kind.ORIGIN)
