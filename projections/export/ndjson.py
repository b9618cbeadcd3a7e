"""Entries as lines of JSON: the lines that `events --format ndjson` prints, in canonical form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.entry import Entry
from ledger.record import canonical
from projections.lines import line


def ndjson(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One line an entry, with the record whole under `record`."""
    for entry in entries:
        yield canonical(line(entry)) + b"\n"
