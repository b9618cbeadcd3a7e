"""Proofs that a leaf is in a tree, and that a tree is the beginning of another. Source: RFC 6962, 2.1; RFC 9162, 2.1.

Each `prove` has its `check`, which needs nothing but the proof and the roots, and refuses by raising: an answer that
nobody looks at must not pass for a proof.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.merkle.trees import HASH_BYTES, Subtrees, node_hash, stretch_hash


class NotProved(Exception):
    """The proof does not prove it; the message says what is wrong, in one line."""


def prove_inclusion(tree: Subtrees, *, index: int, size: int) -> list[bytes]:
    """The hashes from the leaf's sibling up to the root's child. RFC 6962, 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    start, stop = 0, size
    while stop - start > 1:
        split = start + _largest_power_below(stop - start)
        if index < split:
            path.append(stretch_hash(tree, split, stop))
            stop = split
        else:
            path.append(stretch_hash(tree, start, split))
            start = split
    return path[::-1]


def check_inclusion(leaf_hash: bytes, proof: Sequence[bytes], root: bytes, *, index: int, size: int) -> None:
    """Raises NotProved unless the tree of that size and root has the leaf at that index. RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        raise NotProved(f"a tree of {size} leaves has no leaf {index}")
    _check_lengths([leaf_hash, *proof])
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise NotProved("the proof has more hashes than the tree has levels")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise NotProved("the proof has fewer hashes than the tree has levels")
    if found != root:
        raise NotProved("the proof leads to another root")


def prove_consistency(tree: Subtrees, *, old: int, new: int) -> list[bytes]:
    """What a tree of `new` leaves has beside that of its first `old` ones. RFC 6962, 2.1.2."""
    if not 0 < old <= new:
        raise ValueError(f"of trees of {old} and {new} leaves nothing can be proved")
    path = []
    start, stop = 0, new
    while stop > old:
        split = start + _largest_power_below(stop - start)
        if old <= split:
            path.append(stretch_hash(tree, split, stop))
            stop = split
        else:
            path.append(stretch_hash(tree, start, split))
            start = split
    if start:  # else it is the old root, which whoever checks has
        path.append(stretch_hash(tree, start, stop))
    return path[::-1]


def check_consistency(
    proof: Sequence[bytes], old_root: bytes, new_root: bytes, *, old: int, new: int
) -> None:
    """Raises NotProved unless the tree of `new` leaves begins with all those of the tree of `old`. RFC 9162, 2.1.4.2."""
    if not 0 < old <= new:
        raise NotProved(f"of trees of {old} and {new} leaves nothing can be proved")
    if old == new:
        if proof:
            raise NotProved("there is nothing to prove, and the proof has hashes")
        if old_root != new_root:
            raise NotProved("two trees of one size have different roots")
        return
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise NotProved("the proof has no hashes")
    _check_lengths(hashes)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    begun = found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise NotProved("the proof has more hashes than the tree has levels")
        if node & 1 or node == last:
            begun, found = node_hash(sibling, begun), node_hash(sibling, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise NotProved("the proof has fewer hashes than the tree has levels")
    if begun != old_root:
        raise NotProved("the proof leads to another root of the old tree")
    if found != new_root:
        raise NotProved("the proof leads to another root of the new tree")


def _largest_power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def _check_lengths(hashes: Sequence[bytes]) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:  # two of odd lengths could be cut elsewhere and hash to the same
            raise NotProved(f"a hash has {HASH_BYTES} bytes, not {len(one)}")
