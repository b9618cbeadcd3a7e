"""Makes the records of a delivered file ready to be written without decoding it whole.

A record that is not of the usual form (`usual_records`) is decoded and goes the way of all others (`drafting`), and so do
all of a file in which something is amiss. What comes out is the same either way; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET, Raw, Struct

from ledger.entry import SALT_BYTES, Draft, Origin, body_bytes
from ledger.intake.decoding import Undecodable, decode
from ledger.intake.limits import Limits
from ledger.intake.shapes import is_usual
from ledger.intake.usual_records import LENGTH, REST, Skimmed, Unusual, skim, take_apart
from ledger.log.bodies import LAYOUT_BITS, Compression, Parts
from ledger.log.preparation import Prepared, prepare_parts, uuid_numbers
from ledger.redaction import redact
from ledger.suspects import is_deep, suspects

Take = Callable[[int, dict[str, Any]], tuple[Draft, Parts] | None]
"""Makes a draft of the record at this index of the file, decoded whole; None where it is rejected."""

_Taken = tuple[Any, ...] | dict[str, Any] | None

LIMITS: Final = Limits()
# With what reading and writing raise: orjson writes no integer of more than 64 bits, and msgspec reads them.
AMISS: Final = (
    Unusual,
    Undecodable,
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
    orjson.JSONEncodeError,
)


class _File(Struct, forbid_unknown_fields=True, gc=False):
    Records: list[Raw]


_split: Final = msgspec.json.Decoder(_File).decode


def prepare_skimmed(text: bytes, origin: Origin, compression: Compression, take: Take) -> Prepared | None:
    """The records of a delivered file made ready to be written; None where its text is to be decoded whole.

    `take` is given those that are not of the usual form.
    """
    origin_bytes = origin.to_bytes()
    before = body_bytes(b"", origin_bytes)[:-1]
    try:
        # Each is skimmed as its turn comes: what many records are made of would be out of the caches when it is needed.
        raws = _split(text).Records
        if len(text.strip()) != len(b'{"Records":[]}') + sum(map(len, raws)) + max(len(raws) - 1, 0):
            return None  # something else is in it
        salts = os.urandom(SALT_BYTES * len(raws))
        each_salt = [salts[at : at + SALT_BYTES] for at in range(0, len(salts), SALT_BYTES)]
        taken: list[_Taken] = [_taken(raw, salt, before) for raw, salt in zip(raws, each_salt, strict=True)]
        rests = [one[REST] if type(one) is tuple else b"" for one in taken]
        for index in suspects(rests):
            if is_deep(rests[index]):
                return None
            record = skim(raws[index])
            if _hide_secrets(record):
                taken[index] = take_apart(record, each_salt[index], before)
    except AMISS:
        return None
    usual = _prepared([one for one in taken if type(one) is tuple], origin_bytes, compression)
    return usual if usual.size == len(taken) else _with_others(usual, taken, compression, take)


def _taken(raw: Raw, salt: bytes, before: bytes) -> _Taken:
    """A record taken apart; decoded, where it is not of the usual form. Raises what is AMISS."""
    if len(raw) > LIMITS.record_bytes_max:  # it may have to be rejected
        raise Unusual
    parts = take_apart(skim(raw), salt, before)
    if parts is not None and parts[LENGTH] == len(raw):
        return parts
    # It is longer than it need be: something may stand in it before another of its name, where nobody looked.
    document: dict[str, Any] = decode(bytes(raw), depth_max=LIMITS.record_depth_max)
    if not is_usual(document):
        raise Unusual
    return document if parts is None else parts


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
        salts,
        commitments,
        _,
    ) = zip(*parts, strict=True)
    heads, tails = zip(*uuid_numbers(event_ids), strict=True)
    dictionary, compress = compression.best(decided=False), compression.compress
    return Prepared(
        account_id=[frame.account_id for frame in frames],
        time=seconds,
        event_head=heads,
        event_tail=tails,
        salt=salts,
        commitment=commitments,
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


def _with_others(usual: Prepared, taken: Sequence[_Taken], compression: Compression, take: Take) -> Prepared:
    """With those that are not of the usual form in their places, but for what is rejected."""
    places = [index for index, one in enumerate(taken) if type(one) is tuple]
    others = []
    for index, document in enumerate(taken):
        if type(document) is dict and (one := take(index, document)) is not None:
            others.append(one)
            places.append(index)
    together = Prepared.joined([usual, prepare_parts(others, compression)])
    return together.chosen(sorted(range(together.size), key=places.__getitem__))


def _hide_secrets(record: Skimmed) -> bool:
    """Whether there were any."""
    names = ("additionalEventData", "errorMessage", "requestParameters", "resources", "responseElements")
    told = {name: value for name in names if (value := getattr(record, name)) is not UNSET}
    cleaned = redact(told)
    for name, value in cleaned.items():
        setattr(record, name, value)
    return cleaned is not told
