"""How far a signed request's time may be from the server's: IAM_LEDGER_SIGNATURE_WINDOW, at each place that takes one."""

import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import time_machine

from tests.api.asking_services import signed_headers
from tests.api.served import Served, served

MINUTES = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("window"), IAM_LEDGER_SIGNATURE_WINDOW=str(MINUTES)) as running:
        yield running


def signed_at(server: Served, method: str, url: str, service: str, minutes: float) -> dict[str, str]:
    """The headers of a request whose sender's clock is so many minutes ahead of ours."""
    key = {"AccessKeyId": server.key_id, "SecretAccessKey": server.secret}
    with time_machine.travel(time.time() + minutes * 60, tick=False):
        return signed_headers(key, method, url, service=service)


def of_iam(server: Served, minutes: float) -> httpx.Response:
    url = f"{server.url}/?Action=ListUsers&Version=2010-05-08"
    return httpx.get(url, headers=signed_at(server, "GET", url, "iam", minutes))


def of_s3(server: Served, minutes: float) -> httpx.Response:
    url = f"{server.url}/trails"
    return httpx.get(url, headers=signed_at(server, "GET", url, "s3", minutes))


def of_a_service(server: Served, minutes: float) -> httpx.Response:
    url = f"{server.url}/orders/7"
    headers = signed_at(server, "GET", url, "orders", minutes)
    told = {"method": "GET", "url": "/orders/7", "headers": [*headers.items()], "body": ""}
    question = {
        "credential": {"signedRequest": told},
        "action": "orders:GetOrder",
        "resource": "arn:aws:orders:::order/7",
    }
    return httpx.post(f"{server.url}/v1/authorize", json=question)


def of_the_read_api(server: Served, minutes: float) -> httpx.Response:
    url = f"{server.url}/v1/accounts"
    return httpx.get(url, headers=signed_at(server, "GET", url, "iam-ledger", minutes))


EARLIER = r"Signature expired: (\w+) is now earlier than (\w+) \((\w+) - 5 min\.\)"
LATER = r"Signature not yet current: (\w+) is still later than (\w+) \((\w+) \+ 5 min\.\)"


@pytest.mark.parametrize("ask", [of_iam, of_s3, of_a_service, of_the_read_api])
def test_the_window_is_as_set_wherever_a_signature_is_taken(
    server: Served, ask: Callable[[Served, float], httpx.Response]
) -> None:
    for minutes in (MINUTES - 1, 1 - MINUTES):
        answered = ask(server, minutes)
        assert "Signature" not in answered.text
        assert answered.status_code == (404 if ask is of_s3 else 200)  # nothing was ever delivered
    for minutes, wanted in ((MINUTES + 1, LATER), (-MINUTES - 1, EARLIER)):
        answered = ask(server, minutes)
        assert "SignatureDoesNotMatch" in answered.text
        told = re.search(wanted, answered.text)
        assert told is not None, answered.text
        when, limit, now = (time.mktime(time.strptime(it, "%Y%m%dT%H%M%SZ")) for it in told.groups())
        assert abs(limit - now) == MINUTES * 60
        assert abs(when - now - minutes * 60) < 30
