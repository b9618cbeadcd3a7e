"""The RSA keys that sign digests: in a file that its owner alone can read, one PEM block after the other.

They sign digests and nothing else. The last of them signs; those before it are kept, for what they signed may have to be
written once more, and gives the same bytes (PKCS #1 v1.5 has no randomness).
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.digests import KEY_BITS_MIN, fingerprint_of, value_of
from ledger.key_files import KeyFileUnusable, read_key_bytes

BITS: Final = 3072  # NIST SP 800-57 part 1, table 2: 128 bits of security
BITS_CHOICES: Final = (2048, 3072, 4096)
FILE_BYTES_MAX: Final = 1024 * 1024

_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----\s*", re.DOTALL)


class NoSigningKey(Exception):
    """There is no key that signs digests, or none that can be used. The message says why, and holds no key."""


class SigningKey:
    """One key. Its fingerprint names it in digests."""

    def __init__(self, private: RSAPrivateKey) -> None:
        self._private = private

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    @cached_property
    def value(self) -> bytes:
        """The public key: DER of PKCS #1."""
        return value_of(self._private.public_key())

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.value)

    def sign(self, text: bytes) -> str:
        """In hex, as CloudTrail writes it."""
        return self._private.sign(text, PKCS1v15(), SHA256()).hex()

    def pem(self) -> bytes:
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class SigningKeys:
    """The keys of a file, at least one."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self.newest = keys[-1]
        self._by_fingerprint = {key.fingerprint: key for key in keys}

    def __getitem__(self, fingerprint: str) -> SigningKey:
        """Raises NoSigningKey."""
        found = self._by_fingerprint.get(fingerprint)
        if found is None:
            raise NoSigningKey(
                f"the key {fingerprint}, which signed what is to be written again, is not there"
            )
        return found


def new_signing_key(bits: int = BITS) -> SigningKey:
    return SigningKey(generate_private_key(65537, bits))


def read_keys(path: Path) -> SigningKeys:
    """Raises NoSigningKey."""
    try:
        text = read_key_bytes(path, FILE_BYTES_MAX)
    except KeyFileUnusable as error:
        raise NoSigningKey(str(error)) from None
    keys = [_read_key(pem, path) for pem in _PEM.findall(text)]
    if not keys:
        raise NoSigningKey(f"{path} holds no key; `iam-ledger digest-keys new` makes one")
    return SigningKeys(keys)


def _read_key(pem: bytes, path: Path) -> SigningKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoSigningKey(f"a key in {path} can't be read") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise NoSigningKey(f"a key in {path} is no RSA key of {KEY_BITS_MIN} bits or more")
    return SigningKey(key)


def make_key_file(path: Path, bits: int = BITS) -> SigningKey:
    """A new key in a new file. Raises OSError, where there is one too."""
    key = new_signing_key(bits)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.pem())
        file.flush()
        os.fsync(file.fileno())
    return key


def rotate(path: Path, bits: int = BITS) -> SigningKey:
    """Another key behind those of the file, which signs from now on. Raises NoSigningKey and OSError.

    The file is replaced as a whole, so a key is never lost half-written.
    """
    read_keys(path)
    key = new_signing_key(bits)
    unfinished = path.with_name(f".{path.name}.{key.fingerprint[:8]}.partial")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(path.read_bytes().rstrip() + b"\n" + key.pem())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return key
