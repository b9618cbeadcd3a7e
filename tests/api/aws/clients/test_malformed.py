"""What is said of names, paths, tags and policy documents that AWS would not take, through boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore import xform_name

from tests.api.aws.clients.documents import allowing, trusting
from tests.api.aws.clients.watching import Watched
from tests.api.living_server import LivingServer

NAME: Final = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
PATH: Final = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
PREFIX: Final = (
    "It must begin with the / character and contain only alphanumeric characters and/or / characters."
)
TEXT: Final = "It must contain only printable ASCII characters."
ROLE_ARN: Final = "arn:aws:iam::111122223333:role/deploy"


@pytest.fixture(scope="module")
def furnished(server: LivingServer) -> Iterator[Watched]:
    aws = Watched(server.new_account())
    aws.iam.create_user(UserName="alice")
    aws.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
    yield aws
    aws.settle()


def ask(aws: Watched, operation: str, parameters: dict[str, Any]) -> None:
    getattr(aws.client("iam", parameter_validation=False), xform_name(operation))(**parameters)


@pytest.mark.parametrize(
    ("operation", "parameters", "member", "words"),
    [
        ("CreateUser", {"UserName": "a b"}, "userName", NAME),
        ("GetUser", {"UserName": "a/b"}, "userName", NAME),
        ("UpdateUser", {"UserName": "alice", "NewUserName": "a:b"}, "newUserName", NAME),
        ("CreateGroup", {"GroupName": "a b"}, "groupName", NAME),
        ("CreatePolicy", {"PolicyName": "a b", "PolicyDocument": allowing("s3:*")}, "policyName", NAME),
        ("AttachRolePolicy", {"RoleName": ROLE_ARN, "PolicyArn": ROLE_ARN}, "roleName", NAME),
        ("CreateInstanceProfile", {"InstanceProfileName": "a b"}, "instanceProfileName", NAME),
        ("CreateUser", {"UserName": "x", "Path": "/team"}, "path", PATH),
        ("UpdateUser", {"UserName": "alice", "NewPath": "team/"}, "newPath", PATH),
        ("ListUsers", {"PathPrefix": "team/"}, "pathPrefix", PREFIX),
        ("ListPolicies", {"PathPrefix": "/team"}, "pathPrefix", PREFIX),
        (
            "PutRolePolicy",
            {"RoleName": "deploy", "PolicyName": "x", "PolicyDocument": "{“Version”}"},
            "policyDocument",
            TEXT,
        ),
        ("CreateUser", {"UserName": "a b", "Path": "/", "PermissionsBoundary": "short"}, "userName", NAME),
    ],
)
def test_names_paths_and_texts(
    furnished: Watched, operation: str, parameters: dict[str, Any], member: str, words: str
) -> None:
    message = f"The specified value for {member} is invalid. {words}"
    with furnished.refused("ValidationError", 400, message):
        ask(furnished, operation, parameters)


@pytest.mark.parametrize(
    ("operation", "parameters", "words"),
    [
        ("CreateUser", {}, "Value at 'userName' failed to satisfy constraint: Member must not be null"),
        (
            "CreateUser",
            {"UserName": "x" * 65},
            "Value at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            "TagUser",
            {"UserName": "alice", "Tags": [{"Key": "a"}]},
            "Value at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateRole",
            {
                "RoleName": "x",
                "AssumeRolePolicyDocument": trusting("ec2.amazonaws.com"),
                "MaxSessionDuration": 60,
            },
            "Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or "
            "equal to 3600",
        ),
    ],
)
def test_what_is_missing_too_long_or_out_of_range(
    furnished: Watched, operation: str, parameters: dict[str, Any], words: str
) -> None:
    with furnished.refused("ValidationError", 400, f"1 validation error detected: {words}"):
        ask(furnished, operation, parameters)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Effect": None}, "Missing required field Effect"),
        ({"Effect": "allow"}, "Invalid effect: allow"),
        ({"Principal": None}, "Missing required field Principal"),
        ({"Principal": {}}, "Missing required field Principal cannot be empty!"),
        ({"Principal": {"AWS": "nobody"}}, 'Invalid principal in policy: "AWS":"nobody"'),
        (
            {"Principal": {"Federated": "cognito-identity.amazonaws.com"}},
            "A condition block must be present for the Cognito provider",
        ),
        ({"Action": None}, "Missing required field Action"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"NotResource": "*"}, "AssumeRole policy must not contain resources."),
    ],
)
def test_trust_policies(furnished: Watched, changed: dict[str, Any], message: str) -> None:
    document = json.loads(trusting("ec2.amazonaws.com"))
    (statement,) = document["Statement"]
    document["Statement"] = [{name: it for name, it in (statement | changed).items() if it is not None}]
    with furnished.refused("MalformedPolicyDocument", 400, message):
        furnished.iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=json.dumps(document))


def test_trust_policies_without_statements(furnished: Watched) -> None:
    for document, message in (
        ({"Version": "2012-10-17", "Statement": []}, "Could not parse the policy: Statement is empty!"),
        ({"Version": "2012-10-17"}, "Missing required field Statement"),
        ({"Version": "2013-10-17", "Statement": []}, "The policy must contain a valid version string"),
    ):
        with furnished.refused("MalformedPolicyDocument", 400, message):
            furnished.iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(document))
