"""`iam-ledger import`: what it counts, what it says, how it ends."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from tests.api.conftest import Command

MEMBERS = {"files", "records", "appended", "duplicates", "rejected"}


def record(number: int) -> dict[str, object]:
    return {
        "eventTime": f"2026-03-17T12:00:{number:02d}Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "111122223333"},
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, numbers in (("a", range(5)), ("b", range(3, 8))):
        body = json.dumps({"Records": [record(number) for number in numbers]}).encode()
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(body))
    return folder


def test_the_sum_for_programs(command: Command, tmp_path: Path, logs: Path) -> None:
    told = command("--db", tmp_path / "l.db", "import", logs, "--format", "json").json
    assert told.keys() >= MEMBERS
    assert {name: told[name] for name in MEMBERS} == {
        "files": 2,
        "records": 10,
        "appended": 8,
        "duplicates": 2,
        "rejected": 0,
    }


def test_a_second_import_adds_nothing(command: Command, tmp_path: Path, logs: Path) -> None:
    words = ("--db", tmp_path / "l.db", "import", logs, "--format", "json")
    command(*words)
    again = command(*words).json
    assert (again["appended"], again["duplicates"]) == (0, 10)


def test_what_is_rejected_is_listed_and_told_by_the_status(
    command: Command, tmp_path: Path, logs: Path
) -> None:
    (logs / "c.json").write_text(json.dumps({"Records": [record(9), {"eventName": "Odd"}]}))
    rejects = tmp_path / "rejects.ndjson"
    ran = command("--db", tmp_path / "l.db", "import", logs, "--rejects", rejects, "--format", "json")
    assert ran.code == 1
    told = json.loads(ran.out)
    assert (told["rejected"], told["appended"]) == (1, 9)
    (line,) = map(json.loads, rejects.read_text().splitlines())
    assert line["file"].endswith("c.json")
    assert {"place", "reason", "detail"} <= line.keys()
    assert str(rejects) in ran.err


def test_a_path_that_is_not_there_is_a_rejection(command: Command, tmp_path: Path) -> None:
    ran = command("--db", tmp_path / "l.db", "import", tmp_path / "nowhere", "--format", "json")
    assert ran.code == 1
    assert json.loads(ran.out)["rejectedBy"] == {"not-found": 1}


def test_globs_and_standard_input(
    command: Command, tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        command("--db", tmp_path / "l.db", "import", f"{logs}/a*", "--format", "json").json["appended"] == 5
    )
    stdin = io.TextIOWrapper(io.BytesIO((logs / "b.json.gz").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert command("--db", tmp_path / "l.db", "import", "-", "--format", "json").json["appended"] == 3


def test_the_sum_for_people(command: Command, tmp_path: Path, logs: Path) -> None:
    ran = command("--db", tmp_path / "l.db", "import", logs)
    assert ran.code == 0
    assert "8 to 111122223333 (8)" in ran.text
    assert ran.err == ""  # no bar where nobody looks


def test_the_database_may_be_named_by_the_environment(
    command: Command, tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAM_LEDGER_DB", f"sqlite:///{tmp_path / 'named.db'}")
    assert command("import", logs).code == 0
    assert (tmp_path / "named.db").exists()


def test_ctrl_c_says_what_was_done(
    command: Command, tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledger.log import Log

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Log, "append_prepared", interrupted)
    ran = command("--db", tmp_path / "l.db", "import", logs, "--format", "json")
    assert ran.code == 130
    assert json.loads(ran.out)["interrupted"] is True
    assert "interrupted" in ran.err
