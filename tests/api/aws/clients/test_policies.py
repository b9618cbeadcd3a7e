"""Managed policies, their versions, who has them, and what they would allow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from api.aws.answers import as_written
from tests.api.aws.clients.documents import READ_ONLY, allowing, trusting
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


LAID_OUT = """{
  "Statement": [
    {"Sid": "s", "Resource": "arn:aws:s3:::b\u00fccher/*", "Action": "s3:*", "Effect": "Allow"}
  ],
\t"Version":   "2012-10-17"
}
"""


def test_a_permissions_policy_comes_back_as_it_was_laid_out(aws: Watched) -> None:
    iam = aws.iam
    raw: list[str] = []
    iam.meta.events.register("after-call.iam", lambda http_response, **_: raw.append(http_response.text))

    def text_of(get: Callable[..., Any], **named: str) -> str:
        get(**named)
        found = re.search(r"<\w*Document>(.*?)</", raw[-1])
        assert found is not None
        return unquote(found[1])

    arn = iam.create_policy(PolicyName="own", PolicyDocument=LAID_OUT)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=f"{LAID_OUT}\n")
    assert text_of(iam.get_policy_version, PolicyArn=arn, VersionId="v1") == LAID_OUT
    assert text_of(iam.get_policy_version, PolicyArn=arn, VersionId="v2") == f"{LAID_OUT}\n"
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=LAID_OUT)
    assert text_of(iam.get_user_policy, UserName="alice", PolicyName="p") == LAID_OUT
    iam.create_group(GroupName="devs")
    iam.put_group_policy(GroupName="devs", PolicyName="p", PolicyDocument=LAID_OUT)
    assert text_of(iam.get_group_policy, GroupName="devs", PolicyName="p") == LAID_OUT
    trust = json.dumps(json.loads(trusting("ec2.amazonaws.com")), indent=2)
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="deploy", PolicyName="p", PolicyDocument=LAID_OUT)
    assert text_of(iam.get_role_policy, RoleName="deploy", PolicyName="p") == LAID_OUT
    assert re.search(r"\s", text_of(iam.get_role, RoleName="deploy")) is None


def test_words_are_taken_from_no_entry_that_says_something_else(aws: Watched) -> None:
    aws.iam.create_user(UserName="alice")
    silent = aws.state.user_named("alice")
    aws.iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allowing("s3:*"))
    spoke = aws.state.user_named("alice")
    assert silent is not None and silent.created_by is not None and spoke is not None
    output = {"PolicyDocument": quote(allowing("sqs:*"), safe="")}
    for position in (silent.created_by, spoke.inline["p"].made_by, 1_000_000):
        assert position is not None
        assert as_written(aws.account.server.investigation, aws.id, position, output) == output


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
