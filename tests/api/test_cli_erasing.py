"""`iam-ledger erase`, and what the other commands say afterwards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.log import Log, open_engine
from tests.api.conftest import Command, Ran
from tests.api.test_cli_verify import harm

MAIN = "210987654321"


@pytest.fixture
def ledger(incident_ledger: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(incident_ledger, tmp_path / "ledger.sqlite"))


@pytest.fixture
def asked(command: Command, ledger: Path) -> Command:
    def ran(*words: object) -> Ran:
        return command("--db", ledger, *words)

    return ran


@pytest.fixture
def two(asked: Command) -> list[Any]:
    """Two calls that only read."""
    words = ("--account", MAIN, "--principal", "ci-deploy", "--action", "s3:GetObject", "--limit", "2")
    found: list[Any] = asked("events", *words, "--format", "ndjson").lines
    return found


def test_records_are_erased_by_their_ids_and_positions(asked: Command, two: list[Any], ledger: Path) -> None:
    named = (two[0]["eventID"], two[1]["position"])
    ran = asked("erase", *named, "--account", MAIN, "--reason", "case 4711", "--yes", "--format", "json")
    positions = sorted(one["position"] for one in two)
    assert ran.json == {
        "account": MAIN,
        "erasedBy": ran.json["erasedBy"],
        "positions": positions,
        "remains": None,
    }
    assert not Path(f"{ledger}-wal").exists() or not Path(f"{ledger}-wal").stat().st_size
    by = ran.json["erasedBy"]
    assert asked("event", two[0]["eventID"]).text.startswith(f"its record was erased by entry {MAIN}:{by}\n")
    assert asked("verify", "--format", "json").json["log"]["erased"] == [
        {"account": MAIN, "by": by, "records": 2}
    ]
    assert f"{MAIN}: 2 records erased by entry {by}" in asked("verify").text
    assert asked("blame", two[0]["eventID"]).err == (
        f"iam-ledger: the record of {MAIN}:{two[0]['position']} was erased by entry {by}\n"
    )
    listed = asked("events", "--account", MAIN, "--text", "case 4711", "--format", "ndjson").lines
    assert [one["position"] for one in listed] == [by]


def test_one_record_is_told_as_one(asked: Command, two: list[Any]) -> None:
    ran = asked("erase", two[0]["eventID"], "--reason", "case 4711", "--yes")
    assert f"1 record erased by entry {MAIN}:" in ran.text
    assert "1 record erased by entry " in asked("verify").text


def test_where_an_erasure_was_tampered_with_each_command_says_so_in_a_line(
    asked: Command, two: list[Any], ledger: Path
) -> None:
    asked("erase", two[0]["eventID"], "--reason", "case 4711", "--yes")
    harm(ledger, "UPDATE erasures SET erased_by = 3")
    place = f"{MAIN}:{two[0]['position']}"
    ran = asked("event", place)
    damaged = "its record is missing, and entry 3 does not say that it was erased"
    told = f"account {MAIN}, position {two[0]['position']}: the entry is damaged ({damaged})"
    assert (ran.code, ran.err) == (1, f"iam-ledger: {told}\n")
    harm(ledger, "DELETE FROM erasures")
    commands = (
        ("event", place),
        ("blame", place),
        ("erase", place, "--reason", "case 4711", "--yes"),
    )
    for words in commands:
        ran = asked(*words)
        assert ran.code == 1, (words, ran.text)
        assert ran.err.startswith(
            f"iam-ledger: account {MAIN}, position {two[0]['position']}: the entry is damaged"
        ), words
        assert ran.err.count("\n") == 1, words


def test_a_program_has_to_say_that_it_is_meant(asked: Command, two: list[Any], ledger: Path) -> None:
    ran = asked("erase", two[0]["eventID"], "--reason", "case 4711")
    assert (ran.code, ran.err) == (2, "iam-ledger: it can't be undone: --yes says that it is meant\n")
    assert asked("verify", "--format", "json").json["log"]["erased"] == []


def test_who_sits_at_a_terminal_sees_what_goes_and_is_asked(two: list[Any], ledger: Path) -> None:
    words = ["--db", str(ledger), "erase", two[0]["eventID"], "--reason", "case 4711"]
    for answer, status in (("n", 1), ("y", 0)):
        shown, ended = at_a_terminal(words, answer)
        assert "s3:GetObject" in shown and "Erase them for good?" in shown
        assert (ended, "nothing was erased" in shown) == (status, answer == "n")
    log = Log(open_engine(str(ledger)))
    entry = log.entry(MAIN, two[0]["position"])
    log.engine.dispose()
    assert entry is not None and entry.erased is not None


def at_a_terminal(words: list[str], answer: str) -> tuple[str, int]:
    ours, theirs = os.openpty()
    program = [sys.executable, "-m", "api.cli.main", *words]
    ran = subprocess.Popen(
        program, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "100"}
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    os.close(ours)
    return shown.decode(), ran.wait(60)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["706846f8-33c3-4e14-9ab3-3d88dbf7524d"], 1, "is a change that the account's state rests on: iam:CreatePolicyVersion"),
        (["nobody-knows-it"], 1, "no event 'nobody-knows-it'"),
        (["17"], 2, "the ledger has several; say which"),
        ([f"{MAIN}:99999999"], 1, "no event"),
        ([f"{MAIN}:1", "210987654399:1"], 2, "an erasure is an entry of one account"),
        ([f"{MAIN}:1", "--reason", " "], 2, "--reason: why?"),
    ],
)  # fmt: skip
def test_what_can_t_be_erased_is_said_in_one_line(
    asked: Command, words: list[str], code: int, said: str
) -> None:
    ran = asked("erase", "--reason", "case 4711", "--yes", *words)
    assert ran.code == code and said in ran.err and ran.err.count("\n") == 1, ran.err
