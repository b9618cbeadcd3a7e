"""Checks CloudTrail's digests, where they lie beside the logs that are imported.

The signature of a digest is metadata of its object in S3, which a copy on disk has lost; but the digest after it repeats it.
So the newest of a chain is without a signature here, unless the folder is one that a ledger delivered to. Nothing that is
found keeps a log from being imported: it is told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

import orjson

from ledger.digests import CONTENT_BYTES_MAX, BadDigest, Digest, PublicKeys, UnknownKey, inflated, read_digest
from ledger.intake.rejects import Reason, Skipped
from ledger.intake.sources import STDIN, find_sources

SIGNATURES: Final = "signatures"  # the folder where a delivering ledger keeps what S3 keeps as metadata
DIGEST_BYTES_MAX: Final = 16 * 1024 * 1024
NAME: Final = re.compile(r"_CloudTrail-Digest_.*_\d{8}T\d{6}Z(?:_backfill)?\.json(?:\.gz)?$", re.ASCII)


@dataclass(slots=True)
class DigestsChecked:
    """How many digests were verified, failed, or could not be judged for want of a key or of their signature.

    A digest fails too where a log file that it names is there and is another; one that is not there is only counted.
    """

    verified: int = 0
    failed: int = 0
    without_key: int = 0
    missing_logs: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.verified + self.failed + self.without_key


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    digest: Digest


def check_digests(paths: Iterable[str | Path], keys: PublicKeys | None = None) -> DigestsChecked:
    """Every digest that the paths of an import lead to; without keys only what they say of log files and each other."""
    checked = DigestsChecked()
    found: list[_Found] = []
    for path in _digest_files(paths):
        try:
            found.append(_Found(path, _read(path)))
        except BadDigest as error:
            _failed(checked, path, str(error))
    after: dict[tuple[str | None, str | None], Digest] = {
        (one.digest.previous_bucket, one.digest.previous_key): one.digest
        for one in found
        if one.digest.previous_key
    }
    by_place = {(one.digest.bucket, one.digest.key): one.digest for one in found}
    for one in found:
        _check(checked, one, keys or PublicKeys(), after, by_place)
    return checked


def _digest_files(paths: Iterable[str | Path]) -> list[Path]:
    told = (path for path in paths if str(path) != STDIN)
    return [
        Path(one.source)
        for one in find_sources(told)
        if isinstance(one, Skipped) and one.reason is Reason.DIGEST and NAME.search(one.source)
    ]


def _read(path: Path) -> Digest:
    try:
        with path.open("rb") as file:
            packed = file.read(DIGEST_BYTES_MAX + 1)
    except OSError as error:
        raise BadDigest(error.strerror or "cannot be read") from error
    plain = packed.lstrip()[:1] == b"{"  # somebody has unpacked it
    return read_digest(packed if plain else inflated(packed))


def _check(
    checked: DigestsChecked,
    one: _Found,
    keys: PublicKeys,
    after: dict[tuple[str | None, str | None], Digest],
    by_place: dict[tuple[str, str], Digest],
) -> None:
    digest = one.digest
    try:
        if one.path.name.removesuffix(".gz") != PurePath(digest.key).name.removesuffix(".gz"):
            raise BadDigest(f"was moved here from {digest.key}")
        before = by_place.get((digest.previous_bucket or "", digest.previous_key or ""))
        if before is not None and before.sha256 != digest.previous_sha256:
            raise BadDigest("has another hash of the digest before it")
        checked.missing_logs += _check_logs(one)
        next_one = after.get((digest.bucket, digest.key))
        told = None if next_one is None else next_one.previous_signature
        signature = told or _signature_beside(one)
        if signature is None:
            raise UnknownKey("its signature is not known")
        keys.check(digest, signature)
    except UnknownKey:
        checked.without_key += 1
    except BadDigest as error:
        _failed(checked, one.path, str(error))
    else:
        checked.verified += 1


def _check_logs(one: _Found) -> int:
    """How many of the log files that the digest names are not there. Raises BadDigest where one is another."""
    missing = 0
    for log in one.digest.logs:
        path = _beside(one, log.key)
        if path is None:
            missing += 1
            continue
        try:
            with path.open("rb") as file:
                content = file.read(CONTENT_BYTES_MAX)
            text = content if content.lstrip()[:1] == b"{" else inflated(content)
        except OSError as error:
            raise BadDigest(f"names {log.key}, which can't be read: {error.strerror}") from error
        except BadDigest as error:
            raise BadDigest(f"names {log.key}, which {error}") from error
        if hashlib.sha256(text).hexdigest() != log.sha256:
            raise BadDigest(f"names {log.key}, which is not what was delivered")
    return missing


def _beside(one: _Found, key: str) -> Path | None:
    """The file of a key, below the folder that the digest is below; or in the digest's own folder."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return None
    root, dropped = _root(one)
    tail = key.removeprefix(dropped) if key.startswith(dropped) else None
    candidates = [root / tail] if tail is not None else []
    candidates.append(one.path.parent / PurePath(key).name)
    for candidate in candidates:
        for path in (candidate, candidate.with_suffix("") if candidate.suffix == ".gz" else candidate):
            if path.is_file():
                return path
    return None


def _root(one: _Found) -> tuple[Path, str]:
    """The folder that keys are below, and what keys begin with above it: whoever copies may leave a prefix behind."""
    parts, told = list(one.path.parts[:-1]), one.digest.key.split("/")[:-1]
    while parts and told and parts[-1] == told[-1]:
        parts.pop()
        told.pop()
    return Path(*parts), "".join(f"{part}/" for part in told)


def _signature_beside(one: _Found) -> str | None:
    root, dropped = _root(one)
    path = root / SIGNATURES / f"{one.digest.key.removeprefix(dropped)}.json"
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    signature = told.get("signature") if isinstance(told, dict) else None
    return signature if isinstance(signature, str) else None


def _failed(checked: DigestsChecked, path: Path, detail: str) -> None:
    checked.failed += 1
    checked.failures.append(f"{path}: {detail}")
