"""The numbers of what repeats: identities, frames and strings are kept once and named by number.

Writers of new names take turns (a lock on PostgreSQL; SQLite has one writer anyway), so that one name never gets
two numbers, and numbers are given in the order in which they are committed. What was learned in a transaction is
forgotten where that fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import orjson
import sqlalchemy as sa

from ledger.log.preparation import Prepared
from ledger.log.rows import Row, among_bound, bound, insert_rows
from ledger.log.schema import Kind, frames, identities, principals, strings
from ledger.record import INSIGHT, Document, Identity, action_of, canonical, is_read_only, read_identity

REMEMBERED_MAX = 300_000
NAME_MAX = (
    640  # characters of a principal's name or ARN; AWS's are shorter, and PostgreSQL's indexes have a limit
)
LOCK = 7240016702


Key = TypeVar("Key")


class FrameName(NamedTuple):
    id: int
    action: int


class IdentityName(NamedTuple):
    id: int
    principal: int
    pseudonym: bytes


class Names:
    """Numbers for the parts of records, from memory or the database; new ones are made."""

    def __init__(self) -> None:
        self.strings: dict[Kind, dict[str | None, int | None]] = {kind: {} for kind in Kind}
        self.frames: dict[bytes, FrameName] = {}
        self.identities: dict[bytes, IdentityName] = {}
        self._forget_all()
        self._erasures = 0
        self._learned = False
        self._locked = False

    @contextmanager
    def in_transaction(self) -> Iterator[None]:
        """Around a transaction: where it fails, the numbers learned in it were never given."""
        self._learned = self._locked = False
        sizes = map(len, (*self.strings.values(), self.frames, self.identities))  # type: ignore[arg-type]
        if max(sizes) > REMEMBERED_MAX:
            self._forget_all()
        try:
            yield
        except BaseException:
            if self._learned:
                self._forget_all()
            raise

    def as_of(self, erasures: int) -> bool:
        """Forget all where records were erased since, by whomever: their names are blank now. Answers whether it was so."""
        if erasures == self._erasures:
            return False
        self._forget_all()
        self._erasures = erasures
        return True

    def learn(self, connection: sa.Connection, batch: Prepared) -> None:
        """See to it that everything in a batch has its number in `strings`, `frames` and `identities`."""
        # `set - keys` would go through all that is remembered, not through what is asked for.
        new_frames = set(batch.frame).difference(self.frames)
        new_identities = set(batch.identity).difference(self.identities)
        for kind, texts in (
            (Kind.KEY, set(batch.key)),
            (Kind.ADDRESS, set(batch.address)),
            (Kind.AGENT, set(batch.agent)),
            (Kind.ERROR, set(batch.error)),
            (Kind.RESOURCE, set(chain.from_iterable(batch.resources))),
            (Kind.ACTION, {action_named(orjson.loads(frame)) for frame in new_frames}),
        ):
            missing = texts.difference(self.strings[kind])
            if missing:
                self._learn_strings(connection, kind, [text for text in missing if text is not None])
        if new_frames:
            self._learn_frames(connection, new_frames)
        if new_identities:
            self._learn_identities(connection, new_identities)

    def _forget_all(self) -> None:
        for texts in self.strings.values():
            texts.clear()
            texts[None] = None
        self.frames.clear()
        self.identities.clear()

    def _learn_strings(self, connection: sa.Connection, kind: Kind, texts: Collection[str]) -> None:
        number = int(kind)
        rows = self._ensure(
            connection,
            strings,
            {text.encode(): text for text in texts},
            lambda id, digest, text: (id, number, digest, text),
            kind=kind,
        )
        known = self.strings[kind]
        for text, row in rows.items():
            known[text] = row[0]

    def _learn_frames(self, connection: sa.Connection, documents: Iterable[bytes]) -> None:
        actions = self.strings[Kind.ACTION]

        def row(id: int, digest: int, raw: bytes) -> Row:
            document = orjson.loads(raw)
            return id, digest, actions[action_named(document)], is_read_only(document), raw

        rows = self._ensure(connection, frames, {raw: raw for raw in documents}, row)
        for raw, found in rows.items():
            self.frames[raw] = FrameName(id=found[0], action=found[2])

    def _learn_identities(self, connection: sa.Connection, templates: Iterable[bytes]) -> None:
        read = {template: read_identity(orjson.loads(template)) for template in templates}
        told = {template: principal_told(identity) for template, identity in read.items()}
        people = self._ensure(
            connection,
            principals,
            {principal_content(parts): parts for parts in told.values()},
            lambda id, digest, parts: (id, digest, *parts, os.urandom(16)),
            content=lambda row: principal_content(row[2:7]),
        )
        rows = self._ensure(
            connection,
            identities,
            {template: template for template in read},
            lambda id, digest, template: (
                id,
                digest,
                people[told[template]][0],
                session_told(read[template]),
                template,
            ),
        )
        for template, found in rows.items():
            person = people[told[template]]
            self.identities[template] = IdentityName(found[0], person[0], bytes(person[7]))

    def _ensure(
        self,
        connection: sa.Connection,
        table: sa.Table,
        contents: Mapping[bytes, Key],
        make: Callable[[int, int, Key], Row],
        *,
        content: Callable[[Row], bytes] | None = None,
        kind: Kind | None = None,
    ) -> dict[Key, Row]:
        """The row of each content, found by its digest or made; of strings those of one kind."""
        self._learned = True
        wanted = {digest(raw): raw for raw in contents}
        if len(wanted) < len(contents):
            raise DigestCollision(f"two {table.name} of one batch share a 64-bit digest")
        content = content or _last_column
        found = _look_up(connection, table, wanted, content, kind)
        missing = wanted.keys() - found.keys()
        if missing and self._take_turn(connection):
            # somebody else may have made them while we waited for our turn
            found |= _look_up(
                connection, table, {number: wanted[number] for number in missing}, content, kind
            )
            missing -= found.keys()
        if missing:
            newest = connection.execute(_newest_of(table)).scalar() or 0
            made = [
                make(newest + index, number, contents[wanted[number]])
                for index, number in enumerate(missing, start=1)
            ]
            insert_rows(connection, table, made)
            found |= zip(missing, made, strict=True)
        return {contents[wanted[number]]: row for number, row in found.items()}

    def _take_turn(self, connection: sa.Connection) -> bool:
        """Whether there was a turn to wait for."""
        if self._locked or connection.dialect.name != "postgresql":
            return False
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        self._locked = True
        return True


class DigestCollision(RuntimeError):
    """Two different names have one 64-bit digest: one chance in 10^7 for a million names."""


def digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; nor does anything that names something hold one honestly."""
    return text.replace("\x00", "\ufffd")


def _look_up(
    connection: sa.Connection,
    table: sa.Table,
    wanted: Mapping[int, bytes],
    content: Callable[[Row], bytes],
    kind: Kind | None,
) -> dict[int, Row]:
    dialect = connection.dialect.name
    told = {"digests": bound(dialect, wanted.keys())} | ({} if kind is None else {"kind": int(kind)})
    found: dict[int, Row] = {}
    for row in connection.execute(_by_digest(dialect, table), told):
        kept = content(row)
        if kept != wanted[row.digest]:
            raise DigestCollision(
                f"{table.name}: {kept[:80]!r} and {wanted[row.digest][:80]!r} share a digest"
            )
        found[row.digest] = row
    return found


@cache
def _by_digest(dialect: str, table: sa.Table) -> sa.Select[Any]:
    query = sa.select(table).where(among_bound(dialect, table.c.digest, "digests"))
    return query.where(strings.c.kind == sa.bindparam("kind")) if table is strings else query


@cache
def _newest_of(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.max(table.c.id))


def _last_column(row: Row) -> bytes:
    kept = row[-1]
    return kept.encode() if isinstance(kept, str) else bytes(kept)


def principal_told(identity: Identity) -> tuple[str | None, ...]:
    """The columns of the lasting principal: kind, account, unique id, ARN and name."""
    told = (identity.kind, identity.account_id, identity.unique_id, identity.arn, identity.name)
    return tuple([None if value is None else _shown(value) for value in told])


def session_told(identity: Identity) -> str | None:
    return _shown(identity.session_arn or "") or None


def principal_content(principal: Row) -> bytes:
    """What tells one principal from another: kind, account, unique id, ARN and name."""
    kind, account_id, unique_id, arn, name = principal
    return canonical(
        {"kind": kind, "account_id": account_id, "unique_id": unique_id, "arn": arn, "name": name}
    )


def _shown(text: str) -> str:
    """A name as it is indexed: whole, but for what no AWS name is."""
    return storable(text[:NAME_MAX])


def action_named(frame: Document) -> str:
    source, name = frame.get("eventSource"), frame.get("eventName")
    if isinstance(source, str) and isinstance(name, str) and source and name:
        return storable(action_of(source, name))
    return INSIGHT
