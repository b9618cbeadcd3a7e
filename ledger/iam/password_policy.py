"""The account's password policy. Which rule a password breaks is told by `ledger.iam.passwords`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import PasswordPolicy
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, anything, decides
from ledger.iam.operations import Rank, evolves
from ledger.iam.refusals import NoSuchEntity
from ledger.iam.subjects import absent


def shown(policy: PasswordPolicy) -> dict[str, Any]:
    told: dict[str, Any] = {
        "MinimumPasswordLength": policy.minimum_password_length,
        "RequireSymbols": policy.require_symbols,
        "RequireNumbers": policy.require_numbers,
        "RequireUppercaseCharacters": policy.require_uppercase_characters,
        "RequireLowercaseCharacters": policy.require_lowercase_characters,
        "AllowUsersToChangePassword": policy.allow_users_to_change_password,
        "ExpirePasswords": policy.max_password_age is not None,
        "HardExpiry": policy.hard_expiry,
    }
    if policy.max_password_age is not None:
        told["MaxPasswordAge"] = policy.max_password_age
    if policy.password_reuse_prevention is not None:
        told["PasswordReusePrevention"] = policy.password_reuse_prevention
    return told


@decides("iam:GetAccountPasswordPolicy", on=anything)
def get_account_password_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return Answer({"PasswordPolicy": shown(_present(account))})


@decides("iam:UpdateAccountPasswordPolicy", on=anything)
def decide_update_account_password_policy(account: Account, call: Call, moment: Moment) -> Answer:
    """Every setting is within its bounds by the model already, and no two of them exclude each other."""
    return NOTHING


@evolves("iam:UpdateAccountPasswordPolicy", rank=Rank.CHANGE)
def update_account_password_policy(account: Account, change: Change) -> Account:
    """What the request leaves out goes back to its default."""
    request = change.request
    policy = PasswordPolicy(
        minimum_password_length=request.number("MinimumPasswordLength") or 6,
        require_symbols=bool(request.truth("RequireSymbols")),
        require_numbers=bool(request.truth("RequireNumbers")),
        require_uppercase_characters=bool(request.truth("RequireUppercaseCharacters")),
        require_lowercase_characters=bool(request.truth("RequireLowercaseCharacters")),
        allow_users_to_change_password=bool(request.truth("AllowUsersToChangePassword")),
        max_password_age=request.number("MaxPasswordAge") or None,
        password_reuse_prevention=request.number("PasswordReusePrevention") or None,
        hard_expiry=bool(request.truth("HardExpiry")),
        made_by=change.position,
    )
    there = account.settings.password_policy
    if there is not None and replace(policy, made_by=there.made_by) == there:
        return account
    return account.put(replace(account.settings, password_policy=policy))


@decides("iam:DeleteAccountPasswordPolicy", on=anything)
def decide_delete_account_password_policy(account: Account, call: Call, moment: Moment) -> Answer:
    _present(account)
    return NOTHING


@evolves("iam:DeleteAccountPasswordPolicy", rank=Rank.REVOKE)
def delete_account_password_policy(account: Account, change: Change) -> Account:
    if account.settings.password_policy is None:
        return absent(account, "the password policy")
    return account.put(replace(account.settings, password_policy=None))


def _present(account: Account) -> PasswordPolicy:
    policy = account.settings.password_policy
    if policy is None:
        raise NoSuchEntity(f"The Password Policy with domain name {account.id} cannot be found.")
    return policy
