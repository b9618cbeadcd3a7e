"""CloudTrail's digest files: what one says, and whether it is signed by a key that is known.

A digest names the log files of an hour with their hashes, and the digest before it. Source: CloudTrail user guide,
"CloudTrail digest file structure" and "Custom implementations of CloudTrail log file integrity validation". That a key's
fingerprint is the MD5 of its DER is told nowhere; it holds for every example that AWS publishes.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ledger.record import RecordRejected, parse_time

SIGNATURE_ALGORITHM: Final = "SHA256withRSA"
HASH_ALGORITHM: Final = "SHA-256"
CONTENT_BYTES_MAX: Final = 256 * 1024 * 1024  # CloudTrail's files have 50 MB at most
KEY_BITS_MIN: Final = 2048

DIGEST_KEY: Final = re.compile(
    r"(?:(?P<prefix>.+)/)?AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/CloudTrail-Digest/(?P<region>[a-z0-9-]+)/"
    r"\d{4}/\d\d/\d\d/(?P=account)_CloudTrail-Digest_(?P=region)_(?P<trail>.+)_[a-z0-9-]+_(?P<end>\d{8}T\d{6}Z)"
    r"(?P<backfill>_backfill)?\.json\.gz",
    re.ASCII,
)

_HEX = re.compile(r"[0-9a-f]+", re.ASCII)


class BadDigest(Exception):
    """A digest, or what it is checked by, is not what it should be. The message says how, in one line."""


class UnknownKey(BadDigest):
    """The key that is said to have signed is not among those that are known."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signs digests; good from `since` to `until`, in seconds since 1970."""

    fingerprint: str
    value: bytes  # DER of PKCS #1
    since: int
    until: int

    def listed(self) -> dict[str, Any]:
        """As ListPublicKeys answers it."""
        return {
            "Value": self.value,
            "ValidityStartTime": self.since,
            "ValidityEndTime": self.until,
            "Fingerprint": self.fingerprint,
        }


def value_of(key: RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def fingerprint_of(value: bytes) -> str:
    return hashlib.md5(value, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file as a digest names it."""

    bucket: str
    key: str
    sha256: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What a digest says, and the SHA-256 of its text. The five of the digest before it are None in the first.

    Times are in seconds since 1970; `end_told` is as it stands there, for that is what is signed.
    """

    sha256: str
    account_id: str
    start: int
    end: int
    end_told: str
    bucket: str
    key: str
    fingerprint: str
    algorithm: str
    previous_bucket: str | None
    previous_key: str | None
    previous_sha256: str | None
    previous_algorithm: str | None
    previous_signature: str | None
    logs: tuple[LogFile, ...]
    document: Mapping[str, Any]

    @property
    def begins_a_chain(self) -> bool:
        told = self.previous_bucket, self.previous_key, self.previous_sha256, self.previous_signature
        return not any(told)

    def string_to_sign(self) -> bytes:
        return string_to_sign(self.end_told, self.bucket, self.key, self.sha256, self.previous_signature)


def string_to_sign(end: str, bucket: str, key: str, sha256: str, previous_signature: str | None) -> bytes:
    return f"{end}\n{bucket}/{key}\n{sha256}\n{previous_signature or 'null'}".encode()


def read_digest(text: bytes) -> Digest:
    """A digest from its uncompressed text. Raises BadDigest."""
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadDigest("is not JSON") from error
    if not isinstance(told, dict):
        raise BadDigest("is no digest")
    try:
        start, end_told = _text(told, "digestStartTime"), _text(told, "digestEndTime")
        return Digest(
            sha256=hashlib.sha256(text).hexdigest(),
            account_id=_text(told, "awsAccountId"),
            start=parse_time(start),
            end=parse_time(end_told),
            end_told=end_told,
            bucket=_text(told, "digestS3Bucket"),
            key=_text(told, "digestS3Object"),
            fingerprint=_text(told, "digestPublicKeyFingerprint"),
            algorithm=_text(told, "digestSignatureAlgorithm"),
            previous_bucket=_text_or_none(told, "previousDigestS3Bucket"),
            previous_key=_text_or_none(told, "previousDigestS3Object"),
            previous_sha256=_text_or_none(told, "previousDigestHashValue"),
            previous_algorithm=_text_or_none(told, "previousDigestHashAlgorithm"),
            previous_signature=_text_or_none(told, "previousDigestSignature"),
            logs=tuple(map(_log_file, told["logFiles"])),
            document=told,
        )
    except (KeyError, TypeError, RecordRejected) as error:
        raise BadDigest(f"is no digest: {error}") from error


def _log_file(told: Any) -> LogFile:
    return LogFile(
        _text(told, "s3Bucket"),
        _text(told, "s3Object"),
        _text(told, "hashValue"),
        _text(told, "hashAlgorithm"),
    )


def _text(told: Any, name: str) -> str:
    value = told[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _text_or_none(told: Any, name: str) -> str | None:
    return None if told.get(name) is None else _text(told, name)


def inflated(packed: bytes, *, bytes_max: int = CONTENT_BYTES_MAX) -> bytes:
    """The content of exactly one gzip member. Raises BadDigest.

    Some readers stop after the first member and others go on: whatever follows it would be seen by the others alone.
    """
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(packed, bytes_max)
    except zlib.error as error:
        raise BadDigest("is no sound gzip file") from error
    if inflater.unconsumed_tail:
        raise BadDigest(f"inflates to more than {bytes_max:,} bytes")
    if not inflater.eof:
        raise BadDigest("ends too early")
    if inflater.unused_data:
        raise BadDigest(f"has {len(inflater.unused_data):,} bytes behind its end")
    return content


class PublicKeys:
    """Keys by their fingerprints."""

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self._keys = {key.fingerprint: key for key in keys}
        self._loaded: dict[str, RSAPublicKey] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())

    def check(self, digest: Digest, signature: str) -> None:
        """Raises UnknownKey, or BadDigest where the digest was not signed so, or at a time when the key was not good."""
        key = self._keys.get(digest.fingerprint)
        if key is None:
            raise UnknownKey(f"was signed by key {digest.fingerprint}, which is not known")
        if digest.algorithm != SIGNATURE_ALGORITHM:
            raise BadDigest(f"says that it is signed by {digest.algorithm}, not by {SIGNATURE_ALGORITHM}")
        if not _HEX.fullmatch(signature):
            raise BadDigest("has a signature that is none")
        try:
            self._key(key).verify(bytes.fromhex(signature), digest.string_to_sign(), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError) as error:
            raise BadDigest(f"was not signed so by key {key.fingerprint}") from error
        if digest.end <= key.since or digest.start >= key.until:
            raise BadDigest(f"was signed by key {key.fingerprint} at a time at which that was not in use")

    def _key(self, key: PublicKey) -> RSAPublicKey:
        found = self._loaded.get(key.fingerprint)
        if found is None:
            found = self._loaded[key.fingerprint] = _loaded(key)
        return found


def _loaded(key: PublicKey) -> RSAPublicKey:
    if fingerprint_of(key.value) != key.fingerprint:
        raise BadDigest(f"key {key.fingerprint} is not the one with this fingerprint")
    try:
        found = load_der_public_key(key.value)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadDigest(f"key {key.fingerprint} is no RSA key") from error
    if not isinstance(found, RSAPublicKey) or found.key_size < KEY_BITS_MIN:
        raise BadDigest(f"key {key.fingerprint} is no RSA key of {KEY_BITS_MIN} bits or more")
    return found


def read_public_keys(text: bytes) -> PublicKeys:
    """Keys as `aws cloudtrail list-public-keys` prints them. Raises BadDigest."""
    try:
        told = orjson.loads(text)
        listed = told["PublicKeyList"] if isinstance(told, dict) else told
        return PublicKeys(map(_public_key, listed))
    except (KeyError, TypeError, ValueError, OverflowError) as error:  # of JSON and of Base64, too
        raise BadDigest(
            "this is no list of public keys; `aws cloudtrail list-public-keys` prints one"
        ) from error


def _public_key(told: Mapping[str, Any]) -> PublicKey:
    return PublicKey(
        _text(told, "Fingerprint"),
        base64.b64decode(told["Value"], validate=True),
        _moment(told["ValidityStartTime"]),
        _moment(told["ValidityEndTime"]),
    )


def _moment(told: Any) -> int:
    if isinstance(told, str):
        return int(datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp())
    return int(told)
