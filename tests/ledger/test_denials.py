"""What AWS's words say of a denial, in their many spellings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.calls.denials import DenialWords, PolicyKind, Refusal, denial_words, read_message
from ledger.record import read_record
from tests.ledger.denied import Denied, denied
from tests.ledger.told import call

BOB = "arn:aws:iam::111122223333:user/bob"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
SCP = "arn:aws:organizations::111122223333:policy/o-1/service_control_policy/p-1"


@pytest.mark.parametrize(
    ("message", "action", "resource", "refusal", "kind", "arn"),
    [
        (f"User: {BOB} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/r",
         "sts:AssumeRole", "arn:aws:iam::1:role/r", Refusal.UNTOLD, None, None),
        (f"User: {BOB} is not authorized to perform: iam:GetUser on resource: user bob because no identity-based "
         "policy allows the iam:GetUser action",
         "iam:GetUser", "user bob", Refusal.IMPLICIT, PolicyKind.IDENTITY, None),
        (f"User: {BOB} is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\" with an explicit "
         "deny in a resource-based policy",
         "s3:GetObject", "arn:aws:s3:::b/k", Refusal.EXPLICIT, PolicyKind.RESOURCE, None),
        (f"User: {BOB} is not authorized to perform: s3:ListAllMyBuckets with an explicit deny",
         "s3:ListAllMyBuckets", None, Refusal.EXPLICIT, None, None),
        (f"User: {BOB} is not authorized to perform: kms:Decrypt on resource: {KEY} with an explicit deny in a "
         f"service control policy: {SCP}",
         "kms:Decrypt", KEY, Refusal.EXPLICIT, PolicyKind.SERVICE_CONTROL, SCP),
        (f"User: {BOB} is not authorized to perform: kms:Decrypt on resource: {KEY} with an explicit deny in a "
         "resource control policy",
         "kms:Decrypt", KEY, Refusal.EXPLICIT, PolicyKind.RESOURCE_CONTROL, None),
        (f"User: {BOB} is not authorized to perform: ssm:GetParameter on resource: * because no permissions boundary "
         "allows the ssm:GetParameter action",
         "ssm:GetParameter", "*", Refusal.IMPLICIT, PolicyKind.BOUNDARY, None),
        (f"User: {BOB} is not authorized to perform: ssm:GetParameter on resource: * because no session policy allows "
         "the ssm:GetParameter action",
         "ssm:GetParameter", "*", Refusal.IMPLICIT, PolicyKind.SESSION, None),
        (f"User: {BOB} is not authorized to perform: sts:AssumeRole on resource: * because no role trust policy allows "
         "the sts:AssumeRole action",
         "sts:AssumeRole", "*", Refusal.IMPLICIT, PolicyKind.TRUST, None),
        (f"User: {BOB} is not authorized to perform: s3:GetObject on resource: * because no VPC endpoint policy allows "
         "the s3:GetObject action",
         "s3:GetObject", "*", Refusal.IMPLICIT, PolicyKind.VPC_ENDPOINT, None),
        (f"You are not authorized to perform this operation. User: {BOB} is not authorized to perform: "
         "ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:instance/* because no identity-based policy allows the "
         "ec2:RunInstances action. Encoded authorization failure message: 4ML8xfbbyt",
         "ec2:RunInstances", "arn:aws:ec2:us-east-1:1:instance/*", Refusal.IMPLICIT, PolicyKind.IDENTITY, None),
        ("You are not authorized to perform this operation. Encoded authorization failure message: 4ML8xfbbyt",
         None, None, Refusal.UNTOLD, None, None),
        (f"User: {BOB} is not authorized to perform: elasticfilesystem:DeleteFileSystem on the specified resource",
         "elasticfilesystem:DeleteFileSystem", None, Refusal.UNTOLD, None, None),
        (f"User: {BOB} is not authorized to perform: dynamodb:Query on resource: arn:aws:dynamodb:r:1:table/t "
         "(Service: AmazonDynamoDBv2; Status Code: 400)",
         "dynamodb:Query", "arn:aws:dynamodb:r:1:table/t", Refusal.UNTOLD, None, None),
        ("Not authorized to perform sts:AssumeRoleWithWebIdentity",
         "sts:AssumeRoleWithWebIdentity", None, Refusal.UNTOLD, None, None),
        (f"User: {BOB} is not authorized to access this resource with an explicit deny",
         None, None, Refusal.EXPLICIT, None, None),
    ],
)  # fmt: skip
def test_every_spelling_is_read(
    message: str,
    action: str | None,
    resource: str | None,
    refusal: Refusal,
    kind: PolicyKind | None,
    arn: str | None,
) -> None:
    principal = BOB if f"User: {BOB}" in message else None
    assert read_message(message) == DenialWords(principal, action, resource, refusal, kind, arn)


def test_what_a_caller_writes_into_a_key_does_not_pass_for_the_reason() -> None:
    key = "k because no session policy allows the s3:ListBucket action"
    found = read_message(
        f"User: {BOB} is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/{key} with an explicit "
        "deny in an identity-based policy"
    )
    assert found is not None
    assert (found.action, found.resource) == ("s3:GetObject", f"arn:aws:s3:::b/{key}")
    assert (found.refusal, found.policy_kind) == (Refusal.EXPLICIT, PolicyKind.IDENTITY)


@pytest.mark.parametrize(
    "message", ["Access Denied", "", "The user with name bob cannot be found.", None, 7, ["x"]]
)
def test_other_messages_say_nothing(message: object) -> None:
    assert (
        denial_words(read_record({**call("GetUser", error="AccessDenied"), "errorMessage": message})) is None
    )


def test_the_words_of_every_recorded_denial_are_found(real_logs: Path) -> None:
    rows = list(denied(real_logs))
    assert len(rows) == 191
    assert [it.wanted for it in rows if _told(it) != it.wanted] == []


def _told(it: Denied) -> tuple[str | None, ...]:
    words = denial_words(it.record)
    return (None, None, None) if words is None else (words.action, words.resource, words.principal)


@given(st.text() | st.lists(st.sampled_from(
    ["User: ", " is not authorized to perform: ", "a:b", " on resource: ", '"', " because no ", "session policy",
     " allows the ", " with an explicit deny in a ", ": arn:aws:x", " Encoded authorization failure message: "]
)).map("".join))  # fmt: skip
def test_no_message_makes_it_stumble(message: str) -> None:
    read_message(message)
