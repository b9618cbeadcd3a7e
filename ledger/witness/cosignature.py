"""A cosignature: a witness says at which time it has seen a checkpoint to continue all before. Source: C2SP tlog-cosignature.

The kind is Ed25519, 0x04 in a key's text. A witness's private key is written as any other of Ed25519; only its number
and its public half are of this kind.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.key_files import KeyFileUnusable, read_key_file
from ledger.notes import BadKey, Signer, Verifier, parts_of_key

COSIGNATURE: Final = b"\x04"
TIME_BYTES: Final = 8
SECONDS_MAX: Final = 2**63 - 1
AHEAD_SECONDS_MAX: Final = 300  # a clock may be wrong by so much before what it says is not believed


@dataclass(frozen=True, slots=True)
class CosignatureVerifier(Verifier):
    """The public half of a witness's key, for `open_note`."""

    @property
    def number(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + COSIGNATURE + self.key).digest()[:4]

    @staticmethod
    def parse(text: str) -> CosignatureVerifier:
        """Raises BadKey."""
        name, number, key = parts_of_key(text.strip(), COSIGNATURE)
        found = CosignatureVerifier(name, key)
        if found.number.hex() != number:
            raise BadKey(f"the number of the key {name} is not that of its name and its bytes")
        return found

    def __str__(self) -> str:
        told = base64.b64encode(COSIGNATURE + self.key).decode()
        return f"{self.name}+{self.number.hex()}+{told}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        at = int.from_bytes(signature[:TIME_BYTES], "big")
        if len(signature) <= TIME_BYTES or at > min(SECONDS_MAX, int(time.time()) + AHEAD_SECONDS_MAX):
            return False
        return Verifier(self.name, self.key).verifies(_message(text, at), signature[TIME_BYTES:])


def verifier_of(witness: Signer) -> CosignatureVerifier:
    return CosignatureVerifier(witness.name, witness.verifier.key)


def cosign(text: str, witness: Signer, *, at: int) -> bytes:
    """The line of the signature, for the text of a checkpoint. `at` is in seconds since 1970."""
    signed = at.to_bytes(TIME_BYTES, "big") + witness.sign(_message(text.encode(), at))
    told = base64.b64encode(verifier_of(witness).number + signed).decode()
    return f"— {witness.name} {told}\n".encode()


def _message(text: bytes, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n".encode() + text


def new_witness_key(name: str | None = None) -> Signer:
    """A key for a witness of that name, which should look like a URL without its scheme. Raises BadKey."""
    return Signer.new(name or f"iam-ledger-witness/{secrets.token_hex(8)}")


def witness_key_of(path: Path) -> Signer:
    """Raises BadKey."""
    try:
        return Signer.parse(read_key_file(path))
    except KeyFileUnusable as error:
        raise BadKey(str(error)) from None
