"""Service last accessed details: for which services, whose use counts, and how long a report is found again."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.iam.deciding import Bearer
from ledger.iam.refusals import InvalidInput, NoSuchEntity
from ledger.policy.request import caller_of
from projections.investigation import Investigation
from tests.api.aws.reading_asked import Ledger
from tests.ledger.asking import refused
from tests.ledger.told import (
    ACCOUNT,
    NOON,
    OWN,
    READ_ONLY,
    call,
    create_group,
    create_policy,
    create_role,
    create_user,
)

GENERATE = "iam:GenerateServiceLastAccessedDetails"
GET = "iam:GetServiceLastAccessedDetails"
ENTITIES = "iam:GetServiceLastAccessedDetailsWithEntities"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
DEVS = f"arn:aws:iam::{ACCOUNT}:group/devs"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
GRANTS = (
    '{"Version":"2012-10-17","Statement":['
    '{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","iam:ListUsers","sqs:SendMessage"],"Resource":"*"},'
    '{"Effect":"Deny","Action":"sqs:*","Resource":"*"},'
    '{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam::*:user/root"}]}'
)


def identity(name: str) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper():0>12}1",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
    }


def at_s3(name: str, by: dict[str, Any], at: int, **more: Any) -> dict[str, Any]:
    return call(name, by=by, at=at, source="s3.amazonaws.com", awsRegion="eu-west-1", **more)


@pytest.fixture
def told(either_ledger: Ledger) -> Ledger:
    policy = {"userName": "alice", "policyName": "grants", "policyDocument": GRANTS}
    return either_ledger.told(
        create_user("alice", at=NOON),
        create_user("bob", at=NOON),
        create_user("carol", at=NOON),
        create_group(at=NOON),
        create_role(at=NOON),
        create_policy(at=NOON),
        call("PutUserPolicy", policy, at=NOON + 1),
        call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}, at=NOON + 1),
        call("AttachRolePolicy", {"roleName": "deploy", "policyArn": OWN}, at=NOON + 1),
        call("AddUserToGroup", {"groupName": "devs", "userName": "bob"}, at=NOON + 2),
        call("AddUserToGroup", {"groupName": "devs", "userName": "carol"}, at=NOON + 2),
        call("PutUserPermissionsBoundary", {"userName": "alice", "permissionsBoundary": OWN}, at=NOON + 2),
        at_s3("GetObject", identity("alice"), NOON + 60),
        at_s3("PutObject", identity("alice"), NOON + 90, error="AccessDenied"),
        at_s3("GetObject", identity("bob"), NOON + 70),
    )


def reported(ledger: Ledger, arn: str, **more: Any) -> dict[str, Any]:
    return ledger(GET, JobId=ledger(GENERATE, Arn=arn, **more)["JobId"])


def test_a_users_services_with_the_last_attempt(told: Ledger) -> None:
    answer = reported(told, ALICE)
    assert (answer["JobStatus"], answer["JobType"]) == ("COMPLETED", "SERVICE_LEVEL")
    assert answer["JobCreationDate"] == answer["JobCompletionDate"] == told.time
    assert answer["ServicesLastAccessed"] == [
        {
            "ServiceName": "AWS Identity and Access Management (IAM)",
            "ServiceNamespace": "iam",
            "TotalAuthenticatedEntities": 0,
        },
        {
            "ServiceName": "Amazon S3",
            "ServiceNamespace": "s3",
            "LastAuthenticated": NOON + 90,
            "LastAuthenticatedEntity": ALICE,
            "LastAuthenticatedRegion": "eu-west-1",
            "TotalAuthenticatedEntities": 1,
        },
    ]


def test_actions_are_told_where_they_are_asked_for(told: Ledger) -> None:
    iam, s3 = reported(told, ALICE, Granularity="ACTION_LEVEL")["ServicesLastAccessed"]
    assert "TrackedActionsLastAccessed" not in iam
    assert [(it["ActionName"], it["LastAccessedTime"]) for it in s3["TrackedActionsLastAccessed"]] == [
        ("GetObject", NOON + 60),
        ("PutObject", NOON + 90),
    ]


def test_an_action_that_was_never_used_has_a_name_only(told: Ledger) -> None:
    (s3,) = reported(told, DEVS, Granularity="ACTION_LEVEL")["ServicesLastAccessed"]
    actions = {it.pop("ActionName"): it for it in s3["TrackedActionsLastAccessed"]}
    assert actions["PutObject"] == {}
    assert actions["GetObject"]["LastAccessedEntity"].endswith("user/bob")


def test_members_count_for_a_group_and_whoever_has_it_for_a_policy(told: Ledger) -> None:
    session = {
        "type": "AssumedRole",
        "principalId": "AROA000000DEPLOY1:build",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build",
        "accountId": ACCOUNT,
    }
    told.told(at_s3("GetObject", session, NOON + 80))
    (group,) = reported(told, DEVS)["ServicesLastAccessed"]
    assert group["LastAuthenticatedEntity"].endswith("user/bob")
    assert group["TotalAuthenticatedEntities"] == 1
    (policy,) = reported(told, OWN)["ServicesLastAccessed"]
    assert policy["LastAuthenticatedEntity"] == DEPLOY
    assert policy["TotalAuthenticatedEntities"] == 2  # whom it bounds does not count


def test_entities_stand_by_their_last_use(told: Ledger) -> None:
    job = told(GENERATE, Arn=OWN)["JobId"]
    listed = told(ENTITIES, JobId=job, ServiceNamespace="s3")["EntityDetailsList"]
    assert [it["EntityInfo"]["Name"] for it in listed] == ["bob", "carol", "deploy"]
    assert [it.get("LastAuthenticated") for it in listed] == [NOON + 70, None, None]
    assert listed[2]["EntityInfo"]["Type"] == "ROLE"
    page = told(ENTITIES, JobId=job, ServiceNamespace="s3", MaxItems=1)
    rest = told(ENTITIES, JobId=job, ServiceNamespace="s3", Marker=page["Marker"])
    assert page["EntityDetailsList"] + rest["EntityDetailsList"] == listed
    assert told(ENTITIES, JobId=job, ServiceNamespace="ec2")["EntityDetailsList"] == []


def test_services_are_told_a_page_at_a_time(told: Ledger) -> None:
    told.told(call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}, at=NOON + 3))
    job = told(GENERATE, Arn=ALICE)["JobId"]
    found, page = [], told(GET, JobId=job)
    while page["IsTruncated"]:
        found += page["ServicesLastAccessed"]
        page = told(GET, JobId=job, Marker=page["Marker"])
    services = [it["ServiceNamespace"] for it in found + page["ServicesLastAccessed"]]
    assert len(services) > 200
    assert services == sorted(set(services))


def test_a_report_is_found_again_after_a_restart(told: Ledger) -> None:
    job = told(GENERATE, Arn=ALICE, Granularity="ACTION_LEVEL")["JobId"]
    assert len(job) == 36
    told.time += 86_400
    told.investigation = Investigation(told.log)
    assert told(GET, JobId=job)["JobCreationDate"] == told.time - 86_400


def test_nobody_else_finds_it_and_no_other_is_found(told: Ledger) -> None:
    job = told(GENERATE, Arn=ALICE)["JobId"]
    other = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:user/bob", unique_id="AIDA000000000BOB1"))
    spoilt = job[:-1] + ("0" if job[-1] != "0" else "1")
    with refused(NoSuchEntity, f"The job with id {job} cannot be found."):
        told(GET, JobId=job, by=other)
    for wrong in (spoilt, "x" * 36):
        with refused(NoSuchEntity, f"The job with id {wrong} cannot be found."):
            told(GET, JobId=wrong)


@pytest.mark.parametrize("arn", ["arn:aws:s3:::bucket-of-somebody", "not-an-arn-at-all-but-long"])
def test_what_is_no_arn_of_an_identity_is_refused(told: Ledger, arn: str) -> None:
    with refused(InvalidInput, f"ARN {arn} is not valid."):
        told(GENERATE, Arn=arn)


@pytest.mark.parametrize("rest", ["user/nobody", "group/none", "role/path/deploy", "policy/none"])
def test_who_is_not_there_is_refused(told: Ledger, rest: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:{rest}"
    with refused(NoSuchEntity, f"ARN {arn} does not exist."):
        told(GENERATE, Arn=arn)


def test_last_uses_are_the_same_however_the_log_was_taken_in(told: Ledger) -> None:
    """A late record does not put an earlier use in the place of a later one."""
    uses = told.investigation.last_uses
    ids = [identity(name)["principalId"] for name in ("alice", "bob")]
    uses.uses(ids)
    told.told(
        at_s3("GetObject", identity("alice"), NOON + 5), at_s3("GetObject", identity("bob"), NOON + 500)
    )
    bit_by_bit = uses.uses(ids)
    assert [(one.time - NOON, one.action) for one in bit_by_bit] == [
        (500, "s3:GetObject"),
        (90, "s3:PutObject"),
        (60, "s3:GetObject"),
    ]
    told.investigation.rebuild()
    assert uses.uses(ids) == bit_by_bit
