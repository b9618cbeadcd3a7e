"""Where in the log a text may stand: a projection of segments (see `text_segment`), and the question asked of it.

An account's log is cut into segments of a fixed set of sizes, the largest first, each at a multiple of its size; what
remains at the end, less than the smallest, is in none and is looked at always. So the segments follow from the length
of the log alone, however it grew, and a new tail costs little: a few entries are laid out anew, and the large
segments stay. Small ones give way to a larger one when they are as many as fill it.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import sqlalchemy as sa
import zstandard

from ledger.log import Log
from ledger.log.rows import Key
from ledger.log.schema import accounts, entries
from projections.plans import Order
from projections.recent import Recent
from projections.runner import Projection, Span, metadata
from projections.text_blocks import Extent
from projections.text_segment import BLOCK_ENTRIES, LEVEL, Flagged, Packed, Segment, pack

SIZES: Final = (65_536, 16_384, 4_096, 1_024, 256, 64, 16)
TIME_SECONDS: Final = 128  # what times of blocks are told in
READ_ENTRIES: Final = 1_024  # at a time
FEW: Final = 32  # one in so many blocks: sooner sorted than picked from all in order
OPENED_BYTES_MAX: Final = 256 << 20  # of unpacked segments that are remembered: some ten million entries
NOWHERE: Final = -1

# Neighbouring entries of one account: the time that none of them is newer (or older) than, the account, the first position.
Block = tuple[int, int, int]

segments = sa.Table(
    "text_segments",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.Integer, nullable=False, comment="how many entries"),
    sa.Column("times", sa.LargeBinary, nullable=False, comment="of each block: its oldest and newest entry"),
    sa.Column("words", sa.LargeBinary, nullable=False),
    sa.Column("postings", sa.LargeBinary, nullable=False),
    sa.Column("marks", sa.LargeBinary, nullable=False),
)


_THERE = (
    sa.select(accounts.c.id, accounts.c.size, segments.c.start, segments.c.size)
    .join_from(accounts, segments, segments.c.account == accounts.c.id, isouter=True)
    .order_by(accounts.c.id, segments.c.start)
)


@dataclass(frozen=True, slots=True)
class _Opened:
    account: int
    start: int
    times: _Times
    segment: Segment

    @property
    def bytes(self) -> int:
        """Of memory, about."""
        return self.segment.bytes + 32 * self.segment.blocks


@dataclass(slots=True)
class _Asked:
    """A segment, asked for a text when its answer is needed: where it is old, a page is full before."""

    opened: _Opened
    text: bytes
    _blocks: Collection[int] | None = None

    @property
    def blocks(self) -> Collection[int]:
        """Those that may hold it."""
        if self._blocks is None:
            self._blocks = self.opened.segment.blocks_with(self.text)
        return self._blocks

    def in_order(self, order: Order, since: int, until: int) -> Iterator[Block]:
        """The blocks that reach into a stretch of time; before them NOWHERE, at the first time that one can have."""
        times, account, start = self.opened.times, self.opened.account, self.opened.start
        yield times.first(order), account, NOWHERE
        oldest, newest = times.oldest, times.newest
        told = newest if order == "newest" else oldest
        for number in times.in_order(self.blocks, order):
            if newest[number] >= since and oldest[number] < until:
                yield told[number], account, start + number * BLOCK_ENTRIES


@dataclass(frozen=True, slots=True)
class Places:
    """Where a text may stand: blocks of the segments, and all that is in none."""

    found: dict[int, list[_Asked]]  # by account, in order
    beyond: dict[int, tuple[int, int]]  # by account: the first position that no segment has, and the head

    @property
    def to_lay_out(self) -> bool:
        """Whether entries are in no segment that could be in one."""
        return any(end - start >= SIZES[-1] for start, end in self.beyond.values())

    @property
    def unread(self) -> int:
        """How many entries no segment has."""
        return sum(end - start for start, end in self.beyond.values())

    def unread_blocks(self) -> Iterator[Extent]:
        """The blocks that no segment has."""
        for account, (start, end) in self.beyond.items():
            for first in range(start, end, BLOCK_ENTRIES):
                yield account, first, min(BLOCK_ENTRIES, end - first)

    def __len__(self) -> int:
        """How many entries there are to be looked at, at most."""
        blocks = sum(len(one.blocks) for found in self.found.values() for one in found)
        return BLOCK_ENTRIES * blocks + self.unread

    def __contains__(self, key: Key) -> bool:
        """Whether the text may stand in the entry of this account and position."""
        account, position = key
        if account in self.beyond and position >= self.beyond[account][0]:
            return True
        found = self.found.get(account, [])
        place = bisect_right(found, position, key=lambda one: one.opened.start) - 1
        if place < 0:
            return False
        one = found[place]
        return (position - one.opened.start) // BLOCK_ENTRIES in one.blocks

    def in_order(self, order: Order, since: int, until: int) -> Iterator[Block]:
        """The blocks that reach into a stretch of time, those first whose entries may come first."""
        streams = [one.in_order(order, since, until) for found in self.found.values() for one in found]
        merged = heapq.merge(*streams, reverse=order == "newest")
        return (block for block in merged if block[2] != NOWHERE)


class _Replaced(Exception):
    """A segment is gone that was there a moment ago: PostgreSQL lets each statement see the newest rows."""


class Texts:
    """The segments of one ledger, remembered as they are used; they never change."""

    def __init__(self) -> None:
        self._opened: Recent[tuple[int, int, int], _Opened] = Recent(OPENED_BYTES_MAX, lambda one: one.bytes)

    def places(self, connection: sa.Connection, text: bytes, account: int | None = None) -> Places:
        """Where a text may stand, given as JSON writes it and in lower case; of one account, or of all."""
        while True:
            try:
                return self._places(connection, text, account)
            except _Replaced:
                continue  # by a larger one, which happens a few times at most while a log grows by 65,536 entries

    def _places(self, connection: sa.Connection, text: bytes, account: int | None) -> Places:
        query = _THERE if account is None else _THERE.where(accounts.c.id == account)
        found: dict[int, list[_Asked]] = {}
        beyond: dict[int, tuple[int, int]] = {}
        for number, head, start, size in connection.execute(query).all():
            end = 0 if start is None else start + size
            if size is not None:
                key = (number, start, size)
                opened = self._opened.get(key) or self._open(connection, key)
                found.setdefault(number, []).append(_Asked(opened, text))
            beyond[number] = end, head
        return Places(found, {number: rest for number, rest in beyond.items() if rest[0] < rest[1]})

    def _open(self, connection: sa.Connection, key: tuple[int, int, int]) -> _Opened:
        account, start, size = key
        s = segments.c
        query = sa.select(segments).where(s.account == account, s.start == start, s.size == size)
        row = connection.execute(query).first()
        if row is None:
            raise _Replaced
        packed = Packed(bytes(row.words), bytes(row.postings), bytes(row.marks))
        blocks = size // BLOCK_ENTRIES
        one = _Opened(account, start, _Times.unpack(row.times, blocks), Segment(packed, blocks))
        self._opened.keep({key: one})
        return one


@dataclass(frozen=True, slots=True)
class _Times:
    """The oldest and newest entry of each block, seconds since 1970, and less than TIME_SECONDS beyond."""

    oldest: array[int]
    newest: array[int]
    orders: dict[Order, array[int]] = field(default_factory=dict)  # all blocks, as soon as they are asked for
    firsts: dict[Order, int] = field(default_factory=dict)

    def first(self, order: Order) -> int:
        """The time that the first of all blocks is in order by."""
        if order not in self.firsts:
            self.firsts[order] = max(self.newest) if order == "newest" else min(self.oldest)
        return self.firsts[order]

    def in_order(self, blocks: Collection[int], order: Order) -> Iterable[int]:
        if FEW * len(blocks) < len(self.oldest):
            return self._sorted(blocks, order)
        if order not in self.orders:
            self.orders[order] = array("H", self._sorted(range(len(self.oldest)), order))
        every = self.orders[order]
        if isinstance(blocks, Flagged):
            return blocks.among(every)
        return filter(blocks.__contains__, every)

    def _sorted(self, numbers: Iterable[int], order: Order) -> list[int]:
        newest = order == "newest"
        return sorted(numbers, key=(self.newest if newest else self.oldest).__getitem__, reverse=newest)

    def pack(self) -> bytes:
        parts = [time // TIME_SECONDS for time in self.oldest]
        steps = [after - before for before, after in zip([0, *parts], parts, strict=False)]
        spans = [new // TIME_SECONDS - old for old, new in zip(parts, self.newest, strict=True)]
        raw = b"".join(number.to_bytes(6, "little", signed=True) for number in (*steps, *spans))
        by_weight = b"".join(raw[place::6] for place in range(6))  # the many noughts side by side
        return zstandard.ZstdCompressor(level=LEVEL).compress(by_weight)

    @staticmethod
    def unpack(packed: bytes, blocks: int) -> _Times:
        by_weight = zstandard.ZstdDecompressor().decompress(packed)
        raw = bytearray(len(by_weight))
        for place in range(6):
            raw[place::6] = by_weight[place * 2 * blocks : (place + 1) * 2 * blocks]
        numbers = [int.from_bytes(raw[at : at + 6], "little", signed=True) for at in range(0, len(raw), 6)]
        oldest, newest, part = array("q"), array("q"), 0
        for step, span in zip(numbers[:blocks], numbers[blocks:], strict=True):
            part += step
            oldest.append(part * TIME_SECONDS)
            newest.append((part + span + 1) * TIME_SECONDS - 1)
        return _Times(oldest, newest)


def advance(connection: sa.Connection, log: Log, span: Span) -> None:
    """Lay out the text of a span, and of what stood in small segments before it."""
    first = span.start - span.start % SIZES[0]
    wanted = dict(cut(first, span.end))
    s = segments.c
    there = sa.select(s.start, s.size).where(s.account == span.account, s.start >= first)
    for start, size in connection.execute(there).all():
        if wanted.get(start) == size:
            del wanted[start]
        else:
            connection.execute(sa.delete(segments).where(s.account == span.account, s.start == start))
    for start, size in wanted.items():
        _lay_out(connection, log, span.account, start, size)


def cut(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The start and size of the segments between two positions, of which the first begins a largest one."""
    for size in SIZES:
        while start + size <= end:
            yield start, size
            start += size


def _lay_out(connection: sa.Connection, log: Log, account: int, start: int, size: int) -> None:
    times = _Times(array("q"), array("q"))

    def blocks() -> Iterator[list[bytes]]:
        read = _read(connection, log, account, start, size)
        while block := list(islice(read, BLOCK_ENTRIES)):
            times.oldest.append(min(time for time, _ in block))
            times.newest.append(max(time for time, _ in block))
            yield [body.lower() for _, body in block]

    packed = pack(blocks())
    row = {"account": account, "start": start, "size": size, "times": times.pack(), **packed._asdict()}
    connection.execute(segments.insert().values(row))


def _read(
    connection: sa.Connection, log: Log, account: int, start: int, size: int
) -> Iterator[tuple[int, bytes]]:
    """Time and body of entries, in order of their positions."""
    e = entries.c
    for first in range(start, start + size, READ_ENTRIES):
        end = min(first + READ_ENTRIES, start + size)
        query = sa.select(e.time, e.coding, e.body).where(
            e.account == account, e.position >= first, e.position < end
        )
        yield from log.bodies(connection, query.order_by(e.position))


TEXTS = Projection(
    "texts", version=2, tables=(segments,), advance=advance, grain=SIZES[-1], span_max=SIZES[0]
)
