"""Questions about entries: whatever is asked for, in whatever combination, the plain reading agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.entry import Draft, Entry, Origin
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record
from projections import plans
from projections.activity import Activity, Question, cursor_of
from projections.vocabulary import BadFilter
from tests.oracles import plain_questions

ACCOUNTS = ("111111111111", "222222222222")
START = 1_700_000_000
ACTIONS = (
    ("iam.amazonaws.com", "CreateUser", False),
    ("iam.amazonaws.com", "CreateRole", False),
    ("iam.amazonaws.com", "ListUsers", True),
    ("s3.amazonaws.com", "GetObject", True),
    ("lambda.amazonaws.com", "ListFunctions20150331", True),
    ("monitoring.amazonaws.com", "PutMetricData", False),
)
ERRORS = (None, None, None, "AccessDenied", "Client.UnauthorizedOperation", "ThrottlingException")
ADDRESSES = ("192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1", "AWS Internal")
AGENTS = ("aws-cli/2.15", "Boto3/1.34", "APN/1.0 HashiCorp/1.0 Terraform/1.7")


def record(chance: random.Random, number: int) -> dict[str, Any]:
    account = chance.choice(ACCOUNTS)
    source, name, read_only = chance.choice(ACTIONS)
    person = chance.choice(("alice", "bob", "carol"))
    identity: dict[str, Any] = {
        "type": "IAMUser",
        "principalId": f"AIDA{person.upper()}",
        "arn": f"arn:aws:iam::{account}:user/{person}",
        "accountId": account,
        "userName": person,
        "accessKeyId": f"AKIA{person.upper()}{chance.randint(1, 2)}",
    }
    if chance.random() < 0.4:
        identity = {
            "type": "AssumedRole",
            "principalId": f"AROADEPLOY:{person}",
            "arn": f"arn:aws:sts::{account}:assumed-role/Deploy/{person}",
            "accountId": account,
            "accessKeyId": f"ASIA{person.upper()}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROADEPLOY",
                    "arn": f"arn:aws:iam::{account}:role/Deploy",
                    "userName": "Deploy",
                }
            },
        }
    made: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": format_time(START + chance.randint(0, 300)),
        "eventSource": source,
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": chance.choice(ADDRESSES),
        "userAgent": chance.choice(AGENTS),
        "requestParameters": {"bucketName": f"bucket-{chance.randint(1, 4)}", "key": f"k{number % 7}"},
        "responseElements": None,
        "eventID": f"{number:08x}-0000-4000-8000-000000000000",
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }
    if error := chance.choice(ERRORS):
        made["errorCode"] = error
    return made


@pytest.fixture
def ledger(database_url: str) -> Iterator[tuple[Activity, list[Entry]]]:
    chance = random.Random(5)
    log = Log(open_engine(database_url, create=True))
    origin = Origin("some.json", "0" * 64)
    log.append([Draft.of(read_record(record(chance, number)), origin) for number in range(1_200)])
    yield Activity(log), [entry for account in log.account_ids() for entry in log.read(account)]
    log.engine.dispose()


def any_question(chance: random.Random) -> Question:
    choices: dict[str, list[Any]] = {
        "account": [ACCOUNTS[0], "333333333333"],
        "principal": ["alice", "AIDABOB", "Deploy", f"arn:aws:iam::{ACCOUNTS[1]}:user/carol", "nobody"],
        "access_key": ["AKIAALICE1", "ASIABOB", "AKIANONE"],
        "action": ["iam:CreateUser", "iam:Create*", "IAM:create?ser", "ListFunctions", "*:Get*"],
        "service": ["iam", "s3", "cloudwatch", "ec2"],
        "resource": ["arn:aws:s3:::bucket-1", "arn:aws:s3:::bucket-2/*", "arn:aws:s3:::nothing"],
        "source_ip": ["192.0.2.1", "192.0.2.0/25", "2001:db8::/32", "AWS Internal"],
        "user_agent": ["terraform", "aws-cli/2.15"],
        "error": ["AccessDenied", "*Unauthorized*", "None"],
        "outcome": ["denied", "failed", "succeeded"],
        "read_only": [True, False],
        "session": ["ASIAALICE", f"arn:aws:sts::{ACCOUNTS[0]}:assumed-role/Deploy/bob"],
        "text": ["bucket-3", "k5"],
        "since": [START + 50, START + 250],
        "until": [START + 100, START + 290],
    }
    asked = {name: chance.choice(values) for name, values in choices.items() if chance.random() < 0.17}
    return Question(**asked, order=chance.choice(("newest", "oldest")), limit=chance.choice((1, 7, 100)))


def all_pages(answers: Activity, question: Question) -> list[Entry]:
    found: list[Entry] = []
    while True:
        page = answers.page(question)
        assert len(page.entries) <= question.limit
        found += page.entries
        if page.next is None:
            return found
        assert page.next == cursor_of(page.entries[-1])
        question = replace(question, after=page.next)


@pytest.mark.parametrize(("probe_max", "merge_max"), [(3_000, 40), (0, 40), (0, 0), (50, 2)])
def test_the_plain_reading_agrees(
    ledger: tuple[Activity, list[Entry]],
    monkeypatch: pytest.MonkeyPatch,
    probe_max: int,
    merge_max: int,
) -> None:
    """Whichever way is taken through the indexes: the bounds between the ways are moved about."""
    monkeypatch.setattr(plans, "PROBE_MAX", probe_max)
    monkeypatch.setattr(plans, "MERGE_MAX", merge_max)
    answers, entries = ledger
    chance = random.Random(probe_max * 100 + merge_max)
    answered = 0
    for _ in range(60):
        question = any_question(chance)
        expected = [cursor_of(entry) for entry in plain_questions.answer(entries, question)]
        if len(expected) > 150:
            question = replace(question, limit=100)
        assert [cursor_of(entry) for entry in all_pages(answers, question)] == expected, question
        answered += bool(expected)
    assert answered > 15  # most questions were about something


def test_pages_stay_put_while_the_log_grows(ledger: tuple[Activity, list[Entry]]) -> None:
    answers, entries = ledger
    question = Question(limit=100)
    first = answers.page(question)
    late = record(random.Random(9), 99_999) | {"eventTime": format_time(START + 1_000)}
    answers.log.append([Draft.of(read_record(late))])
    rest = all_pages(answers, replace(question, after=first.next))
    expected = [cursor_of(entry) for entry in plain_questions.answer(entries, question)]
    assert [cursor_of(entry) for entry in first.entries + rest] == expected


@pytest.mark.parametrize("cursor", ["", "x", "111111111111:", "111111111111:999999", "0:0", "9" * 40, "a:-1"])
def test_a_cursor_that_is_none_is_refused(ledger: tuple[Activity, list[Entry]], cursor: str) -> None:
    with pytest.raises(BadFilter, match="cursor"):
        ledger[0].page(Question(after=cursor))


@pytest.mark.parametrize("address", ["300.1.1.1", "192.0.2", "192.0.2.1.7", "2001:db8::g1::", "1::2::3", "7"])
def test_an_address_that_is_none_is_refused(ledger: tuple[Activity, list[Entry]], address: str) -> None:
    with pytest.raises(BadFilter, match="source-ip"):
        ledger[0].page(Question(source_ip=address))


def test_what_stands_in_a_log_as_an_address_is_found_whatever_it_is(
    ledger: tuple[Activity, list[Entry]],
) -> None:
    answers, _ = ledger
    strange = record(random.Random(11), 99_998) | {"sourceIPAddress": "300.1.1.1"}
    answers.log.append([Draft.of(read_record(strange))])
    (found,) = answers.page(Question(source_ip="300.1.1.1")).entries
    assert found.document["sourceIPAddress"] == "300.1.1.1"
    assert answers.page(Question(source_ip="198.51.100.77")).entries == []


@pytest.mark.parametrize("network", ["192.0.2.0/33", "1.2.3/8", "::/200", "x/8"])
def test_a_network_that_is_none_is_refused(ledger: tuple[Activity, list[Entry]], network: str) -> None:
    with pytest.raises(BadFilter, match="source-ip"):
        ledger[0].page(Question(source_ip=network))
