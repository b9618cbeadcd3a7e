"""A tree that grows leaf by leaf and keeps only what its root needs: one hash for each bit of its size. Source: RFC 6962, 2.1."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.merkle.tiles import TILE_HEIGHT
from ledger.merkle.trees import EMPTY_ROOT, Subtrees, node_hash


class Frontier:
    """The complete subtrees that a tree of `size` leaves consists of, from left to right."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    @staticmethod
    def of(tree: Subtrees, size: int) -> Frontier:
        """That of the first `size` leaves of a tree."""
        made, start = Frontier(), 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                made._subtrees.append(tree.subtree(height=height, index=start >> height))
                start += 1 << height
        made.size = size
        return made

    def add(self, leaf_hash: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take a leaf in. Gives what it completes of tiles above level 0: level, number within the level, hash."""
        completed, height, found = self.size, 0, leaf_hash
        tiled = []
        while completed & 1:
            found = node_hash(self._subtrees.pop(), found)
            completed >>= 1
            height += 1
            if height % TILE_HEIGHT == 0:
                tiled.append((height // TILE_HEIGHT, completed, found))
        self._subtrees.append(found)
        self.size += 1
        return iter(tiled)

    @property
    def root(self) -> bytes:
        if not self._subtrees:
            return EMPTY_ROOT
        *left, found = self._subtrees
        for subtree in reversed(left):
            found = node_hash(subtree, found)
        return found
