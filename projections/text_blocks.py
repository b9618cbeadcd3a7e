"""Blocks of entries in which a text is looked for; those that were looked at lately are remembered.

Nearly every question by text looks at the newest entries first, and so finds their bodies read and decompressed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import POSITIONS_MAX, Key, bound_keys, listed_bound
from ledger.log.schema import entries
from projections.recent import Recent
from projections.text_segment import BLOCK_ENTRIES

READ_BYTES_MAX: Final = 64 << 20  # of bodies that are remembered: some 90,000 entries
AT_ONCE_MAX: Final = 256  # blocks: who looks at more, looks for what is rare, and nobody comes that way again
_ENTRY_BYTES: Final = 250  # of memory, beside the body

Place = tuple[int, int, int]  # time, account, position
Extent = tuple[int, int, int]  # account, first position, how many entries: a block, or the end of a log
Read = list[tuple[Place, bytes]]  # the entries of an extent, and their bodies in lower case

LOOKED_AT: Final = (
    entries.c.time,
    entries.c.account,
    entries.c.position,
    entries.c.coding,
    entries.c.body,
)


class Blocks:
    """The blocks of one ledger. What is in an extent never changes, but that it may be erased: see `forget`."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._read: Recent[Extent, Read] = Recent(READ_BYTES_MAX, _bytes)

    def holding(
        self,
        connection: sa.Connection,
        wanted: Collection[Extent],
        text: bytes,
        narrowed: sa.Select[Any] | None = None,
    ) -> list[Place]:
        """The entries that hold a text, given as JSON writes it and in lower case; one may have been erased since.

        `narrowed` is `in_blocks` with conditions: only what it lets through is read, and nothing is remembered.
        """
        if narrowed is not None:
            return self._look(connection, narrowed, wanted, text)
        read = self._read.among(wanted)
        missing = set(wanted) - read.keys()
        found: list[Place] = []
        if len(missing) > AT_ONCE_MAX:
            found += self._look(connection, in_blocks(connection.dialect.name), missing, text)
        elif missing:
            read |= self._load(connection, missing)
        found += [place for one in read.values() for place, body in one if text in body]
        return found

    def forget(self) -> None:
        """All bodies: some entry was erased whose body may be remembered."""
        self._read.forget()

    def _look(
        self, connection: sa.Connection, query: sa.Select[Any], wanted: Collection[Extent], text: bytes
    ) -> list[Place]:
        return self.log.holding(connection, query, {"blocks": _keys(connection, wanted)}, text)

    def _load(self, connection: sa.Connection, wanted: Collection[Extent]) -> dict[Extent, Read]:
        query, told = in_blocks(connection.dialect.name), {"blocks": _keys(connection, wanted)}
        blocks: defaultdict[Key, Read] = defaultdict(list)
        for time, account, position, body in self.log.bodies(connection, query, told):
            start = account, position - position % BLOCK_ENTRIES
            blocks[start].append(((time, account, position), body.lower()))
        loaded = {(*start, len(one)): one for start, one in blocks.items()}
        self._read.keep(loaded)
        return loaded


def _bytes(read: Read) -> int:
    """Of memory, about."""
    return sum(len(body) + _ENTRY_BYTES for _, body in read)


def _keys(connection: sa.Connection, extents: Iterable[Extent]) -> str:
    return bound_keys(connection.dialect.name, sorted(extent[:2] for extent in extents))


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
