"""What a record tells of the condition context: had, had not, or not told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calls.context_reader import KEYS
from ledger.calls.recorded_context import Known, context_of, of_caller, of_request, of_time
from ledger.iam.deciding import DECISIONS
from ledger.record import read_record
from tests.conftest import ROOT as PROJECT
from tests.ledger.real import INVICTUS, records_of
from tests.ledger.told import ACCOUNT, ADMIN, NOON, ROOT, call

UNTOLD = "not told"
ABSENT = "absent"
NOON_TEXT = "2023-11-14T22:13:20Z"


def session(kind: str = "AssumedRole", **context: Any) -> dict[str, Any]:
    """A caller with temporary credentials, two minutes old and with MFA."""
    attributes = {"creationDate": "2023-11-14T22:11:20Z", "mfaAuthenticated": "true"}
    issuer = {
        "type": "Role",
        "arn": f"arn:aws:iam::{ACCOUNT}:role/ops/deploy",
        "principalId": "AROA1",
        "userName": "deploy",
    }
    return {
        "type": kind,
        "principalId": "AROA1:ci",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIA000000000001",
        "sessionContext": {"attributes": attributes, "sessionIssuer": issuer, **context},
    }


SERVICE = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
HANDED_ON = {"accountId": ACCOUNT, "invokedBy": "secretsmanager.amazonaws.com"}


def context(operation: str = "GetUser", request: Any = None, *, service: str = "iam", **more: Any) -> Known:
    handed_in = {key: more.pop(key) for key in ("action", "principal_tags", "resource_tags") if key in more}
    return context_of(
        read_record(call(operation, request, source=f"{service}.amazonaws.com", **more)), **handed_in
    )


def answer(known: Known, key: str) -> tuple[str, ...] | str:
    values = known.get(key)
    if values is not None:
        assert known.knows(key)
        return values
    return ABSENT if known.knows(key) else UNTOLD


# ---- the caller


@pytest.mark.parametrize(
    ("by", "key", "told"),
    [
        (ADMIN, "aws:PrincipalArn", (ADMIN["arn"],)),
        (session(), "aws:PrincipalArn", (f"arn:aws:iam::{ACCOUNT}:role/ops/deploy",)),
        (
            session(sessionIssuer={}),
            "aws:PrincipalArn",
            UNTOLD,
        ),  # the session's own ARN lacks the role's path
        (SERVICE, "aws:PrincipalArn", ABSENT),
        (HANDED_ON, "aws:PrincipalArn", UNTOLD),
        (ADMIN, "aws:PrincipalAccount", (ACCOUNT,)),
        (ROOT, "aws:PrincipalType", ("Account",)),
        (ADMIN, "aws:PrincipalType", ("User",)),
        (session(), "aws:PrincipalType", ("AssumedRole",)),
        (session(), "aws:userid", ("AROA1:ci",)),
        (ADMIN, "aws:username", ("admin",)),
        (session(), "aws:username", ABSENT),
        (ROOT, "aws:username", ABSENT),
        (SERVICE, "aws:PrincipalIsAWSService", ("true",)),
        (ADMIN, "aws:PrincipalIsAWSService", ("false",)),
        (HANDED_ON, "aws:PrincipalIsAWSService", UNTOLD),
        (SERVICE, "aws:PrincipalServiceName", ("ec2.amazonaws.com",)),
        (ADMIN, "aws:PrincipalServiceName", ABSENT),
        (ADMIN, "aws:MultiFactorAuthPresent", ABSENT),
        (ADMIN, "aws:MultiFactorAuthAge", ABSENT),
        (ADMIN, "aws:TokenIssueTime", ABSENT),
        (session(), "aws:MultiFactorAuthPresent", ("true",)),
        (session(), "aws:MultiFactorAuthAge", ("120",)),
        (session(), "aws:TokenIssueTime", ("2023-11-14T22:11:20Z",)),
        (session(attributes={"mfaAuthenticated": "false"}), "aws:MultiFactorAuthPresent", ("false",)),
        (session(attributes={"mfaAuthenticated": "false"}), "aws:MultiFactorAuthAge", ABSENT),
        (session(attributes={}), "aws:MultiFactorAuthPresent", UNTOLD),
        (session(sourceIdentity="bob"), "aws:SourceIdentity", ("bob",)),
        (session(), "aws:SourceIdentity", ABSENT),
        (ADMIN, "aws:SourceIdentity", ABSENT),
        (session(webIdFederationData={"federatedProvider": "p"}), "aws:FederatedProvider", ("p",)),
        (session(webIdFederationData={}), "aws:FederatedProvider", ABSENT),
        (session(ec2RoleDelivery="2.0"), "ec2:RoleDelivery", ("2.0",)),
        (session(ec2RoleDelivery="2.0"), "ec2:SourceInstanceARN", UNTOLD),
        (session(), "ec2:SourceInstanceARN", ABSENT),
        (ADMIN, "aws:PrincipalOrgID", UNTOLD),
        (ADMIN, "aws:PrincipalTag/team", UNTOLD),
    ],
)
def test_the_caller_tells(by: dict[str, Any], key: str, told: tuple[str, ...] | str) -> None:
    assert answer(context(by=by), key) == told


# ---- the request


@pytest.mark.parametrize(
    ("more", "key", "told"),
    [
        ({}, "aws:CurrentTime", (NOON_TEXT,)),
        ({}, "AWS:currenttime", (NOON_TEXT,)),
        ({}, "aws:EpochTime", (str(NOON),)),
        ({}, "aws:SourceIp", ("192.0.2.1",)),
        ({"sourceIPAddress": "2001:db8::1"}, "aws:SourceIp", ("2001:db8::1",)),
        ({"sourceIPAddress": "cloudformation.amazonaws.com"}, "aws:SourceIp", ABSENT),
        ({"sourceIPAddress": "AWS Internal"}, "aws:SourceIp", UNTOLD),
        ({"vpcEndpointId": "vpce-1"}, "aws:SourceIp", ABSENT),
        ({"vpcEndpointId": "vpce-1"}, "aws:VpcSourceIp", ("192.0.2.1",)),
        ({"vpcEndpointId": "vpce-1"}, "aws:SourceVpce", ("vpce-1",)),
        ({"vpcEndpointId": "vpce-1"}, "aws:SourceVpc", UNTOLD),
        ({}, "aws:SourceVpc", ABSENT),
        ({}, "aws:SourceVpce", ABSENT),
        ({"vpcEndpointId": "vpce-1", "sourceIPAddress": "ssm.amazonaws.com"}, "aws:SourceVpce", UNTOLD),
        ({}, "aws:UserAgent", ("aws-cli",)),
        ({"awsRegion": "eu-west-1"}, "aws:RequestedRegion", ("eu-west-1",)),
        ({}, "aws:RequestedRegion", UNTOLD),
        ({"tlsDetails": {"tlsVersion": "TLSv1.3"}}, "aws:SecureTransport", ("true",)),
        ({}, "aws:SecureTransport", UNTOLD),
        ({}, "aws:ViaAWSService", ("false",)),
        ({}, "aws:CalledVia", ABSENT),
        ({"resources": [{"accountId": "1"}, {"accountId": "1"}]}, "aws:ResourceAccount", ("1",)),
        ({"resources": [{"accountId": "1"}, {"accountId": "2"}]}, "aws:ResourceAccount", UNTOLD),
        ({"error": "AccessDenied"}, "aws:RequestTag/a", UNTOLD),
        ({"error": "AccessDenied"}, "aws:TagKeys", UNTOLD),
        ({}, "aws:RequestTag/a", ABSENT),
        ({}, "aws:TagKeys", ABSENT),
        ({}, "aws:SourceArn", ABSENT),
        ({}, "aws:Referer", UNTOLD),
    ],
)
def test_the_request_tells(more: dict[str, Any], key: str, told: tuple[str, ...] | str) -> None:
    assert answer(context(**more), key) == told


@pytest.mark.parametrize(
    ("invoked_by", "via", "called_via"),
    [
        ("cloudformation.amazonaws.com", ("true",), ("cloudformation.amazonaws.com",)),
        ("health.amazonaws.com", ("true",), UNTOLD),
        ("signin.amazonaws.com", ("false",), ABSENT),
        ("AWS Internal", UNTOLD, UNTOLD),
    ],
)
def test_a_call_that_a_service_hands_on_is_told_by_its_name(
    invoked_by: str, via: Any, called_via: Any
) -> None:
    known = context(by={**session(), "invokedBy": invoked_by})
    assert answer(known, "aws:ViaAWSService") == via
    assert answer(known, "aws:CalledVia") == called_via
    assert answer(known, "aws:CalledViaLast") == called_via


def test_a_service_that_acts_by_its_own_role_hands_nothing_on() -> None:
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX"}
    known = context(by={**session(sessionIssuer=issuer), "invokedBy": "x.amazonaws.com"})
    assert answer(known, "aws:ViaAWSService") == ("false",)
    assert answer(known, "aws:CalledVia") == ABSENT


@pytest.mark.parametrize(
    "request_parameters",
    [
        {"tags": [{"key": "a", "value": "1"}, {"key": "b", "value": ""}]},
        {"tags": {"a": "1", "b": ""}},
        {"tagSet": {"items": [{"key": "a", "value": "1"}, {"key": "b", "value": ""}]}},
        {"tagSpecificationSet": {"items": [{"resourceType": "x", "tags": [{"key": "a", "value": "1"}]},
                                           {"resourceType": "y", "tags": [{"key": "b", "value": ""}]}]}},
        {"Tagging": {"TagSet": {"Tag": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]}}},
        {"tagResourceInput": {"tags": {"a": "1", "b": ""}}},
    ],
)  # fmt: skip
def test_tags_of_a_request_are_read_in_every_form(request_parameters: dict[str, Any]) -> None:
    known = context("TagUser", request_parameters)
    assert answer(known, "aws:RequestTag/a") == ("1",)
    assert answer(known, "aws:RequestTag/b") == ("",)
    assert answer(known, "aws:RequestTag/c") == ABSENT
    assert answer(known, "aws:TagKeys") == ("a", "b")


def test_taking_tags_away_names_their_keys() -> None:
    known = context("UntagUser", {"userName": "bob", "tagKeys": ["a"]})
    assert answer(known, "aws:TagKeys") == ("a",)
    assert answer(known, "aws:RequestTag/a") == ABSENT


def test_hidden_tags_are_not_told() -> None:
    hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"
    known = context("TagResource", {"tags": {hidden: hidden}}, service="kms")
    assert answer(known, "aws:TagKeys") == UNTOLD
    assert answer(known, "aws:RequestTag/a") == UNTOLD


def test_tags_that_are_handed_in_are_all_that_there_are() -> None:
    known = context(principal_tags={"team": "red"}, resource_tags={"env": "dev"})
    assert answer(known, "aws:PrincipalTag/team") == ("red",)
    assert answer(known, "aws:PrincipalTag/other") == ABSENT
    assert answer(known, "aws:ResourceTag/env") == ("dev",)
    assert answer(known, "iam:ResourceTag/env") == ("dev",)
    assert answer(known, "iam:ResourceTag/other") == ABSENT
    assert answer(known, "ec2:ResourceTag/env") == ABSENT


def test_tags_and_keys_that_the_trail_wrote_down_are_taken_as_they_stand() -> None:
    written = {
        "requestContext": {"aws:PrincipalOrgID": "o-1", "aws:SourceVpc": ["vpc-1"]},
        "tagContext": {
            "principalTags": {"team": "red"},
            "resourceTags": [{"arn": "x", "tags": {"env": "dev"}}],
        },
    }
    known = context(eventContext=written)
    assert answer(known, "aws:PrincipalOrgID") == ("o-1",)
    assert answer(known, "aws:SourceVpc") == ("vpc-1",)
    assert answer(known, "aws:PrincipalTag/team") == ("red",)
    assert (
        answer(known, "aws:PrincipalTag/other") == UNTOLD
    )  # a trail writes only the tags that it was told to
    assert answer(known, "aws:ResourceTag/env") == ("dev",)


# ---- services


@pytest.mark.parametrize(
    ("service", "operation", "request_parameters", "key", "told"),
    [
        ("sts", "AssumeRole", {"externalId": "x"}, "sts:ExternalId", ("x",)),
        ("sts", "AssumeRole", {"roleSessionName": "s"}, "sts:ExternalId", ABSENT),
        ("sts", "AssumeRole", {"roleSessionName": "s"}, "sts:RoleSessionName", ("s",)),
        ("sts", "AssumeRole", {"sourceIdentity": "bob"}, "sts:SourceIdentity", ("bob",)),
        ("sts", "AssumeRole", {"transitiveTagKeys": ["a"]}, "sts:TransitiveTagKeys", ("a",)),
        ("iam", "AttachUserPolicy", {"policyArn": "p"}, "iam:PolicyARN", ("p",)),
        ("iam", "CreateUser", {"permissionsBoundary": "p"}, "iam:PermissionsBoundary", ("p",)),
        ("iam", "CreateUser", {"userName": "bob"}, "iam:PermissionsBoundary", ABSENT),
        ("iam", "AttachUserPolicy", {"policyArn": "p"}, "iam:PermissionsBoundary", UNTOLD),
        ("s3", "ListObjects", {"bucketName": "b", "prefix": ""}, "s3:prefix", ("",)),
        ("s3", "ListObjects", {"bucketName": "b"}, "s3:prefix", ABSENT),
        ("s3", "ListObjects", {"bucketName": "b", "max-keys": "2"}, "s3:max-keys", ("2",)),
        ("s3", "ListObjects", {"bucketName": "b"}, "s3:authType", UNTOLD),
        ("s3", "ListObjects", {"bucketName": "b"}, "sts:ExternalId", ABSENT),
        ("kms", "Decrypt", {"encryptionContext": {"a": "1"}}, "kms:EncryptionContext:a", ("1",)),
        ("kms", "Decrypt", {"encryptionContext": {"a": "1"}}, "kms:EncryptionContext:b", ABSENT),
        ("kms", "Decrypt", {"encryptionContext": {"a": "1"}}, "kms:EncryptionContextKeys", ("a",)),
        ("kms", "Decrypt", {}, "kms:ViaService", ABSENT),
        ("kms", "Decrypt", {}, "kms:CallerAccount", (ACCOUNT,)),
        ("ec2", "RunInstances", {}, "ec2:InstanceType", UNTOLD),
        ("ec2", "RunInstances", {}, "s3:prefix", ABSENT),
    ],
)
def test_a_service_tells_its_own_keys(
    service: str, operation: str, request_parameters: dict[str, Any], key: str, told: tuple[str, ...] | str
) -> None:
    assert answer(context(operation, request_parameters, service=service), key) == told


def test_to_whom_a_role_is_passed_is_taken_from_the_service_called() -> None:
    known = context("CreateFunction20150331", {}, service="lambda", action="iam:PassRole")
    assert answer(known, "iam:PassedToService") == ("lambda.amazonaws.com",)
    assert answer(context("CreateFunction20150331", {}, service="lambda"), "iam:PassedToService") == ABSENT


def test_kms_is_told_by_which_service_it_was_called() -> None:
    known = context(
        "Decrypt", {}, service="kms", by={**ADMIN, "invokedBy": "ssm.amazonaws.com"}, awsRegion="eu-west-1"
    )
    assert answer(known, "kms:ViaService") == ("ssm.eu-west-1.amazonaws.com",)


def test_a_web_identity_tells_subject_and_audience_under_its_providers_name() -> None:
    by = {
        "type": "WebIdentityUser",
        "identityProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com",
    }
    response = {"subjectFromWebIdentityToken": "repo:x", "audience": "sts.amazonaws.com"}
    known = context("AssumeRoleWithWebIdentity", {}, service="sts", by=by, response=response)
    assert answer(known, "token.example.com:sub") == ("repo:x",)
    assert answer(known, "token.example.com:aud") == ("sts.amazonaws.com",)


# ---- all of it


def test_the_documented_keys_are_those_that_are_read() -> None:
    text = (PROJECT / "docs" / "condition-keys.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{row.key}` | {row.whence} | {row.when} |"
        for row in sorted(KEYS.values(), key=lambda it: it.key.lower())
    ]


def test_every_recorded_call_tells_time_region_and_whether_a_service_stood_between(real_logs: Path) -> None:
    told = [context_of(read_record(it, account_id=INVICTUS)) for it in records_of(real_logs)]
    assert all(answer(known, "aws:CurrentTime") != UNTOLD for known in told)
    assert all(answer(known, "aws:RequestedRegion") != UNTOLD for known in told)
    assert sum(answer(known, "aws:PrincipalArn") == UNTOLD for known in told) < 0.02 * len(told)
    assert sum(answer(known, "aws:SourceIp") == UNTOLD for known in told) < 0.07 * len(told)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_members = st.sampled_from(
    [
        "tags",
        "tagSet",
        "items",
        "key",
        "value",
        "eventContext",
        "requestContext",
        "tagContext",
        "principalTags",
        "resourceTags",
        "tlsDetails",
        "invokedBy",
        "sessionContext",
        "attributes",
        "creationDate",
        "sessionIssuer",
        "arn",
        "type",
        "encryptionContext",
        "vpcEndpointId",
        "resources",
    ]
)
_nested = st.dictionaries(
    _members, _json | st.dictionaries(_members, _json | st.dictionaries(_members, _json))
)


@given(st.sampled_from(["iam", "sts", "kms", "s3", "ec2"]), _nested, _nested, _nested)
def test_no_record_makes_it_stumble(service: str, request_parameters: Any, identity: Any, more: Any) -> None:
    document = call(
        "AssumeRoleWithWebIdentity", request_parameters, source=f"{service}.amazonaws.com", by=identity
    )
    known = context_of(read_record({**document, **more}))
    assert all(known.knows(key) for key in known.values)


@given(
    st.sampled_from([*sorted(DECISIONS), "s3:GetObject", "cloudtrail:LookupEvents"]),
    st.sampled_from(
        [None, {"serialNumber": "arn:aws:iam::1:mfa/a"}, {"tags": [{"key": "team", "value": "blue"}]}]
    ),
    st.sampled_from([ROOT, ADMIN, SERVICE, session(), session(ec2RoleDelivery="2.0", sourceIdentity="ann")]),
    st.dictionaries(st.sampled_from(["team", "cost"]), st.sampled_from(["blue", "red"])),
)
def test_what_follows_from_the_caller_the_time_and_the_call_is_together_all_there_is(
    action: str, request: dict[str, Any] | None, who: dict[str, Any], tags: dict[str, str]
) -> None:
    service, _, name = action.partition(":")
    record = read_record(call(name, request, source=f"{service}.amazonaws.com", by=who))
    context = who.get("sessionContext", {}).get("attributes", {})
    since = NOON - 120 if context.get("mfaAuthenticated") == "true" else None
    asked = "iam:PassRole" if action == "iam:AddRoleToInstanceProfile" else action
    told = of_request(orjson.dumps(request).decode(), called=record.action, action=asked, resource_tags=tags)
    parts = {**of_caller(record), **of_time(NOON, mfa_since=since), **told}
    assert parts == context_of(record, action=asked, resource_tags=tags).values
    other = call("ListBuckets", {"prefix": "a"}, source="s3.amazonaws.com", by=who, at=NOON + 7)
    assert of_caller(read_record(other)) == of_caller(record)
