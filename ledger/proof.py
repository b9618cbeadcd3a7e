"""Proofs as files, which anybody can check who has the key's public half. Source: C2SP tlog-proof, tlog-witness.

That an entry is in a log: a `c2sp.org/tlog-proof@v1`, whose extra data are the leaf and, unless they are withheld, the
body and the salt that the leaf commits to. That a log is the beginning of another: `old SIZE`, the hashes, the checkpoint
of the later one, as witnesses are asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.checkpoint import Checkpoint, hash_of_line, open_checkpoint
from ledger.entry import SALT_BYTES, Entry, body_bytes, commit, leaf_hash
from ledger.merkle.proofs import NotProved, check_consistency, check_inclusion
from ledger.notes import BadNote, Verifier, open_note
from ledger.record import canonical

INCLUSION: Final = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX: Final = 64 << 20
HASHES_MAX: Final = 126  # of the longest proof of consistency in a tree of 2^63 leaves
BARE: Final = {"leaf"}
WITH_BODY: Final = {"leaf", "body", "salt"}
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}", re.ASCII)
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class BadProof(Exception):
    """It proves nothing: no proof, or not of this, or not signed by whom it should be. The message says which."""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That the log of the checkpoint has a leaf at `index`. `extra` is whatever goes with it, in words of our own."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        extra = [] if self.extra is None else [f"extra {_base64(self.extra)}"]
        lines = [INCLUSION, *extra, f"index {self.index}", *map(_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the log of the checkpoint begins with all `old` entries that it once had."""

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        return "\n".join([f"old {self.old}", *map(_base64, self.hashes), "", ""]).encode() + self.checkpoint


def parse_proof(raw: bytes) -> InclusionProof | ConsistencyProof:
    """Raises BadProof."""
    if len(raw) > PROOF_BYTES_MAX:
        raise BadProof(f"a proof has {PROOF_BYTES_MAX >> 20} MiB at most")
    head, gap, checkpoint = raw.partition(b"\n\n")
    if not gap:
        raise BadProof("there is no checkpoint in it")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadProof("it is no proof of a log") from error
    if old := _OLD.fullmatch(lines[0]):
        return ConsistencyProof(int(old[1]), _hashes(lines[1:]), checkpoint)
    if lines[0] != INCLUSION:
        raise BadProof(f"a proof begins with {INCLUSION}, or with the old size")
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _extra(lines.pop(1).removeprefix("extra "))
    index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if index is None:
        raise BadProof("it does not say which entry it is about")
    return InclusionProof(int(index[1]), _hashes(lines[2:]), checkpoint, extra)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > HASHES_MAX:
        raise BadProof(f"no proof needs {len(lines)} hashes")
    try:
        return tuple(map(hash_of_line, lines))
    except BadNote as error:
        raise BadProof(str(error)) from error


def _extra(told: str) -> bytes:
    try:
        raw = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadProof("its extra data are no Base64") from error
    if _base64(raw) != told:
        raise BadProof("its extra data are no Base64")
    return raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# -- what is said of an entry -------------------------------------------------------------------------------------


def disclosed(entry: Entry, *, with_body: bool = True) -> bytes:
    """The extra data: the leaf's bytes, and those of the body with its salt, each as text; the leaf alone where it was erased."""
    told = {"leaf": entry.leaf.to_bytes().decode()}
    if with_body and entry.erased is None:
        body = body_bytes(canonical(entry.document), entry.origin.to_bytes(), entry.authorization)
        told |= {"body": body.decode(), "salt": entry.salt.hex()}
    return canonical(told)


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof has shown. `body` is None where it was withheld; `old` is None where it is about an entry."""

    checkpoint: Checkpoint
    leaf: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    old: int | None = None


def check_proof(raw: bytes, verifiers: Iterable[Verifier], *, earlier: bytes | None = None) -> Proved:
    """Check all that a proof says, with the keys of whom one trusts. Raises BadProof.

    A proof that a log was continued needs `earlier`, the checkpoint that one has of the old size, by the same keys.
    """
    keys = list(verifiers)
    proof = parse_proof(raw)
    try:
        later = open_checkpoint(proof.checkpoint, keys)
        if isinstance(proof, InclusionProof):
            return _check_entry(proof, later)
        return _check_continued(proof, later, None if earlier is None else open_checkpoint(earlier, keys))
    except (BadNote, NotProved) as error:
        raise BadProof(str(error)) from error


def check_cosigned(raw: bytes, witness: Verifier) -> None:
    """That the witness has signed under the checkpoint of a proof. Raises BadProof."""
    try:
        open_note(parse_proof(raw).checkpoint, [witness])
    except BadNote as error:
        raise BadProof(str(error)) from error


def _check_continued(proof: ConsistencyProof, later: Checkpoint, earlier: Checkpoint | None) -> Proved:
    if earlier is None:
        raise BadProof(f"it needs the checkpoint of the first {proof.old} entries to be checked against")
    if earlier.origin != later.origin:
        raise BadProof(f"the checkpoints are of two logs, {earlier.origin} and {later.origin}")
    if earlier.size != proof.old:
        raise BadProof(f"it is about the first {proof.old} entries, and the checkpoint about {earlier.size}")
    check_consistency(proof.hashes, earlier.root, later.root, old=earlier.size, new=later.size)
    return Proved(later, old=proof.old)


def _check_entry(proof: InclusionProof, later: Checkpoint) -> Proved:
    told = _object(proof.extra, "its extra data")
    if canonical(told) != proof.extra:  # whoever may write one thing in two ways can hide a third
        raise BadProof("its extra data are not written as they should be")
    if not all(isinstance(one, str) for one in told.values()) or told.keys() not in (BARE, WITH_BODY):
        raise BadProof("its extra data are not a leaf, or a leaf, a body and a salt")
    raw_leaf = _utf8(told["leaf"])
    check_inclusion(leaf_hash(raw_leaf), proof.hashes, later.root, index=proof.index, size=later.size)
    leaf = _object(raw_leaf, "its leaf")
    if leaf.get("position") != proof.index or leaf.get("account") != later.origin.rpartition("/")[2]:
        raise BadProof("its leaf is of another place than it stands at")
    return Proved(later, leaf, _body(told, leaf))


def _body(told: dict[str, Any], leaf: dict[str, Any]) -> dict[str, Any] | None:
    """The body that the leaf commits to; None where none is told."""
    if "body" not in told:
        return None
    body, salt = told["body"], told["salt"]
    if not _SALT.fullmatch(salt):
        raise BadProof(f"its salt is not {SALT_BYTES} bytes in hexadecimal")
    commitment = commit(bytes.fromhex(salt), _utf8(body)).hex()
    if commitment != leaf.get("commitment"):
        raise BadProof("its body is not the one that the leaf commits to")
    return _object(_utf8(body), "its body")


def _object(raw: bytes | None, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(raw or b"")
    except orjson.JSONDecodeError as error:
        raise BadProof(f"{name} can't be read") from error
    if not isinstance(found, dict):
        raise BadProof(f"{name} can't be read")
    return found


def _utf8(text: str) -> bytes:
    return text.encode()  # what orjson has read is UTF-8
