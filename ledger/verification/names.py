"""What entries name by number, read with suspicion: each row of names has to be what its own content makes it."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa
from zstandard import ZstdError

from ledger.entry import Origin
from ledger.log.bodies import FRAME_MEMBERS
from ledger.log.erasing import blank_of
from ledger.log.names import action_named, digest, principal_content, principal_told, session_told
from ledger.log.reading import DictionaryDamaged
from ledger.log.rows import among
from ledger.log.schema import Kind as StringKind
from ledger.log.schema import arrivals, erasures, frames, identities, principals, strings
from ledger.record import canonical, is_read_only, read_identity
from ledger.verification.findings import Difference, Found, Kind

REMEMBERED_MAX: Final = 200_000
RESOURCES_MAX: Final = 20_000  # most are named once
PAGE: Final = 5_000
PSEUDONYM_BYTES: Final = 16
NO_FRAME: Final = 0  # as an entry has it whose record was erased
UNREADABLE: Final = (
    ZstdError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    AttributeError,
    MemoryError,
    DictionaryDamaged,
    OSError,  # of a time beyond what the system can tell
)  # what comes of bytes and values that were never written so


class Frame(NamedTuple):
    raw: bytes
    document: dict[str, Any]
    action: int


class Identity(NamedTuple):
    document: bytes
    principal: int
    pseudonym: bytes


class Arrival(NamedTuple):
    recorded_at: int
    origin: bytes


class Erasure(NamedTuple):
    erased_by: int
    commitment: bytes


class Known:
    """What numbers stand for, as the rows have it; what is remembered is bounded."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.strings: dict[int, tuple[int, str]] = {}
        self.frames: dict[int, Frame] = {}
        self.identities: dict[int, Identity] = {}
        self.arrivals: dict[int, Arrival] = {}
        self.erasures: dict[tuple[int, int], Erasure] = {}  # by account and position
        self.pseudonyms: dict[int, bytes] = {}  # of those who made entries that were erased
        self._resources: dict[str, int] = {}

    def learn(self, rows: Sequence[Any]) -> None:
        """What these rows of entries name. What is not there stays unknown."""
        memories: tuple[dict[int, Any], ...] = (self.strings, self.frames, self.identities, self.arrivals)
        for memory in memories:
            if len(memory) > REMEMBERED_MAX:
                memory.clear()
        # What is missing is looked for one by one: `wanted - memory.keys()` goes through all of the memory.
        texts = {
            number
            for row in rows
            for number in (row.action, row.access_key, row.address, row.agent, row.error)
            if number not in self.strings
        }
        columns = (strings.c.id, strings.c.kind, strings.c.text)
        for number, kind, text in self._rows(columns, texts):
            self.strings[number] = (kind, text)
        used = {row.frame for row in rows}
        wanted = {number for number in used if number not in self.frames}
        columns = (frames.c.id, frames.c.action, frames.c.document)
        for number, action, raw in self._rows(columns, wanted):
            with suppress(*UNREADABLE):
                self.frames[number] = Frame(raw, orjson.loads(raw), action)
        wanted = {row.identity for row in rows if row.identity not in self.identities}
        told_of = (identities.c.id, identities.c.document, identities.c.principal, principals.c.pseudonym)
        joined = identities.join(principals, principals.c.id == identities.c.principal)
        for number, *told in self._rows(told_of, wanted, joined):
            self.identities[number] = Identity(*told)
        wanted = {row.arrival for row in rows if row.arrival not in self.arrivals}
        columns = (arrivals.c.id, arrivals.c.recorded_at, arrivals.c.origin)
        for number, *told in self._rows(columns, wanted):
            self.arrivals[number] = Arrival(*told)
        if NO_FRAME in used:
            self._learn_erased([row for row in rows if not row.body])

    def _learn_erased(self, rows: Sequence[Any]) -> None:
        x = erasures.c
        positions = {row.position for row in rows}
        columns = (x.position, x.account, x.erased_by, x.commitment)
        for position, account, *told in self._rows(columns, positions):
            self.erasures[account, position] = Erasure(*told)
        wanted = {row.principal for row in rows}
        for number, pseudonym in self._rows((principals.c.id, principals.c.pseudonym), wanted):
            self.pseudonyms[number] = pseudonym

    def resources(self, texts: Set[str]) -> dict[str, int]:
        """The numbers of resources; those that have none are left out."""
        if len(self._resources) > RESOURCES_MAX:
            self._resources.clear()
        wanted = {digest(text.encode()) for text in texts if text not in self._resources}
        if wanted:
            query = sa.select(strings.c.text, strings.c.id).where(
                strings.c.kind == StringKind.RESOURCE, among(self._connection, strings.c.digest, wanted)
            )
            self._resources.update(map(tuple, self._connection.execute(query).all()))
        return self._resources

    def _rows(
        self, columns: Sequence[sa.ColumnElement[Any]], wanted: set[Any], source: sa.FromClause | None = None
    ) -> Iterator[Any]:
        numbers = [number for number in wanted if type(number) is int]
        if numbers:
            query = sa.select(*columns).where(among(self._connection, columns[0], numbers))
            yield from self._connection.execute(query if source is None else query.select_from(source)).all()


# -- the tables of names themselves -------------------------------------------------------------------------------


def check_names(connection: sa.Connection, found: Found) -> None:
    """Every row of names, also those that no entry names any more: each is found by a digest of its content."""
    told = sa.select(strings.c.id, strings.c.text).where(strings.c.kind == StringKind.ACTION)
    actions: dict[int, str] = dict(map(tuple, connection.execute(told)))
    erased = connection.execute(sa.select(erasures.c.number).limit(1)).first() is not None
    judge = partial(_judge, found, erased)
    checks: list[tuple[sa.Table, Callable[[Any], str | None]]] = [
        (strings, _string),
        (principals, _principal),
        (arrivals, _arrival),
    ]
    for table, check in checks:
        for row in _all(connection, sa.select(table), table.c.id):
            judge(table, row, check)
    # as a number: a boolean of SQLite's may be any
    read_only = sa.type_coerce(frames.c.read_only, sa.Integer).label("read_only")
    shown = sa.select(frames.c.id, frames.c.digest, frames.c.action, read_only, frames.c.document)
    for row in _all(connection, shown, frames.c.id):
        judge(frames, row, lambda row: _frame(row, actions))
    both = sa.select(identities, *(principals.c[name].label(f"p_{name}") for name in PRINCIPAL_COLUMNS))
    joined = identities.outerjoin(principals, principals.c.id == identities.c.principal)
    for row in _all(connection, both.select_from(joined), identities.c.id):
        judge(identities, row, _identity)


PRINCIPAL_COLUMNS: Final = ("kind", "account_id", "unique_id", "arn", "name")


def _judge(found: Found, erased: bool, table: sa.Table, row: Any, check: Callable[[Any], str | None]) -> None:
    """A name that went with the records that bore it is blank, which is as good, where there were such."""
    if erased and all(getattr(row, name) == value for name, value in blank_of(table, row.id).items()):
        return
    try:
        wrong = check(row)
    except UNREADABLE as error:
        wrong = f"can't be read ({type(error).__name__})"
    if wrong is not None:
        found.add(Difference(Kind.EDITED_COLUMN, f"table {table.name}, row {row.id}: {wrong}"))


def _string(row: Any) -> str | None:
    if row.kind not in StringKind._value2member_map_:
        return "kind is none that there is"
    return None if digest(row.text.encode()) == row.digest else "text is not what its digest says"


def _frame(row: Any, actions: dict[int, str]) -> str | None:
    raw = row.document
    if digest(raw) != row.digest:
        return "document is not what its digest says"
    document = orjson.loads(raw)
    if canonical({name: document[name] for name in FRAME_MEMBERS if name in document}) != raw:
        return "document holds what is no part of a frame"
    if actions.get(row.action) != action_named(document):
        return "action is not that of the document"
    return None if row.read_only == is_read_only(document) else "read_only is not what the document says"


def _principal(row: Any) -> str | None:
    if len(row.pseudonym) != PSEUDONYM_BYTES:
        return f"pseudonym has not {PSEUDONYM_BYTES} bytes"
    told = tuple(getattr(row, name) for name in PRINCIPAL_COLUMNS)
    return None if digest(principal_content(told)) == row.digest else "it is not what its digest says"


def _arrival(row: Any) -> str | None:
    if type(row.recorded_at) is not int:
        return "recorded_at is no number"
    raw = row.origin
    return None if Origin.from_bytes(raw).to_bytes() == raw else "origin is not as it was written"


def _identity(row: Any) -> str | None:
    raw = row.document
    if digest(raw) != row.digest:
        return "document is not what its digest says"
    identity = read_identity(orjson.loads(raw))
    if tuple(getattr(row, f"p_{name}") for name in PRINCIPAL_COLUMNS) != principal_told(identity):
        return "principal is not that of the document"
    return None if row.session_arn == session_told(identity) else "session_arn is not that of the document"


def _all(connection: sa.Connection, query: sa.Select[Any], key: sa.Column[int]) -> Iterator[Any]:
    named: Any = namedtuple("named", query.selected_columns.keys())  # type: ignore[misc]  # see StoredRow
    after: int | None = None
    while True:
        page = query if after is None else query.where(key > after)
        rows = connection.execute(page.order_by(key).limit(PAGE)).all()
        yield from map(named._make, rows)
        if len(rows) < PAGE:
            return
        after = rows[-1].id
