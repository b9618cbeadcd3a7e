"""Service-linked roles: what is answered and what is refused."""

from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from ledger.account.managed_policies import policy_arns
from ledger.iam.deciding import DECISIONS, Call
from ledger.iam.linked_services import LINKED_SERVICES
from ledger.iam.refusals import InvalidInput, NoSuchEntity, UnmodifiableEntity
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, NOON, READ_ONLY, TRUST_TEXT, create_role

ECS = "AWSServiceRoleForECS"
PATH = "/aws-service-role/ecs.amazonaws.com/"
PROTECTED = (
    f"Cannot perform the operation on the protected role '{ECS}' - this role is only modifiable by AWS"
)


def with_ecs(*history: dict[str, Any]) -> Asked:
    iam = Asked(*history)
    iam("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com", Description="runs tasks")
    return iam


def test_a_role_is_made_as_the_service_wants_it() -> None:
    iam = Asked()
    made = iam("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com", Description="x")["Role"]
    trust = made.pop("AssumeRolePolicyDocument")
    assert made == {
        "Path": PATH,
        "RoleName": ECS,
        "RoleId": made["RoleId"],
        "Arn": f"arn:aws:iam::{ACCOUNT}:role{PATH}{ECS}",
        "CreateDate": NOON,
    }
    assert orjson.loads(unquote(trust)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": ["sts:AssumeRole"],
                "Effect": "Allow",
                "Principal": {"Service": ["ecs.amazonaws.com"]},
            }
        ],
    }
    shown = iam("GetRole", RoleName=ECS)["Role"]
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("x", 3600)
    assert [role["RoleName"] for role in iam("ListRoles", PathPrefix="/aws-service-role/")["Roles"]] == [ECS]


def test_it_has_the_policy_of_its_service() -> None:
    attached = with_ecs()("ListAttachedRolePolicies", RoleName=ECS)["AttachedPolicies"]
    assert [it["PolicyArn"] for it in attached] == [
        "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    ]


def test_a_suffix_makes_a_role_more_where_the_service_takes_one() -> None:
    iam = Asked()
    made = iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="debug")
    assert made["Role"]["RoleName"] == "AWSServiceRoleForAutoScaling_debug"
    with refused(InvalidInput, "Custom suffix is not allowed for ops.apigateway.amazonaws.com"):
        iam("CreateServiceLinkedRole", AWSServiceName="ops.apigateway.amazonaws.com", CustomSuffix="x")


def test_there_is_one_role_of_a_service_and_suffix() -> None:
    iam = Asked()
    iam("CreateServiceLinkedRole", AWSServiceName="batch.amazonaws.com")
    with refused(
        InvalidInput,
        "Service role name AWSServiceRoleForBatch has been taken in this account, please try a different suffix.",
    ):
        iam("CreateServiceLinkedRole", AWSServiceName="batch.amazonaws.com")


def test_no_role_is_made_up_for_a_service_that_is_not_known_to_have_one() -> None:
    with refused(InvalidInput, "Service-linked roles are not known for nobody.amazonaws.com"):
        Asked()("CreateServiceLinkedRole", AWSServiceName="nobody.amazonaws.com")


def test_permission_is_asked_for_the_role_itself() -> None:
    account = Asked().account
    create = DECISIONS["iam:CreateServiceLinkedRole"].on
    named = Call("iam:CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"}, ROOT_BEARER)
    assert create(account, named) == f"arn:aws:iam::{ACCOUNT}:role{PATH}{ECS}"
    ask = DECISIONS["iam:GetServiceLinkedRoleDeletionStatus"].on
    task = {"DeletionTaskId": f"task{PATH}{ECS}/1a2b3c4d-1234-abcd-7890-abcde0000000"}
    assert (
        ask(account, Call("iam:GetServiceLinkedRoleDeletionStatus", task, ROOT_BEARER))
        == f"arn:aws:iam::{ACCOUNT}:role{PATH}{ECS}"
    )


def test_every_policy_of_a_linked_service_is_one_of_aws() -> None:
    assert {it.policy_arn for it in LINKED_SERVICES.values()} <= set(policy_arns())
    names = [it.role_name for it in LINKED_SERVICES.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("DeleteRole", {}),
        ("UpdateRole", {"MaxSessionDuration": 7200}),
        ("UpdateRole", {"MaxSigninSessionDuration": 7200}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST_TEXT}),
        ("AttachRolePolicy", {"PolicyArn": READ_ONLY}),
        (
            "DetachRolePolicy",
            {"PolicyArn": "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"},
        ),
        ("PutRolePolicy", {"PolicyName": "own", "PolicyDocument": ALLOW_TEXT}),
        ("DeleteRolePolicy", {"PolicyName": "own"}),
        ("PutRolePermissionsBoundary", {"PermissionsBoundary": READ_ONLY}),
        ("DeleteRolePermissionsBoundary", {}),
        ("AddRoleToInstanceProfile", {"InstanceProfileName": "web"}),
        ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "web"}),
    ],
)
def test_only_aws_changes_it(operation: str, more: dict[str, Any]) -> None:
    iam = with_ecs()
    iam("CreateInstanceProfile", InstanceProfileName="web")
    with refused(UnmodifiableEntity, PROTECTED):
        iam(operation, RoleName=ECS.lower(), **more)


def test_its_description_and_tags_are_the_accounts_own() -> None:
    iam = with_ecs()
    iam("UpdateRole", RoleName=ECS, Description="a")
    assert iam("UpdateRoleDescription", RoleName=ECS, Description="b")["Role"]["Description"] == "b"
    iam("TagRole", RoleName=ECS, Tags=[{"Key": "k", "Value": "v"}])
    iam("UntagRole", RoleName=ECS, TagKeys=["k"])


def test_it_is_deleted_and_the_task_tells() -> None:
    iam = with_ecs()
    task = iam("DeleteServiceLinkedRole", RoleName=ECS)["DeletionTaskId"]
    assert task.startswith(f"task{PATH}{ECS}/")
    with refused(NoSuchEntity, f"The role with name {ECS} cannot be found."):
        iam("GetRole", RoleName=ECS)
    iam("CreateServiceLinkedRole", AWSServiceName="ecs.amazonaws.com")
    assert iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task) == {"Status": "SUCCEEDED"}
    assert iam("DeleteServiceLinkedRole", RoleName=ECS)["DeletionTaskId"] != task


def test_other_roles_are_not_deleted_so() -> None:
    iam = Asked(create_role())
    for name in ("deploy", "nobody"):
        with refused(NoSuchEntity, f"The role with name {name} cannot be found."):
            iam("DeleteServiceLinkedRole", RoleName=name)


def test_tasks_that_never_were() -> None:
    iam = with_ecs()
    never = f"task{PATH}{ECS}/1a2b3c4d-1234-abcd-7890-abcde0000000"
    with refused(NoSuchEntity, f"The deletion task with id {never} cannot be found."):
        iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=never)
    iam("DeleteServiceLinkedRole", RoleName=ECS)
    with refused(NoSuchEntity, f"The deletion task with id {never} cannot be found."):
        iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=never)
    with refused(InvalidInput, "Deletion task nonsense is not valid."):
        iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId="nonsense")
