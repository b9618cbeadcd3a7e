"""The key-encryption keys, which are kept outside of the database, and where they come from.

A key is 32 random bytes, written as `ilvk_` and Base64. Several at once allow rotation: the first seals, all open.
There is no default key: without one there is no vault.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger import key_files

KEY_VARIABLE: Final = "IAM_LEDGER_VAULT_KEY"
KEY_FILE_VARIABLE: Final = "IAM_LEDGER_VAULT_KEY_FILE"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEYS_MAX: Final = 16
_PREFIX = "ilvk_"
_KEY = re.compile(r"ilvk_[A-Za-z0-9_-]{43}", re.ASCII)


class NoVaultKey(Exception):
    """There is no key, none that can be used, or not the right one. The message says which, and holds no key."""


class Sealer:
    """AES-256-GCM with a random nonce before the sealed bytes. Good for 2^32 sealings (NIST SP 800-38D, 8.3)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises InvalidTag."""
        if len(sealed) <= NONCE_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)


class Key:
    """One key-encryption key. Its id is derived from it and tells nothing of it."""

    __slots__ = ("id", "tokens", "wrapping")

    def __init__(self, secret: bytes) -> None:
        self.id = _derived(secret, "key id", 8).hex()
        self.wrapping = Sealer(_derived(secret, "wrapping", KEY_BYTES))
        self.tokens = Sealer(_derived(secret, "session tokens", KEY_BYTES))

    def __repr__(self) -> str:
        return f"Key({self.id})"


def _derived(secret: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"iam-ledger vault 1: {purpose}".encode()).derive(secret)


class Keyring:
    """The keys, the first of which seals."""

    def __init__(self, text: str) -> None:
        """`text` has one key or several, apart by commas or white space; lines from `#` on are remarks.

        Raises NoVaultKey.
        """
        words = re.split(r"[\s,]+", re.sub(r"#.*", "", text).strip())
        if words == [""]:
            raise NoVaultKey("the vault has no key; `iam-ledger vault new-key` makes one")
        if len(words) > KEYS_MAX:
            raise NoVaultKey(f"the vault takes {KEYS_MAX} keys at most, not {len(words)}")
        keys = [Key(_secret(word, number)) for number, word in enumerate(words, 1)]
        self.first = keys[0]
        self._by_id = {key.id: key for key in keys}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._by_id

    def __getitem__(self, key_id: str) -> Key:
        """Raises NoVaultKey."""
        found = self._by_id.get(key_id)
        if found is None:
            raise NoVaultKey(f"the vault's key {key_id} is not among those given")
        return found

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._by_id)})"


def _secret(word: str, number: int) -> bytes:
    try:
        if _KEY.fullmatch(word):
            return base64.urlsafe_b64decode(word.removeprefix(_PREFIX) + "=")
    except binascii.Error:
        pass
    raise NoVaultKey(f"key {number} of the vault is none; `iam-ledger vault new-key` makes one")


def new_key() -> str:
    return _PREFIX + base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode().rstrip("=")


def keyring_of(environment: Mapping[str, str]) -> Keyring:
    """From the variable, or the file that the other variable names. Raises NoVaultKey."""
    text, file = environment.get(KEY_VARIABLE), environment.get(KEY_FILE_VARIABLE)
    if text and file:
        raise NoVaultKey(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set; which is meant?")
    if file:
        return Keyring(read_key_file(Path(file)))
    if text:
        return Keyring(text)
    raise NoVaultKey(
        f"the vault has no key: set {KEY_FILE_VARIABLE} or {KEY_VARIABLE}; `iam-ledger vault new-key` makes one"
    )


def read_key_file(path: Path) -> str:
    """The text of a file that nobody but its owner can read. Raises NoVaultKey."""
    try:
        return key_files.read_key_file(path)
    except key_files.KeyFileUnusable as error:
        raise NoVaultKey(str(error)) from None


def write_key_file(path: Path) -> None:
    """A new key in a new file that only its owner can read. Raises OSError, where there is one too."""
    key_files.write_key_file(path, new_key())
