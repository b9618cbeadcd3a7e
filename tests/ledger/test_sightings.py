"""Sightings: who calls exists. They add what was not known, and bring nobody back."""

import pytest

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.sightings import sighting_key
from ledger.record import read_identity
from tests.ledger.told import (
    ACCOUNT,
    NOON,
    READ_ONLY,
    ROOT,
    call,
    create_role,
    create_user,
    folded,
    imported,
    sighting,
    steps,
)

ALICE = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/ops/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
    "accessKeyId": "AKIAALICE0000001",
}
DEPLOY = {
    "type": "AssumedRole",
    "principalId": "AROA000000DEPLOY1:ci",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIA000000000001",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROA000000DEPLOY1",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/team/deploy",
            "accountId": ACCOUNT,
            "userName": "deploy",
        }
    },
}
attach = call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY})
delete = call("DeleteUser", {"userName": "alice"}, at=NOON + 1)


def user(account: Account, name: str = "alice") -> dict:
    found = account.user_named(name)
    assert found is not None
    return account.document(found)


def role(account: Account) -> dict:
    found = account.role_named("deploy")
    assert found is not None
    return account.document(found)


def test_a_user_who_calls_is_assumed_with_the_key_that_was_used() -> None:
    account = folded([sighting(ALICE)])
    assert user(account)["UserId"] == "AIDA0000000ALICE1"
    assert user(account)["Path"] == "/ops/"
    assert user(account)["Assumed"] == [Reason.UNSEEN_CREATION]
    assert user(account)["AccessKeys"] == [
        {"AccessKeyId": "AKIAALICE0000001", "Status": "Active", "Assumed": [Reason.UNSEEN_CREATION]}
    ]
    assert account.assumptions == 2


def test_a_second_sighting_adds_nothing_but_another_key() -> None:
    assert len(steps([sighting(ALICE), sighting(ALICE, NOON + 9)])) == 1
    account = folded([sighting(ALICE), sighting(ALICE | {"accessKeyId": "AKIAALICE0000002"})])
    assert [key["AccessKeyId"] for key in user(account)["AccessKeys"]] == [
        "AKIAALICE0000001",
        "AKIAALICE0000002",
    ]


def test_a_temporary_key_is_no_key_of_the_user() -> None:
    assert user(folded([sighting(ALICE | {"accessKeyId": "ASIAALICE0000001"})]))["AccessKeys"] == []


def test_a_role_session_shows_its_role_with_the_path() -> None:
    account = folded([sighting(DEPLOY)])
    assert role(account)["RoleId"] == "AROA000000DEPLOY1"
    assert role(account)["Path"] == "/team/"
    assert role(account)["Assumed"] == [Reason.UNSEEN_CREATION, Reason.UNKNOWN_TEXT]


def test_a_session_without_its_issuer_does_not_tell_the_path_until_another_does() -> None:
    bare = {key: value for key, value in DEPLOY.items() if key != "sessionContext"}
    account = folded([sighting(bare)])
    assert role(account)["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert Reason.UNTOLD_PATH in role(account)["Assumed"]
    account = folded([sighting(DEPLOY, NOON + 1)], account)
    assert role(account)["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
    assert Reason.UNTOLD_PATH not in role(account)["Assumed"]


def test_root_shows_its_key_only() -> None:
    account = folded([sighting(ROOT), sighting(ROOT | {"accessKeyId": "AKIAROOT00000001"})])
    assert [key["AccessKeyId"] for key in account.document(account.settings)["AccessKeys"]] == [
        "AKIAROOT00000001"
    ]
    assert not account.users


def test_an_assumed_user_gets_the_real_id_in_place() -> None:
    account = folded([*imported([attach]), sighting(ALICE, NOON + 1)])
    assert list(account.users) == ["AIDA0000000ALICE1"]
    assert user(account)["Arn"].endswith(":user/ops/alice")
    assert user(account)["AttachedManagedPolicies"][0]["MadeBy"] == 0
    assert user(account)["Assumed"] == [Reason.UNSEEN_CREATION]
    assert [holder.id for holder in account.holders_of(READ_ONLY)] == ["AIDA0000000ALICE1"]


def test_an_assumed_role_gets_the_real_id_and_its_instance_profile_follows() -> None:
    place = call("AddRoleToInstanceProfile", {"roleName": "deploy", "instanceProfileName": "web"})
    account = folded([*imported([place]), sighting(DEPLOY, NOON + 1)])
    (profile,) = account.instance_profiles.values()
    assert list(profile.roles) == ["AROA000000DEPLOY1"]
    assert profile.roles["AROA000000DEPLOY1"].made_by == 0


def test_a_namesake_with_another_id_was_deleted_and_made_again() -> None:
    account = folded([sighting(ALICE), sighting(ALICE | {"principalId": "AIDA0000000ALICE2"}, NOON + 1)])
    assert list(account.users) == ["AIDA0000000ALICE2"]
    assert account.noted[0].reason is Reason.UNSEEN_DELETION
    assert "AIDA0000000ALICE1" in account.deleted


def test_a_late_call_of_a_deleted_user_brings_nobody_back() -> None:
    again = create_user(number=2, at=NOON + 2)
    account = folded([*imported([create_user(), delete, again]), sighting(ALICE, NOON + 3)])
    assert list(account.users) == ["AIDA0000000ALICE2"]
    account = folded([*imported([create_role(), call("DeleteRole", {"roleName": "deploy"}, at=NOON + 1)])])
    assert not folded([sighting(DEPLOY, NOON + 2)], account).roles


def test_a_late_call_with_a_deleted_key_brings_no_key_back() -> None:
    gone = call("DeleteAccessKey", {"userName": "alice", "accessKeyId": "AKIAALICE0000001"})
    account = folded([*imported([create_user(), gone]), sighting(ALICE, NOON + 3)])
    assert user(account)["AccessKeys"] == []


def test_a_creation_in_the_second_of_the_first_call_comes_before_it() -> None:
    account = folded([sighting(ALICE), *imported([create_user()])])
    assert user(account)["CreatedBy"] == 0
    assert "Assumed" not in user(account)


def test_a_creation_after_the_first_call_is_the_same_user_by_its_id() -> None:
    account = folded([sighting(ALICE), *imported([create_user(at=NOON + 1)])])
    assert user(account)["CreatedBy"] == 0
    assert user(account)["AccessKeys"][0]["AccessKeyId"] == "AKIAALICE0000001"


def test_a_masked_id_is_no_id() -> None:
    account = folded(
        [sighting(ALICE | {"principalId": "AIDA****************", "accessKeyId": "AKIA************"})]
    )
    assert user(account)["UserId"] == "assumed:user/alice"
    assert user(account)["AccessKeys"] == []


def test_a_federated_user_shows_the_user_who_issued_it() -> None:
    issuer = {
        "type": "IAMUser",
        "principalId": ALICE["principalId"],
        "arn": ALICE["arn"],
        "userName": "alice",
    }
    bob = {
        "type": "FederatedUser",
        "principalId": f"{ACCOUNT}:bob",
        "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": issuer},
    }
    assert list(folded([sighting(bob)]).users) == ["AIDA0000000ALICE1"]


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
        {"accountId": ACCOUNT, "invokedBy": "ec2.amazonaws.com"},
        ALICE | {"accountId": "999988887777"},
        ALICE | {"arn": "arn:aws:iam::999988887777:user/alice"},
        ALICE | {"arn": None},
        ALICE | {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        DEPLOY | {"sessionContext": {}, "arn": "rubbish"},
        {"type": "AWSAccount", "principalId": "AIDA0000000ALICE1", "accountId": ACCOUNT},
    ],
)
def test_who_is_nobody_of_this_account_is_not_seen(identity: dict) -> None:
    assert sighting_key(read_identity(identity), ACCOUNT) is None
    assert steps([sighting(identity)]) == []
