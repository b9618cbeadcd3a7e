"""What stands at the end of an interval, by small histories: keys, second factors, administrators, open doors, silence."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import format_time, parse_time, read_record
from projections.findings import findings
from projections.findings.outsiders import openings
from projections.history import History
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS, Sessions

Told = dict[str, Any]
HERE, STRANGER = "111111111111", "999999999999"
DAY, HOUR = 86_400, 3_600
START = parse_time("2026-01-01T00:00:00Z")
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


class Past:
    """A log that is written call by call, and asked."""

    def __init__(self, url: str) -> None:
        self.log = Log(open_engine(url, create=True))
        self.count = 0

    def call(self, name: str, at: int, request: Told | None = None, **more: Any) -> None:
        self.count += 1
        service, _, event = name.rpartition(":")
        document = {
            "eventVersion": "1.09",
            "eventID": f"00000000-0000-4000-8000-{self.count:012}",
            "eventTime": format_time(at),
            "eventSource": f"{service or 'iam'}.amazonaws.com",
            "eventName": event,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "192.0.2.1",
            "userAgent": "aws-cli/2.15",
            "requestParameters": request,
            "responseElements": None,
            "recipientAccountId": HERE,
            "userIdentity": {
                "type": "Root",
                "principalId": HERE,
                "arn": f"arn:aws:iam::{HERE}:root",
                "accountId": HERE,
            },
            **more,
        }
        self.log.append([Draft.of(read_record(document))])

    def user(self, name: str, at: int = START) -> None:
        made = {
            "userName": name,
            "userId": f"AIDA{name.upper():A<17}",
            "arn": f"arn:aws:iam::{HERE}:user/{name}",
        }
        self.call("CreateUser", at, {"userName": name}, responseElements={"user": made})

    def key(self, name: str, key: str, at: int = START) -> None:
        made = {"accessKeyId": key, "status": "Active", "userName": name}
        self.call("CreateAccessKey", at, {"userName": name}, responseElements={"accessKey": made})

    def used(self, name: str, key: str, at: int, action: str = "s3:ListBuckets") -> None:
        self.call(action, at, userIdentity={**self._identity(name), "accessKeyId": key})

    def sign_in(self, name: str | None, at: int, *, mfa: bool) -> None:
        more = {} if name is None else {"userIdentity": self._identity(name)}
        self.call(
            "signin:ConsoleLogin",
            at,
            additionalEventData={"MFAUsed": "Yes" if mfa else "No"},
            responseElements={"ConsoleLogin": "Success"},
            **more,
        )

    @staticmethod
    def _identity(name: str) -> Told:
        return {
            "type": "IAMUser",
            "principalId": f"AIDA{name.upper():A<17}",
            "arn": f"arn:aws:iam::{HERE}:user/{name}",
            "accountId": HERE,
            "userName": name,
        }

    def ask(self, kind: str, **bounds: Any) -> list[Told]:
        Runner(self.log, [HISTORY, SESSIONS]).catch_up()
        return findings(self.log, History(self.log), Sessions(self.log), kind=kind, **bounds)

    def subjects(self, kind: str, **bounds: Any) -> list[str]:
        return [one["subject"] for one in self.ask(kind, **bounds)]


@pytest.fixture
def past(sqlite_url: str) -> Past:
    return Past(sqlite_url)


def test_a_key_is_old_after_ninety_days_and_until_it_is_made_inactive(past: Past) -> None:
    past.user("alice")
    past.key("alice", "AKIAOLD0000000000000")
    past.key("alice", "AKIAYOUNG00000000000", START + 50 * DAY)
    assert past.subjects("key-old", until=START + 90 * DAY) == []
    (one,) = past.ask("key-old", until=START + 91 * DAY)
    assert (one["subject"], one["detail"]["ageDays"]) == ("alice/AKIAOLD0000000000000", 90)
    assert one["detail"]["created"] == one["entries"][0]
    assert past.subjects("key-old", since=START + DAY, until=START + 91 * DAY) == []
    off = {"userName": "alice", "accessKeyId": "AKIAOLD0000000000000", "status": "Inactive"}
    past.call("UpdateAccessKey", START + 60 * DAY, off)
    assert past.subjects("key-old", until=START + 91 * DAY) == []


def test_a_key_is_unused_only_as_far_as_the_log_tells(past: Past) -> None:
    past.user("alice")
    past.key("alice", "AKIANEVER00000000000")
    past.key("alice", "AKIAUSED000000000000")
    past.used("alice", "AKIAUSED000000000000", START + 40 * DAY)
    past.user("bob", START + 89 * DAY)
    late = START + 500 * DAY
    assert past.subjects("key-unused", until=late) == []  # this ledger's own log, and no clock was told
    past.user("carol", START + 100 * DAY)
    (one,) = past.ask("key-unused", until=late)
    assert (one["subject"], one["detail"]["lastUsed"]) == ("alice/AKIANEVER00000000000", None)
    assert set(past.subjects("key-unused", now=late)) == {
        "alice/AKIANEVER00000000000",
        "alice/AKIAUSED000000000000",
    }


def test_a_key_that_nothing_made_is_as_old_as_its_first_use(past: Past) -> None:
    past.used("alice", "AKIABEFORE0000000000", START)
    (one,) = past.ask("key-old", until=START + 100 * DAY)
    assert one["detail"]["created"] is None
    assert one["detail"]["assumed"] == ["no record shows its creation"]


def test_a_password_without_a_second_factor(past: Past) -> None:
    for name in ("alice", "bob"):
        past.user(name)
        past.call("CreateLoginProfile", START + 1, {"userName": name})
    serial = f"arn:aws:iam::{HERE}:mfa/bob"
    past.call("EnableMFADevice", START + 2, {"userName": "bob", "serialNumber": serial})
    assert past.subjects("console-without-mfa") == [f"arn:aws:iam::{HERE}:user/alice"]
    past.call("DeactivateMFADevice", START + 3, {"userName": "bob", "serialNumber": serial})
    assert len(past.subjects("console-without-mfa")) == 2
    past.call("DeleteLoginProfile", START + 4, {"userName": "alice"})
    assert past.subjects("console-without-mfa") == [f"arn:aws:iam::{HERE}:user/bob"]


def test_a_sign_in_shows_what_was_before_the_log(past: Past) -> None:
    past.sign_in("alice", START, mfa=True)
    past.sign_in("bob", START, mfa=False)
    assert past.subjects("console-without-mfa") == [f"arn:aws:iam::{HERE}:user/bob"]
    assert past.subjects("root-without-mfa") == []  # nothing tells
    past.sign_in(None, START + 1, mfa=False)
    (one,) = past.ask("root-without-mfa")
    assert one["severity"] == "high"
    past.sign_in(None, START + 2, mfa=True)
    assert past.subjects("root-without-mfa") == []
    assert len(past.ask("root-without-mfa", until=START + 2)) == 1


def test_an_administrator_by_surprise_and_by_which_grants(past: Past) -> None:
    everything = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    for name in ("alice", "bob", "carol"):
        past.user(name)
    past.call("AttachUserPolicy", START + 1, {"userName": "alice", "policyArn": ADMIN})
    written = {
        "userName": "bob",
        "policyName": "Reports",
        "policyDocument": orjson.dumps(everything).decode(),
    }
    past.call("PutUserPolicy", START + 2, written)
    some = {"Statement": {"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": "*"}}
    written = {"userName": "carol", "policyName": "Reports", "policyDocument": orjson.dumps(some).decode()}
    past.call("PutUserPolicy", START + 3, written)
    found = {one["subject"].rpartition("/")[2]: one for one in past.ask("administrator-by-surprise")}
    assert {name: one["severity"] for name, one in found.items()} == {"bob": "high", "carol": "medium"}
    assert found["bob"]["entries"][0]["eventName"] == "PutUserPolicy"
    assert found["carol"]["detail"]["escalations"] == ["AttachUserPolicy"]


def test_services_that_were_granted_and_not_used(past: Past) -> None:
    past.user("alice")
    some = {"Statement": {"Effect": "Allow", "Action": ["s3:List*", "sqs:*"], "Resource": "*"}}
    written = {"userName": "alice", "policyName": "Work", "policyDocument": orjson.dumps(some).decode()}
    past.call("PutUserPolicy", START + 1, written)
    past.used("alice", "AKIAALICE00000000000", START + 60 * DAY, "s3:ListBuckets")
    assert past.ask("permissions-unused") == []  # the log is too short
    past.user("bob", START + 91 * DAY)
    (one,) = past.ask("permissions-unused")
    assert one["detail"]["unused"] == ["sqs"]
    assert "s3" in one["detail"]["used"]


@pytest.mark.parametrize(
    ("principal", "condition", "found"),
    [
        ("*", None, ["*"]),
        ({"AWS": "*"}, {"StringEquals": {"sts:ExternalId": "x"}}, ["*"]),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, []),
        ({"AWS": "*"}, {"StringLike": {"aws:PrincipalArn": "*"}}, ["*"]),
        ({"AWS": "*"}, {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, ["*"]),
        ({"AWS": f"arn:aws:iam::{STRANGER}:root"}, None, [f"arn:aws:iam::{STRANGER}:root"]),
        ({"AWS": STRANGER}, {"StringEquals": {"sts:ExternalId": "x"}}, []),
        ({"AWS": [f"arn:aws:iam::{HERE}:root", "222222222222"]}, None, []),
        ({"Service": "ec2.amazonaws.com"}, None, []),
    ],
)
def test_whom_a_policy_lets_in_from_outside(principal: Any, condition: Told | None, found: list[str]) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = {"Statement": [{**statement, "Condition": condition} if condition else statement]}
    assert [one.principal for one in openings(document, HERE, ["222222222222"])] == found


def test_anybody_may_get_a_token_of_some_providers() -> None:
    provider = f"arn:aws:iam::{HERE}:oidc-provider/token.actions.githubusercontent.com"
    statement: Told = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "*"}
    assert [one.public for one in openings({"Statement": statement}, HERE, [])] == [True]
    of_one = {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo/*"}}
    assert openings({"Statement": {**statement, "Condition": of_one}}, HERE, []) == []


def test_a_bucket_is_open_until_its_policy_goes(past: Past) -> None:
    policy = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}
    past.call("s3:PutBucketPolicy", START, {"bucketName": "b", "bucketPolicy": policy})
    past.call("s3:DeleteBucketPolicy", START + 10, {"bucketName": "b"})
    assert [one["severity"] for one in past.ask("resource-open", until=START + 10)] == ["high"]
    assert past.ask("resource-open") == []


def test_a_busy_log_that_falls_silent(past: Past) -> None:
    for hour in range(60):
        if hour not in (30, 31):
            past.user(f"u{hour}", START + hour * HOUR + 5)
    (one,) = past.ask("log-silent")
    assert (one["detail"]["hours"], one["detail"]["stopped"], one["severity"]) == (2, [], "high")
    assert (one["detail"]["from"], one["detail"]["to"]) == ("2026-01-02T05:00:05Z", "2026-01-02T08:00:05Z")
    assert past.ask("log-silent", account=STRANGER) == []


def test_a_log_that_is_seldom_busy_is_never_silent(past: Past) -> None:
    for day in range(30):
        past.user(f"u{day}", START + day * DAY)
    assert past.ask("log-silent") == []


def test_on_either_database(database_url: str) -> None:
    past = Past(database_url)
    past.user("alice")
    past.key("alice", "AKIAOLD0000000000000")
    past.user("bob", START + 100 * DAY)
    assert past.subjects("key-old") == past.subjects("key-unused") == ["alice/AKIAOLD0000000000000"]
    assert past.ask("permissions-unused") == past.ask("log-silent") == past.ask("resource-open") == []
