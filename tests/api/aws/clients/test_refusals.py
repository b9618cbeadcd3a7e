"""Each error that IAM's, STS's and CloudTrail's models name for an operation, provoked through boto3.

One account has everything that a refusal needs, and refusals change nothing, so all are asked of the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore import xform_name

from tests.api.aws.clients.documents import (
    READ_ONLY,
    SERVICE_ROLE_POLICY,
    allowing,
    trusting,
)
from tests.api.aws.clients.watching import Watched
from tests.api.living_server import LivingServer
from tests.ledger.certified import root, server
from tests.ledger.federating import metadata

LARGE: Final = allowing("s3:GetObject", sid="x" * 12_000)
MALFORMED: Final = "{}"
NEVER: Final = "AIDANOBODY0000000000"
NOT_A_POLICY: Final = "arn:aws:iam::{account}:not_a_policy/invalid"
NO_POLICY: Final = "arn:aws:iam::{account}:policy/missing"
OWN: Final = "arn:aws:iam::{account}:policy/own"
OIDC: Final = "arn:aws:iam::{account}:oidc-provider/idp.example.com"
NO_OIDC: Final = "arn:aws:iam::{account}:oidc-provider/missing.example.com"
SAML: Final = "arn:aws:iam::{account}:saml-provider/corp"
NO_SAML: Final = "arn:aws:iam::{account}:saml-provider/missing"
PHONE: Final = "arn:aws:iam::{account}:mfa/phone"
NO_PHONE: Final = "arn:aws:iam::{account}:mfa/missing"
LINKED: Final = "AWSServiceRoleForSupport"
TAG: Final = [{"Key": "a", "Value": "1"}]
ALL_TAGS: Final = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
MORE_TAGS: Final = [{"Key": "one-more", "Value": ""}]
SYSTEM_TAG: Final = [{"Key": "aws:a", "Value": "1"}]
CODES: Final = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
TRUST: Final = trusting("ec2.amazonaws.com")

NO_USER: Final = ("NoSuchEntity", 404, "The user with name missing cannot be found.")
NO_GROUP: Final = ("NoSuchEntity", 404, "The group with name missing cannot be found.")
NO_ROLE: Final = ("NoSuchEntity", 404, "The role with name missing cannot be found.")
NO_PROFILE: Final = ("NoSuchEntity", 404, "Instance Profile missing cannot be found.")
NOT_VALID: Final = ("InvalidInput", 400, f"ARN {NOT_A_POLICY} is not valid.")
NOT_FOUND: Final = ("NoSuchEntity", 404, f"Policy {NO_POLICY} was not found.")
NOT_THERE: Final = ("NoSuchEntity", 404, f"Policy {NO_POLICY} does not exist or is not attachable.")
OUT_OF_SCOPE: Final = (
    "NoSuchEntity",
    404,
    f"Scope ARN: {NO_POLICY} does not exist or is not attachable.",
)
PROTECTED: Final = (
    "UnmodifiableEntity",
    400,
    f"Cannot perform the operation on the protected role '{LINKED}' - this role is only modifiable by AWS",
)
SYNTAX: Final = ("MalformedPolicyDocument", 400, "Syntax errors in policy.")
TAGS_FULL: Final = ("LimitExceeded", 409, "The number of tags has reached the maximum limit.")
TAG_RESERVED: Final = (
    "InvalidInput",
    400,
    "Tag keys beginning with aws: are reserved for system use.",
)
TAKEN_USER: Final = ("EntityAlreadyExists", 409, "User with name ALICE already exists.")


def quota(name: str, most: int) -> tuple[str, int, str]:
    return "LimitExceeded", 409, f"Cannot exceed quota for {name}: {most}"


Case = tuple[str, dict[str, Any], tuple[str, int, str | None]]

USERS: Final[list[Case]] = [
    ("CreateUser", {"UserName": "ALICE"}, TAKEN_USER),
    ("CreateUser", {"UserName": "x", "PermissionsBoundary": NO_POLICY}, OUT_OF_SCOPE),
    ("CreateUser", {"UserName": "x", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("UpdateUser", {"UserName": "missing", "NewUserName": "x"}, NO_USER),
    ("UpdateUser", {"UserName": "full", "NewUserName": "ALICE"}, TAKEN_USER),
    ("GetUser", {"UserName": "missing"}, NO_USER),
    ("DeleteUser", {"UserName": "missing"}, NO_USER),
    (
        "DeleteUser",
        {"UserName": "full"},
        ("DeleteConflict", 409, None),
    ),
    ("ListUserTags", {"UserName": "missing"}, NO_USER),
    ("TagUser", {"UserName": "missing", "Tags": TAG}, NO_USER),
    ("TagUser", {"UserName": "full", "Tags": MORE_TAGS}, TAGS_FULL),
    ("TagUser", {"UserName": "alice", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("UntagUser", {"UserName": "missing", "TagKeys": ["a"]}, NO_USER),
    ("PutUserPermissionsBoundary", {"UserName": "missing", "PermissionsBoundary": READ_ONLY}, NO_USER),
    ("PutUserPermissionsBoundary", {"UserName": "alice", "PermissionsBoundary": NO_POLICY}, OUT_OF_SCOPE),
    ("PutUserPermissionsBoundary", {"UserName": "alice", "PermissionsBoundary": NOT_A_POLICY}, NOT_VALID),
    (
        "PutUserPermissionsBoundary",
        {"UserName": "alice", "PermissionsBoundary": SERVICE_ROLE_POLICY},
        ("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a User."),
    ),
    ("DeleteUserPermissionsBoundary", {"UserName": "missing"}, NO_USER),
    ("ListGroupsForUser", {"UserName": "missing"}, NO_USER),
    ("AttachUserPolicy", {"UserName": "missing", "PolicyArn": READ_ONLY}, NO_USER),
    ("AttachUserPolicy", {"UserName": "alice", "PolicyArn": NO_POLICY}, NOT_THERE),
    ("AttachUserPolicy", {"UserName": "alice", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("AttachUserPolicy", {"UserName": "full", "PolicyArn": READ_ONLY}, quota("PoliciesPerUser", 10)),
    (
        "AttachUserPolicy",
        {"UserName": "alice", "PolicyArn": "longpolicynamebutnoarn"},
        ("ValidationError", 400, "ARN longpolicynamebutnoarn is not valid."),
    ),
    (
        "AttachUserPolicy",
        {"UserName": "alice", "PolicyArn": SERVICE_ROLE_POLICY},
        ("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a User."),
    ),
    ("DetachUserPolicy", {"UserName": "missing", "PolicyArn": READ_ONLY}, NO_USER),
    ("DetachUserPolicy", {"UserName": "alice", "PolicyArn": NO_POLICY}, NOT_FOUND),
    ("DetachUserPolicy", {"UserName": "alice", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("ListAttachedUserPolicies", {"UserName": "missing"}, NO_USER),
    ("ListUserPolicies", {"UserName": "missing"}, NO_USER),
    ("GetUserPolicy", {"UserName": "missing", "PolicyName": "x"}, NO_USER),
    (
        "GetUserPolicy",
        {"UserName": "alice", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The user policy with name x cannot be found."),
    ),
    (
        "DeleteUserPolicy",
        {"UserName": "alice", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The user policy with name x cannot be found."),
    ),
    (
        "PutUserPolicy",
        {"UserName": "missing", "PolicyName": "x", "PolicyDocument": allowing("s3:*")},
        NO_USER,
    ),
    ("PutUserPolicy", {"UserName": "alice", "PolicyName": "x", "PolicyDocument": MALFORMED}, SYNTAX),
    (
        "PutUserPolicy",
        {"UserName": "alice", "PolicyName": "x", "PolicyDocument": LARGE},
        ("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded for user alice"),
    ),
]

GROUPS: Final[list[Case]] = [
    (
        "CreateGroup",
        {"GroupName": "ADMINS"},
        ("EntityAlreadyExists", 409, "Group with name ADMINS already exists."),
    ),
    ("UpdateGroup", {"GroupName": "missing", "NewGroupName": "x"}, NO_GROUP),
    (
        "UpdateGroup",
        {"GroupName": "admins", "NewGroupName": "group-0"},
        ("EntityAlreadyExists", 409, "Group with name group-0 already exists."),
    ),
    ("GetGroup", {"GroupName": "missing"}, NO_GROUP),
    ("DeleteGroup", {"GroupName": "missing"}, NO_GROUP),
    (
        "DeleteGroup",
        {"GroupName": "group-0"},
        ("DeleteConflict", 409, "Cannot delete entity, must remove users from group first."),
    ),
    ("AddUserToGroup", {"UserName": "missing", "GroupName": "admins"}, NO_USER),
    ("AddUserToGroup", {"UserName": "alice", "GroupName": "missing"}, NO_GROUP),
    ("AddUserToGroup", {"UserName": "full", "GroupName": "admins"}, quota("GroupsPerUser", 10)),
    ("RemoveUserFromGroup", {"UserName": "missing", "GroupName": "admins"}, NO_USER),
    ("RemoveUserFromGroup", {"UserName": "alice", "GroupName": "missing"}, NO_GROUP),
    ("AttachGroupPolicy", {"GroupName": "missing", "PolicyArn": READ_ONLY}, NO_GROUP),
    ("AttachGroupPolicy", {"GroupName": "admins", "PolicyArn": NO_POLICY}, NOT_THERE),
    ("AttachGroupPolicy", {"GroupName": "admins", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("AttachGroupPolicy", {"GroupName": "group-0", "PolicyArn": READ_ONLY}, quota("PoliciesPerGroup", 10)),
    (
        "AttachGroupPolicy",
        {"GroupName": "admins", "PolicyArn": SERVICE_ROLE_POLICY},
        ("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Group."),
    ),
    ("DetachGroupPolicy", {"GroupName": "missing", "PolicyArn": READ_ONLY}, NO_GROUP),
    ("DetachGroupPolicy", {"GroupName": "admins", "PolicyArn": NO_POLICY}, NOT_FOUND),
    ("DetachGroupPolicy", {"GroupName": "admins", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("ListAttachedGroupPolicies", {"GroupName": "missing"}, NO_GROUP),
    ("ListGroupPolicies", {"GroupName": "missing"}, NO_GROUP),
    (
        "GetGroupPolicy",
        {"GroupName": "admins", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The group policy with name x cannot be found."),
    ),
    (
        "DeleteGroupPolicy",
        {"GroupName": "admins", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The group policy with name x cannot be found."),
    ),
    (
        "PutGroupPolicy",
        {"GroupName": "missing", "PolicyName": "x", "PolicyDocument": allowing("s3:*")},
        NO_GROUP,
    ),
    ("PutGroupPolicy", {"GroupName": "admins", "PolicyName": "x", "PolicyDocument": MALFORMED}, SYNTAX),
    (
        "PutGroupPolicy",
        {"GroupName": "admins", "PolicyName": "x", "PolicyDocument": LARGE},
        ("LimitExceeded", 409, "Maximum policy size of 5120 bytes exceeded for group admins"),
    ),
]

POLICIES: Final[list[Case]] = [
    (
        "CreatePolicy",
        {"PolicyName": "own", "PolicyDocument": allowing("s3:*")},
        (
            "EntityAlreadyExists",
            409,
            "A policy called own already exists. Duplicate names are not allowed.",
        ),
    ),
    ("CreatePolicy", {"PolicyName": "x", "PolicyDocument": MALFORMED}, SYNTAX),
    (
        "CreatePolicy",
        {"PolicyName": "x", "PolicyDocument": allowing("s3:*"), "Tags": TAG * 2},
        ("InvalidInput", 400, "Duplicate tag keys found."),
    ),
    (
        "CreatePolicy",
        {"PolicyName": "x", "PolicyDocument": LARGE},
        ("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144"),
    ),
    (
        "CreatePolicyVersion",
        {"PolicyArn": NO_POLICY, "PolicyDocument": allowing("s3:*")},
        ("NoSuchEntity", 404, None),
    ),
    ("CreatePolicyVersion", {"PolicyArn": NOT_A_POLICY, "PolicyDocument": allowing("s3:*")}, NOT_VALID),
    ("CreatePolicyVersion", {"PolicyArn": OWN, "PolicyDocument": MALFORMED}, SYNTAX),
    (
        "CreatePolicyVersion",
        {"PolicyArn": OWN, "PolicyDocument": allowing("s3:*")},
        (
            "LimitExceeded",
            409,
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        ),
    ),
    ("DeletePolicyVersion", {"PolicyArn": NOT_A_POLICY, "VersionId": "v1"}, NOT_VALID),
    (
        "DeletePolicyVersion",
        {"PolicyArn": OWN, "VersionId": "v1"},
        ("DeleteConflict", 409, "Cannot delete the default version of a policy."),
    ),
    (
        "DeletePolicyVersion",
        {"PolicyArn": OWN, "VersionId": "v9"},
        ("NoSuchEntity", 404, f"Policy {OWN} version v9 does not exist or is not attachable."),
    ),
    ("DeletePolicy", {"PolicyArn": NO_POLICY}, NOT_FOUND),
    ("DeletePolicy", {"PolicyArn": NOT_A_POLICY}, NOT_VALID),
    (
        "DeletePolicy",
        {"PolicyArn": "arn:aws:iam::{account}:policy/policy-0"},
        ("DeleteConflict", 409, "Cannot delete a policy attached to entities."),
    ),
    (
        "DeletePolicy",
        {"PolicyArn": READ_ONLY},
        ("AccessDenied", 403, "Cannot delete policies outside your own account."),
    ),
    ("GetPolicy", {"PolicyArn": NO_POLICY}, ("NoSuchEntity", 404, None)),
    ("GetPolicy", {"PolicyArn": NOT_A_POLICY}, NOT_VALID),
    (
        "GetPolicyVersion",
        {"PolicyArn": OWN, "VersionId": "v9"},
        ("NoSuchEntity", 404, f"Policy {OWN} version v9 does not exist or is not attachable."),
    ),
    ("GetPolicyVersion", {"PolicyArn": NOT_A_POLICY, "VersionId": "v9"}, NOT_VALID),
    ("ListPolicyVersions", {"PolicyArn": NO_POLICY}, ("NoSuchEntity", 404, None)),
    ("ListPolicyVersions", {"PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("ListEntitiesForPolicy", {"PolicyArn": NO_POLICY}, NOT_THERE),
    ("ListEntitiesForPolicy", {"PolicyArn": NOT_A_POLICY}, NOT_VALID),
    (
        "SetDefaultPolicyVersion",
        {"PolicyArn": OWN, "VersionId": "v9"},
        ("NoSuchEntity", 404, f"Policy {OWN} version v9 does not exist or is not attachable."),
    ),
    ("SetDefaultPolicyVersion", {"PolicyArn": NOT_A_POLICY, "VersionId": "v1"}, NOT_VALID),
    ("TagPolicy", {"PolicyArn": NO_POLICY, "Tags": TAG}, NOT_FOUND),
    ("TagPolicy", {"PolicyArn": OWN, "Tags": TAG * 2}, ("InvalidInput", 400, "Duplicate tag keys found.")),
    ("TagPolicy", {"PolicyArn": OWN, "Tags": MORE_TAGS}, TAGS_FULL),
    ("UntagPolicy", {"PolicyArn": NO_POLICY, "TagKeys": ["a"]}, NOT_FOUND),
    ("UntagPolicy", {"PolicyArn": NOT_A_POLICY, "TagKeys": ["a"]}, NOT_VALID),
    ("ListPolicyTags", {"PolicyArn": NO_POLICY}, ("NoSuchEntity", 404, None)),
    ("ListPolicyTags", {"PolicyArn": NOT_A_POLICY}, NOT_VALID),
    (
        "ListPoliciesGrantingServiceAccess",
        {"Arn": "arn:aws:iam::{account}:user/missing", "ServiceNamespaces": ["s3"]},
        ("NoSuchEntity", 404, None),
    ),
    (
        "ListPoliciesGrantingServiceAccess",
        {"Arn": "arn:aws:s3:::not-somebody", "ServiceNamespaces": ["s3"]},
        ("InvalidInput", 400, None),
    ),
    (
        "SimulatePrincipalPolicy",
        {"PolicySourceArn": "arn:aws:iam::{account}:user/missing", "ActionNames": ["s3:GetObject"]},
        ("NoSuchEntity", 404, "Unable to retrieve specified IAM entity."),
    ),
    (
        "SimulatePrincipalPolicy",
        {"PolicySourceArn": "arn:aws:iam::999999999999:user/alice", "ActionNames": ["s3:GetObject"]},
        ("InvalidInput", 400, None),
    ),
    (
        "SimulatePrincipalPolicy",
        {"PolicySourceArn": "arn:aws:s3:::not-somebody", "ActionNames": ["s3:GetObject"]},
        ("InvalidInput", 400, None),
    ),
    (
        "SimulateCustomPolicy",
        {"PolicyInputList": [MALFORMED], "ActionNames": ["s3:GetObject"]},
        ("InvalidInput", 400, None),
    ),
    ("GetContextKeysForCustomPolicy", {"PolicyInputList": [MALFORMED]}, ("InvalidInput", 400, None)),
    (
        "GetContextKeysForPrincipalPolicy",
        {"PolicySourceArn": "arn:aws:iam::{account}:user/missing"},
        ("NoSuchEntity", 404, None),
    ),
    (
        "GetContextKeysForPrincipalPolicy",
        {"PolicySourceArn": "arn:aws:s3:::not-somebody"},
        ("InvalidInput", 400, None),
    ),
]

ROLES: Final[list[Case]] = [
    (
        "CreateRole",
        {"RoleName": "DEPLOY", "AssumeRolePolicyDocument": TRUST},
        ("EntityAlreadyExists", 409, "Role with name DEPLOY already exists."),
    ),
    (
        "CreateRole",
        {"RoleName": "x", "AssumeRolePolicyDocument": "no json"},
        ("MalformedPolicyDocument", 400, "This policy contains invalid Json"),
    ),
    (
        "CreateRole",
        {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": NOT_A_POLICY},
        NOT_VALID,
    ),
    (
        "CreateRole",
        {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": NO_POLICY},
        OUT_OF_SCOPE,
    ),
    (
        "CreateRole",
        {
            "RoleName": "x",
            "AssumeRolePolicyDocument": trusting(*["ec2.amazonaws.com", *["sts:AssumeRole"] * 200]),
        },
        ("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048"),
    ),
    ("GetRole", {"RoleName": "missing"}, NO_ROLE),
    ("UpdateRole", {"RoleName": "missing"}, NO_ROLE),
    ("UpdateRole", {"RoleName": LINKED, "MaxSessionDuration": 7200}, PROTECTED),
    ("UpdateRoleDescription", {"RoleName": "missing", "Description": ""}, NO_ROLE),
    ("UpdateAssumeRolePolicy", {"RoleName": "missing", "PolicyDocument": TRUST}, NO_ROLE),
    ("UpdateAssumeRolePolicy", {"RoleName": LINKED, "PolicyDocument": TRUST}, PROTECTED),
    (
        "UpdateAssumeRolePolicy",
        {"RoleName": "deploy", "PolicyDocument": "no json"},
        ("MalformedPolicyDocument", 400, "This policy contains invalid Json"),
    ),
    (
        "UpdateAssumeRolePolicy",
        {"RoleName": "deploy", "PolicyDocument": trusting(*["ec2.amazonaws.com", *["sts:AssumeRole"] * 200])},
        ("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048"),
    ),
    ("DeleteRole", {"RoleName": "missing"}, NO_ROLE),
    ("DeleteRole", {"RoleName": LINKED}, PROTECTED),
    (
        "DeleteRole",
        {"RoleName": "deploy"},
        ("DeleteConflict", 409, None),
    ),
    ("ListRoleTags", {"RoleName": "missing"}, NO_ROLE),
    ("TagRole", {"RoleName": "missing", "Tags": TAG}, NO_ROLE),
    ("TagRole", {"RoleName": "deploy", "Tags": MORE_TAGS}, TAGS_FULL),
    (
        "TagRole",
        {"RoleName": "deploy", "Tags": [{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}]},
        ("InvalidInput", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
    ),
    ("UntagRole", {"RoleName": "missing", "TagKeys": ["a"]}, NO_ROLE),
    ("PutRolePermissionsBoundary", {"RoleName": "missing", "PermissionsBoundary": READ_ONLY}, NO_ROLE),
    ("PutRolePermissionsBoundary", {"RoleName": LINKED, "PermissionsBoundary": READ_ONLY}, PROTECTED),
    ("PutRolePermissionsBoundary", {"RoleName": "deploy", "PermissionsBoundary": NOT_A_POLICY}, NOT_VALID),
    ("PutRolePermissionsBoundary", {"RoleName": "deploy", "PermissionsBoundary": NO_POLICY}, OUT_OF_SCOPE),
    (
        "PutRolePermissionsBoundary",
        {"RoleName": "deploy", "PermissionsBoundary": SERVICE_ROLE_POLICY},
        ("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Customer Role."),
    ),
    ("DeleteRolePermissionsBoundary", {"RoleName": "missing"}, NO_ROLE),
    ("DeleteRolePermissionsBoundary", {"RoleName": LINKED}, PROTECTED),
    ("AttachRolePolicy", {"RoleName": "missing", "PolicyArn": READ_ONLY}, NO_ROLE),
    ("AttachRolePolicy", {"RoleName": "deploy", "PolicyArn": NO_POLICY}, NOT_THERE),
    ("AttachRolePolicy", {"RoleName": "deploy", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("AttachRolePolicy", {"RoleName": "deploy", "PolicyArn": READ_ONLY}, quota("PoliciesPerRole", 10)),
    ("AttachRolePolicy", {"RoleName": LINKED, "PolicyArn": READ_ONLY}, PROTECTED),
    (
        "AttachRolePolicy",
        {"RoleName": "deploy", "PolicyArn": SERVICE_ROLE_POLICY},
        ("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Customer Role."),
    ),
    ("DetachRolePolicy", {"RoleName": "missing", "PolicyArn": READ_ONLY}, NO_ROLE),
    ("DetachRolePolicy", {"RoleName": "deploy", "PolicyArn": NO_POLICY}, NOT_FOUND),
    ("DetachRolePolicy", {"RoleName": "deploy", "PolicyArn": NOT_A_POLICY}, NOT_VALID),
    ("DetachRolePolicy", {"RoleName": LINKED, "PolicyArn": SERVICE_ROLE_POLICY}, PROTECTED),
    ("ListAttachedRolePolicies", {"RoleName": "missing"}, NO_ROLE),
    ("ListRolePolicies", {"RoleName": "missing"}, NO_ROLE),
    ("GetRolePolicy", {"RoleName": "missing", "PolicyName": "x"}, NO_ROLE),
    (
        "GetRolePolicy",
        {"RoleName": "deploy", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The role policy with name x cannot be found."),
    ),
    (
        "DeleteRolePolicy",
        {"RoleName": "deploy", "PolicyName": "x"},
        ("NoSuchEntity", 404, "The role policy with name x cannot be found."),
    ),
    ("DeleteRolePolicy", {"RoleName": LINKED, "PolicyName": "x"}, PROTECTED),
    (
        "PutRolePolicy",
        {"RoleName": "missing", "PolicyName": "x", "PolicyDocument": allowing("s3:*")},
        NO_ROLE,
    ),
    ("PutRolePolicy", {"RoleName": "deploy", "PolicyName": "x", "PolicyDocument": MALFORMED}, SYNTAX),
    ("PutRolePolicy", {"RoleName": LINKED, "PolicyName": "x", "PolicyDocument": allowing("s3:*")}, PROTECTED),
    (
        "PutRolePolicy",
        {"RoleName": "deploy", "PolicyName": "x", "PolicyDocument": LARGE},
        ("LimitExceeded", 409, "Maximum policy size of 10240 bytes exceeded for role deploy"),
    ),
    (
        "CreateServiceLinkedRole",
        {"AWSServiceName": "support.amazonaws.com"},
        (
            "InvalidInput",
            400,
            f"Service role name {LINKED} has been taken in this account, please try a different suffix.",
        ),
    ),
    ("DeleteServiceLinkedRole", {"RoleName": "missing"}, NO_ROLE),
    ("GetServiceLinkedRoleDeletionStatus", {"DeletionTaskId": "x"}, ("InvalidInput", 400, None)),
    (
        "GetServiceLinkedRoleDeletionStatus",
        {
            "DeletionTaskId": "task/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport/"
            "00000000-0000-4000-8000-000000000000"
        },
        ("NoSuchEntity", 404, None),
    ),
    (
        "CreateInstanceProfile",
        {"InstanceProfileName": "WEB"},
        ("EntityAlreadyExists", 409, "Instance Profile WEB already exists."),
    ),
    ("CreateInstanceProfile", {"InstanceProfileName": "x", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("GetInstanceProfile", {"InstanceProfileName": "missing"}, NO_PROFILE),
    ("DeleteInstanceProfile", {"InstanceProfileName": "missing"}, NO_PROFILE),
    (
        "DeleteInstanceProfile",
        {"InstanceProfileName": "web"},
        ("DeleteConflict", 409, "Cannot delete entity, must remove roles from instance profile first."),
    ),
    ("AddRoleToInstanceProfile", {"InstanceProfileName": "missing", "RoleName": "deploy"}, NO_PROFILE),
    ("AddRoleToInstanceProfile", {"InstanceProfileName": "web", "RoleName": "missing"}, NO_ROLE),
    ("AddRoleToInstanceProfile", {"InstanceProfileName": "empty", "RoleName": LINKED}, PROTECTED),
    (
        "AddRoleToInstanceProfile",
        {"InstanceProfileName": "web", "RoleName": "other"},
        quota("InstanceSessionsPerInstanceProfile", 1),
    ),
    ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "missing", "RoleName": "deploy"}, NO_PROFILE),
    ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "web", "RoleName": "missing"}, NO_ROLE),
    (
        "RemoveRoleFromInstanceProfile",
        {"InstanceProfileName": "empty", "RoleName": "deploy"},
        ("NoSuchEntity", 404, "Role deploy in Instance Profile empty cannot be found."),
    ),
    ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "empty", "RoleName": LINKED}, PROTECTED),
    ("ListInstanceProfilesForRole", {"RoleName": "missing"}, NO_ROLE),
    ("ListInstanceProfileTags", {"InstanceProfileName": "missing"}, NO_PROFILE),
    ("TagInstanceProfile", {"InstanceProfileName": "missing", "Tags": TAG}, NO_PROFILE),
    ("TagInstanceProfile", {"InstanceProfileName": "web", "Tags": MORE_TAGS}, TAGS_FULL),
    ("TagInstanceProfile", {"InstanceProfileName": "web", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("UntagInstanceProfile", {"InstanceProfileName": "missing", "TagKeys": ["a"]}, NO_PROFILE),
]

CREDENTIALS: Final[list[Case]] = [
    ("CreateAccessKey", {"UserName": "missing"}, NO_USER),
    ("CreateAccessKey", {"UserName": "full"}, quota("AccessKeysPerUser", 2)),
    ("ListAccessKeys", {"UserName": "missing"}, NO_USER),
    ("DeleteAccessKey", {"UserName": "missing", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, NO_USER),
    (
        "DeleteAccessKey",
        {"UserName": "alice", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        ("NoSuchEntity", 404, "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."),
    ),
    (
        "UpdateAccessKey",
        {"UserName": "alice", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active"},
        ("NoSuchEntity", 404, "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."),
    ),
    (
        "UpdateAccessKey",
        {"UserName": "full", "AccessKeyId": "{key}", "Status": "Expired"},
        ("InvalidInput", 400, None),
    ),
    ("CreateLoginProfile", {"UserName": "missing", "Password": "Long-Enough-1"}, NO_USER),
    (
        "CreateLoginProfile",
        {"UserName": "full", "Password": "Long-Enough-1"},
        ("EntityAlreadyExists", 409, "Login Profile for user full already exists."),
    ),
    (
        "CreateLoginProfile",
        {"UserName": "alice", "Password": "short"},
        ("PasswordPolicyViolation", 400, None),
    ),
    (
        "GetLoginProfile",
        {"UserName": "alice"},
        ("NoSuchEntity", 404, "Login Profile for User alice cannot be found."),
    ),
    ("GetLoginProfile", {"UserName": "missing"}, NO_USER),
    ("UpdateLoginProfile", {"UserName": "full", "Password": "short"}, ("PasswordPolicyViolation", 400, None)),
    ("UpdateLoginProfile", {"UserName": "missing", "Password": "Long-Enough-1"}, NO_USER),
    (
        "DeleteLoginProfile",
        {"UserName": "alice"},
        ("NoSuchEntity", 404, "Login Profile for User alice cannot be found."),
    ),
    ("DeleteLoginProfile", {"UserName": "missing"}, NO_USER),
    (
        "ChangePassword",
        {"OldPassword": "Long-Enough-1", "NewPassword": "Long-Enough-2"},
        ("InvalidUserType", 400, None),
    ),
    (
        "CreateVirtualMFADevice",
        {"VirtualMFADeviceName": "phone"},
        ("EntityAlreadyExists", 409, "MFA device already exists."),
    ),
    ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "x", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    (
        "DeleteVirtualMFADevice",
        {"SerialNumber": NO_PHONE},
        ("NoSuchEntity", 404, f"MFA Device with serial number {NO_PHONE} does not exist."),
    ),
    ("EnableMFADevice", {"UserName": "missing", "SerialNumber": PHONE, **CODES}, NO_USER),
    (
        "EnableMFADevice",
        {"UserName": "alice", "SerialNumber": PHONE, **CODES},
        ("InvalidAuthenticationCode", 403, None),
    ),
    ("DeactivateMFADevice", {"UserName": "missing", "SerialNumber": PHONE}, NO_USER),
    (
        "DeactivateMFADevice",
        {"UserName": "alice", "SerialNumber": NO_PHONE},
        ("NoSuchEntity", 404, f"MFA Device with serial number {NO_PHONE} does not exist."),
    ),
    ("ResyncMFADevice", {"UserName": "missing", "SerialNumber": PHONE, **CODES}, NO_USER),
    ("ListMFADevices", {"UserName": "missing"}, NO_USER),
    ("GetMFADevice", {"SerialNumber": NO_PHONE}, ("NoSuchEntity", 404, None)),
    ("ListMFADeviceTags", {"SerialNumber": NO_PHONE}, ("NoSuchEntity", 404, None)),
    ("TagMFADevice", {"SerialNumber": NO_PHONE, "Tags": TAG}, ("NoSuchEntity", 404, None)),
    ("TagMFADevice", {"SerialNumber": PHONE, "Tags": MORE_TAGS}, TAGS_FULL),
    ("TagMFADevice", {"SerialNumber": PHONE, "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("UntagMFADevice", {"SerialNumber": NO_PHONE, "TagKeys": ["a"]}, ("NoSuchEntity", 404, None)),
    (
        "CreateAccountAlias",
        {"AccountAlias": "example"},
        (
            "EntityAlreadyExists",
            409,
            "The account alias example already exists.",
        ),
    ),
    ("DeleteAccountAlias", {"AccountAlias": "missing"}, ("NoSuchEntity", 404, None)),
    (
        "GetAccountPasswordPolicy",
        {},
        ("NoSuchEntity", 404, "The Password Policy with domain name {account} cannot be found."),
    ),
    (
        "DeleteAccountPasswordPolicy",
        {},
        ("NoSuchEntity", 404, "The Password Policy with domain name {account} cannot be found."),
    ),
]

PROVIDERS: Final[list[Case]] = [
    (
        "CreateOpenIDConnectProvider",
        {"Url": "https://idp.example.com", "ThumbprintList": ["a" * 40]},
        ("EntityAlreadyExists", 409, "Provider with url https://idp.example.com already exists."),
    ),
    (
        "CreateOpenIDConnectProvider",
        {"Url": "https://x.example.com", "ThumbprintList": ["a" * 40] * 6},
        ("InvalidInput", 400, "Thumbprint list must contain fewer than 5 entries."),
    ),
    (
        "CreateOpenIDConnectProvider",
        {
            "Url": "https://x.example.com",
            "ThumbprintList": ["a" * 40],
            "ClientIDList": [f"c{number}" for number in range(101)],
        },
        quota("ClientIdsPerOpenIdConnectProvider", 100),
    ),
    (
        "GetOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC},
        ("NoSuchEntity", 404, f"OpenIDConnect Provider not found for arn {NO_OIDC}"),
    ),
    ("GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": NOT_A_POLICY}, ("InvalidInput", 400, None)),
    (
        "DeleteOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC},
        ("NoSuchEntity", 404, f"OpenId connect Provider {NO_OIDC} cannot be found."),
    ),
    ("DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": NOT_A_POLICY}, ("InvalidInput", 400, None)),
    (
        "AddClientIDToOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC, "ClientID": "x"},
        ("NoSuchEntity", 404, None),
    ),
    (
        "AddClientIDToOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NOT_A_POLICY, "ClientID": "x"},
        ("InvalidInput", 400, None),
    ),
    (
        "AddClientIDToOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": OIDC, "ClientID": "x"},
        quota("ClientIdsPerOpenIdConnectProvider", 100),
    ),
    (
        "RemoveClientIDFromOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC, "ClientID": "x"},
        ("NoSuchEntity", 404, None),
    ),
    (
        "RemoveClientIDFromOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NOT_A_POLICY, "ClientID": "x"},
        ("InvalidInput", 400, None),
    ),
    (
        "UpdateOpenIDConnectProviderThumbprint",
        {"OpenIDConnectProviderArn": NO_OIDC, "ThumbprintList": ["a" * 40]},
        ("NoSuchEntity", 404, None),
    ),
    (
        "UpdateOpenIDConnectProviderThumbprint",
        {"OpenIDConnectProviderArn": NOT_A_POLICY, "ThumbprintList": ["a" * 40]},
        ("InvalidInput", 400, None),
    ),
    ("ListOpenIDConnectProviderTags", {"OpenIDConnectProviderArn": NO_OIDC}, ("NoSuchEntity", 404, None)),
    (
        "ListOpenIDConnectProviderTags",
        {"OpenIDConnectProviderArn": NOT_A_POLICY},
        ("InvalidInput", 400, None),
    ),
    (
        "TagOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC, "Tags": TAG},
        ("NoSuchEntity", 404, None),
    ),
    ("TagOpenIDConnectProvider", {"OpenIDConnectProviderArn": OIDC, "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("TagOpenIDConnectProvider", {"OpenIDConnectProviderArn": OIDC, "Tags": MORE_TAGS}, TAGS_FULL),
    (
        "UntagOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NO_OIDC, "TagKeys": ["a"]},
        ("NoSuchEntity", 404, None),
    ),
    (
        "UntagOpenIDConnectProvider",
        {"OpenIDConnectProviderArn": NOT_A_POLICY, "TagKeys": ["a"]},
        ("InvalidInput", 400, None),
    ),
    (
        "CreateSAMLProvider",
        {"Name": "corp", "SAMLMetadataDocument": metadata()},
        ("EntityAlreadyExists", 409, None),
    ),
    ("CreateSAMLProvider", {"Name": "x", "SAMLMetadataDocument": "x" * 1000}, ("InvalidInput", 400, None)),
    (
        "GetSAMLProvider",
        {"SAMLProviderArn": NO_SAML},
        ("NoSuchEntity", 404, f"Manifest not found for arn {NO_SAML}"),
    ),
    ("GetSAMLProvider", {"SAMLProviderArn": NOT_A_POLICY}, ("InvalidInput", 400, None)),
    (
        "DeleteSAMLProvider",
        {"SAMLProviderArn": NO_SAML},
        ("NoSuchEntity", 404, f"Manifest not found for arn {NO_SAML}"),
    ),
    ("DeleteSAMLProvider", {"SAMLProviderArn": NOT_A_POLICY}, ("InvalidInput", 400, None)),
    (
        "UpdateSAMLProvider",
        {"SAMLProviderArn": NO_SAML, "SAMLMetadataDocument": metadata()},
        ("NoSuchEntity", 404, None),
    ),
    (
        "UpdateSAMLProvider",
        {"SAMLProviderArn": SAML, "SAMLMetadataDocument": "x" * 1000},
        ("InvalidInput", 400, None),
    ),
    ("ListSAMLProviderTags", {"SAMLProviderArn": NO_SAML}, ("NoSuchEntity", 404, None)),
    ("ListSAMLProviderTags", {"SAMLProviderArn": NOT_A_POLICY}, ("InvalidInput", 400, None)),
    ("TagSAMLProvider", {"SAMLProviderArn": NO_SAML, "Tags": TAG}, ("NoSuchEntity", 404, None)),
    ("TagSAMLProvider", {"SAMLProviderArn": SAML, "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("TagSAMLProvider", {"SAMLProviderArn": SAML, "Tags": MORE_TAGS}, TAGS_FULL),
    ("UntagSAMLProvider", {"SAMLProviderArn": NO_SAML, "TagKeys": ["a"]}, ("NoSuchEntity", 404, None)),
    ("UntagSAMLProvider", {"SAMLProviderArn": NOT_A_POLICY, "TagKeys": ["a"]}, ("InvalidInput", 400, None)),
]

CERTIFICATE: Final = {"CertificateBody": server().pem, "PrivateKey": server().key_pem}
NO_CERTIFICATE: Final = ("NoSuchEntity", 404, "The Server Certificate with name missing cannot be found.")
TAKEN_CERTIFICATE: Final = (
    "EntityAlreadyExists",
    409,
    "The Server Certificate with name WEB already exists.",
)
CERTIFICATES: Final[list[Case]] = [
    ("UploadServerCertificate", {"ServerCertificateName": "WEB", **CERTIFICATE}, TAKEN_CERTIFICATE),
    (
        "UploadServerCertificate",
        {"ServerCertificateName": "x", **CERTIFICATE, "CertificateBody": "none"},
        (
            "MalformedCertificate",
            400,
            "Unable to parse certificate. Please ensure the certificate is in PEM format.",
        ),
    ),
    (
        "UploadServerCertificate",
        {"ServerCertificateName": "x", **CERTIFICATE, "PrivateKey": root().key_pem},
        ("KeyPairMismatch", 400, "The public key certificate and the private key do not match."),
    ),
    (
        "UploadServerCertificate",
        {"ServerCertificateName": "x", **CERTIFICATE, "Tags": SYSTEM_TAG},
        TAG_RESERVED,
    ),
    ("GetServerCertificate", {"ServerCertificateName": "missing"}, NO_CERTIFICATE),
    ("UpdateServerCertificate", {"ServerCertificateName": "missing", "NewPath": "/x/"}, NO_CERTIFICATE),
    (
        "UpdateServerCertificate",
        {"ServerCertificateName": "other", "NewServerCertificateName": "WEB"},
        TAKEN_CERTIFICATE,
    ),
    ("DeleteServerCertificate", {"ServerCertificateName": "missing"}, NO_CERTIFICATE),
    ("ListServerCertificateTags", {"ServerCertificateName": "missing"}, NO_CERTIFICATE),
    ("TagServerCertificate", {"ServerCertificateName": "missing", "Tags": TAG}, NO_CERTIFICATE),
    ("TagServerCertificate", {"ServerCertificateName": "web", "Tags": MORE_TAGS}, TAGS_FULL),
    ("TagServerCertificate", {"ServerCertificateName": "web", "Tags": SYSTEM_TAG}, TAG_RESERVED),
    ("UntagServerCertificate", {"ServerCertificateName": "missing", "TagKeys": ["a"]}, NO_CERTIFICATE),
    *(
        (
            operation,
            {},
            ("FeatureDisabled", 404, "Outbound web identity federation is disabled for your account."),
        )
        for operation in ("GetOutboundWebIdentityFederationInfo", "DisableOutboundWebIdentityFederation")
    ),
    *(
        (
            operation,
            {},
            ("OrganizationNotFoundException", 400, "No organization is associated with your account."),
        )
        for operation in (
            "ListOrganizationsFeatures",
            "EnableOrganizationsRootCredentialsManagement",
            "DisableOrganizationsRootCredentialsManagement",
            "EnableOrganizationsRootSessions",
            "DisableOrganizationsRootSessions",
        )
    ),
]

READS: Final[list[Case]] = [
    ("GetCredentialReport", {}, ("ReportNotPresent", 410, None)),
    (
        "GenerateServiceLastAccessedDetails",
        {"Arn": "arn:aws:iam::{account}:user/missing"},
        ("NoSuchEntity", 404, None),
    ),
    ("GenerateServiceLastAccessedDetails", {"Arn": "arn:aws:s3:::not-somebody"}, ("InvalidInput", 400, None)),
    (
        "GetServiceLastAccessedDetails",
        {"JobId": "00000000-0000-4000-8000-000000000000"},
        ("NoSuchEntity", 404, None),
    ),
    (
        "GetServiceLastAccessedDetailsWithEntities",
        {"JobId": "00000000-0000-4000-8000-000000000000", "ServiceNamespace": "iam"},
        ("NoSuchEntity", 404, None),
    ),
    ("ListUsers", {"Marker": "invalid"}, ("ValidationError", 400, "Invalid Marker.")),
]

STS: Final[list[Case]] = [
    (
        "sts:AssumeRole",
        {"RoleArn": "nothing-valid-in-here", "RoleSessionName": "session"},
        ("ValidationError", 400, "nothing-valid-in-here is invalid"),
    ),
    (
        "sts:DecodeAuthorizationMessage",
        {"EncodedMessage": "x"},
        ("InvalidAuthorizationMessageException", 400, None),
    ),
    (
        "sts:AssumeRoleWithWebIdentity",
        {
            "RoleArn": "arn:aws:iam::{account}:role/deploy",
            "RoleSessionName": "ann",
            "WebIdentityToken": "no-token",
        },
        ("InvalidIdentityToken", 400, None),
    ),
    (
        "sts:AssumeRoleWithSAML",
        {"RoleArn": "arn:aws:iam::{account}:role/deploy", "PrincipalArn": SAML, "SAMLAssertion": "bm9uZQ=="},
        ("InvalidIdentityToken", 400, None),
    ),
    (
        "sts:AssumeRoleWithWebIdentity",
        {
            "RoleArn": "arn:aws:iam::{account}:role/deploy",
            "RoleSessionName": "a b",
            "WebIdentityToken": "x.y",
        },
        (
            "ValidationError",
            400,
            "2 validation errors detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [\\w+=,.@-]*; Value at 'webIdentityToken' failed to satisfy "
            "constraint: Member must have length greater than or equal to 4",
        ),
    ),
]

NO_ROLES: Final = [
    OIDC,
    SAML,
    "arn:aws:iam::{account}:role:deploy",
    "arn:aws:iam::account:role/deploy",
    "arn:aws:acm:us-east-1:{account}:certificate/x",
]

TRAIL: Final = "arn:aws:cloudtrail:us-east-1:{account}:trail/other"
CLOUDTRAIL: Final[list[Case]] = [
    ("cloudtrail:DescribeTrails", {"trailNameList": ["-"]}, ("InvalidTrailNameException", 400, None)),
    ("cloudtrail:DescribeTrails", {"trailNameList": ["arn:x"]}, ("CloudTrailARNInvalidException", 400, None)),
    (
        "cloudtrail:GetTrail",
        {"Name": "other"},
        ("TrailNotFoundException", 400, f"Unknown trail: {TRAIL} for the user: {{account}}"),
    ),
    ("cloudtrail:GetTrail", {"Name": "-"}, ("InvalidTrailNameException", 400, None)),
    ("cloudtrail:GetTrail", {"Name": "arn:x"}, ("CloudTrailARNInvalidException", 400, None)),
    (
        "cloudtrail:GetTrailStatus",
        {"Name": "other"},
        ("TrailNotFoundException", 400, f"Unknown trail: {TRAIL} for the user: {{account}}"),
    ),
    ("cloudtrail:GetTrailStatus", {"Name": "-"}, ("InvalidTrailNameException", 400, None)),
    ("cloudtrail:GetTrailStatus", {"Name": "arn:x"}, ("CloudTrailARNInvalidException", 400, None)),
    ("cloudtrail:ListPublicKeys", {"StartTime": 2, "EndTime": 1}, ("InvalidTimeRangeException", 400, None)),
    ("cloudtrail:LookupEvents", {"StartTime": 2, "EndTime": 1}, ("InvalidTimeRangeException", 400, None)),
    ("cloudtrail:LookupEvents", {"NextToken": "x"}, ("InvalidNextTokenException", 400, None)),
    (
        "cloudtrail:LookupEvents",
        {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "blue"}]},
        ("ValidationException", 400, None),
    ),
    (
        "cloudtrail:LookupEvents",
        {"MaxResults": 51},
        (
            "ValidationException",
            400,
            "1 validation error detected: Value '51' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50",
        ),
    ),
]

CASES: Final = [
    *USERS,
    *GROUPS,
    *POLICIES,
    *ROLES,
    *CREDENTIALS,
    *PROVIDERS,
    *CERTIFICATES,
    *READS,
    *STS,
    *CLOUDTRAIL,
]


@pytest.fixture(scope="module")
def furnished(server: LivingServer) -> Iterator[Watched]:
    """An account with one of everything, and some that are full."""
    aws = Watched(server.new_account())
    iam = aws.iam
    iam.create_account_alias(AccountAlias="example")
    for name in ("alice", "full"):
        iam.create_user(UserName=name)
    iam.create_group(GroupName="admins")
    iam.create_policy(PolicyName="own", PolicyDocument=allowing("s3:*"), Tags=ALL_TAGS)
    for _ in range(4):
        iam.create_policy_version(PolicyArn=aws.arn("policy/own"), PolicyDocument=allowing("s3:*"))
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=TRUST, Tags=ALL_TAGS)
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST)
    iam.create_service_linked_role(AWSServiceName="support.amazonaws.com")
    iam.create_instance_profile(InstanceProfileName="web", Tags=ALL_TAGS)
    iam.create_instance_profile(InstanceProfileName="empty")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="deploy")
    for number in range(10):
        iam.create_group(GroupName=f"group-{number}")
        iam.add_user_to_group(GroupName=f"group-{number}", UserName="full")
        iam.create_policy(PolicyName=f"policy-{number}", PolicyDocument=allowing("s3:*"))
        arn = aws.arn(f"policy/policy-{number}")
        iam.attach_user_policy(UserName="full", PolicyArn=arn)
        iam.attach_group_policy(GroupName="group-0", PolicyArn=arn)
        iam.attach_role_policy(RoleName="deploy", PolicyArn=arn)
    iam.tag_user(UserName="full", Tags=ALL_TAGS)
    for _ in range(2):
        iam.create_access_key(UserName="full")
    iam.create_login_profile(UserName="full", Password="Long-Enough-0")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Tags=ALL_TAGS)
    iam.create_open_id_connect_provider(
        Url="https://idp.example.com",
        ThumbprintList=["a" * 40],
        ClientIDList=[f"client-{number}" for number in range(100)],
        Tags=ALL_TAGS,
    )
    iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata(), Tags=ALL_TAGS)
    for name, tags in (("web", ALL_TAGS), ("other", [])):
        iam.upload_server_certificate(ServerCertificateName=name, **CERTIFICATE, Tags=tags)
    yield aws
    aws.settle()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2][0]}")
def test_it_is_refused_in_aws_words_and_changes_nothing(furnished: Watched, case: Case) -> None:
    action, parameters, (code, status, message) = case
    service, _, operation = action.rpartition(":")
    key = furnished.iam.list_access_keys(UserName="full")["AccessKeyMetadata"][0]["AccessKeyId"]
    text = json.dumps(parameters).replace("{account}", furnished.id).replace("{key}", key)
    client = furnished.client(service or "iam", parameter_validation=False)
    before = furnished.state
    with furnished.refused(
        code, status, None if message is None else message.replace("{account}", furnished.id)
    ):
        getattr(client, xform_name(operation))(**json.loads(text))
    assert furnished.state == before


@pytest.mark.parametrize("arn", NO_ROLES)
def test_nobody_is_vouched_for_to_something_that_is_no_role(furnished: Watched, arn: str) -> None:
    """Nothing tells in whose log such a call would stand, so it is in none."""
    sts, role_arn = furnished.account.client("sts"), arn.replace("{account}", furnished.id)
    with furnished.refused("ValidationError", 400, "Request ARN is invalid"):
        sts.assume_role_with_web_identity(RoleArn=role_arn, RoleSessionName="ann", WebIdentityToken="a.b.c")
    with furnished.refused("ValidationError", 400, "Request ARN is invalid"):
        sts.assume_role_with_saml(
            RoleArn=role_arn, PrincipalArn=furnished.arn("saml-provider/corp"), SAMLAssertion="bm9uZQ=="
        )
