"""An entry: a record in the log. A small leaf that is hashed into the tree, and a body the leaf commits to.

The leaf hash is RFC 6962 section 2.1's; the commitment is SHA-256(salt ‖ body), so that a body can be erased
(`ledger.erasure`) and every proof still holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from ledger.record import Record, canonical, format_time, read_record

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Whence a record came: written by this ledger (`native`), or read from a file with a digest."""

    file: str | None = None
    sha256: str | None = None  # of the file as it lies on disk; None for a stream

    @property
    def native(self) -> bool:
        return self.file is None

    def to_bytes(self) -> bytes:
        if self.native:
            return b'{"kind":"native"}'
        return canonical({"kind": "imported", "file": self.file, "sha256": self.sha256})

    @staticmethod
    def from_bytes(raw: bytes) -> Origin:
        told = orjson.loads(raw)
        return Origin(file=told.get("file"), sha256=told.get("sha256"))


NATIVE = Origin()
UNKNOWN = Origin(file="")  # of an erased record


class Draft(NamedTuple):
    """What is to become an entry. `canonical_record` are the record's canonical bytes.

    `authorization`, a canonical JSON object too, is the decision that was made on the call (`ledger.authorization`); None
    where none was made here, as for whatever is imported.
    """

    record: Record
    canonical_record: bytes
    origin: Origin = NATIVE
    authorization: bytes | None = None

    @staticmethod
    def of(record: Record, origin: Origin = NATIVE, authorization: bytes | None = None) -> Draft:
        return Draft(record, canonical(record.document), origin, authorization)


class Leaf(NamedTuple):
    """What is hashed into the tree: nothing here names a person, `principal` is a pseudonym."""

    account_id: str
    position: int
    recorded_at: int  # milliseconds since 1970
    principal: bytes  # 16 random bytes, the same for each entry of one principal
    previous: int | None  # the position of the principal's previous entry
    commitment: bytes

    def to_bytes(self) -> bytes:
        """Canonical JSON, some 200 bytes: always fits the transparency-log formats."""
        previous = "null" if self.previous is None else self.previous
        return (
            f'{{"account":"{self.account_id}","commitment":"{self.commitment.hex()}",'
            f'"position":{self.position},"previous":{previous},'
            f'"principal":"{self.principal.hex()}","recordedAt":{self.recorded_at}}}'
        ).encode()

    def hash(self) -> bytes:
        return leaf_hash(self.to_bytes())


def leaf_hash(leaf: bytes) -> bytes:  # RFC 6962, 2.1
    return hashlib.sha256(b"\x00" + leaf).digest()


def body_bytes(canonical_record: bytes, origin: bytes, authorization: bytes | None = None) -> bytes:
    """The canonical body: what the commitment hashes. Equal to `canonical` of the three members."""
    decided = b"null" if authorization is None else authorization
    return b'{"authorization":' + decided + b',"origin":' + origin + b',"record":' + canonical_record + b"}"


def commit(salt: bytes, body: bytes) -> bytes:
    return hashlib.sha256(salt + body).digest()


@dataclass(frozen=True, slots=True)
class Erased:
    """What is left of a body: what the leaf commits to, and the position of the entry that says it was erased."""

    by: int
    commitment: bytes


def erased_document(account_id: str, recorded_at: int, event_id: str | None) -> dict[str, Any]:
    """What stands where a record was: a call of nobody's that did nothing, at the time at which it was recorded."""
    document = {
        "eventTime": format_time(recorded_at // 1000),
        "eventSource": "iam-ledger",
        "eventName": "ErasedRecord",
        "recipientAccountId": account_id,
    }
    return document if event_id is None else {**document, "eventID": event_id}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is read from the log. Of one whose body was erased `document` says what the leaf says, no more."""

    account_id: str
    position: int
    recorded_at: int  # milliseconds since 1970
    time: int  # eventTime, seconds since 1970
    previous: int | None
    principal: bytes
    salt: bytes
    leaf_hash: bytes
    origin: Origin
    document: dict[str, Any]
    authorization: bytes | None = None  # canonical JSON
    erased: Erased | None = None
    _record: Record | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def record(self) -> Record:
        if self._record is None:
            record = read_record(self.document, account_id=self.account_id)
            object.__setattr__(self, "_record", record)
            return record
        return self._record

    @property
    def commitment(self) -> bytes:
        if self.erased is not None:
            return self.erased.commitment
        body = body_bytes(canonical(self.document), self.origin.to_bytes(), self.authorization)
        return commit(self.salt, body)

    @property
    def leaf(self) -> Leaf:
        return Leaf(
            account_id=self.account_id,
            position=self.position,
            recorded_at=self.recorded_at,
            principal=self.principal,
            previous=self.previous,
            commitment=self.commitment,
        )

    def intact(self) -> bool:
        """Whether the leaf hash that was stored is the one that the stored bytes give."""
        return self.leaf.hash() == self.leaf_hash
