"""A guarded service: nobody passes without a permission, and each call is one entry, whichever way the ledger is asked."""

import asyncio
import importlib.util
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from api.client import AccessKey, AsyncClient, Client, question
from api.guard import BadRule, Guard, NotKnown, NotReached, NotUnderstood, Outcome, Public, Rule, Rules
from api.guard.in_process import InProcess
from projections.permissions.verification import verify_decisions
from tests.api.asking_services import Person, new_person, session_of, signed_headers
from tests.api.living_server import Account, LivingServer, living_server
from tests.api.loopback import on_loopback

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "orders.py"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["orders:GetOrder", "orders:PutOrder", "orders:CopyOrder", "orders:Fail"],
            "Resource": "arn:aws:orders:::order/*",
        },
        {
            "Effect": "Allow",
            "Action": "orders:Refund",
            "Resource": "*",
            "Condition": {"NumericLessThan": {"orders:Amount": "100"}},
        },
        {"Effect": "Allow", "Action": "stock:GetItem", "Resource": "arn:aws:stock:::item/1"},
    ],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    with living_server(f"sqlite:///{tmp_path_factory.mktemp('guard') / 'ledger.sqlite'}") as server:
        yield server


@pytest.fixture(scope="module", params=["over HTTP", "in process"])
def service(request: pytest.FixtureRequest, server: LivingServer) -> Iterator[str]:
    """The example of the documentation, asking a ledger over HTTP, or an authority in the same process."""
    over_http = AsyncClient(server.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEDGER_URL", server.url)
        spec = importlib.util.spec_from_file_location("orders", EXAMPLE)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    example = module.service
    example.add_api_route("/fails/{id}", fails, methods=["GET"])
    example.add_api_route("/text/{id}", text, methods=["GET"])
    rules = [
        *module.RULES,
        Rule("GET", "/fails/{id}", action="orders:Fail", resource=module.ORDER, request=("id",)),
        Rule("GET", "/text/{id}", action="orders:Fail", resource=module.ORDER, response=("total",)),
    ]
    ledger = over_http if request.param == "over HTTP" else InProcess(server.authority)
    guarded = Guard(
        example, ledger, rules, region="eu-west-1", event_source="orders.example.com", body_bytes_max=10_000
    )
    with on_loopback(guarded, log_level="critical") as url:
        yield url


def fails(id: str) -> None:
    raise LookupError(id)


def text(id: str) -> PlainTextResponse:
    return PlainTextResponse("total" * 5_000)


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def alice(account: Account) -> Person:
    return new_person(account, "alice", POLICY)


@dataclass(frozen=True)
class Calling:
    """Calls of one person, each signed; `entries` are the records since then."""

    url: str
    account: Account
    person: Person
    before: int

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        headers = signed_headers(self.person.key, method, f"{self.url}{path}", content)
        headers["content-type"] = "application/json"
        return httpx.request(method, f"{self.url}{path}", content=content, headers=headers)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.account.records()[self.before :]


@pytest.fixture
def call(service: str, account: Account, alice: Person) -> Calling:
    return Calling(service, account, alice, len(account.records()))


def test_an_allowed_call_is_one_entry_with_what_was_asked_and_answered(call: Calling) -> None:
    put = call("PUT", "/orders/7", {"lines": [3, 4], "password": "x"})
    assert put.status_code == 200, put.text
    assert put.json() == {"id": "7", "total": 7, "by": call.person.arn}
    got = call("GET", "/orders/7")
    assert got.json()["total"] == 7
    first, second = call.entries
    assert first["requestParameters"] == {"id": "7", "lines": [3, 4]}
    assert first["responseElements"] == {"total": 7}
    assert (first["eventSource"], first["eventName"]) == ("orders.example.com", "PutOrder")
    assert first["awsRegion"] == "eu-west-1"
    assert first["sourceIPAddress"] == "127.0.0.1"
    assert first["userAgent"].startswith("python-httpx")
    assert (second["eventName"], second["readOnly"]) == ("GetOrder", True)


def test_a_denial_is_recorded_at_once_and_the_handler_does_not_run(call: Calling) -> None:
    refused = call("POST", "/orders/7/refund", {"amount": 100})
    assert refused.status_code == 403
    told = refused.json()
    (entry,) = call.entries
    assert (entry["errorCode"], entry["eventID"]) == ("AccessDenied", told["eventID"])
    assert entry["errorMessage"] == told["detail"]
    assert call("POST", "/orders/7/refund", {"amount": 99}).json() == {"refunded": 99}
    assert call.entries[1]["requestParameters"] == {"id": "7", "amount": 99}


def test_what_goes_wrong_is_recorded(call: Calling) -> None:
    assert call("GET", "/orders/nowhere").status_code == 404
    assert call("GET", "/fails/7").status_code == 500
    assert call("PUT", "/orders/7", ["no object"]).status_code == 400
    assert [(it["eventName"], it["errorCode"]) for it in call.entries] == [
        ("GetOrder", "NotFound"),
        ("Fail", "InternalServerError"),
    ]


def test_an_answer_that_is_no_json_passes_as_it_is(call: Calling) -> None:
    assert call("GET", "/text/7").text == "total" * 5_000
    (entry,) = call.entries
    assert entry["responseElements"] is None


def test_a_permission_within_a_route_is_an_entry_of_its_own(call: Calling) -> None:
    call("PUT", "/orders/1", {"lines": [1]})
    assert call("POST", "/orders/1/copy", {"to": "8"}).json()["id"] == "8"
    assert call("POST", "/orders/2/copy", {"to": "8"}).status_code == 403
    told = [(it["eventName"], it.get("errorCode")) for it in call.entries[1:]]
    assert told == [
        ("GetItem", None),
        ("CopyOrder", None),
        ("GetItem", "AccessDenied"),
        ("CopyOrder", "Forbidden"),
    ]


def test_nobody_is_answered_401_and_leaves_no_entry(service: str, call: Calling) -> None:
    for headers in (
        {},
        {"authorization": "Bearer ilt1_AAAA"},
        {"authorization": "Basic YTpi"},
        signed_headers(
            {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"}, "GET", f"{service}/orders/7"
        ),
    ):
        answered = httpx.get(f"{service}/orders/7", headers=headers)
        assert answered.status_code == 401
        assert answered.headers["www-authenticate"] == "Bearer"
    assert call.entries == []


def test_a_route_that_no_rule_speaks_of_is_refused_and_a_public_one_is_not(
    service: str, call: Calling
) -> None:
    assert call("GET", "/docs").status_code == 403
    assert call("DELETE", "/orders/7").status_code == 403
    assert httpx.get(f"{service}/docs").status_code == 401
    assert httpx.get(f"{service}/health").json() == {"status": "up"}
    assert call.entries == []


def test_a_session_token_is_enough(service: str, account: Account, alice: Person, call: Calling) -> None:
    token = session_of(account, alice)["SessionToken"]
    call("PUT", "/orders/7", {"lines": [1]})
    answered = httpx.get(f"{service}/orders/7", headers={"authorization": f"Bearer {token}"})
    assert answered.status_code == 200
    assert account.records()[-1]["userIdentity"]["arn"] == alice.arn


def test_what_can_be_taken_in_two_ways_is_refused(call: Calling) -> None:
    assert call("POST", "/orders/7/refund?amount=1", {"amount": 1_000}).status_code == 400
    assert call("POST", "/orders/7/refund?amount=1&amount=1000").status_code == 400
    headers = signed_headers(call.person.key, "POST", f"{call.url}/orders/7/refund", "{}".encode("utf-16"))
    answered = httpx.post(f"{call.url}/orders/7/refund", content="{}".encode("utf-16"), headers=headers)
    assert answered.status_code == 400
    assert call.entries == []


def test_a_body_that_was_changed_or_is_too_large_is_refused(call: Calling) -> None:
    headers = signed_headers(call.person.key, "PUT", f"{call.url}/orders/7", b'{"lines": [1]}')
    assert httpx.put(f"{call.url}/orders/7", content=b'{"lines": [9]}', headers=headers).status_code == 401
    assert call("PUT", "/orders/7", {"lines": [1] * 10_000}).status_code == 413
    assert call.entries == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_signs_for_any_service(call: Calling) -> None:
    call("PUT", "/orders/7", {"lines": [5]})
    key = call.person.key
    ran = subprocess.run(
        [
            *("curl", "--silent", "--fail", "--aws-sigv4", "aws:amz:eu-west-1:orders"),
            *("--user", f"{key['AccessKeyId']}:{key['SecretAccessKey']}", f"{call.url}/orders/7"),
        ],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert json.loads(ran.stdout)["total"] == 5


def test_every_decision_comes_out_the_same_when_it_is_made_again(
    server: LivingServer, account: Account, call: Calling
) -> None:
    call("PUT", "/orders/7", {"lines": [5]})
    call("POST", "/orders/7/refund", {"amount": 500})
    assert verify_decisions(server.log, [account.id]).divergences == []


def test_a_ledger_that_is_away_lets_nobody_pass(alice: Person) -> None:
    nobody = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    nobody.close()
    inner = FastAPI()
    rule = Rule("GET", "/orders/{id}", action="orders:GetOrder", resource="arn:aws:orders:::order/{id}")
    with on_loopback(Guard(inner, AsyncClient(address), [rule]), log_level="critical") as url:
        headers = signed_headers(alice.key, "GET", f"{url}/orders/7")
        assert httpx.get(f"{url}/orders/7", headers=headers).status_code == 503


class LosesOutcomes:
    """A ledger whose outcomes never arrive, as when it dies between the two."""

    def __init__(self, ledger: InProcess) -> None:
        self.ask = ledger.ask

    async def tell(self, outcome: Outcome) -> Any:
        raise NotReached("gone")


def test_an_answer_whose_call_cannot_be_written_down_is_kept_back_and_the_ledger_writes_it_in_the_end(
    tmp_path: Path,
) -> None:
    inner = FastAPI()
    inner.add_api_route("/orders/{id}", lambda id: {"total": 1}, methods=["GET"])
    rule = Rule("GET", "/orders/{id}", action="orders:GetOrder", resource="arn:aws:orders:::order/{id}")
    with living_server(str(tmp_path / "ledger.sqlite")) as server:
        account = server.new_account()
        person = new_person(account, "alice", POLICY)
        with on_loopback(
            Guard(inner, LosesOutcomes(InProcess(server.authority)), [rule]), log_level="critical"
        ) as url:
            answered = httpx.get(
                f"{url}/orders/7", headers=signed_headers(person.key, "GET", f"{url}/orders/7")
            )
        assert answered.status_code == 503
        assert account.records()[-1]["eventName"] != "GetOrder"
        server.authority.services.close()
        entry = account.records()[-1]
        assert entry["eventName"] == "GetOrder"
        assert entry["eventID"] == answered.json()["eventID"]
        assert entry["additionalEventData"] == {"outcome": "notTold"}


# ---- the client


def test_the_client_asks_and_tells(server: LivingServer, account: Account, alice: Person) -> None:
    credential = AccessKey(alice.key["AccessKeyId"], alice.key["SecretAccessKey"])
    asked = question(
        credential,
        "orders:Refund",
        "arn:aws:orders:::order/7",
        context={"orders:Amount": "5"},
        outcome_follows=True,
    )
    with Client(server.url) as client:
        decision = client.ask(asked)
        assert decision.allowed
        assert decision.principal == alice.arn
        assert decision.receipt is not None
        entered = client.tell(Outcome(decision.receipt, {"refunded": 5}))
        assert account.records()[entered.position]["responseElements"] == {"refunded": 5}
        denied, unknown, wrong = client.ask_many(
            [
                question(credential, "orders:Delete", "*"),
                question(AccessKey("AKIAIOSFODNN7EXAMPLE", "x"), "orders:Delete", "*"),
                question(credential, "iam:CreateUser", "*"),
            ]
        )
        assert not getattr(denied, "allowed", True)
        assert isinstance(unknown, NotKnown)
        assert isinstance(wrong, NotUnderstood)
        assert wrong.parameter == "action"
        with pytest.raises(NotUnderstood):
            client.ask(question(credential, "iam:CreateUser", "*"))
        with pytest.raises(NotKnown):
            client.ask(question(AccessKey("AKIAIOSFODNN7EXAMPLE", "x"), "orders:Delete", "*"))

    async def the_same() -> None:
        async with AsyncClient(server.url) as client:
            assert (
                await client.ask(question(credential, "orders:GetOrder", "arn:aws:orders:::order/7"))
            ).allowed
            assert len(await client.ask_many([asked, asked])) == 2

    asyncio.run(the_same())


# ---- rules


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "GetOrder"},
        {"action": "orders:GetOrder", "resource": "order/{id}"},
        {"action": "orders:GetOrder", "resource": "arn:aws:orders::{account}:order/7"},
        {"action": "orders:GetOrder", "record": "never"},
        {"action": "orders:GetOrder", "record": "before", "response": ("total",)},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(BadRule):
        Rule("GET", "/orders/{id}", **rule)


def test_the_first_rule_that_matches_counts() -> None:
    rules = Rules(
        [
            Rule("GET", "/orders/export", action="orders:Export"),
            Rule("GET", "/orders/{id}", action="orders:GetOrder"),
            Public("*", "/static/{path:path}"),
        ]
    )

    def action(method: str, path: str) -> str | None:
        found = rules.match(method, path)
        return None if found is None else getattr(found.rule, "action", "public")

    assert action("GET", "/orders/export") == "orders:Export"
    assert action("HEAD", "/orders/7") == "orders:GetOrder"
    assert action("POST", "/static/a/b") == "public"
    assert [action("POST", "/orders/7"), action("GET", "/orders/7/lines"), action("GET", "/")] == [None] * 3
