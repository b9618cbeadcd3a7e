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
_KINDS: Final = (
    (_UPPERCASE, "uppercase letter"),
    (_LOWERCASE, "lowercase letter"),
    (_NUMBER, "number"),
    (_SYMBOL, "symbol"),
)


def broken_rule(password: str, policy: PasswordPolicy | None) -> str | None:
    """The first rule that the password breaks, in AWS's words; None where it keeps them all.

    Without a policy AWS's default holds: eight characters, three kinds of them.
    """
    unmet = [
        (kind, f"Password should have at least one {word}")
        for kind, word in _KINDS
        if not kind.search(password)
    ]
    if policy is None:
        if len(password) < DEFAULT_LENGTH:
            return _too_short(DEFAULT_LENGTH)
        more = DEFAULT_KINDS - len(_KINDS) + len(unmet)
        if more > 0:
            return f"Password should meet {more} more of the following requirements: " + ", ".join(
                rule for _, rule in unmet
            )
        return None
    if len(password) < policy.minimum_password_length:
        return _too_short(policy.minimum_password_length)
    required = {
        _UPPERCASE: policy.require_uppercase_characters,
        _LOWERCASE: policy.require_lowercase_characters,
        _NUMBER: policy.require_numbers,
        _SYMBOL: policy.require_symbols,
    }
    return next((rule for kind, rule in unmet if required[kind]), None)


def _too_short(length: int) -> str:
    return f"Password should have a minimum length of {length}"
