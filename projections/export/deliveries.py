"""What an account's log tells of its digests: which were signed, up to which entry, where they go, with which keys.

Every delivery is an entry of the log, written before the first of its files: so what was signed can be written again, byte
for byte, whatever breaks, and nothing else is ever signed for the same time. Only this ledger's own entries count; what
was imported tells of another's digests.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ledger.digests import PublicKey
from ledger.entry import Draft, Entry
from ledger.log import Log
from ledger.log.reading import places_of
from ledger.log.schema import entries
from ledger.own_records import SOURCE, own_record
from ledger.record import format_time, parse_time, read_record

DELIVER: Final = f"{SOURCE}:DeliverDigests"
ADD_KEY: Final = f"{SOURCE}:AddDigestKey"
ABOUT_DELIVERIES: Final = frozenset({DELIVER, ADD_KEY})

TRAIL: Final = "iam-ledger"
KEY_YEARS = 10  # so long a key is good if no other follows it
KEY_SECONDS: Final = KEY_YEARS * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Tip:
    """The latest digest of a region's chain. `number` counts from 0; the times are seconds since 1970."""

    region: str
    number: int
    key: str
    sha256: str
    signature: str

    def told(self) -> dict[str, Any]:
        return {
            "region": self.region,
            "number": self.number,
            "s3Object": self.key,
            "hashValue": self.sha256,
            "signature": self.signature,
        }

    @staticmethod
    def read(told: Mapping[str, Any]) -> Tip:
        return Tip(told["region"], told["number"], told["s3Object"], told["hashValue"], told["signature"])


@dataclass(frozen=True, slots=True)
class Delivery:
    """The digests for the entries from `first` to before `until`, and the time from `start` to `end`.

    `at` is when it was decided. Times are in seconds since 1970. `tips` has a chain each; `position` is the entry's own.
    `checkpoint` is the signed note of the log's first `until` entries, where there was a key for it.
    """

    bucket: str
    prefix: str | None
    first: int
    until: int
    start: int
    end: int
    at: int
    fingerprint: str
    tips: tuple[Tip, ...]
    position: int | None = None
    checkpoint: str | None = None

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "trail": TRAIL,
            "s3BucketName": self.bucket,
            "s3KeyPrefix": self.prefix,
            "firstPosition": self.first,
            "endPosition": self.until,
            "startTime": format_time(self.start),
            "endTime": format_time(self.end),
            "decidedAt": format_time(self.at),
            "publicKeyFingerprint": self.fingerprint,
            "digests": [tip.told() for tip in self.tips],
            "checkpoint": self.checkpoint,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Trail:
    """All deliveries of an account in their order, and all keys that ever signed one.

    `positions` are those of all entries that are about deliveries, imported ones too.
    """

    account_id: str
    positions: tuple[int, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    keys: tuple[PublicKey, ...] = ()

    @property
    def latest(self) -> Delivery | None:
        return self.deliveries[-1] if self.deliveries else None

    def knows(self, fingerprint: str) -> bool:
        return any(key.fingerprint == fingerprint for key in self.keys)


def trail_of(log: Log, account_id: str) -> Trail:
    with log.engine.connect() as connection:
        positions = positions_about_deliveries(connection, account_id)
    told = [it for it in log.entries_at(account_id, positions) if it.origin.native]
    return Trail(account_id, tuple(positions), _deliveries(told), _keys(told))


def public_keys_of(log: Log, account_id: str) -> tuple[PublicKey, ...]:
    """All keys that ever signed a digest of the account."""
    with log.engine.connect() as connection:
        positions = list(connection.scalars(places_of(account_id, {ADD_KEY})))
    return _keys([entry for entry in log.entries_at(account_id, positions) if entry.origin.native])


def latest_delivery(log: Log, account_id: str) -> Delivery | None:
    """The newest, without reading those before it: there is one for every hour."""
    before: int | None = None
    while True:
        with log.engine.connect() as connection:
            query = (
                places_of(account_id, {DELIVER}).order_by(None).order_by(entries.c.position.desc()).limit(1)
            )
            if before is not None:
                query = query.where(entries.c.position < before)
            before = connection.scalars(query).first()
        if before is None:
            return None
        (entry,) = log.entries_at(account_id, [before])
        if entry.origin.native:
            return _delivery(entry.document["requestParameters"], entry.position)


def positions_about_deliveries(connection: sa.Connection, account_id: str) -> list[int]:
    return list(connection.scalars(places_of(account_id, ABOUT_DELIVERIES)))


def is_about_deliveries(entry: Entry) -> bool:
    if entry.document.get("eventSource") != SOURCE or not entry.origin.native:
        return False  # nearly always, and told without reading the record
    return entry.record.action in ABOUT_DELIVERIES


def _deliveries(told: Sequence[Entry]) -> tuple[Delivery, ...]:
    return tuple(
        _delivery(entry.document["requestParameters"], entry.position)
        for entry in told
        if entry.record.action == DELIVER
    )


def _keys(told: Sequence[Entry]) -> tuple[PublicKey, ...]:
    """A key is good until the next one is."""
    added = [entry.document["requestParameters"] for entry in told if entry.record.action == ADD_KEY]
    begins = [parse_time(request["validityStartTime"]) for request in added]
    ends = [*begins[1:], *(since + KEY_SECONDS for since in begins[-1:])]
    return tuple(
        PublicKey(request["fingerprint"], base64.b64decode(request["value"]), since, until)
        for request, since, until in zip(added, begins, ends, strict=True)
    )


def _delivery(told: Mapping[str, Any], position: int) -> Delivery:
    return Delivery(
        bucket=told["s3BucketName"],
        prefix=told.get("s3KeyPrefix"),
        first=told["firstPosition"],
        until=told["endPosition"],
        start=parse_time(told["startTime"]),
        end=parse_time(told["endTime"]),
        at=parse_time(told["decidedAt"]),
        fingerprint=told["publicKeyFingerprint"],
        tips=tuple(map(Tip.read, told["digests"])),
        position=position,
        checkpoint=told.get("checkpoint"),
    )


def delivery_draft(account_id: str, delivery: Delivery, *, at: int, event_id: str) -> Draft:
    return _draft(account_id, DELIVER, delivery.told(), at=at, event_id=event_id)


def key_draft(
    account_id: str, fingerprint: str, value: bytes, *, since: int, at: int, event_id: str
) -> Draft:
    told = {
        "fingerprint": fingerprint,
        "value": base64.b64encode(value).decode(),
        "validityStartTime": format_time(since),
    }
    return _draft(account_id, ADD_KEY, told, at=at, event_id=event_id)


def _draft(account_id: str, action: str, request: Mapping[str, Any], *, at: int, event_id: str) -> Draft:
    return Draft.of(read_record(own_record(account_id, action, request, at=at, event_id=event_id)))
