"""The recorded Invictus log: 55 minutes of one account, whole files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from ledger.account.change import Change, Sighting
from ledger.account.sightings import SightingKey, sighting_key
from ledger.record import read_record

INVICTUS = "123837392027"


def records_of(real_logs: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((real_logs / "invictus-ir_aws_dataset" / "CloudTrail").glob("*.json.gz")):
        yield from orjson.loads(gzip.decompress(file.read_bytes()))["Records"]


def first_sightings(changes: list[Change], account_id: str) -> list[Sighting]:
    """Each caller of the account when first seen, by time."""
    seen: dict[SightingKey, Sighting] = {}
    for change in changes:
        key = sighting_key(change.actor, account_id)
        if key is not None and (key not in seen or seen[key].time > change.time):
            seen[key] = Sighting(change.position, change.time, change.actor)
    return list(seen.values())


def invictus(real_logs: Path) -> list[Change]:
    return [Change(at, read_record(it), native=False) for at, it in enumerate(records_of(real_logs))]
