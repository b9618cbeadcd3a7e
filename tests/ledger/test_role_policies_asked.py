"""Policies of roles, attached and inline, and the boundary: what is answered and what is refused."""

from typing import Any
from urllib.parse import unquote

from ledger.account.managed_policies import known_until, policy_arns
from ledger.iam.limits import ATTACHED_PER_ROLE
from ledger.iam.refusals import (
    InvalidInput,
    LimitExceeded,
    Malformed,
    NoSuchEntity,
    PolicyNotAttachable,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, OWN, READ_ONLY, TRUST_TEXT, create_policy, create_role

POWER = "arn:aws:iam::aws:policy/PowerUserAccess"


def with_role(*history: dict[str, Any]) -> Asked:
    return Asked(*history, create_role())


# ---- managed policies


def test_policies_are_attached_listed_by_name_and_detached() -> None:
    iam = with_role(create_policy())
    for arn in (READ_ONLY, OWN, POWER):
        assert iam("AttachRolePolicy", RoleName="deploy", PolicyArn=arn) == {}
    page = iam("ListAttachedRolePolicies", RoleName="deploy", MaxItems=2)
    assert page["AttachedPolicies"] == [
        {"PolicyName": "own", "PolicyArn": OWN},
        {"PolicyName": "PowerUserAccess", "PolicyArn": POWER},
    ]
    rest = iam("ListAttachedRolePolicies", RoleName="deploy", Marker=page["Marker"])
    assert rest["AttachedPolicies"] == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    below = iam("ListAttachedRolePolicies", RoleName="deploy", PathPrefix="/team/")
    assert [it["PolicyName"] for it in below["AttachedPolicies"]] == ["own"]
    assert iam("DetachRolePolicy", RoleName="deploy", PolicyArn=OWN) == {}
    with refused(NoSuchEntity, f"Policy {OWN} was not found."):
        iam("DetachRolePolicy", RoleName="deploy", PolicyArn=OWN)


def test_a_policy_must_be_there_and_attachable() -> None:
    iam = with_role()
    missing = f"arn:aws:iam::{ACCOUNT}:policy/nonexistent-policy"
    with refused(NoSuchEntity, f"Policy {missing} does not exist or is not attachable."):
        iam("AttachRolePolicy", RoleName="deploy", PolicyArn=missing)
    with refused(ValidationError, "ARN longpolicynamebutnoarn is not valid."):
        iam("AttachRolePolicy", RoleName="deploy", PolicyArn="longpolicynamebutnoarn")
    with refused(PolicyNotAttachable, "Cannot attach a Service Role Policy to a Customer Role."):
        iam(
            "AttachRolePolicy",
            RoleName="deploy",
            PolicyArn="arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy",
        )


def test_a_role_has_room_for_so_many_policies_and_for_those_it_has() -> None:
    iam = with_role()
    *fit, too_many = [arn for arn in policy_arns() if "/Amazon" in arn][: ATTACHED_PER_ROLE + 1]
    iam.time = known_until()
    for arn in fit:
        iam("AttachRolePolicy", RoleName="deploy", PolicyArn=arn)
    with refused(LimitExceeded, "Cannot exceed quota for PoliciesPerRole: 10"):
        iam("AttachRolePolicy", RoleName="deploy", PolicyArn=too_many)
    assert iam("AttachRolePolicy", RoleName="deploy", PolicyArn=fit[0]) == {}


# ---- inline policies


def test_inline_policies_are_put_shown_listed_and_deleted() -> None:
    iam = with_role()
    for name in ("b", "a"):
        assert iam("PutRolePolicy", RoleName="deploy", PolicyName=name, PolicyDocument=ALLOW_TEXT) == {}
    told = iam("GetRolePolicy", RoleName="DEPLOY", PolicyName="a")
    assert (told["RoleName"], told["PolicyName"]) == ("deploy", "a")
    assert unquote(told["PolicyDocument"]) == ALLOW_TEXT
    assert "{" not in told["PolicyDocument"]
    page = iam("ListRolePolicies", RoleName="deploy", MaxItems=1)
    assert page["PolicyNames"] == ["a"]
    assert iam("ListRolePolicies", RoleName="deploy", Marker=page["Marker"])["PolicyNames"] == ["b"]
    iam("DeleteRolePolicy", RoleName="deploy", PolicyName="a")
    for operation in ("GetRolePolicy", "DeleteRolePolicy"):
        with refused(NoSuchEntity, "The role policy with name a cannot be found."):
            iam(operation, RoleName="deploy", PolicyName="a")


def test_inline_policies_share_one_quota_and_a_new_text_takes_the_place_of_the_old() -> None:
    iam = with_role()

    def sized(size: int) -> str:
        return ALLOW_TEXT.replace("s3:*", "s3:" + "x" * (size - len(ALLOW_TEXT) + 1))

    for _ in range(2):
        iam("PutRolePolicy", RoleName="deploy", PolicyName="a", PolicyDocument=sized(10_000))
    iam("PutRolePolicy", RoleName="deploy", PolicyName="b", PolicyDocument=sized(240))
    with refused(LimitExceeded, "Maximum policy size of 10240 bytes exceeded for role deploy"):
        iam("PutRolePolicy", RoleName="deploy", PolicyName="b", PolicyDocument=sized(241))


def test_an_inline_policy_names_nobody() -> None:
    with refused(Malformed, "Policy document should not specify a principal."):
        with_role()("PutRolePolicy", RoleName="deploy", PolicyName="a", PolicyDocument=TRUST_TEXT)


# ---- the boundary


def test_a_boundary_is_put_replaced_and_deleted_even_where_there_is_none() -> None:
    iam = with_role(create_policy())
    for arn in (OWN, READ_ONLY):
        iam("PutRolePermissionsBoundary", RoleName="deploy", PermissionsBoundary=arn)
        shown = iam("GetRole", RoleName="deploy")["Role"]["PermissionsBoundary"]
        assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    for _ in range(2):
        assert iam("DeleteRolePermissionsBoundary", RoleName="deploy") == {}
        assert "PermissionsBoundary" not in iam("GetRole", RoleName="deploy")["Role"]


def test_boundaries_that_are_refused() -> None:
    iam = with_role()
    wrong = f"arn:aws:iam::{ACCOUNT}:not_a_policy/invalid"
    missing = f"arn:aws:iam::{ACCOUNT}:policy/nonexistent-policy"
    with refused(InvalidInput, f"ARN {wrong} is not valid."):
        iam("PutRolePermissionsBoundary", RoleName="deploy", PermissionsBoundary=wrong)
    with refused(NoSuchEntity, f"Scope ARN: {missing} does not exist or is not attachable."):
        iam("PutRolePermissionsBoundary", RoleName="deploy", PermissionsBoundary=missing)
