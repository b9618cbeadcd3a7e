"""Signed notes: a text, and under it a line for each signature. Source: C2SP signed-note; Ed25519 of RFC 8032.

A key has a name, and a number that is taken from both. Keys are written as Go's `note` package writes them, so that its
programs can use ours: NAME+NUMBER+KEY the public half, PRIVATE+KEY+NAME+NUMBER+KEY the other.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE_BYTES_MAX: Final = 1_000_000
SIGNATURES_MAX: Final = 100
KEY_BYTES: Final = 32
ED25519: Final = b"\x01"
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<told>[A-Za-z0-9+/]+={0,2})")
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class BadNote(Exception):
    """It is no signed note, or no signature by a key that was asked for holds; the message says which, in one line."""


class BadKey(Exception):
    """The text is no key of this kind. The message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a key."""

    name: str
    key: bytes

    @property
    def number(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    @staticmethod
    def parse(text: str) -> Verifier:
        """Raises BadKey."""
        name, number, told = parts_of_key(text.strip())
        found = Verifier(name, told)
        if found.number.hex() != number:
            raise BadKey(f"the number of the key {name} is not that of its name and its bytes")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.number.hex()}+{_base64(ED25519 + self.key)}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """Both halves of a key. What it was made of is never shown."""

    name: str
    _seed: bytes = field(repr=False)

    @staticmethod
    def new(name: str) -> Signer:
        """Raises BadKey where no key can have that name."""
        _check_name(name)
        return Signer(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @staticmethod
    def parse(text: str) -> Signer:
        """Raises BadKey."""
        whole = text.strip()
        if not whole.startswith("PRIVATE+KEY+"):
            raise BadKey("a private key begins with PRIVATE+KEY+")
        name, number, seed = parts_of_key(whole.removeprefix("PRIVATE+KEY+"))
        found = Signer(name, seed)
        if found.verifier.number.hex() != number:
            raise BadKey(f"the number of the key {name} is not that of its name and its bytes")
        return found

    def secret_text(self) -> str:
        """Both halves, to be written where nobody but the owner reads."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.number.hex()}+{_base64(ED25519 + self._seed)}"

    def named(self, name: str) -> Signer:
        """The same key under another name, which is another key to whoever verifies. Raises BadKey."""
        _check_name(name)
        return Signer(name, self._seed)

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self._key.public_key().public_bytes_raw())

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seed)

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text)


def sign_note(text: str, signer: Signer) -> bytes:
    """The text, which ends with a newline, and the signature. Raises BadNote where it can't be the text of a note."""
    raw = text.encode()
    _check_characters(raw)
    if not text.endswith("\n"):
        raise BadNote("the text of a note ends with a newline")
    told = _base64(signer.verifier.number + signer.sign(raw))
    return raw + f"\n— {signer.name} {told}\n".encode()


def open_note(note: bytes, verifiers: Iterable[Verifier]) -> str:
    """The text of a note that one of the keys has signed. Raises BadNote: where none has, or one is said to have and has not.

    Signatures by keys that are not among these tell nothing, and are not looked at.
    """
    text, signatures = _taken_apart(note)
    known = {(one.name, one.number): one for one in verifiers}
    signed = False
    for name, told in signatures:
        verifier = known.get((name, told[:4]))
        if verifier is None:
            continue
        if not verifier.verifies(text, told[4:]):
            raise BadNote(f"the signature of {name} does not hold")
        signed = True
    if not signed:
        raise BadNote(f"it is not signed by {' or '.join(sorted(name for name, _ in known)) or 'anybody'}")
    return text.decode()


def unverified_text(note: bytes) -> str:
    """The text of a note, whoever may have written it. Raises BadNote."""
    return _taken_apart(note)[0].decode()


def names_key(note: bytes, verifier: Verifier) -> bool:
    """Whether the note says that this key has signed it. Nothing is verified. Raises BadNote."""
    wanted = (verifier.name, verifier.number)
    return any((name, told[:4]) == wanted for name, told in _taken_apart(note)[1])


def signature_lines(note: bytes) -> dict[str, bytes]:
    """Each line under the note by the name of its signer and the number of the key. Nothing is verified. Raises BadNote."""
    return {
        f"{name}+{told[:4].hex()}": f"— {name} {_base64(told)}\n".encode()
        for name, told in _taken_apart(note)[1]
    }


def _taken_apart(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    if len(note) > NOTE_BYTES_MAX:
        raise BadNote(f"a note has {NOTE_BYTES_MAX} bytes at most")
    _check_characters(note)
    at = note.rfind(b"\n\n")
    if at < 0:
        raise BadNote("there is no empty line between text and signatures")
    text, below = note[: at + 1], note[at + 2 :]
    if not below.endswith(b"\n"):
        raise BadNote("a note ends with a signature and a newline")
    lines = below.decode().removesuffix("\n").split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise BadNote(f"a note has {SIGNATURES_MAX} signatures at most")
    return text, [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise BadNote("a line under the note is no signature")
    try:
        told = base64.b64decode(found["told"], validate=True)
    except binascii.Error as error:
        raise BadNote("a signature is no Base64") from error
    if len(told) <= 4 or _base64(told) != found["told"]:
        raise BadNote("a signature is no Base64")
    return found["name"], told


def _check_characters(raw: bytes) -> None:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadNote("it is not UTF-8") from error
    if _CONTROL.search(text):
        raise BadNote("it has control characters")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadKey(f"{name[:60]!r} can't be the name of a key: no spaces, no +")


def parts_of_key(text: str, kind: bytes = ED25519) -> tuple[str, str, bytes]:
    """Name, number as it is written, and key of that kind. Raises BadKey."""
    parts = text.split("+", 2)  # Base64 may hold a + of its own
    if len(parts) != 3:
        raise BadKey("a key has the form NAME+NUMBER+KEY")
    name, number, told = parts
    _check_name(name)
    try:
        raw = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey(f"the key {name} is no Base64") from error
    if raw[:1] != kind or len(raw) != 1 + KEY_BYTES or _base64(raw) != told:
        raise BadKey(f"the key {name} is not one of Ed25519")
    return name, number, raw[1:]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
