"""What a decision needs to know besides the account, looked up before it: by the names that operations declare.

Passwords take a tenth of a second to hash, so the vault is not asked while an account's head is held. A code of an MFA
device is used up by being looked at, whatever becomes of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import User
from ledger.authority.aliases import alias_is_anothers
from ledger.authority.saml import assertion
from ledger.authority.web_identity import ProviderKeys, web_identity
from ledger.iam.deciding import Call, calling_user
from ledger.iam.federation import Assertion, WebIdentity
from ledger.iam.refusals import Refusal
from ledger.log.store import Turn
from ledger.vault.passwords import hash_password
from ledger.vault.store import Vault

KEYS: Final = ProviderKeys()

Fact = Callable[[Vault, Account, Call, int], Any]

FACTS: Final[dict[str, Fact]] = {}

IN_TURN: Final[Mapping[str, Callable[[Turn, Call], Any]]] = {
    "alias_is_anothers": lambda turn, call: alias_is_anothers(turn, call["AccountAlias"])
}
"""What is looked up while the head is held."""


def fact(name: str) -> Callable[[Fact], Fact]:
    """The function finds out what `facts=(name,)` of an operation asks for."""

    def enter(function: Fact) -> Fact:
        FACTS[name] = function
        return function

    return enter


@fact("password_hash")
def hash_of_password(vault: Vault, account: Account, call: Call, at: int) -> str | None:
    """The Argon2id hash of the new password; None where none is given."""
    password = call.get("NewPassword") or call.get("Password")
    return None if password is None else hash_password(password)


@fact("old_password_right")
def old_password_right(vault: Vault, account: Account, call: Call, at: int) -> bool:
    owner = _password_owner(account, call)
    return owner is not None and vault.password_matches(account.id, owner, call["OldPassword"])


@fact("password_reused")
def password_reused(vault: Vault, account: Account, call: Call, at: int) -> bool:
    """Whether the new password is one of as many before it as the account's password policy remembers."""
    password, policy = call.get("NewPassword") or call.get("Password"), account.settings.password_policy
    owner = _password_owner(account, call)
    if password is None or policy is None or not policy.password_reuse_prevention or owner is None:
        return False
    return vault.password_was_used(account.id, owner, password, policy.password_reuse_prevention)


@fact("codes_right")
def codes_right(vault: Vault, account: Account, call: Call, at: int) -> bool:
    """Whether two consecutive codes of the device were given."""
    codes = call["AuthenticationCode1"], call["AuthenticationCode2"]
    return vault.codes_accepted(account.id, call["SerialNumber"], *codes, at)


@fact("code_right")
def code_right(vault: Vault, account: Account, call: Call, at: int) -> bool:
    """Whether the code is the device's, and the device the caller's."""
    serial, code = call.get("SerialNumber"), call.get("TokenCode")
    if serial is None or code is None:
        return False
    owner = account.settings if call.by.is_root else calling_user(account, call)
    if owner is None or serial not in owner.mfa_devices:
        return False
    return vault.code_accepted(account.id, serial, code, at)


@fact("web_identity")
def web_identity_of(vault: Vault, account: Account, call: Call, at: int) -> WebIdentity | Refusal:
    """What the token says, or why it says nothing."""
    try:
        return web_identity(account, call["WebIdentityToken"], KEYS, at)
    except Refusal as refusal:
        return refusal


@fact("assertion")
def assertion_of(vault: Vault, account: Account, call: Call, at: int) -> Assertion | Refusal:
    """What the response of the identity provider says, or why it says nothing."""
    try:
        return assertion(account, call["PrincipalArn"], call["SAMLAssertion"], at)
    except Refusal as refusal:
        return refusal


def _password_owner(account: Account, call: Call) -> str | None:
    """The user's unique id, or the account's number for root."""
    if "UserName" in call:
        user: User | None = account.user_named(call["UserName"])
        return None if user is None else user.id
    if call.by.is_root:
        return account.id
    user = calling_user(account, call)
    return None if user is None else user.id
