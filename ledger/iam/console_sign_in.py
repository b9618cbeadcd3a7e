"""Signing in with a password: who is meant, what stands in the way, and what a sign-in's records say.

Source: CloudTrail user guide, "AWS Management Console sign-in events"; IAM user guide, "Set an account password policy"
and "Sign in as the root user". What a record of CloudTrail does not have is the key that the session is known by: it
stands in responseElements.credentials, as in AWS's own records of signin:GetSigninToken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.change import HIDDEN, Change
from ledger.account.entities import LoginProfile, MFADevice, Owner, User
from ledger.iam.operations import Rank, evolves

CONSOLE_LOGIN: Final = "signin:ConsoleLogin"
CHECK_MFA: Final = "signin:CheckMfa"
PASSWORD_UPDATED: Final = "signin:PasswordUpdated"

SESSION_SECONDS: Final = 43_200
DAY: Final = 86_400

FAILED: Final = "Failed authentication"
NO_SUCH_USER: Final = "No username found in supplied account"


class Hindrance(StrEnum):
    """Why whoever gave the right password gets no session. The value is what a client is told."""

    RESET_REQUIRED = "PasswordResetRequired"  # set by an administrator; it can be changed at once
    EXPIRED = "PasswordExpired"  # by its age; it can be changed at once
    HARD_EXPIRED = "PasswordHardExpired"  # only an administrator sets a new one


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who says they are signing in: `user` by name, or root by its e-mail address."""

    user: str | None
    email: str | None


def claimed(account: Account, claimant: Claimant) -> Owner | None:
    """The user or root who is meant, with or without a password; None where there is nobody of that name."""
    if claimant.user is not None:
        return account.user_named(claimant.user)
    email = account.settings.email
    if email is None or claimant.email is None or email.casefold() != claimant.email.casefold():
        return None
    return account.settings


def devices(owner: Owner) -> list[MFADevice]:
    return sorted(
        owner.mfa_devices.values(), key=lambda device: (device.enable_date or 0, device.serial_number)
    )


def hindrance(account: Account, owner: Owner, at: int) -> Hindrance | None:
    """What stands between the right password and a session. The password policy is not root's."""
    profile, policy = owner.login_profile, account.settings.password_policy
    assert profile is not None
    if not isinstance(owner, User):
        return None
    days = None if policy is None else policy.max_password_age
    if policy is not None and days and at >= (profile.password_date or at) + days * DAY:
        return Hindrance.HARD_EXPIRED if policy.hard_expiry else Hindrance.EXPIRED
    return Hindrance.RESET_REQUIRED if profile.password_reset_required else None


def session_seconds(profile: LoginProfile) -> int:
    return profile.max_signin_session_duration or SESSION_SECONDS


def identity_of_attempt(account: Account, claimant: Claimant, owner: Owner | None) -> dict[str, Any]:
    """The userIdentity of an attempt that has not succeeded. Names that nobody has may be mistyped passwords."""
    if claimant.user is None:
        return {
            "type": "Root",
            "principalId": account.id,
            "arn": f"arn:aws:iam::{account.id}:root",
            "accountId": account.id,
            "accessKeyId": "",
        }
    if not isinstance(owner, User):
        return {"type": "IAMUser", "accountId": account.id, "accessKeyId": "", "userName": HIDDEN}
    return {
        "type": "IAMUser",
        "principalId": owner.id,
        "accountId": account.id,
        "accessKeyId": "",
        "userName": owner.name,
    }


def told_of_sign_in(login_to: str, device: str | None, *, mfa_used: bool) -> dict[str, str]:
    """additionalEventData of ConsoleLogin."""
    told = {"LoginTo": login_to, "MobileVersion": "No"}
    if device is not None:
        told["MFAIdentifier"] = device
    return told | {"MFAUsed": "Yes" if mfa_used else "No"}


def kind_of_mfa(owner: Owner) -> str:
    """MfaType of CheckMfa."""
    found = devices(owner)
    if len(found) > 1:
        return "Multiple MFA Devices"
    return "Virtual MFA" if found[0].virtual else "Hardware MFA"


@evolves(PASSWORD_UPDATED, rank=Rank.CHANGE)
def password_updated(account: Account, change: Change) -> Account:
    """Root's password; a user's is changed by iam:ChangePassword, wherever they do it."""
    if change.actor.kind != "Root":
        return account
    settings = account.settings
    profile = settings.login_profile or LoginProfile(None, False, None, None, None)
    changed = replace(profile, password_date=change.time, password_made_by=change.position)
    return account.put(replace(settings, login_profile=changed))
