"""Evidence over HTTP: the same bytes that the command writes, for those who may have them."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api import evidence_reads
from ledger.checkpoint import KEY_FILE_VARIABLE, ledger_key_of
from ledger.log import Log, open_engine
from projections.evidence.verify_evidence import verify
from tests.api.conftest import Command
from tests.api.test_log_reads import served_by
from tests.ledger.test_every_log import ACCOUNT, BOB, OTHER, drafts


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    path = tmp_path / "ledger.sqlite"
    log = Log(open_engine(str(path), create=True))
    log.append([*drafts(5), *drafts(7, userIdentity=BOB), *drafts(2, recipientAccountId=OTHER)])
    log.engine.dispose()
    assert command("--db", path, "checkpoint", "new-key", "--name", "tested").code == 0
    return path


@pytest.fixture
def http(ledger: Path) -> Iterator[TestClient]:
    log = Log(open_engine(str(ledger)))
    with served_by(log, ledger_key_of(Path(f"{ledger}.checkpoint.key"))) as client:
        yield client
    log.engine.dispose()


def test_it_is_the_bundle_that_the_command_writes(
    http: TestClient, command: Command, ledger: Path, tmp_path: Path
) -> None:
    words = ("--principal", "bob", "--account", ACCOUNT, "--from", "2026-01-02")
    assert command("--db", ledger, "evidence", *words, "-o", tmp_path / "bob.zip").code == 0
    answered = http.get("/v1/evidence", params={"principal": "bob", "account": ACCOUNT, "from": "2026-01-02"})
    assert answered.status_code == 200, answered.text
    assert answered.headers["content-type"] == "application/zip"
    assert answered.headers["content-disposition"] == 'attachment; filename="evidence.zip"'
    assert answered.content == (tmp_path / "bob.zip").read_bytes()


def test_everybody_s_entries_between_two_positions(http: TestClient) -> None:
    answered = http.get("/v1/evidence", params={"positions": "3-6", "account": ACCOUNT})
    with zipfile.ZipFile(io.BytesIO(answered.content)) as served:
        said = list(verify({name: served.read(name) for name in served.namelist()}, []))
    assert "complete: positions 3 to 6, everybody: all 4 entries" in said


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({}, 422, "of a principal, or of positions"),
        ({"principal": "bob", "positions": "1-2"}, 422, "of a principal, or of positions"),
        ({"positions": "1-2", "from": "2026-01-02", "account": ACCOUNT}, 422, "times go with a principal"),
        ({"positions": "1-2"}, 422, "say which"),
        ({"positions": "x", "account": ACCOUNT}, 422, "not A-B"),
        ({"positions": "1-99", "account": ACCOUNT}, 404, "no positions 1-99"),
        ({"principal": "mallory"}, 404, "no principal"),
        ({"principal": "bob", "account": OTHER}, 404, "nothing that 'bob' did"),
        ({"principal": "bob", "account": "999999999999"}, 404, "no account"),
        ({"principal": "bob", "event": "1"}, 422, "no such parameter"),
    ],
)
def test_what_there_can_be_no_evidence_of_is_a_problem(
    http: TestClient, asked: dict[str, str], status: int, said: str
) -> None:
    answered = http.get("/v1/evidence", params=asked)
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    assert said in answered.json()["detail"]


def test_too_much_and_unsigned_are_problems(
    http: TestClient, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_reads, "SERVED_MAX", 4)
    answered = http.get("/v1/evidence", params={"principal": "alice", "account": ACCOUNT})
    assert (answered.status_code, "5 entries are more than the 4" in answered.text) == (422, True)
    log = Log(open_engine(str(ledger)))
    with served_by(log, None) as unsigned:
        answered = unsigned.get("/v1/evidence", params={"principal": "alice", "account": OTHER})
    log.engine.dispose()
    assert (answered.status_code, "no key for checkpoints" in answered.text) == (404, True)
