"""A checkpoint: a log's size and root, signed. Source: C2SP tlog-checkpoint.

The origin says whose log it is, and is the name of the key as well: `iam-ledger/LEDGER/ACCOUNT`. One key signs for all
accounts of a ledger, each under a name of its own.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.key_files import KeyFileUnusable, read_key_file
from ledger.merkle.trees import HASH_BYTES
from ledger.notes import BadKey, BadNote, Signer, Verifier, open_note, sign_note

PREFIX: Final = "iam-ledger"
KEY_FILE_VARIABLE: Final = "IAM_LEDGER_CHECKPOINT_KEY_FILE"
SIZE_MAX: Final = 2**63 - 1
_LEDGER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoCheckpointKey(Exception):
    """There is no key that checkpoints could be signed with; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: so many leaves, and their root."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @staticmethod
    def of_text(text: str) -> Checkpoint:
        """Raises BadNote. What else a checkpoint may say is passed over: nothing of ours rests on it."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines):
            raise BadNote("a checkpoint has an origin, a size and a root")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size) or int(size) > SIZE_MAX:
            raise BadNote(f"{size[:60]!r} is not the size of a log")
        return Checkpoint(origin, int(size), hash_of_line(root))


def hash_of_line(line: str) -> bytes:
    """A hash as these formats write it, in Base64. Raises BadNote."""
    try:
        found = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote(f"{line[:60]!r} is no hash in Base64") from error
    if len(found) != HASH_BYTES or base64.b64encode(found).decode() != line:
        raise BadNote(f"{line[:60]!r} is no hash in Base64")
    return found


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    return sign_note(checkpoint.to_text(), signer)


def open_checkpoint(note: bytes, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint that one of the keys has signed for the log of its own name. Raises BadNote.

    Of the log of another account, and so under another name, a key says nothing.
    """
    given = list(verifiers)
    found = Checkpoint.of_text(open_note(note, given))
    if found.origin not in {verifier.name for verifier in given}:
        raise BadNote(f"it is of the log {found.origin[:200]}, for which none of the keys can sign")
    return found


def new_ledger_key(ledger: str | None = None) -> Signer:
    """A key for the logs of a ledger, of that name or of a random one. Raises BadKey."""
    name = secrets.token_hex(8) if ledger is None else ledger
    if not _LEDGER.fullmatch(name):
        raise BadKey(f"{name[:60]!r} can't name a ledger: letters, digits, dots, dashes, 64 at most")
    return Signer.new(f"{PREFIX}/{name}")


def account_key(ledger_key: Signer, account_id: str) -> Signer:
    """The ledger's key, as it signs for one account."""
    return ledger_key.named(f"{ledger_key.name}/{account_id}")


def ledger_key_of(path: Path) -> Signer:
    """The key in a file that nobody but its owner can read. Raises NoCheckpointKey."""
    try:
        found = Signer.parse(read_key_file(path))
    except KeyFileUnusable as error:
        raise NoCheckpointKey(str(error)) from None
    except BadKey as error:
        raise NoCheckpointKey(f"{path} holds no key for checkpoints: {error}") from None
    prefix, _, ledger = found.name.partition("/")
    if prefix != PREFIX or not _LEDGER.fullmatch(ledger):
        raise NoCheckpointKey(f"the key in {path} is of {found.name}, not of a ledger: {PREFIX}/NAME")
    return found
