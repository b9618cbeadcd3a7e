"""`evidence`, as it is typed, and the program in the bundle, as a stranger runs it."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from api.cli.exits import Exit
from ledger.checkpoint import KEY_FILE_VARIABLE
from ledger.log import Log, open_engine
from tests.api.conftest import Command, Ran
from tests.api.living_server import living_server
from tests.ledger.test_every_log import ACCOUNT, BOB, OTHER, draft, drafts
from tests.ledger.test_tiles import unguarded

Typed = Callable[..., Ran]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice called ten times in a minute of January, and then Bob for 290 times."""
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    path = tmp_path / "ledger.sqlite"
    append(path, drafts(10) + drafts(290, userIdentity=BOB, eventTime="2026-02-03T04:05:06Z"))
    return path


def append(path: Path, found: list[Any]) -> None:
    log = Log(open_engine(str(path), create=True))
    log.append(found)
    log.engine.dispose()


@pytest.fixture
def typed(command: Command, ledger: Path) -> Typed:
    """Runs a command on the ledger, which has a key."""
    assert command("--db", ledger, "checkpoint", "new-key", "--name", "tested").code == 0

    def run(*words: object) -> Ran:
        return command("--db", ledger, *words)

    return run


def refused(ran: Ran, code: Exit, said: str) -> None:
    assert ran.code == code, ran.err
    assert ran.err.startswith("iam-ledger: ") and ran.err.count("\n") == 1
    assert said in ran.err
    assert ran.out == b""


def checked(bundle: Path, *words: str) -> tuple[int, list[str]]:
    """By the program that is in the bundle."""
    program = bundle.parent / "verify_evidence.py"
    with zipfile.ZipFile(bundle) as archive:
        program.write_bytes(archive.read("verify_evidence.py"))
    ran = subprocess.run(
        [sys.executable, "-I", "-S", program, bundle, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONIOENCODING": "utf-8"},
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout.splitlines()


def test_a_principal_s_evidence_is_checked_with_the_key_that_was_published(
    typed: Typed, tmp_path: Path
) -> None:
    key = typed("checkpoint", "key").text.strip()
    bundle = tmp_path / "alice.zip"
    made = typed("evidence", "--principal", "alice", "--output", bundle)
    assert made.text == f"{sha256(bundle.read_bytes()).hexdigest()}  {bundle}\n"
    assert made.err == f"iam-ledger: evidence of 10 entries written to {bundle}\n"
    code, lines = checked(bundle, key)
    assert (code, lines[-1]) == (0, "VERIFIED")
    assert sum(line.startswith(f"  {ACCOUNT}:") for line in lines) == 10
    again = typed("evidence", "--principal", "alice", "--output", tmp_path / "again.zip")
    assert again.text.split()[0] == made.text.split()[0]


def test_it_is_chosen_by_time_by_positions_and_by_event(typed: Typed, tmp_path: Path) -> None:
    january = ("--from", "2026-01-02", "--to", "2026-01-03")
    assert (
        "of 10 entries" in typed("evidence", "--principal", "alice", *january, "-o", tmp_path / "a.zip").err
    )
    refused(
        typed("evidence", "--principal", "bob", *january, "-o", tmp_path / "b.zip"),
        Exit.NOT_ALL,
        "nothing that 'bob' did",
    )
    assert "of 5 entries" in typed("evidence", "--positions", "7-11", "-o", tmp_path / "b.zip").err
    assert "of 1 entry" in typed("evidence", "--positions", "7", "-o", tmp_path / "c.zip").err
    made = typed("evidence", f"{ACCOUNT}:3", f"{ACCOUNT}:4", "-o", tmp_path / "d.zip")
    assert "of 2 entries" in made.err and "does not claim to be complete" in made.err
    assert checked(tmp_path / "d.zip")[1][-1] == "VERIFIED, BUT NOT CLAIMED TO BE ALL"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        asked = json.loads(archive.read("evidence.json"))["question"]
    assert asked == {"principal": "alice", "from": "2026-01-02", "to": "2026-01-03"}


def test_a_folder_is_made_where_no_zip_is_named(typed: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    made = typed("evidence", "--principal", "alice", "--output", folder)
    document = folder / "evidence.json"
    assert made.text == f"{sha256(document.read_bytes()).hexdigest()}  {document}\n"
    assert {one.name for one in folder.iterdir()} == {
        "README.txt",
        "verify_evidence.py",
        "evidence.json",
        "records",
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("evidence",), Exit.USAGE, "evidence of what?"),
        (("evidence", f"{ACCOUNT}:1", "--principal", "alice"), Exit.USAGE, "evidence of what?"),
        (("evidence", "--positions", "1-2", "--principal", "alice"), Exit.USAGE, "evidence of what?"),
        (("evidence", f"{ACCOUNT}:1", "--from", "2026-01-01"), Exit.USAGE, "go with --principal"),
        (("evidence", f"{ACCOUNT}:1", "--account", ACCOUNT), Exit.USAGE, "--account goes with"),
        (("evidence", f"{ACCOUNT}:300"), Exit.NOT_ALL, "no event"),
        (("evidence", ""), Exit.USAGE, "event"),
        (("evidence", "--principal", "mallory"), Exit.NOT_ALL, "no principal 'mallory'"),
        (("evidence", "--principal", ""), Exit.USAGE, "principal"),
        (("evidence", "--principal", "alice", "--from", "x"), Exit.USAGE, "from"),
        (
            ("evidence", "--principal", "alice", "--account", "999999999999"),
            Exit.NOT_ALL,
            "no account",
        ),
        (("evidence", "--positions", "x"), Exit.USAGE, "positions"),
        (("evidence", "--positions", "1-"), Exit.USAGE, "positions"),
        (("evidence", "--positions", "5-4"), Exit.NOT_ALL, "no positions 5-4"),
        (("evidence", "--positions", "299-300"), Exit.NOT_ALL, "the log has 300 entries"),
    ],
)
def test_what_there_can_be_no_evidence_of_is_told_in_a_line(
    typed: Typed, words: tuple[object, ...], code: Exit, said: str, tmp_path: Path
) -> None:
    refused(typed(*words, "--output", tmp_path / "bundle.zip"), code, said)
    assert not (tmp_path / "bundle.zip").exists()


def test_several_accounts_have_to_be_told_apart_by_position(
    typed: Typed, ledger: Path, tmp_path: Path
) -> None:
    append(ledger, drafts(2, recipientAccountId=OTHER))
    refused(typed("evidence", "--positions", "0-1", "-o", tmp_path / "a.zip"), Exit.USAGE, "has several")
    assert typed("evidence", "--positions", "0-1", "--account", OTHER, "-o", tmp_path / "a.zip").code == 0
    code, lines = checked(tmp_path / "a.zip")
    assert code == 0
    assert "complete: positions 0 to 1, everybody: all 2 entries" in lines


def test_nothing_is_replaced_and_what_can_t_be_written_is_told(typed: Typed, tmp_path: Path) -> None:
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    refused(typed("evidence", "--principal", "alice", "-o", taken), Exit.USAGE, "exists")
    assert taken.read_text() == "mine"
    for name in ("nowhere/a.zip", "nowhere/folder"):
        refused(
            typed("evidence", "--principal", "alice", "-o", tmp_path / name), Exit.UNAVAILABLE, "cannot write"
        )


def test_without_a_key_there_is_no_evidence(command: Command, ledger: Path, tmp_path: Path) -> None:
    ran = command("--db", ledger, "evidence", "--principal", "alice", "-o", tmp_path / "a.zip")
    refused(ran, Exit.UNAVAILABLE, "checkpoint new-key")


def test_of_what_was_altered_there_is_no_evidence(typed: Typed, ledger: Path, tmp_path: Path) -> None:
    log = Log(open_engine(str(ledger)))
    with unguarded(log) as connection:
        connection.exec_driver_sql("UPDATE entries SET time = time + 1 WHERE position = 4")
        connection.commit()
    log.engine.dispose()
    refused(
        typed("evidence", "--principal", "alice", "-o", tmp_path / "a.zip"),
        Exit.NOT_ALL,
        "the entry at 4 is not what was hashed",
    )
    assert not (tmp_path / "a.zip").exists()


def test_calls_of_a_living_account_are_evidence_with_the_decisions_made_on_them(
    command: Command, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "checkpoint.key"))
    with living_server(database_url) as server:
        account = server.new_account()
        iam = account.client("iam")
        iam.create_user(UserName="alice")
        secret = iam.create_access_key(UserName="alice")["AccessKey"]
        alice = account.client("iam", secret)
        for name in ("bob", "carol"):
            with pytest.raises(ClientError, match="AccessDenied"):
                alice.create_user(UserName=name)
        iam.list_users()
    assert command("--db", database_url, "checkpoint", "new-key").code == 0
    key = command("--db", database_url, "checkpoint", "key").text.strip()
    bundle = tmp_path / "alice.zip"
    assert command("--db", database_url, "evidence", "--principal", "alice", "-o", bundle).code == 0
    code, lines = checked(bundle, key)
    assert (code, lines[-1]) == (0, "VERIFIED")
    assert sum(line.startswith(f"  {account.id}:") for line in lines) == 2
    with zipfile.ZipFile(bundle) as archive:
        records = [
            json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("records/")
        ]
        everything = b"".join(map(archive.read, archive.namelist()))
    assert [one["record"]["requestParameters"]["userName"] for one in records] == ["bob", "carol"]
    assert {one["authorization"]["decision"] for one in records} == {"implicitDeny"}
    assert {one["origin"]["kind"] for one in records} == {"native"}
    assert secret["SecretAccessKey"].encode() not in everything


def test_one_event_of_several_with_an_id_does_not_stand_alone(
    typed: Typed, ledger: Path, tmp_path: Path
) -> None:
    twice = "706846f8-33c3-4e14-9ab3-3d88dbf7524d"
    append(ledger, [draft(eventID=twice), draft(eventID=twice, eventName="DeleteUser")])
    assert "of 2 entries" in typed("evidence", twice, "-o", tmp_path / "a.zip").err
