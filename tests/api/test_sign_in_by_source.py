"""Signing in by guessing at many names from one address: at some time nobody there is heard, and elsewhere everybody."""

from collections.abc import Iterator

import httpx
import pytest
import time_machine

from ledger.vault import attempts
from tests.api.living_server import PASSWORD, Account, LivingServer, living_server

FREE = 8
EMAIL = "root@example.com"


@pytest.fixture
def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LivingServer]:
    """All of it within one second, however long that takes."""
    monkeypatch.setattr(attempts, "SOURCE_FREE_FAILURES", FREE)
    with time_machine.travel(1_800_000_000, tick=False), living_server(database_url) as running:
        yield running


def signing_in(account_id: str, server: LivingServer, address: str, **told: str) -> int:
    """The status of a sign-in from this address of the loopback."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=30) as client:
        return client.post(f"{server.url}/v1/sign-in", json={"account": account_id, **told}).status_code


def as_root(account: Account, address: str) -> int:
    return signing_in(account.id, account.server, address, email=EMAIL, password=PASSWORD)


def test_who_guesses_at_many_names_is_heard_no_more_and_others_are(server: LivingServer) -> None:
    account = server.new_account()
    names = [f"user{number}" for number in range(FREE + 4)]
    told = [signing_in(account.id, server, "127.0.0.2", user=name, password="Summer-2026") for name in names]
    assert told == [401] * (FREE + 1) + [429] * 3
    assert as_root(account, "127.0.0.2") == 429
    assert as_root(account, "127.0.0.3") == 200
    assert len([it for it in account.records() if it["eventName"] == "ConsoleLogin"]) == FREE + 2


def test_accounts_that_are_not_there_are_slow_to_guess_at_too(server: LivingServer) -> None:
    """And so are no more easily told from those that are there."""
    account = server.new_account()
    told = [
        signing_in(f"9999999999{number:02}", server, "127.0.0.2", user="a", password="x")
        for number in range(FREE + 2)
    ]
    assert told == [401] * (FREE + 1) + [429]
    assert as_root(account, "127.0.0.2") == 429
    known, unknown = (
        [
            signing_in(account_id, server, "127.0.0.4", user="nobody", password="x")
            for _ in range(attempts.FREE_FAILURES + 2)
        ]
        for account_id in (account.id, "999999999999")
    )
    assert known[-1] == 429
    assert known[:2] == unknown[:2] == [401, 401]
    assert unknown[-1] == 429


def test_codes_of_calls_count_too(server: LivingServer) -> None:
    """Each is of another device, and from one address, by somebody who has a key."""
    account = server.new_account()
    iam = account.client("iam")
    codes = []
    for number in range(FREE + 3):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"device{number}")["VirtualMFADevice"]
        iam.create_user(UserName=f"user{number}")
        try:
            iam.enable_mfa_device(
                UserName=f"user{number}",
                SerialNumber=made["SerialNumber"],
                AuthenticationCode1="000000",
                AuthenticationCode2="000000",
            )
        except iam.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["InvalidAuthenticationCode"] * (FREE + 1) + ["Throttling"] * 2
