"""What a denial calls the resource, as recorded denials of AWS do: some by name, others by ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore import xform_name

from tests.api.aws.clients.documents import allowing, trusting
from tests.api.aws.clients.watching import Watched
from tests.api.living_server import LivingServer

OWN: Final = "arn:aws:iam::{account}:policy/team/own"
CODES: Final = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}


@pytest.fixture(scope="module")
def furnished(server: LivingServer) -> Iterator[Watched]:
    aws = Watched(server.new_account())
    aws.iam.create_user(UserName="alice", Path="/team/")
    aws.iam.create_role(
        RoleName="deploy", Path="/team/", AssumeRolePolicyDocument=trusting(aws.arn("user/team/alice"))
    )
    aws.iam.create_policy(PolicyName="own", Path="/team/", PolicyDocument=allowing("s3:*"))
    yield aws
    aws.settle()


@pytest.fixture(scope="module")
def alice(furnished: Watched) -> Any:
    return furnished.client("iam", furnished.iam.create_access_key(UserName="alice")["AccessKey"])


@pytest.mark.parametrize(
    ("operation", "parameters", "told"),
    [
        ("GetUser", {}, "user alice"),
        ("GetUser", {"UserName": "alice"}, "user alice"),
        ("GetUser", {"UserName": "nobody"}, "user nobody"),
        ("ListAccessKeys", {"UserName": "alice"}, "user alice"),
        ("ListGroupsForUser", {"UserName": "alice"}, "user alice"),
        ("TagUser", {"UserName": "alice", "Tags": [{"Key": "a", "Value": "1"}]}, "user alice"),
        ("ListMFADevices", {}, "user alice"),
        ("EnableMFADevice", {"UserName": "alice", "SerialNumber": "123456789", **CODES}, "user alice"),
        ("GetRole", {"RoleName": "deploy"}, "role deploy"),
        ("AttachRolePolicy", {"RoleName": "deploy", "PolicyArn": OWN}, "role deploy"),
        ("GetGroup", {"GroupName": "staff"}, "group staff"),
        ("AddUserToGroup", {"GroupName": "staff", "UserName": "alice"}, "group staff"),
        (
            "AddRoleToInstanceProfile",
            {"InstanceProfileName": "web", "RoleName": "deploy"},
            "instance profile web",
        ),
        ("CreatePolicy", {"PolicyName": "new", "PolicyDocument": allowing("s3:*")}, "policy new"),
        ("GetPolicy", {"PolicyArn": OWN}, f"policy {OWN}"),
        ("DeletePolicyVersion", {"PolicyArn": OWN, "VersionId": "v2"}, f"policy {OWN}"),
        ("GetPolicyVersion", {"PolicyArn": OWN, "VersionId": "v2"}, f"policy {OWN} version v2"),
        ("ListPolicies", {}, "policy path /"),
        ("ListPolicies", {"PathPrefix": "/team/"}, "policy path /team/"),
        ("CreateUser", {"UserName": "new", "Path": "/team/"}, "arn:aws:iam::{account}:user/team/new"),
        (
            "CreateRole",
            {"RoleName": "new", "AssumeRolePolicyDocument": trusting("ec2.amazonaws.com")},
            "arn:aws:iam::{account}:role/new",
        ),
        ("CreateGroup", {"GroupName": "new"}, "arn:aws:iam::{account}:group/new"),
        ("ListRoles", {"PathPrefix": "/team/"}, "arn:aws:iam::{account}:role/team/"),
        ("ListVirtualMFADevices", {}, "arn:aws:iam::{account}:mfa/"),
        ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "new"}, "arn:aws:iam::{account}:mfa/new"),
        ("GetAccountSummary", {}, "*"),
    ],
)
def test_who_is_denied_learns_on_what(
    furnished: Watched, alice: Any, operation: str, parameters: dict[str, Any], told: str
) -> None:
    message = (
        f"User: {furnished.arn('user/team/alice')} is not authorized to perform: iam:{operation} on resource: "
        f"{told} because no identity-based policy allows the iam:{operation} action"
    )
    given = {
        name: value.replace("{account}", furnished.id) if name == "PolicyArn" else value
        for name, value in parameters.items()
    }
    with furnished.refused("AccessDenied", 403, message.replace("{account}", furnished.id)):
        getattr(alice, xform_name(operation))(**given)


def test_a_role_that_asks_about_itself_is_named_by_its_session(furnished: Watched, alice: Any) -> None:
    furnished.iam.put_user_policy(
        UserName="alice", PolicyName="deploying", PolicyDocument=allowing("sts:AssumeRole")
    )
    key = furnished.iam.create_access_key(UserName="alice")["AccessKey"]
    taken = furnished.client("sts", key).assume_role(
        RoleArn=furnished.arn("role/team/deploy"), RoleSessionName="release-7"
    )
    message = (
        f"User: {taken['AssumedRoleUser']['Arn']} is not authorized to perform: iam:GetUser on resource: "
        "user release-7 because no identity-based policy allows the iam:GetUser action"
    )
    with furnished.refused("AccessDenied", 403, message):
        furnished.client("iam", taken["Credentials"]).get_user()


def test_what_is_asked_besides_is_told_by_its_arn(furnished: Watched) -> None:
    furnished.iam.create_user(UserName="carol")
    furnished.iam.put_user_policy(
        UserName="carol", PolicyName="own", PolicyDocument=allowing("iam:AddRoleToInstanceProfile")
    )
    key = furnished.iam.create_access_key(UserName="carol")["AccessKey"]
    on = f"iam:PassRole on resource: {furnished.arn('role/team/deploy')}"
    message = (
        f"User: {furnished.arn('user/carol')} is not authorized to perform: {on} "
        "because no identity-based policy allows the iam:PassRole action"
    )
    with furnished.refused("AccessDenied", 403, message):
        furnished.client("iam", key).add_role_to_instance_profile(
            InstanceProfileName="web", RoleName="deploy"
        )
