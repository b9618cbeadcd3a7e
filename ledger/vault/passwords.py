"""Passwords as Argon2id hashes. Source of the numbers: OWASP Password Storage Cheat Sheet, m=19456 KiB, t=2, p=1."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """A PHC string, some 20 ms of processor time."""
    return _HASHER.hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """With None, which nothing matches, it costs as much as with a hash."""
    try:
        return _HASHER.verify(nobodys_hash() if hashed is None else hashed, password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str) -> bool:
    return _HASHER.check_needs_rehash(hashed)


@cache
def nobodys_hash() -> str:
    return hash_password(secrets.token_hex())
