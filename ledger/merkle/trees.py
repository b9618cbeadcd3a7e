"""Hashes of a Merkle tree: of nodes, of whole trees, of any stretch of leaves. Source: RFC 6962, 2.1.

A *complete* subtree has 2^height leaves, from a multiple of 2^height on. It never changes again, so it is what is kept
and asked for; every other hash is made of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()


class Subtrees(Protocol):
    """The complete subtrees of a tree."""

    def subtree(self, *, height: int, index: int) -> bytes:
        """The hash of the leaves from `index` x 2^`height` on, 2^`height` of them."""


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree that has these leaf hashes, or hashes of complete subtrees of one height."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level += odd
    return level[0]


def root_at(tree: Subtrees, size: int) -> bytes:
    """The root that the tree has, or had, when it had so many leaves."""
    return stretch_hash(tree, 0, size) if size else EMPTY_ROOT


def stretch_hash(tree: Subtrees, start: int, stop: int) -> bytes:
    """MTH(D[start:stop]) for a stretch that a proof can name: `start` is a multiple of its largest complete subtree."""
    parts = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        parts.append(tree.subtree(height=height, index=start >> height))
        start += 1 << height
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


class LeafHashes:
    """The subtrees over leaf hashes that are all at hand."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._hashes = hashes

    def subtree(self, *, height: int, index: int) -> bytes:
        within = self._hashes[index << height : (index + 1) << height]
        if len(within) != 1 << height:
            raise IndexError(
                f"{len(self._hashes)} leaves have no complete subtree {index} of height {height}"
            )
        return root_of(within)
