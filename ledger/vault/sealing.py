"""Envelopes: each secret under a data key of its own, which is wrapped by a key-encryption key.

A sealed secret is bound to the row it belongs to, so a row that was put in another's place does not open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag

from ledger.vault.keys import KEY_BYTES, Key, Keyring, NoVaultKey, Sealer

_CHECK = b"iam-ledger vault: the key is the right one"


class SecretDamaged(Exception):
    """What is kept was changed, or stands in a place that is not its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret belongs."""

    account_id: str
    kind: str
    id: str
    version: int

    @property
    def bytes(self) -> bytes:
        return orjson.dumps([self.account_id, self.kind, self.id, self.version])


@dataclass(frozen=True, slots=True)
class Envelope:
    """A sealed secret; `key` is the id of the key that its data key is wrapped with."""

    key: str
    wrapped: bytes
    sealed: bytes


def seal(secret: str, place: Place, key: Key) -> Envelope:
    data_key = os.urandom(KEY_BYTES)
    return Envelope(
        key=key.id,
        wrapped=key.wrapping.seal(data_key, place.bytes),
        sealed=Sealer(data_key).seal(secret.encode(), place.bytes),
    )


def unseal(envelope: Envelope, place: Place, keyring: Keyring) -> str:
    """Raises SecretDamaged, or NoVaultKey."""
    data_key = _unwrapped(envelope, place, keyring)
    try:
        return Sealer(data_key).open(envelope.sealed, place.bytes).decode()
    except InvalidTag:
        raise _damaged(place) from None


def rewrapped(envelope: Envelope, place: Place, keyring: Keyring) -> Envelope:
    """The same under the keyring's first key; the secret itself is not opened. Raises as `unseal`."""
    first = keyring.first
    wrapped = first.wrapping.seal(_unwrapped(envelope, place, keyring), place.bytes)
    return Envelope(first.id, wrapped, envelope.sealed)


def _unwrapped(envelope: Envelope, place: Place, keyring: Keyring) -> bytes:
    try:
        return keyring[envelope.key].wrapping.open(envelope.wrapped, place.bytes)
    except InvalidTag:
        raise _damaged(place) from None


def _damaged(place: Place) -> SecretDamaged:
    return SecretDamaged(f"the {place.kind} of {place.id} in account {place.account_id} does not open")


def check_value(key: Key) -> bytes:
    """To be kept, so that a key can be told from a wrong one before anything is sealed with it."""
    return key.wrapping.seal(_CHECK, key.id.encode())


def check_key(key: Key, value: bytes) -> None:
    """Raises NoVaultKey."""
    try:
        if key.wrapping.open(value, key.id.encode()) == _CHECK:
            return
    except InvalidTag:
        pass
    raise NoVaultKey(f"the vault's key {key.id} is not the one that it was made with")
