"""Roles, their policies, instance profiles, and the roles of services."""

from __future__ import annotations

import json

from tests.api.aws.clients.documents import READ_ONLY, allowing, trusting
from tests.api.aws.clients.watching import Watched


def test_a_role_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    trust = trusting("ec2.amazonaws.com")
    made = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust, Path="/ci/")["Role"]
    assert (made["Arn"], made["AssumeRolePolicyDocument"]) == (aws.arn("role/ci/deploy"), json.loads(trust))
    told = iam.get_role(RoleName="deploy")["Role"]
    assert (told["MaxSessionDuration"], told["RoleLastUsed"]) == (3600, {})
    iam.update_role(RoleName="deploy", Description="ours", MaxSessionDuration=7200)
    assert iam.update_role_description(RoleName="deploy", Description="theirs")["Role"]["Description"] == (
        "theirs"
    )
    other = trusting("lambda.amazonaws.com")
    iam.update_assume_role_policy(RoleName="deploy", PolicyDocument=other)
    (listed,) = iam.list_roles(PathPrefix="/ci/")["Roles"]
    assert (listed["AssumeRolePolicyDocument"], listed["MaxSessionDuration"]) == (json.loads(other), 7200)
    assert "RoleLastUsed" not in listed
    iam.delete_role(RoleName="deploy")
    assert iam.list_roles()["Roles"] == []


def test_tags_and_boundary_of_a_role(aws: Watched) -> None:
    iam = aws.iam
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
    iam.tag_role(RoleName="deploy", Tags=[{"Key": "a", "Value": "1"}])
    iam.untag_role(RoleName="deploy", TagKeys=["A"])
    assert iam.list_role_tags(RoleName="deploy")["Tags"] == []
    iam.put_role_permissions_boundary(RoleName="deploy", PermissionsBoundary=READ_ONLY)
    shown = iam.get_role(RoleName="deploy")["Role"]
    assert shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    iam.delete_role_permissions_boundary(RoleName="deploy")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="deploy")["Role"]


def test_policies_of_a_role(aws: Watched) -> None:
    iam = aws.iam
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
    iam.attach_role_policy(RoleName="deploy", PolicyArn=READ_ONLY)
    attached = iam.list_attached_role_policies(RoleName="deploy")["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    iam.put_role_policy(RoleName="deploy", PolicyName="own", PolicyDocument=allowing("s3:*"))
    told = iam.get_role_policy(RoleName="deploy", PolicyName="own")
    assert told["PolicyDocument"] == json.loads(allowing("s3:*"))
    assert iam.list_role_policies(RoleName="deploy")["PolicyNames"] == ["own"]
    with aws.refused("DeleteConflict", 409):
        iam.delete_role(RoleName="deploy")
    iam.delete_role_policy(RoleName="deploy", PolicyName="own")
    iam.detach_role_policy(RoleName="deploy", PolicyArn=READ_ONLY)
    iam.delete_role(RoleName="deploy")


def test_instance_profiles(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_instance_profile(InstanceProfileName="web", Path="/ci/")["InstanceProfile"]
    assert (made["Arn"], made["Roles"]) == (aws.arn("instance-profile/ci/web"), [])
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="deploy")
    (role,) = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Roles"]
    assert role["RoleName"] == "deploy"
    (listed,) = iam.list_instance_profiles_for_role(RoleName="deploy")["InstanceProfiles"]
    assert listed == iam.list_instance_profiles()["InstanceProfiles"][0]
    message = "Cannot delete entity, must remove roles from instance profile first."
    with aws.refused("DeleteConflict", 409, message):
        iam.delete_instance_profile(InstanceProfileName="web")
    iam.tag_instance_profile(InstanceProfileName="web", Tags=[{"Key": "a", "Value": "1"}])
    assert iam.list_instance_profile_tags(InstanceProfileName="web")["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.untag_instance_profile(InstanceProfileName="web", TagKeys=["a"])
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="deploy")
    iam.delete_instance_profile(InstanceProfileName="web")


def test_a_services_own_role(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_service_linked_role(AWSServiceName="elasticbeanstalk.amazonaws.com")["Role"]
    assert made["Path"] == "/aws-service-role/elasticbeanstalk.amazonaws.com/"
    message = (
        f"Cannot perform the operation on the protected role '{made['RoleName']}' "
        "- this role is only modifiable by AWS"
    )
    with aws.refused("UnmodifiableEntity", 400, message):
        iam.delete_role(RoleName=made["RoleName"])
    task = iam.delete_service_linked_role(RoleName=made["RoleName"])["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with aws.refused("NoSuchEntity", 404):
        iam.get_role(RoleName=made["RoleName"])
