"""Simulation and context keys: what is answered and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.account.entities import Kind
from ledger.authorization import authorize
from ledger.iam.refusals import InvalidInput, NoSuchEntity
from ledger.policy.places import Place, Span, statement_spans
from ledger.policy.request import caller_of
from tests.ledger.asking import Asked, refused
from tests.ledger.told import (
    ACCOUNT,
    ALLOW_TEXT,
    DENY_TEXT,
    NOON,
    OWN,
    READ_ONLY,
    call,
    create_group,
    create_policy,
    create_role,
    create_user,
)

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
THEIRS = "arn:aws:iam::444455556666:root"
BUCKET = "arn:aws:s3:::a-bucket"
# The example of simulate-custom-policy in the AWS CLI's reference.
SINCE = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
# The example of get-context-keys-for-custom-policy.
KEYS = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*",'
    '"Resource":"arn:aws:dynamodb:us-west-2:123456789012:table/${aws:username}",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}'
)


def policy(*statements: dict[str, Any]) -> str:
    told = [{"Effect": "Allow", "Action": "*", "Resource": "*"} | it for it in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": told})


def context(key: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": kind}


def custom(*policies: str, action: str = "s3:GetObject", **more: Any) -> dict[str, Any]:
    answer = Asked()("SimulateCustomPolicy", PolicyInputList=list(policies), ActionNames=[action], **more)
    (result,) = answer["EvaluationResults"]
    return result


def inline(name: str, document: str, noun: str = "User", whose: str = "alice") -> dict[str, Any]:
    request = {f"{noun.lower()}Name": whose, "policyName": name, "policyDocument": document}
    return call(f"Put{noun}Policy", request)


# ---- where statements stand


def test_a_statement_stands_where_aws_says_that_it_stands() -> None:
    assert statement_spans(SINCE) == (Span(Place(1, 38), Place(1, 167)),)


def test_each_statement_of_a_list_has_its_place_whatever_stands_within() -> None:
    text = '{\n "Id":"Statement: [{",\n "Statement":[{"Condition":{"Bool":{}}},\n  {}\n ]}'
    assert statement_spans(text) == (Span(Place(3, 16), Place(3, 40)), Span(Place(4, 4), Place(4, 5)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
STATEMENTS = st.dictionaries(st.sampled_from(("Sid", "Statement", "Action")) | st.text(), VALUES, max_size=4)


@given(st.lists(STATEMENTS, max_size=4), st.sampled_from((None, 0, 2)), VALUES)
def test_what_stands_in_a_place_is_the_statement(
    statements: list[dict[str, Any]], indent: int | None, other: Any
) -> None:
    text = json.dumps({"Id": other, "Statement": statements, "Other": other}, indent=indent)
    lines = text.split("\n")

    def offset(place: Place) -> int:
        return sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1

    found = [text[offset(span.start) - 1 : offset(span.end)] for span in statement_spans(text)]
    assert [json.loads(one) for one in found] == statements


# ---- SimulateCustomPolicy


def test_the_example_of_the_reference_comes_out_as_there() -> None:
    def at(time: str) -> dict[str, Any]:
        entries = [context("aws:CurrentTime", time, kind="date")]
        return custom(SINCE, action="dynamodb:CreateBackup", ContextEntries=entries)

    assert at("2019-04-25T11:00:00Z") == {
        "EvalActionName": "dynamodb:CreateBackup",
        "EvalResourceName": "*",
        "EvalDecision": "allowed",
        "MatchedStatements": [
            {
                "SourcePolicyId": "PolicyInputList.1",
                "SourcePolicyType": "IAM Policy",
                "StartPosition": {"Line": 1, "Column": 38},
                "EndPosition": {"Line": 1, "Column": 167},
            }
        ],
        "MissingContextValues": [],
    }
    assert at("2014-04-25T11:00:00Z") == {
        "EvalActionName": "dynamodb:CreateBackup",
        "EvalResourceName": "*",
        "EvalDecision": "implicitDeny",
        "MatchedStatements": [],
        "MissingContextValues": [],
    }


def test_only_the_statements_that_deny_are_told_of_a_denial() -> None:
    denied = custom(ALLOW_TEXT, policy({}, {"Effect": "Deny"}))
    assert denied["EvalDecision"] == "explicitDeny"
    (match,) = denied["MatchedStatements"]
    assert match["SourcePolicyId"] == "PolicyInputList.2"
    assert match["StartPosition"]["Column"] > len(policy({})) - 20


def test_what_nobody_supplied_is_missing_as_it_is_spelt() -> None:
    result = custom(KEYS, action="dynamodb:GetItem", ResourceArns=["arn:aws:dynamodb:us-west-2:1:table/x"])
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:username", "aws:CurrentTime"]
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["aws:username", "aws:CurrentTime"]
    assert custom(KEYS, action="s3:GetObject")["MissingContextValues"] == []


def test_a_named_caller_has_the_keys_of_its_name() -> None:
    more = {"CallerArn": "arn:aws:iam::123456789012:user/team/alice"}
    table = ["arn:aws:dynamodb:us-west-2:123456789012:table/alice"]
    entries = [context("AWS:currenttime", "2016-01-01T00:00:00Z", kind="date")]
    result = custom(KEYS, action="dynamodb:GetItem", ResourceArns=table, ContextEntries=entries, **more)
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("allowed", [])


def test_each_resource_has_its_own_result_and_the_worst_stands_above() -> None:
    objects = policy({"Resource": f"{BUCKET}/open/*"}, {"Effect": "Deny", "Resource": f"{BUCKET}/closed/*"})
    arns = [f"{BUCKET}/open/a", f"{BUCKET}/other/a", f"{BUCKET}/closed/a"]
    result = custom(objects, ResourceArns=arns)
    told = [(it["EvalResourceName"], it["EvalResourceDecision"]) for it in result["ResourceSpecificResults"]]
    assert told == list(zip(arns, ("allowed", "implicitDeny", "explicitDeny"), strict=True))
    assert result["EvalDecision"] == "explicitDeny"
    assert len(result["MatchedStatements"]) == 1
    assert result["EvalResourceName"] == "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
    assert result["EvalDecisionDetails"] == {}
    assert custom(objects, ResourceArns=arns[:1])["EvalResourceName"] == arns[0]


def test_results_come_in_the_order_of_the_actions_a_page_at_a_time() -> None:
    iam = Asked()
    asked: dict[str, Any] = {
        "PolicyInputList": [ALLOW_TEXT],
        "ActionNames": ["s3:PutObject", "ec2:StopInstances", "s3:GetObject"],
    }
    page = iam("SimulateCustomPolicy", MaxItems=2, **asked)
    assert [(it["EvalActionName"], it["EvalDecision"]) for it in page["EvaluationResults"]] == [
        ("s3:PutObject", "allowed"),
        ("ec2:StopInstances", "implicitDeny"),
    ]
    assert page["IsTruncated"] is True
    rest = iam("SimulateCustomPolicy", Marker=page["Marker"], **asked)
    assert [it["EvalActionName"] for it in rest["EvaluationResults"]] == ["s3:GetObject"]
    assert rest["IsTruncated"] is False


@pytest.mark.parametrize(
    ("boundary", "decision", "allowed"),
    [(ALLOW_TEXT, "allowed", True), (SINCE, "implicitDeny", False), (DENY_TEXT, "explicitDeny", False)],
)
def test_a_boundary_limits_and_is_told_by_itself(boundary: str, decision: str, allowed: bool) -> None:
    result = custom(ALLOW_TEXT, PermissionsBoundaryPolicyInputList=[boundary], ResourceArns=[BUCKET])
    assert result["EvalDecision"] == decision
    detail = {"AllowedByPermissionsBoundary": allowed}
    assert result["PermissionsBoundaryDecisionDetail"] == detail
    assert result["ResourceSpecificResults"][0]["PermissionsBoundaryDecisionDetail"] == detail
    assert [it["SourcePolicyId"] for it in result["MatchedStatements"]] == (
        ["PolicyInputList.1"] if allowed else []
    )


def test_every_level_of_an_organization_has_to_allow() -> None:
    def under(*levels: str) -> dict[str, Any]:
        told = [{"ServiceControlPolicyInputList": [level]} for level in levels]
        return custom(ALLOW_TEXT, OrderedOrganizationPolicyInputList=told, ResourceArns=[BUCKET])

    everything = policy({})
    assert under(everything, everything)["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}
    only_ec2 = under(everything, policy({"Action": "ec2:*"}))
    assert only_ec2["EvalDecision"] == "implicitDeny"
    assert only_ec2["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    assert only_ec2["MatchedStatements"] == []
    assert "EvalDecisionDetails" not in only_ec2
    assert under(everything, policy({}, {"Effect": "Deny"}))["EvalDecision"] == "explicitDeny"
    assert "OrganizationsDecisionDetail" not in custom(ALLOW_TEXT)


def test_a_resource_policy_allows_by_itself_within_an_account_and_not_across() -> None:
    open_to_alice = policy({"Principal": {"AWS": ALICE}})
    more: dict[str, Any] = {
        "ResourcePolicy": open_to_alice,
        "CallerArn": ALICE,
        "ResourceArns": [f"{BUCKET}/a"],
    }
    within = custom(SINCE, **more)
    assert within["EvalDecision"] == "allowed"
    (match,) = within["MatchedStatements"]
    assert (match["SourcePolicyId"], match["SourcePolicyType"]) == ("ResourcePolicy.1", "Resource Policy")
    assert within["EvalDecisionDetails"] == {}
    across = custom(SINCE, ResourceOwner=THEIRS, **more)
    assert across["EvalDecision"] == "implicitDeny"
    details = {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    assert across["EvalDecisionDetails"] == details
    assert across["ResourceSpecificResults"][0]["EvalDecisionDetails"] == details
    assert custom(ALLOW_TEXT, ResourceOwner=THEIRS, **more)["EvalDecision"] == "allowed"


def test_a_resource_of_another_account_needs_no_policy_where_none_is_simulated() -> None:
    arns = ["arn:aws:s3:us-east-1:444455556666:accesspoint/a"]
    assert custom(ALLOW_TEXT, ResourceArns=arns)["EvalDecision"] == "allowed"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ResourceArns": ["14a050d4"]}, "ResourceNames are not in a valid ARN format: 14a050d4."),
        ({"ResourceOwner": "123456789012"}, "'123456789012' is not a valid as a Resource Owner."),
        (
            {"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"},
            f"Invalid Entity Arn: arn:aws:sts::{ACCOUNT}:assumed-role/a/b "
            "does not clearly define entity type and name.",
        ),
        (
            {"ResourcePolicy": policy({"Principal": "*"})},
            "CallerArn is required if you include a ResourcePolicy.",
        ),
        (
            {"ResourcePolicy": policy({"Principal": "*"}), "CallerArn": f"arn:aws:iam::{ACCOUNT}:role/a"},
            "Simulation of resource-based policies isn't supported for IAM roles.",
        ),
        (
            {"ResourcePolicy": ALLOW_TEXT, "CallerArn": ALICE},
            "Missing required field Principal",
        ),
        (
            {"PermissionsBoundaryPolicyInputList": [ALLOW_TEXT, ALLOW_TEXT]},
            "You can input only one permissions boundary when you pass a policy to this operation.",
        ),
        (
            {"ContextEntries": [context("aws:SourceIp", "nowhere", kind="ip")]},
            "Value nowhere of context key aws:SourceIp is not of type ip.",
        ),
        (
            {"ContextEntries": [context("aws:username", "a", "b")]},
            "Context key aws:username of type string has more than one value.",
        ),
        ({"ResourceHandlingOption": "EC2"}, "EC2 is not a valid ResourceHandlingOption."),
        (
            {
                "ResourceHandlingOption": "EC2-VPC-EBS",
                "ResourceArns": [
                    f"arn:aws:ec2:us-east-1:{ACCOUNT}:{kind}/x"
                    for kind in ("instance", "security-group", "network-interface")
                ],
            },
            "EC2-VPC-EBS requires these resources: image, volume.",
        ),
    ],
)
def test_a_simulation_that_makes_no_sense_is_refused(more: dict[str, Any], message: str) -> None:
    with refused(InvalidInput, message):
        custom(ALLOW_TEXT, **more)


@pytest.mark.parametrize("action", ["s3:*", "GetObject", "s3:Get:Object"])
def test_an_action_is_named_with_its_service_and_without_wildcards(action: str) -> None:
    with refused(InvalidInput, f"ActionNames are not in a valid format: {action}."):
        custom(ALLOW_TEXT, action=action)


def test_a_policy_that_is_none_is_refused() -> None:
    with refused(InvalidInput, "Syntax errors in policy."):
        custom("{")
    with refused(InvalidInput, "Policy statement must contain resources."):
        custom('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}')


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("numeric", "3.5", "three"),
        ("boolean", "True", "yes"),
        ("ip", "192.0.2.0/24", "192.0.2"),
        ("binary", "YQ==", "a"),
        ("date", "2019-04-25T11:00:00Z", "yesterday"),
    ],
)
def test_values_are_of_the_type_that_is_told(kind: str, good: str, bad: str) -> None:
    custom(ALLOW_TEXT, ContextEntries=[context("aws:Something", good, good, kind=f"{kind}List")])
    with refused(InvalidInput, f"Value {bad} of context key aws:Something is not of type {kind}."):
        custom(ALLOW_TEXT, ContextEntries=[context("aws:Something", bad, kind=kind)])


def test_several_values_are_compared_each() -> None:
    tags = policy({"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}})
    for values, decision in ((("a", "b"), "allowed"), (("a", "c"), "implicitDeny")):
        entries = [context("aws:TagKeys", *values, kind="stringList")]
        assert custom(tags, ContextEntries=entries)["EvalDecision"] == decision


# ---- SimulatePrincipalPolicy


def member(*more: dict[str, Any]) -> Asked:
    joined = call("AddUserToGroup", {"userName": "alice", "groupName": "devs"})
    return Asked(create_policy(), create_user(), create_group(), joined, *more)


def principal(iam: Asked, action: str = "s3:GetObject", arn: str = ALICE, **more: Any) -> dict[str, Any]:
    answer = iam("SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=[action], **more)
    (result,) = answer["EvaluationResults"]
    return result


def sources(result: dict[str, Any]) -> list[str]:
    return [it["SourcePolicyId"] for it in result["MatchedStatements"]]


def test_a_user_acts_with_its_own_and_its_groups_policies() -> None:
    iam = member(
        inline("mine", ALLOW_TEXT),
        inline("ours", ALLOW_TEXT, "Group", "devs"),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}),
        call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}),
        call("AttachGroupPolicy", {"groupName": "devs", "policyArn": READ_ONLY}),
    )
    assert sources(principal(iam)) == ["user_alice_mine", "own", "group_devs_ours", "ReadOnlyAccess"]
    group = f"arn:aws:iam::{ACCOUNT}:group/devs"
    assert sources(principal(iam, arn=group)) == ["group_devs_ours", "own", "ReadOnlyAccess"]
    assert sources(principal(iam, PolicyInputList=[DENY_TEXT])) == ["PolicyInputList.1"]


@pytest.mark.parametrize("resource", [f"{BUCKET}/a", f"{BUCKET}/closed/a", "*"])
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "ec2:StopInstances", "iam:CreateUser"])
def test_a_simulation_says_what_a_real_call_is_told(action: str, resource: str) -> None:
    iam = member(
        inline("mine", policy({}, {"Effect": "Deny", "Resource": f"{BUCKET}/closed/*"})),
        inline("ours", policy({"Effect": "Deny", "Action": "iam:*"}), "Group", "devs"),
        call("PutUserPermissionsBoundary", {"userName": "alice", "permissionsBoundary": OWN}),
    )
    real = authorize(
        iam.account, caller_of(ALICE), (Kind.USER, ALICE), action, resource, {}, iam.position + 1, at=NOON
    )
    assert principal(iam, action, ResourceArns=[resource])["EvalDecision"] == real.verdict


def test_a_role_acts_with_its_policies() -> None:
    iam = Asked(create_role(), inline("all", ALLOW_TEXT, "Role", "deploy"))
    result = principal(iam, arn=f"arn:aws:iam::{ACCOUNT}:role/deploy")
    assert (result["EvalDecision"], sources(result)) == ("allowed", ["role_deploy_all"])


def test_two_policies_of_one_name_are_told_each_from_its_own_text() -> None:
    theirs = f"arn:aws:iam::{ACCOUNT}:policy/ReadOnlyAccess"
    request = {"policyName": "ReadOnlyAccess", "policyDocument": policy({"Action": "ec2:*"}, {})}
    told = {"policyName": "ReadOnlyAccess", "policyId": "ANPATHEIRS0000001", "arn": theirs}
    iam = member(
        call("CreatePolicy", request, {"policy": told}),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": theirs}),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}),
    )
    result = principal(iam)
    assert sources(result) == ["ReadOnlyAccess", "ReadOnlyAccess"]
    assert len({str(it["EndPosition"]) for it in result["MatchedStatements"]}) == 2


def test_the_boundary_of_a_user_limits_until_another_is_put_in_its_place() -> None:
    bound = call("PutUserPermissionsBoundary", {"userName": "alice", "permissionsBoundary": OWN})
    iam = member(inline("all", policy({})), bound)
    assert principal(iam)["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    stopped = principal(iam, "ec2:StopInstances")
    assert stopped["EvalDecision"] == "implicitDeny"
    assert stopped["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    wider = principal(iam, "ec2:StopInstances", PermissionsBoundaryPolicyInputList=[policy({})])
    assert wider["EvalDecision"] == "allowed"
    unbound = principal(iam, "ec2:StopInstances", PolicyExclusionList=[{"PolicyType": "permission-boundary"}])
    assert unbound["EvalDecision"] == "allowed"
    assert "PermissionsBoundaryDecisionDetail" not in unbound


def test_a_caller_is_who_it_is() -> None:
    own_folder = policy({"Resource": f"{BUCKET}/${{aws:username}}/${{aws:PrincipalTag/Team}}"})
    iam = member(
        inline("own", own_folder),
        call("TagUser", {"userName": "alice", "tags": [{"key": "team", "value": "blue"}]}),
    )
    assert principal(iam, ResourceArns=[f"{BUCKET}/alice/blue"])["EvalDecision"] == "allowed"
    assert principal(iam, ResourceArns=[f"{BUCKET}/bob/blue"])["EvalDecision"] == "implicitDeny"
    as_bob = {"CallerArn": f"arn:aws:iam::{ACCOUNT}:user/bob"}
    entries = [context("aws:PrincipalTag/Team", "red")]
    result = principal(iam, ResourceArns=[f"{BUCKET}/bob/red"], ContextEntries=entries, **as_bob)
    assert result["EvalDecision"] == "allowed"


@pytest.mark.parametrize(
    ("exclusion", "left"),
    [
        ({"PolicyType": "inline"}, ["own", "ReadOnlyAccess"]),
        ({"PolicyType": "aws-managed"}, ["user_alice_mine", "own"]),
        ({"PolicyType": "user-managed"}, ["user_alice_mine", "ReadOnlyAccess"]),
        ({"PolicyArn": "arn:aws:iam::aws:policy/Read*"}, ["user_alice_mine", "own"]),
        ({"PolicyArn": "arn:aws:iam::aws:policy/Rea?"}, ["user_alice_mine", "own", "ReadOnlyAccess"]),
        (
            {
                "InlinePolicyIdentifier": {
                    "PolicyName": "mine",
                    "AttachmentType": "user",
                    "AttachmentName": "al*",
                }
            },
            ["own", "ReadOnlyAccess"],
        ),
        ({"PolicyType": "scp"}, ["user_alice_mine", "own", "ReadOnlyAccess"]),
    ],
)
def test_policies_are_left_out_to_see_what_would_be(exclusion: dict[str, Any], left: list[str]) -> None:
    iam = member(
        inline("mine", ALLOW_TEXT),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}),
    )
    assert sorted(sources(principal(iam, PolicyExclusionList=[exclusion]))) == sorted(left)


def test_only_a_policy_can_be_left_out() -> None:
    for arn in ("arn:aws:iam::aws:policy/*Read*", f"arn:aws:iam::{ACCOUNT}:user/alice"):
        with refused(InvalidInput, f"ARN {arn} is not valid."):
            principal(member(), PolicyExclusionList=[{"PolicyArn": arn}])
    with refused(
        InvalidInput,
        "A policy identifier must have a PolicyType, a PolicyArn or an InlinePolicyIdentifier.",
    ):
        principal(member(), PolicyExclusionList=[{}])


@pytest.mark.parametrize("operation", ["SimulatePrincipalPolicy", "GetContextKeysForPrincipalPolicy"])
def test_a_principal_is_a_user_group_or_role_that_is_there(operation: str) -> None:
    more: dict[str, Any] = {"ActionNames": ["s3:GetObject"]} if operation.startswith("Simulate") else {}
    iam = member()
    for noun in ("user", "group", "role"):
        with refused(NoSuchEntity, "Unable to retrieve specified IAM entity."):
            iam(operation, PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:{noun}/nobody", **more)
    with refused(NoSuchEntity, "Unable to retrieve specified IAM entity."):
        iam(operation, PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/elsewhere/alice", **more)
    for arn in (OWN, f"arn:aws:iam::{ACCOUNT}:root", "not-an-arn-but-long-enough"):
        message = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        with refused(InvalidInput, message):
            iam(operation, PolicySourceArn=arn, **more)
    message = (
        f"Invalid Policy Source Arn: caller's account {ACCOUNT} does not have access to policies in account "
        "999999999999"
    )
    with refused(InvalidInput, message):
        iam(operation, PolicySourceArn="arn:aws:iam::999999999999:user/alice", **more)


# ---- context keys


def test_keys_are_told_as_they_are_spelt_and_once() -> None:
    iam = Asked()
    again = policy({"Condition": {"StringLike": {"AWS:UserName": ["${s3:prefix}", "${*}", "plain"]}}})
    answer = iam("GetContextKeysForCustomPolicy", PolicyInputList=[KEYS, again])
    assert answer == {"ContextKeyNames": ["aws:username", "aws:CurrentTime", "s3:prefix"]}
    assert iam("GetContextKeysForCustomPolicy", PolicyInputList=[ALLOW_TEXT]) == {"ContextKeyNames": []}
    with refused(InvalidInput, "Syntax errors in policy."):
        iam("GetContextKeysForCustomPolicy", PolicyInputList=["{"])


def test_an_old_document_has_no_variables() -> None:
    old = KEYS.replace("2012-10-17", "2008-10-17")
    answer = Asked()("GetContextKeysForCustomPolicy", PolicyInputList=[old])
    assert answer == {"ContextKeyNames": ["aws:CurrentTime"]}


def test_keys_of_a_principal_are_those_of_all_its_policies() -> None:
    iam = member(
        inline("mine", KEYS),
        inline("ours", SINCE.replace("aws:CurrentTime", "aws:EpochTime"), "Group", "devs"),
    )
    more = policy({"Condition": {"Bool": {"aws:SecureTransport": "true"}}})
    answer = iam("GetContextKeysForPrincipalPolicy", PolicySourceArn=ALICE, PolicyInputList=[more])
    assert answer == {
        "ContextKeyNames": ["aws:username", "aws:CurrentTime", "aws:EpochTime", "aws:SecureTransport"]
    }
