"""Whether `mentions` names what the entries name, no more and no less, in one pass over each and in little memory.

The table is ordered by resource, the log by position. So both are summed up, block by block of positions, by a hash with
a secret of this run, and only a block whose sums differ is looked at row by row.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from ledger.log.schema import mentions
from ledger.verification.findings import Difference, Found, Kind

BLOCK: Final = 4_096
MASK: Final = (1 << 64) - 1

Mention = tuple[int, int, int]  # resource, time, position


class Mentions:
    """What the entries of one account name, from position `since` on."""

    def __init__(self, account: int, account_id: str, since: int) -> None:
        self._account, self._account_id, self._since = account, account_id, since
        self._secret = secrets.randbits(62)
        self._sums: dict[int, int] = {}

    def expect(self, told: Iterable[Mention]) -> None:
        self._sum(self._sums, told)

    def compare(self, connection: sa.Connection) -> list[int]:
        """The blocks that differ."""
        query = sa.select(mentions.c.resource, mentions.c.time, mentions.c.position).where(
            mentions.c.account == self._account, mentions.c.position >= self._since
        )
        found: dict[int, int] = {}
        streamed = connection.execution_options(stream_results=True, max_row_buffer=10_000)
        for part in streamed.execute(query).partitions(10_000):
            self._sum(found, part)
        return sorted(
            block for block in self._sums.keys() | found.keys() if self._sums.get(block) != found.get(block)
        )

    def report(
        self, connection: sa.Connection, block: int, expected: Iterable[Mention], found: Found
    ) -> None:
        """Which rows of a block are missing, or too many; `expected` are those that its entries give."""
        query = sa.select(mentions.c.resource, mentions.c.time, mentions.c.position).where(
            mentions.c.account == self._account,
            mentions.c.position >= max(block * BLOCK, self._since),
            mentions.c.position < (block + 1) * BLOCK,
        )
        stored = {(row[0], row[1], row[2]) for row in connection.execute(query)}
        wanted = set(expected)
        if stored == wanted:
            said = "mentions holds what is no number, or what can't be told apart"
            found.add(Difference(Kind.UNREADABLE, said, self._account_id))
        for rows, said in (
            (wanted - stored, "mentions lacks a resource that the entry names"),
            (stored - wanted, "mentions has a resource that the entry does not name"),
        ):
            for position in sorted({row[2] for row in rows}):
                found.add(Difference(Kind.EDITED_COLUMN, said, self._account_id, position))

    def _sum(self, sums: dict[int, int], told: Iterable[Sequence[Any]]) -> None:
        secret = self._secret
        for resource, time, position in told:
            block = position // BLOCK if type(position) is int else -1
            sums[block] = (sums.get(block, 0) + hash((secret, resource, time, position))) & MASK
