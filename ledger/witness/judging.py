"""What a witness says to a checkpoint: it continues what was seen, or why not. Source: C2SP tlog-witness, add-checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.merkle.proofs import NotProved, check_consistency
from ledger.merkle.trees import EMPTY_ROOT
from ledger.notes import SIGNATURES_MAX, BadNote, Verifier, unverified_text
from ledger.proof import BadProof, ConsistencyProof, parse_proof

HASHES_MAX: Final = 63
REQUEST_BYTES_MAX: Final = 64 << 10

KeysOf = Callable[[str], Iterable[Verifier]]


class Refused(Exception):
    """The witness does not take the checkpoint. `status` is what HTTP says of it."""

    status = 400


class Malformed(Refused):
    """It is no request."""


class UnknownLog(Refused):
    """The witness keeps nothing of a log of this name."""

    status = 404


class NotSigned(Refused):
    """No key that the witness knows for the log has signed it."""

    status = 403


class Conflict(Refused):
    """What was seen is of another size than the request starts from, or of this size and another root."""

    status = 409

    def __init__(self, size: int, message: str) -> None:
        super().__init__(message)
        self.size = size


class NotContinued(Refused):
    """The proof does not show that the checkpoint continues what was seen."""

    status = 422


@dataclass(frozen=True, slots=True)
class Submission:
    """A request whose form and signature are as they should be."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: bytes


def read_submission(raw: bytes, keys_of: KeysOf) -> Submission:
    """Raises Malformed, UnknownLog, NotSigned."""
    if len(raw) > REQUEST_BYTES_MAX:
        raise Malformed(f"a request has {REQUEST_BYTES_MAX >> 10} KiB at most")
    try:
        proof = parse_proof(raw)
        if not isinstance(proof, ConsistencyProof) or len(proof.hashes) > HASHES_MAX:
            raise Malformed(f"a request begins with the old size, and has {HASHES_MAX} hashes at most")
        if proof.checkpoint.count("\n— ".encode()) >= SIGNATURES_MAX:
            raise Malformed("there is no room for a cosignature")
        origin = Checkpoint.of_text(unverified_text(proof.checkpoint)).origin
    except (BadProof, BadNote) as error:
        raise Malformed(str(error)) from error
    keys = [key for key in keys_of(origin) if key.name == origin]
    if not keys:
        raise UnknownLog(f"no log {origin[:200]} is known here")
    try:
        checkpoint = open_checkpoint(proof.checkpoint, keys)
    except BadNote as error:
        raise NotSigned(str(error)) from error
    if proof.old > checkpoint.size:
        raise Malformed(f"the old size {proof.old} is larger than that of the checkpoint, {checkpoint.size}")
    return Submission(proof.old, proof.hashes, checkpoint, proof.checkpoint)


def judge(asked: Submission, seen: bytes | None) -> None:
    """Raises Conflict or NotContinued unless the checkpoint continues the one that was seen last.

    What was seen is the witness's own, and believed.
    """
    head = asked.checkpoint
    before = Checkpoint(head.origin, 0, EMPTY_ROOT)
    if seen is not None:
        before = Checkpoint.of_text(unverified_text(seen))
    if asked.old != before.size:
        raise Conflict(before.size, f"{before.size} entries were seen, not {asked.old}")
    if head.size == before.size and head.root != before.root:
        raise Conflict(before.size, f"of {before.size} entries another root was seen")
    try:
        if before.size:
            check_consistency(asked.hashes, before.root, head.root, old=before.size, new=head.size)
        elif asked.hashes:
            raise NotProved("there is nothing to prove, and the proof has hashes")
    except NotProved as error:
        raise NotContinued(str(error)) from error
