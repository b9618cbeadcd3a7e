"""What strangers and careless programs send: nothing of it harms the server, and each leaves the entries that are due."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from ledger.iam import FOLDED_ACTIONS
from ledger.record import read_record
from tests.api.hostile import Answered, Hostile, Hostility, send
from tests.api.served import Served, served

COUNT = int(os.environ.get("IAM_LEDGER_TEST_HOSTILE_REQUESTS", "1000"))
AT_ONCE = 4
MEMORY_GROWTH_MAX = 1.5


def sent(server: Served, requests: list[Hostile]) -> list[Answered]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda hostile: send(server.port, hostile), requests))


def entries_of(server: Served) -> Counter[str]:
    return Counter(record["requestID"] for record in server.records() if record["userAgent"] != "iam-ledger")


def check(server: Served, requests: list[Hostile], answers: list[Answered]) -> None:
    entries = entries_of(server)
    for hostile, answered in zip(requests, answers, strict=True):
        told = (hostile.kind, hostile.wire[-500:], answered.text[-500:])
        assert answered.status is None or answered.status < 500, told
        if hostile.entries is not None:
            found = 0 if answered.request_id is None else entries[answered.request_id]
            assert found == hostile.entries, told
        if answered.status == 200 and b"xml" in answered.text:
            assert b"\0" not in answered.text, told
    assert server.process.poll() is None


@pytest.mark.timeout(1_800)
def test_no_rubbish_harms_the_server_or_changes_the_account(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        hostility = Hostility(16, server.key_id, server.secret, f"127.0.0.1:{server.port}", server.account)
        before = server.run("state", "--format", "json")
        begun = len(server.records())
        requests = list(hostility.requests(COUNT))
        first = max(len(requests) // 5, 200)  # until caches and models are there
        answers = sent(server, requests[:first])
        held = server.held_kib
        answers += sent(server, requests[first:])
        assert server.held_kib < held * MEMORY_GROWTH_MAX
        check(server, requests, answers)
        statuses = Counter(answered.status for answered in answers)
        for status in (
            200,
            400,
            403,
            404,
            413,
        ):  # no kind was stopped before it came where it was meant to come
            assert statuses[status] > 0, statuses
        made = server.records()[begun:]
        changes = [record["eventName"] for record in made
                   if "errorCode" not in record and read_record(record).action in FOLDED_ACTIONS]  # fmt: skip
        assert changes == []
        assert [
            account["account"] for account in orjson.loads(server.run("accounts", "--format", "json"))
        ] == [server.account]
        assert same_state(before, server.run("state", "--format", "json"))
        assert b"Traceback" not in server.said.read_bytes()


def same_state(one: bytes, other: bytes) -> bool:
    """But for the time that was asked about."""
    documents = [orjson.loads(text) for text in (one, other)]
    for document in documents:
        document.pop("at", None)
    return documents[0] == documents[1]


def test_any_operation_with_any_parameters_is_answered(tmp_path: Path) -> None:
    """Some are carried out, so the account changes, and every later call meets what is left of that."""
    with served(tmp_path) as server:
        hostility = Hostility(17, server.key_id, server.secret, f"127.0.0.1:{server.port}", server.account)
        requests = [hostility.wild() for _ in range(COUNT // 2)]
        answers = sent(server, requests)
        check(server, requests, answers)
        succeeded = Counter(answered.status for answered in answers)[200]
        assert succeeded > COUNT / 100
        assert b"Traceback" not in server.said.read_bytes()
        server.run("verify", "--decisions")  # fails where a decision does not come out again
