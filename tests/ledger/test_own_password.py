"""What the account's password policy grants to users: their own password, and to read the policy."""

import pytest

from ledger.account.account import Account
from ledger.account.entities import Kind
from ledger.authorization import Authorization, authorize
from ledger.policy.decision import GrantKind, Verdict
from ledger.policy.request import caller_of
from tests.ledger.told import ACCOUNT, NOON, Told, call, create_user, given

CHANGE, READ = "iam:ChangePassword", "iam:GetAccountPasswordPolicy"


def setting(allow: bool) -> dict:
    return call("UpdateAccountPasswordPolicy", {"allowUsersToChangePassword": allow})


def asked(told: Told, action: str, resource: str) -> Authorization:
    account: Account = told.account
    alice = account.user_named("alice")
    assert alice is not None
    caller = caller_of(alice.arn, unique_id=alice.id)
    return authorize(account, caller, (Kind.USER, alice.id), action, resource, {}, told.position + 1, at=NOON)


def itself(told: Told) -> str:
    alice = told.account.user_named("alice")
    assert alice is not None
    return alice.arn


def test_without_a_password_policy_nobody_may() -> None:
    told = given(create_user())
    assert not asked(told, CHANGE, itself(told)).allowed
    assert not asked(told, READ, "*").allowed


def test_where_the_policy_does_not_say_so_nobody_may() -> None:
    told = given(create_user(), setting(False))
    assert not asked(told, CHANGE, itself(told)).allowed


def test_a_user_may_change_their_own_password_and_read_the_policy() -> None:
    told = given(create_user(), setting(True))
    assert asked(told, CHANGE, itself(told)).allowed
    assert asked(told, READ, "*").allowed


@pytest.mark.parametrize(
    "action", ["iam:UpdateLoginProfile", "iam:DeleteAccountPasswordPolicy", "iam:GetUser"]
)
def test_and_nothing_else(action: str) -> None:
    told = given(create_user(), setting(True))
    assert not asked(told, action, itself(told)).allowed


def test_and_nobody_elses() -> None:
    told = given(create_user(), create_user("bob"), setting(True))
    assert not asked(told, CHANGE, f"arn:aws:iam::{ACCOUNT}:user/bob").allowed


def test_the_answer_points_at_the_entry_that_set_it() -> None:
    told = given(create_user(), setting(True))
    (match,) = asked(told, CHANGE, itself(told)).statements
    ((grant,),) = match.source.ways
    assert (match.source.name, grant.kind, grant.made_by) == (
        "AWS:AllowUsersToChangePassword",
        GrantKind.PASSWORD_POLICY,
        1,
    )


def test_a_denial_still_denies() -> None:
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:ChangePassword","Resource":"*"}]}'
    put = call("PutUserPolicy", {"userName": "alice", "policyName": "no", "policyDocument": deny})
    told = given(create_user(), setting(True), put)
    assert asked(told, CHANGE, itself(told)).verdict is Verdict.EXPLICIT_DENY


def test_it_ends_with_the_setting() -> None:
    told = given(create_user(), setting(True), setting(False))
    assert not asked(told, CHANGE, itself(told)).allowed


def test_a_path_with_wildcards_is_taken_literally() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/a*?$/alice"
    created = create_user()
    created["responseElements"]["user"] |= {"path": "/a*?$/", "arn": arn}
    told = given(created, setting(True))
    assert asked(told, CHANGE, arn).allowed
    assert not asked(told, CHANGE, f"arn:aws:iam::{ACCOUNT}:user/axyz$/alice").allowed
