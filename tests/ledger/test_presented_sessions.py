"""A session token names the entry that opened its session: it is good for that session, and for no other."""

from collections.abc import Iterator

import pytest

from ledger.authority.credentials import Presented, Sessions, Unauthenticated
from ledger.authority.standing import Standing
from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.record import read_record
from tests.ledger.told import ACCOUNT, NOON, call, create_role

KEY = "ASIASESSION000001"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/now"
OPENED = call(
    "AssumeRole",
    {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": "now"},
    {
        "credentials": {"accessKeyId": KEY, "expiration": "Nov 14, 2023, 11:13:20 PM"},
        "assumedRoleUser": {"arn": SESSION, "assumedRoleId": "AROA000000DEPLOY1:now"},
    },
    source="sts.amazonaws.com",
)


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    engine = open_engine(database_url, create=True)
    log = Log(engine)
    log.append([Draft.of(read_record(one), NATIVE) for one in (create_role(), OPENED)])
    yield log
    engine.dispose()


def bearer_of_token(log: Log, key: str, position: int) -> str:
    presented = Presented(ACCOUNT, key, "its secret", position, NOON + 3_600)
    with log.turn(ACCOUNT) as turn:
        standing = Standing(ACCOUNT)
        standing.catch_up(turn)
        return Sessions().bearer(turn, standing.account, presented, NOON + 60).caller.arn


def test_a_token_is_good_for_the_session_that_its_entry_opened(log: Log) -> None:
    assert bearer_of_token(log, KEY, 1) == SESSION


@pytest.mark.parametrize(
    ("key", "position"),
    [("ASIASESSION000002", 1), (KEY, 0), (KEY, 2)],
    ids=["the session of another key", "an entry that opened none", "an entry that is not there"],
)
def test_a_token_is_good_for_no_other(log: Log, key: str, position: int) -> None:
    with pytest.raises(Unauthenticated) as told:
        bearer_of_token(log, key, position)
    assert told.value.code == "InvalidClientTokenId"
