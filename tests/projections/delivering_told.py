"""A ledger with a clock of its own, delivered to a folder; and objects of that folder, spoilt."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from ledger.checkpoint import new_ledger_key
from ledger.digests import DIGEST_KEY
from ledger.entry import NATIVE, Draft, Origin
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.record import format_time, read_record
from projections.export.bucket import Bucket, FolderBucket
from projections.export.delivering import Course, Delivered, deliver
from projections.export.signing_keys import SigningKey, SigningKeys, new_signing_key
from tests.ledger.told import ACCOUNT

HOUR = 3_600
MORNING = 1_800_000_000 - 1_800_000_000 % HOUR  # a full hour
BUCKET = "iam-ledger-exports"
KEY, OTHER_KEY = new_signing_key(2048), new_signing_key(2048)
LOG_KEY = new_ledger_key("tested")

_numbers = itertools.count(1)


def a_call(
    name: str = "ListUsers", *, region: str = "us-east-1", at: int = MORNING, **more: Any
) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "Root", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root"},
        "eventTime": format_time(at),
        "eventSource": "iam.amazonaws.com" if region == "us-east-1" else "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.31",
        "requestParameters": None,
        "responseElements": None,
        "eventID": f"00000000-0000-4000-8000-{next(_numbers):012}",
        "recipientAccountId": ACCOUNT,
    } | more


class Living:
    """`now` is what its clock says, in seconds since 1970."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.now = float(MORNING + 100)
        self.log = Log(open_engine(url or str(folder / "ledger.sqlite"), create=True), clock=lambda: self.now)
        self.folder = folder / "delivered"
        self.bucket = FolderBucket(self.folder)
        self.keys = SigningKeys([KEY])
        self.checkpoints: Checkpoints | None = Checkpoints(self.log, LOG_KEY)

    def tell(self, *records: Mapping[str, Any], origin: Origin = NATIVE) -> Living:
        for record in records or (a_call(at=int(self.now)),):
            self.log.append([Draft.of(read_record(dict(record), account_id=ACCOUNT), origin)])
        return self

    def deliver(self, to: Bucket | None = None, **how: Any) -> Delivered:
        place = self.bucket if to is None else to
        course = Course(BUCKET, how.pop("prefix", None), **how)
        return deliver(
            self.log,
            ACCOUNT,
            place,
            self.keys,
            course,
            checkpoints=self.checkpoints,
            clock=lambda: self.now,
        )

    def digests(self) -> list[str]:
        """Keys, the oldest first."""
        keys = [key for key in self.bucket.every_key() if DIGEST_KEY.fullmatch(key)]
        return sorted(keys, key=lambda key: (key[-24:-8], key))

    def logs(self) -> list[str]:
        return [key for key in self.bucket.every_key() if "/CloudTrail/" in key]

    def digest(self, number: int) -> dict[str, Any]:
        return document(self.bucket, self.digests()[number])

    def files(self) -> dict[str, bytes]:
        return files_of(self.folder)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def text_of(bucket: Bucket, key: str) -> bytes:
    found = bucket.get(key)
    assert found is not None
    return gzip.decompress(found.content)


def document(bucket: Bucket, key: str) -> dict[str, Any]:
    told = orjson.loads(text_of(bucket, key))
    assert isinstance(told, dict)
    return told


def signature(key: SigningKey, told: Mapping[str, Any], text: bytes) -> str:
    """As CloudTrail signs. Source: its user guide, "Custom implementations of CloudTrail log file integrity validation"."""
    from hashlib import sha256

    lines = (
        told["digestEndTime"],
        f"{told['digestS3Bucket']}/{told['digestS3Object']}",
        sha256(text).hexdigest(),
        told["previousDigestSignature"] or "null",
    )
    return key.sign("\n".join(lines).encode())


def put_signed(bucket: Bucket, told: Mapping[str, Any], key: SigningKey = KEY) -> None:
    """Put a digest in the place that it names, signed."""
    text = orjson.dumps(dict(told))
    metadata = {"signature": signature(key, told, text), "signature-algorithm": "SHA256withRSA"}
    bucket.put(told["digestS3Object"], gzip.compress(text, mtime=0), metadata)


def delete(folder: Path, keys: Iterable[str]) -> None:
    for key in keys:
        (folder / key).unlink()
