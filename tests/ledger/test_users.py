"""Users: each operation granted, already so, and on what nobody knew."""

from ledger.account.assumptions import Reason
from ledger.account.entities import Kind
from tests.ledger.told import (
    ALLOW,
    ALLOW_TEXT,
    DENY,
    DENY_TEXT,
    NOON,
    OWN,
    READ_ONLY,
    call,
    create_group,
    create_key,
    create_policy,
    create_user,
    given,
)

ATTACH = {"userName": "alice", "policyArn": READ_ONLY}
attach = call("AttachUserPolicy", ATTACH)
detach = call("DetachUserPolicy", ATTACH)
put = call("PutUserPolicy", {"userName": "alice", "policyName": "own", "policyDocument": ALLOW_TEXT})
bound = call("PutUserPermissionsBoundary", {"userName": "alice", "permissionsBoundary": OWN})


def test_a_user_is_what_the_response_says() -> None:
    assert given(create_user()).user() == {
        "Path": "/",
        "UserName": "alice",
        "UserId": "AIDA0000000ALICE1",
        "Arn": "arn:aws:iam::111122223333:user/alice",
        "CreateDate": "2023-11-14T22:13:20Z",
        "CreatedBy": 0,
        "UserPolicyList": [],
        "AttachedManagedPolicies": [],
        "Memberships": [],
        "GroupList": [],
        "Tags": [],
        "AccessKeys": [],
        "MFADevices": [],
    }


def test_a_creation_without_a_response_leaves_the_id_untold() -> None:
    user = given(call("CreateUser", {"userName": "bob", "path": "/a/"})).user("bob")
    assert user["UserId"] == "assumed:user/a/bob"
    assert user["Arn"] == "arn:aws:iam::111122223333:user/a/bob"
    assert user["Assumed"] == [Reason.UNTOLD_ID]


def test_a_user_may_be_born_with_boundary_and_tags() -> None:
    request = {"userName": "bob", "permissionsBoundary": OWN, "tags": [{"key": "team", "value": "red"}]}
    told = given(create_policy(), call("CreateUser", request))
    assert told.user("bob")["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": OWN,
        "MadeBy": 1,
    }
    assert told.user("bob")["Tags"] == [{"Key": "team", "Value": "red", "MadeBy": 1}]


def test_names_are_found_ignoring_case() -> None:
    told = given(create_user()).when(call("AttachUserPolicy", {"userName": "ALICE", "policyArn": READ_ONLY}))
    assert len(told.user()["AttachedManagedPolicies"]) == 1
    assert told.reasons == []


def test_members_of_a_request_are_found_ignoring_case() -> None:
    told = given(create_user()).when(call("AttachUserPolicy", {"UserName": "alice", "PolicyARN": READ_ONLY}))
    assert len(told.user()["AttachedManagedPolicies"]) == 1


def test_an_attachment_remembers_the_entry_that_made_it() -> None:
    attached = given(create_user(), attach).user()["AttachedManagedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY, "MadeBy": 1}]


def test_attaching_twice_changes_nothing() -> None:
    told = given(create_user(), attach)
    before = told.account
    assert told.when(attach).account == before
    assert not told.account.touched


def test_attaching_to_a_user_nobody_created_assumes_the_user() -> None:
    told = given(attach)
    assert told.user()["UserId"] == "assumed:user/alice"
    assert told.user()["Assumed"] == [Reason.UNSEEN_CREATION, Reason.UNTOLD_ID, Reason.UNTOLD_PATH]
    assert told.reasons == [Reason.UNSEEN_CREATION]


def test_attaching_a_policy_nobody_created_assumes_a_policy_of_unknown_text() -> None:
    told = given(create_user(), call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}))
    assert told.policy()["PolicyName"] == "own"
    assert told.policy()["Path"] == "/team/"
    assert told.policy()["PolicyVersionList"] == []
    assert Reason.UNKNOWN_TEXT in told.policy()["Assumed"]


def test_detaching_takes_the_attachment_away() -> None:
    told = given(create_user(), attach, detach)
    assert told.user()["AttachedManagedPolicies"] == []
    assert told.reasons == []


def test_detaching_what_was_not_attached_is_noted() -> None:
    assert given(create_user(), detach).reasons == [Reason.ABSENT]


def test_an_inline_policy_is_kept_as_its_object() -> None:
    told = given(create_user(), put)
    assert told.user()["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": ALLOW, "MadeBy": 1}]


def test_another_text_under_the_same_name_takes_its_place() -> None:
    request = {"userName": "alice", "policyName": "own", "policyDocument": DENY_TEXT}
    told = given(create_user(), put, call("PutUserPolicy", request))
    assert told.user()["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": DENY, "MadeBy": 2}]


def test_putting_the_same_text_again_changes_nothing() -> None:
    assert given(create_user(), put, put).user()["UserPolicyList"][0]["MadeBy"] == 1


def test_a_text_that_is_no_json_is_kept_as_it_was() -> None:
    request = {"userName": "alice", "policyName": "own", "policyDocument": "{not json"}
    told = given(create_user(), call("PutUserPolicy", request))
    assert told.user()["UserPolicyList"][0]["PolicyDocument"] == "{not json"


def test_a_hidden_text_is_unknown() -> None:
    request = {"userName": "alice", "policyName": "own", "policyDocument": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    told = given(create_user(), call("PutUserPolicy", request))
    assert told.user()["UserPolicyList"] == [{"PolicyName": "own", "MadeBy": 1}]
    assert told.reasons == [Reason.UNKNOWN_TEXT]


def test_an_inline_policy_can_be_deleted_once() -> None:
    delete = call("DeleteUserPolicy", {"userName": "alice", "policyName": "own"})
    told = given(create_user(), put, delete)
    assert told.user()["UserPolicyList"] == []
    assert told.reasons == []
    assert told.when(delete).reasons == [Reason.ABSENT]


def test_a_boundary_is_put_and_deleted() -> None:
    told = given(create_policy(), create_user(), bound)
    assert told.user()["PermissionsBoundary"]["MadeBy"] == 2
    assert told.when(bound).user()["PermissionsBoundary"]["MadeBy"] == 2
    delete = call("DeleteUserPermissionsBoundary", {"userName": "alice"})
    assert "PermissionsBoundary" not in told.when(delete).user()


def test_deleting_a_boundary_is_no_proof_that_there_was_one() -> None:
    delete = call("DeleteUserPermissionsBoundary", {"userName": "alice"})
    assert given(create_user(), delete).reasons == []


def test_tag_keys_of_users_are_one_ignoring_case() -> None:
    def tag(key: str, value: str) -> dict:
        return call("TagUser", {"userName": "alice", "tags": [{"key": key, "value": value}]})

    told = given(create_user(), tag("Team", "red"), tag("Team", "red"))
    assert told.user()["Tags"] == [{"Key": "Team", "Value": "red", "MadeBy": 1}]
    assert told.when(tag("TEAM", "blue")).user()["Tags"] == [{"Key": "TEAM", "Value": "blue", "MadeBy": 3}]
    assert told.when(call("UntagUser", {"userName": "alice", "tagKeys": ["team"]})).user()["Tags"] == []


def test_a_renamed_user_is_the_same_user() -> None:
    rename = call("UpdateUser", {"userName": "alice", "newUserName": "alicia", "newPath": "/ops/"})
    told = given(create_user(), create_group(), attach)
    told.when(call("AddUserToGroup", {"userName": "alice", "groupName": "devs"})).when(rename)
    assert told.account.user_named("alice") is None
    user = told.user("alicia")
    assert user["UserId"] == "AIDA0000000ALICE1"
    assert user["Arn"] == "arn:aws:iam::111122223333:user/ops/alicia"
    assert user["GroupList"] == ["devs"]
    assert user["AttachedManagedPolicies"][0]["MadeBy"] == 2


def test_a_rename_to_a_name_that_is_taken_means_that_its_bearer_is_gone() -> None:
    rename = call("UpdateUser", {"userName": "alice", "newUserName": "Bob"})
    told = given(create_user(), create_user("bob"), rename)
    assert list(told.account.users) == ["AIDA0000000ALICE1"]
    assert told.reasons == [Reason.UNSEEN_DELETION]


def test_a_deleted_user_is_gone_and_the_id_never_comes_again() -> None:
    told = given(create_user(), call("DeleteUser", {"userName": "alice"}))
    assert told.account.user_named("alice") is None
    assert told.account.deleted["AIDA0000000ALICE1"].deleted_by == 1
    assert (Kind.USER, "AIDA0000000ALICE1") in told.account.touched
    assert told.reasons == []


def test_what_a_deleted_user_still_had_goes_with_the_user_and_is_noted() -> None:
    told = given(create_user(), create_key(), attach, call("DeleteUser", {"userName": "alice"}))
    assert told.reasons == [Reason.CASCADE]
    assert told.account.key_owner("AKIAALICE0000001") is None
    assert list(told.account.holders_of(READ_ONLY)) == []


def test_deleting_a_user_nobody_knows_is_noted() -> None:
    assert given(call("DeleteUser", {"userName": "alice"})).reasons == [Reason.ABSENT]


def test_a_namesake_created_after_a_deletion_is_somebody_else() -> None:
    told = given(
        create_user(), attach, detach, call("DeleteUser", {"userName": "alice"}), create_user(number=2)
    )
    assert told.user()["UserId"] == "AIDA0000000ALICE2"
    assert told.user()["CreatedBy"] == 4
    assert told.user()["AttachedManagedPolicies"] == []
    assert told.account.assumptions == 0


def test_a_namesake_created_without_a_deletion_replaces_the_old_one() -> None:
    told = given(create_user(), attach, create_user(number=2))
    assert told.user()["UserId"] == "AIDA0000000ALICE2"
    assert told.user()["AttachedManagedPolicies"] == []
    assert told.reasons == [Reason.UNSEEN_DELETION, Reason.CASCADE]


def test_times_come_from_the_record_where_the_response_tells_none() -> None:
    told = given(call("CreateUser", {"userName": "bob"}, at=NOON + 5))
    assert told.user("bob")["CreateDate"] == "2023-11-14T22:13:25Z"
