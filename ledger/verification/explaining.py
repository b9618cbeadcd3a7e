"""What was done to an entry that is not what its leaf hash commits to: looked for among its neighbours.

What an entry commits to names its own position. So a row that somebody moved still tells where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ledger.entry import Leaf
from ledger.log.schema import entries
from ledger.verification.findings import Kind

WINDOW: Final = 1_000  # positions before and after
SEARCHES_MAX: Final = 20  # of this width, in one account: each takes some 10 ms


class Explaining:
    """Explains one entry after the other. Where one has moved, those behind it moved as far, as a rule."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._distance = 1
        self._searches = 0

    def explain(
        self, row: Any, leaf: Leaf, *, expected_previous: int | None, next_leaf: Leaf | None
    ) -> tuple[Kind, str]:
        """`leaf` is what the row gives, `next_leaf` what the row after it does."""
        if leaf._replace(previous=expected_previous).hash() == row.leaf_hash:
            return Kind.EDITED_COLUMN, "back is not what was written"
        hashes, backs = _neighbours(self._connection, row)
        moved = self._moved(leaf, hashes, backs)
        after = None if next_leaf is None else self._moved(next_leaf, hashes, backs)
        if moved is None:
            if after == -1:
                return Kind.INSERTED, "an entry was put in here, and those behind it moved"
            return Kind.EDITED_BODY, "it is not what its leaf hash commits to"
        behind_the_end = leaf.position + moved not in hashes
        if moved != after and not behind_the_end:
            return Kind.REORDERED, f"here is what was written at {leaf.position + moved}"
        if moved > 0:
            return Kind.DELETED, f"{_entries(moved)} deleted before it, and those behind moved up"
        return Kind.INSERTED, f"{_entries(-moved)} put in before it, and those behind moved"

    def _moved(self, leaf: Leaf, hashes: dict[int, bytes], backs: dict[int, int | None]) -> int | None:
        """By how many positions the entry has moved up; None where it never stood near."""
        for distance in self._distances():
            if _stood(leaf, leaf.position + distance, hashes, backs):
                self._distance = distance
                return distance
        return None

    def _distances(self) -> Iterator[int]:
        yield self._distance
        if self._searches < SEARCHES_MAX:
            self._searches += 1
            for distance in range(1, WINDOW + 1):
                yield distance
                yield -distance


def _stood(leaf: Leaf, position: int, hashes: dict[int, bytes], backs: dict[int, int | None]) -> bool:
    """Whether the entry was written at this position. Its leaf hash may have moved with it, or stayed where it was."""
    if position < 0:
        return False
    kept = (hashes.get(leaf.position), hashes.get(position))
    back = None if leaf.previous is None else leaf.position - leaf.previous
    for told in {back, backs.get(position)}:
        previous = None if told is None else position - told
        if leaf._replace(position=position, previous=previous).hash() in kept:
            return True
    return False


def _neighbours(connection: sa.Connection, row: Any) -> tuple[dict[int, bytes], dict[int, int | None]]:
    query = sa.select(entries.c.position, entries.c.leaf_hash, entries.c.back).where(
        entries.c.account == row.account,
        entries.c.position >= row.position - WINDOW,
        entries.c.position <= row.position + WINDOW + 1,
    )
    rows = connection.execute(query).all()
    return {one.position: one.leaf_hash for one in rows}, {one.position: one.back for one in rows}


def _entries(count: int) -> str:
    return "an entry was" if count == 1 else f"{count} entries were"
