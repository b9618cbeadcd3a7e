"""R9 and R15: a copy is whole and as new as what was acknowledged; whoever goes on from an old one gives nobody another's role."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.log.copying import NotCopied, copy_to
from ledger.record import read_record
from tests.reliability.copies import copied_while_writing
from tests.reliability.logs import record
from tests.reliability.processes import ACCOUNT, new_ledger
from tests.reliability.restores import gone_on_from_a_copy
from tests.reliability.soundness import looked_through


def test_copies_that_are_taken_while_others_write_are_whole_and_new(tmp_path: Path) -> None:
    outcome = copied_while_writing(tmp_path, copies=4)
    assert not outcome.wrong
    assert outcome.hit


def test_a_session_of_an_entry_that_was_lost_does_not_become_the_session_that_has_its_place(
    tmp_path: Path,
) -> None:
    outcome = gone_on_from_a_copy(tmp_path, sessions=2)
    assert not outcome.wrong
    assert outcome.hit == 2


def iam_ledger(*words: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "api.cli.main", *words]
    return subprocess.run(
        program, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"}
    )


def test_backup_makes_a_ledger_and_takes_the_place_of_nothing(tmp_path: Path) -> None:
    ledger, copy = tmp_path / "ledger.sqlite", tmp_path / "copy.sqlite"
    new_ledger(f"sqlite:///{ledger}")
    done = iam_ledger("--db", str(ledger), "backup", str(copy))
    assert done.returncode == 0
    assert done.stdout.strip() == f"{copy}: 2 entries of 1 accounts"
    assert looked_through(str(copy), ACCOUNT).leaves == looked_through(str(ledger), ACCOUNT).leaves
    assert copy.stat().st_mode & 0o077 == 0  # what the vault holds is sealed, and still nobody's
    before = copy.read_bytes()
    again = iam_ledger("--db", str(ledger), "backup", str(copy))
    assert again.returncode == 3
    assert again.stderr == f"iam-ledger: {copy} is there already\n"
    assert copy.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_a_copy_that_can_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "ledger.sqlite"), create=True)
    with pytest.raises(NotCopied, match="cannot write"):
        copy_to(engine, tmp_path / "nowhere" / "copy.sqlite")
    (tmp_path / "copy.sqlite.part").touch()
    with pytest.raises(NotCopied, match="another copy is being made"):
        copy_to(engine, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()
    engine.dispose()


def test_a_damaged_ledger_is_not_copied_as_if_it_were_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    engine = open_engine(str(path), create=True)
    Log(engine).append([Draft.of(read_record(record(number))) for number in range(400)])
    with engine.connect() as connection:
        root = connection.scalar(sa.text("SELECT rootpage FROM sqlite_master WHERE name = 'entries'"))
    engine.dispose()
    content = bytearray(path.read_bytes())
    at = (root - 1) * 8192
    while content[at] in (2, 5):  # an inner page: down to the last leaf, by the pointer of its head
        at = (int.from_bytes(content[at + 8 : at + 12]) - 1) * 8192
    content[at + 3 : at + 5] = b"\xff\xff"  # how many cells the page has
    path.write_bytes(content)
    engine = open_engine(str(path))
    with pytest.raises(NotCopied):
        copy_to(engine, tmp_path / "copy.sqlite")
    assert not list(tmp_path.glob("copy*"))
    engine.dispose()


def test_a_ledger_on_postgresql_is_copied_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    engine = open_engine(postgres_url, create=True)
    with pytest.raises(NotCopied, match="pg_dump"):
        copy_to(engine, tmp_path / "copy.sqlite")
    engine.dispose()
