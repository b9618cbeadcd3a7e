"""Writes records as CloudTrail delivers them: one gzip file for some five minutes of a region of an account."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from api.demo.day import delivery_folder, delivery_name
from api.demo.trail import Act

_WINDOW = 5 * 60
_FILES_WITH_A_DUPLICATE = 6


def write_delivered(folder: Path, acts: Iterable[Act], random: Random) -> tuple[list[Path], list[str]]:
    """The files, and the event ids that were delivered twice, each in two files with the same content.

    Within a file the order is none: neither by time nor, within a second, by what depended on what.
    """
    batches: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for act in acts:
        late = random.choice([0, 0, 0, 0, 0, 0, 0, 0, 1])  # some come with the next delivery
        batches[act.account_id, act.region, act.moment // _WINDOW + late].append(act.record)
    duplicates = _deliver_some_twice(batches, random)
    paths = []
    for (account_id, region, window), records in sorted(batches.items()):
        random.shuffle(records)
        paths.append(_write(folder, account_id, region, (window + 1) * _WINDOW, records, random))
    return paths, duplicates


def _deliver_some_twice(
    batches: dict[tuple[str, str, int], list[dict[str, Any]]], random: Random
) -> list[str]:
    twice: list[str] = []
    followed = [key for key in sorted(batches) if (*key[:2], key[2] + 1) in batches and len(batches[key]) > 9]
    for account_id, region, window in random.sample(followed, _FILES_WITH_A_DUPLICATE):
        record = random.choice(batches[account_id, region, window])
        if record["eventID"] not in twice:
            batches[account_id, region, window + 1].append(record)
            twice.append(record["eventID"])
    return sorted(twice)


def _write(
    folder: Path, account_id: str, region: str, moment: int, records: list[dict[str, Any]], random: Random
) -> Path:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    unique = "".join(random.choices(letters, k=16))
    place = folder / "AWSLogs" / account_id / "CloudTrail" / region / delivery_folder(moment)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{account_id}_CloudTrail_{region}_{delivery_name(moment)}_{unique}.json.gz"
    body = json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False).encode()
    path.write_bytes(gzip.compress(body, compresslevel=6, mtime=0))
    return path
