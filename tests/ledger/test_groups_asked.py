"""Groups and who is in them: what is answered and what is refused."""

from typing import Any

import pytest

from ledger.iam.deciding import DECISIONS, Call
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, NOON, READ_ONLY

JOIN: dict[str, Any] = {"UserName": "alice", "GroupName": "devs"}
NONE = "The group with name none cannot be found."
NOBODY = "The user with name nobody cannot be found."


def with_group(*members: str) -> Asked:
    iam = Asked()
    iam("CreateGroup", GroupName="devs")
    for name in members:
        iam("CreateUser", UserName=name)
        iam("AddUserToGroup", UserName=name, GroupName="devs")
    return iam


def names(answer: dict[str, Any], noun: str = "Group") -> list[str]:
    return [it[f"{noun}Name"] for it in answer[f"{noun}s"]]


def test_a_new_group_is_answered_whole_and_is_there() -> None:
    iam = Asked()
    made = iam("CreateGroup", GroupName="devs", Path="/it/")["Group"]
    assert made.pop("GroupId").startswith("AGPA")
    assert made == {
        "Path": "/it/",
        "GroupName": "devs",
        "Arn": f"arn:aws:iam::{ACCOUNT}:group/it/devs",
        "CreateDate": NOON,
    }
    there = iam("GetGroup", GroupName="DEVS")
    assert there["Group"].items() >= made.items()
    assert (there["Users"], there["IsTruncated"]) == ([], False)


def test_a_name_is_taken_whatever_its_case() -> None:
    with refused(EntityAlreadyExists, "Group with name Devs already exists."):
        with_group()("CreateGroup", GroupName="Devs", Path="/elsewhere/")


def test_an_account_has_its_quota_of_groups() -> None:
    iam = Asked()
    for number in range(300):
        iam("CreateGroup", GroupName=f"g{number}")
    with refused(LimitExceeded, "Cannot exceed quota for GroupsPerAccount: 300"):
        iam("CreateGroup", GroupName="one-more")


def test_groups_are_listed_by_name_and_path_a_page_at_a_time() -> None:
    iam = Asked()
    for name, path in (("ops", "/it/"), ("Devs", "/it/blue/"), ("art", "/")):
        iam("CreateGroup", GroupName=name, Path=path)
    page = iam("ListGroups", MaxItems=2)
    assert (names(page), page["IsTruncated"]) == (["art", "Devs"], True)
    rest = iam("ListGroups", Marker=page["Marker"])
    assert (names(rest), rest["IsTruncated"]) == (["ops"], False)
    assert names(iam("ListGroups", PathPrefix="/it/")) == ["Devs", "ops"]


def test_a_renamed_group_keeps_its_members() -> None:
    iam = with_group("alice")
    before = iam("GetGroup", GroupName="devs")
    iam("UpdateGroup", GroupName="devs", NewGroupName="ops", NewPath="/it/")
    after = iam("GetGroup", GroupName="ops")
    assert after["Users"] == before["Users"]
    arn = f"arn:aws:iam::{ACCOUNT}:group/it/ops"
    assert after["Group"] == before["Group"] | {"GroupName": "ops", "Path": "/it/", "Arn": arn}
    assert names(iam("ListGroupsForUser", UserName="alice")) == ["ops"]


def test_a_group_is_not_renamed_to_another() -> None:
    iam = with_group()
    iam("CreateGroup", GroupName="ops")
    with refused(EntityAlreadyExists, "Group with name OPS already exists."):
        iam("UpdateGroup", GroupName="devs", NewGroupName="OPS")
    with refused(NoSuchEntity, NONE):
        iam("UpdateGroup", GroupName="none", NewGroupName="ops")
    iam("UpdateGroup", GroupName="devs", NewGroupName="DEVS")
    assert names(iam("ListGroups")) == ["DEVS", "ops"]


def test_who_renames_must_be_allowed_the_new_name_too() -> None:
    decision = DECISIONS["iam:UpdateGroup"]
    rename = Call("iam:UpdateGroup", {"GroupName": "devs", "NewGroupName": "ops"}, ROOT_BEARER)
    assert decision.also is not None
    assert list(decision.also(with_group().account, rename)) == [
        ("iam:UpdateGroup", f"arn:aws:iam::{ACCOUNT}:group/ops")
    ]


# ---- members


def test_members_are_listed_by_name_a_page_at_a_time() -> None:
    iam = with_group("carol", "Bob", "alice")
    page = iam("GetGroup", GroupName="devs", MaxItems=2)
    assert (names(page, "User"), page["IsTruncated"]) == (["alice", "Bob"], True)
    rest = iam("GetGroup", GroupName="devs", Marker=page["Marker"])
    assert (names(rest, "User"), rest["IsTruncated"]) == (["carol"], False)
    assert set(rest["Users"][0]) == {"Path", "UserName", "UserId", "Arn", "CreateDate"}


def test_joining_or_leaving_twice_changes_nothing() -> None:
    iam = with_group("alice")
    joined = iam.account
    iam("AddUserToGroup", **JOIN)
    assert iam.account == joined
    iam("RemoveUserFromGroup", **JOIN)
    assert iam("GetGroup", GroupName="devs")["Users"] == []
    iam("RemoveUserFromGroup", **JOIN)
    assert iam("ListGroupsForUser", UserName="alice") == {"Groups": [], "IsTruncated": False}


@pytest.mark.parametrize("operation", ["AddUserToGroup", "RemoveUserFromGroup"])
def test_both_must_exist_and_the_user_is_missed_first(operation: str) -> None:
    iam = with_group("alice")
    with refused(NoSuchEntity, NOBODY):
        iam(operation, UserName="nobody", GroupName="none")
    with refused(NoSuchEntity, NONE):
        iam(operation, UserName="alice", GroupName="none")
    with refused(NoSuchEntity, NOBODY):
        iam("ListGroupsForUser", UserName="nobody")


def test_a_user_is_in_ten_groups_at_most() -> None:
    iam = with_group("alice")
    for number in range(10):
        iam("CreateGroup", GroupName=f"g{number}")
    for number in range(9):
        iam("AddUserToGroup", UserName="alice", GroupName=f"g{number}")
    with refused(LimitExceeded, "Cannot exceed quota for GroupsPerUser: 10"):
        iam("AddUserToGroup", UserName="alice", GroupName="g9")
    iam("AddUserToGroup", **JOIN)
    page = iam("ListGroupsForUser", UserName="alice", MaxItems=1)
    assert (names(page), page["IsTruncated"]) == (["devs"], True)
    assert len(names(iam("ListGroupsForUser", UserName="alice", Marker=page["Marker"]))) == 9


# ---- deleting


def test_only_an_empty_group_is_deleted() -> None:
    iam = with_group("alice")
    iam("AttachGroupPolicy", GroupName="devs", PolicyArn=READ_ONLY)
    iam("PutGroupPolicy", GroupName="devs", PolicyName="p", PolicyDocument=ALLOW_TEXT)
    with refused(DeleteConflict, "Cannot delete entity, must remove users from group first."):
        iam("DeleteGroup", GroupName="devs")
    iam("RemoveUserFromGroup", **JOIN)
    with refused(DeleteConflict, "Cannot delete entity, must delete policies first."):
        iam("DeleteGroup", GroupName="devs")
    iam("DeleteGroupPolicy", GroupName="devs", PolicyName="p")
    with refused(DeleteConflict, "Cannot delete entity, must detach all policies first."):
        iam("DeleteGroup", GroupName="devs")
    iam("DetachGroupPolicy", GroupName="devs", PolicyArn=READ_ONLY)
    iam("DeleteGroup", GroupName="devs")
    for operation in ("DeleteGroup", "GetGroup"):
        with refused(NoSuchEntity, "The group with name devs cannot be found."):
            iam(operation, GroupName="devs")
