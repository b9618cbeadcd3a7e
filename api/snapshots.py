"""A snapshot of an account, from the file that the AWS command line wrote into the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.intake.snapshots import SnapshotRejected, snapshot_record
from ledger.log import Appended, Log
from ledger.record import format_time, read_record

FILE_BYTES_MAX = 512 * 1024 * 1024
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def import_snapshot(log: Log, path: Path, *, taken_at: int, account: str | None = None) -> Appended:
    """Append the snapshot as an entry like any other; raises SnapshotRejected.

    `account` is asked for only where nothing in the snapshot has an ARN that names it.
    """
    raw = _read(path)
    try:
        told = orjson.loads(raw)
        account_id = account or _account_in(told)
        record = snapshot_record(told, format_time(taken_at), account_id)
        origin = Origin(path.name, hashlib.sha256(raw).hexdigest())
        return log.append([Draft.of(read_record(record), origin)])
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


def _account_in(told: Any) -> str:
    """The account that the ARNs name."""
    for page in told if isinstance(told, list) else [told]:
        for one in _listed(page):
            arn = one.get("Arn") if isinstance(one, dict) else None
            owner = arn.split(":")[4:5] if isinstance(arn, str) else []
            if owner and owner[0].isascii() and owner[0].isdigit():
                return str(owner[0])
    raise SnapshotRejected("nothing in it tells whose account it is; say --account")


def _listed(page: Any) -> Iterator[Any]:
    for name in LISTS:
        listed = page.get(name) if isinstance(page, dict) else None
        if isinstance(listed, list):
            yield from listed
