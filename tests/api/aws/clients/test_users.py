"""Users, their tags, boundaries, policies, passwords and keys, as boto3 asks for them."""

from __future__ import annotations

import json

from tests.api.aws.clients.documents import READ_ONLY, allowing
from tests.api.aws.clients.watching import Watched


def test_a_user_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_user(UserName="alice", Path="/team/", Tags=[{"Key": "Team", "Value": "red"}])["User"]
    assert (made["Arn"], made["Tags"]) == (aws.arn("user/team/alice"), [{"Key": "Team", "Value": "red"}])
    assert made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="ALICE")["User"] == made
    iam.update_user(UserName="alice", NewUserName="Bob", NewPath="/")
    assert iam.list_users()["Users"] == [
        {
            "Path": "/",
            "UserName": "Bob",
            "UserId": made["UserId"],
            "Arn": aws.arn("user/Bob"),
            "CreateDate": made["CreateDate"],
        }
    ]
    assert iam.list_users(PathPrefix="/team/")["Users"] == []
    iam.delete_user(UserName="Bob")
    with aws.refused("NoSuchEntity", 404, "The user with name Bob cannot be found."):
        iam.get_user(UserName="Bob")


def test_tags_and_boundary_of_a_user(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    assert "Tags" not in iam.get_user(UserName="alice")["User"]
    iam.tag_user(UserName="alice", Tags=[{"Key": "b", "Value": "1"}, {"Key": "a", "Value": ""}])
    iam.tag_user(UserName="alice", Tags=[{"Key": "B", "Value": "2"}])
    told = iam.list_user_tags(UserName="alice")
    assert {tag["Key"].lower(): tag["Value"] for tag in told["Tags"]} == {"a": "", "b": "2"}
    assert told["IsTruncated"] is False
    iam.untag_user(UserName="alice", TagKeys=["b", "unknown"])
    assert iam.list_user_tags(UserName="alice")["Tags"] == [{"Key": "a", "Value": ""}]
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=READ_ONLY)
    assert iam.get_user(UserName="alice")["User"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": READ_ONLY,
    }
    iam.delete_user_permissions_boundary(UserName="alice")
    assert "PermissionsBoundary" not in iam.get_user(UserName="alice")["User"]


def test_policies_of_a_user(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    iam.attach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    attached = iam.list_attached_user_policies(UserName="alice")
    assert attached["AttachedPolicies"] == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("s3:GetObject"))
    told = iam.get_user_policy(UserName="alice", PolicyName="own")
    assert told["PolicyDocument"] == json.loads(allowing("s3:GetObject"))
    assert iam.list_user_policies(UserName="alice")["PolicyNames"] == ["own"]
    with aws.refused("DeleteConflict", 409):
        iam.delete_user(UserName="alice")
    iam.delete_user_policy(UserName="alice", PolicyName="own")
    iam.detach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    iam.delete_user(UserName="alice")


def test_passwords(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    made = iam.create_login_profile(
        UserName="alice", Password="Tr0ub4dor&3-canary", PasswordResetRequired=True
    )
    assert made["LoginProfile"]["PasswordResetRequired"] is True
    iam.update_login_profile(UserName="alice", Password="Tr0ub4dor&4-canary", PasswordResetRequired=False)
    shown = iam.get_login_profile(UserName="alice")["LoginProfile"]
    assert (shown["UserName"], shown["PasswordResetRequired"]) == ("alice", False)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("iam:ChangePassword"))
    alice = aws.client("iam", key)
    with aws.refused("AccessDenied", 403):
        alice.change_password(OldPassword="not it at all", NewPassword="Tr0ub4dor&5-canary")
    alice.change_password(OldPassword="Tr0ub4dor&4-canary", NewPassword="Tr0ub4dor&5-canary")
    iam.delete_login_profile(UserName="alice")
    with aws.refused("NoSuchEntity", 404, "Login Profile for User alice cannot be found."):
        iam.get_login_profile(UserName="alice")


def test_access_keys(aws: Watched) -> None:
    iam, sts = aws.iam, aws.client("sts")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    assert (key["UserName"], key["Status"]) == ("alice", "Active")
    assert key["AccessKeyId"].startswith("AKIA")
    assert len(key["SecretAccessKey"]) == 40
    assert aws.client("sts", key).get_caller_identity()["Arn"] == aws.arn("user/alice")
    assert sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == aws.id
    assert iam.list_access_keys(UserName="alice")["AccessKeyMetadata"] == [
        {
            "UserName": "alice",
            "AccessKeyId": key["AccessKeyId"],
            "Status": "Active",
            "CreateDate": key["CreateDate"],
        }
    ]
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("alice", "sts")
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    assert iam.list_access_keys(UserName="alice")["AccessKeyMetadata"] == []


def test_a_key_that_does_not_work_is_nobodys_call(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    before = len(aws.account.records())
    for credentials in (key, {**key, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}):
        strangers = aws.account.client("sts", credentials)
        with aws.refused(
            "InvalidClientTokenId", 403, "The security token included in the request is invalid."
        ):
            strangers.get_caller_identity()
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Active")
    with aws.refused("SignatureDoesNotMatch", 403):
        aws.account.client("sts", {**key, "SecretAccessKey": "x" * 40}).get_caller_identity()
    assert len(aws.account.records()) == before + 1
