"""Login profiles and passwords: what is answered and what is refused."""

from dataclasses import replace

import pytest

from ledger.account.entities import PasswordPolicy
from ledger.iam.deciding import Bearer, Forget, Keep, SecretKind
from ledger.iam.passwords import broken_rule
from ledger.iam.refusals import (
    AccessDenied,
    EntityAlreadyExists,
    InvalidInput,
    InvalidUserType,
    NoSuchEntity,
    PasswordPolicyViolation,
    ValidationError,
)
from ledger.policy.request import caller_of
from tests.ledger.asking import Asked, refused
from tests.ledger.told import NOON

GOOD = "Correct-Horse-7"
BETTER = "Battery-Staple-8"
HASH = {"password_hash": "$argon2id$the-hash"}
RIGHT = HASH | {"old_password_right": True, "password_reused": False}
NO_PROFILE = "Login Profile for User alice cannot be found."
NO_USER = "The user with name bob cannot be found."
NAME_NEEDED = "Must specify userName when calling with non-User credentials"


def with_alice() -> Asked:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    return iam


def with_a_password() -> Asked:
    iam = with_alice()
    iam("CreateLoginProfile", UserName="alice", Password=GOOD, facts=HASH)
    return iam


def alice_id(iam: Asked) -> str:
    user = iam.account.user_named("alice")
    assert user is not None
    return user.id


def alice_herself(iam: Asked) -> Bearer:
    user = iam.account.user_named("alice")
    assert user is not None
    return Bearer(caller_of(user.arn, unique_id=user.id))


# ---- the profile


def test_a_login_profile_is_answered_as_it_is_read_and_the_vault_keeps_the_hash() -> None:
    iam = with_alice()
    made = iam(
        "CreateLoginProfile",
        UserName="ALICE",
        Password=GOOD,
        PasswordResetRequired=True,
        MaxSigninSessionDuration=3600,
        facts=HASH,
    )
    assert iam.answer.secrets == (Keep(SecretKind.PASSWORD, alice_id(iam), HASH["password_hash"]),)
    assert made["LoginProfile"] == {
        "UserName": "alice",
        "CreateDate": NOON,
        "PasswordResetRequired": True,
        "MaxSigninSessionDuration": 3600,
    }
    assert iam("GetLoginProfile", UserName="alice") == made


def test_no_record_holds_a_password_or_its_hash() -> None:
    iam = with_a_password()
    records = [iam.record]
    iam("UpdateLoginProfile", UserName="alice", Password=BETTER, facts=HASH)
    records.append(iam.record)
    iam("ChangePassword", by=alice_herself(iam), OldPassword=BETTER, NewPassword=GOOD, facts=RIGHT)
    records.append(iam.record)
    assert all(secret not in str(records) for secret in (GOOD, BETTER, HASH["password_hash"]))


def test_there_is_one_login_profile() -> None:
    with refused(EntityAlreadyExists, "Login Profile for user alice already exists."):
        with_a_password()("CreateLoginProfile", UserName="alice", Password=GOOD, facts=HASH)


def test_who_or_what_is_not_there_is_named() -> None:
    iam = with_alice()
    with refused(NoSuchEntity, NO_USER):
        iam("CreateLoginProfile", UserName="bob", Password=GOOD, facts=HASH)
    for operation in ("GetLoginProfile", "DeleteLoginProfile", "UpdateLoginProfile"):
        with refused(NoSuchEntity, NO_USER):
            iam(operation, UserName="bob")
        with refused(NoSuchEntity, NO_PROFILE):
            iam(operation, UserName="alice")


def test_a_password_is_needed() -> None:
    message = "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must not be null"
    with refused(ValidationError, message):
        with_alice()("CreateLoginProfile", UserName="alice")


def test_root_names_a_user() -> None:
    iam = with_alice()
    with refused(ValidationError, NAME_NEEDED):
        iam("CreateLoginProfile", Password=GOOD, facts=HASH)
    for operation in ("GetLoginProfile", "DeleteLoginProfile"):
        with refused(ValidationError, NAME_NEEDED):
            iam(operation)


def test_an_update_changes_what_it_names() -> None:
    iam = with_a_password()
    iam("UpdateLoginProfile", UserName="alice", MaxSigninSessionDuration=7200)
    assert iam.answer.secrets == ()
    iam("UpdateLoginProfile", UserName="alice", PasswordResetRequired=True)
    profile = iam("GetLoginProfile", UserName="alice")["LoginProfile"]
    assert (profile["PasswordResetRequired"], profile["MaxSigninSessionDuration"]) == (True, 7200)
    iam("UpdateLoginProfile", UserName="alice", ResetMaxSigninSessionDuration=True)
    assert "MaxSigninSessionDuration" not in iam("GetLoginProfile", UserName="alice")["LoginProfile"]
    message = "MaxSigninSessionDuration cannot be specified when ResetMaxSigninSessionDuration is true."
    with refused(InvalidInput, message):
        iam(
            "UpdateLoginProfile",
            UserName="alice",
            MaxSigninSessionDuration=7200,
            ResetMaxSigninSessionDuration=True,
        )


def test_an_update_gives_the_vault_the_new_hash() -> None:
    iam = with_a_password()
    iam("UpdateLoginProfile", UserName="alice", Password=BETTER, facts=HASH)
    assert iam.answer.secrets == (Keep(SecretKind.PASSWORD, alice_id(iam), HASH["password_hash"]),)
    with refused(PasswordPolicyViolation, "Password should have a minimum length of 8"):
        iam("UpdateLoginProfile", UserName="alice", Password="short", facts=HASH)


def test_a_deleted_login_profile_is_forgotten_and_can_be_made_anew() -> None:
    iam = with_a_password()
    iam("DeleteLoginProfile", UserName="alice")
    assert iam.answer.secrets == (Forget(SecretKind.PASSWORD, alice_id(iam)),)
    with refused(NoSuchEntity, NO_PROFILE):
        iam("DeleteLoginProfile", UserName="alice")
    iam("CreateLoginProfile", UserName="alice", Password=GOOD, facts=HASH)


# ---- one's own password


def test_who_changes_a_password_need_not_reset_it_any_more() -> None:
    iam = with_alice()
    iam("CreateLoginProfile", UserName="alice", Password=GOOD, PasswordResetRequired=True, facts=HASH)
    iam("ChangePassword", by=alice_herself(iam), OldPassword=GOOD, NewPassword=BETTER, facts=RIGHT)
    assert iam.answer.secrets == (Keep(SecretKind.PASSWORD, alice_id(iam), HASH["password_hash"]),)
    assert iam("GetLoginProfile", UserName="alice")["LoginProfile"]["PasswordResetRequired"] is False


def test_only_users_change_their_password() -> None:
    with refused(InvalidUserType, "Only IAM Users can change their own password"):
        with_a_password()("ChangePassword", OldPassword=GOOD, NewPassword=BETTER, facts=RIGHT)


def test_the_old_password_must_be_there_and_right() -> None:
    iam = with_alice()
    herself = alice_herself(iam)
    with refused(NoSuchEntity, NO_PROFILE):
        iam("ChangePassword", by=herself, OldPassword=GOOD, NewPassword=BETTER, facts=RIGHT)
    iam = with_a_password()
    wrong = RIGHT | {"old_password_right": False}
    with refused(AccessDenied, "The old password was incorrect."):
        iam("ChangePassword", by=herself, OldPassword="x", NewPassword="y", facts=wrong)


def test_the_new_password_keeps_the_rules_and_is_new() -> None:
    iam = with_a_password()
    herself = alice_herself(iam)
    iam("UpdateAccountPasswordPolicy", MinimumPasswordLength=14, PasswordReusePrevention=3)
    with refused(PasswordPolicyViolation, "Password should have a minimum length of 14"):
        iam("ChangePassword", by=herself, OldPassword=GOOD, NewPassword="short", facts=RIGHT)
    message = "Policy constraint violation with password reuse prevention during password change."
    reused = RIGHT | {"password_reused": True}
    with refused(PasswordPolicyViolation, message):
        iam("ChangePassword", by=herself, OldPassword=GOOD, NewPassword=GOOD, facts=reused)


# ---- the rules

STRICT = PasswordPolicy(
    minimum_password_length=6,
    require_symbols=True,
    require_numbers=True,
    require_uppercase_characters=True,
    require_lowercase_characters=True,
    allow_users_to_change_password=False,
    max_password_age=None,
    password_reuse_prevention=None,
    hard_expiry=False,
    made_by=None,
)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("aB3!", "Password should have a minimum length of 6"),
        ("abcd3!", "Password should have at least one uppercase letter"),
        ("ABCD3!", "Password should have at least one lowercase letter"),
        ("ABcde!", "Password should have at least one number"),
        ("ABcde3", "Password should have at least one symbol"),
        ("ABcd3~", "Password should have at least one symbol"),
        ("ÀBcdé3'", None),
        ("ABcd3|", None),
    ],
)
def test_the_first_rule_that_is_broken_is_told(password: str, rule: str | None) -> None:
    assert broken_rule(password, STRICT) == rule


def test_what_a_policy_does_not_require_may_be_missing() -> None:
    lenient = replace(
        STRICT,
        require_symbols=False,
        require_numbers=False,
        require_uppercase_characters=False,
        require_lowercase_characters=False,
    )
    assert broken_rule("aaaaaa", lenient) is None


def test_without_a_policy_eight_characters_of_three_kinds_are_asked_for() -> None:
    assert broken_rule("aB3!aB3", None) == "Password should have a minimum length of 8"
    one, two = (
        "Password should have at least one uppercase letter",
        "Password should have at least one symbol",
    )
    more = "more of the following requirements: "
    assert broken_rule("aaaa3333", None) == f"Password should meet 1 {more}{one}, {two}"
    three = f"{one}, Password should have at least one number, {two}"
    assert broken_rule("aaaaaaaa", None) == f"Password should meet 2 {more}{three}"
    assert broken_rule("aaaa333B", None) is None
    assert broken_rule("aaaa333!", None) is None
