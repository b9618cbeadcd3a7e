"""Rows of the database made entries again."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict, namedtuple
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, Final

import orjson
import sqlalchemy as sa
from zstandard import ZstdError

from ledger.entry import UNKNOWN, Entry, Erased, Origin, erased_document
from ledger.log.bodies import (
    LAYOUT_BITS,
    WHOLE,
    Coding,
    Compression,
    event_id_of,
    join,
    prefix_bytes,
    without_authorization,
)
from ledger.log.rows import among, among_bound, bound
from ledger.log.schema import (
    Kind,
    accounts,
    arrivals,
    dictionaries,
    entries,
    erasures,
    frames,
    identities,
    principals,
    strings,
)

REMEMBERED_MAX = 200_000
AT_ONCE = 512  # bodies that a text is looked for in
IN_BINARY: Final = {"binary": True}
"""Options of a statement: PostgreSQL gives its rows in binary. As text a body is twice as long, and rows take half as long
again to read. What is asked of PostgreSQL's catalogs comes as text: of their types psycopg knows some only so."""

_STARTS = tuple(map(prefix_bytes, range(1 << LAYOUT_BITS)))  # by layout


def everything() -> sa.Select[Any]:
    """All that an entry is made from; to be narrowed by a condition on `entries` or `accounts`."""
    query = sa.select(accounts.c.account_id, entries).join(accounts, accounts.c.id == entries.c.account)
    return query.execution_options(**IN_BINARY)


StoredRow: Any = namedtuple("StoredRow", entries.columns.keys())  # type: ignore[misc]
"""Of the table of entries. A name of SQLAlchemy's row takes twenty times as long to look up."""

_Stored: Any = namedtuple("_Stored", everything().selected_columns.keys())  # type: ignore[misc]


def places_of(account_id: str, actions: Collection[str]) -> sa.Select[int]:
    """The positions of an account's entries with these actions, oldest first."""
    return (
        sa.select(entries.c.position)
        .join(accounts, accounts.c.id == entries.c.account)
        .join(strings, strings.c.id == entries.c.action)
        .where(
            accounts.c.account_id == account_id,
            strings.c.kind == Kind.ACTION,
            strings.c.text.in_(sorted(actions)),
        )
        .order_by(entries.c.position)
    )


class EntryDamaged(Exception):
    """What the database holds of an entry can't be put together; it was not written so."""

    def __init__(self, account_id: str, position: int, reason: str) -> None:
        super().__init__(f"account {account_id}, position {position}: the entry is damaged ({reason})")
        self.account_id, self.position = account_id, position


class DictionaryDamaged(Exception):
    """What bodies are compressed with is not what was written, so that none of them can be read."""


class Reader:
    """Makes entries from rows of `everything()`.

    Remembers what numbers stand for; the log never changes, so nothing here grows stale.
    """

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        self._strings: dict[int, str] = {}
        self._frames: dict[int, dict[str, Any]] = {}
        self._identities: dict[int, tuple[bytes, bytes]] = {}
        self._arrivals: dict[int, tuple[int, Origin]] = {}
        self._erased: dict[
            tuple[int, int], tuple[Erased, bytes]
        ] = {}  # account, position → and the pseudonym
        self._turn = threading.Lock()

    def load_dictionaries(self, connection: sa.Connection) -> None:
        for number, content in connection.execute(sa.select(dictionaries.c.id, dictionaries.c.content)):
            if not self.compression.knows(number):
                try:
                    self.compression.add(number, bytes(content))
                except (ZstdError, TypeError) as error:
                    raise DictionaryDamaged(
                        f"dictionary {number} of the ledger is damaged: {error}"
                    ) from error

    def entries(
        self, connection: sa.Connection, query: sa.Select[Any], told: Mapping[str, Any] | None = None
    ) -> list[Entry]:
        """`told` are the values of the query's parameters."""
        return self.entries_of(connection, connection.execute(query, told).all())

    def entries_of(self, connection: sa.Connection, rows: Iterable[sa.Row[Any]]) -> list[Entry]:
        stored = list(map(_Stored._make, rows))
        with self._turn:  # a server asks in many threads, and what is remembered may be dropped
            self._look_up(connection, stored)
            return [self._entry(row) for row in stored]

    def bodies(
        self, connection: sa.Connection, query: sa.Select[Any], told: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Bodies of entries: for each row of (…, coding, body) what else the query asks for, and the body.

        A body is the record less what is kept once, as JSON; requests, responses and messages are always in it.
        That of an erased record is empty.
        """
        # All at once: a tenth less time.
        rows = connection.execute(query, told, execution_options=IN_BINARY).all()
        for row, body in zip(rows, self._bodies(connection, rows), strict=True):
            yield *row[:-2], body

    def holding(
        self, connection: sa.Connection, query: sa.Select[Any], told: Mapping[str, Any], text: bytes
    ) -> list[tuple[Any, ...]]:
        """For each row of (…, coding, body) whose body holds a text, in lower case and without a line's end, what else
        the query asks for.
        """
        rows = connection.execute(query, told, execution_options=IN_BINARY).all()
        found: list[tuple[Any, ...]] = []
        for first in range(0, len(rows), AT_ONCE):  # joined, for one by one takes three times as long
            some = rows[first : first + AT_ONCE]
            bodies = self._bodies(connection, some)
            joined = b"\n".join(bodies).lower()
            starts = list(accumulate([len(body) + 1 for body in bodies], initial=0))
            at = joined.find(text)
            while at >= 0:
                number = bisect_right(starts, at) - 1
                found.append(some[number][:-2])
                at = joined.find(text, starts[number + 1])
        return found

    def _bodies(self, connection: sa.Connection, rows: Sequence[Any]) -> list[bytes]:
        bodies = [b""] * len(rows)
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            if row[-1]:
                alike[row[-2] >> LAYOUT_BITS].append(number)
        for kind, numbers in alike.items():
            dictionary, _, authorized = Coding.of(kind << LAYOUT_BITS)
            if not self.compression.knows(dictionary):
                self.load_dictionaries(connection)
            packed = [(rows[number][-1], _STARTS[rows[number][-2] % len(_STARTS)]) for number in numbers]
            whole = self.compression.decompress_all(dictionary, packed)
            for number, body in zip(numbers, whole, strict=True):
                bodies[number] = without_authorization(body)[1] if authorized else body
        return bodies

    def _entry(self, row: Any) -> Entry:
        try:
            return self._put_together(row)
        except (
            ZstdError,
            ValueError,
            LookupError,
            TypeError,
            OSError,
            OverflowError,
            AttributeError,
        ) as error:
            raise EntryDamaged(row.account_id, row.position, f"{type(error).__name__}: {error}") from error

    def _put_together(self, row: Any) -> Entry:
        body = row.body
        if not body:
            return self._erased_entry(row)
        dictionary, layout, authorized = Coding.of(row.coding)
        split_at = prefix_bytes(layout)
        rest = self.compression.decompress(dictionary, body, split_at)
        authorization = None
        if authorized:
            authorization, rest = without_authorization(rest)
        identity, pseudonym = self._identities[row.identity]
        arrived, origin = self._arrivals[row.arrival]
        texts = self._strings
        if layout == WHOLE:
            document = orjson.loads(rest)
        else:
            document = join(
                layout,
                frame=self._frames[row.frame],
                identity=identity,
                event_id=event_id_of(row.event_head, row.event_tail),
                seconds=row.time,
                key=None if row.access_key is None else texts[row.access_key],
                began=row.session_began,
                address=None if row.address is None else texts[row.address],
                agent=None if row.agent is None else texts[row.agent],
                prefix=body[:split_at],
                rest=rest,
            )
        return Entry(
            account_id=row.account_id,
            position=row.position,
            recorded_at=arrived + row.lag,
            time=row.time,
            previous=None if row.back is None else row.position - row.back,
            principal=pseudonym,
            salt=bytes(row.salt),
            leaf_hash=bytes(row.leaf_hash),
            origin=origin,
            document=document,
            authorization=authorization,
        )

    def _erased_entry(self, row: Any) -> Entry:
        told = self._erased.get((row.account, row.position))
        if told is None:
            raise ValueError("its body is missing, and no entry says that it was erased")
        erased, pseudonym = told
        recorded_at = self._arrivals[row.arrival][0] + row.lag
        event_id = event_id_of(row.event_head, row.event_tail) if row.event_tail else None
        return Entry(
            account_id=row.account_id,
            position=row.position,
            recorded_at=recorded_at,
            time=recorded_at // 1000,
            previous=None if row.back is None else row.position - row.back,
            principal=pseudonym,
            salt=b"",
            leaf_hash=bytes(row.leaf_hash),
            origin=UNKNOWN,
            document=erased_document(row.account_id, recorded_at, event_id),
            erased=erased,
        )

    def _look_up(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        codings = {row.coding for row in rows}
        needed = {Coding.of(number).dictionary for number in codings}
        if not all(map(self.compression.knows, needed)):
            self.load_dictionaries(connection)
        for memory in (self._strings, self._frames, self._identities, self._arrivals, self._erased):
            if len(memory) > REMEMBERED_MAX:
                memory.clear()
        # What is missing is looked for one by one: `wanted - memory.keys()` goes through all of the memory.
        known = self._strings
        texts = {
            number
            for row in rows
            for number in (row.access_key, row.address, row.agent)
            if number not in known
        }
        texts.discard(None)
        # Names that go with a record are blank from then on, maybe since its row was read: that one is not put together.
        for number, text, kind in _told(connection, strings, texts):
            if kind:
                known[number] = text
        wanted = {row.frame for row in rows if row.frame not in self._frames}
        for number, document in _told(connection, frames, wanted):
            if document:
                self._frames[number] = orjson.loads(document)
        wanted = {row.arrival for row in rows if row.arrival not in self._arrivals}
        for number, arrived, origin in _told(connection, arrivals, wanted):
            self._arrivals[number] = (arrived, Origin.from_bytes(origin) if origin else UNKNOWN)
        wanted = {row.identity for row in rows if row.identity not in self._identities}
        for number, document, pseudonym in _told(connection, identities, wanted):
            self._identities[number] = (bytes(document), bytes(pseudonym))
        if WHOLE in codings:  # as those are that have no body
            for account in {row.account for row in rows if not row.body}:
                wanted = {row.position for row in rows if row.account == account and not row.body}
                self._learn_erased(connection, account, wanted)

    def _learn_erased(self, connection: sa.Connection, account: int, positions: set[int]) -> None:
        x, e = erasures.c, entries.c
        query = (
            sa.select(x.position, x.erased_by, x.commitment, principals.c.pseudonym)
            .join(entries, sa.and_(e.account == x.account, e.position == x.position))
            .join(principals, principals.c.id == e.principal)
            .where(x.account == account, among(connection, x.position, positions))
        )
        for position, by, commitment, pseudonym in connection.execute(query):
            self._erased[account, position] = (Erased(by, bytes(commitment)), bytes(pseudonym))


def _told(connection: sa.Connection, table: sa.Table, wanted: set[Any]) -> Sequence[Any]:
    """What the rows of these numbers tell."""
    if not wanted:
        return ()
    dialect = connection.dialect.name
    return connection.execute(_telling(dialect, table), {"numbers": bound(dialect, wanted)}).all()


@cache
def _telling(dialect: str, table: sa.Table) -> sa.Select[Any]:
    """Made once: to make it takes as long as to run it."""
    return _TELLING[table].where(among_bound(dialect, table.c.id, "numbers"))


_TELLING: dict[sa.Table, sa.Select[Any]] = {
    strings: sa.select(strings.c.id, strings.c.text, strings.c.kind),
    frames: sa.select(frames.c.id, frames.c.document),
    arrivals: sa.select(arrivals.c.id, arrivals.c.recorded_at, arrivals.c.origin),
    identities: sa.select(identities.c.id, identities.c.document, principals.c.pseudonym).join(
        principals, principals.c.id == identities.c.principal
    ),
}
