"""Login profiles: who has a password, and who set it last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import arn_of
from ledger.account.entities import LoginProfile, Owner, User
from ledger.iam.deciding import NOTHING, Answer, Call, Forget, Keep, Moment, SecretKind, calling_user, decides
from ledger.iam.operations import Rank, evolves
from ledger.iam.passwords import broken_rule
from ledger.iam.present import owner_named
from ledger.iam.refusals import (
    AccessDenied,
    EntityAlreadyExists,
    InvalidInput,
    InvalidUserType,
    NoSuchEntity,
    PasswordPolicyViolation,
    ValidationError,
)
from ledger.iam.subjects import absent, owner_name, the_caller, the_owner
from ledger.iam.targets import a_user

THE_LOGIN_PROFILE_OF = "the login profile of "  # in what is assumed: it has no name of its own
DURATION = "MaxSigninSessionDuration"
DURATION_RESET = "ResetMaxSigninSessionDuration"


def shown(owner: Owner, profile: LoginProfile) -> dict[str, Any]:
    told: dict[str, Any] = {"UserName": owner_name(owner)}
    if profile.create_date is not None:
        told["CreateDate"] = profile.create_date
    told["PasswordResetRequired"] = profile.password_reset_required
    if profile.max_signin_session_duration is not None:
        told[DURATION] = profile.max_signin_session_duration
    return told


@decides("iam:CreateLoginProfile", on=a_user, facts=("password_hash",))
def decide_create_login_profile(account: Account, call: Call, moment: Moment) -> Answer:
    owner = _named(account, call)
    if owner.login_profile is not None:
        raise EntityAlreadyExists(f"Login Profile for user {owner_name(owner)} already exists.")
    reset = call.get("PasswordResetRequired", False)
    profile = LoginProfile(moment.time, reset, None, None, None, (), call.get(DURATION))
    output = {"LoginProfile": shown(owner, profile)}
    if not isinstance(owner, User):  # root recovers by mail: its login profile comes without a password
        if "Password" in call:
            raise ValidationError("Must not specify password when calling with an AssumeRoot session")
        return Answer(output)
    if "Password" not in call:
        raise ValidationError(
            "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must not be null"
        )
    return Answer(output, (_new_secret(account, owner, call, call["Password"]),))


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
        max_signin_session_duration=change.request.number(DURATION),
    )
    return account.put(replace(owner, login_profile=profile))


@decides("iam:GetLoginProfile", on=a_user)
def get_login_profile(account: Account, call: Call, moment: Moment) -> Answer:
    owner = _named(account, call)
    return Answer({"LoginProfile": shown(owner, _present(owner))})


@decides("iam:UpdateLoginProfile", on=a_user, facts=("password_hash",))
def decide_update_login_profile(account: Account, call: Call, moment: Moment) -> Answer:
    owner = _named(account, call)
    _present(owner)
    if DURATION in call and call.get(DURATION_RESET):
        raise InvalidInput(f"{DURATION} cannot be specified when {DURATION_RESET} is true.")
    if "Password" not in call:
        return NOTHING
    return Answer(secrets=(_new_secret(account, owner, call, call["Password"]),))


@evolves("iam:UpdateLoginProfile", rank=Rank.CHANGE)
def update_login_profile(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
    account, profile = _the_login_profile(account, owner)
    reset = change.request.truth("PasswordResetRequired")
    required = profile.password_reset_required if reset is None else reset
    duration = change.request.number(DURATION)
    if duration is not None or change.request.truth(DURATION_RESET):
        profile = replace(profile, max_signin_session_duration=duration)
    return account.put(_new_password(owner, profile, change, required))


@decides(
    "iam:ChangePassword",
    on=a_user,
    facts=("old_password_right", "password_reused", "password_hash"),
)
def decide_change_password(account: Account, call: Call, moment: Moment) -> Answer:
    user = calling_user(account, call)
    if user is None:
        raise InvalidUserType("Only IAM Users can change their own password")
    _present(user)
    if not call.facts["old_password_right"]:
        raise AccessDenied("The old password was incorrect.")
    kept = _new_secret(account, user, call, call["NewPassword"])
    if call.facts["password_reused"]:
        raise PasswordPolicyViolation(
            "Policy constraint violation with password reuse prevention during password change."
        )
    return Answer(secrets=(kept,))


@evolves("iam:ChangePassword", rank=Rank.CHANGE)
def change_password(account: Account, change: Change) -> Account:
    account, owner = the_caller(account, change)
    account, profile = _the_login_profile(account, owner)
    return account.put(_new_password(owner, profile, change, False))


@decides("iam:DeleteLoginProfile", on=a_user)
def decide_delete_login_profile(account: Account, call: Call, moment: Moment) -> Answer:
    owner = _named(account, call)
    _present(owner)
    return Answer(secrets=(Forget(SecretKind.PASSWORD, owner.id),))


@evolves("iam:DeleteLoginProfile", rank=Rank.REVOKE)
def delete_login_profile(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
    if owner.login_profile is None:
        return absent(account, f"{THE_LOGIN_PROFILE_OF}{arn_of(owner)}")
    return account.put(replace(owner, login_profile=None))


def _named(account: Account, call: Call) -> Owner:
    """Root reaches its own login profile only by an AssumeRoot session, as the IAM API reference says."""
    owner = owner_named(account, call)
    session = call.by.session
    if not isinstance(owner, User) and (session is None or session.action != "sts:AssumeRoot"):
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return owner


def _present(owner: Owner) -> LoginProfile:
    if owner.login_profile is None:
        raise NoSuchEntity(f"Login Profile for User {owner_name(owner)} cannot be found.")
    return owner.login_profile


def _new_secret(account: Account, owner: Owner, call: Call, password: str) -> Keep:
    rule = broken_rule(password, account.settings.password_policy)
    if rule is not None:
        raise PasswordPolicyViolation(rule)
    return Keep(SecretKind.PASSWORD, owner.id, call.facts["password_hash"])


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
