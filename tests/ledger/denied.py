"""The denials of the recorded logs, with AWS's own words of them as somebody else took them out of the messages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from ledger.record import Record, read_record


@dataclass(frozen=True)
class Denied:
    record: Record
    action: str
    resource: str | None
    principal: str | None

    @property
    def wanted(self) -> tuple[str | None, ...]:
        return (self.action, self.resource, self.principal)

    @property
    def silent(self) -> Record:
        """The record as it would be without the message."""
        return read_record(
            {key: value for key, value in self.record.document.items() if key != "errorMessage"}
        )


def denied(real_logs: Path) -> Iterator[Denied]:
    for line in (real_logs / "oracles" / "denied_actions.ndjson").read_bytes().splitlines():
        told = orjson.loads(line)
        document = _records(real_logs / told["file"])[told["eventID"]]
        yield Denied(read_record(document), told["action"], told["resource"], told["principal"])


@cache
def _records(file: Path) -> dict[str, dict[str, Any]]:
    raw = file.read_bytes()
    told = orjson.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw)
    if isinstance(told, dict):
        told = told.get("Records", [told])
    return {it["eventID"]: it for it in told}
