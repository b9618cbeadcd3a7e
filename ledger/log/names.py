"""The numbers of what repeats: identities, frames and strings are kept once and named by number.

Writers of new names take turns (a lock on PostgreSQL; SQLite has one writer anyway), so that one name never gets
two numbers. What was learned in a transaction is remembered only once that has committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.log.bodies import FrameKey, Parts, frame_document
from ledger.log.schema import Kind, frames, identities, principals, strings
from ledger.record import INSIGHT, action_of, canonical, is_read_only, read_identity

REMEMBERED_MAX = 300_000
LOOK_UP_MAX = 5_000
LOCK = 7240016702


@dataclass(frozen=True, slots=True)
class FrameName:
    id: int
    action: int


@dataclass(frozen=True, slots=True)
class IdentityName:
    id: int
    principal: int
    pseudonym: bytes


class Names:
    """Numbers for the parts of records, from memory or the database; new ones are made."""

    def __init__(self) -> None:
        self.strings: dict[tuple[int, str], int] = {}
        self.frames: dict[FrameKey, FrameName] = {}
        self.identities: dict[bytes, IdentityName] = {}
        self._locked = False

    @contextmanager
    def in_transaction(self) -> Iterator[None]:
        """Around a transaction: where it fails, the numbers learned in it were never given."""
        self._locked = False
        for memory in (self.strings, self.frames, self.identities):
            if len(memory) > REMEMBERED_MAX:
                memory.clear()
        try:
            yield
        except BaseException:
            self.strings.clear()
            self.frames.clear()
            self.identities.clear()
            raise

    def learn(
        self,
        connection: sa.Connection,
        parts: Iterable[Parts],
        resources: Iterable[str],
        origins: Iterable[str],
    ) -> None:
        """See to it that everything in a batch has its number in `strings`, `frames` and `identities`."""
        texts: set[tuple[int, str]] = set()
        new_frames: set[FrameKey] = set()
        new_identities: set[bytes] = set()
        known = self.strings
        for part in parts:
            if part.frame not in self.frames:
                new_frames.add(part.frame)
            if part.identity not in self.identities:
                new_identities.add(part.identity)
            for kind, text in (
                (_KEY, part.key),
                (_ADDRESS, part.address),
                (_AGENT, part.agent),
                (_ERROR, part.error),
            ):
                if text is not None and (kind, text) not in known:
                    texts.add((kind, text))
        texts.update((_RESOURCE, text) for text in resources if (_RESOURCE, text) not in known)
        texts.update((_ORIGIN, text) for text in origins if (_ORIGIN, text) not in known)
        for frame in new_frames:
            texts.add((_ACTION, _action_of(frame)))
        texts = {text for text in texts if text not in known}
        if texts:
            self._learn_strings(connection, texts)
        if new_frames:
            self._learn_frames(connection, new_frames)
        if new_identities:
            self._learn_identities(connection, new_identities)

    def _lock(self, connection: sa.Connection) -> None:
        if not self._locked and connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        self._locked = True

    def _learn_strings(self, connection: sa.Connection, texts: set[tuple[int, str]]) -> None:
        by_kind: dict[int, list[str]] = {}
        for kind, text in texts:
            by_kind.setdefault(kind, []).append(text)
        for kind, members in by_kind.items():
            rows = self._ensure(
                connection,
                strings,
                [text.encode() for text in members],
                partial(_string_row, kind),
                content="text",
                where=strings.c.kind == kind,
            )
            for raw, row in rows.items():
                self.strings[kind, raw.decode()] = row["id"]

    def _learn_frames(self, connection: sa.Connection, keys: set[FrameKey]) -> None:
        by_document = {canonical(frame_document(key)): key for key in keys}

        def row(raw: bytes) -> dict[str, Any]:
            document = orjson.loads(raw)
            return {
                "action": self.strings[_ACTION, _action_of(by_document[raw])],
                "read_only": is_read_only(document),
                "document": raw,
            }

        rows = self._ensure(connection, frames, list(by_document), row)
        for raw, key in by_document.items():
            self.frames[key] = FrameName(rows[raw]["id"], rows[raw]["action"])

    def _learn_identities(self, connection: sa.Connection, templates: set[bytes]) -> None:
        read = {template: read_identity(orjson.loads(template)) for template in templates}
        natural = {
            template: canonical(
                {
                    member: storable(told) if (told := getattr(identity, member)) is not None else None
                    for member in ("kind", "account_id", "unique_id", "arn", "name")
                }
            )
            for template, identity in read.items()
        }
        people = self._ensure(
            connection,
            principals,
            sorted(set(natural.values())),
            lambda raw: {**orjson.loads(raw), "pseudonym": os.urandom(16)},
            content=None,
        )
        rows = self._ensure(
            connection,
            identities,
            list(templates),
            lambda raw: {
                "principal": people[natural[raw]]["id"],
                "session_arn": storable(read[raw].session_arn or "") or None,
                "document": raw,
            },
        )
        for template in templates:
            person = people[natural[template]]
            self.identities[template] = IdentityName(
                rows[template]["id"], person["id"], bytes(person["pseudonym"])
            )

    def _ensure(
        self,
        connection: sa.Connection,
        table: sa.Table,
        contents: Sequence[bytes],
        row: Callable[[bytes], dict[str, Any]],
        *,
        content: str | None = "document",
        where: sa.ColumnElement[bool] | None = None,
    ) -> dict[bytes, Mapping[str, Any]]:
        """The row of each content, found by its digest or made."""
        digests = {digest(raw): raw for raw in contents}
        if len(digests) < len(contents):
            raise DigestCollision(f"two {table.name} of one batch share a 64-bit digest")
        found = self._look_up(connection, table, digests, content, where)
        missing = {number: raw for number, raw in digests.items() if raw not in found}
        if missing:
            self._lock(connection)
            # somebody else may have made them while we waited for our turn
            found.update(self._look_up(connection, table, missing, content, where))
            rows = [
                {"digest": number, **row(raw)} for number, raw in sorted(missing.items()) if raw not in found
            ]
            if rows:
                connection.execute(table.insert(), rows)
            found.update(self._look_up(connection, table, missing, content, where))
        return found

    @staticmethod
    def _look_up(
        connection: sa.Connection,
        table: sa.Table,
        digests: Mapping[int, bytes],
        content: str | None,
        where: sa.ColumnElement[bool] | None,
    ) -> dict[bytes, Mapping[str, Any]]:
        wanted = list(digests)
        found: dict[bytes, Mapping[str, Any]] = {}
        for start in range(0, len(wanted), LOOK_UP_MAX):
            query = sa.select(table).where(table.c.digest.in_(wanted[start : start + LOOK_UP_MAX]))
            if where is not None:
                query = query.where(where)
            for found_row in connection.execute(query).mappings():
                raw = digests[found_row["digest"]]
                if content is not None:
                    kept = found_row[content]
                    kept = kept.encode() if isinstance(kept, str) else bytes(kept)
                    if kept != raw:
                        raise DigestCollision(f"{table.name}: {raw[:80]!r} and {kept[:80]!r} share a digest")
                found[raw] = dict(found_row)
        return found


class DigestCollision(RuntimeError):
    """Two different names have one 64-bit digest: one chance in 10^7 for a million names."""


def digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)


def _string_row(kind: int, raw: bytes) -> dict[str, Any]:
    return {"kind": kind, "text": raw.decode()}


def _action_of(frame: FrameKey) -> str:
    document = frame_document(frame)
    source, name = document.get("eventSource"), document.get("eventName")
    if isinstance(source, str) and isinstance(name, str):
        return storable(action_of(source, name))
    return INSIGHT


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; nor does anything that names something hold one honestly."""
    return text.replace("\x00", "\ufffd")


_ACTION, _ERROR, _ADDRESS = int(Kind.ACTION), int(Kind.ERROR), int(Kind.ADDRESS)
_AGENT, _KEY, _RESOURCE, _ORIGIN = int(Kind.AGENT), int(Kind.KEY), int(Kind.RESOURCE), int(Kind.ORIGIN)
