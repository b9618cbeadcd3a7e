"""Checks delivered digests and log files more strictly than AWS's own tool does.

`aws cloudtrail validate-logs` takes each digest by itself, starts at the newest that it finds, and reads of a digest's gzip
file the first member, before its version 1.46 of a log file's too. So it does not see when the newest digests are gone, or
all of them; when a digest was signed anew with the same key; when its hash of the one before is wrong; a signature over
SHA-1; what stands behind the first member; log files that no digest names; a chain that was cut short at its beginning.
Here all that is found.

Whoever has the signing key can sign another history from its beginning. Only a digest that was noted elsewhere tells: an
anchor. The ledger's own log is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.digests import (
    CONTENT_BYTES_MAX,
    DIGEST_KEY,
    HASH_ALGORITHM,
    BadDigest,
    Digest,
    PublicKeys,
    inflated,
    read_digest,
)
from ledger.log import Log
from ledger.log.tiles import tree_of
from ledger.merkle.trees import root_at
from ledger.notes import BadNote, Verifier, unverified_text
from ledger.record import format_time
from projections.export.bucket import Bucket, S3Bucket, Stored
from projections.export.deliveries import TRAIL, Trail

LOGS: Final = ("CloudTrail", "CloudTrail-Insight")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, with one object or with what should be there."""

    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.key}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Anchors:
    """Digests that are known from elsewhere: hash by key. `complete` where nothing newer may be there.

    `signers` may sign checkpoints of the log, `roots` are those that it has at some sizes.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False
    bucket: str | None = None
    signers: tuple[Verifier, ...] = ()
    roots: Mapping[int, bytes] = field(default_factory=dict)

    @staticmethod
    def of_trail(trail: Trail, log: Log) -> Anchors:
        """All that the log itself knows. Raises TreeDamaged."""
        known = {tip.key: tip.sha256 for delivery in trail.deliveries for tip in delivery.tips}
        with log.engine.connect() as connection:
            tree = tree_of(connection, trail.account_id)
            roots = {
                delivery.until: root_at(tree, delivery.until)
                for delivery in trail.deliveries
                if delivery.checkpoint is not None
            }
        bucket = None if trail.latest is None else trail.latest.bucket
        return Anchors(known, complete=True, bucket=bucket, roots=roots)


@dataclass(slots=True)
class Validated:
    """What was found in one account. A digest or log file is valid where nothing is wrong with it."""

    account_id: str
    digests: int = 0
    log_files: int = 0
    bad_digests: set[str] = field(default_factory=set)
    bad_log_files: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    newest: dict[str, tuple[str, str]] = field(default_factory=dict)  # key and hash, by chain
    unanchored: set[str] = field(default_factory=set)  # chains

    @property
    def sound(self) -> bool:
        return self.digests > 0 and not self.findings


def validate(
    bucket: Bucket,
    account_id: str,
    keys: PublicKeys,
    *,
    prefix: str | None = None,
    anchors: Anchors | None = None,
) -> Validated:
    """Every digest and log file of the account below the prefix. Raises ExportFailed where the place can't be read."""
    return _Validation(bucket, account_id, keys, prefix, anchors or Anchors()).run()


def accounts_in(bucket: Bucket, prefix: str | None = None) -> list[str]:
    """The accounts that have digests or log files there."""
    root = _root(prefix)
    parts = (key.removeprefix(root).split("/") for key in bucket.every_key(root))
    return sorted({part[0] for part in parts if len(part[0]) == 12 and part[0].isdigit()})


def _root(prefix: str | None) -> str:
    return f"{prefix}/AWSLogs/" if prefix else "AWSLogs/"


class _Validation:
    def __init__(
        self, bucket: Bucket, account_id: str, keys: PublicKeys, prefix: str | None, anchors: Anchors
    ) -> None:
        self._bucket = bucket
        self._keys = keys
        self._anchors = anchors
        self._root = f"{_root(prefix)}{account_id}/"
        self._name = bucket.name if isinstance(bucket, S3Bucket) else anchors.bucket
        self._named: dict[str, str] = {}  # which digest names a log file
        self.told = Validated(account_id)

    def run(self) -> Validated:
        chains: dict[str, list[str]] = {}  # several trails may deliver to one bucket
        for key in self._bucket.every_key(f"{self._root}CloudTrail-Digest/"):
            found = DIGEST_KEY.fullmatch(key)
            if found is None or found["account"] != self.told.account_id:
                self._wrong(key, "is no digest and lies among them")
            elif found["backfill"]:
                self._digest(key)
            else:
                chains.setdefault(_chain_of(key), []).append(key)
        for chain, keys in sorted(chains.items()):
            self._chain(chain, sorted(keys, key=_end))
        self._expect()
        self._unnamed()
        if not self.told.digests:
            self._wrong(self._root, "there is no digest")
        return self.told

    # ---- digests

    def _chain(self, chain: str, keys: list[str]) -> None:
        previous: tuple[Digest, str | None] | None = None
        broken = False
        for number, key in enumerate(keys):
            found = self._digest(key)
            if found is None:
                previous, broken = None, True
                continue
            digest = found[0]
            if previous is not None:
                self._follows(digest, *previous)
            elif number == 0:
                self._begins(digest)
            elif broken:
                self._spoilt(key, "the digest before it can't be read")
            previous, broken = found, False
            self.told.newest[chain] = key, digest.sha256
        if not any(_chain_of(key) == chain for key in self._anchors.known):
            self.told.unanchored.add(chain)

    def _digest(self, key: str) -> tuple[Digest, str | None] | None:
        """A digest and its signature, with all that can be told of it alone."""
        self.told.digests += 1
        stored = self._bucket.get(key)
        try:
            if stored is None:
                raise BadDigest("is gone")
            digest = read_digest(inflated(stored.content))
        except BadDigest as error:
            self._spoilt(key, str(error))
            return None
        signature = self._signature(key, digest, stored)
        self._name = self._name or digest.bucket
        if digest.key != key or digest.bucket != self._name:
            self._spoilt(key, f"was moved here from {digest.bucket}/{digest.key}")
        found = DIGEST_KEY.fullmatch(key)
        assert found is not None
        when = format_time(digest.end).replace("-", "").replace(":", "")
        if (found["account"], found["end"]) != (digest.account_id, when):
            self._spoilt(key, "has the name of another account or hour")
        if digest.start >= digest.end:
            self._spoilt(key, "ends before it starts")
        expected = self._anchors.known.get(key)
        if expected is not None and expected != digest.sha256:
            self._spoilt(key, f"is not the digest that is known: that has the hash {expected}")
        self._checkpoint(key, digest)
        for log in digest.logs:
            self._log(key, log.bucket, log.key, log.sha256, log.algorithm)
        return digest, signature

    def _checkpoint(self, key: str, digest: Digest) -> None:
        """The log's checkpoint that a ledger's digest holds, which covers what the digest stands for."""
        own = _of_ledger(digest)
        if "checkpoint" not in own:
            return
        try:
            note = str(own["checkpoint"]).encode()
            if self._anchors.signers:
                open_checkpoint(note, self._anchors.signers)
            head = Checkpoint.of_text(unverified_text(note))
        except BadNote as error:
            self._spoilt(key, f"holds no checkpoint to go by: {error}")
            return
        if head.origin.rpartition("/")[2] != digest.account_id:
            self._spoilt(key, f"holds a checkpoint of another log, {head.origin}")
        if not isinstance(own.get("endPosition"), int) or head.size < own["endPosition"]:
            self._spoilt(key, f"holds a checkpoint of {head.size} entries, which does not cover its own")
        if self._anchors.roots.get(head.size, head.root) != head.root:
            self._spoilt(key, f"holds a checkpoint that is not of this log's first {head.size} entries")

    def _signature(self, key: str, digest: Digest, stored: Stored) -> str | None:
        signature = stored.metadata.get("signature")
        if signature is None:
            self._spoilt(key, "has no signature")
            return None
        try:
            self._keys.check(digest, signature)
        except BadDigest as error:
            self._spoilt(key, str(error))
        return signature

    def _begins(self, digest: Digest) -> None:
        if not digest.begins_a_chain:
            self._spoilt(digest.key, f"the digest before it is gone: {digest.previous_key}")
        if _number(digest) not in (None, 0):
            self._spoilt(digest.key, f"is number {_number(digest)} of its chain, and none is before it")

    def _follows(self, digest: Digest, previous: Digest, signature: str | None) -> None:
        key = digest.key
        if digest.begins_a_chain:
            self._spoilt(key, f"begins a chain anew, though {previous.key} is before it")
            return
        if (digest.previous_bucket, digest.previous_key) != (previous.bucket, previous.key):
            self._spoilt(key, f"the digest before it is gone: {digest.previous_key}")
            return
        if (digest.previous_sha256, digest.previous_algorithm) != (previous.sha256, HASH_ALGORITHM):
            self._spoilt(key, "has another hash of the digest before it")
        if digest.previous_signature != signature:
            self._spoilt(key, "has another signature of the digest before it")
        if digest.start != previous.end:
            self._spoilt(key, f"starts at {format_time(digest.start)}, not where the one before it ends")
        numbers = _number(previous), _number(digest)
        if None not in numbers and numbers[0] + 1 != numbers[1]:  # type: ignore[operator]
            self._spoilt(key, f"is number {numbers[1]} of its chain, after number {numbers[0]}")

    def _expect(self) -> None:
        """What is known from elsewhere must be there, and nothing newer than what is known to be the newest."""
        for key in self._anchors.known:
            if key.startswith(self._root) and not self._bucket.has(key):
                self._wrong(key, "is gone: this digest is known to have been delivered")
        if not self._anchors.complete:
            return
        ends: dict[str, str] = {}
        for key in self._anchors.known:
            ends[_chain_of(key)] = max(ends.get(_chain_of(key), ""), _end(key))
        for chain, (key, _) in self.told.newest.items():
            if _end(key) > ends.get(chain, ""):
                self._spoilt(key, "was never delivered: it is newer than the newest that is known")

    # ---- log files

    def _log(self, digest: str, bucket: str, key: str, sha256: str, algorithm: str) -> None:
        self.told.log_files += 1
        if key in self._named:
            self._spoilt_log(key, f"is named twice, by {self._named[key]} and {digest}")
        self._named[key] = digest
        if bucket != self._name:
            self._spoilt_log(key, f"is said to be in another bucket: {bucket}")
        if algorithm != HASH_ALGORITHM:
            self._spoilt_log(key, f"is hashed by {algorithm}, not by {HASH_ALGORITHM}")
        stored = self._bucket.get(key)
        if stored is None:
            self._spoilt_log(key, "is gone")
            return
        try:
            content = inflated(stored.content, bytes_max=CONTENT_BYTES_MAX)
        except BadDigest as error:
            self._spoilt_log(key, str(error))
            return
        if hashlib.sha256(content).hexdigest() != sha256:
            self._spoilt_log(key, "is not what was delivered")

    def _unnamed(self) -> None:
        for log in LOGS:
            for key in self._bucket.every_key(f"{self._root}{log}/"):
                if key not in self._named:
                    self._wrong(key, "is named by no digest")

    # ---- findings

    def _spoilt(self, key: str, detail: str) -> None:
        self.told.bad_digests.add(key)
        self._wrong(key, detail)

    def _spoilt_log(self, key: str, detail: str) -> None:
        self.told.bad_log_files.add(key)
        self._wrong(key, detail)

    def _wrong(self, key: str, detail: str) -> None:
        self.told.findings.append(Finding(key, detail))


def _number(digest: Digest) -> int | None:
    """Which digest of its chain it is, where it is one of a ledger."""
    number = _of_ledger(digest).get("digestNumber")
    return number if isinstance(number, int) else None


def _of_ledger(digest: Digest) -> Mapping[str, Any]:
    own = digest.document.get("iamLedger")
    return own if isinstance(own, Mapping) else {}


def _end(key: str) -> str:
    found = DIGEST_KEY.fullmatch(key)
    return found["end"] if found else ""


def _chain_of(key: str) -> str:
    """What the chain of a digest is called: its region, and the trail where that is not a ledger's."""
    found = DIGEST_KEY.fullmatch(key)
    if found is None:
        return ""
    return found["region"] if found["trail"] == TRAIL else f"{found['region']} {found['trail']}"


def anchors_of(told: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`KEY=SHA256`, as an export prints them. Raises ValueError."""
    for one in told:
        key, _, sha256 = one.rpartition("=")
        if DIGEST_KEY.fullmatch(key) is None or len(sha256) != 64:
            raise ValueError(f"{one!r} is no digest: KEY=SHA256 is, as `export` prints it")
        yield key, sha256
