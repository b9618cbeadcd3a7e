"""Parameters that the model does not allow are refused in the words that AWS was recorded to use."""

import time
from collections.abc import Iterable, Iterator
from functools import cache
from random import Random
from typing import Any

import pytest
import re2
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from api.aws import models, validation
from api.aws.models import Operation, Shape
from api.aws.refusing import WireError
from tests.api.aws.judging import every_operation, named, random_value

FAILED = "failed to satisfy constraint:"
TAG_KEY = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"


def ours(operation: OperationModel) -> Operation:
    found = models.service(operation.service_model.service_name).operation(operation.name)
    assert found is not None
    return found


def all_within(shapes: Iterable[Shape]) -> Iterator[Shape]:
    for shape in shapes:
        yield shape
        yield from all_within([*shape.members.values(), *filter(None, (shape.key, shape.item))])


def wrong(action: str, **parameters: Any) -> WireError | None:
    service, _, name = action.partition(":")
    operation = models.service(service).operation(name)
    assert operation is not None
    try:
        validation.check(operation, parameters)
    except WireError as refusal:
        return refusal
    return None


def said(action: str, **parameters: Any) -> str:
    refusal = wrong(action, **parameters)
    assert refusal is not None
    assert refusal.status == 400
    assert refusal.code == ("ValidationException" if action.startswith("cloudtrail:") else "ValidationError")
    return refusal.message


def one(path: str, constraint: str) -> str:
    return f"1 validation error detected: Value at '{path}' {FAILED} {constraint}"


def tag(key: str = "k", value: str = "v") -> dict[str, str]:
    return {"Key": key, "Value": value}


TAG_LENGTH = "Member must have length less than or equal to"
EACH_KEY = (
    "Member must satisfy constraint: [Member must have length less than or equal to 128, "
    "Member must have length greater than or equal to 1, "
    rf"Member must satisfy regular expression pattern: {TAG_KEY}, Member must not be null]"
)


def test_answers_recorded_from_iam() -> None:
    arn = "arn:aws:iam::111122223333:policy/p"
    many = [tag(str(number)) for number in range(51)]
    tagging = {"RoleName": "r"}
    assert said("iam:TagRole", **tagging, Tags=many) == one("tags", f"{TAG_LENGTH} 50")
    assert said("iam:TagRole", **tagging, Tags=[tag("k" * 129)]) == one(
        "tags.1.member.key", f"{TAG_LENGTH} 128"
    )
    assert said("iam:TagRole", **tagging, Tags=[tag(value="v" * 257)]) == one(
        "tags.1.member.value", f"{TAG_LENGTH} 256"
    )
    assert said("iam:TagRole", **tagging, Tags=[tag("k#")]) == one(
        "tags.1.member.key", f"Member must satisfy regular expression pattern: {TAG_KEY}"
    )
    assert said("iam:UntagPolicy", PolicyArn=arn, TagKeys=["k"] * 51) == one("tagKeys", f"{TAG_LENGTH} 50")
    for keys in (["k" * 129], [""], ["k", "k#"]):
        assert said("iam:UntagPolicy", PolicyArn=arn, TagKeys=keys) == one("tagKeys", EACH_KEY)
    assert said("iam:CreateVirtualMFADevice", Path="/" + "b" * 511 + "/", VirtualMFADeviceName="m") == one(
        "path", f"{TAG_LENGTH} 512"
    )
    assert said("iam:GetPolicyVersion", PolicyArn=arn, VersionId="1") == one(
        "versionId", r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"
    )
    assert said(
        "iam:UpdateServiceSpecificCredential", ServiceSpecificCredentialId="A" * 20, Status="Odd"
    ) == one("status", "Member must satisfy enum value set")
    assert said("iam:ResetServiceSpecificCredential", ServiceSpecificCredentialId="x-" * 20) == one(
        "serviceSpecificCredentialId", r"Member must satisfy regular expression pattern: [\w]+"
    )


def test_several_errors_are_told_in_the_order_recorded_from_iam() -> None:
    assert said(
        "iam:UpdateAccountPasswordPolicy",
        MinimumPasswordLength=129,
        MaxPasswordAge=1096,
        PasswordReusePrevention=25,
    ) == (
        f"3 validation errors detected: Value at 'minimumPasswordLength' {FAILED} Member must have value less than or "
        f"equal to 128; Value at 'passwordReusePrevention' {FAILED} Member must have value less than or equal to 24; "
        f"Value at 'maxPasswordAge' {FAILED} Member must have value less than or equal to 1095"
    )
    assert said(
        "iam:CreateOpenIDConnectProvider",
        Url="https://" + "x" * 250,
        ClientIDList=["x" * 256],
        ThumbprintList=["x"],
    ) == (
        f"3 validation errors detected: Value at 'clientIDList' {FAILED} Member must satisfy constraint: [Member must "
        "have length less than or equal to 255, Member must have length greater than or equal to 1]; Value at "
        f"'thumbprintList' {FAILED} Member must satisfy constraint: [Member must have length less than or equal to 40, "
        f"Member must have length greater than or equal to 40]; Value at 'url' {FAILED} Member must have length less "
        "than or equal to 255"
    )


def test_answers_recorded_from_sts_repeat_the_value() -> None:
    role = "arn:aws:iam::111122223333:role/r"
    assert said("sts:AssumeRole", RoleArn=role, RoleSessionName="Session1:2") == (
        f"1 validation error detected: Value 'Session1:2' at 'roleSessionName' {FAILED} Member must satisfy regular "
        r"expression pattern: [\w+=,.@-]*"
    )
    assert said("sts:AssumeRole", RoleArn=role, RoleSessionName="s" * 65) == (
        f"1 validation error detected: Value '{'s' * 65}' at 'roleSessionName' {FAILED} Member must have length less "
        "than or equal to 64"
    )


def test_what_the_model_calls_sensitive_is_never_repeated() -> None:
    message = said(
        "sts:AssumeRoleWithWebIdentity", RoleArn="a" * 20, RoleSessionName="rs", WebIdentityToken="abc"
    )
    assert "abc" not in message
    assert message == one("webIdentityToken", "Member must have length greater than or equal to 4")


def test_a_list_is_not_repeated_if_anything_within_it_is_sensitive() -> None:
    secret = Shape("Secret", "structure", {"Word": Shape("Word", "string", sensitive=True)})
    plain = Shape("Plain", "structure", {"Word": Shape("Word", "string")})
    for within, shown in ((secret, ""), (plain, "'[{Word=hush}]' ")):
        words = Shape("Input", "structure", {"Words": Shape("Words", "list", item=within, least=2)})
        operation = Operation(models.service("sts"), "Example", words, models.NO_MEMBERS, None)
        with pytest.raises(WireError) as caught:
            validation.check(operation, {"Words": [{"Word": "hush"}]})
        assert caught.value.message.startswith(f"1 validation error detected: Value {shown}at 'words'")


def test_what_is_required_must_be_there() -> None:
    assert said("iam:CreateUser") == (
        f"1 validation error detected: Value at 'userName' {FAILED} Member must not be null"
    )
    assert said("iam:TagUser", UserName="u", Tags=[tag(), {"Key": "k"}]) == (
        f"1 validation error detected: Value at 'tags.2.member.value' {FAILED} Member must not be null"
    )
    assert said("sts:AssumeRole", RoleSessionName="rs") == (
        f"1 validation error detected: Value null at 'roleArn' {FAILED} Member must not be null"
    )


def test_a_value_may_break_several_constraints() -> None:
    assert said("iam:TagUser", UserName="u", Tags=[tag("")]) == (
        f"2 validation errors detected: Value at 'tags.1.member.key' {FAILED} Member must have length greater than or "
        f"equal to 1; Value at 'tags.1.member.key' {FAILED} Member must satisfy regular expression pattern: {TAG_KEY}"
    )


NAMES = "contain only alphanumeric characters and/or the following: +=,.@_-"
PATHS = "begin and end with / and contain only alphanumeric characters and/or / characters."
PREFIXES = "begin with the / character and contain only alphanumeric characters and/or / characters."
TEXTS = "contain only printable ASCII characters."


@pytest.mark.parametrize(
    ("action", "parameters", "member", "sentence"),
    [
        ("CreateUser", {"UserName": "bad/name"}, "userName", NAMES),
        ("GetUser", {"UserName": ""}, "userName", NAMES),
        ("UpdateUser", {"UserName": "u", "NewUserName": "a b"}, "newUserName", NAMES),
        ("CreateGroup", {"GroupName": "a b"}, "groupName", NAMES),
        (
            "PutRolePolicy",
            {"RoleName": "arn:aws:iam::111122223333:role/r", "PolicyName": "p", "PolicyDocument": "{}"},
            "roleName",
            NAMES,
        ),
        ("DeleteGroupPolicy", {"GroupName": "g", "PolicyName": "a:b"}, "policyName", NAMES),
        ("GetInstanceProfile", {"InstanceProfileName": "a/b"}, "instanceProfileName", NAMES),
        ("CreateGroup", {"GroupName": "g", "Path": "no-slash"}, "path", PATHS),
        ("UpdateGroup", {"GroupName": "g", "NewPath": "/open"}, "newPath", PATHS),
        (
            "CreatePolicy",
            {"PolicyName": "p", "Path": "/a b/", "PolicyDocument": "{}"},
            "path",
            PATHS,
        ),
        ("ListUsers", {"PathPrefix": "team/"}, "pathPrefix", PREFIXES),
        ("ListPolicies", {"PathPrefix": "/open"}, "pathPrefix", PREFIXES),
        ("ListPolicies", {"PathPrefix": "/" + "a" * 600}, "pathPrefix", PREFIXES),
        ("CreatePolicy", {"PolicyName": "p", "PolicyDocument": "{“}"}, "policyDocument", TEXTS),
        (
            "CreateRole",
            {"RoleName": "r", "AssumeRolePolicyDocument": "\ufeff{}"},
            "assumeRolePolicyDocument",
            TEXTS,
        ),
        (
            "DeleteAccessKey",
            {"AccessKeyId": "AKIA-not-one-of-ours"},
            "accessKeyId",
            "contain only alphanumeric characters.",
        ),
    ],
)
def test_the_older_patterns_of_iam_are_told_in_a_sentence_and_before_all_else(
    action: str, parameters: dict[str, str], member: str, sentence: str
) -> None:
    message = f"The specified value for {member} is invalid. It must {sentence}"
    assert said(f"iam:{action}", **parameters) == message


def test_ranges_enums_lists_and_nested_members_of_cloudtrail() -> None:
    assert said("cloudtrail:LookupEvents", MaxResults=51) == (
        f"1 validation error detected: Value '51' at 'maxResults' {FAILED} Member must have value less than or equal to 50"
    )
    attributes = [
        {"AttributeKey": "Username", "AttributeValue": "a"},
        {"AttributeKey": "Hat", "AttributeValue": "b"},
    ]
    assert said("cloudtrail:LookupEvents", LookupAttributes=attributes) == (
        f"1 validation error detected: Value 'Hat' at 'lookupAttributes.2.member.attributeKey' {FAILED} Member must "
        "satisfy enum value set: [EventId, EventName, ReadOnly, Username, ResourceType, ResourceName, EventSource, "
        "AccessKeyId]"
    )
    message = said("cloudtrail:StartQuery", QueryParameters=["a", ""])
    assert message.startswith(
        f"1 validation error detected: Value '[a, ]' at 'queryParameters' {FAILED} Member must satisfy constraint: ["
    )


def test_patterns_are_those_of_java() -> None:
    assert wrong("iam:CreateUser", UserName="a_B9+=,.@-") is None
    for name in ("é", "a\n", "a b", "٣"):  # \w is ASCII, and $ is no place before a line feed
        assert wrong("iam:CreateUser", UserName=name) is not None
    for key in ("é", "日本", "a b", "٣", "_.:/=+-@"):
        assert wrong("iam:TagUser", UserName="u", Tags=[tag(key)]) is None
    for alias, allowed in (("my-company", True), ("my--company", False), ("-a1", False)):
        assert (wrong("iam:CreateAccountAlias", AccountAlias=alias) is None) == allowed
    for document, allowed in (("{}\u00ff", True), ("{}\u0100", False), ("{}\x00", False)):
        refusal = wrong("iam:CreatePolicy", PolicyName="p", PolicyDocument=document)
        assert (refusal is None) == allowed


@pytest.mark.parametrize("operation", every_operation(*models.SERVICES), ids=named)
def test_what_botocore_refuses_we_refuse(operation: OperationModel) -> None:
    """Its clients look only at what is required and at lower bounds."""
    random = Random(operation.name)
    if operation.input_shape is None:
        return validation.check(ours(operation), {})
    for _ in range(20):
        parameters = random_value(operation.input_shape, random)
        for name in [name for name in parameters if random.random() < 0.2]:
            del parameters[name]
        refused_by_botocore = ParamValidator().validate(parameters, operation.input_shape).has_errors()
        try:
            validation.check(ours(operation), parameters)
        except WireError as refusal:
            assert refusal.status == 400
        else:
            assert not refused_by_botocore
    return None


@cache
def input_patterns() -> set[str]:
    inputs = [ours(operation).input for operation in every_operation(*models.SERVICES)]
    return {shape.pattern for shape in all_within(inputs) if shape.pattern is not None}


@given(st.text(max_size=4) | st.text(st.characters(max_codepoint=127), max_size=2))
@example("\x00")
@example("a\n")
@example("a\u2003b")
def test_classes_of_characters_are_those_of_unicode(text: str) -> None:
    classes = [pattern for pattern in input_patterns() if r"\p{" in pattern]
    assert len(classes) == 2
    for pattern in classes:
        assert validation._unlike(pattern)(text) == (re2.fullmatch(pattern, text) is None)


def test_no_pattern_can_be_made_to_take_long() -> None:
    patterns = input_patterns()
    assert len(patterns) > 50
    size = 50_000
    seeds = (
        "a",
        "/a",
        "/",
        "a ",
        "0",
        "-",
        "a-",
        "http://",
        "s3://a",
        ".",
        "?",
        "#",
        "é",
        " ",
        "v1.",
        "o-a",
        "p-a",
    )
    for pattern in patterns:
        breaks = validation._unlike(pattern)
        for seed in seeds:
            began = time.process_time()
            breaks(seed * (size // len(seed)) + "\x00")
            assert time.process_time() - began < 0.5, (
                f"{pattern} on {seed!r}"
            )  # seconds; linear takes milliseconds
