"""The hours of an account as CloudTrail delivers them: its log files, and for each region a signed digest that names them.

What an entry's files are depends on when the ledger learned of it, never on when it happened: what is learned late goes to
the hour of its delivery, not into a digest that is signed. An hour without entries has a digest all the same. A region's
chain begins in the hour of its first entry; that of the home region with the log.

All this is a function of the log, the delivery and the key: made again it is the same to the byte.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Any, Final

import orjson

from ledger.digests import HASH_ALGORITHM, SIGNATURE_ALGORITHM, string_to_sign
from ledger.entry import Entry
from ledger.own_records import HOME_REGION
from ledger.record import format_time
from projections.export.cloudtrail import SPAN_SECONDS, DeliveredFile, Span
from projections.export.deliveries import TRAIL, Delivery, Tip, is_about_deliveries
from projections.export.signing_keys import SigningKey

HOUR: Final = 3_600
CHAINS_MAX: Final = 64  # regions are what records say, and a record may say anything


@dataclass(frozen=True, slots=True)
class SignedDigest:
    """A digest to be written, with the signature that goes beside it. `sha256` is that of its text, in hex."""

    tip: Tip
    content: bytes
    start: int
    end: int

    @property
    def metadata(self) -> dict[str, str]:
        return {"signature": self.tip.signature, "signature-algorithm": SIGNATURE_ALGORITHM}


Step = DeliveredFile | SignedDigest


def ends_of(start: int, end: int) -> Iterator[int]:
    """When the digests end that are due from `start` to `end`: at every full hour, and at `end`."""
    at = start
    while at < end:
        at = min(at - at % HOUR + HOUR, end)
        yield at


def steps(
    account_id: str, delivery: Delivery, before: Iterable[Tip], entries: Iterable[Entry], key: SigningKey
) -> Iterator[Step]:
    """All that a delivery writes, in the order in which it is to be written: a digest comes after what it names.

    `entries` are those from `delivery.first` to before `delivery.until`; the tips of `delivery` are not looked at. Paths
    are without the prefix, which the keys of digests have.
    """
    hours = _Hours(account_id, delivery, before, key)
    for entry in entries:
        yield from hours.take(entry)
    yield from hours.finish()


class _Hours:
    def __init__(self, account_id: str, delivery: Delivery, before: Iterable[Tip], key: SigningKey) -> None:
        self._account_id = account_id
        self._delivery = delivery
        self._key = key
        self._tips: dict[str, Tip | None] = {tip.region: tip for tip in before}
        self._tips.setdefault(HOME_REGION, None)
        self._ends = ends_of(delivery.start, delivery.end)
        self._start = delivery.start
        self._end = next(self._ends)
        self._named: dict[str, list[DeliveredFile]] = {}
        self._first = self._until = delivery.first
        self._leaves = hashlib.sha256()
        self._second = delivery.start
        self._begin_span()

    def _begin_span(self) -> None:
        self._span_end = min(self._second - self._second % SPAN_SECONDS + SPAN_SECONDS, self._end)
        self._span = Span(self._span_end, by_position=True)

    def take(self, entry: Entry) -> Iterator[Step]:
        # A clock that was set forward and back puts nothing into an hour that is not over.
        known_at = min(entry.recorded_at // 1000, self._delivery.at, self._delivery.end - 1)
        self._second = max(self._second, known_at)
        while self._second >= self._end:
            yield from self._close_hour()
        if self._second >= self._span_end:
            yield from self._close_span()
        self._leaves.update(entry.leaf_hash)
        self._until = entry.position + 1
        if entry.erased is not None or is_about_deliveries(entry):
            return  # there is nothing to be told; a file that tells of its own digest would have no end
        yield from self._noted(self._span.filled(entry))

    def finish(self) -> Iterator[Step]:
        while self._start < self._delivery.end:
            yield from self._close_hour()

    def _noted(self, files: Iterator[DeliveredFile]) -> Iterator[DeliveredFile]:
        for file in files:
            if file.region not in self._tips and len(self._tips) < CHAINS_MAX:
                self._tips[file.region] = None
            chain = file.region if file.region in self._tips else HOME_REGION
            self._named.setdefault(chain, []).append(file._replace(content=b""))  # all that is kept of it
            yield file

    def _close_span(self) -> Iterator[Step]:
        yield from self._noted(self._span.finished())
        self._begin_span()

    def _close_hour(self) -> Iterator[Step]:
        yield from self._noted(self._span.finished())
        for region in sorted(self._tips):
            signed = self._signed(region)
            self._tips[region] = signed.tip
            yield signed
        self._named = {}
        self._first, self._leaves = self._until, hashlib.sha256()
        self._start, self._end = self._end, next(self._ends, self._end)
        self._second = max(self._second, self._start)
        self._begin_span()

    def _signed(self, region: str) -> SignedDigest:
        previous, delivery = self._tips[region], self._delivery
        number = 0 if previous is None else previous.number + 1
        s3_object = prefixed(delivery.prefix, digest_path(self._account_id, region, self._end))
        text = orjson.dumps(self._document(region, s3_object, previous, number))
        sha256 = hashlib.sha256(text).hexdigest()
        before = None if previous is None else previous.signature
        to_sign = string_to_sign(format_time(self._end), delivery.bucket, s3_object, sha256, before)
        tip = Tip(region, number, s3_object, sha256, self._key.sign(to_sign))
        return SignedDigest(tip, gzip.compress(text, mtime=0), self._start, self._end)

    def _document(self, region: str, s3_object: str, previous: Tip | None, number: int) -> Mapping[str, Any]:
        """Source: CloudTrail user guide, "Digest file contents". `iamLedger` is our own, and signed with the rest: which
        entries became known in that time, the SHA-256 of their leaf hashes, one after the other, and a checkpoint that
        covers them.
        """
        pinned = {} if self._delivery.checkpoint is None else {"checkpoint": self._delivery.checkpoint}
        delivery, named = self._delivery, self._named.get(region, [])
        return {
            "awsAccountId": self._account_id,
            "digestStartTime": format_time(self._start),
            "digestEndTime": format_time(self._end),
            "digestS3Bucket": delivery.bucket,
            "digestS3Object": s3_object,
            "digestPublicKeyFingerprint": self._key.fingerprint,
            "digestSignatureAlgorithm": SIGNATURE_ALGORITHM,
            "newestEventTime": format_time(max(file.newest for file in named)) if named else None,
            "oldestEventTime": format_time(min(file.oldest for file in named)) if named else None,
            "previousDigestS3Bucket": None if previous is None else delivery.bucket,
            "previousDigestS3Object": None if previous is None else previous.key,
            "previousDigestHashValue": None if previous is None else previous.sha256,
            "previousDigestHashAlgorithm": None if previous is None else HASH_ALGORITHM,
            "previousDigestSignature": None if previous is None else previous.signature,
            "logFiles": [
                {
                    "s3Bucket": delivery.bucket,
                    "s3Object": prefixed(delivery.prefix, file.path),
                    "hashValue": file.sha256,
                    "hashAlgorithm": HASH_ALGORITHM,
                    "newestEventTime": format_time(file.newest),
                    "oldestEventTime": format_time(file.oldest),
                }
                for file in named
            ],
            "iamLedger": {
                "digestNumber": number,
                "firstPosition": self._first,
                "endPosition": self._until,
                "leafHashes": self._leaves.hexdigest(),
                **pinned,
            },
        }


def digest_path(account_id: str, region: str, end: int) -> str:
    when = gmtime(end)
    name = f"{account_id}_CloudTrail-Digest_{region}_{TRAIL}_{HOME_REGION}_{strftime('%Y%m%dT%H%M%SZ', when)}"
    return f"AWSLogs/{account_id}/CloudTrail-Digest/{region}/{strftime('%Y/%m/%d', when)}/{name}.json.gz"


def prefixed(prefix: str | None, path: str) -> str:
    return path if not prefix else f"{prefix}/{path}"
