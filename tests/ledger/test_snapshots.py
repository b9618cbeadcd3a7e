"""Snapshots: from their time on the account is as AWS said it was, and what was known of its making is kept."""

from copy import deepcopy
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from ledger.account.assumptions import Reason
from ledger.intake.snapshots import SnapshotRejected, merge_pages, read_snapshot, snapshot_record
from ledger.record import format_time, read_record
from tests.ledger.told import (
    ACCOUNT,
    ALLOW,
    ALLOW_TEXT,
    DENY,
    NOON,
    OWN,
    READ_ONLY,
    TRUST_TEXT,
    Told,
    call,
    create_group,
    create_key,
    create_policy,
    create_profile,
    create_role,
    create_user,
    folded,
    given,
    imported,
)

PROFILE = {
    "Path": "/",
    "InstanceProfileName": "web",
    "InstanceProfileId": "AIPAWEB000000001",
    "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/web",
    "CreateDate": "2023-11-14T22:13:20+00:00",
    "Roles": [],
}
DETAILS: dict[str, Any] = {
    "UserDetailList": [
        {
            "Path": "/",
            "UserName": "alice",
            "UserId": "AIDA0000000ALICE1",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
            "CreateDate": "2023-11-14T22:13:20+00:00",
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": ALLOW}],
            "GroupList": ["devs"],
            "AttachedManagedPolicies": [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": OWN},
            "Tags": [{"Key": "Team", "Value": "red"}],
        }
    ],
    "GroupDetailList": [
        {
            "Path": "/",
            "GroupName": "devs",
            "GroupId": "AGPA00000000DEVS1",
            "Arn": f"arn:aws:iam::{ACCOUNT}:group/devs",
            "CreateDate": "2023-11-14T22:13:20+00:00",
            "GroupPolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": "own", "PolicyArn": OWN}],
        }
    ],
    "RoleDetailList": [
        {
            "Path": "/",
            "RoleName": "deploy",
            "RoleId": "AROA000000DEPLOY1",
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "CreateDate": "2023-11-14T22:13:20+00:00",
            "AssumeRolePolicyDocument": quote(TRUST_TEXT),
            "InstanceProfileList": [PROFILE],
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": quote(ALLOW_TEXT)}],
            "AttachedManagedPolicies": [],
            "Tags": [],
            "RoleLastUsed": {},
        }
    ],
    "Policies": [
        {
            "PolicyName": "own",
            "PolicyId": "ANPAOWN000000001",
            "Arn": OWN,
            "Path": "/team/",
            "DefaultVersionId": "v2",
            "AttachmentCount": 1,
            "PermissionsBoundaryUsageCount": 1,
            "IsAttachable": True,
            "CreateDate": "2023-11-14T22:13:20+00:00",
            "UpdateDate": "2023-11-14T22:13:20+00:00",
            "PolicyVersionList": [
                {
                    "Document": DENY,
                    "VersionId": "v2",
                    "IsDefaultVersion": True,
                    "CreateDate": "2023-11-14T22:13:20+00:00",
                },
                {
                    "Document": ALLOW,
                    "VersionId": "v1",
                    "IsDefaultVersion": False,
                    "CreateDate": "2023-11-14T22:13:20+00:00",
                },
            ],
        }
    ],
    "IsTruncated": False,
}
EMPTY: dict[str, Any] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}


def snapshot(details: Any = DETAILS, at: int = NOON) -> dict[str, Any]:
    return snapshot_record(details, format_time(at), ACCOUNT)


def without(list_name: str) -> dict[str, Any]:
    return DETAILS | {list_name: []}


def test_an_empty_account_becomes_what_the_snapshot_says() -> None:
    told = given(snapshot())
    user = told.user()
    assert user["CreatedBy"] == 0
    assert user["GroupList"] == ["devs"]
    assert user["AttachedManagedPolicies"] == [
        {"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY, "MadeBy": 0}
    ]
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": ALLOW, "MadeBy": 0}]
    assert user["PermissionsBoundary"]["MadeBy"] == 0
    assert user["Tags"] == [{"Key": "Team", "Value": "red", "MadeBy": 0}]
    role = told.role()
    assert role["AssumeRolePolicyDocument"] == orjson.loads(TRUST_TEXT)
    assert role["RolePolicyList"][0]["PolicyDocument"] == ALLOW
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "web"
    policy = told.policy()
    assert (policy["DefaultVersionId"], policy["LastVersion"]) == ("v2", 2)
    assert told.reasons == []


def test_what_a_snapshot_says_comes_out_as_it_went_in() -> None:
    shown = given(snapshot()).account.to_document()
    for list_name, shown_name in (
        ("UserDetailList", "users"),
        ("GroupDetailList", "groups"),
        ("Policies", "policies"),
    ):
        for told, was in zip(shown[shown_name], DETAILS[list_name], strict=True):
            for name in was.keys() & told.keys() - {"CreateDate"}:
                assert strip(told[name]) == strip(was[name])


def strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: strip(it) for key, it in value.items() if key not in ("MadeBy", "CreateDate")}
    return [strip(it) for it in value] if isinstance(value, list) else value


def test_who_made_what_outlives_a_snapshot_that_says_the_same() -> None:
    told = given(
        create_policy(),
        call(
            "CreatePolicyVersion",
            {"policyArn": OWN, "policyDocument": orjson.dumps(DENY).decode(), "setAsDefault": True},
        ),
        create_user(),
        create_group(),
        create_role(),
        create_profile(),
        call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}),
        call("PutUserPolicy", {"userName": "alice", "policyName": "own", "policyDocument": ALLOW_TEXT}),
        call("PutUserPermissionsBoundary", {"userName": "alice", "permissionsBoundary": OWN}),
        call("TagUser", {"userName": "alice", "tags": [{"key": "Team", "value": "red"}]}),
        call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}),
        call("PutRolePolicy", {"roleName": "deploy", "policyName": "own", "policyDocument": ALLOW_TEXT}),
        call("AddRoleToInstanceProfile", {"roleName": "deploy", "instanceProfileName": "web"}),
    )
    before = told.account
    assert told.when(snapshot()).account == before
    assert not told.account.touched


def test_what_is_different_is_made_by_the_snapshot() -> None:
    told = given(
        create_user(), create_policy(), call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN})
    )
    told.when(snapshot())
    user = told.user()
    assert (user["CreatedBy"], user["UserPolicyList"][0]["MadeBy"]) == (0, 3)
    assert [it["PolicyArn"] for it in user["AttachedManagedPolicies"]] == [READ_ONLY]
    assert {it["VersionId"]: it["MadeBy"] for it in told.policy()["PolicyVersionList"]} == {"v1": 1, "v2": 3}
    assert told.policy()["DefaultVersionMadeBy"] == 3


def test_what_a_snapshot_does_not_know_is_gone() -> None:
    told = given(create_user(), create_user("bob"), create_key("bob"), create_role("old"), snapshot())
    assert [user.name for user in told.account.users.values()] == ["alice"]
    assert [role.name for role in told.account.roles.values()] == ["deploy"]
    assert "AIDA000000000BOB1" in told.account.deleted
    assert "AKIAALICE0000001" in told.account.deleted
    told.when(snapshot(EMPTY))
    assert [*told.account.users, *told.account.groups, *told.account.roles, *told.account.policies] == []
    assert told.reasons == []


def test_what_a_snapshot_cannot_know_is_kept() -> None:
    told = given(
        create_user(),
        create_key(),
        call("CreateLoginProfile", {"userName": "alice"}),
        call("EnableMFADevice", {"userName": "alice", "serialNumber": "GAHT1"}),
        create_profile("idle"),
        snapshot(),
    )
    user = told.user()
    assert [
        user["AccessKeys"][0]["MadeBy"],
        user["LoginProfile"]["MadeBy"],
        user["MFADevices"][0]["MadeBy"],
    ] == [1, 2, 3]


def test_a_profile_without_a_role_is_not_in_a_snapshot_and_may_still_be_there() -> None:
    place = call("AddRoleToInstanceProfile", {"roleName": "deploy", "instanceProfileName": "web"})
    bare = deepcopy(DETAILS)
    bare["RoleDetailList"][0]["InstanceProfileList"] = []
    told = given(create_role(), create_profile(), place, snapshot(bare))
    assert told.profile()["Roles"] == []
    assert told.role()["InstanceProfileList"] == []


def test_what_was_assumed_is_known_from_the_snapshot_on() -> None:
    attach = call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY})
    told = given(attach, call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}), snapshot())
    user = told.user()
    assert list(told.account.users) == ["AIDA0000000ALICE1"]
    assert "Assumed" not in user
    assert user["CreatedBy"] == 2
    assert user["AttachedManagedPolicies"][0]["MadeBy"] == 0
    assert user["Memberships"] == [{"GroupId": "AGPA00000000DEVS1", "GroupName": "devs", "MadeBy": 1}]


def test_a_text_that_was_hidden_is_known_from_the_snapshot_on() -> None:
    hidden = call("PutUserPolicy", {"userName": "alice", "policyName": "own"})
    assert given(create_user(), hidden, snapshot()).user()["UserPolicyList"] == [
        {"PolicyName": "own", "PolicyDocument": ALLOW, "MadeBy": 1}
    ]


def test_a_namesake_of_another_id_is_somebody_else() -> None:
    told = given(create_user(number=7), create_key(), snapshot())
    assert list(told.account.users) == ["AIDA0000000ALICE1"]
    assert told.user()["AccessKeys"] == []
    assert told.user()["CreatedBy"] == 2


def test_policies_of_aws_are_kept_as_the_snapshot_tells_them() -> None:
    details = deepcopy(DETAILS)
    details["Policies"].append(
        DETAILS["Policies"][0] | {"Arn": READ_ONLY, "PolicyId": "ANPAREADONLY0001", "Path": "/"}
    )
    assert given(snapshot(details)).policy(READ_ONLY)["DefaultVersionId"] == "v2"


def test_a_policy_that_is_attached_and_not_told_is_assumed() -> None:
    told = given(snapshot(without("Policies")))
    assert told.reasons == [Reason.UNSEEN_CREATION]
    assert Reason.UNKNOWN_TEXT in told.policy()["Assumed"]


def test_in_its_second_a_snapshot_comes_first() -> None:
    other = [create_user("bob", at=NOON), call("DeleteRole", {"roleName": "deploy"}, at=NOON), snapshot()]
    account = folded(imported(other))
    assert sorted(user.name for user in account.users.values()) == ["alice", "bob"]
    assert not account.roles


def test_the_record_of_a_snapshot_is_one_like_any_other_and_the_same_each_time() -> None:
    record = read_record(snapshot())
    assert (record.action, record.time, record.account_id) == (
        "iam-ledger:ImportAccountSnapshot",
        NOON,
        ACCOUNT,
    )
    assert record.succeeded
    assert snapshot() == snapshot(DETAILS | {"Marker": "x"})
    assert snapshot()["eventID"] != snapshot(EMPTY)["eventID"] != snapshot(EMPTY, NOON + 1)["eventID"]


def test_pages_are_one_snapshot() -> None:
    first = {
        "UserDetailList": DETAILS["UserDetailList"],
        "GroupDetailList": [],
        "IsTruncated": True,
        "Marker": "m",
    }
    second = DETAILS | {"UserDetailList": [], "IsTruncated": False}
    assert merge_pages([first, second]) == merge_pages(DETAILS)


def spoilt(path: list[Any], value: Any) -> dict[str, Any]:
    details = deepcopy(DETAILS)
    place: Any = details
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return details


@pytest.mark.parametrize(
    ("details", "message"),
    [
        (None, "page 0 is not an object but missing"),
        ([], "missing; give the whole output"),
        ("{}", "page 0 is not an object but str"),
        ({"UserDetailList": []}, "GroupDetailList and RoleDetailList and Policies missing"),
        (spoilt(["Policies"], {}), "Policies is not a list but dict"),
        (spoilt(["IsTruncated"], True), "cut short"),
        (spoilt(["NextToken"], "abc"), "cut short"),
        ([spoilt(["IsTruncated"], True)] * 2, "cut short"),
        (spoilt(["UserDetailList", 0], 7), r"UserDetailList\[0\] is not an object but int '7'"),
        (
            spoilt(["UserDetailList", 0, "UserId"], ...),
            r"UserDetailList\[0\].UserId is not a text but missing",
        ),
        (spoilt(["UserDetailList", 0, "GroupList"], ["x"]), "names 'x', which is not in GroupDetailList"),
        (spoilt(["UserDetailList", 0, "GroupList"], [7]), r"GroupList\[0\] is not a text but int"),
        (spoilt(["UserDetailList", 0, "Tags"], "x"), r"UserDetailList\[0\].Tags is not a list but str"),
        (
            spoilt(["UserDetailList", 0, "Arn"], "arn:aws:iam::9:user/x"),
            "does not belong to account 111122223333",
        ),
        (spoilt(["UserDetailList"], DETAILS["UserDetailList"] * 2), "user/alice is there twice"),
        (spoilt(["RoleDetailList", 0, "AssumeRolePolicyDocument"], None), "is not a policy but missing"),
        (spoilt(["RoleDetailList", 0, "Description"], 7), "Description is not a text but int"),
        (spoilt(["Policies", 0, "DefaultVersionId"], "v9"), "has no v9, which is the default version"),
    ],
)
def test_what_is_no_whole_snapshot_is_rejected_with_what_and_where(details: Any, message: str) -> None:
    with pytest.raises(SnapshotRejected, match=message):
        snapshot(details)


def test_a_time_that_is_none_is_rejected() -> None:
    with pytest.raises(SnapshotRejected, match="no ISO 8601 time: 'yesterday'"):
        snapshot_record(DETAILS, "yesterday", ACCOUNT)


def test_a_spoilt_snapshot_in_the_log_is_noted_and_changes_nothing() -> None:
    record = snapshot()
    record["requestParameters"] = {"details": {"UserDetailList": 7}}
    told: Told = given(create_user(), record)
    assert told.reasons == [Reason.UNREADABLE]
    assert list(told.account.users) == ["AIDA0000000ALICE1"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
paths = st.sampled_from(
    [[a, 0, b] for a in EMPTY for b in DETAILS[a][0]]
    + [[a, 0] for a in EMPTY]
    + [[a] for a in EMPTY]
    + [
        ["Policies", 0, "PolicyVersionList", 0, name]
        for name in DETAILS["Policies"][0]["PolicyVersionList"][0]
    ]
    + [["RoleDetailList", 0, "InstanceProfileList", 0, name] for name in PROFILE]
)


@given_any(paths, anything)
def test_rubbish_is_rejected_and_nothing_else_is_raised(path: list[Any], value: Any) -> None:
    try:
        read_snapshot(spoilt(path, value), account_id=ACCOUNT, made_by=0)
    except SnapshotRejected as error:
        assert str(error)
