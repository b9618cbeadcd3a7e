"""A folder that accounts are delivered to, run after run: what marks it as one, and the public keys beside the objects.

The keys stand there as `aws cloudtrail list-public-keys` prints them, for whoever checks the folder without a ledger.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.digests import PublicKey
from ledger.record import format_time
from projections.export.bucket import write_file
from projections.export.manifest import PRODUCT
from projections.export.target import ExportFailed, TargetExists

MARK_NAME: Final = "delivery.json"
KEYS_NAME: Final = "public-keys.json"
MARK: Final = {"product": PRODUCT, "form": "cloudtrail-delivery", "version": 1}


def claim(folder: Path) -> None:
    """Mark the folder, which is made, or is empty, or is marked already. Raises TargetExists and ExportFailed."""
    try:
        if folder.exists() and not folder.is_dir():
            raise TargetExists(f"{folder} is no folder; name a folder that is to be made")
        if is_claimed(folder):
            return
        if folder.exists() and any(it for it in folder.iterdir() if not it.name.endswith(".partial")):
            raise TargetExists(f"{folder} is not empty, and nothing was delivered to it; name another folder")
        write_file(folder / MARK_NAME, orjson.dumps(MARK) + b"\n")
    except OSError as error:
        raise ExportFailed(f"cannot write {folder}: {error.strerror or error}") from error


def is_claimed(folder: Path) -> bool:
    try:
        told = orjson.loads((folder / MARK_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return False
    return isinstance(told, dict) and told.get("form") == MARK["form"] and told.get("product") == PRODUCT


def write_public_keys(folder: Path, keys: Iterable[PublicKey]) -> None:
    try:
        write_file(folder / KEYS_NAME, public_keys_text(keys))
    except OSError as error:
        raise ExportFailed(f"cannot write {folder / KEYS_NAME}: {error.strerror or error}") from error


def public_keys_text(keys: Iterable[PublicKey]) -> bytes:
    """As `aws cloudtrail list-public-keys` prints them, each once: accounts of a ledger may share a key."""
    listed: dict[str, dict[str, Any]] = {}
    for key in keys:
        one = listed.setdefault(key.fingerprint, {"since": key.since, "until": key.until, "value": key.value})
        one["since"], one["until"] = min(one["since"], key.since), max(one["until"], key.until)
    document = {
        "PublicKeyList": [
            {
                "Value": base64.b64encode(one["value"]).decode(),
                "ValidityStartTime": format_time(one["since"]),
                "ValidityEndTime": format_time(one["until"]),
                "Fingerprint": fingerprint,
            }
            for fingerprint, one in listed.items()
        ]
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
