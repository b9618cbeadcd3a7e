"""Instance profiles: each operation, and what is shown of the role in one."""

from ledger.account.assumptions import Reason
from ledger.account.entities import Kind
from tests.ledger.told import call, create_profile, create_role, given

PLACE = {"roleName": "deploy", "instanceProfileName": "web"}
add = call("AddRoleToInstanceProfile", PLACE)
remove = call("RemoveRoleFromInstanceProfile", PLACE)
delete = call("DeleteInstanceProfile", {"instanceProfileName": "web"})


def test_a_role_in_a_profile_remembers_the_entry_that_put_it_there() -> None:
    told = given(create_role(), create_profile(), add)
    assert told.profile()["Roles"] == [
        {
            "RoleId": "AROA000000DEPLOY1",
            "RoleName": "deploy",
            "Arn": "arn:aws:iam::111122223333:role/deploy",
            "MadeBy": 2,
        }
    ]
    assert told.role()["InstanceProfileList"][0]["InstanceProfileName"] == "web"
    assert {kind for kind, _ in told.account.touched} == {Kind.ROLE, Kind.INSTANCE_PROFILE}
    assert told.when(add).profile()["Roles"][0]["MadeBy"] == 2


def test_a_removed_role_leaves_the_profile_empty() -> None:
    told = given(create_role(), create_profile(), add, remove)
    assert told.profile()["Roles"] == []
    assert told.role()["InstanceProfileList"] == []
    assert told.when(remove).reasons == [Reason.ABSENT]


def test_adding_assumes_what_nobody_created() -> None:
    told = given(add)
    assert told.reasons == [Reason.UNSEEN_CREATION, Reason.UNSEEN_CREATION]
    assert told.profile()["InstanceProfileId"] == "assumed:instance-profile/web"


def test_a_profile_is_deleted() -> None:
    assert given(create_profile(), delete).reasons == []
    assert given(create_role(), create_profile(), add, delete).reasons == [Reason.CASCADE]
    assert given(delete).reasons == [Reason.ABSENT]


def test_a_profile_is_tagged_and_untagged() -> None:
    tag = call("TagInstanceProfile", {"instanceProfileName": "web", "tags": [{"key": "a", "value": ""}]})
    told = given(create_profile(), tag, tag)
    assert told.profile()["Tags"] == [{"Key": "a", "Value": "", "MadeBy": 1}]
    untag = call("UntagInstanceProfile", {"instanceProfileName": "web", "tagKeys": ["a", "b"]})
    assert told.when(untag).profile()["Tags"] == []
