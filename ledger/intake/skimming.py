"""Makes the records of a delivered file ready to be written without decoding it whole.

A record that is not of the usual form (`usual_records`) is decoded and goes the way of all others (`drafting`), and so do
all of a file in which something is amiss. What comes out is the same either way; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET, Raw, Struct

from ledger.entry import SALT_BYTES, Draft, Origin, body_bytes
from ledger.intake.decoding import may_hold_long_number
from ledger.intake.limits import Limits
from ledger.intake.usual_records import AMISS, NESTED, Skimmed, exact_float, take_apart
from ledger.log.bodies import LAYOUT_BITS, Compression, Parts
from ledger.log.preparation import Prepared, prepare_parts, uuid_numbers
from ledger.redaction import redact
from ledger.suspects import is_deep, suspects

Take = Callable[[int, dict[str, Any]], tuple[Draft, Parts] | None]
"""Makes a draft of the record at this index of the file, decoded whole; None where it is rejected."""

RECORD_BYTES_MAX: Final = Limits().record_bytes_max  # a larger one may have to be rejected


class _File(Struct, forbid_unknown_fields=True, gc=False):
    Records: list[Skimmed]


_decode: Final = msgspec.json.Decoder(_File, float_hook=exact_float).decode


def skim(text: bytes) -> list[Skimmed] | None:
    """The records of a delivered file; None where its text is to be decoded whole."""
    try:
        return _decode(text).Records
    except AMISS:
        return None


def prepare_skimmed(
    text: bytes, records: Sequence[Skimmed], origin: Origin, compression: Compression, take: Take
) -> Prepared | None:
    """The records of a text made ready to be written; None where it is to be decoded whole.

    `take` is given those that are not of the usual form.
    """
    origin_bytes = origin.to_bytes()
    before = body_bytes(b"", origin_bytes)[:-1]
    salts = os.urandom(SALT_BYTES * len(records))
    befores = [salts[at : at + SALT_BYTES] + before for at in range(0, len(salts), SALT_BYTES)]
    try:
        taken = list(map(take_apart, records, befores))
        sizes = [len(one[-1]) - len(befores[0]) - 1 for one in taken if one is not None]
        if _may_lack_something(text, records, sizes) or _may_be_too_large(text, records, sizes):
            return None
        rests = [b"" if one is None else one[-2] for one in taken]
        for index in suspects(rests):
            if is_deep(rests[index]):
                return None
            if _hide_secrets(records[index]):
                taken[index] = take_apart(records[index], befores[index])
    except AMISS:
        return None
    usual = _prepared([one for one in taken if one is not None], origin_bytes, compression)
    return usual if usual.size == len(records) else _with_others(usual, taken, records, compression, take)


def _prepared(parts: Sequence[tuple[Any, ...]], origin_bytes: bytes, compression: Compression) -> Prepared:
    if not parts:
        return Prepared.of([])
    (
        frames,
        seconds,
        event_ids,
        identities,
        keys,
        began,
        addresses,
        agents,
        layouts,
        prefixes,
        resources,
        rests,
        committed,
    ) = zip(*parts, strict=True)
    heads, tails = zip(*uuid_numbers(event_ids), strict=True)
    dictionary, compress = compression.best(decided=False), compression.compress
    return Prepared(
        account_id=[frame.account_id for frame in frames],
        time=seconds,
        event_head=heads,
        event_tail=tails,
        salt=[text[:SALT_BYTES] for text in committed],
        commitment=[sha256(text).digest() for text in committed],
        frame=[frame.document for frame in frames],
        identity=identities,
        key=keys,
        began=began,
        address=addresses,
        agent=agents,
        error=[frame.error for frame in frames],
        coding=[dictionary << LAYOUT_BITS | layout for layout in layouts],
        body=[prefix + compress(rest, dictionary) for prefix, rest in zip(prefixes, rests, strict=True)],
        resources=resources,
        origin=[origin_bytes] * len(frames),
    )


def _with_others(
    usual: Prepared,
    taken: Sequence[tuple[Any, ...] | None],
    records: Sequence[Skimmed],
    compression: Compression,
    take: Take,
) -> Prepared:
    """With those that are not of the usual form in their places, but for what is rejected."""
    places = [index for index, one in enumerate(taken) if one is not None]
    others = []
    for index, record in enumerate(records):
        if taken[index] is None and (one := take(index, _decoded(record))) is not None:
            others.append(one)
            places.append(index)
    together = Prepared.joined([usual, prepare_parts(others, compression)])
    return together.chosen(sorted(range(together.size), key=places.__getitem__))


def _may_lack_something(text: bytes, records: Sequence[Skimmed], sizes: Sequence[int]) -> bool:
    """Whether something in it may not have been looked at, since in one object it stood before another of its name.

    As a rule the canonical records together are as long as the text, and nothing else can be in it.
    """
    if len(text) == len(b'{"Records":[]}') + sum(sizes) + len(sizes) - 1:
        return False
    return may_hold_long_number(text) or any(
        text.count(b'"%b"' % name.encode()) > sum(getattr(record, name) is not UNSET for record in records)
        for name in NESTED
    )


def _may_be_too_large(text: bytes, records: Sequence[Skimmed], sizes: Sequence[int]) -> bool:
    if len(text) <= RECORD_BYTES_MAX:
        return False
    return len(sizes) < len(records) or max(sizes, default=0) > RECORD_BYTES_MAX


def _hide_secrets(record: Skimmed) -> bool:
    """Whether there were any."""
    names = ("additionalEventData", "errorMessage", "requestParameters", "resources", "responseElements")
    told = {name: value for name in names if (value := getattr(record, name)) is not UNSET}
    cleaned = redact(told)
    for name, value in cleaned.items():
        setattr(record, name, value)
    return cleaned is not told


def _decoded(record: Skimmed) -> dict[str, Any]:
    """The members that it has."""
    return {
        name: orjson.loads(bytes(value)) if type(value) is Raw else value
        for name, value in msgspec.structs.asdict(record).items()
        if value is not UNSET
    }
