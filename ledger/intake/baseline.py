"""Takes an account snapshot into the log: the baseline that the fold starts from."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.intake.snapshots import SnapshotRejected, snapshot_record
from ledger.log import Appended, Log
from ledger.record import format_time, read_record
from ledger.redaction import redact

FILE_BYTES_MAX = 512 << 20
ACCOUNT_OF_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):")


def import_snapshot(log: Log, path: Path, *, taken_at: int, account: str | None = None) -> Appended:
    """Append a snapshot, the output of `aws iam get-account-authorization-details`, as one entry.

    `taken_at` is in seconds since 1970. `account` is needed only where the snapshot's ARNs name none. The same
    snapshot again is a duplicate. Raises SnapshotRejected.
    """
    raw = _read(path)
    try:
        document = orjson.loads(raw)
        account_id = account or account_of(document)
        record = read_record(redact(snapshot_record(document, format_time(taken_at), account_id)))
        return log.append([Draft.of(record, Origin(str(path), hashlib.sha256(raw).hexdigest()))])
    except SnapshotRejected as error:
        raise SnapshotRejected(f"{path}: {error}") from error
    except orjson.JSONDecodeError as error:
        raise SnapshotRejected(f"{path} is not JSON: {error}") from error
    except orjson.JSONEncodeError as error:
        raise SnapshotRejected(f"{path} cannot be kept: {error}") from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SnapshotRejected(f"{path} has more than {FILE_BYTES_MAX >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise SnapshotRejected(f"cannot read {path}: {error.strerror}") from error


def account_of(document: Any) -> str:
    """The account that most of a snapshot's ARNs name."""
    told = Counter(
        found[1]
        for entity in _entities(document)
        if isinstance(arn := entity.get("Arn"), str) and (found := ACCOUNT_OF_ARN.match(arn))
    )
    if not told:
        raise SnapshotRejected("no ARN in the snapshot names its account; say which with --account")
    return told.most_common(1)[0][0]


def _entities(document: Any) -> Iterator[Mapping[str, Any]]:
    pages = document if isinstance(document, list) else [document]
    for page in pages:
        for member in page.values() if isinstance(page, Mapping) else ():
            for entity in member if isinstance(member, list) else ():
                if isinstance(entity, Mapping):
                    yield entity
