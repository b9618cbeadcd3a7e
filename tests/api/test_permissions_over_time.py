"""Permission over time, asked by the doors that a responder uses, held to the script of the incident.

What is expected is what `api/demo` plays: who is in which group with which policy at midnight (`company.py`), and what
the intruders and the responders changed, by the clock (`break_in.py`, `persistence.py`, `cover_up.py`,
`containment.py`). Calls are counted in the delivered files themselves.
"""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.demo.incident import Incident
from tests.api.conftest import Command

MAIN = "210987654321"
OF_MAIN = ("--account", MAIN)
PAYROLL = "arn:aws:s3:::larkspur-finance/payroll/*"
WINDOW = ("--from", "2026-03-17T13:00", "--to", "2026-03-17T17:00")
KEY = "AKIATCH6YDSY5EZ6PFWP"

COULD_ALL_THE_TIME = {
    f"arn:aws:iam::{MAIN}:root",
    *(
        f"arn:aws:iam::{MAIN}:user/{name}"
        for name in (
            "mara.lindqvist",  # admins
            "tom.okafor",
            "nadia.petrov",  # LarkspurIncidentResponse: s3:*
            "helen.brandt",  # finance
            "omar.said",
            "svc-backup",  # AdministratorAccess, in a boundary that allows s3:*
        )
    ),
    *(
        f"arn:aws:iam::{MAIN}:role/{name}"
        for name in ("LarkspurOps", "LarkspurBreakGlass", "LarkspurInvoiceLambda", "LarkspurAuditReader")
    ),
}
END = "17:00:00"
ESCALATED, QUARANTINED, FREED, RESTORED = (
    ("13:26:48", "CreatePolicyVersion"),
    ("14:14:05", "AttachUserPolicy"),
    ("14:19:20", "DetachUserPolicy"),
    ("15:24:10", "SetDefaultPolicyVersion"),
)
COULD_FOR_A_TIME = {
    ("ci-deploy", ESCALATED, QUARANTINED),  # the quarantine denies s3:GetObject
    ("ci-deploy", FREED, RESTORED),
    ("ci-artifacts", ESCALATED, RESTORED),  # of the same group
    ("svc-datasync", ("13:46:05", "AttachUserPolicy"), ("15:17:20", "RemoveUserFromGroup")),
    ("svc-reporting", ("13:51:20", "PutUserPolicy"), (END, None)),
    ("LarkspurVendorSupport", ("13:54:20", "PutRolePolicy"), (END, None)),
    ("tmp-migrate", ("14:10:02", "AttachUserPolicy"), ("14:18:40", "DetachUserPolicy")),
}

Record = dict[str, Any]


@pytest.fixture(scope="module")
def records(incident: Incident) -> list[Record]:
    """What was delivered of the account, each event once."""
    found: dict[str, Record] = {}
    for path in incident.files:
        for record in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]:
            if record["recipientAccountId"] == MAIN:
                found[record["eventID"]] = record
    return list(found.values())


def clock(time: str) -> str:
    return time[11:19]


def at_edge(event: dict[str, Any] | None) -> str | None:
    return None if event is None else str(event["eventName"])


def test_37_who_had_access_to_a_resource_used_or_not(ask: Command, records: list[Record]) -> None:
    told = ask("who-can", "s3:GetObject", PAYROLL, *OF_MAIN, *WINDOW, "--format", "json").json
    always = set()
    for_a_time = set()
    for row in told["principals"]:
        for one in row["intervals"]:
            assert one["able"] == "yes"
            assert one["statements"] or row["kind"] == "root"
            if one["opened"] is None and one["closed"] is None:
                always.add(row["principal"])
                continue
            edges = (
                (clock(one["from"]), at_edge(one["opened"])),
                (clock(one["to"]), at_edge(one["closed"])),
            )
            for_a_time.add((row["principal"].rsplit("/", 1)[-1], *edges))
    assert always == COULD_ALL_THE_TIME
    assert for_a_time == COULD_FOR_A_TIME
    used = {
        row["principal"].rsplit("/", 1)[-1]: sum(one["calls"]["count"] for one in row["intervals"])
        for row in told["principals"]
    }
    assert {name: count for name, count in used.items() if count} == read_of_payroll(records)
    assert told["otherCalls"] == []
    assert told["unknown"] == [{"kind": "resourcePolicy", "about": PAYROLL}]


def read_of_payroll(records: list[Record]) -> dict[str, int]:
    """Who got objects of the payroll in those hours, by user or role."""
    found: Counter[str] = Counter()
    for record in records:
        key = str((record["requestParameters"] or {}).get("key"))
        if (
            record["eventName"] == "GetObject"
            and key.startswith("payroll/")
            and "2026-03-17T13" <= record["eventTime"] < "2026-03-17T17"
        ):
            identity = record["userIdentity"]
            issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
            found[identity.get("userName") or issuer["userName"]] += 1
    assert len(found) > 2
    return dict(found)


def test_37_for_one_time_calls_count_whenever_they_were(ask: Command) -> None:
    told = ask("who-can", "s3:GetObject", PAYROLL, *OF_MAIN, "--at", "2026-03-17T14:12", "--format", "ndjson")
    rows = {row["principal"].rsplit("/", 1)[-1]: row for row in told.lines}
    assert {"tmp-migrate", "svc-reporting", "ci-deploy"} <= rows.keys()
    (interval,) = rows["svc-reporting"]["intervals"]
    assert interval["opened"] is interval["closed"] is None
    assert clock(interval["calls"]["last"]) > "15:55:00", "the intruders came back"


def event(records: list[Record], name: str, clocked: str) -> Record:
    (found,) = (
        record for record in records if record["eventName"] == name and clock(record["eventTime"]) == clocked
    )
    return found


def test_38_when_a_principal_first_became_an_administrator(ask: Command, records: list[Record]) -> None:
    told = ask("first-able", "ci-deploy", "--admin", *OF_MAIN, "--format", "json").json
    turns = [(turn["able"], turn["by"]["eventID"]) for turn in told["turns"]]
    assert turns == [
        ("yes", event(records, "CreatePolicyVersion", "13:26:48")["eventID"]),
        ("no", event(records, "AttachUserPolicy", "14:14:05")["eventID"]),
        ("yes", event(records, "DetachUserPolicy", "14:19:20")["eventID"]),
        ("no", event(records, "SetDefaultPolicyVersion", "15:24:10")["eventID"]),
    ]
    first = told["firstAble"]
    assert first == told["turns"][0]
    assert first["by"]["actor"] == f"arn:aws:iam::{MAIN}:user/ci-deploy"
    assert first["by"]["changed"] == [
        {"kind": "policy", "name": "LarkspurDeploy", "what": "inForce", "about": "v8"}
    ]
    assert [(one["policy"], one["version"], one["sid"]) for one in first["statements"]] == [
        ("LarkspurDeploy", "v8", "Temp")
    ]
    assert told["able"] == "no"


@pytest.mark.parametrize(
    ("who", "clocked", "name"),
    [
        ("svc-datasync", "13:46:05", "AttachUserPolicy"),
        ("svc-backup", "14:01:20", "DeleteUserPermissionsBoundary"),
        (KEY, "13:26:48", "CreatePolicyVersion"),
    ],
)
def test_38_of_a_new_user_of_one_in_a_boundary_and_by_key(
    ask: Command, who: str, clocked: str, name: str
) -> None:
    told = ask("first-able", who, "--admin", *OF_MAIN, "--format", "json").json
    assert (clock(told["firstAble"]["time"]), told["firstAble"]["by"]["eventName"]) == (clocked, name)


def test_38_a_role_that_lets_somebody_in_later(ask: Command) -> None:
    role = f"arn:aws:iam::{MAIN}:role/LarkspurInvoiceLambda"
    told = ask("first-able", "svc-datasync", "sts:AssumeRole", role, *OF_MAIN, "--format", "ndjson").lines
    # Named in the trust policy itself, the user needs no policy of its own: stripping it was not the end.
    assert [(turn["able"], clock(turn["time"]), turn["by"]["eventName"]) for turn in told] == [
        ("yes", "13:58:30", "UpdateAssumeRolePolicy"),
        ("no", "15:28:05", "UpdateAssumeRolePolicy"),
    ]


def test_whom_a_widened_trust_policy_lets_in(ask: Command) -> None:
    role = f"arn:aws:iam::{MAIN}:role/LarkspurAuditReader"
    told = ask("who-can", "sts:AssumeRole", role, *WINDOW, "--format", "json").json
    strangers = {row["account"]: row["intervals"] for row in told["principals"] if row["kind"] == "account"}
    assert strangers.keys() == {"112233445566", "998877665544"}
    (intruders,) = strangers["998877665544"]
    assert (clock(intruders["from"]), intruders["opened"]["eventName"]) == (
        "13:57:20",
        "UpdateAssumeRolePolicy",
    )
    (auditors,) = strangers["112233445566"]
    assert auditors["opened"] is None
    assert {"kind": "conditionKey", "about": "sts:externalid"} in auditors["unknown"]
    known = ("--context", "sts:ExternalId=something-else")
    told = ask("who-can", "sts:AssumeRole", role, *WINDOW, *known, "--format", "json").json
    assert {row["account"] for row in told["principals"]} == {"998877665544"}


def test_what_a_key_could_do_and_did_and_when_containment_ended_it(
    ask: Command, records: list[Record]
) -> None:
    told = ask("exposure", KEY, *WINDOW, "--format", "json").json
    segments = told["segments"]
    assert [(clock(one["from"]), one["keyStatus"], at_edge(one["opened"])) for one in segments] == [
        ("13:00:00", "Active", None),
        ("13:26:48", "Active", "CreatePolicyVersion"),
        ("14:14:05", "Active", "AttachUserPolicy"),
        ("14:19:20", "Active", "DetachUserPolicy"),
        ("15:12:30", "Inactive", "UpdateAccessKey"),
        ("15:24:10", "Inactive", "SetDefaultPolicyVersion"),
        ("15:36:10", "Inactive", "PutUserPolicy"),
    ]
    assert [one["to"] for one in segments[:-1]] == [one["from"] for one in segments[1:]]
    for one in segments:
        made = [
            record
            for record in records
            if record["userIdentity"].get("accessKeyId") == KEY
            and one["from"] <= record["eventTime"] < one["to"]
        ]
        assert sum(call["count"] for call in one["calls"]) == len(made)
    assert {sum(call["count"] for call in one["calls"]) for one in segments[4:]} == {0}
    assert [sum(call["count"] for call in one["sessionCalls"]) for one in segments[4:]] == [2, 1, 1]
    everything = {"Effect": "Allow", "policy": "LarkspurDeploy", "version": "v8"}
    assert [
        {"Effect": one["effect"], "policy": one["policy"], "version": one["version"]}
        for one in segments[1]["statements"]
    ] == [everything]
    assert segments[1]["statements"][0]["statement"] == {"Action": "*", "Resource": "*"}


def test_an_exposure_may_be_narrowed_to_actions(ask: Command) -> None:
    told = ask("exposure", "svc-backup", *OF_MAIN, "--action", "iam:*", "--format", "ndjson").lines
    assert [one["bounded"] for one in told] == [True, False]
    assert {statement["layer"] for one in told for statement in one["statements"]} == {"identity"}
    assert {call["action"].partition(":")[0] for one in told for call in one["calls"]} == {"iam"}


def test_the_read_api_gives_the_same_answer(ask: Command, http: TestClient) -> None:
    asked = {
        "action": "s3:GetObject",
        "resource": PAYROLL,
        "account": MAIN,
        "from": "2026-03-17T13:00",
        "to": "2026-03-17T17:00",
    }
    told = ask("who-can", "s3:GetObject", PAYROLL, *OF_MAIN, *WINDOW, "--format", "json").json
    assert http.get("/v1/who-can", params=asked).json() == told
    role = f"arn:aws:iam::{MAIN}:role/LarkspurAuditReader"
    several = {
        "action": "sts:AssumeRole",
        "resource": role,
        "context": ["sts:ExternalId=x", "aws:MultiFactorAuthPresent=true"],
    }
    assert http.get("/v1/who-can", params=several).status_code == 200
    for wrong, parameter in (
        ({"at": "2026-03-17T14:00"}, "at"),
        ({"action": "everything"}, "action"),
        ({"resource": "payroll"}, "resource"),
        ({"context": "x"}, "context"),
    ):
        refused = http.get("/v1/who-can", params=asked | wrong)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["parameter"] == parameter


def test_explain_over_http_refuses_what_is_no_resource(http: TestClient) -> None:
    asked = {"principal": "ci-deploy", "account": MAIN, "action": "s3:GetObject", "resource": "payroll"}
    refused = http.get("/v1/explain", params=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["parameter"] == "resource"


ROLE = f"arn:aws:iam::{MAIN}:role/LarkspurOps"
OF_CI_DEPLOY = ("--principal", "ci-deploy", "--account", MAIN, "--action", "s3:GetObject")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("who-can", "s3:GetObject"), 2, "RESOURCE"),
        (("who-can", "GetObject", ROLE), 2, "service:Name"),
        (("who-can", "s3:Get*", ROLE), 2, "service:Name"),
        (("who-can", "s3:GetObject", "payroll"), 2, "neither an ARN"),
        (("who-can", "s3:GetObject", "arn:aws:s3"), 2, "neither an ARN"),
        (("explain", *OF_CI_DEPLOY, "--resource", "payroll"), 2, "neither an ARN"),
        (("blame", *OF_CI_DEPLOY, "--resource", "payroll"), 2, "neither an ARN"),
        (("who-can", "s3:GetObject", "arn:aws:s3:::x"), 2, "the resource names none"),
        (("who-can", "s3:GetObject", ROLE, "--at", "noon"), 2, "noon"),
        (
            ("who-can", "s3:GetObject", ROLE, "--at", "2026-03-17", "--to", "2026-03-18"),
            2,
            "exclude each other",
        ),
        (("who-can", "s3:GetObject", ROLE, "--from", "2026-03-17", "--to", "2026-03-17"), 2, "begins"),
        (("who-can", "s3:GetObject", ROLE, "--from", "2026-03-18", "--to", "2026-03-17"), 2, "is after"),
        (("who-can", "s3:GetObject", ROLE, "--context", "mfa"), 2, "KEY=VALUE"),
        (("who-can", "s3:GetObject", ROLE, "--account", "999999999999"), 1, "999999999999"),
        (("who-can", "iam:GetRole", "arn:aws:iam::999999999999:role/x"), 1, "999999999999"),
        (("first-able", "ci-deploy", *OF_MAIN), 2, "able to do what"),
        (("first-able", "ci-deploy", "iam:CreateUser"), 2, "several"),
        (("first-able", "ci-deploy", "iam:CreateUser", "--admin", *OF_MAIN), 2, "instead of an action"),
        (("first-able", "nobody", "--admin", *OF_MAIN), 1, "never had"),
        (("first-able", "AKIANOBODY", "--admin"), 1, "AKIANOBODY"),
        (("first-able", "arn:aws:s3:::x", "--admin"), 2, "arn:aws:s3:::x"),
        (("first-able", f"arn:aws:iam::{MAIN}:user/nobody", "--admin"), 1, "nobody"),
        (("exposure", "nobody", *OF_MAIN), 1, "never had"),
        (("exposure", KEY, "--from", "x"), 2, "from"),
        (("exposure", KEY, "--from", "2026-03-17", "--to", "2026-03-17"), 2, "empty"),
        (("exposure", KEY, "--action", ""), 2, "empty"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    ask: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    ran = ask(*words)
    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith("iam-ledger: ")
    assert ran.err.count("\n") == 1
    assert told in ran.err
