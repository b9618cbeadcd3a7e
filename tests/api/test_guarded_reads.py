"""The read API of a ledger with an authority: each question needs its permission, and is an entry."""

import json
import shutil
import subprocess
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api import (
    evidence_reads,
    log_reads,
    permission_reads,
    permission_reads_access,
    permission_reads_over_time,
    reads,
)
from api.guard.rules import Rule
from api.reading_permissions import RULES
from projections.permissions.verification import verify_decisions
from tests.api.asking_services import Person, new_person, session_of, signed_headers
from tests.api.living_server import Account, LivingServer, living_server


def reader(account_id: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["iam-ledger:LookupEvents", "iam-ledger:Get*"],
                "Resource": f"arn:aws:iam-ledger:::account/{account_id}",
            }
        ],
    }


@pytest.fixture(scope="module")
def server(either_server: LivingServer) -> LivingServer:
    return either_server


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def alice(account: Account) -> Person:
    return new_person(account, "alice", reader(account.id))


def get(
    server: LivingServer, key: dict[str, str], path: str, *, service: str = "iam-ledger"
) -> httpx.Response:
    url = f"{server.url}{path}"
    return httpx.get(url, headers=signed_headers(key, "GET", url, service=service))


def test_a_question_that_is_permitted_is_answered_and_an_entry(
    server: LivingServer, account: Account, alice: Person
) -> None:
    answered = get(server, alice.key, f"/v1/events?account={account.id}&action=iam%3ACreateUser&limit=5")
    assert answered.status_code == 200, answered.text
    assert [it["action"] for it in answered.json()["events"]] == ["iam:CreateUser"]
    assert answered.headers["cache-control"] == "no-store"
    record = account.records()[-1]
    assert (record["eventSource"], record["eventName"]) == ("iam-ledger", "LookupEvents")
    assert record["requestParameters"] == {"account": account.id, "action": "iam:CreateUser", "limit": "5"}
    assert record["readOnly"] is True
    assert record["userIdentity"]["arn"] == alice.arn
    assert record["resources"] == [{"ARN": f"arn:aws:iam-ledger:::account/{account.id}"}]


def test_a_question_that_is_not_permitted_is_an_entry_too(
    server: LivingServer, account: Account, alice: Person
) -> None:
    answered = get(server, alice.key, f"/v1/findings?account={account.id}")
    assert answered.status_code == 403
    record = account.records()[-1]
    assert (record["eventName"], record["errorCode"]) == ("ListFindings", "AccessDenied")
    assert answered.json()["detail"] == record["errorMessage"]


def test_a_question_that_is_answered_with_an_error_is_recorded_so(
    server: LivingServer, account: Account, alice: Person
) -> None:
    assert get(server, alice.key, f"/v1/state?account={account.id}&kind=user&name=nobody").status_code == 404
    assert account.records()[-1]["errorCode"] == "NotFound"
    assert get(server, alice.key, f"/v1/events?account={account.id}&limit=0").status_code == 422
    assert account.records()[-1]["eventName"] == "LookupEvents"


def test_nobody_learns_anything(server: LivingServer, account: Account, alice: Person) -> None:
    before = len(account.records())
    for headers in ({}, {"authorization": "Bearer a-token-of-old"}):
        for path in ("/v1/events", "/v1/nothing", "/openapi.json"):
            assert httpx.get(f"{server.url}{path}", headers=headers).status_code in (401, 403)
    assert get(server, alice.key, "/v1/events", service="orders").status_code == 401
    assert len(account.records()) == before


def test_an_account_is_no_business_of_another(server: LivingServer, account: Account) -> None:
    other = server.new_account()
    root = account.key
    assert get(server, root, f"/v1/events?account={account.id}").status_code == 200
    for path in (f"/v1/events?account={other.id}", "/v1/events", f"/v1/events/{other.id}:0", "/v1/accounts"):
        refused = get(server, root, path)
        assert refused.status_code == 403, path
        assert account.records()[-1]["errorCode"] == "AccessDenied"
    assert get(server, root, f"/v1/events/{account.id}:0").status_code == 200
    assert get(server, root, "/openapi.json").status_code == 200


def test_what_proves_the_log_is_fetched_by_who_may_and_each_time_an_entry(
    server: LivingServer, account: Account, alice: Person
) -> None:
    log = f"/v1/log/{account.id}"
    checkpoint = get(server, alice.key, f"{log}/checkpoint")
    assert checkpoint.status_code == 200, checkpoint.text
    assert account.records()[-1]["eventName"] == "GetCheckpoint"
    assert checkpoint.headers["cache-control"] == "no-store"
    tile = get(server, alice.key, f"{log}/tile/0/000.p/2")
    assert tile.content == b"".join(entry.leaf_hash for entry in server.log.entries_at(account.id, [0, 1]))
    record = account.records()[-1]
    assert (record["eventName"], record["resources"]) == (
        "GetTile",
        [{"ARN": f"arn:aws:iam-ledger:::account/{account.id}"}],
    )
    evidence = f"/v1/evidence?account={account.id}&principal=alice"
    for path in (f"{log}/proof/0", f"{log}/consistency?from=1", evidence):
        assert get(server, alice.key, path).status_code == 403
        assert account.records()[-1]["errorCode"] == "AccessDenied"
        assert get(server, account.key, path).status_code == 200
    other = server.new_account()
    of_others = f"/v1/evidence?account={other.id}&principal=root", "/v1/evidence?principal=alice"
    for path in (f"/v1/log/{other.id}/tile/entries/000.p/1", *of_others):
        assert get(server, account.key, path).status_code == 403


def test_where_there_is_one_account_it_need_not_be_named(database_url: str) -> None:
    with living_server(database_url) as server:
        account = server.new_account()
        assert get(server, account.key, "/v1/events").status_code == 200
        assert account.records()[-1]["eventName"] == "LookupEvents"
        (line,) = get(server, account.key, "/v1/accounts").json()
        assert line["account"] == account.id


def test_a_session_token_is_borne(server: LivingServer, account: Account, alice: Person) -> None:
    token = session_of(account, alice)["SessionToken"]
    answered = httpx.get(
        f"{server.url}/v1/state?account={account.id}&kind=user&name=alice",
        headers={"authorization": f"Bearer {token}"},
    )
    assert answered.status_code == 200, answered.text
    assert account.records()[-1]["eventName"] == "GetState"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_plain_curl_asks(server: LivingServer, account: Account, alice: Person) -> None:
    key = alice.key
    ran = subprocess.run(
        [
            *("curl", "--silent", "--fail", "--aws-sigv4", "aws:amz:us-east-1:iam-ledger"),
            *("--user", f"{key['AccessKeyId']}:{key['SecretAccessKey']}"),
            f"{server.url}/v1/events?account={account.id}&action=iam%3ACreateUser&limit=1",
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(ran.stdout)["events"][0]["action"] == "iam:CreateUser"
    assert account.records()[-1]["userAgent"].startswith("curl/")


def test_decisions_on_questions_come_out_the_same(
    server: LivingServer, account: Account, alice: Person
) -> None:
    get(server, alice.key, f"/v1/events?account={account.id}")
    get(server, alice.key, f"/v1/findings?account={account.id}")
    verified = verify_decisions(server.log, [account.id])
    assert verified.divergences == []


def test_every_question_has_its_permission() -> None:
    routes = [
        route
        for room in (
            reads,
            log_reads,
            evidence_reads,
            permission_reads,
            permission_reads_access,
            permission_reads_over_time,
        )
        for route in room.router.routes
    ]
    actions = []
    for route in routes:
        assert isinstance(route, APIRoute)
        found = RULES.match("GET", route.path.replace("{kind}", "user").replace(":path", ""))
        assert found is not None, route.path
        assert isinstance(found.rule, Rule)
        assert found.rule.path == route.path
        actions.append(found.rule.action)
    assert len(set(actions)) == len(routes) > 18
