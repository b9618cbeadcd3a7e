"""Makes the records of a delivered file ready to be written without decoding it whole.

A record that is not of the usual form (`usual_records`) is decoded and goes the way of all others (`drafting`), and so do
all of a file in which something is amiss. What comes out is the same either way; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET, Raw, Struct

from ledger.entry import SALT_BYTES, Draft, Origin, body_bytes
from ledger.intake.decoding import may_hold_long_number
from ledger.intake.limits import Limits
from ledger.intake.usual_records import UNDECODED, Skimmed, Unusual, take_apart
from ledger.log.bodies import LAYOUT_BITS, Compression, Parts
from ledger.log.preparation import Prepared, prepare_parts
from ledger.redaction import redact
from ledger.suspects import is_deep, suspects

Row = tuple[Any, ...]
Take = Callable[[int, dict[str, Any]], tuple[Draft, Parts] | None]
"""Makes a draft of the record at this index of the file, decoded whole; None where it is rejected."""

RECORD_BYTES_MAX: Final = Limits().record_bytes_max  # a larger one may have to be rejected


class _File(Struct, forbid_unknown_fields=True, gc=False):
    Records: list[Skimmed]


_decode: Final = msgspec.json.Decoder(_File).decode


def skim(text: bytes) -> list[Skimmed] | None:
    """The records of a delivered file; None where its text is to be decoded whole."""
    try:
        return _decode(text).Records
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def prepare_skimmed(
    text: bytes, records: Sequence[Skimmed], origin: Origin, compression: Compression, take: Take
) -> Prepared | None:
    """The records of a text made ready to be written; None where it is to be decoded whole.

    `take` is given those that are not of the usual form.
    """
    raws: list[bytes] = []
    sizes: list[int] = []
    make = _maker(origin, compression, raws, sizes)
    rows: list[Row | None] = []
    rests = []
    salts = os.urandom(SALT_BYTES * len(records))
    try:
        for at, record in zip(range(0, len(salts), SALT_BYTES), records, strict=True):
            row, rest = make(record, salts[at : at + SALT_BYTES])
            rows.append(row)
            rests.append(rest)
        if (
            may_hold_long_number(b" ".join(raws))
            or _may_stand_twice(text, records, sizes)
            or _may_be_too_large(text, records, sizes)
        ):
            return None
        for index in suspects(rests):
            if is_deep(rests[index]):
                return None
            if _hide_secrets(record := records[index]):
                salt = salts[SALT_BYTES * index : SALT_BYTES * (index + 1)]
                rows[index], _ = make(record, salt)
    except (Unusual, orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    _fill(rows, records, compression, take)
    return Prepared.of([row for row in rows if row is not None])


def _maker(
    origin: Origin, compression: Compression, raws: list[bytes], sizes: list[int]
) -> Callable[[Skimmed, bytes], tuple[Row | None, bytes]]:
    """Makes the row of a record with a salt, and what is compressed in it; None where the record is not of the usual form."""
    dictionary, compress = compression.best(decided=False), compression.compress
    origin_bytes = origin.to_bytes()
    before = body_bytes(b"", origin_bytes)[:-1]

    def make(record: Skimmed, salt: bytes) -> tuple[Row | None, bytes]:
        split = take_apart(record, raws)
        if split is None:
            return None, b""
        frame, numbers, identity, canonical_record, address, agent, prefix, rest, resources = split
        seconds, event_head, event_tail, layout = numbers
        template, key, began = identity
        sizes.append(len(canonical_record))
        return (
            frame.account_id,
            seconds,
            event_head,
            event_tail,
            salt,
            sha256(b"%b%b%b}" % (salt, before, canonical_record)).digest(),
            frame.document,
            template,
            key,
            began,
            address,
            agent,
            frame.error,
            dictionary << LAYOUT_BITS | layout,
            prefix + compress(rest, dictionary),
            resources,
            origin_bytes,
        ), rest

    return make


def _may_stand_twice(text: bytes, records: Sequence[Skimmed], sizes: Sequence[int]) -> bool:
    """Whether a member that was not decoded may be there twice in a record: then only the last of them was looked at.

    As a rule the canonical records together are as long as the text, and nothing else can be in it.
    """
    if len(text) == len(b'{"Records":[]}') + sum(sizes) + len(sizes) - 1:
        return False
    return any(
        text.count(b'"%b"' % name.encode()) > sum(getattr(record, name) is not UNSET for record in records)
        for name in UNDECODED
    )


def _may_be_too_large(text: bytes, records: Sequence[Skimmed], sizes: Sequence[int]) -> bool:
    if len(text) <= RECORD_BYTES_MAX:
        return False
    return len(sizes) < len(records) or max(sizes, default=0) > RECORD_BYTES_MAX


def _hide_secrets(record: Skimmed) -> bool:
    """Whether there were any."""
    names = ("additionalEventData", "errorMessage", "requestParameters", "resources", "responseElements")
    told = _decoded(record, names)
    cleaned = redact(told)
    for name, value in cleaned.items():
        if value is not told[name]:
            setattr(record, name, value if name == "errorMessage" else Raw(orjson.dumps(value)))
    return cleaned is not told


def _fill(rows: list[Row | None], records: Sequence[Skimmed], compression: Compression, take: Take) -> None:
    """Put rows where there are none yet, but for what is rejected."""
    taken = {
        index: one
        for index, row in enumerate(rows)
        if row is None and (one := take(index, _decoded(records[index]))) is not None
    }
    made = zip(*prepare_parts(list(taken.values()), compression), strict=True)
    for index, row in zip(taken, made, strict=True):
        rows[index] = row


def _decoded(record: Skimmed, names: Iterable[str] = Skimmed.__struct_fields__) -> dict[str, Any]:
    """The members of these names, as far as the record has them."""
    told = ((name, getattr(record, name)) for name in names)
    return {
        name: orjson.loads(bytes(value)) if type(value) is Raw else value
        for name, value in told
        if value is not UNSET
    }
