"""Policies that users and groups hold, attached and inline: what is answered and what is refused."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from ledger.iam.refusals import (
    InvalidInput,
    LimitExceeded,
    Malformed,
    NoSuchEntity,
    PolicyNotAttachable,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, DENY_TEXT, OWN, READ_ONLY, call, create_policy

SERVICE_ROLE = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
AUDIT = "arn:aws:iam::aws:policy/SecurityAudit"
JOB = "arn:aws:iam::aws:policy/job-function/Billing"


class Holding:
    """A user or a group who is asked about their policies: `{}` in an operation's name is the noun."""

    def __init__(self, noun: str, *history: dict[str, Any]) -> None:
        self.noun = noun
        self.iam = Asked(*history)
        self("Create{}")

    def __call__(self, operation: str, name: str = "sam", **parameters: Any) -> dict[str, Any]:
        return self.iam(operation.format(self.noun), **parameters | {f"{self.noun}Name": name})

    def attached(self, **parameters: Any) -> list[str]:
        listed = self("ListAttached{}Policies", **parameters)["AttachedPolicies"]
        return [it["PolicyName"] for it in listed]


@pytest.fixture(params=["User", "Group"])
def holder(request: pytest.FixtureRequest) -> Holding:
    return Holding(request.param, create_policy())


def policy_of(size: int) -> str:
    """A policy of so many characters."""
    frame = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}}'
    )
    return frame.replace(":::", ":::" + "b" * (size - len(frame)))


# ---- attached


def test_attached_policies_are_listed_by_name(holder: Holding) -> None:
    for arn in (AUDIT, OWN, JOB):
        holder("Attach{}Policy", PolicyArn=arn)
    assert holder("ListAttached{}Policies") == {
        "AttachedPolicies": [
            {"PolicyName": "Billing", "PolicyArn": JOB},
            {"PolicyName": "own", "PolicyArn": OWN},
            {"PolicyName": "SecurityAudit", "PolicyArn": AUDIT},
        ],
        "IsTruncated": False,
    }
    assert holder.attached(PathPrefix="/") == ["Billing", "own", "SecurityAudit"]
    assert holder.attached(PathPrefix="/team/") == ["own"]
    page = holder("ListAttached{}Policies", MaxItems=2)
    assert page["IsTruncated"] is True
    assert holder.attached(Marker=page["Marker"]) == ["SecurityAudit"]


@pytest.mark.parametrize("noun", ["User", "Group"])
def test_a_marker_is_no_longer_than_aws_takes_whatever_the_arn(noun: str) -> None:
    path, name = f"/{'p' * 510}/", "N" * 128
    policy = {"policyName": name, "path": path, "arn": f"arn:aws:iam::{ACCOUNT}:policy{path}{name}"}
    holder = Holding(noun, call("CreatePolicy", {"policyDocument": ALLOW_TEXT}, {"policy": policy}))
    for arn in (policy["arn"], READ_ONLY):
        holder("Attach{}Policy", PolicyArn=arn)
    assert len(holder("ListAttached{}Policies", MaxItems=1)["Marker"]) <= 320


def test_attaching_twice_changes_nothing_though_there_is_no_room(holder: Holding) -> None:
    roomy = [f"arn:aws:iam::aws:policy/{name}" for name in NINE]
    for arn in (*roomy, OWN):
        holder("Attach{}Policy", PolicyArn=arn)
    full = holder.iam.account
    holder("Attach{}Policy", PolicyArn=OWN)
    assert holder.iam.account == full
    with refused(LimitExceeded, f"Cannot exceed quota for PoliciesPer{holder.noun}: 10"):
        holder("Attach{}Policy", PolicyArn=JOB)
    holder("Detach{}Policy", PolicyArn=OWN)
    holder("Attach{}Policy", PolicyArn=JOB)


NINE = (
    *("ReadOnlyAccess", "SecurityAudit", "IAMFullAccess", "IAMReadOnlyAccess", "AmazonS3FullAccess"),
    *("AmazonS3ReadOnlyAccess", "AmazonEC2FullAccess", "AmazonEC2ReadOnlyAccess", "PowerUserAccess"),
)


@pytest.mark.parametrize("operation", ["Attach{}Policy", "Detach{}Policy"])
def test_what_is_no_arn_of_a_policy_is_refused_before_anything_else(holder: Holding, operation: str) -> None:
    with refused(ValidationError, "ARN longpolicynamebutnoarn is not valid."):
        holder(operation, name="none", PolicyArn="longpolicynamebutnoarn")
    other = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    with refused(InvalidInput, f"ARN {other} is not valid."):
        holder(operation, PolicyArn=other)


def test_only_a_policy_that_is_there_is_attached(holder: Holding) -> None:
    for arn in (
        f"arn:aws:iam::{ACCOUNT}:policy/own",
        "arn:aws:iam::999999999999:policy/team/own",
        "arn:aws:iam::aws:policy/Made-Up",
    ):
        with refused(NoSuchEntity, f"Policy {arn} does not exist or is not attachable."):
            holder("Attach{}Policy", PolicyArn=arn)


def test_what_aws_keeps_for_its_services_is_not_attached(holder: Holding) -> None:
    with refused(PolicyNotAttachable, f"Cannot attach a Service Role Policy to a {holder.noun}."):
        holder("Attach{}Policy", PolicyArn=SERVICE_ROLE)


def test_only_what_is_attached_is_detached(holder: Holding) -> None:
    with refused(NoSuchEntity, f"Policy {OWN} was not found."):
        holder("Detach{}Policy", PolicyArn=OWN)
    holder("Attach{}Policy", PolicyArn=OWN)
    holder("Detach{}Policy", PolicyArn=OWN)
    assert holder.attached() == []


# ---- inline


def test_an_inline_policy_is_answered_url_encoded(holder: Holding) -> None:
    holder("Put{}Policy", PolicyName="p", PolicyDocument=ALLOW_TEXT)
    told = holder("Get{}Policy", name="SAM", PolicyName="p")
    assert told.keys() == {f"{holder.noun}Name", "PolicyName", "PolicyDocument"}
    assert (told[f"{holder.noun}Name"], told["PolicyName"]) == ("sam", "p")
    assert told["PolicyDocument"].startswith("%7B%22Version%22%3A%222012-10-17%22")
    assert json.loads(unquote(told["PolicyDocument"])) == json.loads(ALLOW_TEXT)


def test_another_text_under_the_name_takes_its_place(holder: Holding) -> None:
    for text in (ALLOW_TEXT, DENY_TEXT):
        holder("Put{}Policy", PolicyName="p", PolicyDocument=text)
    assert unquote(holder("Get{}Policy", PolicyName="p")["PolicyDocument"]) == DENY_TEXT
    assert holder("List{}Policies") == {"PolicyNames": ["p"], "IsTruncated": False}


def test_inline_policies_are_listed_by_name_a_page_at_a_time(holder: Holding) -> None:
    assert holder("List{}Policies") == {"PolicyNames": [], "IsTruncated": False}
    for name in ("c", "a", "b"):
        holder("Put{}Policy", PolicyName=name, PolicyDocument=ALLOW_TEXT)
    page = holder("List{}Policies", MaxItems=2)
    assert (page["PolicyNames"], page["IsTruncated"]) == (["a", "b"], True)
    assert holder("List{}Policies", Marker=page["Marker"]) == {"PolicyNames": ["c"], "IsTruncated": False}


def test_a_deleted_inline_policy_is_gone(holder: Holding) -> None:
    holder("Put{}Policy", PolicyName="p", PolicyDocument=ALLOW_TEXT)
    holder("Delete{}Policy", PolicyName="p")
    for operation in ("Get{}Policy", "Delete{}Policy"):
        with refused(NoSuchEntity, f"The {holder.noun.lower()} policy with name p cannot be found."):
            holder(operation, PolicyName="p")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Syntax errors in policy."),
        (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}',
            "Policy statement must contain resources.",
        ),
    ],
)
def test_a_malformed_policy_is_refused_in_awss_words(holder: Holding, text: str, message: str) -> None:
    with refused(Malformed, message):
        holder("Put{}Policy", PolicyName="p", PolicyDocument=text)


def test_all_inline_policies_share_one_quota_in_which_white_space_is_free(holder: Holding) -> None:
    quota = {"User": 2048, "Group": 5120}[holder.noun]
    half = quota // 2
    holder("Put{}Policy", PolicyName="first", PolicyDocument=policy_of(half))
    too_large = f"Maximum policy size of {quota} bytes exceeded for {holder.noun.lower()} sam"
    with refused(LimitExceeded, too_large):
        holder("Put{}Policy", PolicyName="second", PolicyDocument=policy_of(half + 1))
    holder("Put{}Policy", PolicyName="second", PolicyDocument=policy_of(half).replace(",", ",\n    "))
    holder("Put{}Policy", PolicyName="second", PolicyDocument=policy_of(half).replace("b", "c"))
    with refused(LimitExceeded, too_large):
        holder("Put{}Policy", PolicyName="third", PolicyDocument=ALLOW_TEXT)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("Attach{}Policy", {"PolicyArn": READ_ONLY}),
        ("Detach{}Policy", {"PolicyArn": READ_ONLY}),
        ("ListAttached{}Policies", {}),
        ("Put{}Policy", {"PolicyName": "p", "PolicyDocument": ALLOW_TEXT}),
        ("Get{}Policy", {"PolicyName": "p"}),
        ("Delete{}Policy", {"PolicyName": "p"}),
        ("List{}Policies", {}),
    ],
)
def test_who_holds_policies_must_be_there(
    holder: Holding, operation: str, parameters: dict[str, Any]
) -> None:
    with refused(NoSuchEntity, f"The {holder.noun.lower()} with name none cannot be found."):
        holder(operation, name="none", **parameters)
