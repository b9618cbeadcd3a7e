"""The credential report, and when keys, passwords and roles were last used."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from api.aws.answers import completed
from api.aws.answers.credential_reports import COLUMNS
from api.aws.answers.refusals import ReportExpired, ReportNotPresent
from ledger.iam.refusals import AccessDenied
from tests.api.aws.reading_asked import Ledger
from tests.ledger.asking import refused
from tests.ledger.told import ACCOUNT, ADMIN, DATE, NOON, ROOT, call, create_key, create_role, create_user

GENERATE, GET, KEY_USED = (
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:GetAccessKeyLastUsed",
)
KEY = "AKIAALICE0000001"
ALICE = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
}
WITH_KEY = ALICE | {"accessKeyId": KEY}
NOON_TOLD = "2023-11-14T22:13:20+00:00"


def sign_in(by: dict[str, Any], at: int, outcome: str = "Success") -> dict[str, Any]:
    return call(
        "ConsoleLogin",
        None,
        {"ConsoleLogin": outcome},
        by=by,
        at=at,
        source="signin.amazonaws.com",
        eventType="AwsConsoleSignIn",
        awsRegion="us-east-1",
    )


def create_password(at: int = NOON) -> dict[str, Any]:
    profile = {"userName": "alice", "createDate": DATE, "passwordResetRequired": False}
    return call("CreateLoginProfile", {"userName": "alice"}, {"loginProfile": profile}, at=at)


def rows(ledger: Ledger) -> dict[str, dict[str, str]]:
    ledger(GENERATE)
    answer = ledger(GET)
    assert (answer["ReportFormat"], answer["GeneratedTime"]) == ("text/csv", ledger.time)
    table = csv.DictReader(io.StringIO(answer["Content"].decode()))
    assert tuple(table.fieldnames or ()) == COLUMNS
    return {row["user"]: row for row in table}


@pytest.fixture
def alice(either_ledger: Ledger) -> Ledger:
    of_alice = create_user(at=NOON)
    of_alice["responseElements"]["user"]["userId"] = ALICE["principalId"]
    return either_ledger.told(of_alice)


def test_there_is_none_before_it_was_asked_for(alice: Ledger) -> None:
    with refused(ReportNotPresent, ""):
        alice(GET)
    begun = {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    assert alice(GENERATE) == begun
    assert alice(GET)["GeneratedTime"] == alice.time
    assert alice(GENERATE) == {"State": "COMPLETE"}
    alice.time += 4 * 3_600 + 1
    assert alice(GENERATE) == begun


def test_it_expires_after_four_hours(alice: Ledger) -> None:
    alice(GENERATE)
    alice.time += 4 * 3_600
    alice(GET)
    alice.time += 1
    with refused(ReportExpired, ""):
        alice(GET)


def test_a_user_without_anything(alice: Ledger) -> None:
    row = rows(alice)["alice"]
    assert row["arn"] == ALICE["arn"]
    assert row["user_creation_time"] == NOON_TOLD
    assert row["password_enabled"] == "false"
    assert row["mfa_active"] == "false"
    for number in "12":
        assert row[f"access_key_{number}_active"] == "false"
        assert row[f"cert_{number}_active"] == "false"
        assert row[f"access_key_{number}_last_rotated"] == "N/A"
    assert {row[name] for name in COLUMNS if "_last_" in name or "rotation" in name} == {"N/A"}


def test_root_stands_first_and_has_no_password_that_is_told(alice: Ledger) -> None:
    alice.told(sign_in(ROOT, NOON + 60))
    told = rows(alice)
    assert list(told) == ["<root_account>", "admin", "alice"]
    root = told["<root_account>"]
    assert root["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert root["password_enabled"] == root["password_last_changed"] == "not_supported"
    assert root["password_last_used"] == "2023-11-14T22:14:20+00:00"


def test_a_password_that_was_never_used(alice: Ledger) -> None:
    alice.told(create_password(), sign_in(ALICE, NOON + 5, "Failure"))
    row = rows(alice)["alice"]
    assert (row["password_enabled"], row["password_last_used"]) == ("true", "no_information")
    assert (row["password_last_changed"], row["password_next_rotation"]) == (NOON_TOLD, "N/A")


def test_a_password_that_grows_old(alice: Ledger) -> None:
    policy = {"maxPasswordAge": 90, "minimumPasswordLength": 8}
    alice.told(create_password(), call("UpdateAccountPasswordPolicy", policy, at=NOON))
    alice.told(sign_in(ALICE, NOON + 60))
    row = rows(alice)["alice"]
    assert row["password_last_used"] == "2023-11-14T22:14:20+00:00"
    assert row["password_next_rotation"] == "2024-02-12T22:13:20+00:00"


def test_keys_with_their_use(alice: Ledger) -> None:
    alice.told(
        create_key(at=NOON + 1),
        call("ListBuckets", by=WITH_KEY, at=NOON + 60, source="s3.amazonaws.com", awsRegion="eu-west-1"),
        call("CreateAccessKey", error="AccessDenied", by=WITH_KEY, at=NOON + 59, awsRegion="us-east-1"),
        call(
            "UpdateAccessKey", {"userName": "alice", "accessKeyId": KEY, "status": "Inactive"}, at=NOON + 61
        ),
        create_key(key="AKIAALICE0000002", at=NOON + 62),
    )
    row = rows(alice)["alice"]
    assert (row["access_key_1_active"], row["access_key_1_last_rotated"]) == ("false", NOON_TOLD)
    assert row["access_key_1_last_used_date"] == "2023-11-14T22:14:20+00:00"
    assert (row["access_key_1_last_used_region"], row["access_key_1_last_used_service"]) == (
        "eu-west-1",
        "s3",
    )
    assert (row["access_key_2_active"], row["access_key_2_last_used_date"]) == ("true", "N/A")


def test_it_stays_as_it_was_when_it_was_asked_for(alice: Ledger) -> None:
    alice.told(create_password(), sign_in(ALICE, NOON + 60))
    alice(GENERATE)
    before = alice(GET)["Content"]
    alice.told(create_user("bob", at=alice.time + 5), sign_in(ALICE, alice.time + 6))
    alice.time += 10
    assert alice(GET)["Content"] == before
    assert "bob" in rows(alice)


def test_a_key_was_last_used_whatever_became_of_the_call(alice: Ledger) -> None:
    alice.told(create_key(at=NOON + 1))
    never = {"UserName": "alice", "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}
    assert alice(KEY_USED, AccessKeyId=KEY) == never
    alice.told(
        call("ListBuckets", by=WITH_KEY, at=NOON + 60, source="s3.amazonaws.com", awsRegion="eu-west-1"),
        call("CreateUser", error="AccessDenied", by=WITH_KEY, at=NOON + 90, awsRegion="us-east-1"),
    )
    used = {"LastUsedDate": NOON + 90, "ServiceName": "iam", "Region": "us-east-1"}
    assert alice(KEY_USED, AccessKeyId=KEY)["AccessKeyLastUsed"] == used


def test_a_key_that_nobody_has_is_denied(alice: Ledger) -> None:
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
        "access key AKIAIOSFODNN7EXAMPLE"
    )
    with refused(AccessDenied, message):
        alice(KEY_USED, AccessKeyId="AKIAIOSFODNN7EXAMPLE")


def test_users_are_shown_with_the_last_sign_in_that_did_not_fail(alice: Ledger) -> None:
    alice.told(sign_in(ALICE, NOON + 60), sign_in(ALICE, NOON + 90, "Failure"), sign_in(ADMIN, NOON + 30))
    told = [{"UserName": "alice", "UserId": ALICE["principalId"]}, {"UserName": "bob", "UserId": "AIDABOB"}]
    one = completed(alice.investigation, "iam:GetUser", {"User": told[0]})
    assert one["User"] == {**told[0], "PasswordLastUsed": NOON + 60}
    every = completed(alice.investigation, "iam:ListUsers", {"Users": told, "IsTruncated": False})
    assert every == {"Users": [one["User"], told[1]], "IsTruncated": False}


def test_roles_are_shown_with_the_last_call_of_a_session(alice: Ledger) -> None:
    alice.told(create_role(at=NOON))
    role_id = "AROA000000DEPLOY1"
    role = {"RoleName": "deploy", "RoleId": role_id}
    shown = completed(alice.investigation, "iam:GetRole", {"Role": role})
    assert shown["Role"]["RoleLastUsed"] == {}
    session = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:build",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIADEPLOY000001",
    }
    alice.told(call("ListBuckets", by=session, at=NOON + 5, source="s3.amazonaws.com", awsRegion="eu-west-1"))
    shown = completed(alice.investigation, "iam:GetRole", {"Role": role})
    assert shown["Role"]["RoleLastUsed"] == {"LastUsedDate": NOON + 5, "Region": "eu-west-1"}


def test_the_incidents_report_agrees_with_its_keys(incident_asked: Ledger) -> None:
    """Each key's last use as the key's own report tells it."""
    told = rows(incident_asked)
    account, checked = incident_asked.account, 0
    for user in account.users.values():
        keys = sorted(user.access_keys.values(), key=lambda key: (key.create_date or 0, key.id))
        for number, key in enumerate(keys[:2], 1):
            last = incident_asked.investigation.key(key.id)["lastUsed"]
            cell = told[user.name][f"access_key_{number}_last_used_date"]
            assert cell == ("N/A" if last is None else last.replace("Z", "+00:00")), key.id
            checked += last is not None
    assert checked > 3
