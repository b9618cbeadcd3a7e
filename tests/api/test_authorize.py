"""Services ask over HTTP: whoever proves a credential is told what it may, and every question is one entry."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.guard.reading import MEMBERS, OUTCOME_MEMBERS
from projections.permissions.verification import verify_decisions
from tests.api.asking_services import ORDER, READS, Person, new_person, session_of, signed_headers
from tests.api.living_server import Account, LivingServer


@pytest.fixture(scope="module")
def server(either_server: LivingServer) -> LivingServer:
    return either_server


@pytest.fixture(scope="module")
def http(server: LivingServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def alice(account: Account) -> Person:
    return new_person(account, "alice", READS)


def asked(http: httpx.Client, question: Any, status: int = 200) -> Any:
    answered = http.post("/v1/authorize", json=question)
    assert answered.status_code == status, answered.text
    expected = "application/json" if status == 200 else "application/problem+json"
    assert answered.headers["content-type"] == expected
    assert answered.headers["cache-control"] == "no-store"
    return answered.json()


def test_an_allowed_call_is_told_why_and_is_an_entry(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    told = asked(
        http,
        alice.question(requestParameters={"id": "7", "apiToken": "x", "password": "p"}, region="eu-west-1"),
    )
    assert told["decision"] == "allowed"
    assert told["message"] is None
    (statement,) = told["authorization"]["statements"]
    assert (statement["policy"], statement["sid"], statement["effect"]) == ("own", "Reads", "Allow")
    record = account.records()[-1]
    assert told["position"] == len(account.records()) - 1
    assert record["eventID"] == told["eventID"]
    assert record["eventSource"] == "orders.internal"
    assert record["eventName"] == "GetOrder"
    assert record["awsRegion"] == "eu-west-1"
    assert record["userIdentity"]["arn"] == alice.arn
    assert record["resources"] == [{"ARN": ORDER}]
    assert record["readOnly"] is True
    assert "errorCode" not in record
    assert record["requestParameters"]["id"] == "7"
    assert record["requestParameters"]["password"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


@pytest.mark.parametrize(
    ("action", "resource", "decision", "because"),
    [
        (
            "orders:DeleteOrder",
            ORDER,
            "implicitDeny",
            "because no identity-based policy allows the orders:DeleteOrder action",
        ),
        (
            "orders:GetOrder",
            "arn:aws:orders:::order/secret",
            "explicitDeny",
            "with an explicit deny in an identity-based policy: own",
        ),
    ],
)
def test_a_denied_call_is_an_entry_too(
    http: httpx.Client,
    account: Account,
    alice: Person,
    action: str,
    resource: str,
    decision: str,
    because: str,
) -> None:
    told = asked(http, alice.question(action, resource))
    assert told["decision"] == decision
    message = f"User: {alice.arn} is not authorized to perform: {action} on resource: {resource} {because}"
    assert told["message"] == message
    record = account.records()[-1]
    assert (record["eventID"], record["errorCode"]) == (told["eventID"], "AccessDenied")
    assert record["errorMessage"] == message


def test_a_service_of_aws_is_recorded_under_its_own_name(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    sources = {
        "cloudwatch:GetMetricData": "monitoring.amazonaws.com",
        "s3:GetObject": "s3.amazonaws.com",
        "orders:GetOrder": "orders.internal",
    }
    for action, source in sources.items():
        asked(http, alice.question(action, "*"))
        assert account.records()[-1]["eventSource"] == source
    asked(http, alice.question(eventSource="orders.eu.example.com"))
    assert account.records()[-1]["eventSource"] == "orders.eu.example.com"


def test_conditions_are_judged_by_what_the_service_tells(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    small = asked(http, alice.question("orders:Refund", context={"orders:Amount": 99}))
    large = asked(http, alice.question("orders:Refund", context={"orders:Amount": 100}))
    untold = asked(http, alice.question("orders:Refund"))
    assert [it["decision"] for it in (small, large, untold)] == ["allowed", "implicitDeny", "implicitDeny"]


def test_the_entry_tells_the_callers_address_and_who_asked(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    asked(http, alice.question(context={"aws:SourceIp": "192.0.2.7", "aws:UserAgent": "shop/1"}))
    record = account.records()[-1]
    assert (record["sourceIPAddress"], record["userAgent"]) == ("192.0.2.7", "shop/1")
    assert record["additionalEventData"]["askedFrom"]["sourceIPAddress"] == "127.0.0.1"
    asked(http, alice.question())
    record = account.records()[-1]
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert "additionalEventData" not in record


def test_a_session_token_is_borne(http: httpx.Client, account: Account, alice: Person) -> None:
    session = session_of(account, alice)
    told = asked(http, {**alice.question(), "credential": {"token": session["SessionToken"]}})
    assert told["decision"] == "allowed"
    record = account.records()[-1]
    assert record["userIdentity"]["accessKeyId"] == session["AccessKeyId"]
    assert session["SessionToken"] not in str(account.records())


@pytest.mark.parametrize("form", ["pairs", "mapping", "hash", "base64"])
def test_a_signed_request_is_forwarded_as_it_came(
    http: httpx.Client, account: Account, alice: Person, form: str
) -> None:
    body = b'{"lines": [1, 2]}'
    url = "https://orders.example.com/orders/7?full=yes&a=%20b"
    headers = signed_headers(alice.key, "PUT", url, body)
    sent: dict[str, Any] = {"method": "PUT", "url": url, "headers": headers, "body": body.decode()}
    if form == "pairs":
        sent["headers"] = [[name, value] for name, value in headers.items()]
        sent["url"] = "/orders/7?full=yes&a=%20b"
    elif form == "hash":
        sent["bodySha256"] = hashlib.sha256(body).hexdigest()
        del sent["body"]
    elif form == "base64":
        sent["bodyBase64"] = base64.b64encode(body).decode()
        del sent["body"]
    question = {**alice.question("orders:PutOrder"), "credential": {"signedRequest": sent}}
    told = asked(http, question)
    assert told["decision"] == "allowed"
    spoilt = {**sent, "method": "DELETE"}
    refused = asked(http, {**alice.question(), "credential": {"signedRequest": spoilt}}, 401)
    assert refused["code"] == "SignatureDoesNotMatch"


def test_whoever_proves_nothing_is_not_recorded(http: httpx.Client, account: Account, alice: Person) -> None:
    before = len(account.records())
    wrong = {**alice.credential, "secretAccessKey": "x" * 40}
    nobody = {**alice.credential, "accessKeyId": "AKIAIOSFODNN7EXAMPLE"}
    for credential, code in (
        (wrong, "SignatureDoesNotMatch"),
        (nobody, "InvalidClientTokenId"),
        ({"token": "ilt1_AAAA"}, "InvalidClientTokenId"),
    ):
        refused = asked(http, {**alice.question(), "credential": credential}, 401)
        assert refused["code"] == code
    account.client("iam").update_access_key(
        UserName="alice", AccessKeyId=alice.key["AccessKeyId"], Status="Inactive"
    )
    assert asked(http, alice.question(), 401)["code"] == "InvalidClientTokenId"
    assert len(account.records()) == before + 1


def test_a_list_is_answered_in_its_order_and_each_by_itself(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    before = len(account.records())
    questions: list[Any] = [alice.question(), alice.question("orders:DeleteOrder"), {"action": "x"}, 7]
    questions.append({**alice.question(), "credential": {"token": "ilt1_AAAA"}})
    told = asked(http, questions)
    assert [it.get("decision") for it in told] == ["allowed", "implicitDeny", None, None, None]
    assert [it.get("status") for it in told] == [None, None, 422, 422, 401]
    assert [it["position"] for it in told[:2]] == [before, before + 1]
    assert len(account.records()) == before + 2
    asked(http, [], 422)
    asked(http, [alice.question()] * 101, 422)
    assert len(asked(http, [alice.question()] * 100)) == 100


@pytest.mark.parametrize(
    ("changed", "parameter"),
    [
        ({"action": "GetOrder"}, "action"),
        ({"action": "iam:CreateUser"}, "action"),
        ({"action": "iam-ledger:CreateAccount"}, "action"),
        ({"action": "sts:AssumeRole"}, "action"),
        ({"resource": "order/7"}, "resource"),
        ({"resource": None}, "resource"),
        ({"resource": "arn:aws:orders:::order/7\n"}, "resource"),
        ({"contxt": {}}, "contxt"),
        ({"context": {"aws:MultiFactorAuthPresent": "true"}}, "context.aws:MultiFactorAuthPresent"),
        ({"context": {"AWS:PrincipalTag/team": "a"}}, "context.AWS:PrincipalTag/team"),
        ({"context": {"sts:ExternalId": "a"}}, "context.sts:ExternalId"),
        ({"context": {"Amount": 1}}, "context.Amount"),
        ({"context": {"orders:Amount": None}}, "context.orders:Amount"),
        ({"context": {"orders:a": 1, "ORDERS:A": 2}}, "context.ORDERS:A"),
        ({"context": {"aws:SourceIp": ["192.0.2.1", "192.0.2.2"]}}, "context.aws:SourceIp"),
        ({"requestParameters": []}, "requestParameters"),
        ({"requestParameters": {"a": "x" * 100_001}}, "requestParameters"),
        ({"eventSource": "iam.amazonaws.com"}, "eventSource"),
        ({"eventSource": "iam.example.com"}, "eventSource"),
        ({"eventSource": "orders.amazonaws.com"}, "eventSource"),
        ({"region": "EU"}, "region"),
        ({"readOnly": "yes"}, "readOnly"),
        ({"credential": {}}, "credential"),
        ({"credential": {"token": 7}}, "credential.token"),
        ({"credential": {"token": "a", "x": 1}}, "credential.x"),
        ({"credential": {"signedRequest": {}}}, "credential.signedRequest.method"),
    ],
)
def test_what_is_not_understood_is_named_and_leaves_no_entry(
    http: httpx.Client, account: Account, alice: Person, changed: dict[str, Any], parameter: str
) -> None:
    before = len(account.records())
    told = asked(http, {**alice.question(), **changed}, 422)
    assert told["errors"][0]["parameter"] == parameter
    assert len(account.records()) == before


def test_what_is_no_question_at_all_is_refused(http: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    assert http.get("/v1/authorize").status_code == 405
    assert http.post("/v1/authorize", content=b"{}").status_code == 415
    assert http.post("/v1/authorize", content=b"{", headers=json).status_code == 400
    deep = b'{"requestParameters":' * 2_000
    assert http.post("/v1/authorize", content=deep, headers=json).status_code == 400
    large = b'"' + b"x" * (4 << 20) + b'"'
    assert http.post("/v1/authorize", content=large, headers=json).status_code == 413


def test_an_outcome_that_follows_makes_the_one_entry(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    before = len(account.records())
    told = asked(http, alice.question("orders:PutOrder", outcomeFollows=True))
    assert (told["decision"], told["position"]) == ("allowed", None)
    assert len(account.records()) == before
    outcome = {"receipt": told["receipt"], "responseElements": {"total": 12, "sessionToken": "x"}}
    entered = http.post("/v1/outcomes", json=outcome)
    assert entered.status_code == 200, entered.text
    assert entered.json() == {"account": account.id, "eventID": told["eventID"], "position": before}
    record = account.records()[-1]
    assert record["responseElements"] == {
        "total": 12,
        "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    assert http.post("/v1/outcomes", json=outcome).json() == entered.json()
    assert [it["position"] for it in http.post("/v1/outcomes", json=[outcome, outcome]).json()] == [
        before
    ] * 2
    other = http.post("/v1/outcomes", json={**outcome, "responseElements": {"total": 13}})
    assert other.status_code == 422
    assert "another" in other.json()["detail"]
    assert len(account.records()) == before + 1


def test_the_same_outcome_twice_at_once_is_one_entry(
    http: httpx.Client, account: Account, alice: Person
) -> None:
    told = asked(http, alice.question("orders:PutOrder", outcomeFollows=True))
    before = len(account.records())
    one = {"receipt": told["receipt"], "errorCode": "NotFound"}
    another = {"receipt": told["receipt"]}
    answered = http.post("/v1/outcomes", json=[one, one, another]).json()
    assert [it.get("position") for it in answered] == [before, before, None]
    assert account.records()[-1]["errorCode"] == "NotFound"
    assert len(account.records()) == before + 1


def test_a_denial_does_not_wait_for_an_outcome(http: httpx.Client, account: Account, alice: Person) -> None:
    told = asked(http, alice.question("orders:DeleteOrder", outcomeFollows=True))
    assert told["receipt"] is None
    assert account.records()[told["position"]]["eventID"] == told["eventID"]


def test_a_receipt_that_was_changed_is_none(http: httpx.Client, alice: Person) -> None:
    told = asked(http, alice.question("orders:PutOrder", outcomeFollows=True))
    receipt = told["receipt"]
    spoilt = receipt[:-2] + ("A" if receipt[-2] != "A" else "B") + receipt[-1]
    for wrong in (spoilt, "ilr1_", "x", receipt[:40]):
        answered = http.post("/v1/outcomes", json={"receipt": wrong})
        assert (answered.status_code, answered.json()["errors"][0]["parameter"]) == (422, "receipt")


def test_every_decision_comes_out_the_same_when_it_is_made_again(
    server: LivingServer, http: httpx.Client, account: Account, alice: Person
) -> None:
    session = session_of(account, alice)
    for question in (
        alice.question(),
        alice.question("orders:Refund", context={"orders:Amount": [5]}),
        alice.question("orders:DeleteOrder"),
        {**alice.question(), "credential": {"token": session["SessionToken"]}},
    ):
        asked(http, question)
    late = asked(http, alice.question("orders:PutOrder", outcomeFollows=True))
    account.client("iam").delete_user_policy(UserName="alice", PolicyName="own")
    assert http.post("/v1/outcomes", json={"receipt": late["receipt"]}).status_code == 200
    assert asked(http, alice.question())["decision"] == "implicitDeny"
    verified = verify_decisions(server.log, [account.id])
    assert verified.divergences == []
    assert verified.recomputed > 6


def test_what_services_ask_is_described(http: httpx.Client, account: Account) -> None:
    headers = signed_headers(account.key, "GET", f"{account.server.url}/openapi.json", service="iam-ledger")
    document = http.get("/openapi.json", headers=headers).json()
    assert {"/v1/authorize", "/v1/outcomes", "/v1/events"} <= set(document["paths"])
    assert set(document["components"]["schemas"]["Question"]["properties"]) == MEMBERS
    assert set(document["components"]["schemas"]["Outcome"]["properties"]) == OUTCOME_MEMBERS
