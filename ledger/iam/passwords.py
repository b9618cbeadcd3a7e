"""Passwords against the account's password policy. Source: IAM user guide, "Set an account password policy"."""

from __future__ import annotations

import re
from typing import Final

from ledger.account.entities import PasswordPolicy

DEFAULT_LENGTH: Final = 8  # where the account has no policy of its own
DEFAULT_KINDS: Final = 3  # of the four below

_UPPERCASE: Final = re.compile("[A-Z]")
_LOWERCASE: Final = re.compile("[a-z]")
_NUMBER: Final = re.compile("[0-9]")
_SYMBOL: Final = re.compile(r"[!@#$%^&*()_+\-=\[\]{}|']")
_KINDS: Final = (_UPPERCASE, _LOWERCASE, _NUMBER, _SYMBOL)


def broken_rule(password: str, policy: PasswordPolicy | None) -> str | None:
    """The first rule that the password breaks, in AWS's words; None where it keeps them all.

    Without a policy AWS's default holds: eight characters, three kinds of them.
    """
    if policy is None:
        if len(password) < DEFAULT_LENGTH:
            return _too_short(DEFAULT_LENGTH)
        if sum(kind.search(password) is not None for kind in _KINDS) < DEFAULT_KINDS:
            return "Password does not conform to the account password policy."
        return None
    if len(password) < policy.minimum_password_length:
        return _too_short(policy.minimum_password_length)
    rules = (
        (policy.require_uppercase_characters, _UPPERCASE, "uppercase letter"),
        (policy.require_lowercase_characters, _LOWERCASE, "lowercase letter"),
        (policy.require_numbers, _NUMBER, "number"),
        (policy.require_symbols, _SYMBOL, "symbol"),
    )
    for required, kind, word in rules:
        if required and kind.search(password) is None:
            return f"Password should have at least one {word}"
    return None


def _too_short(length: int) -> str:
    return f"Password should have a minimum length of {length}"
