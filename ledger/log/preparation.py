"""What can be done to a draft without the database, so that another process may do it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain
from sys import intern
from typing import Any, NamedTuple

import orjson

from ledger.entry import SALT_BYTES, Draft, body_bytes
from ledger.log.bodies import (
    AUTHORIZED,
    LAYOUT_BITS,
    UUID,
    WHOLE,
    Coding,
    Compression,
    Parts,
    event_id_of,
    join,
    prefix_bytes,
    split,
    with_authorization,
    without_authorization,
)
from ledger.record import canonical
from ledger.resources import resources_of

DIGEST_BYTES = 32


class Prepared(NamedTuple):
    """Drafts made ready to be written: bytes, texts, numbers and tuples of them, nothing else.

    Each member is a column, with one value for each draft: so rows are put together, and messages to another
    process read, in half the time.
    """

    account_id: Sequence[str]
    time: Sequence[int]
    event_head: Sequence[int]
    event_tail: Sequence[bytes]
    salt: Sequence[bytes]
    commitment: Sequence[bytes]
    frame: Sequence[bytes]
    identity: Sequence[bytes]
    key: Sequence[str | None]
    began: Sequence[int | None]
    address: Sequence[str | None]
    agent: Sequence[str | None]
    error: Sequence[str | None]
    coding: Sequence[int]
    body: Sequence[bytes]
    resources: Sequence[Sequence[str]]
    origin: Sequence[bytes]

    @property
    def size(self) -> int:
        """How many drafts these are."""
        return len(self.time)

    @property
    def body_bytes(self) -> int:
        return sum(map(len, self.body))

    @staticmethod
    def of(rows: Sequence[tuple[Any, ...]]) -> Prepared:
        return Prepared._make(zip(*rows, strict=True) if rows else [()] * len(Prepared._fields))

    @staticmethod
    def joined(parts: Iterable[Prepared]) -> Prepared:
        return Prepared._make(tuple(chain.from_iterable(columns)) for columns in zip(*parts, strict=True))

    def part(self, start: int, stop: int | None) -> Prepared:
        return Prepared._make(column[start:stop] for column in self)

    def chosen(self, indexes: Sequence[int]) -> Prepared:
        return Prepared._make([column[index] for index in indexes] for column in self)


def prepare(drafts: Sequence[Draft], compression: Compression) -> Prepared:
    return prepare_parts(
        [(draft, split(draft.record, draft.canonical_record)) for draft in drafts], compression
    )


def prepare_parts(drafts: Sequence[tuple[Draft, Parts]], compression: Compression) -> Prepared:
    """All that is to be done with a draft is done at once, while the processor has it at hand: half the time."""
    of_records, of_decided = compression.best(decided=False), compression.best(decided=True)
    compress = compression.compress
    salts = os.urandom(SALT_BYTES * len(drafts))
    origin, origin_bytes, before = None, b"", b""
    rows = []
    for at, (draft, parts) in zip(range(0, len(salts), SALT_BYTES), drafts, strict=True):
        record, canonical_record, drafted_of, authorization = draft
        layout, frame, identity, key, began, address, agent, error, prefix, rest = parts
        if drafted_of is not origin:
            origin = drafted_of
            origin_bytes = origin.to_bytes()
            before = body_bytes(b"", origin_bytes)[:-1]
        event_head, event_tail = uuid_number(record.event_id) if layout else event_number(record.event_id)
        salt, mark, dictionary = salts[at : at + SALT_BYTES], 0, of_records
        if authorization is None:
            committed = sha256(b"%b%b%b}" % (salt, before, canonical_record))  # `commit` of `body_bytes`
        else:
            if not authorization.startswith(b"{"):  # `null` would be hashed as if there were none
                raise ValueError(f"an authorization is a JSON object, not {authorization[:80]!r}")
            rest, mark, dictionary = with_authorization(authorization, rest), AUTHORIZED, of_decided
            committed = sha256(salt + body_bytes(canonical_record, origin_bytes, authorization))
        account_id = record.account_id
        rows.append(
            (
                intern(account_id),
                record.time,
                event_head,
                event_tail,
                salt,
                committed.digest(),
                frame,
                identity,
                key,
                began,
                address and intern(address),
                agent and intern(agent),
                error,
                mark | dictionary << LAYOUT_BITS | layout,
                prefix + compress(rest, dictionary),
                resources_of(record.document, account_id),
                origin_bytes,
            )
        )
    return Prepared.of(rows)


def content_at(prepared: Prepared, index: int, compression: Compression) -> bytes:
    """The content of one of these. Asked where an event id is there twice: hashing it of all takes longer."""
    dictionary, layout, authorized = Coding.of(prepared.coding[index])
    body, authorization = prepared.body[index], None
    split_at = prefix_bytes(layout)
    rest = compression.decompress(dictionary, body, split_at)
    if authorized:
        authorization, rest = without_authorization(rest)
    if layout == WHOLE:
        return content_of(rest, authorization)
    document = join(
        layout,
        frame=orjson.loads(prepared.frame[index]),
        identity=prepared.identity[index],
        event_id=event_id_of(prepared.event_head[index], prepared.event_tail[index]),
        seconds=prepared.time[index],
        key=prepared.key[index],
        began=prepared.began[index],
        address=prepared.address[index],
        agent=prepared.agent[index],
        prefix=body[:split_at],
        rest=rest,
    )
    return content_of(canonical(document), authorization)


def content_of(canonical_record: bytes, authorization: bytes | None) -> bytes:
    """What tells a duplicate: SHA-256 of the record, and that of the authorization behind it where there is one."""
    content = sha256(canonical_record).digest()
    return content if authorization is None else content + sha256(authorization).digest()


def told_by(content: bytes) -> tuple[bytes, ...]:
    """The contents that say nothing new where this one is: its own, and the record without its authorization."""
    record = content[:DIGEST_BYTES]
    return (content,) if content == record else (content, record)


def check_canonical(authorization: bytes) -> None:
    """Raises ValueError where an authorization is not as `canonical` would write it."""
    if canonical(orjson.loads(authorization)) != authorization:
        raise ValueError(f"an authorization is canonical JSON, not {authorization[:80]!r}")


_NUMBER = struct.Struct(">i12s")


def event_number(event_id: str) -> tuple[int, bytes]:
    """An event id as 32 bits to index and 12 bytes more: the UUID itself, or a hash of an id that is none."""
    if UUID.fullmatch(event_id):
        return uuid_number(event_id)
    head, tail = _NUMBER.unpack(sha256(event_id.encode()).digest()[:16])
    return head, tail


def uuid_number(event_id: str) -> tuple[Any, ...]:
    return next(uuid_numbers((event_id,)))


def uuid_numbers(event_ids: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    return _NUMBER.iter_unpack(bytes.fromhex("".join(event_ids).replace("-", "")))
