"""What can be done to a draft without the database, so that another process may do it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from ledger.entry import SALT_BYTES, Draft, body_bytes
from ledger.log.bodies import LAYOUT_BITS, UUID, Compression, FrameKey, split
from ledger.resources import resources_of


class Prepared(NamedTuple):
    """A draft made ready to be written: bytes, texts, numbers and tuples of them, nothing else."""

    account_id: str
    time: int
    event_head: int
    event_tail: bytes
    content: bytes  # SHA-256 of the canonical record: what tells a duplicate
    salt: bytes
    commitment: bytes
    frame: FrameKey
    identity: bytes
    key: str | None
    began: int | None
    address: str | None
    agent: str | None
    error: str | None
    coding: int
    body: bytes
    resources: Sequence[str]
    origin: bytes


def prepare(drafts: Iterable[Draft], compression: Compression) -> list[Prepared]:
    """All that is to be done with a draft is done at once, while the processor has it at hand: half the time."""
    dictionary = compression.newest << LAYOUT_BITS
    compress = compression.compress
    origin, origin_bytes = None, b""
    prepared = []
    for draft in drafts:
        record, canonical_record = draft.record, draft.canonical_record
        if draft.origin is not origin:
            origin = draft.origin
            origin_bytes = origin.to_bytes()
        parts = split(record, canonical_record)
        salt = os.urandom(SALT_BYTES)
        prepared.append(
            Prepared(
                record.account_id,
                record.time,
                *event_number(record.event_id),
                sha256(canonical_record).digest(),
                salt,
                sha256(salt + body_bytes(canonical_record, origin_bytes)).digest(),
                parts.frame,
                parts.identity,
                parts.key,
                parts.began,
                parts.address,
                parts.agent,
                parts.error,
                dictionary | parts.layout,
                parts.prefix + compress(parts.rest),
                resources_of(record.document, record.account_id),
                origin_bytes,
            )
        )
    return prepared


def event_number(event_id: str) -> tuple[int, bytes]:
    """An event id as 32 bits to index and 12 bytes more: the UUID itself, or a hash of an id that is none."""
    if UUID.fullmatch(event_id):
        raw = bytes.fromhex(event_id.replace("-", ""))
    else:
        raw = sha256(event_id.encode()).digest()[:16]
    return int.from_bytes(raw[:4], "big", signed=True), raw[4:]
