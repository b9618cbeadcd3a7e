"""Calls that are answered outside of the account's turn: what stands in their entry is true when it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.account.account import Account
from ledger.authority.authority import Authority, Reply, Request
from ledger.authority.recording import Surroundings
from ledger.iam.deciding import DECISIONS, Answer, Bearer, Call, Decision, Moment, anything
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from projections.permissions.verification import verify_decisions
from tests.ledger.told import ACCOUNT, NOON

HERE = Surroundings("192.0.2.1", "test", "7a1c7f1e-0000-4000-8000-000000000001")
ROOT = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))
ALLOW = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}'
REPORT = "iam:GetCredentialReport"


class Slow:
    """A ledger with one read that takes its time; `meanwhile` happens while it is answered."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.now = NOON
        self.meanwhile: Callable[[], Any] = lambda: None
        read = Decision(REPORT, self._read, anything, outside=True)
        vault = Vault(log.engine, Keyring(new_key()))
        self.authority = Authority(
            log, vault, decisions={**DECISIONS, REPORT: read}, clock=lambda: float(self.now)
        )
        self.root("CreateUser", UserName="alice")
        self.root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=ALLOW)

    def root(self, operation: str, **parameters: Any) -> Reply:
        return self.call(f"iam:{operation}", ROOT, **parameters)

    def call(self, action: str, by: Bearer, **parameters: Any) -> Reply:
        return self.authority.call(Request(ACCOUNT, action, parameters, HERE, None, by=by))

    def as_alice(self) -> Reply:
        alice = self.authority.look(ACCOUNT)[0].user_named("alice")
        assert alice is not None
        return self.call(REPORT, Bearer(caller_of(alice.arn, None, alice.id)))

    def _read(self, account: Account, call: Call, moment: Moment) -> Answer:
        self.meanwhile()
        return Answer({"Content": b"told"})


@pytest.fixture
def slow(sqlite_url: str) -> Iterator[Slow]:
    log = Log(open_engine(sqlite_url, create=True))
    found = Slow(log)
    yield found
    found.authority.close()
    log.engine.dispose()


def test_a_read_that_ends_in_the_next_second_was_allowed_in_that_second(slow: Slow) -> None:
    slow.meanwhile = lambda: setattr(slow, "now", NOON + 1)
    assert slow.as_alice().output == {"Content": b"told"}
    latest = list(slow.log.read(ACCOUNT))[-1]
    assert (latest.record.action, latest.time) == (REPORT, NOON + 1)
    verified = verify_decisions(slow.log, [ACCOUNT])
    assert (verified.divergences, verified.recomputed) == ([], 3)


def test_who_loses_the_permission_meanwhile_is_told_nothing(slow: Slow) -> None:
    slow.meanwhile = lambda: slow.root("DeleteUserPolicy", UserName="alice", PolicyName="own")
    reply = slow.as_alice()
    assert (reply.output, reply.refusal and reply.refusal.code) == ({}, "AccessDenied")
    latest = list(slow.log.read(ACCOUNT))[-1]
    assert (latest.record.action, latest.document["errorCode"]) == (REPORT, "AccessDenied")
    assert verify_decisions(slow.log, [ACCOUNT]).divergences == []


def test_who_may_not_is_not_kept_waiting(slow: Slow) -> None:
    slow.root("DeleteUserPolicy", UserName="alice", PolicyName="own")
    slow.meanwhile = lambda: pytest.fail("it was read for nobody")
    reply = slow.as_alice()
    assert reply.refusal is not None
    assert len(list(slow.log.read(ACCOUNT))) == 4
