"""The log of each account: append a batch, read entries back.

Positions come from the account's head row, never from a sequence: sequences leave gaps, and a tree has no leaf
for a gap. Whoever holds the head row (PostgreSQL) or the write lock (SQLite) appends; the primary key keeps a
writer from taking a place that is taken.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ledger.entry import NATIVE, Draft, Entry
from ledger.log.appending import Writer
from ledger.log.bodies import AUTHORIZED, OF_DECIDED, OF_RECORDS, Compression, split
from ledger.log.engine import writing
from ledger.log.preparation import (
    Prepared,
    check_canonical,
    content_at,
    content_of,
    event_number,
    prepare,
    told_by,
)
from ledger.log.reading import Reader, everything
from ledger.log.rows import (
    Key,
    among,
    among_bound,
    among_keys_bound,
    bound,
    bound_keys,
)
from ledger.log.schema import accounts, arrivals, dictionaries, entries, erasures
from ledger.log.training import decided_samples, train_dictionary
from ledger.record import canonical

TRAINING_RECORDS_MIN = 2_000
READ_PAGE = 2_000
ERASED = (
    b""  # the content of an erased record: whatever bears its event id, it must not come back by an import
)


class NotToBeWritten(Exception):
    """Nothing may be appended to an account's log, and nothing was; the message says why, in one line."""


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


class Log:
    """Every account's log in one database. `engine` is one that `open_engine` gave.

    `may_write` is asked before anything is appended to an account's log, and raises NotToBeWritten where nothing may be.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        clock: Callable[[], float] = time.time,
        may_write: Callable[[str], None] = lambda account_id: None,
    ) -> None:
        self.engine = engine
        self._may_write = may_write
        self._writer = Writer(clock)
        self._compression = Compression()
        self._untrained = 0  # entries that were written in turns without a dictionary of their own
        self._enough = TRAINING_RECORDS_MIN  # of these
        self.reader = Reader(self._compression)
        with engine.connect() as connection:
            self.reader.load_dictionaries(connection)

    # -- writing ------------------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft], *, head: int | None = None) -> Appended:
        """Write all the drafts that are new, durably and in order, or raise and write none.

        The drafts may belong to several accounts; an account is made when it is first met. A draft whose event
        id the account has with the same content is a duplicate: skipped and counted. The content is the record,
        and the authorization where the draft has one: a decision is never dropped for another, and a record that
        is read back from an export of this log, which has none, is not taken in again. With `head`, which needs
        drafts of one account, raises HeadMoved when the log's size is not that.
        """
        for draft in drafts:
            if draft.authorization is not None:
                check_canonical(draft.authorization)
        self.train(drafts)
        return self.append_prepared(prepare(drafts, self._compression), head=head)

    def append_prepared(self, prepared: Prepared, *, head: int | None = None) -> Appended:
        """As `append`, for drafts that were made ready elsewhere."""
        by_account = _by_account(prepared)
        if head is not None and len(by_account) != 1:
            raise ValueError(f"an expected head needs drafts of one account, not of {len(by_account)}")
        spans: dict[str, tuple[int, int]] = {}
        for account_id in by_account:
            self._may_write(account_id)
        with self._transaction() as connection:
            for account_id, (account, size) in self._take_heads(connection, by_account).items():
                if head is not None and size != head:
                    raise HeadMoved(account_id, head, size)
                fresh = self._fresh(connection, account, by_account[account_id])
                if fresh.size:
                    self._writer.write(connection, account_id, account, size, fresh)
                    spans[account_id] = (size, fresh.size)
        return Appended(spans=spans, duplicates=prepared.size - sum(count for _, count in spans.values()))

    @contextmanager
    def turn(self, account_id: str) -> Iterator[Turn]:
        """Hold the head of an account's log: until the block ends nobody else appends to it.

        What is appended within is durable then, all of it; where the block raises, nothing is.
        """
        with self.turns([account_id]) as turns:
            yield turns[account_id]

    @contextmanager
    def turns(self, account_ids: Collection[str]) -> Iterator[dict[str, Turn]]:
        """Hold the heads of several accounts' logs: what is appended to any of them within is durable then, or nothing is."""
        for account_id in account_ids:
            self._may_write(account_id)
        with self._transaction(remaps=False) as connection:
            heads = self._take_heads(connection, account_ids)
            yield {
                account_id: Turn(self, connection, account_id, account, size)
                for account_id, (account, size) in heads.items()
            }

    @contextmanager
    def sole_turn(self, account_id: str) -> Iterator[Turn]:
        """As `turn`; and nobody appends to any other account either, so that no name is taken up that is about to go."""
        self._may_write(account_id)
        with self._transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE accounts IN EXCLUSIVE MODE")
            account, size = self._take_head(connection, account_id)
            yield Turn(self, connection, account_id, account, size)

    @contextmanager
    def _transaction(self, *, remaps: bool = True) -> Iterator[sa.Connection]:
        with self._writer.in_transaction(), writing(self.engine, remaps=remaps) as connection:
            yield connection

    def _take_heads(
        self, connection: sa.Connection, account_ids: Iterable[str]
    ) -> dict[str, tuple[int, int]]:
        """In one order for all writers, and before anything else that they wait for: no deadlock."""
        return {account_id: self._take_head(connection, account_id) for account_id in sorted(account_ids)}

    def _take_head(self, connection: sa.Connection, account_id: str) -> tuple[int, int]:
        row = connection.execute(_HEAD, {"account_id": account_id}).first()
        if row is None:
            made = _upsert(connection.dialect.name, accounts).values(account_id=account_id, size=0)
            connection.execute(made.on_conflict_do_nothing())
            row = connection.execute(_HEAD, {"account_id": account_id}).one()
        self._writer.as_of(row.erasures or 0)
        return row.id, row.size

    def _fresh(self, connection: sa.Connection, account: int, batch: Prepared) -> Prepared:
        """The drafts that are no duplicates, of the log or of one another."""
        ids = list(zip(batch.event_head, batch.event_tail, strict=True))
        wanted = set(ids)
        same_id = self._written(connection, account, wanted)
        if not same_id and len(wanted) == len(ids):
            return batch
        fresh, alone = [], {event_id for event_id, count in Counter(ids).items() if count == 1}
        alone -= same_id.keys()
        for index, event_id in enumerate(ids):
            if event_id in alone:
                fresh.append(index)
                continue
            content = content_at(batch, index, self._compression)
            contents = same_id.setdefault(event_id, [])
            if content not in contents and ERASED not in contents:
                contents += told_by(content)
                fresh.append(index)
        return batch.chosen(fresh)

    def _written(
        self, connection: sa.Connection, account: int, wanted: set[tuple[int, bytes]]
    ) -> dict[tuple[int, bytes], list[bytes]]:
        """What the log has under these event ids already: contents, or ERASED."""
        # `+ 0` keeps the planner from walking the whole account instead of the index by event id.
        query = sa.select(entries.c.event_head, entries.c.event_tail, entries.c.position).where(
            entries.c.account + 0 == account,
            among(connection, entries.c.event_head, sorted(head for head, _ in wanted)),
        )
        found = {
            position: (head, bytes(tail))
            for head, tail, position in connection.execute(query)
            if (head, bytes(tail)) in wanted
        }
        written: dict[tuple[int, bytes], list[bytes]] = {}
        for entry in self._at(connection, account, list(found)):
            contents = written.setdefault(found[entry.position], [])
            if entry.erased is not None:
                contents.append(ERASED)
            else:
                contents += told_by(content_of(canonical(entry.document), entry.authorization))
        return written

    def prepare(self, drafts: Sequence[Draft]) -> Prepared:
        """Make drafts ready for `append_prepared`."""
        return prepare(drafts, self._compression)

    # -- the dictionary -----------------------------------------------------------------------------------------

    def dictionaries(self) -> dict[int, bytes]:
        """The zstd dictionaries there are, for whoever prepares drafts elsewhere."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(dictionaries.c.id, dictionaries.c.content))
            return {number: bytes(content) for number, content in rows}

    def train(self, drafts: Sequence[Draft]) -> None:
        """Train a dictionary on these if there is none yet and they are enough."""
        if not self._compression.knows(OF_RECORDS) and len(drafts) >= TRAINING_RECORDS_MIN:
            self._train(OF_RECORDS, [split(draft.record, draft.canonical_record).rest for draft in drafts])

    def train_on_decided(self) -> None:
        """Likewise on what was written in turns, once enough was. It takes half a second, once in a ledger's life."""
        if self._untrained < self._enough:
            return
        self._untrained, self._enough = 0, 2 * self._enough  # they may be too alike to train on
        with self.engine.connect() as connection:
            self.reader.load_dictionaries(connection)  # somebody else may have trained it
            if self._compression.knows(OF_DECIDED):
                return
            samples = decided_samples(connection, self._compression, TRAINING_RECORDS_MIN)
        if len(samples) >= TRAINING_RECORDS_MIN:
            self._train(OF_DECIDED, samples)

    def _train(self, number: int, samples: Sequence[bytes]) -> None:
        content = train_dictionary(samples)
        if content is None:
            return
        with writing(self.engine) as connection:
            # another writer may just have done so, or do so now
            there = sa.select(dictionaries.c.id).where(dictionaries.c.id == number)
            if connection.execute(there).first() is None:
                trained = _upsert(connection.dialect.name, dictionaries).values(id=number, content=content)
                connection.execute(trained.on_conflict_do_nothing())
        with self.engine.connect() as connection:
            self.reader.load_dictionaries(connection)

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
                    everything()
                    .where(accounts.c.account_id == account_id, entries.c.position >= start)
                    .order_by(entries.c.position)
                    .limit(READ_PAGE)
                )
                page = self.reader.entries(connection, query)
            yield from page
            if len(page) < READ_PAGE:
                return
            start = page[-1].position + 1

    def fetch(self, connection: sa.Connection, account: int, positions: Sequence[int]) -> list[Entry]:
        """The entries at these positions of an account (by its number), in the order asked for."""
        found = {entry.position: entry for entry in self._at(connection, account, positions)}
        return [found[position] for position in positions if position in found]

    def fetch_all(self, connection: sa.Connection, keys: Sequence[Key]) -> list[Entry]:
        """The entries of these accounts (by their numbers) and positions, in the order asked for."""
        if not keys:
            return []
        dialect = connection.dialect.name
        rows = connection.execute(_entries_of(dialect), {"keys": bound_keys(dialect, keys)}).all()
        made = self.reader.entries_of(connection, rows)
        found = {(account, entry.position): entry for (_, account, *_), entry in zip(rows, made, strict=True)}
        return [found[key] for key in keys]

    def bodies(
        self, connection: sa.Connection, query: sa.Select[Any], told: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """What text is looked for in: requests, responses and messages as JSON. See Reader.bodies."""
        return self.reader.bodies(connection, query, told)

    def holding(
        self, connection: sa.Connection, query: sa.Select[Any], told: Mapping[str, Any], text: bytes
    ) -> list[tuple[Any, ...]]:
        """Which of them hold a text. See Reader.holding."""
        return self.reader.holding(connection, query, told, text)

    def entries_at(self, account_id: str, positions: Sequence[int]) -> list[Entry]:
        """The entries at these positions of an account, in the order asked for."""
        with self.engine.connect() as connection:
            query = sa.select(accounts.c.id).where(accounts.c.account_id == account_id)
            account = connection.execute(query).scalar()
            return [] if account is None else self.fetch(connection, account, positions)

    def entry(self, account_id: str, position: int) -> Entry | None:
        with self.engine.connect() as connection:
            query = everything().where(accounts.c.account_id == account_id, entries.c.position == position)
            found = self.reader.entries(connection, query)
        return found[0] if found else None

    def entries_named(self, event_id: str) -> list[Entry]:
        """Every entry with this event id: one as a rule, several where AWS used an id twice."""
        head, tail = event_number(event_id)
        with self.engine.connect() as connection:
            query = (
                everything()
                .where(entries.c.event_head == head, entries.c.event_tail == tail)
                .order_by(accounts.c.account_id, entries.c.position)
            )
            return self.reader.entries(connection, query)

    def authorized(self, account_id: str) -> list[int]:
        """The positions of the entries that a decision is stored with, in order."""
        query = (
            sa.select(entries.c.position)
            .join(accounts, accounts.c.id == entries.c.account)
            .where(
                accounts.c.account_id == account_id, entries.c.coding >= sa.literal_column(str(AUTHORIZED))
            )
            .order_by(entries.c.position)
        )
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def _at(self, connection: sa.Connection, account: int, positions: Sequence[int]) -> list[Entry]:
        if not positions:
            return []
        dialect = connection.dialect.name
        told = {"account": account, "positions": bound(dialect, positions)}
        return self.reader.entries(connection, _entries_at(dialect), told)


@dataclass(slots=True)
class Turn:
    """The head of one account's log, in one's hands: read up to it, decide, append. See `Log.turn`."""

    log: Log
    connection: sa.Connection
    account_id: str
    account: int
    size: int  # the position of the next entry

    def read(self, start: int) -> list[Entry]:
        """Every entry from `start` to the head."""
        query = everything().where(entries.c.account == self.account, entries.c.position >= start)
        return self.log.reader.entries(self.connection, query.order_by(entries.c.position))

    def latest_native(self) -> list[Entry]:
        """The latest entry that this ledger wrote itself, if there is one."""
        native = sa.select(arrivals.c.id).where(arrivals.c.origin == NATIVE.to_bytes())
        query = everything().where(entries.c.account == self.account, entries.c.arrival.in_(native))
        return self.log.reader.entries(self.connection, query.order_by(entries.c.position.desc()).limit(1))

    def position_of(self, event_id: str) -> int | None:
        """Where the entry with this event id stands, if the account has one."""
        head, tail = event_number(event_id)
        query = sa.select(entries.c.position).where(
            entries.c.account + 0 == self.account,  # as in `_written`
            entries.c.event_head == head,
            entries.c.event_tail == tail,
        )
        return self.connection.execute(query).scalars().first()

    def second(self, clock: float) -> int:
        """When an entry of this ledger happens, in seconds since 1970: native entries never go back."""
        return max([int(clock), *(entry.time for entry in self.latest_native())])

    def append(self, drafts: Sequence[Draft]) -> None:
        """Write drafts of this account. Their event ids are new, and their authorizations canonical: whoever made them
        saw to it.
        """
        self.log._writer.write(
            self.connection, self.account_id, self.account, self.size, self.log.prepare(drafts)
        )
        self.size += len(drafts)
        if not self.log._compression.knows(OF_DECIDED):
            self.log._untrained += len(drafts)


def _by_account(prepared: Prepared) -> dict[str, Prepared]:
    indexes: dict[str, list[int]] = {account_id: [] for account_id in prepared.account_id}
    if len(indexes) == 1:
        return dict.fromkeys(indexes, prepared)
    for index, account_id in enumerate(prepared.account_id):
        indexes[account_id].append(index)
    return {account_id: prepared.chosen(chosen) for account_id, chosen in indexes.items()}


# ---- statements made once, for to make one takes longer than to run it

_HEAD = (
    sa.select(
        accounts.c.id,
        accounts.c.size,
        sa.select(sa.func.max(erasures.c.number)).scalar_subquery().label("erasures"),
    )
    .where(accounts.c.account_id == sa.bindparam("account_id"))
    .with_for_update(of=accounts)
)


@cache
def _entries_at(dialect: str) -> sa.Select[Any]:
    return everything().where(
        entries.c.account == sa.bindparam("account"), among_bound(dialect, entries.c.position, "positions")
    )


@cache
def _entries_of(dialect: str) -> sa.Select[Any]:
    return everything().where(among_keys_bound(dialect, entries.c.account, entries.c.position, "keys"))


def _upsert(dialect: str, table: sa.Table) -> Any:
    """Both databases' INSERT … ON CONFLICT, which SQLAlchemy keeps apart."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
