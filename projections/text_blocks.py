"""Blocks of entries in which a text is looked for; those that were looked at lately are remembered.

Nearly every question by text looks at the newest entries first, and so finds their bodies read and decompressed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import POSITIONS_MAX, Key, bound_keys, listed_bound
from ledger.log.schema import entries
from projections.text_segment import BLOCK_ENTRIES

READ_BYTES_MAX: Final = 64 << 20  # of bodies that are remembered: some 90,000 entries
_ENTRY_BYTES: Final = 250  # of memory, beside the body
_BETWEEN: Final = b"\n"  # stands in no body: JSON writes it as two signs

Place = tuple[int, int, int]  # time, account, position
Extent = tuple[int, int, int]  # account, first position, how many entries: a block, or the end of a log

LOOKED_AT: Final = (
    entries.c.time,
    entries.c.account,
    entries.c.position,
    entries.c.coding,
    entries.c.body,
)


@dataclass(frozen=True, slots=True)
class _Read:
    """The entries of an extent, and their bodies in lower case."""

    places: tuple[Place, ...]
    bodies: bytes

    def holding(self, text: bytes) -> Iterator[Place]:
        """Those whose body holds a text."""
        for place, body in zip(self.places, self.bodies.split(_BETWEEN), strict=True):
            if text in body:
                yield place

    @property
    def bytes(self) -> int:
        """Of memory, about."""
        return len(self.bodies) + _ENTRY_BYTES * len(self.places)


class Blocks:
    """The blocks of one ledger. What is in an extent never changes, but that it may be erased: see `forget`."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._read: OrderedDict[Extent, _Read] = OrderedDict()
        self._bytes = 0
        self._turn = threading.Lock()

    def holding(self, connection: sa.Connection, wanted: Collection[Extent], text: bytes) -> list[Place]:
        """The entries that hold a text, given as JSON writes it and in lower case; one may have been erased since."""
        read = self._remembered(wanted)
        if len(read) < len(wanted):
            read |= self._load(connection, set(wanted) - read.keys())
        return [place for one in read.values() if text in one.bodies for place in one.holding(text)]

    def forget(self) -> None:
        """All bodies: some entry was erased whose body may be remembered."""
        with self._turn:
            self._read.clear()
            self._bytes = 0

    def _remembered(self, wanted: Collection[Extent]) -> dict[Extent, _Read]:
        with self._turn:
            found = {extent: self._read[extent] for extent in wanted if extent in self._read}
            for extent in found:
                self._read.move_to_end(extent)
        return found

    def _load(self, connection: sa.Connection, wanted: Collection[Extent]) -> dict[Extent, _Read]:
        dialect = connection.dialect.name
        told = {"blocks": bound_keys(dialect, sorted(extent[:2] for extent in wanted))}
        found: defaultdict[Key, list[tuple[Place, bytes]]] = defaultdict(list)
        for time, account, position, body in self.log.bodies(connection, in_blocks(dialect), told):
            found[account, position - position % BLOCK_ENTRIES].append(((time, account, position), body))
        loaded = {}
        for (account, start), block in found.items():
            places, bodies = zip(*block, strict=True)
            loaded[account, start, len(block)] = _Read(places, _BETWEEN.join(bodies).lower())
        with self._turn:
            for extent, one in loaded.items():
                if extent not in self._read:
                    self._read[extent] = one
                    self._bytes += one.bytes
            while self._bytes > READ_BYTES_MAX:
                self._bytes -= self._read.popitem(last=False)[1].bytes
        return loaded


@cache
def in_blocks(dialect: str) -> sa.Select[Any]:
    """The entries of the blocks that begin at the keys `blocks`, in whatever order.

    PostgreSQL thinks a range to be of many, SQLite is slow with a list.
    """
    key = listed_bound(dialect, "blocks")
    position, start = entries.c.position, key % POSITIONS_MAX
    if dialect == "postgresql":
        within = position.in_([start + place for place in range(BLOCK_ENTRIES)])
    else:
        within = position.between(start, start + (BLOCK_ENTRIES - 1))
    return sa.select(*LOOKED_AT).where(entries.c.account == key // POSITIONS_MAX, within)
