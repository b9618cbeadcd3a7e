"""How a record is laid out in the database: repeated parts aside, the rest compressed, and back again exactly.

A record whose parts are all of the usual form is *split*: what most records share goes into a frame (which call,
what became of it) and an identity, each kept once; the key, address, agent, time and event id become columns;
the rest is compressed with a trained zstd dictionary. Anything unusual is kept *whole*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from sys import intern
from threading import Lock
from types import EllipsisType
from typing import Any, Final, NamedTuple

import orjson
import zstandard

from ledger.record import Record, canonical, format_time, to_keep, whole_seconds

# A layout is WHOLE, or SPLIT with any of the marks.
WHOLE: Final = 0
SPLIT: Final = 1
REQUEST_UUID: Final = 2  # the body begins with the 16 bytes of requestID, a UUID
REQUEST_HEX: Final = 4  # … with the 8 bytes of requestID, 16 digits as S3 writes them
USUAL_HOST: Final = 8  # tlsDetails names the host that source and region give
LAYOUT_BITS: Final = 4
AUTHORIZED: Final = (
    1 << 30
)  # in an entry's coding: before the rest, compressed with it, stands an authorization
LENGTH_BYTES: Final = 4  # of an authorization

OF_RECORDS: Final = 1  # the dictionary for records as they come
OF_DECIDED: Final = 2  # … for those that a decision was made on, which is compressed with them

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
SIZE_MAX: Final = (
    0x2000  # of a body told by two bytes, of which the first is less than any that a zstd frame begins with
)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGITS: Final = bytes(48 if byte in b"0123456789abcdef" else byte for byte in range(256))
_UUID_DIGITS: Final = b"00000000-0000-0000-0000-000000000000"
_UPPER_DIGITS: Final = bytes(48 if byte in b"0123456789ABCDEF" else 0 for byte in range(256))
SIGN_IN: Final = "AwsConsoleSignIn"
HOST: Final = "clientProvidedHostHeader"

# The frame's members in order; `...` stands for one that the record does not have: `null` is a value, this is not.
_Members = tuple[Any, ...]
_FRAME_TYPES: Final = frozenset({str, bool, EllipsisType})


class Parts(NamedTuple):
    """A record taken apart. `key`, `began`, `address` and `agent` are None where they are not columns."""

    layout: int
    frame: bytes
    identity: bytes
    key: str | None
    began: int | None
    address: str | None
    agent: str | None
    error: str | None
    prefix: bytes  # of the body, before what is compressed
    rest: bytes


def split(record: Record, canonical_record: bytes) -> Parts:
    """Take a record apart. `join` gives the same record back.

    What repeats is one and the same object as long as it is remembered, so that it is told from others, and handed
    on, fast.
    """
    rest = record.document.copy()
    take = rest.pop
    members = (
        take("eventSource", ...),
        take("eventName", ...),
        take("awsRegion", ...),
        take("errorCode", ...),
        take("eventVersion", ...),
        take("eventType", ...),
        take("eventCategory", ...),
        take("readOnly", ...),
        take("managementEvent", ...),
        take("recipientAccountId", ...),
    )
    _, frame, usual, host, error = framed(members)
    if error is None and members[5] == SIGN_IN and not record.succeeded:
        error = "Failure"
    address = take("sourceIPAddress", ...)
    agent = take("userAgent", ...)
    if type(address) is not str or "\x00" in address:
        if address is not ...:
            rest["sourceIPAddress"] = address
        address = None
    if type(agent) is not str or "\x00" in agent:
        if agent is not ...:
            rest["userAgent"] = agent
        agent = None
    identity = take("userIdentity", None)
    if type(identity) is not dict:
        usual, identity = False, {}
    template, key, began = split_identity(identity)
    if (
        not usual
        or not is_uuid(record.event_id)
        or whole_seconds(take("eventTime")) is None
        or take("eventID", None) != record.event_id
    ):
        return Parts(WHOLE, frame, template, key, began, address, agent, error, b"", canonical_record)
    layout, prefix = request_number(rest.get("requestID"))
    if prefix:
        del rest["requestID"]
    if host is not None:
        tls = rest.get("tlsDetails")
        if type(tls) is dict and tls.get(HOST) == host:
            rest["tlsDetails"] = tls = tls.copy()
            del tls[HOST]
            layout |= USUAL_HOST
    return Parts(layout, frame, template, key, began, address, agent, error, prefix, canonical(rest))


def join(
    layout: int,
    *,
    frame: Mapping[str, Any],
    identity: bytes,
    event_id: str,
    seconds: int,
    key: str | None,
    began: int | None,
    address: str | None,
    agent: str | None,
    prefix: bytes,
    rest: bytes,
) -> dict[str, Any]:
    """Put a split record together again."""
    document: dict[str, Any] = orjson.loads(rest)
    if layout & USUAL_HOST:
        document["tlsDetails"][HOST] = _usual_host(frame["eventSource"], frame["awsRegion"])
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
    if layout & REQUEST_UUID:
        document["requestID"] = _uuid(prefix.hex())
    elif layout & REQUEST_HEX:
        document["requestID"] = prefix.hex().upper()
    return document


def prefix_bytes(layout: int) -> int:
    """How many bytes of a body stand before what is compressed."""
    return 16 if layout & REQUEST_UUID else 8 if layout & REQUEST_HEX else 0


class Coding(NamedTuple):
    """How a body is to be read, as one number of its row tells."""

    dictionary: int
    layout: int
    authorized: bool

    @staticmethod
    @lru_cache(typed=True)
    def of(number: int) -> Coding:
        layout = number & ((1 << LAYOUT_BITS) - 1)
        return Coding((number & ~AUTHORIZED) >> LAYOUT_BITS, layout, number >= AUTHORIZED)


def with_authorization(authorization: bytes, rest: bytes) -> bytes:
    """What is compressed of a record that a decision was made on. Much of the one is in the other."""
    return len(authorization).to_bytes(LENGTH_BYTES) + authorization + rest


def without_authorization(told: bytes) -> tuple[bytes, bytes]:
    """The authorization, and the rest of the record."""
    end = LENGTH_BYTES + int.from_bytes(told[:LENGTH_BYTES])
    if end > len(told):
        raise ValueError("the authorization is cut off")
    return told[LENGTH_BYTES:end], told[end:]


def event_id_of(head: int, tail: bytes) -> str:
    return _uuid(head.to_bytes(4, signed=True).hex() + tail.hex())


@lru_cache(maxsize=16_384)
def exact_time(stamp: str) -> int | None:
    """Seconds since 1970 where `format_time` gives the very same text back, else None."""
    try:
        seconds = int(datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 and format_time(seconds) == stamp else None


class Compression:
    """Compresses with any of the ledger's dictionaries, by its number, or with none (0), and reads what was so written.

    A reader may come upon a new dictionary while somebody writes. So whoever writes says by its number what is compressed
    with.

    May be used by many threads, as those of a server do. An object of zstandard may not: it is one context, and the work is
    done without the interpreter's lock. Source: python-zstandard.readthedocs.io, "Compression APIs".
    """

    def __init__(self, dictionaries: Mapping[int, bytes] | None = None) -> None:
        self._compressing, self._decompressing = Lock(), Lock()
        self._compressors = {0: _compressor(None, QUICK).compress}
        self._decompressors = {0: _decompressor(None)}
        for number, content in (dictionaries or {}).items():
            self.add(number, content)

    def add(self, number: int, content: bytes) -> None:
        trained = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
        parameters = QUICK if number == OF_DECIDED else PARAMETERS
        trained.precompute_compress(compression_params=parameters)
        self._compressors[number] = _compressor(trained, parameters).compress
        self._decompressors[number] = _decompressor(trained)

    def knows(self, number: int) -> bool:
        return number in self._decompressors

    def best(self, *, decided: bool) -> int:
        """Which dictionary is for records that a decision was made on, or for all others."""
        if decided and self.knows(OF_DECIDED):
            return OF_DECIDED
        return OF_RECORDS if self.knows(OF_RECORDS) else 0

    def compress(self, raw: bytes, dictionary: int = 0) -> bytes:
        """A zstd frame. Where its head is the usual one, two bytes with the size stand for the five or six of it."""
        with self._compressing:
            frame = self._compressors[dictionary](raw)
        size = len(raw)
        if 256 <= size < SIZE_MAX:
            if frame[0] == _LONGER and frame[3] & 7 == _ONLY_BLOCK:  # so the rest of the head can only be one
                return size.to_bytes(2) + frame[6:]
        elif size < 256 and frame[0] == _SHORT and frame[2] & 7 == _ONLY_BLOCK:
            return size.to_bytes(2) + frame[5:]
        return frame

    def decompress(self, number: int, body: bytes, start: int = 0) -> bytes:
        """What stands in a body from there on."""
        frame = _whole_head(body[start : start + 2], len(body) - start) + body[start + 2 :]
        with self._decompressing:
            return self._decompressors[number].decompress(frame)

    def decompress_all(self, number: int, bodies: Iterable[tuple[bytes, int]]) -> list[bytes]:
        """Likewise of many, for less work."""
        frames = [
            _whole_head(body[start : start + 2], len(body) - start) + body[start + 2 :]
            for body, start in bodies
        ]
        with self._decompressing:
            return list(map(self._decompressors[number].decompress, frames))


def _parameters(strategy: int) -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        strategy=strategy,
        search_log=4,
        min_match=6,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,  # without the four bytes that would tell a file of its own
        write_checksum=False,
        write_content_size=True,
        write_dict_id=False,
    )


# A tenth smaller than the level's own choice, for a microsecond more: bodies are short and alike.
PARAMETERS: Final = _parameters(zstandard.STRATEGY_GREEDY)
# Of no dictionary, or of records with their decisions, it makes them as small, in a half or a third of the time.
QUICK: Final = _parameters(zstandard.STRATEGY_FAST)


# Descriptors of frames of one segment, with a size of one byte and of two, and the lowest bits of a block that is
# compressed and the last.
_SHORT: Final = 0x20
_LONGER: Final = 0x60
_ONLY_BLOCK: Final = 0b101


@lru_cache(maxsize=65_536)
def _whole_head(begun: bytes, size: int) -> bytes:
    """The head of a frame that is kept in so many bytes, of which these are the first two.

    Of one compressed block: descriptor, size, head of the block (RFC 8878, 3.1.1.1 and 3.1.1.2).
    """
    if len(begun) < 2 or begun[0] >= SIZE_MAX >> 8:
        return begun
    raw = int.from_bytes(begun)
    told = bytes((_SHORT, raw)) if raw < 256 else bytes((_LONGER,)) + (raw - 256).to_bytes(2, "little")
    return told + (size - 2 << 3 | _ONLY_BLOCK).to_bytes(3, "little")


def _compressor(
    trained: zstandard.ZstdCompressionDict | None, parameters: zstandard.ZstdCompressionParameters
) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(dict_data=trained, compression_params=parameters)


def _decompressor(trained: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=trained, format=zstandard.FORMAT_ZSTD1_MAGICLESS)


def request_number(told: Any) -> tuple[int, bytes]:
    """Most requestIDs are random digits in one of two forms, which are half as long as bytes."""
    if type(told) is str:
        if len(told) == 36:
            if is_uuid(told):
                return SPLIT | REQUEST_UUID, bytes.fromhex(told.replace("-", ""))
        elif len(told) == 16 and told.encode().translate(_UPPER_DIGITS) == b"0" * 16:
            return SPLIT | REQUEST_HEX, bytes.fromhex(told)
    return SPLIT, b""


def is_uuid(text: str) -> bool:
    """As UUID.fullmatch, in a third of the time."""
    return text.encode().translate(_DIGITS) == _UUID_DIGITS


@lru_cache(maxsize=4_096)
def _usual_host(source: Any, region: Any) -> str | None:
    """`kms.amazonaws.com`, `eu-west-1` → `kms.eu-west-1.amazonaws.com`."""
    if type(source) is str and type(region) is str and source.endswith(".amazonaws.com"):
        return f"{source[: -len('.amazonaws.com')]}.{region}.amazonaws.com"
    return None


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Framed(NamedTuple):
    members: _Members
    frame: bytes  # canonical JSON
    usual: bool  # a split record may be named by it
    host: str | None
    error: str | None


_FRAMES_MAX: Final = 16_384
_frames: dict[_Members, Framed] = {}


def framed(members: _Members) -> Framed:
    """A frame and what follows from it, from memory as a rule.

    1 and True are one key of a dictionary and two JSON texts. So only frames are remembered whose booleans are
    where they belong, and there it is the very same value that must be found.
    """
    try:
        known = _frames.get(members)
    except TypeError:  # a list or an object is where none belongs
        known = None
    if known is not None and known.members[7] is members[7] and known.members[8] is members[8]:
        return known
    usual = _FRAME_TYPES.issuperset(map(type, members))
    if not usual:
        members = tuple([value if type(value) in _FRAME_TYPES else ... for value in members])
    error = members[3]
    if type(error) is not str or not error:
        error = None
    elif "\x00" in error:
        error = error.replace("\x00", "\ufffd")
    told = {name: value for name, value in zip(FRAME_MEMBERS, members, strict=True) if value is not ...}
    made = Framed(members, to_keep(canonical(told)), usual, _usual_host(members[0], members[2]), error)
    if usual and bool not in map(type, members[:7] + members[9:]) and str not in map(type, members[7:9]):
        if len(_frames) >= _FRAMES_MAX:
            _frames.clear()
        _frames[members] = made
    return made


def split_identity(identity: dict[str, Any]) -> tuple[bytes, str | None, int | None]:
    """A userIdentity without the access key id and the time at which the session began, and these two."""
    identity = identity.copy()
    key = identity.pop("accessKeyId", ...)
    if type(key) is not str or not key or "\x00" in key:
        if key is not ...:
            identity["accessKeyId"] = key
        key = None
    else:
        key = intern(key)
    began = None
    context = identity.get("sessionContext")
    if type(context) is dict:
        attributes = context.get("attributes")
        if type(attributes) is dict:
            stamp = attributes.get("creationDate")
            began = exact_time(stamp) if type(stamp) is str else None
            if began is not None:
                attributes = attributes.copy()
                del attributes["creationDate"]
                identity["sessionContext"] = {**context, "attributes": attributes}
    return _sorted(orjson.dumps(identity).decode()), key, began


@lru_cache(maxsize=16_384)
def _sorted(text: str) -> bytes:
    """The canonical bytes of a JSON text that comes again and again."""
    return to_keep(canonical(orjson.loads(text)))
