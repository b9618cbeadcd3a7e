"""Login profiles: who has a password, and who set it last."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import arn_of
from ledger.account.entities import LoginProfile, Owner
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, the_caller, the_owner

THE_LOGIN_PROFILE_OF = "the login profile of "  # in what is assumed: it has no name of its own


@evolves("iam:CreateLoginProfile", rank=Rank.GRANT)
def create_login_profile(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
    if owner.login_profile is not None and owner.login_profile.made_by is not None:
        account = account.assume(Reason.UNSEEN_DELETION, f"{THE_LOGIN_PROFILE_OF}{arn_of(owner)}")
    told = change.response.within("LoginProfile")
    created_at = told.date("CreateDate")
    reset = change.request.truth("PasswordResetRequired")
    profile = LoginProfile(
        create_date=change.time if created_at is None else created_at,
        password_reset_required=bool(told.truth("PasswordResetRequired") if reset is None else reset),
        password_date=change.time,
        made_by=change.position,
        password_made_by=change.position,
    )
    return account.put(replace(owner, login_profile=profile))


@evolves("iam:UpdateLoginProfile", rank=Rank.CHANGE)
def update_login_profile(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
    account, profile = _the_login_profile(account, owner)
    reset = change.request.truth("PasswordResetRequired")
    required = profile.password_reset_required if reset is None else reset
    return account.put(_new_password(owner, profile, change, required))


@evolves("iam:ChangePassword", rank=Rank.CHANGE)
def change_password(account: Account, change: Change) -> Account:
    account, owner = the_caller(account, change)
    account, profile = _the_login_profile(account, owner)
    return account.put(_new_password(owner, profile, change, False))


@evolves("iam:DeleteLoginProfile", rank=Rank.REVOKE)
def delete_login_profile(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
    if owner.login_profile is None:
        return absent(account, f"{THE_LOGIN_PROFILE_OF}{arn_of(owner)}")
    return account.put(replace(owner, login_profile=None))


def _the_login_profile(account: Account, owner: Owner) -> tuple[Account, LoginProfile]:
    if owner.login_profile is not None:
        return account, owner.login_profile
    account = account.assume(Reason.UNSEEN_CREATION, f"{THE_LOGIN_PROFILE_OF}{arn_of(owner)}")
    return account, LoginProfile(None, False, None, None, None, (Reason.UNSEEN_CREATION,))


def _new_password(owner: Owner, profile: LoginProfile, change: Change, reset_required: bool) -> Owner:
    """CloudTrail never shows whether an update named a password, so it is taken to have done so."""
    changed = replace(
        profile,
        password_reset_required=reset_required,
        password_date=change.time,
        password_made_by=change.position,
    )
    return replace(owner, login_profile=changed)
