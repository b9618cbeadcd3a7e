"""Managed policies, their versions, who has them, and what they would allow."""

from __future__ import annotations

import json

from tests.api.aws.clients.documents import READ_ONLY, allowing
from tests.api.aws.clients.watching import Watched


def test_a_policy_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_policy(
        PolicyName="own",
        Path="/team/",
        Description="ours",
        PolicyDocument=allowing("s3:GetObject"),
        Tags=[{"Key": "a", "Value": "1"}],
    )["Policy"]
    arn = made["Arn"]
    assert (arn, made["DefaultVersionId"]) == (aws.arn("policy/team/own"), "v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "ours"
    local = iam.list_policies(Scope="Local")["Policies"]
    assert [policy["Arn"] for policy in local] == [arn]
    assert "Tags" not in local[0]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "A", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "A", "Value": "2"}]
    iam.delete_policy(PolicyArn=arn)
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_versions(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_policy(PolicyName="own", PolicyDocument=allowing("s3:GetObject"))["Policy"]["Arn"]
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("s3:*"))["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    told = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert (told["Document"], told["IsDefaultVersion"]) == (json.loads(allowing("s3:*")), True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(it["VersionId"], it["IsDefaultVersion"]) for it in versions] == [("v2", True), ("v1", False)]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    third = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("s3:*"), SetAsDefault=True)
    assert third["PolicyVersion"]["VersionId"] == "v3"


def test_who_has_a_policy(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_policy(PolicyName="own", PolicyDocument=allowing("iam:ListUsers"))["Policy"]["Arn"]
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    iam.put_user_policy(UserName="alice", PolicyName="inline", PolicyDocument=allowing("s3:GetObject"))
    (user,) = iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]
    assert user["UserName"] == "alice"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    (granted,) = iam.list_policies_granting_service_access(
        Arn=aws.arn("user/alice"), ServiceNamespaces=["iam"]
    )["PoliciesGrantingServiceAccess"]
    assert [it["PolicyName"] for it in granted["Policies"]] == ["own"]
    with aws.refused("DeleteConflict", 409, "Cannot delete a policy attached to entities."):
        iam.delete_policy(PolicyArn=arn)


def test_what_a_policy_would_allow(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    asked = ["iam:ListUsers", "iam:CreateUser"]
    (may, may_not) = iam.simulate_principal_policy(PolicySourceArn=aws.arn("user/alice"), ActionNames=asked)[
        "EvaluationResults"
    ]
    assert (may["EvalDecision"], may_not["EvalDecision"]) == ("allowed", "implicitDeny")
    (custom,) = iam.simulate_custom_policy(PolicyInputList=[allowing("s3:*")], ActionNames=["s3:GetObject"])[
        "EvaluationResults"
    ]
    assert custom["EvalDecision"] == "allowed"
    mine = allowing("s3:*", resource="arn:aws:s3:::home/${aws:username}")
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[mine])["ContextKeyNames"] == [
        "aws:username"
    ]
    iam.put_user_policy(UserName="alice", PolicyName="mine", PolicyDocument=mine)
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=aws.arn("user/alice"))
    assert "aws:username" in keys["ContextKeyNames"]
