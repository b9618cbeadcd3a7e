"""Roles: what is answered and what is refused."""

from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from ledger.iam.deciding import DECISIONS, Call
from ledger.iam.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    Malformed,
    NoSuchEntity,
    UnmodifiableEntity,
    ValidationError,
)
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import (
    ACCOUNT,
    ALLOW_TEXT,
    NOON,
    OWN,
    READ_ONLY,
    TRUST_TEXT,
    call,
    create_policy,
    create_user,
)

NOBODY = "The role with name nobody cannot be found."


def trusting(*names: str, kind: str = "AWS") -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {kind: list(names)}}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def with_role(*history: dict[str, Any], **more: Any) -> Asked:
    iam = Asked(*history)
    iam("CreateRole", RoleName="deploy", AssumeRolePolicyDocument=TRUST_TEXT, **more)
    return iam


# ---- creating and showing


def test_a_new_role_is_answered_without_description_and_duration() -> None:
    iam = Asked(create_policy())
    made = iam(
        "CreateRole",
        RoleName="deploy",
        Path="/team/",
        AssumeRolePolicyDocument=TRUST_TEXT,
        Description="ships",
        MaxSessionDuration=7200,
        PermissionsBoundary=OWN,
        Tags=[{"Key": "Team", "Value": "blue"}],
    )["Role"]
    assert made.pop("RoleId").startswith("AROA")
    assert made == {
        "Path": "/team/",
        "RoleName": "deploy",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/team/deploy",
        "CreateDate": NOON,
        "AssumeRolePolicyDocument": made["AssumeRolePolicyDocument"],
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": OWN},
        "Tags": [{"Key": "Team", "Value": "blue"}],
    }
    assert unquote(made["AssumeRolePolicyDocument"]) == TRUST_TEXT
    more = iam("GetRole", RoleName="DEPLOY")["Role"]
    assert {name: more[name] for name in more.keys() - made.keys() - {"RoleId"}} == {
        "Description": "ships",
        "MaxSessionDuration": 7200,
        "RoleLastUsed": {},
    }
    assert {name: more[name] for name in made} == made


def test_what_was_not_asked_for_is_not_shown() -> None:
    assert with_role()("GetRole", RoleName="deploy")["Role"].keys() == {
        *("Path", "RoleName", "RoleId", "Arn", "CreateDate"),
        *("AssumeRolePolicyDocument", "MaxSessionDuration", "RoleLastUsed"),
    }


def test_listings_leave_out_boundary_tags_and_last_use() -> None:
    iam = with_role(
        create_policy(), Description="ships", PermissionsBoundary=OWN, Tags=[{"Key": "a", "Value": ""}]
    )
    (listed,) = iam("ListRoles")["Roles"]
    assert listed["Description"] == "ships"
    assert listed["MaxSessionDuration"] == 3600
    assert not {"PermissionsBoundary", "Tags", "RoleLastUsed"} & listed.keys()


def test_roles_are_listed_by_name_below_a_path() -> None:
    iam = Asked()
    for name, path in (("carol", "/a/"), ("Bob", "/a/b/"), ("alice", "/")):
        iam("CreateRole", RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST_TEXT)
    page = iam("ListRoles", MaxItems=2)
    assert [role["RoleName"] for role in page["Roles"]] == ["alice", "Bob"]
    assert [role["RoleName"] for role in iam("ListRoles", Marker=page["Marker"])["Roles"]] == ["carol"]
    assert [role["RoleName"] for role in iam("ListRoles", PathPrefix="/a/")["Roles"]] == ["Bob", "carol"]
    assert iam("ListRoles", PathPrefix="/none/") == {"Roles": [], "IsTruncated": False}


def test_a_name_is_taken_whatever_its_case() -> None:
    iam = with_role()
    with refused(EntityAlreadyExists, "Role with name Deploy already exists."):
        iam("CreateRole", RoleName="Deploy", AssumeRolePolicyDocument=TRUST_TEXT)


def test_the_path_of_service_linked_roles_is_for_them_alone() -> None:
    with refused(
        InvalidInput, "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles"
    ):
        with_role(Path="/aws-service-role/ecs.amazonaws.com/")
    with refused(
        InvalidInput, "Path prefix '/aws-reserved/' can only be used for roles of IAM Identity Center"
    ):
        with_role(Path="/aws-reserved/sso.amazonaws.com/")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("DeleteRole", {}),
        ("AttachRolePolicy", {"PolicyArn": READ_ONLY}),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": ALLOW_TEXT}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST_TEXT}),
    ],
)
def test_a_role_of_identity_center_is_not_its_accounts_to_change(
    operation: str, more: dict[str, Any]
) -> None:
    name = "AWSReservedSSO_Admin_0123456789abcdef"
    request = {
        "roleName": name,
        "path": "/aws-reserved/sso.amazonaws.com/",
        "assumeRolePolicyDocument": TRUST_TEXT,
    }
    iam = Asked(call("CreateRole", request))
    message = (
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    )
    with refused(UnmodifiableEntity, message):
        iam(operation, RoleName=name, **more)


def test_a_boundary_is_a_policy_that_is_there() -> None:
    wrong = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
    missing = f"arn:aws:iam::{ACCOUNT}:policy/nonexistent-policy"
    with refused(InvalidInput, f"ARN {wrong} is not valid."):
        with_role(PermissionsBoundary=wrong)
    with refused(NoSuchEntity, f"Scope ARN: {missing} does not exist or is not attachable."):
        with_role(PermissionsBoundary=missing)


def test_who_tags_a_new_role_must_be_allowed_to() -> None:
    also = DECISIONS["iam:CreateRole"].also
    assert also is not None
    named = {"RoleName": "deploy", "Path": "/x/"}
    account = Asked().account
    assert list(also(account, Call("iam:CreateRole", named, ROOT_BEARER))) == []
    tagged = named | {"Tags": [{"Key": "a", "Value": ""}]}
    assert list(also(account, Call("iam:CreateRole", tagged, ROOT_BEARER))) == [
        ("iam:TagRole", f"arn:aws:iam::{ACCOUNT}:role/x/deploy")
    ]


# ---- trust


@pytest.mark.parametrize(
    ("operation", "role", "member"),
    [
        ("CreateRole", "other", "AssumeRolePolicyDocument"),
        ("UpdateAssumeRolePolicy", "deploy", "PolicyDocument"),
    ],
)
def test_a_trust_policy_is_checked(operation: str, role: str, member: str) -> None:
    iam = with_role()

    def ask(document: str) -> None:
        more: dict[str, Any] = {member: document}
        iam(operation, RoleName=role, **more)

    with refused(Malformed, "This policy contains invalid Json"):
        ask("no json")
    with refused(Malformed, "Has prohibited field Resource"):
        ask(TRUST_TEXT.replace('"Action"', '"Resource":"*","Action"'))
    with refused(Malformed, "AssumeRole policy may only specify STS AssumeRole actions."):
        ask(TRUST_TEXT.replace("sts:AssumeRole", "s3:GetObject"))
    with refused(LimitExceeded, "Cannot exceed quota for ACLSizePerRole: 2048"):
        ask(trusting(*["210987654321"] * 150))


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:user/team/alice",  # she is there, under another path
        f"arn:aws:iam::{ACCOUNT}:role/nobody",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/session",
        "AIDAGONEGONEGONE1",
    ],
)
def test_who_is_trusted_in_this_account_must_be_there(name: str) -> None:
    iam = with_role(create_user())
    with refused(Malformed, f'Invalid principal in policy: "AWS":"{name}"'):
        iam("CreateRole", RoleName="other", AssumeRolePolicyDocument=trusting(name))
    with refused(Malformed, f'Invalid principal in policy: "AWS":"{name}"'):
        iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=trusting(ACCOUNT, name))


@pytest.mark.parametrize(
    "name",
    [
        "*",
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        "AIDA0000000ALICE1",
        f"arn:aws:iam::{ACCOUNT}:role/deploy",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/session",
        f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
        "arn:aws:iam::210987654321:user/nobody-that-we-know",
    ],
)
def test_who_may_be_trusted(name: str) -> None:
    iam = with_role(create_user())
    iam("CreateRole", RoleName="other", AssumeRolePolicyDocument=trusting(name))
    shown = iam("GetRole", RoleName="other")["Role"]["AssumeRolePolicyDocument"]
    assert orjson.loads(unquote(shown)) == orjson.loads(trusting(name))


def test_services_and_providers_are_trusted() -> None:
    iam = with_role()
    iam(
        "UpdateAssumeRolePolicy",
        RoleName="deploy",
        PolicyDocument=trusting("ec2.amazonaws.com", kind="Service"),
    )
    shown = iam("GetRole", RoleName="deploy")["Role"]["AssumeRolePolicyDocument"]
    assert "ec2.amazonaws.com" in unquote(shown)
    with refused(NoSuchEntity, NOBODY):
        iam("UpdateAssumeRolePolicy", RoleName="nobody", PolicyDocument=TRUST_TEXT)


# ---- changing and deleting


def test_description_and_duration_change_each_alone() -> None:
    iam = with_role(Description="ships")
    iam("UpdateRole", RoleName="deploy", MaxSessionDuration=7200)
    role = iam("GetRole", RoleName="deploy")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("ships", 7200)
    iam("UpdateRole", RoleName="deploy", Description="sails")
    role = iam("GetRole", RoleName="deploy")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("sails", 7200)
    with refused(NoSuchEntity, NOBODY):
        iam("UpdateRole", RoleName="nobody", Description="x")


def test_sign_in_has_a_duration_of_its_own_until_that_is_reset() -> None:
    iam = with_role(MaxSigninSessionDuration=7200)
    iam("UpdateRole", RoleName="deploy", Description="ships")
    assert iam("GetRole", RoleName="deploy")["Role"]["MaxSigninSessionDuration"] == 7200
    iam("UpdateRole", RoleName="deploy", MaxSigninSessionDuration=3600)
    assert iam("ListRoles")["Roles"][0]["MaxSigninSessionDuration"] == 3600
    with refused(
        ValidationError,
        "Must not specify MaxSigninSessionDuration when ResetMaxSigninSessionDuration is true",
    ):
        iam(
            "UpdateRole",
            RoleName="deploy",
            MaxSigninSessionDuration=3600,
            ResetMaxSigninSessionDuration=True,
        )
    iam("UpdateRole", RoleName="deploy", ResetMaxSigninSessionDuration=True)
    role = iam("GetRole", RoleName="deploy")["Role"]
    assert "MaxSigninSessionDuration" not in role
    assert role["MaxSessionDuration"] == 3600


def test_a_new_description_is_answered_with_the_role() -> None:
    iam = with_role()
    told = iam("UpdateRoleDescription", RoleName="deploy", Description="ships")["Role"]
    assert told["Description"] == "ships"
    assert "MaxSessionDuration" not in told
    assert iam("GetRole", RoleName="deploy")["Role"]["Description"] == "ships"


def test_a_role_goes_when_nothing_hangs_on_it() -> None:
    iam = with_role()
    iam("PutRolePolicy", RoleName="deploy", PolicyName="own", PolicyDocument=ALLOW_TEXT)
    iam("AttachRolePolicy", RoleName="deploy", PolicyArn=READ_ONLY)
    iam("CreateInstanceProfile", InstanceProfileName="web")
    iam("AddRoleToInstanceProfile", InstanceProfileName="web", RoleName="deploy")
    with refused(DeleteConflict, "Cannot delete entity, must delete policies first."):
        iam("DeleteRole", RoleName="deploy")
    iam("DeleteRolePolicy", RoleName="deploy", PolicyName="own")
    with refused(DeleteConflict, "Cannot delete entity, must detach all policies first."):
        iam("DeleteRole", RoleName="deploy")
    iam("DetachRolePolicy", RoleName="deploy", PolicyArn=READ_ONLY)
    with refused(DeleteConflict, "Cannot delete entity, must remove roles from instance profile first."):
        iam("DeleteRole", RoleName="deploy")
    iam("RemoveRoleFromInstanceProfile", InstanceProfileName="web", RoleName="deploy")
    assert iam("DeleteRole", RoleName="deploy") == {}
    for operation in ("GetRole", "DeleteRole"):
        with refused(NoSuchEntity, "The role with name deploy cannot be found."):
            iam(operation, RoleName="deploy")


def test_a_boundary_holds_nobody_back_from_deleting() -> None:
    iam = with_role(create_policy(), PermissionsBoundary=OWN)
    assert iam("DeleteRole", RoleName="deploy") == {}


# ---- tags


def test_tags_are_one_ignoring_case_and_listed_by_key() -> None:
    iam = with_role(Tags=[{"Key": "Team", "Value": "blue"}])
    iam("TagRole", RoleName="deploy", Tags=[{"Key": "team", "Value": "red"}, {"Key": "a", "Value": ""}])
    page = iam("ListRoleTags", RoleName="deploy", MaxItems=1)
    assert page["Tags"] == [{"Key": "a", "Value": ""}]
    rest = iam("ListRoleTags", RoleName="deploy", Marker=page["Marker"])
    assert rest == {"Tags": [{"Key": "team", "Value": "red"}], "IsTruncated": False}
    iam("UntagRole", RoleName="deploy", TagKeys=["TEAM", "never there"])
    assert iam("ListRoleTags", RoleName="deploy")["Tags"] == [{"Key": "a", "Value": ""}]


def test_tags_that_are_refused() -> None:
    iam = with_role()
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    with refused(InvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive."):
        iam("TagRole", RoleName="deploy", Tags=twice)
    with refused(InvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive."):
        iam("CreateRole", RoleName="other", AssumeRolePolicyDocument=TRUST_TEXT, Tags=twice)
    iam("TagRole", RoleName="deploy", Tags=[{"Key": f"k{it}", "Value": ""} for it in range(50)])
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        iam("TagRole", RoleName="deploy", Tags=[{"Key": "one more", "Value": ""}])


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GetRole", {}),
        ("TagRole", {"Tags": []}),
        ("UntagRole", {"TagKeys": []}),
        ("ListRoleTags", {}),
        ("UpdateRoleDescription", {"Description": "x"}),
        ("AttachRolePolicy", {"PolicyArn": READ_ONLY}),
        ("DetachRolePolicy", {"PolicyArn": READ_ONLY}),
        ("ListAttachedRolePolicies", {}),
        ("PutRolePolicy", {"PolicyName": "own", "PolicyDocument": ALLOW_TEXT}),
        ("GetRolePolicy", {"PolicyName": "own"}),
        ("DeleteRolePolicy", {"PolicyName": "own"}),
        ("ListRolePolicies", {}),
        ("PutRolePermissionsBoundary", {"PermissionsBoundary": READ_ONLY}),
        ("DeleteRolePermissionsBoundary", {}),
    ],
)
def test_a_role_must_be_there(operation: str, more: dict[str, Any]) -> None:
    with refused(NoSuchEntity, NOBODY):
        Asked()(operation, RoleName="nobody", **more)
