"""How a record is laid out in the database: repeated parts aside, the rest compressed, and back again exactly.

A record whose parts are all of the usual form is *split*: what most records share goes into a frame (which call,
what became of it) and an identity, each kept once; the key, address, agent, time and event id become columns;
the rest is compressed with a trained zstd dictionary. Anything unusual is kept *whole*.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson
import zstandard

from ledger.record import Record, canonical, format_time

WHOLE: Final = 0
SPLIT: Final = 1

FRAME_MEMBERS: Final = (
    "eventSource",
    "eventName",
    "awsRegion",
    "errorCode",
    "eventVersion",
    "eventType",
    "eventCategory",
    "readOnly",
    "managementEvent",
    "recipientAccountId",
)
LEVEL: Final = 3
DICTIONARY_BYTES: Final = 65_536
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

FrameKey = tuple[Any, ...]


class _Absent:
    """Stands for a member that the record does not have; `null` is a value, this is not."""

    def __repr__(self) -> str:
        return "absent"


_ABSENT: Final = _Absent()
_FRAME_TYPES: Final = frozenset({str, bool, _Absent})


@dataclass(slots=True)
class Parts:
    """A record taken apart. `began`, `key`, `address` and `agent` are None where they are not columns."""

    layout: int
    frame: FrameKey
    identity: bytes
    key: str | None
    began: int | None
    address: str | None
    agent: str | None
    error: str | None
    rest: bytes


def split(record: Record, canonical_record: bytes) -> Parts:
    """Take a record apart. `join` gives the same record back."""
    document = record.document
    get = document.get
    frame: FrameKey = (
        get("eventSource", _ABSENT),
        get("eventName", _ABSENT),
        get("awsRegion", _ABSENT),
        get("errorCode", _ABSENT),
        get("eventVersion", _ABSENT),
        get("eventType", _ABSENT),
        get("eventCategory", _ABSENT),
        get("readOnly", _ABSENT),
        get("managementEvent", _ABSENT),
        get("recipientAccountId", _ABSENT),
    )
    layout = SPLIT
    if not all(map(_FRAME_TYPES.__contains__, map(type, frame))):
        layout = WHOLE
        frame = tuple([v if type(v) in _FRAME_TYPES else _ABSENT for v in frame])
    stamp = get("eventTime")
    if not STAMP.fullmatch(stamp) or not UUID.fullmatch(record.event_id):  # type: ignore[arg-type]
        layout = WHOLE
    address, agent = get("sourceIPAddress"), get("userAgent")
    if type(address) is not str or "\x00" in address:
        address = None
    if type(agent) is not str or "\x00" in agent:
        agent = None
    error = get("errorCode")
    if type(error) is not str or not error:
        error = None if record.succeeded else "Failure"
    elif "\x00" in error:
        error = error.replace("\x00", "\ufffd")
    identity = get("userIdentity")
    if type(identity) is not dict:
        layout = WHOLE
        identity = {}
    template, key, began = _split_identity(canonical(identity))
    if layout == WHOLE:
        return Parts(WHOLE, frame, template, key, began, address, agent, error, canonical_record)
    rest = document.copy()
    take = rest.pop
    for member in FRAME_MEMBERS:
        take(member, None)
    del rest["eventID"], rest["eventTime"], rest["userIdentity"]
    if address is not None:
        del rest["sourceIPAddress"]
    if agent is not None:
        del rest["userAgent"]
    return Parts(SPLIT, frame, template, key, began, address, agent, error, canonical(rest))


def join(
    *,
    frame: dict[str, Any],
    identity: bytes,
    event_id: str,
    seconds: int,
    key: str | None,
    began: int | None,
    address: str | None,
    agent: str | None,
    rest: bytes,
) -> dict[str, Any]:
    """Put a split record together again."""
    document: dict[str, Any] = orjson.loads(rest)
    document.update(frame)
    user: dict[str, Any] = orjson.loads(identity)
    if key is not None:
        user["accessKeyId"] = key
    if began is not None:
        user["sessionContext"]["attributes"]["creationDate"] = format_time(began)
    document["userIdentity"] = user
    document["eventID"] = event_id
    document["eventTime"] = format_time(seconds)
    if address is not None:
        document["sourceIPAddress"] = address
    if agent is not None:
        document["userAgent"] = agent
    return document


def frame_document(frame: FrameKey) -> dict[str, Any]:
    return {member: value for member, value in zip(FRAME_MEMBERS, frame, strict=True) if value is not _ABSENT}


def event_number(event_id: str) -> tuple[int, bytes]:
    """An event id as 32 bits to index and 12 bytes more: the UUID itself, or a hash of an id that is none."""
    if UUID.fullmatch(event_id):
        raw = bytes.fromhex(event_id.replace("-", ""))
    else:
        raw = sha256(event_id.encode()).digest()[:16]
    return int.from_bytes(raw[:4], signed=True), raw[4:]


def event_id_of(head: int, tail: bytes) -> str:
    digits = head.to_bytes(4, signed=True).hex() + tail.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@lru_cache(maxsize=16_384)
def exact_time(stamp: str) -> int | None:
    """Seconds since 1970 where `format_time` gives the very same text back, else None."""
    if not STAMP.fullmatch(stamp):
        return None
    try:
        seconds = int(datetime.fromisoformat(stamp).timestamp())
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


class Compression:
    """Compresses with the newest dictionary and reads what any of them wrote."""

    def __init__(self) -> None:
        self.newest = 0
        self._compressors: dict[int, zstandard.ZstdCompressor] = {0: _compressor(None)}
        self._decompressors: dict[int, zstandard.ZstdDecompressor] = {0: zstandard.ZstdDecompressor()}

    def add(self, number: int, content: bytes) -> None:
        trained = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
        trained.precompute_compress(level=LEVEL)
        self._compressors[number] = _compressor(trained)
        self._decompressors[number] = zstandard.ZstdDecompressor(dict_data=trained)
        self.newest = max(self.newest, number)

    def knows(self, number: int) -> bool:
        return number in self._decompressors

    def compress(self, raw: bytes) -> bytes:
        return self._compressors[self.newest].compress(raw)

    def decompress(self, number: int, packed: bytes) -> bytes:
        return self._decompressors[number].decompress(packed)


def train_dictionary(samples: Sequence[bytes]) -> bytes | None:
    """A zstd dictionary for bodies like these, or None where they are too few or too alike to train on."""
    try:
        return zstandard.train_dictionary(DICTIONARY_BYTES, list(samples), level=LEVEL).as_bytes()
    except zstandard.ZstdError:
        return None


def _compressor(trained: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(
        level=LEVEL,
        dict_data=trained,
        write_checksum=False,
        write_content_size=True,
        write_dict_id=False,
    )


@lru_cache(maxsize=65_536)
def _split_identity(raw: bytes) -> tuple[bytes, str | None, int | None]:
    """A userIdentity without the access key id and the time at which the session began, and these two."""
    identity: dict[str, Any] = orjson.loads(raw)
    key = identity.get("accessKeyId")
    if type(key) is str and key and "\x00" not in key:
        del identity["accessKeyId"]
    else:
        key = None
    began, identity = _take_began(identity)
    return canonical(identity), key, began


def _take_began(identity: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    context = identity.get("sessionContext")
    if type(context) is not dict:
        return None, identity
    attributes = context.get("attributes")
    if type(attributes) is not dict:
        return None, identity
    stamp = attributes.get("creationDate")
    began = exact_time(stamp) if type(stamp) is str else None
    if began is None:
        return None, identity
    fewer = {k: v for k, v in attributes.items() if k != "creationDate"}
    return began, {**identity, "sessionContext": {**context, "attributes": fewer}}
