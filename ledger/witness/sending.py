"""Asking the witnesses: what they have seen of a log, whether the log still continues it, and to see what it is now.

`examine` is the question that a verification asks, `send` has the newest checkpoint seen. Both give a `Finding`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ledger.checkpoint import Checkpoint
from ledger.log.checkpoints import Checkpoints, HistoryContradicted
from ledger.log.store import Log
from ledger.log.tiles import TreeDamaged, tree_of
from ledger.merkle.proofs import prove_consistency
from ledger.merkle.trees import root_at
from ledger.notes import unverified_text
from ledger.proof import ConsistencyProof
from ledger.witness.judging import Conflict, NotContinued, Refused
from ledger.witness.witnesses import NotHeard, Witness

ATTEMPTS_MAX: Final = 4


class Verdict(Enum):
    CONTINUES = "continues"  # all that was seen is in the log as it was
    NOTHING_SEEN = "nothingSeen"
    SHORTER = "shorter"  # the log has fewer entries than were seen: truncated, or restored from a backup
    OTHER = "other"  # the log has other entries than were seen: rewritten, or forked
    DAMAGED = "damaged"  # the tree can't be read
    NOT_HEARD = "notHeard"

    @property
    def contradicts(self) -> bool:
        return self in (Verdict.SHORTER, Verdict.OTHER, Verdict.DAMAGED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one witness says of one account's log.

    `seen` is the size that it has seen, `root` its root; None where it tells none. `detail` is a line for people.
    """

    witness: str
    account_id: str
    verdict: Verdict
    detail: str
    seen: int | None = None
    root: bytes | None = None
    size: int | None = None  # of the log, when it was asked
    cosignatures: bytes = b""

    def told(self) -> dict[str, str | int | None]:
        return {
            "witness": self.witness,
            "account": self.account_id,
            "verdict": self.verdict.value,
            "detail": self.detail,
            "seen": self.seen,
            "root": None if self.root is None else self.root.hex(),
            "size": self.size,
        }


def examine_all(
    log: Log, checkpoints: Checkpoints, account_id: str, witnesses: Iterable[Witness]
) -> list[Finding]:
    """What each of them says; none of them can keep the others from being asked. Raises NoCheckpointKey."""
    return [examine(log, checkpoints, account_id, witness) for witness in witnesses]


def examine(log: Log, checkpoints: Checkpoints, account_id: str, witness: Witness) -> Finding:
    """Whether the log as it is now continues the newest checkpoint that the witness has seen.

    A witness that need not tell what it has seen is sent the checkpoint of now: it takes that, or refuses. Raises
    NoCheckpointKey.
    """
    origin = checkpoints.origin(account_id)
    try:
        seen = witness.newest(origin)
    except NotHeard as error:
        return Finding(witness.name, account_id, Verdict.NOT_HEARD, str(error))
    if seen is None and witness.tells:
        return Finding(witness.name, account_id, Verdict.NOTHING_SEEN, "nothing was seen of it yet")
    if seen is None:
        return send(log, checkpoints, account_id, witness)
    return _compared(log, account_id, witness.name, seen)


def send(log: Log, checkpoints: Checkpoints, account_id: str, witness: Witness, *, old: int = 0) -> Finding:
    """Have the newest checkpoint seen. `old` is what it probably has seen already. Raises NoCheckpointKey."""
    try:
        return _send(log, checkpoints, account_id, witness, old)
    except (NotHeard, Refused) as error:
        return Finding(witness.name, account_id, Verdict.NOT_HEARD, str(error))
    except HistoryContradicted as error:
        return Finding(witness.name, account_id, Verdict.OTHER, str(error), size=log.size(account_id))
    except TreeDamaged as error:
        return Finding(witness.name, account_id, Verdict.DAMAGED, str(error), size=log.size(account_id))


def _send(log: Log, checkpoints: Checkpoints, account_id: str, witness: Witness, old: int) -> Finding:
    note = checkpoints.signed(account_id)
    for _ in range(ATTEMPTS_MAX):
        head = Checkpoint.of_text(unverified_text(note))
        old = min(old, head.size)
        try:
            lines = witness.submit(_request(log, account_id, note, head.size, old))
        except NotContinued:
            return _contradicted(log, account_id, witness, head.origin, old)
        except Conflict as error:
            seen = error.size
        else:
            if lines:
                checkpoints.keep_cosignatures(account_id, note, lines)
            detail = f"{head.size:,} entries are seen"
            return Finding(
                witness.name,
                account_id,
                Verdict.CONTINUES if old else Verdict.NOTHING_SEEN,
                detail,
                seen=head.size,
                root=head.root,
                size=head.size,
                cosignatures=lines,
            )
        if seen == old or log.size(account_id) < seen:
            return _contradicted(log, account_id, witness, head.origin, seen)
        if seen > head.size:
            note = checkpoints.signed(account_id)  # another process has sent a later one
        old = seen
    raise NotHeard("it sees other checkpoints all the time")


def _request(log: Log, account_id: str, note: bytes, size: int, old: int) -> bytes:
    hashes: list[bytes] = []
    if old:
        with log.engine.connect() as connection:
            hashes = prove_consistency(tree_of(connection, account_id), old=old, new=size)
    return ConsistencyProof(old, tuple(hashes), note).to_bytes()


def _contradicted(log: Log, account_id: str, witness: Witness, origin: str, seen: int) -> Finding:
    """Which way, and, where the witness tells it, with which root."""
    try:
        told = witness.newest(origin)
    except NotHeard:
        told = None
    root = told.root if told is not None and told.size == seen else None
    return _refuted(log, account_id, witness.name, seen, root)


def _compared(log: Log, account_id: str, name: str, seen: Checkpoint) -> Finding:
    """By what the tree is, whatever was signed of it."""
    try:
        with log.engine.connect() as connection:
            tree = tree_of(connection, account_id)
            size = tree.size
            continues = seen.size <= size and root_at(tree, seen.size) == seen.root
    except TreeDamaged as error:
        return Finding(name, account_id, Verdict.DAMAGED, str(error), seen.size, seen.root)
    if not continues:
        return _refuted(log, account_id, name, seen.size, seen.root)
    detail = f"begins with all {seen.size:,} entries that were seen"
    return Finding(name, account_id, Verdict.CONTINUES, detail, seen.size, seen.root, size)


def _refuted(log: Log, account_id: str, name: str, seen: int, root: bytes | None) -> Finding:
    size = log.size(account_id)
    if size < seen:
        detail = f"{seen:,} entries were seen, and the log has {size:,}: it was cut short, or an old backup was restored"
        return Finding(name, account_id, Verdict.SHORTER, detail, seen, root, size)
    detail = f"the first {seen:,} entries are not those that were seen: the log was rewritten, or forked"
    return Finding(name, account_id, Verdict.OTHER, detail, seen, root, size)
