"""Groups: each operation, and that members follow their group."""

from ledger.account.assumptions import Reason
from ledger.account.entities import Kind
from tests.ledger.told import ALLOW, ALLOW_TEXT, READ_ONLY, call, create_group, create_user, given

JOIN = {"userName": "alice", "groupName": "devs"}
join = call("AddUserToGroup", JOIN)
leave = call("RemoveUserFromGroup", JOIN)
attach = call("AttachGroupPolicy", {"groupName": "devs", "policyArn": READ_ONLY})


def test_a_membership_remembers_the_entry_that_made_it() -> None:
    told = given(create_user(), create_group(), join)
    assert told.user()["Memberships"] == [{"GroupId": "AGPA00000000DEVS1", "GroupName": "devs", "MadeBy": 2}]
    assert told.user()["GroupList"] == ["devs"]


def test_joining_twice_changes_nothing() -> None:
    assert given(create_user(), create_group(), join, join).user()["Memberships"][0]["MadeBy"] == 2


def test_leaving_ends_the_membership() -> None:
    told = given(create_user(), create_group(), join, leave)
    assert told.user()["Memberships"] == []


def test_leaving_is_no_proof_of_membership() -> None:
    assert given(create_user(), create_group(), leave).reasons == []


def test_joining_assumes_what_nobody_created() -> None:
    told = given(join)
    assert told.reasons == [Reason.UNSEEN_CREATION, Reason.UNSEEN_CREATION]
    assert told.user()["GroupList"] == ["devs"]
    assert told.group()["GroupId"] == "assumed:group/devs"


def test_members_follow_a_renamed_group_and_are_shown_anew() -> None:
    rename = call("UpdateGroup", {"groupName": "devs", "newGroupName": "developers", "newPath": "/it/"})
    told = given(create_user(), create_group(), join, rename)
    assert told.group("developers")["Arn"] == "arn:aws:iam::111122223333:group/it/developers"
    assert told.user()["GroupList"] == ["developers"]
    assert (Kind.USER, "AIDA0000000ALICE1") in told.account.touched


def test_a_deleted_group_leaves_no_memberships() -> None:
    delete = call("DeleteGroup", {"groupName": "devs"})
    told = given(create_user(), create_group(), join, delete)
    assert told.user()["Memberships"] == []
    assert told.reasons == [Reason.CASCADE]
    assert given(create_group(), delete).reasons == []
    assert given(delete).reasons == [Reason.ABSENT]


def test_policies_are_attached_and_detached() -> None:
    told = given(create_group(), attach)
    assert told.group()["AttachedManagedPolicies"][0]["MadeBy"] == 1
    detach = call("DetachGroupPolicy", {"groupName": "devs", "policyArn": READ_ONLY})
    assert told.when(detach).group()["AttachedManagedPolicies"] == []
    assert told.when(detach).reasons == [Reason.ABSENT]


def test_inline_policies_are_put_and_deleted() -> None:
    put = call("PutGroupPolicy", {"groupName": "devs", "policyName": "own", "policyDocument": ALLOW_TEXT})
    told = given(create_group(), put)
    assert told.group()["GroupPolicyList"] == [{"PolicyName": "own", "PolicyDocument": ALLOW, "MadeBy": 1}]
    delete = call("DeleteGroupPolicy", {"groupName": "devs", "policyName": "own"})
    assert told.when(delete).group()["GroupPolicyList"] == []
    assert told.when(delete).reasons == [Reason.ABSENT]
