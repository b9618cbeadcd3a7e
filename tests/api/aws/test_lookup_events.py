"""LookupEvents: which events are told, in which order and form, a page at a time."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from api.aws.answers.refusals import (
    InvalidLookupAttributes,
    InvalidMaxResults,
    InvalidNextToken,
    InvalidTimeRange,
)
from projections import lookups
from projections.resource_types import resources_told
from tests.api.aws.reading_asked import Ledger
from tests.ledger.asking import refused
from tests.ledger.told import ACCOUNT, ADMIN, NOON, ROOT, call, create_key, create_user

LOOKUP = "cloudtrail:LookupEvents"
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROADEPLOY000001:build-7",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-7",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIADEPLOY000001",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROADEPLOY000001",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "accountId": ACCOUNT,
            "userName": "deploy",
        }
    },
}


def by(key: str, value: str) -> dict[str, str]:
    return {"AttributeKey": key, "AttributeValue": value}


@pytest.fixture
def told(either_ledger: Ledger) -> Ledger:
    return either_ledger.told(
        create_user(at=NOON, event_id="id-1", awsRegion="us-east-1", readOnly=False),
        create_key(at=NOON + 1, event_id="id-2", readOnly=False),
        call("ListUsers", by=ROOT, at=NOON + 2, event_id="id-3", readOnly=True),
        call(
            "ListFunctions20150331",
            by=SESSION,
            at=NOON + 3,
            event_id="id-4",
            source="lambda.amazonaws.com",
            readOnly=True,
        ),
        call(
            "GetObject",
            {"bucketName": "logs", "key": "a/b.gz"},
            by=SESSION,
            at=NOON + 4,
            event_id="id-5",
            source="s3.amazonaws.com",
            awsRegion="eu-west-1",
            readOnly=True,
        ),
        call("CreateUser", {"userName": "alice"}, at=NOON + 5, event_id="id-6", error="EntityAlreadyExists"),
    )


def ids(answer: dict[str, Any]) -> list[str]:
    return [event["EventId"] for event in answer["Events"]]


def test_everything_is_told_the_newest_first(told: Ledger) -> None:
    assert ids(told(LOOKUP)) == ["id-6", "id-5", "id-4", "id-3", "id-2", "id-1"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("EventId", "id-3", ["id-3"]),
        ("EventId", "nothing", []),
        ("EventName", "CreateUser", ["id-6", "id-1"]),
        ("EventName", "createuser", []),
        ("EventName", "Create*", []),
        ("EventName", "ListFunctions20150331", ["id-4"]),
        ("EventName", "ListFunctions", []),
        ("ReadOnly", "true", ["id-5", "id-4", "id-3"]),
        ("ReadOnly", "false", ["id-6", "id-2", "id-1"]),
        ("ReadOnly", "maybe", []),
        ("Username", "admin", ["id-6", "id-2", "id-1"]),
        ("Username", "root", ["id-3"]),
        ("Username", "build-7", ["id-5", "id-4"]),
        ("Username", "BUILD-7", []),
        ("Username", "deploy", []),
        ("ResourceType", "AWS::IAM::User", ["id-6", "id-2", "id-1"]),
        ("ResourceType", "AWS::S3::Object", ["id-5"]),
        ("ResourceType", "AWS::S3::Bucket", ["id-5"]),
        ("ResourceType", "AWS::No::Such", []),
        ("ResourceName", "alice", ["id-6", "id-2", "id-1"]),
        ("ResourceName", f"arn:aws:iam::{ACCOUNT}:user/alice", ["id-6", "id-2", "id-1"]),
        ("ResourceName", "logs", ["id-5"]),
        ("ResourceName", "lo_s", []),
        ("EventSource", "iam.amazonaws.com", ["id-6", "id-3", "id-2", "id-1"]),
        ("EventSource", "iam", []),
        ("AccessKeyId", "ASIADEPLOY000001", ["id-5", "id-4"]),
    ],
)
def test_an_attribute_is_compared_whole_and_by_case(
    told: Ledger, key: str, value: str, expected: list[str]
) -> None:
    assert ids(told(LOOKUP, LookupAttributes=[by(key, value)])) == expected


def test_whatever_a_told_event_names_finds_it(told: Ledger) -> None:
    for event in told(LOOKUP)["Events"]:
        asked = [("EventId", event["EventId"]), ("EventName", event["EventName"])]
        asked += [("EventSource", event["EventSource"]), ("ReadOnly", event["ReadOnly"])]
        asked += [(name, event[name]) for name in ("Username", "AccessKeyId") if name in event]
        for resource in event["Resources"]:
            asked += [(name, resource[name]) for name in ("ResourceName", "ResourceType")]
        for key, value in asked:
            assert event["EventId"] in ids(told(LOOKUP, LookupAttributes=[by(key, value)])), (key, value)


def test_all_attributes_must_hold(told: Ledger) -> None:
    both = [by("EventName", "CreateUser"), by("EventId", "id-1")]
    assert ids(told(LOOKUP, LookupAttributes=both)) == ["id-1"]
    assert ids(told(LOOKUP, LookupAttributes=[*both, by("ReadOnly", "true")])) == []


def test_events_at_both_ends_of_the_time_are_told(told: Ledger) -> None:
    assert ids(told(LOOKUP, StartTime=NOON + 1, EndTime=NOON + 3)) == ["id-4", "id-3", "id-2"]
    with refused(InvalidTimeRange, "The start time is after the end time."):
        told(LOOKUP, StartTime=NOON + 1, EndTime=NOON)


def test_an_event_is_told_as_aws_tells_it(told: Ledger) -> None:
    (event,) = told(LOOKUP, LookupAttributes=[by("EventId", "id-1")])["Events"]
    record = orjson.loads(event.pop("CloudTrailEvent"))
    assert record["eventID"] == "id-1"
    assert record["userIdentity"] == ADMIN
    assert event == {
        "EventId": "id-1",
        "EventName": "CreateUser",
        "ReadOnly": "false",
        "AccessKeyId": "AKIAADMIN0000001",
        "EventTime": NOON,
        "EventSource": "iam.amazonaws.com",
        "Username": "admin",
        "Resources": [
            {"ResourceType": "AWS::IAM::User", "ResourceName": f"arn:aws:iam::{ACCOUNT}:user/alice"},
            {"ResourceType": "AWS::IAM::User", "ResourceName": "alice"},
        ],
    }


def test_pages_follow_each_other_and_stay_put(told: Ledger) -> None:
    found: list[str] = []
    asked: dict[str, Any] = {"MaxResults": 2, "EndTime": NOON + 5}
    page = told(LOOKUP, **asked)
    while "NextToken" in page:
        found += ids(page)
        page = told(LOOKUP, **asked, NextToken=page["NextToken"])
    assert found + ids(page) == ["id-6", "id-5", "id-4", "id-3", "id-2", "id-1"]


def test_a_token_is_good_for_the_same_question_only(told: Ledger) -> None:
    token = told(LOOKUP, MaxResults=1)["NextToken"]
    message = "The token is not valid, or was given with other parameters."
    with refused(InvalidNextToken, message):
        told(LOOKUP, MaxResults=1, NextToken=token, LookupAttributes=[by("ReadOnly", "true")])
    for spoilt in ("", "x", token[:-4], "A" + token[1:], "é"):
        with refused(InvalidNextToken, message):
            told(LOOKUP, MaxResults=1, NextToken=spoilt)


def test_limits_and_attributes_are_checked(told: Ledger) -> None:
    for limit in (0, 51):
        with refused(InvalidMaxResults, "MaxResults must be from 1 to 50."):
            told(LOOKUP, MaxResults=limit)
    with refused(InvalidLookupAttributes, "Colour is no attribute to look events up by."):
        told(LOOKUP, LookupAttributes=[by("Colour", "blue")])


def test_insights_are_told_only_where_they_are_asked_for(ledger: Ledger) -> None:
    insight = {
        "eventVersion": "1.08",
        "eventTime": "2023-11-14T22:13:20Z",
        "eventID": "insight-1",
        "eventType": "AwsCloudTrailInsight",
        "eventCategory": "Insight",
        "recipientAccountId": ACCOUNT,
        "insightDetails": {"state": "Start", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"},
    }
    ledger.told(insight, create_user(event_id="id-1"))
    assert ids(ledger(LOOKUP)) == ["id-1"]
    (told,) = ledger(LOOKUP, EventCategory="insight")["Events"]
    assert (told["EventId"], told["EventName"]) == ("insight-1", "CreateUser")


def test_a_look_up_is_an_event_itself(ledger: Ledger) -> None:
    ledger(LOOKUP)
    assert [event["EventName"] for event in ledger(LOOKUP)["Events"]] == ["LookupEvents"]


def test_the_incident_is_told_whole(incident_asked: Ledger) -> None:
    """Every page, and each event once."""
    found: list[str] = []
    until = incident_asked.time - 1
    page = incident_asked(LOOKUP, EndTime=until)
    while True:
        found += ids(page)
        if "NextToken" not in page:
            break
        page = incident_asked(LOOKUP, EndTime=until, NextToken=page["NextToken"])
    mine = list(incident_asked.log.read(incident_asked.account_id))
    expected = sorted((it for it in mine if it.time <= until), key=lambda it: (it.time, it.position))
    assert found == [it.record.event_id for it in reversed(expected)]


@pytest.mark.parametrize("rare_max", [0, 3_000])
@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::S3::Object", "AWS::S3::Bucket"])
def test_a_type_is_found_by_index_as_by_reading(
    incident_asked: Ledger, monkeypatch: pytest.MonkeyPatch, rare_max: int, kind: str
) -> None:
    """Whichever way is taken: the bound between the two is moved about."""
    monkeypatch.setattr(lookups, "RARE_MAX", rare_max)
    monkeypatch.setattr(lookups, "READ_ENTRIES", 7)
    asked: dict[str, Any] = {"LookupAttributes": [by("ResourceType", kind), by("ReadOnly", "true")]}
    asked["EndTime"] = incident_asked.time - 1
    found, page = [], incident_asked(LOOKUP, **asked)
    while "NextToken" in page:
        found += ids(page)
        page = incident_asked(LOOKUP, **asked, NextToken=page["NextToken"])
    expected = [
        (it.time, it.position, it.record.event_id)
        for it in incident_asked.log.read(incident_asked.account_id)
        if it.record.read_only
        and it.time <= asked["EndTime"]
        and kind in {one.get("ResourceType") for one in resources_told(it.document, it.account_id)}
    ]
    assert found + ids(page) == [event_id for *_, event_id in sorted(expected, reverse=True)]
    assert expected
