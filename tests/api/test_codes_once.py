"""RFC 6238, 5.2: of many who bring the same code at the same time, one is let in."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import orjson
import pyotp
import pytest
import time_machine
from botocore.exceptions import ClientError

from tests.api.living_server import Account, LivingServer, living_server

AT_ONCE = 8
STEP = 30


@pytest.fixture
def moving() -> Iterator[time_machine.Traveller]:
    """The clock, which every thread of this process goes by."""
    with time_machine.travel(1_800_000_000, tick=True) as traveller:
        yield traveller


@pytest.fixture
def server(database_url: str, moving: time_machine.Traveller) -> Iterator[LivingServer]:
    with living_server(database_url) as living:
        yield living


def at_once(make: Callable[[], Callable[[], Any]]) -> tuple[list[Any], list[str]]:
    """What was answered to those who were let in, and the error codes of the others."""
    barrier = Barrier(AT_ONCE)

    def one(ask: Callable[[], Any]) -> Any:
        barrier.wait(30)
        try:
            return ask()
        except ClientError as error:
            return error

    asked = [make() for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(one, asked))
    refused = [answer.response["Error"]["Code"] for answer in answers if isinstance(answer, ClientError)]
    return [answer for answer in answers if not isinstance(answer, ClientError)], refused


def test_each_code_is_accepted_once_of_eight_at_once(
    server: LivingServer, moving: time_machine.Traveller
) -> None:
    account = server.new_account()
    iam = account.client("iam")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    allow_everything(account, "alice")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]
    serial, totp = device["SerialNumber"], pyotp.TOTP(device["Base32StringSeed"].decode())
    role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust(account.id))["Role"]["Arn"]

    now = int(time.time())
    codes = {"AuthenticationCode1": totp.at(now - STEP), "AuthenticationCode2": totp.at(now)}
    let_in, refused = at_once(
        lambda: asking(
            account, "iam", None, "enable_mfa_device", UserName="alice", SerialNumber=serial, **codes
        )
    )
    assert len(let_in) == 1
    assert set(refused) <= {"InvalidAuthenticationCode", "EntityAlreadyExists", "Throttling"}

    for operation, words in (
        ("get_session_token", {}),
        ("assume_role", {"RoleArn": role, "RoleSessionName": "alice"}),
    ):
        moving.shift(120)  # past the wait that so many failures cost
        code = totp.at(int(time.time()))
        let_in, refused = at_once(
            lambda: asking(account, "sts", key, operation, SerialNumber=serial, TokenCode=code, **words)  # noqa: B023
        )
        assert len(let_in) == 1, (operation, refused)
        assert set(refused) <= {"AccessDenied", "Throttling"}
        moving.shift(STEP)  # a code is good for one step more, but this one is used up
        late, refused = at_once(
            lambda: asking(account, "sts", key, operation, SerialNumber=serial, TokenCode=code, **words)  # noqa: B023
        )
        assert late == [], operation
    opened = [it for it in account.records() if it["eventName"] in ("GetSessionToken", "AssumeRole")]
    assert len([it for it in opened if "errorCode" not in it]) == 2
    assert len(opened) == 4 * AT_ONCE  # every attempt is in the log


def asking(
    account: Account, service: str, key: dict[str, str] | None, operation: str, **words: Any
) -> Callable[[], Any]:
    client = account.client(service, key)
    return lambda: getattr(client, operation)(**words)


def allow_everything(account: Account, user: str) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    account.client("iam").put_user_policy(UserName=user, PolicyName="all", PolicyDocument=document)


def trust(account_id: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
