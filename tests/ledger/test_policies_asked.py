"""Managed policies: what is answered and what is refused."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from ledger.account.managed_policies import versions
from ledger.iam.refusals import (
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    Malformed,
    NoSuchEntity,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.told import (
    ACCOUNT,
    ALLOW,
    ALLOW_TEXT,
    DENY,
    DENY_TEXT,
    NOON,
    READ_ONLY,
    call,
    create_group,
    create_role,
    create_user,
)

ARN = f"arn:aws:iam::{ACCOUNT}:policy/team/own"
ABSENT = f"arn:aws:iam::{ACCOUNT}:policy/absent"
NOBODYS = "arn:aws:iam::aws:policy/NobodyWroteThis"


def with_policy(*history: dict[str, Any]) -> Asked:
    iam = Asked(*history)
    iam("CreatePolicy", PolicyName="own", Path="/team/", PolicyDocument=ALLOW_TEXT, Description="ours")
    return iam


def attach(noun: str, name: str, arn: str = ARN) -> dict[str, Any]:
    return call(f"Attach{noun}Policy", {f"{noun[0].lower()}{noun[1:]}Name": name, "policyArn": arn})


def bound(name: str, arn: str = ARN) -> dict[str, Any]:
    return call("PutUserPermissionsBoundary", {"userName": name, "permissionsBoundary": arn})


def created() -> dict[str, Any]:
    policy = {"policyName": "own", "policyId": "ANPAOWN0000000001", "arn": ARN, "path": "/team/"}
    request = {"policyName": "own", "path": "/team/", "policyDocument": ALLOW_TEXT}
    return call("CreatePolicy", request, {"policy": policy})


# ---- CreatePolicy, GetPolicy


def test_a_new_policy_is_answered_without_description_and_got_with_it() -> None:
    iam = Asked()
    made = iam(
        "CreatePolicy", PolicyName="own", Path="/team/", PolicyDocument=ALLOW_TEXT, Description="ours"
    )["Policy"]
    assert made.pop("PolicyId").startswith("ANPA")
    assert made == {
        "PolicyName": "own",
        "Arn": ARN,
        "Path": "/team/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": NOON,
        "UpdateDate": NOON,
    }
    got = iam("GetPolicy", PolicyArn=ARN)["Policy"]
    assert got.pop("PolicyId").startswith("ANPA")
    assert got == made | {"Description": "ours", "Tags": []}


def test_tags_of_a_new_policy_are_answered() -> None:
    iam = Asked()
    tags = [{"Key": "team", "Value": "red"}, {"Key": "Team", "Value": "blue"}]
    made = iam("CreatePolicy", PolicyName="own", PolicyDocument=ALLOW_TEXT, Tags=tags)["Policy"]
    assert made["Tags"] == [tags[1], tags[0]]
    assert iam("GetPolicy", PolicyArn=made["Arn"])["Policy"]["Tags"] == made["Tags"]


def test_a_name_is_taken_whatever_its_case_and_path() -> None:
    iam = with_policy()
    with refused(EntityAlreadyExists, "A policy called OWN already exists. Duplicate names are not allowed."):
        iam("CreatePolicy", PolicyName="OWN", PolicyDocument=ALLOW_TEXT)


def test_a_policy_is_not_larger_than_its_quota_white_space_not_counted() -> None:
    iam = Asked()
    document = json.dumps(ALLOW | {"Id": "x" * 6144})
    with refused(LimitExceeded, "Cannot exceed quota for PolicySize: 6144"):
        iam("CreatePolicy", PolicyName="own", PolicyDocument=document)
    iam("CreatePolicy", PolicyName="own", PolicyDocument=json.dumps(ALLOW, indent=4) + " " * 6144)


def test_an_account_has_so_many_policies_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.iam.policies.POLICIES", 1)
    iam = with_policy()
    with refused(LimitExceeded, "Cannot exceed quota for PoliciesPerAccount: 1"):
        iam("CreatePolicy", PolicyName="other", PolicyDocument=ALLOW_TEXT)


def test_a_malformed_document_is_refused_before_its_name() -> None:
    iam = with_policy()
    with refused(Malformed, "Syntax errors in policy."):
        iam("CreatePolicy", PolicyName="own", PolicyDocument="{")
    with refused(Malformed, "Policy document must be version 2012-10-17 or greater."):
        iam("CreatePolicy", PolicyName="own", PolicyDocument=json.dumps({"Statement": ALLOW["Statement"]}))


def test_a_tag_is_told_once() -> None:
    iam = Asked()
    tags = [{"Key": "team", "Value": "red"}, {"Key": "team", "Value": "blue"}]
    with refused(InvalidInput, "Duplicate tag keys found."):
        iam("CreatePolicy", PolicyName="own", PolicyDocument=ALLOW_TEXT, Tags=tags)


def test_a_policy_counts_whom_it_is_attached_to_and_whom_it_bounds() -> None:
    iam = Asked(
        created(), create_user(), create_group(), create_role(), create_user("bob", 2), bound("bob"),
        attach("User", "alice"), attach("Group", "devs"), attach("Role", "deploy"), attach("User", "bob"),
    )  # fmt: skip
    got = iam("GetPolicy", PolicyArn=ARN)["Policy"]
    assert (got["AttachmentCount"], got["PermissionsBoundaryUsageCount"]) == (4, 1)


def test_a_policy_of_aws_is_got_with_this_accounts_use_of_it() -> None:
    iam = Asked(create_user(), attach("User", "alice", READ_ONLY))
    got = iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]
    assert (got["PolicyName"], got["Path"], got["AttachmentCount"]) == ("ReadOnlyAccess", "/", 1)
    assert got["IsAttachable"] is True
    assert got["CreateDate"] < got["UpdateDate"] <= NOON
    assert got["DefaultVersionId"] in {
        it["VersionId"] for it in iam("ListPolicyVersions", PolicyArn=READ_ONLY)["Versions"]
    }
    assert got["Tags"] == []


def test_who_asks_for_a_policy_that_is_not_there_is_told_so() -> None:
    iam = Asked()
    for operation in ("GetPolicy", "ListPolicyVersions", "ListEntitiesForPolicy"):
        with refused(NoSuchEntity, f"Policy {ABSENT} does not exist or is not attachable."):
            iam(operation, PolicyArn=ABSENT)
        with refused(NoSuchEntity, f"Policy {NOBODYS} was not found."):
            iam(operation, PolicyArn=NOBODYS)
        with refused(ValidationError, "ARN longpolicynamebutnoarn is not valid."):
            iam(operation, PolicyArn="longpolicynamebutnoarn")


# ---- versions


def test_versions_are_counted_on_and_listed_from_the_newest() -> None:
    iam = with_policy()
    iam.time += 60
    made = iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)["PolicyVersion"]
    assert made == {"VersionId": "v2", "IsDefaultVersion": False, "CreateDate": NOON + 60}
    iam("DeletePolicyVersion", PolicyArn=ARN, VersionId="v2")
    again = iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT, SetAsDefault=True)
    assert again["PolicyVersion"] == {
        "VersionId": "v3",
        "IsDefaultVersion": True,
        "CreateDate": NOON + 60,
    }
    assert iam("ListPolicyVersions", PolicyArn=ARN) == {
        "Versions": [
            again["PolicyVersion"],
            {"VersionId": "v1", "IsDefaultVersion": False, "CreateDate": NOON},
        ],
        "IsTruncated": False,
    }
    got = iam("GetPolicy", PolicyArn=ARN)["Policy"]
    assert (got["DefaultVersionId"], got["CreateDate"], got["UpdateDate"]) == ("v3", NOON, NOON + 60)


def test_versions_are_listed_a_page_at_a_time() -> None:
    iam = with_policy()
    for _ in range(4):
        iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)
    page = iam("ListPolicyVersions", PolicyArn=ARN, MaxItems=3)
    assert [it["VersionId"] for it in page["Versions"]] == ["v5", "v4", "v3"]
    rest = iam("ListPolicyVersions", PolicyArn=ARN, Marker=page["Marker"])
    assert [it["VersionId"] for it in rest["Versions"]] == ["v2", "v1"]


def test_a_policy_has_five_versions_and_no_more() -> None:
    iam = with_policy()
    for _ in range(4):
        iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)
    with refused(
        LimitExceeded,
        "A managed policy can have up to 5 versions. "
        "Before you create a new version, you must delete an existing version.",
    ):
        iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)


def test_a_version_is_checked_like_a_policy() -> None:
    iam = with_policy()
    with refused(Malformed, "Syntax errors in policy."):
        iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument="{")
    with refused(LimitExceeded, "Cannot exceed quota for PolicySize: 6144"):
        iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=json.dumps(ALLOW | {"Id": "x" * 6144}))
    with refused(NoSuchEntity, f"Policy {ABSENT} does not exist or is not attachable."):
        iam("CreatePolicyVersion", PolicyArn=ABSENT, PolicyDocument=ALLOW_TEXT)


def test_a_version_is_got_with_its_text() -> None:
    iam = with_policy()
    got = iam("GetPolicyVersion", PolicyArn=ARN, VersionId="v1")["PolicyVersion"]
    assert json.loads(unquote(got.pop("Document"))) == ALLOW
    assert got == {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": NOON}


def test_a_version_of_aws_is_got_with_its_text() -> None:
    iam = Asked()
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    got = iam("GetPolicyVersion", PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert json.loads(unquote(got["Document"]))["Statement"][0]["Action"] == "*"
    with refused(NoSuchEntity, f"Policy {arn} version v9 does not exist or is not attachable."):
        iam("GetPolicyVersion", PolicyArn=arn, VersionId="v9")


def test_of_aws_the_latest_versions_are_listed_and_older_ones_got() -> None:
    iam = Asked()
    listed = [it["VersionId"] for it in iam("ListPolicyVersions", PolicyArn=READ_ONLY)["Versions"]]
    assert len(listed) == 5
    assert listed == sorted(listed, key=lambda it: int(it[1:]), reverse=True)
    assert listed[0] == iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["DefaultVersionId"]
    older = next(it for it in versions(READ_ONLY) if it.version_id not in listed)
    got = iam("GetPolicyVersion", PolicyArn=READ_ONLY, VersionId=older.version_id)["PolicyVersion"]
    assert got["IsDefaultVersion"] is False


@pytest.mark.parametrize("operation", ["GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"])
@pytest.mark.parametrize(("arn", "version"), [(ARN, "v9"), (ABSENT, "v1")])
def test_who_names_a_version_that_is_not_there_is_told_so(operation: str, arn: str, version: str) -> None:
    iam = with_policy()
    with refused(NoSuchEntity, f"Policy {arn} version {version} does not exist or is not attachable."):
        iam(operation, PolicyArn=arn, VersionId=version)


def test_another_version_is_put_in_force() -> None:
    iam = with_policy()
    iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)
    for _ in range(2):
        iam("SetDefaultPolicyVersion", PolicyArn=ARN, VersionId="v2")
    policy = iam.account.policy(ARN)
    assert policy is not None and policy.default_version is not None
    assert policy.default_version.document == DENY


def test_the_version_in_force_is_not_deleted() -> None:
    iam = with_policy()
    with refused(DeleteConflict, "Cannot delete the default version of a policy."):
        iam("DeletePolicyVersion", PolicyArn=ARN, VersionId="v1")


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("DeletePolicy", {}, "Cannot delete policies outside your own account."),
        (
            "DeletePolicyVersion",
            {"VersionId": "v1"},
            "Cannot delete policy versions for policies outside your own account.",
        ),
        ("SetDefaultPolicyVersion", {"VersionId": "v1"}, "Cannot update policies outside your own account."),
        (
            "CreatePolicyVersion",
            {"PolicyDocument": ALLOW_TEXT},
            "Cannot update policies outside your own account.",
        ),
        ("TagPolicy", {"Tags": [{"Key": "a", "Value": ""}]}, "Cannot tag policies outside your own account."),
        ("UntagPolicy", {"TagKeys": ["a"]}, "Cannot tag policies outside your own account."),
    ],
)
def test_policies_of_others_are_not_changed(operation: str, parameters: dict[str, Any], message: str) -> None:
    iam = Asked()
    for arn in (READ_ONLY, "arn:aws:iam::444455556666:policy/theirs"):
        with refused(AccessDenied, message):
            iam(operation, PolicyArn=arn, **parameters)
    with refused(ValidationError, "ARN arn:aws:s3:::a-bucket-of-ours is not valid."):
        iam(operation, PolicyArn="arn:aws:s3:::a-bucket-of-ours", **parameters)


# ---- DeletePolicy


def test_a_deleted_policy_is_gone_and_its_name_is_free() -> None:
    iam = with_policy()
    iam("DeletePolicy", PolicyArn=ARN)
    with refused(NoSuchEntity, f"Policy {ARN} was not found."):
        iam("DeletePolicy", PolicyArn=ARN)
    iam("CreatePolicy", PolicyName="own", PolicyDocument=ALLOW_TEXT)


@pytest.mark.parametrize("use", [attach("User", "alice"), bound("alice")])
def test_a_policy_in_use_is_not_deleted(use: dict[str, Any]) -> None:
    iam = Asked(created(), create_user(), use)
    with refused(DeleteConflict, "Cannot delete a policy attached to entities."):
        iam("DeletePolicy", PolicyArn=ARN)


def test_a_policy_of_several_versions_is_not_deleted() -> None:
    iam = with_policy()
    iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=DENY_TEXT)
    with refused(
        DeleteConflict,
        "This policy has more than one version. Before you delete a policy, you must delete the policy's "
        "versions. The default version is deleted with the policy.",
    ):
        iam("DeletePolicy", PolicyArn=ARN)


# ---- tags


def test_tags_are_set_changed_taken_away_and_listed() -> None:
    iam = with_policy()
    iam("TagPolicy", PolicyArn=ARN, Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "1"}])
    iam("TagPolicy", PolicyArn=ARN, Tags=[{"Key": "b", "Value": "2"}, {"Key": "B", "Value": "3"}])
    iam("UntagPolicy", PolicyArn=ARN, TagKeys=["a", "never-there"])
    assert iam("ListPolicyTags", PolicyArn=ARN) == {
        "Tags": [{"Key": "B", "Value": "3"}, {"Key": "b", "Value": "2"}],
        "IsTruncated": False,
    }
    assert iam("ListPolicyTags", PolicyArn=READ_ONLY)["Tags"] == []


def test_a_policy_has_fifty_tags_and_no_more() -> None:
    iam = with_policy()
    iam("TagPolicy", PolicyArn=ARN, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        iam("TagPolicy", PolicyArn=ARN, Tags=[{"Key": "one-more", "Value": ""}])


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [("TagPolicy", {"Tags": []}), ("UntagPolicy", {"TagKeys": []}), ("ListPolicyTags", {})],
)
def test_only_what_is_there_has_tags(operation: str, parameters: dict[str, Any]) -> None:
    with refused(NoSuchEntity, f"Policy {ABSENT} was not found."):
        Asked()(operation, PolicyArn=ABSENT, **parameters)


# ---- ListPolicies


def names(page: dict[str, Any]) -> list[str]:
    return [policy["PolicyName"] for policy in page["Policies"]]


def test_the_accounts_own_policies_are_listed_before_those_of_aws() -> None:
    iam = with_policy()
    iam("CreatePolicy", PolicyName="Zebra", PolicyDocument=ALLOW_TEXT)
    iam("CreatePolicy", PolicyName="ant", PolicyDocument=ALLOW_TEXT)
    assert names(iam("ListPolicies", Scope="Local")) == ["ant", "own", "Zebra"]
    page = iam("ListPolicies", MaxItems=4)
    assert names(page)[:3] == ["ant", "own", "Zebra"]
    assert page["IsTruncated"] is True
    assert {"Tags", "Description"}.isdisjoint(page["Policies"][1])


def test_all_pages_together_hold_each_policy_once() -> None:
    iam = with_policy()
    told, page = list[str](), iam("ListPolicies", MaxItems=1000)
    told += [it["Arn"] for it in page["Policies"]]
    while page["IsTruncated"]:
        page = iam("ListPolicies", MaxItems=1000, Marker=page["Marker"])
        told += [it["Arn"] for it in page["Policies"]]
    assert len(told) == len(set(told)) > 1000
    only_aws = iam("ListPolicies", Scope="AWS", MaxItems=1000)
    assert [it["Arn"] for it in only_aws["Policies"]] == told[1:1001]


def test_policies_are_listed_by_path_and_by_use() -> None:
    iam = Asked(
        created(), create_user(), attach("User", "alice", READ_ONLY), bound("alice"),
    )  # fmt: skip
    iam("CreatePolicy", PolicyName="idle", PolicyDocument=ALLOW_TEXT)
    assert names(iam("ListPolicies", PathPrefix="/team/")) == ["own"]
    assert names(iam("ListPolicies", OnlyAttached=True)) == ["ReadOnlyAccess"]
    assert names(iam("ListPolicies", OnlyAttached=True, Scope="Local")) == []
    assert names(iam("ListPolicies", PolicyUsageFilter="PermissionsBoundary")) == ["own"]
    assert names(iam("ListPolicies", PolicyUsageFilter="PermissionsPolicy")) == ["ReadOnlyAccess"]
    paths = {it["Path"] for it in iam("ListPolicies", PathPrefix="/service-role/")["Policies"]}
    assert paths == {"/service-role/"}


# ---- ListEntitiesForPolicy


def holders(page: dict[str, Any]) -> list[list[str]]:
    return [[it[f"{noun}Name"] for it in page[f"Policy{noun}s"]] for noun in ("Group", "User", "Role")]


def test_whoever_has_a_policy_is_listed_by_kind() -> None:
    iam = Asked(
        created(), create_user(), create_group(), create_role(), create_user("bob", 2), bound("bob"),
        attach("User", "alice"), attach("Group", "devs"), attach("Role", "deploy"),
    )  # fmt: skip
    assert holders(iam("ListEntitiesForPolicy", PolicyArn=ARN)) == [["devs"], ["alice", "bob"], ["deploy"]]
    assert holders(iam("ListEntitiesForPolicy", PolicyArn=ARN, EntityFilter="Role")) == [[], [], ["deploy"]]
    assert holders(iam("ListEntitiesForPolicy", PolicyArn=ARN, PathPrefix="/x/")) == [[], [], []]
    bounded = iam("ListEntitiesForPolicy", PolicyArn=ARN, PolicyUsageFilter="PermissionsBoundary")
    assert holders(bounded) == [[], ["bob"], []]
    attached = iam("ListEntitiesForPolicy", PolicyArn=ARN, PolicyUsageFilter="PermissionsPolicy")
    assert holders(attached) == [["devs"], ["alice"], ["deploy"]]
    assert bounded["PolicyUsers"][0]["UserId"].startswith("AIDA")


def test_a_page_goes_on_from_one_kind_into_the_next() -> None:
    iam = Asked(
        created(), create_user(), create_group(), create_role(),
        attach("User", "alice"), attach("Group", "devs"), attach("Role", "deploy"),
    )  # fmt: skip
    page = iam("ListEntitiesForPolicy", PolicyArn=ARN, MaxItems=2)
    assert holders(page) == [["devs"], [], ["deploy"]]
    rest = iam("ListEntitiesForPolicy", PolicyArn=ARN, Marker=page["Marker"])
    assert holders(rest) == [[], ["alice"], []]
    assert rest["IsTruncated"] is False


# ---- ListPoliciesGrantingServiceAccess


def test_policies_are_told_that_give_access_to_a_service() -> None:
    iam = Asked(
        created(), create_user(), create_group(),
        call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}),
        attach("User", "alice"), attach("Group", "devs"),
        call("PutGroupPolicy", {"groupName": "devs", "policyName": "all", "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]}}),
        call("PutUserPolicy", {"userName": "alice", "policyName": "no", "policyDocument": DENY_TEXT}),
    )  # fmt: skip
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    answer = iam("ListPoliciesGrantingServiceAccess", Arn=arn, ServiceNamespaces=["s3", "ec2"])
    inline = {"PolicyName": "all", "PolicyType": "INLINE", "EntityType": "GROUP", "EntityName": "devs"}
    assert answer == {
        "PoliciesGrantingServiceAccess": [
            {
                "ServiceNamespace": "s3",
                "Policies": [{"PolicyName": "own", "PolicyType": "MANAGED", "PolicyArn": ARN}],
            },
            {"ServiceNamespace": "ec2", "Policies": [inline]},
        ],
        "IsTruncated": False,
    }


def test_access_is_asked_of_a_user_group_or_role_that_is_there() -> None:
    iam = Asked()
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    with refused(NoSuchEntity, f"The entity with ARN {arn} cannot be found."):
        iam("ListPoliciesGrantingServiceAccess", Arn=arn, ServiceNamespaces=["s3"])
    with refused(InvalidInput, f"Invalid Entity Arn: {ARN} does not clearly define entity type and name."):
        iam("ListPoliciesGrantingServiceAccess", Arn=ARN, ServiceNamespaces=["s3"])
