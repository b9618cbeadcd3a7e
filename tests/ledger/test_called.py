"""Which question IAM was asked for a recorded call."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calls.action_names import ACTIONS, PREFIXES
from ledger.calls.called import NO_PERMISSION, QUESTIONS_MAX, asked
from ledger.calls.question import Asked, Guess, Question, Unasked
from ledger.policy.aws_actions import is_action, services
from ledger.record import Record, read_record
from tests.ledger.denied import denied
from tests.ledger.real import INVICTUS, records_of
from tests.ledger.told import ACCOUNT, ADMIN, ROOT, call

IAM = f"arn:aws:iam::{ACCOUNT}"
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROA000000DEPLOY1:ci",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIA000000000001",
}


def the(service: str, operation: str, request: dict[str, Any] | None = None, **more: Any) -> Record:
    region = {"awsRegion": "eu-west-1"} | {key: more.pop(key) for key in ("awsRegion",) if key in more}
    source = f"{service}.amazonaws.com"
    return read_record(call(operation, request, source=source, **region, **more))


def pairs(found: Asked) -> list[tuple[str, tuple[str, ...]]]:
    return [(it.action, it.resources) for it in found.questions]


def question(record: Record) -> Question:
    """The only one."""
    (found,) = asked(record).questions
    return found


# ---- the action


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("iam", "CreateUser", "iam:CreateUser"),
        ("lambda", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
        ("cloudfront", "CreateFunction2020_05_31", "cloudfront:CreateFunction"),
        ("monitoring", "DeleteAlarms", "cloudwatch:DeleteAlarms"),
        ("api.pricing", "GetProducts", "pricing:GetProducts"),
        ("s3", "ListObjects", "s3:ListBucket"),
        ("s3", "HeadBucket", "s3:ListBucket"),
        ("s3", "HeadObject", "s3:GetObject"),
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "PutBucketLifecycle", "s3:PutLifecycleConfiguration"),
        ("s3", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("s3", "GetBucketVersioning", "s3:GetBucketVersioning"),
        ("s3", "CompleteMultipartUpload", "s3:PutObject"),
        ("s3", "ListParts", "s3:ListMultipartUploadParts"),
        ("s3", "DeleteObjects", "s3:DeleteObject"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("bedrock", "Converse", "bedrock:InvokeModel"),
        ("autoscaling", "RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
        ("autoscaling", "CreateAutoScalingGroup", "autoscaling:CreateAutoScalingGroup"),
        ("tagging", "GetResources", "tag:GetResources"),
        ("apigateway", "GetRestApis", "apigateway:GET"),
        ("apigateway", "DeleteStage", "apigateway:DELETE"),
        ("sns", "PublishBatch", "sns:Publish"),
    ],
)
def test_an_event_stands_for_an_action_that_may_have_another_name(
    service: str, operation: str, action: str
) -> None:
    found = asked(the(service, operation)).questions[0]
    assert found.action == action
    assert Guess.NAMED_AS_EVENT not in found.guess


def test_a_version_of_an_object_needs_another_action() -> None:
    request = {"bucketName": "b", "key": "k", "versionId": "1"}
    assert question(the("s3", "GetObject", request)).action == "s3:GetObjectVersion"
    assert question(the("s3", "GetObject", {"bucketName": "b", "key": "k"})).action == "s3:GetObject"


def test_an_action_that_the_reference_does_not_have_is_a_guess() -> None:
    found = question(the("iam", "AcquireRole", {"roleName": "r"}))
    assert found == Question("iam:AcquireRole", (), (Guess.NAMED_AS_EVENT, Guess.RESOURCE_NOT_TOLD))


def test_the_tables_of_names_hold_what_the_reference_has_and_nothing_needless() -> None:
    assert [it for actions in ACTIONS.values() for it in actions if not is_action(it)] == []
    assert [it for it in ACTIONS if is_action(it)] == []
    assert [it for prefixes in PREFIXES.values() for it in prefixes if it not in services()] == []


def test_of_some_calls_iam_is_asked_nothing() -> None:
    assert asked(the("sts", "GetCallerIdentity")) == Asked((), Unasked.NEEDS_NO_PERMISSION)
    assert asked(the("signin", "ConsoleLogin", eventType="AwsConsoleSignIn")) == Asked((), Unasked.SIGN_IN)
    assert asked(the("kms", "RotateKey", eventType="AwsServiceEvent")) == Asked((), Unasked.SERVICE_EVENT)
    for service, _, operation in (it.partition(":") for it in NO_PERMISSION):
        assert asked(the(service, operation)).unasked is Unasked.NEEDS_NO_PERMISSION


# ---- the resource


@pytest.mark.parametrize(
    ("service", "operation", "request_parameters", "resource"),
    [
        ("s3", "GetObject", {"bucketName": "b", "key": "a/k"}, "arn:aws:s3:::b/a/k"),
        ("s3", "GetBucketAcl", {"bucketName": "b"}, "arn:aws:s3:::b"),
        ("s3", "ListBuckets", {}, "arn:aws:s3:::*"),
        ("ec2", "StopInstances", {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
         f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0123456789abcdef0"),
        ("ec2", "DeleteSnapshot", {"snapshotId": "snap-0123456789abcdef0"},
         "arn:aws:ec2:eu-west-1::snapshot/snap-0123456789abcdef0"),
        ("ec2", "DescribeInstances", {"filterSet": {}}, "*"),
        ("ec2", "DeleteNatGateway", {"DeleteNatGatewayRequest": {"NatGatewayId": "nat-0123456789abcdef0"}},
         f"arn:aws:ec2:eu-west-1:{ACCOUNT}:natgateway/nat-0123456789abcdef0"),
        ("ec2", "CreateTags", {"resourcesSet": {"items": [{"resourceId": "ami-0123456789abcdef0"}]}},
         "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0"),
        ("ssm", "GetParameter", {"name": "/a/b"}, f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/a/b"),
        ("secretsmanager", "GetSecretValue", {"secretId": "db"},
         f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-??????"),
        ("kms", "DescribeKey", {"keyId": "1234-5678"}, f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234-5678"),
        ("lambda", "GetFunction20150331v2", {"functionName": "f"}, f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"),
        ("dynamodb", "Query", {"tableName": "t", "indexName": "i"},
         f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t/index/i"),
        ("dynamodb", "BatchGetItem", {"requestItems": {"t": {}}}, f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t"),
        ("sqs", "SendMessage", {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/444455556666/q"},
         "arn:aws:sqs:eu-west-1:444455556666:q"),
        ("sns", "Publish", {"topicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"}, f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"),
        ("sns", "Unsubscribe", {"subscriptionArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t:1"},
         f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"),
        ("cloudtrail", "StopLogging", {"name": "t"}, f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/t"),
        ("rds", "DeleteDBInstance", {"dBInstanceIdentifier": "DB"}, f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:db"),
        ("rds", "DescribeDBSubnetGroups", {"dBSubnetGroupName": "g"}, f"arn:aws:rds:eu-west-1:{ACCOUNT}:subgrp:g"),
        ("ecr", "BatchGetImage", {"repositoryName": "a/b"}, f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/a/b"),
        ("logs", "CreateLogStream", {"logGroupName": "g", "logStreamName": "s"},
         f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:g:log-stream:s"),
        ("eks", "DescribeCluster", {"name": "c"}, f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/c"),
        ("guardduty", "GetDetector", {"detectorId": "d"}, f"arn:aws:guardduty:eu-west-1:{ACCOUNT}:detector/d"),
        ("apigateway", "GetResource", {"restApiId": "r", "resourceId": "x"},
         "arn:aws:apigateway:eu-west-1::/restapis/r/resources/x"),
        ("apigateway", "CreateRoute", {"apiId": "r"}, "arn:aws:apigateway:eu-west-1::/apis/r/routes"),
        ("sts", "GetFederationToken", {"name": "f"}, f"arn:aws:sts::{ACCOUNT}:federated-user/f"),
        ("sts", "AssumeRole", {"roleArn": "arn:aws:iam::444455556666:role/x/r", "roleSessionName": "s"},
         "arn:aws:iam::444455556666:role/x/r"),
    ],
)  # fmt: skip
def test_the_resource_is_read_off_the_request(
    service: str, operation: str, request_parameters: dict[str, Any], resource: str
) -> None:
    assert question(the(service, operation, request_parameters)).resources == (resource,)


def test_the_partition_is_that_of_the_region() -> None:
    found = question(
        the("sqs", "SendMessage", {"queueUrl": "x/1/q"}, by={"type": "Unknown"}, awsRegion="cn-north-1")
    )
    assert found.resources == ("arn:aws-cn:sqs:cn-north-1:1:q",)


def test_what_the_record_lists_goes_before_what_is_built() -> None:
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234"
    found = question(
        the("kms", "Encrypt", {"keyId": "alias/x"}, resources=[{"ARN": key, "type": "AWS::KMS::Key"}])
    )
    assert found == Question("kms:Encrypt", (key,))
    assert question(the("kms", "Encrypt", {"keyId": "alias/x"})).guess == (Guess.RESOURCE_NOT_TOLD,)


def test_of_two_keys_either_may_have_been_meant() -> None:
    keys = [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{number}" for number in (1, 2)]
    found = pairs(asked(the("kms", "ReEncrypt", {}, resources=[{"ARN": key} for key in keys])))
    assert found == [("kms:ReEncryptFrom", tuple(keys)), ("kms:ReEncryptTo", tuple(keys))]


def test_an_id_that_can_be_none_stands_for_any() -> None:
    found = question(the("ec2", "GetPasswordData", {"instanceId": "nonsense"}))
    assert found.resources == (f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/*",)
    assert found.guess == (Guess.PART_NOT_TOLD,)


def test_each_of_several_resources_is_a_question() -> None:
    found = pairs(asked(the("ssm", "GetParameters", {"names": ["a", "/b"]})))
    begin = f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter"
    assert found == [("ssm:GetParameters", (f"{begin}/a",)), ("ssm:GetParameters", (f"{begin}/b",))]


def test_a_refusal_without_request_and_words_does_not_tell_the_resource() -> None:
    found = question(the("iam", "CreateUser", None, error="AccessDenied"))
    assert found == Question("iam:CreateUser", (), (Guess.RESOURCE_NOT_TOLD,))
    assert question(the("sqs", "CreateQueue", None, error="AccessDenied")).resources == ()


def test_listing_without_a_name_is_about_all_of_them() -> None:
    found = question(the("ecr", "DescribeRepositories", {"maxResults": 1}))
    assert found.resources == (f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/*", "*")
    assert found.guess == (Guess.ALL_OF_THEM,)


# ---- IAM's own


@pytest.mark.parametrize(
    ("operation", "request_parameters", "resource"),
    [
        ("CreateUser", {"userName": "bob", "path": "/ops/"}, f"{IAM}:user/ops/bob"),
        ("CreateRole", {"roleName": "r"}, f"{IAM}:role/r"),
        ("CreatePolicy", {"policyName": "p", "path": "/a/b/"}, f"{IAM}:policy/a/b/p"),
        ("AttachUserPolicy", {"userName": "admin", "policyArn": f"{IAM}:policy/p"}, f"{IAM}:user/admin"),
        ("CreatePolicyVersion", {"policyArn": f"{IAM}:policy/a/p"}, f"{IAM}:policy/a/p"),
        ("DeleteSAMLProvider", {"sAMLProviderArn": f"{IAM}:saml-provider/s"}, f"{IAM}:saml-provider/s"),
        ("GetAccountSummary", None, "*"),
        ("ListUsers", None, f"{IAM}:user/"),
        ("ListRoles", {"pathPrefix": "/ops/"}, f"{IAM}:role/ops/"),
        ("CreateServiceLinkedRole", {"aWSServiceName": "ecs.amazonaws.com"},
         f"{IAM}:role/aws-service-role/ecs.amazonaws.com/*"),
        ("EnableMFADevice", {"userName": "AWS ROOT USER", "serialNumber": f"{IAM}:mfa/m"}, f"{IAM}:root"),
        ("GetUser", None, f"{IAM}:user/admin"),
        ("ChangePassword", None, f"{IAM}:user/admin"),
        ("ListAccessKeys", {}, f"{IAM}:user/admin"),
    ],
)  # fmt: skip
def test_iam_is_asked_about_the_entity(
    operation: str, request_parameters: dict[str, Any] | None, resource: str
) -> None:
    assert question(the("iam", operation, request_parameters)) == Question(f"iam:{operation}", (resource,))


def test_a_path_that_the_request_does_not_tell_is_looked_up_or_else_a_guess() -> None:
    record = the("iam", "GetRole", {"roleName": "r"})
    assert question(record) == Question("iam:GetRole", (f"{IAM}:role/r",), (Guess.PATH_NOT_TOLD,))

    def arn_of(kind: str, name: str) -> str | None:
        return f"{IAM}:role/ops/r" if (kind, name) == ("role", "r") else None

    assert asked(record, arn_of).questions == (Question("iam:GetRole", (f"{IAM}:role/ops/r",)),)


def test_only_a_caller_that_is_a_user_can_be_meant_by_silence() -> None:
    assert question(the("iam", "GetUser", by=ROOT)).resources == (f"{IAM}:root",)
    assert question(the("iam", "GetUser", by=SESSION)) == Question(
        "iam:GetUser", (), (Guess.RESOURCE_NOT_TOLD,)
    )


# ---- more than the call's own action


def test_copying_an_object_needs_reading_the_source() -> None:
    request = {"bucketName": "to", "key": "k", "x-amz-copy-source": "/from/a%20b?versionId=7"}
    assert pairs(asked(the("s3", "CopyObject", request))) == [
        ("s3:PutObject", ("arn:aws:s3:::to/k",)),
        ("s3:GetObjectVersion", ("arn:aws:s3:::from/a b",)),
    ]


def test_an_acl_needs_the_right_to_put_one() -> None:
    found = pairs(asked(the("s3", "PutObject", {"bucketName": "b", "key": "k", "x-amz-acl": "public-read"})))
    assert found == [("s3:PutObject", ("arn:aws:s3:::b/k",)), ("s3:PutObjectAcl", ("arn:aws:s3:::b/k",))]
    assert (
        len(asked(the("s3", "PutObject", {"bucketName": "b", "key": "k", "x-amz-acl": "private"})).questions)
        == 1
    )


def test_running_an_instance_is_asked_about_all_that_it_takes() -> None:
    request = {
        "instancesSet": {"items": [{"imageId": "ami-0123456789abcdef0", "keyName": "k"}]},
        "subnetId": "subnet-0123456789abcdef0",
        "groupSet": {"items": [{"groupId": "sg-0123456789abcdef0"}]},
        "tagSpecificationSet": {
            "items": [{"resourceType": "instance", "tags": [{"key": "a", "value": "b"}]}]
        },
        "iamInstanceProfile": {"name": "p"},
    }
    found = asked(the("ec2", "RunInstances", request))
    mine = f"arn:aws:ec2:eu-west-1:{ACCOUNT}"
    run = [it.resources for it in found.questions if it.action == "ec2:RunInstances" and not it.guess]
    assert run == [
        ("arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0",),
        (f"{mine}:instance/*",),
        (f"{mine}:network-interface/*",),
        (f"{mine}:security-group/sg-0123456789abcdef0",),
        (f"{mine}:subnet/subnet-0123456789abcdef0",),
    ]
    assert (
        Question("ec2:RunInstances", (f"{mine}:key-pair/k",), (Guess.OPTIONAL_RESOURCE,)) in found.questions
    )
    assert Question("ec2:CreateTags", (f"{mine}:instance/*",), (Guess.IMPLIED,)) in found.questions
    assert Question("iam:PassRole", (), (Guess.ROLE_PASSED, Guess.RESOURCE_NOT_TOLD)) in found.questions


def test_a_role_that_is_handed_to_a_service_must_be_passed() -> None:
    role = f"{IAM}:role/x/exec"
    found = asked(the("lambda", "CreateFunction20150331", {"functionName": "f", "role": role}))
    assert found.questions[1:] == (Question("iam:PassRole", (role,), (Guess.ROLE_PASSED,)),)
    linked = {"functionName": "f", "role": f"{IAM}:role/aws-service-role/x/r"}
    assert len(asked(the("lambda", "CreateFunction20150331", linked)).questions) == 1
    replaced = {"ReplaceIamInstanceProfileAssociationRequest": {"IamInstanceProfile": {"Name": "p"}}}
    assert (
        asked(the("ec2", "ReplaceIamInstanceProfileAssociation", replaced)).questions[-1].action
        == "iam:PassRole"
    )
    added = asked(the("iam", "AddRoleToInstanceProfile", {"instanceProfileName": "p", "roleName": "r"}))
    assert [it.action for it in added.questions] == ["iam:AddRoleToInstanceProfile", "iam:PassRole"]


def test_a_session_with_tags_and_source_identity_needs_the_right_to_set_them() -> None:
    role = f"{IAM}:role/r"
    request = {"roleArn": role, "tags": [{"key": "a", "value": "b"}], "sourceIdentity": "bob"}
    found = pairs(asked(the("sts", "AssumeRole", request)))
    assert found == [
        ("sts:AssumeRole", (role,)),
        ("sts:TagSession", (role,)),
        ("sts:SetSourceIdentity", (role,)),
    ]


def test_making_something_with_tags_needs_the_right_to_tag() -> None:
    found = asked(the("iam", "CreateRole", {"roleName": "r", "tags": [{"key": "a", "value": "b"}]}))
    assert found.questions[1:] == (Question("iam:TagRole", (f"{IAM}:role/r",), (Guess.IMPLIED,)),)


def test_the_questions_of_one_call_are_bounded() -> None:
    names = {"names": [f"p{number}" for number in range(1000)]}
    assert 0 < len(asked(the("ssm", "GetParameters", names)).questions) <= QUESTIONS_MAX


# ---- denials


def refused(words: str, service: str = "iam", operation: str = "GetUser", **more: Any) -> Question:
    message = f"User: {ADMIN['arn']} is not authorized to perform: {words}"
    return question(
        the(service, operation, more.pop("request", None), error="AccessDenied", errorMessage=message, **more)
    )


def test_a_denial_is_asked_in_its_own_words() -> None:
    found = refused("SNS:ListTopics on resource: arn:aws:sns:eu-west-1:1:*", "sns", "ListTopics")
    assert found == Question("sns:ListTopics", ("arn:aws:sns:eu-west-1:1:*",))
    passed = refused(f"iam:PassRole on resource: {IAM}:role/r", "lambda", "CreateFunction20150331")
    assert passed == Question("iam:PassRole", (f"{IAM}:role/r",))


@pytest.mark.parametrize(
    ("words", "resource", "guess"),
    [
        ("user admin", f"{IAM}:user/admin", ()),
        ("user ", f"{IAM}:user/admin", ()),
        ("user bob", f"{IAM}:user/bob", (Guess.PATH_NOT_TOLD,)),
        ("instance profile p", f"{IAM}:instance-profile/p", (Guess.PATH_NOT_TOLD,)),
        (f"policy {IAM}:policy/a/p version v2", f"{IAM}:policy/a/p", ()),
        ("policy path /", f"{IAM}:policy/", ()),
    ],
)
def test_names_in_a_denial_become_arns(words: str, resource: str, guess: tuple[Guess, ...]) -> None:
    found = refused(
        f"iam:GetUser on resource: {words} because no identity-based policy allows the iam:GetUser action"
    )
    assert found == Question("iam:GetUser", (resource,), guess)


def test_a_denial_without_a_resource_falls_back_on_the_request() -> None:
    words = "ec2:StopInstances because no identity-based policy allows the ec2:StopInstances action"
    request = {"instanceId": "i-0123456789abcdef0"}
    found = refused(words, "ec2", "StopInstances", request=request)
    assert found.resources == (f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0123456789abcdef0",)


# ---- recorded logs

_ACCOUNT_ID = re.compile(
    r"(?<=:)\d{12}(?=:)"
)  # those who shared the logs masked messages and records differently
_REGION = re.compile(r"(?<=:)[a-z]{2}-[a-z]+-\d(?=:)")
_KINDS = ("user", "group", "role", "instance profile", "policy")


def masked(arn: str) -> str:
    return _REGION.sub("REGION", _ACCOUNT_ID.sub("ACCOUNT", arn))


def as_arn(words: str, principal: str) -> str:
    """AWS's words for an entity of IAM as the ARN that policies have."""
    kind = next((it for it in _KINDS if words.startswith(f"{it} ")), None)
    if kind is None:
        return masked(words)
    name = words[len(kind) + 1 :].partition(" version ")[0]
    if not name:
        return masked(principal)
    return masked(
        name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:{kind.replace(' ', '-')}/{name}"
    )


def judged(real_logs: Path, *, silent: bool) -> Counter[str]:
    """How often action and resource are those that AWS named."""
    found: Counter[str] = Counter()
    for it in denied(real_logs):
        questions = asked(it.silent if silent else it.record).questions
        found["action"] += questions[0].action.lower() == it.action.lower()
        if it.resource is None:
            continue
        told = {
            masked(arn) for one in questions if one.action == questions[0].action for arn in one.resources
        }
        right = as_arn(it.resource, it.principal or "") in told
        found["resource right" if right else "resource wrong" if told else "resource not told"] += 1
    return found


def test_what_aws_says_of_its_denials_is_what_is_found(real_logs: Path) -> None:
    """191 denials; 151 name a resource, three of them by a name of which the ARN had to be built, and says so."""
    assert judged(real_logs, silent=False) == {"action": 191, "resource right": 148, "resource wrong": 3}


def test_without_its_words_the_action_is_found_and_seldom_a_wrong_resource(real_logs: Path) -> None:
    """Most refusals have no request either, and then there is nothing to tell the resource by."""
    found = judged(real_logs, silent=True)
    assert found == {"action": 191, "resource right": 41, "resource not told": 101, "resource wrong": 9}


def test_without_the_list_of_resources_the_same_are_found(real_logs: Path) -> None:
    """An oracle of AWS's own: many records list what the call was about, and it is read off the request alone."""
    found: Counter[str] = Counter()
    for document in records_of(real_logs):
        listed = {it["ARN"] for it in document.get("resources") or () if "ARN" in it}
        if not listed:
            continue
        alone = read_record({key: value for key, value in document.items() if key != "resources"})
        told = {arn for one in asked(alone).questions for arn in one.resources}
        found["same" if listed <= told else "not told" if not told else "others"] += 1
    assert found["same"] / (found["same"] + found["others"]) > 0.97
    assert found["not told"] == 240  # calls of KMS that name their key by an alias or not at all


def test_every_recorded_call_asks_something_or_says_why_not(real_logs: Path) -> None:
    for document in records_of(real_logs):
        found = asked(read_record(document, account_id=INVICTUS))
        assert bool(found.questions) != bool(found.unasked)
        for one in found.questions:
            assert one.resources or Guess.RESOURCE_NOT_TOLD in one.guess


# ---- rubbish

_names = st.sampled_from(
    [
        "userName",
        "roleName",
        "policyArn",
        "roleArn",
        "bucketName",
        "key",
        "tags",
        "items",
        "keyId",
        "names",
        "instancesSet",
        "groupSet",
        "queueUrl",
        "tagSpecificationSet",
        "requestItems",
        "tableName",
        "x-amz-copy-source",
        "path",
        "secretId",
        "transactItems",
        "statement",
        "Tags",
    ]
)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["arn:aws:iam::1:role/r", "i-01234567"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | _names, inner, max_size=3),
    max_leaves=8,
)
_calls = st.sampled_from(
    [
        ("iam", "GetUser"), ("iam", "CreateRole"), ("sts", "AssumeRole"), ("s3", "CopyObject"), ("s3", "PutObject"),
        ("ec2", "RunInstances"), ("ec2", "CreateTags"), ("kms", "Decrypt"), ("ssm", "SendCommand"), ("sqs", "SendMessage"),
        ("dynamodb", "TransactWriteItems"), ("dynamodb", "ExecuteStatement"), ("apigateway", "CreateStage"),
        ("secretsmanager", "GetSecretValue"), ("rds", "DeleteDBInstance"), ("lambda", "Invoke"), ("logs", "PutLogEvents"),
        ("x", "Y"), ("", ":"), ("sns", "Unsubscribe"), ("glue", "GetTable"), ("cloudformation", "CreateStack"),
    ]
)  # fmt: skip


@given(_calls, _json | st.dictionaries(_names, _json), _json, _json, _json, st.none() | st.text() | _json)
def test_no_record_makes_it_stumble(
    called: tuple[str, str],
    request_parameters: Any,
    response: Any,
    identity: Any,
    resources: Any,
    message: Any,
) -> None:
    service, operation = called
    document = call(operation, source=f"{service}.amazonaws.com", by=identity)
    document |= {"requestParameters": request_parameters, "responseElements": response}
    document |= {"resources": resources, "errorMessage": message, "awsRegion": resources}
    asked(read_record(document))
