"""Eight processes with an authority each on one database: quotas hold, positions have no gaps, nothing told is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ledger.account.replay import Replay
from ledger.authority.authority import Authority
from ledger.authority.beginning import begin
from ledger.log import Log, open_engine
from ledger.vault.keys import Keyring, new_key
from ledger.vault.passwords import hash_password
from ledger.vault.store import Vault
from projections.permissions.verification import verify_decisions
from tests.api.aws.clients.hammering import ACCOUNT, HERE, OWN, ask, document

PROCESSES: Final = 8
TREE: Final = Path(__file__).resolve().parents[4]


@pytest.fixture
def vault_key() -> str:
    return new_key()


@pytest.fixture
def authority(database_url: str, vault_key: str) -> Iterator[Authority]:
    log = Log(open_engine(database_url, create=True))
    authority = Authority(log, Vault(log.engine, Keyring(vault_key)))
    begin(
        authority.turns,
        ACCOUNT,
        email="root@example.com",
        password_hash=hash_password("correct horse battery staple"),
        around=HERE,
    )
    ask(authority, "CreateUser", UserName="alice")
    ask(authority, "CreatePolicy", PolicyName="own", PolicyDocument=document("s3:*"))
    for number in range(16):
        ask(authority, "CreateGroup", GroupName=f"group-{number}")
        ask(authority, "CreatePolicy", PolicyName=f"policy-{number}", PolicyDocument=document("s3:*"))
    yield authority
    authority.close()
    log.engine.dispose()


@pytest.mark.slow
def test_quotas_hold_and_nothing_is_lost(authority: Authority, database_url: str, vault_key: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.api.aws.clients.hammering", database_url, vault_key, str(number)],
            cwd=TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [
            json.loads(line) for worker in workers for line in worker.communicate(timeout=120)[0].splitlines()
        ]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    assert len(told) == PROCESSES * 16
    assert {one["refused"] for one in told} == {None, "LimitExceeded"}

    state, size = authority.look(ACCOUNT)
    alice, policy = state.user_named("alice"), state.policy(OWN)
    assert alice is not None
    assert policy is not None
    assert len(alice.memberships) == 10
    assert len(alice.attached) == 10
    assert len(policy.versions) == 5
    given = {one["key"] for one in told if one["key"]}
    assert set(alice.access_keys) == given
    assert len(given) == 2
    accepted = Counter(one["name"] for one in told if one["refused"] is None)
    assert (accepted["CreateAccessKey"], accepted["CreatePolicyVersion"]) == (2, 4)
    for key in given:
        authority.presented(key, None)

    log = Log(open_engine(database_url))
    entries = list(log.read(ACCOUNT))
    assert [entry.position for entry in entries] == list(range(size))
    there = {entry.record.event_id: entry.document.get("errorCode") for entry in entries}
    assert len(there) == size
    assert all((there[one["event"]] is None) == (one["refused"] is None) for one in told)
    replay = Replay(ACCOUNT)
    for entry in entries:
        replay.take(entry)
    assert replay.account == state
    assert not verify_decisions(log, [ACCOUNT]).divergences
    log.engine.dispose()
