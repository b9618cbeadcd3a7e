"""Users: what is answered and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.iam.deciding import DECISIONS, Bearer, Call
from ledger.iam.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    PolicyNotAttachable,
    ValidationError,
)
from ledger.policy.request import caller_of
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, NOON, OWN, READ_ONLY, call, create_key, create_policy

NOBODY = "The user with name nobody cannot be found."
SERVICE_ROLE = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
PEER = f"arn:aws:iam::{ACCOUNT}:user/"


def with_alice(*history: dict[str, Any]) -> Asked:
    iam = Asked(*history)
    iam("CreateUser", UserName="alice")
    return iam


def also_asked(iam: Asked, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    decision = DECISIONS[f"iam:{operation}"]
    assert decision.also is not None
    return list(decision.also(iam.account, Call(f"iam:{operation}", parameters, ROOT_BEARER)))


def test_a_new_user_is_answered_whole_and_is_there() -> None:
    iam = Asked()
    made = iam("CreateUser", UserName="alice", Path="/team/", Tags=[{"Key": "Team", "Value": "blue"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/alice"
    assert made["CreateDate"] == NOON
    assert iam("GetUser", UserName="ALICE")["User"] == made


def test_a_name_is_taken_whatever_its_case() -> None:
    iam = with_alice()
    with refused(EntityAlreadyExists, "User with name Alice already exists."):
        iam("CreateUser", UserName="Alice")


def test_who_creates_a_user_with_tags_must_be_allowed_to_tag_it() -> None:
    tags = [{"Key": "Team", "Value": "blue"}]
    assert also_asked(Asked(), "CreateUser", UserName="bob", Tags=tags) == [("iam:TagUser", f"{PEER}bob")]
    assert also_asked(Asked(), "CreateUser", UserName="bob") == []


def test_an_account_has_its_quota_of_users() -> None:
    iam = Asked()
    for number in range(5000):
        iam("CreateUser", UserName=f"u{number}")
    with refused(LimitExceeded, "Cannot exceed quota for UsersPerAccount: 5000"):
        iam("CreateUser", UserName="bob")


# ---- reading


def test_who_names_nobody_is_told_of_themselves() -> None:
    iam = with_alice()
    alice = iam("GetUser", UserName="alice")["User"]
    herself = Bearer(replace(caller_of(alice["Arn"]), unique_id=alice["UserId"]))
    assert iam("GetUser", by=herself)["User"] == alice
    root = iam("GetUser")["User"]
    assert (root["UserId"], root["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    session = Bearer(caller_of(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/once"))
    with refused(ValidationError, "Must specify userName when calling with non-User credentials"):
        iam("GetUser", by=session)


def test_users_are_listed_by_name_a_page_at_a_time() -> None:
    iam = Asked()
    for name in ("carol", "Bob", "alice"):
        iam("CreateUser", UserName=name)
    page = iam("ListUsers", MaxItems=2)
    assert [user["UserName"] for user in page["Users"]] == ["alice", "Bob"]
    assert page["IsTruncated"] is True
    rest = iam("ListUsers", MaxItems=2, Marker=page["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["carol"]
    assert rest["IsTruncated"] is False
    assert "Marker" not in rest
    with refused(ValidationError, "Invalid Marker."):
        iam("ListUsers", Marker="made up")


def test_users_are_listed_by_path() -> None:
    iam = Asked()
    for name, path in (("alice", "/team/"), ("bob", "/team/blue/"), ("carol", "/")):
        iam("CreateUser", UserName=name, Path=path)
    assert [it["UserName"] for it in iam("ListUsers", PathPrefix="/team/")["Users"]] == ["alice", "bob"]
    assert iam("ListUsers", PathPrefix="/nowhere/")["Users"] == []


def test_listings_leave_out_boundary_and_tags() -> None:
    iam = Asked(create_policy())
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam("CreateUser", UserName="alice", PermissionsBoundary=OWN, Tags=tags)["User"]
    assert made["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": OWN,
    }
    (listed,) = iam("ListUsers")["Users"]
    assert set(listed) == {"Path", "UserName", "UserId", "Arn", "CreateDate"}


# ---- changing


def test_a_renamed_user_stays_the_same_user() -> None:
    iam = with_alice()
    before = iam("GetUser", UserName="alice")["User"]
    iam("UpdateUser", UserName="alice", NewUserName="Alicia", NewPath="/ops/")
    after = iam("GetUser", UserName="alicia")["User"]
    assert after == before | {"UserName": "Alicia", "Path": "/ops/", "Arn": f"{PEER}ops/Alicia"}
    with refused(NoSuchEntity, "The user with name alice cannot be found."):
        iam("GetUser", UserName="alice")


def test_a_user_is_not_renamed_to_somebody_else() -> None:
    iam = with_alice()
    iam("CreateUser", UserName="bob")
    with refused(EntityAlreadyExists, "User with name BOB already exists."):
        iam("UpdateUser", UserName="alice", NewUserName="BOB")
    with refused(NoSuchEntity, NOBODY):
        iam("UpdateUser", UserName="nobody", NewUserName="BOB")


def test_the_case_of_a_name_can_be_changed() -> None:
    iam = with_alice()
    iam("UpdateUser", UserName="alice", NewUserName="ALICE")
    assert iam("GetUser", UserName="alice")["User"]["UserName"] == "ALICE"


def test_who_renames_must_be_allowed_the_new_name_too() -> None:
    iam = with_alice()
    asked = also_asked(iam, "UpdateUser", UserName="alice", NewUserName="bob")
    assert asked == [("iam:UpdateUser", f"{PEER}bob")]
    asked = also_asked(iam, "UpdateUser", UserName="alice", NewPath="/ops/")
    assert asked == [("iam:UpdateUser", f"{PEER}ops/alice")]
    assert also_asked(iam, "UpdateUser", UserName="alice") == []
    assert also_asked(iam, "UpdateUser", UserName="nobody", NewUserName="bob") == []


def test_a_boundary_is_put_replaced_and_deleted() -> None:
    iam = with_alice(create_policy())
    for arn in (OWN, READ_ONLY):
        iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=arn)
        shown = iam("GetUser", UserName="alice")["User"]["PermissionsBoundary"]
        assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    for _ in range(2):
        iam("DeleteUserPermissionsBoundary", UserName="alice")
        assert "PermissionsBoundary" not in iam("GetUser", UserName="alice")["User"]


def test_a_boundary_is_a_policy_that_is_there() -> None:
    iam = with_alice()
    other = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
    with refused(InvalidInput, f"ARN {other} is not valid."):
        iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=other)
    with refused(NoSuchEntity, f"Scope ARN: {OWN} does not exist or is not attachable."):
        iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=OWN)
    with refused(NoSuchEntity, f"Scope ARN: {OWN} does not exist or is not attachable."):
        iam("CreateUser", UserName="bob", PermissionsBoundary=OWN)
    with refused(PolicyNotAttachable, "Cannot attach a Service Role Policy to a User."):
        iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=SERVICE_ROLE)
    with refused(NoSuchEntity, NOBODY):
        iam("PutUserPermissionsBoundary", UserName="nobody", PermissionsBoundary=READ_ONLY)
    with refused(NoSuchEntity, NOBODY):
        iam("DeleteUserPermissionsBoundary", UserName="nobody")


# ---- tags


def tag(key: str, value: str = "") -> dict[str, str]:
    return {"Key": key, "Value": value}


def test_tags_are_set_shown_and_taken_away_ignoring_case() -> None:
    iam = with_alice()
    iam("TagUser", UserName="alice", Tags=[tag("Team", "blue"), tag("Cost")])
    iam("TagUser", UserName="alice", Tags=[tag("TEAM", "red")])
    tags = [tag("Cost"), tag("TEAM", "red")]
    listed = iam("ListUserTags", UserName="alice")
    assert listed == {"Tags": tags, "IsTruncated": False}
    assert iam("GetUser", UserName="alice")["User"]["Tags"] == tags
    iam("UntagUser", UserName="alice", TagKeys=["team", "cost", "never there"])
    assert iam("ListUserTags", UserName="alice")["Tags"] == []
    assert "Tags" not in iam("GetUser", UserName="alice")["User"]


def test_tags_that_a_user_cannot_have() -> None:
    iam = with_alice()
    twice = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    with refused(InvalidInput, twice):
        iam("TagUser", UserName="alice", Tags=[tag("Team"), tag("team")])
    with refused(InvalidInput, twice):
        iam("CreateUser", UserName="bob", Tags=[tag("Team"), tag("team")])
    with refused(InvalidInput, "Tag keys beginning with aws: are reserved for system use."):
        iam("TagUser", UserName="alice", Tags=[tag("AWS:team")])
    iam("TagUser", UserName="alice", Tags=[tag(f"k{number}") for number in range(50)])
    iam("TagUser", UserName="alice", Tags=[tag("K7", "changed")])
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        iam("TagUser", UserName="alice", Tags=[tag("one more")])


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [("TagUser", {"Tags": [tag("Team")]}), ("UntagUser", {"TagKeys": ["Team"]}), ("ListUserTags", {})],
)
def test_nobody_has_no_tags(operation: str, parameters: dict[str, Any]) -> None:
    with refused(NoSuchEntity, NOBODY):
        Asked()(operation, UserName="nobody", **parameters)


# ---- deleting


def test_a_deleted_user_is_gone_and_the_name_is_free_for_somebody_else() -> None:
    iam = with_alice()
    first = iam("GetUser", UserName="alice")["User"]["UserId"]
    iam("DeleteUser", UserName="alice")
    with refused(NoSuchEntity, "The user with name alice cannot be found."):
        iam("DeleteUser", UserName="alice")
    assert iam("CreateUser", UserName="alice")["User"]["UserId"] != first


def test_a_boundary_and_tags_go_with_the_user() -> None:
    iam = Asked()
    iam("CreateUser", UserName="alice", PermissionsBoundary=READ_ONLY, Tags=[tag("Team")])
    iam("DeleteUser", UserName="alice")
    assert iam("ListUsers")["Users"] == []


CERTIFICATE = {"certificate": {"userName": "alice", "certificateId": "C" * 24, "status": "Active"}}
SSH_KEY = {
    "sSHPublicKey": {"userName": "alice", "sSHPublicKeyId": "APKA0000000000000001", "status": "Active"}
}
OF_ALICE = {"userName": "alice"}
GROUP = {"groupName": "devs"}
LEFT = {
    "delete policies": [call("PutUserPolicy", OF_ALICE | {"policyName": "p", "policyDocument": ALLOW_TEXT})],
    "detach all policies": [call("AttachUserPolicy", OF_ALICE | {"policyArn": READ_ONLY})],
    "delete login profile": [call("CreateLoginProfile", OF_ALICE)],
    "delete access keys": [create_key()],
    "delete certificates": [call("UploadSigningCertificate", OF_ALICE, CERTIFICATE)],
    "delete MFA device": [call("EnableMFADevice", OF_ALICE | {"serialNumber": "GAHT12345678"})],
    "remove users from group": [call("CreateGroup", GROUP), call("AddUserToGroup", OF_ALICE | GROUP)],
    "remove referenced objects": [call("UploadSSHPublicKey", OF_ALICE, SSH_KEY)],
}


@pytest.mark.parametrize("what", LEFT)
def test_who_has_something_left_is_not_deleted(what: str) -> None:
    iam = Asked(call("CreateUser", OF_ALICE), *LEFT[what])
    with refused(DeleteConflict, f"Cannot delete entity, must {what} first."):
        iam("DeleteUser", UserName="alice")
    assert iam("GetUser", UserName="alice")["User"]["UserName"] == "alice"
