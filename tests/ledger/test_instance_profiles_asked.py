"""Instance profiles: what is answered and what is refused."""

from typing import Any

import pytest

from ledger.iam.deciding import DECISIONS, Call
from ledger.iam.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, NOON, create_role

PLACE: dict[str, Any] = {"InstanceProfileName": "web", "RoleName": "deploy"}


def with_profile(*history: dict[str, Any], **more: Any) -> Asked:
    iam = Asked(*history)
    iam("CreateInstanceProfile", InstanceProfileName="web", **more)
    return iam


def test_a_new_profile_is_answered_whole_and_has_no_roles() -> None:
    iam = Asked()
    made = iam(
        "CreateInstanceProfile",
        InstanceProfileName="web",
        Path="/team/",
        Tags=[{"Key": "Team", "Value": "blue"}],
    )["InstanceProfile"]
    assert made == {
        "Path": "/team/",
        "InstanceProfileName": "web",
        "InstanceProfileId": made["InstanceProfileId"],
        "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/team/web",
        "CreateDate": NOON,
        "Roles": [],
        "Tags": [{"Key": "Team", "Value": "blue"}],
    }
    assert made["InstanceProfileId"].startswith("AIPA")
    assert iam("GetInstanceProfile", InstanceProfileName="WEB")["InstanceProfile"] == made


def test_a_name_is_taken_whatever_its_case() -> None:
    iam = with_profile()
    with refused(EntityAlreadyExists, "Instance Profile Web already exists."):
        iam("CreateInstanceProfile", InstanceProfileName="Web")


def test_the_role_in_a_profile_is_shown_in_short() -> None:
    iam = with_profile(create_role())
    assert iam("AddRoleToInstanceProfile", **PLACE) == {}
    (role,) = iam("GetInstanceProfile", InstanceProfileName="web")["InstanceProfile"]["Roles"]
    assert role.keys() == {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
    assert role["RoleName"] == "deploy"


def test_profiles_are_listed_by_name_without_their_tags() -> None:
    iam = Asked()
    for name, path in (("c", "/a/"), ("B", "/a/"), ("a", "/")):
        iam("CreateInstanceProfile", InstanceProfileName=name, Path=path, Tags=[{"Key": "k", "Value": "v"}])
    page = iam("ListInstanceProfiles", MaxItems=2)
    assert [it["InstanceProfileName"] for it in page["InstanceProfiles"]] == ["a", "B"]
    assert all("Tags" not in it and it["Roles"] == [] for it in page["InstanceProfiles"])
    rest = iam("ListInstanceProfiles", Marker=page["Marker"])
    assert [it["InstanceProfileName"] for it in rest["InstanceProfiles"]] == ["c"]
    below = iam("ListInstanceProfiles", PathPrefix="/a/")
    assert [it["InstanceProfileName"] for it in below["InstanceProfiles"]] == ["B", "c"]


def test_profiles_of_a_role_are_listed() -> None:
    iam = with_profile(create_role())
    assert iam("ListInstanceProfilesForRole", RoleName="deploy") == {
        "InstanceProfiles": [],
        "IsTruncated": False,
    }
    iam("CreateInstanceProfile", InstanceProfileName="App")
    for name in ("web", "App"):
        iam("AddRoleToInstanceProfile", InstanceProfileName=name, RoleName="deploy")
    page = iam("ListInstanceProfilesForRole", RoleName="deploy", MaxItems=1)
    assert [it["InstanceProfileName"] for it in page["InstanceProfiles"]] == ["App"]
    assert page["IsTruncated"] is True
    with refused(NoSuchEntity, "The role with name nobody cannot be found."):
        iam("ListInstanceProfilesForRole", RoleName="nobody")


def test_a_profile_has_room_for_one_role() -> None:
    iam = with_profile(create_role(), create_role("other", 2))
    iam("AddRoleToInstanceProfile", **PLACE)
    for name in ("other", "deploy"):
        with refused(LimitExceeded, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"):
            iam("AddRoleToInstanceProfile", InstanceProfileName="web", RoleName=name)


def test_who_adds_a_role_must_be_allowed_to_pass_it() -> None:
    iam = Asked(create_role())
    also = DECISIONS["iam:AddRoleToInstanceProfile"].also
    assert also is not None
    assert list(also(iam.account, Call("iam:AddRoleToInstanceProfile", PLACE, ROOT_BEARER))) == [
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/deploy")
    ]


def test_a_role_is_removed_once() -> None:
    iam = with_profile(create_role())
    iam("AddRoleToInstanceProfile", **PLACE)
    assert iam("RemoveRoleFromInstanceProfile", **PLACE) == {}
    with refused(NoSuchEntity, "Role deploy in Instance Profile web cannot be found."):
        iam("RemoveRoleFromInstanceProfile", **PLACE)


@pytest.mark.parametrize("operation", ["AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"])
def test_profile_and_role_must_be_there(operation: str) -> None:
    iam = with_profile(create_role())
    with refused(NoSuchEntity, "Instance Profile nonexistent-profile cannot be found."):
        iam(operation, InstanceProfileName="nonexistent-profile", RoleName="deploy")
    with refused(NoSuchEntity, "The role with name nonexistent-role cannot be found."):
        iam(operation, InstanceProfileName="web", RoleName="nonexistent-role")


def test_a_profile_goes_when_it_has_no_role() -> None:
    iam = with_profile(create_role())
    iam("AddRoleToInstanceProfile", **PLACE)
    with refused(DeleteConflict, "Cannot delete entity, must remove roles from instance profile first."):
        iam("DeleteInstanceProfile", InstanceProfileName="web")
    iam("RemoveRoleFromInstanceProfile", **PLACE)
    assert iam("DeleteInstanceProfile", InstanceProfileName="web") == {}
    assert iam("ListInstanceProfiles")["InstanceProfiles"] == []


def test_tag_keys_of_profiles_are_told_apart_by_case() -> None:
    iam = with_profile(Tags=[{"Key": "b", "Value": "1"}])
    iam("TagInstanceProfile", InstanceProfileName="web", Tags=[{"Key": "B", "Value": "2"}])
    page = iam("ListInstanceProfileTags", InstanceProfileName="web", MaxItems=1)
    assert page["Tags"] == [{"Key": "B", "Value": "2"}]
    rest = iam("ListInstanceProfileTags", InstanceProfileName="web", Marker=page["Marker"])
    assert rest["Tags"] == [{"Key": "b", "Value": "1"}]
    iam("UntagInstanceProfile", InstanceProfileName="web", TagKeys=["B", "never there"])
    assert iam("ListInstanceProfileTags", InstanceProfileName="web")["Tags"] == [{"Key": "b", "Value": "1"}]
    with refused(InvalidInput, "Duplicate tag keys found."):
        iam("TagInstanceProfile", InstanceProfileName="web", Tags=[{"Key": "a", "Value": "1"}] * 2)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GetInstanceProfile", {}),
        ("DeleteInstanceProfile", {}),
        ("TagInstanceProfile", {"Tags": []}),
        ("UntagInstanceProfile", {"TagKeys": []}),
        ("ListInstanceProfileTags", {}),
    ],
)
def test_a_profile_must_be_there(operation: str, more: dict[str, Any]) -> None:
    with refused(NoSuchEntity, "Instance Profile nonexistent-profile cannot be found."):
        Asked()(operation, InstanceProfileName="nonexistent-profile", **more)
