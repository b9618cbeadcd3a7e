"""Who is not known leaves no entry, and is counted: by reason alone, whatever they send, at each door."""

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from api.aws import signature
from api.unknown_callers import TOLD_EVERY_SECONDS, Reason, UnknownCallers
from ledger.authority import credentials
from tests.api.asking_services import Person, new_person, signed_headers
from tests.api.living_server import Account, LivingServer
from tests.api.served import served

MAY_ASK = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "iam-ledger:CountUnknownCallers",
        "Resource": "arn:aws:iam-ledger:::api",
    },
}
FOREIGN_ROLE = "arn:aws:iam::999999999999:role/x"


@pytest.fixture(scope="module")
def server(either_server: LivingServer) -> LivingServer:
    return either_server


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def auditor(account: Account) -> Person:
    return new_person(account, "auditor", MAY_ASK)


def asked(server: LivingServer, key: dict[str, str]) -> httpx.Response:
    url = f"{server.url}/v1/unknown-callers"
    return httpx.get(url, headers=signed_headers(key, "GET", url, service="iam-ledger"))


def counted(server: LivingServer, auditor: Person) -> dict[str, int]:
    answered = asked(server, auditor.key)
    assert answered.status_code == 200, answered.text
    calls: dict[str, int] = answered.json()["calls"]
    return calls


WRONG_SECRET = {"SecretAccessKey": "x" * 40}
UNKNOWN_KEY = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}


def by_client(service: str, wrong: dict[str, str]) -> Callable[[Account], None]:
    def call(account: Account) -> None:
        client = account.client(service, {**account.key, **wrong})
        with pytest.raises(ClientError):
            client.list_objects(Bucket="bucket") if service == "s3" else client.get_caller_identity()

    return call


def posted(path: str, **body: object) -> Callable[[Account], None]:
    def call(account: Account) -> None:
        answered = httpx.post(f"{account.server.url}{path}", json=body, timeout=30)
        assert answered.status_code == 401, answered.text

    return call


def without_credential(path: str) -> Callable[[Account], None]:
    def call(account: Account) -> None:
        assert httpx.get(f"{account.server.url}{path}").status_code in (400, 401, 403)

    return call


def bearing_nothing_known(account: Account) -> None:
    headers = {"Authorization": "Bearer ilt1_AAAA"}
    assert httpx.get(f"{account.server.url}/v1/accounts", headers=headers).status_code == 401


def half_signed(account: Account) -> None:
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    assert httpx.get(f"{account.server.url}/", headers=headers).status_code == 400


def of_an_account_that_is_not_there(account: Account) -> None:
    body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=xx&WebIdentityToken=a.b.c"
    answered = httpx.post(f"{account.server.url}/", content=f"{body}&RoleArn={FOREIGN_ROLE}")
    assert answered.status_code == 400


QUESTION = {"action": "orders:GetOrder", "resource": "*"}
NOBODY = {"account": "999999999999", "user": "a", "password": "x"}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (by_client("sts", UNKNOWN_KEY), Reason.UNKNOWN_KEY),
        (by_client("sts", WRONG_SECRET), Reason.MISMATCH),
        (by_client("s3", UNKNOWN_KEY), Reason.UNKNOWN_KEY),
        (by_client("s3", WRONG_SECRET), Reason.MISMATCH),
        (half_signed, Reason.INCOMPLETE),
        (without_credential("/?Action=ListUsers&Version=2010-05-08"), Reason.NO_CREDENTIAL),
        (without_credential("/?Action=NoSuchThing&Version=2010-05-08"), Reason.NO_CREDENTIAL),
        (without_credential("/v1/accounts"), Reason.NO_CREDENTIAL),
        (bearing_nothing_known, Reason.UNKNOWN_KEY),
        (posted("/v1/authorize", credential={"token": "ilt1_AAAA"}, **QUESTION), Reason.UNKNOWN_KEY),
        (posted("/v1/sign-in", **NOBODY), Reason.NO_ACCOUNT),
        (of_an_account_that_is_not_there, Reason.NO_ACCOUNT),
    ],
)
def test_each_call_is_counted_once_and_leaves_no_entry(
    account: Account, auditor: Person, call: Callable[[Account], None], reason: Reason
) -> None:
    before, entries = counted(account.server, auditor), len(account.records())
    call(account)
    after = counted(account.server, auditor)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {reason: 1}
    assert len(account.records()) == entries + 1  # that of the second question, how many there were


def test_what_is_recorded_is_not_counted(account: Account, auditor: Person) -> None:
    """A denial, a wrong password, and what was signed rightly and makes no sense: somebody is known each time."""
    before = counted(account.server, auditor)
    with pytest.raises(ClientError):
        account.client("iam", auditor.key).list_users()
    wrong = {"account": account.id, "user": "auditor", "password": "wrong"}
    assert httpx.post(f"{account.server.url}/v1/sign-in", json=wrong, timeout=30).status_code == 401
    assert counted(account.server, auditor) == before


def test_to_ask_for_it_needs_a_permission(account: Account) -> None:
    assert asked(account.server, new_person(account, "bob").key).status_code == 403
    assert account.records()[-1]["eventName"] == "CountUnknownCallers"


def test_there_are_as_many_counters_as_reasons_whatever_is_sent(account: Account, auditor: Person) -> None:
    for number in range(20):
        by_client("sts", {"AccessKeyId": f"AKIAIOSFODNN7{number:07}"})(account)
    assert counted(account.server, auditor).keys() == set(Reason)


def test_every_refusal_of_a_credential_is_a_reason() -> None:
    told = "".join(Path(str(module.__file__)).read_text() for module in (signature, credentials))
    codes = set(re.findall(r'(?:SignatureError|Unauthenticated)\(\s*"(\w+)"', told))
    assert len(codes) >= 6
    assert codes <= set(Reason)


def test_the_log_of_the_program_tells_of_them_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [1_000.0]
    unknown = UnknownCallers(lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            unknown.count("InvalidClientTokenId")
        assert [it.getMessage() for it in caplog.records] == [
            "calls by unknown callers, which leave no entry: InvalidClientTokenId 1"
        ]
        now[0] += TOLD_EVERY_SECONDS
        unknown.count("ExpiredToken")
        assert caplog.records[-1].getMessage().endswith(": InvalidClientTokenId 99, ExpiredToken 1")
        unknown.tell()
    assert len(caplog.records) == 2  # there was nothing new


def test_none_is_lost_of_many_at_once() -> None:
    unknown = UnknownCallers()
    start = threading.Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(1_000):
            unknown.count(Reason.MISMATCH)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unknown.to_document()["calls"]["SignatureDoesNotMatch"] == 8_000


def test_at_the_end_the_server_says_what_it_had_not_told(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for _ in range(3):
            httpx.get(f"{server.url}/v1/accounts")
    said = server.said.read_text()
    told = re.findall(r"which leave no entry: MissingAuthenticationToken (\d+)", said)
    assert [*map(int, told)] == [1, 3]  # the first is the one by which the test saw that it was up
