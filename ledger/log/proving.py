"""Proofs from a log: that an entry is in it, that it was continued; and its leaves as others fetch them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.checkpoint import Checkpoint, NoCheckpointKey
from ledger.entry import Entry
from ledger.log.checkpoints import Checkpoints
from ledger.log.store import Log
from ledger.log.tiles import TreeDamaged, tree_of
from ledger.merkle.proofs import (
    NotProved,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
)
from ledger.merkle.tiles import TILE_WIDTH, Bundle
from ledger.merkle.trees import root_at
from ledger.notes import unverified_text
from ledger.proof import ConsistencyProof, InclusionProof, disclosed


def prove_entry(
    log: Log, checkpoints: Checkpoints, entry: Entry, *, with_body: bool = True
) -> InclusionProof:
    """That the entry is in its log, as large as the log is now.

    Raises TreeDamaged where the entry is not what was hashed, and as Checkpoints.publish.
    """
    if not entry.intact():
        raise TreeDamaged(f"account {entry.account_id}: the entry at {entry.position} is not what was hashed")
    note = checkpoints.current(entry.account_id)
    head = Checkpoint.of_text(unverified_text(note))
    if entry.position >= head.size:
        raise NoCheckpointKey("the entry was not signed yet, and there is no key to sign with")
    place = {"index": entry.position, "size": head.size}
    with log.engine.connect() as connection, _holding(entry.account_id):
        hashes = prove_inclusion(tree_of(connection, entry.account_id), **place)
        check_inclusion(entry.leaf_hash, hashes, head.root, **place)
    return InclusionProof(entry.position, tuple(hashes), note, disclosed(entry, with_body=with_body))


def prove_continued(
    log: Log, checkpoints: Checkpoints, account_id: str, *, old: int, new: int | None = None
) -> ConsistencyProof:
    """That the log's first `new` entries, or all that it has, begin with its first `old` ones.

    Raises ValueError where there are not so many, or none, and as Checkpoints.at.
    """
    note = checkpoints.current(account_id) if new is None else checkpoints.at(account_id, new)
    head = Checkpoint.of_text(unverified_text(note))
    with log.engine.connect() as connection, _holding(account_id):
        tree = tree_of(connection, account_id)
        hashes = prove_consistency(tree, old=old, new=head.size)
        check_consistency(hashes, root_at(tree, old), head.root, old=old, new=head.size)
    return ConsistencyProof(old, tuple(hashes), note)


@contextmanager
def _holding(account_id: str) -> Iterator[None]:
    """What is proved has to hold: a proof that does not is no proof of anything but damage."""
    try:
        yield
    except NotProved as error:
        raise TreeDamaged(f"account {account_id}: the tree is not what was signed: {error}") from error


def read_bundle(log: Log, account_id: str, bundle: Bundle) -> bytes | None:
    """Leaves, each after its length in two bytes; None where the log is not as large yet. Raises TreeDamaged."""
    start = bundle.index * TILE_WIDTH
    if log.size(account_id) < start + bundle.width:
        return None
    found = log.entries_at(account_id, range(start, start + bundle.width))
    for position, entry in zip(range(start, start + bundle.width), found, strict=False):
        if entry.position != position or not entry.intact():
            raise TreeDamaged(f"account {account_id}: the entry at {position} is not what was hashed")
    if len(found) < bundle.width:
        raise TreeDamaged(f"account {account_id}: {bundle.path} has {len(found)} entries")
    leaves = [entry.leaf.to_bytes() for entry in found]
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
