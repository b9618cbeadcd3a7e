"""Deliveries on the command line: a key, an export that goes on, a validation, an import that checks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from api.cli.exits import Exit
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import read_record
from projections.export.signing_keys import read_keys
from tests.api.conftest import Command
from tests.ledger.told import ACCOUNT
from tests.projections.delivering_told import a_call, files_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """With three entries."""
    path = tmp_path / "ledger.sqlite"
    tell(path, 3)
    return path


def tell(path: Path, count: int) -> None:
    log = Log(open_engine(str(path), create=True))
    log.append([Draft.of(read_record(a_call(), account_id=ACCOUNT)) for _ in range(count)])
    log.engine.dispose()


@pytest.fixture
def folder(command: Command, ledger: Path, tmp_path: Path) -> Path:
    """Delivered to, once."""
    assert command("--db", ledger, "digest-keys", "new", "--bits", "2048").code == 0
    done = command("--db", ledger, "export", "--format", "cloudtrail", "--to", tmp_path / "out")
    assert done.code == 0, done.err
    return tmp_path / "out"


def test_a_key_is_made_for_its_owner_and_never_replaced(command: Command, ledger: Path) -> None:
    made = command("--db", ledger, "digest-keys", "new", "--bits", "2048")
    file = Path(f"{ledger}.digest-keys")
    assert made.text == f"{file}: {read_keys(file).newest.fingerprint}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    again = command("--db", ledger, "digest-keys", "new")
    assert (again.code, again.err) == (Exit.UNAVAILABLE, f"iam-ledger: cannot write {file}: File exists\n")
    assert command("--db", ledger, "digest-keys", "new", "--bits", "1024").code == Exit.USAGE


def test_a_key_that_others_can_read_signs_nothing(command: Command, ledger: Path, tmp_path: Path) -> None:
    command("--db", ledger, "digest-keys", "new", "--bits", "2048")
    Path(f"{ledger}.digest-keys").chmod(0o640)
    done = command("--db", ledger, "export", "--format", "cloudtrail", "--to", tmp_path / "out")
    assert done.code == Exit.UNAVAILABLE
    assert "chmod 600" in done.err
    assert not (tmp_path / "out").exists()


def test_a_rotated_key_signs_next_and_the_first_stays(
    command: Command, ledger: Path, folder: Path, tmp_path: Path
) -> None:
    file = Path(f"{ledger}.digest-keys")
    first = read_keys(file).newest.fingerprint
    assert command("--db", ledger, "digest-keys", "rotate", "--bits", "2048").code == 0
    second = read_keys(file).newest.fingerprint
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_keys(file)[first].fingerprint == first != second
    tell(ledger, 1)
    command("--db", ledger, "export", "--format", "cloudtrail", "--to", folder)
    listed = command("--db", ledger, "digest-keys", "list").json["PublicKeyList"]
    assert [key["Fingerprint"] for key in listed] == [first, second]
    assert command("validate-export", folder, "--format", "json").json["sound"] is True
    command("--db", ledger, "export", "--format", "cloudtrail", "--to", tmp_path / "other")
    assert command("--db", ledger, "validate-export", tmp_path / "other", "--ledger").code == 0


def test_an_export_goes_on_where_the_last_one_ended(command: Command, ledger: Path, folder: Path) -> None:
    tell(ledger, 2)
    done = command("--db", ledger, "export", "--format", "cloudtrail", "--to", folder)
    assert "2 entries in 1 log files" in done.err
    told = command("--db", ledger, "validate-export", folder, "--ledger", "--format", "json").json
    (account,) = told["accounts"]
    assert (account["account"], account["logFiles"], account["findings"]) == (ACCOUNT, 2, [])
    assert account["digests"] == account["validDigests"] >= 2
    assert account["notAnchored"] == []
    newest = account["newest"]["us-east-1"]
    assert done.text == f"{newest['key']}={newest['sha256']}\n"


def test_the_last_digest_is_an_anchor(command: Command, ledger: Path, folder: Path) -> None:
    tell(ledger, 2)
    last = command("--db", ledger, "export", "--format", "cloudtrail", "--to", folder).text.strip()
    sound = command("validate-export", folder, "--last-digest", last)
    assert (sound.code, "not anchored" in sound.err) == (0, False)
    (folder / last.partition("=")[0]).unlink()
    for key in (folder / "AWSLogs" / ACCOUNT / "CloudTrail").rglob("*00003*.gz"):
        key.unlink()
    unanchored = command("validate-export", folder)
    assert "is not anchored" in unanchored.err
    spoilt = command("validate-export", folder, "--last-digest", last)
    assert spoilt.code == Exit.NOT_ALL
    assert "is known to have been delivered" in spoilt.text
    assert command("validate-export", folder, "--last-digest", "x").code == Exit.USAGE


def test_nothing_delivered_is_nothing_sound(
    command: Command, ledger: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder / "AWSLogs")
    gone = command("--db", ledger, "validate-export", folder, "--ledger")
    assert (gone.code, "is gone" in gone.text) == (Exit.NOT_ALL, True)
    assert command("validate-export", folder).code == Exit.NOT_ALL
    assert command("validate-export", tmp_path / "none").code == Exit.NOT_ALL


def test_an_extract_has_no_digests_and_filters_make_no_delivery(
    command: Command, ledger: Path, folder: Path, tmp_path: Path
) -> None:
    words = ("--db", ledger, "export", "--format", "cloudtrail", "--action", "iam:ListUsers")
    assert command(*words, "--to", tmp_path / "extract").code == 0
    assert (tmp_path / "extract" / "manifest.json").exists()
    assert not list((tmp_path / "extract").rglob("*Digest*"))
    assert command(*words, "--to", folder).code == Exit.USAGE
    assert command(*words, "--to", "s3://bucket").code == Exit.USAGE
    assert command(*words, "--to", tmp_path / "x", "--whole-hours").code == Exit.USAGE


def test_what_was_not_delivered_to_is_not_delivered_into(
    command: Command, ledger: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = command("--db", ledger, "export", "--format", "cloudtrail", "--to", tmp_path / "mine")
    assert done.code == Exit.USAGE
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_import_says_what_became_of_the_digests(
    command: Command, ledger: Path, folder: Path, tmp_path: Path
) -> None:
    keys = folder / "public-keys.json"
    done = command("--db", tmp_path / "new.sqlite", "import", folder, "--digest-keys", keys)
    assert done.code == 0, done.err
    assert "1 verified, 0 failed, 0 without key" in done.text
    without = command("--db", tmp_path / "new.sqlite", "import", folder, "--format", "json").json
    assert without["digests"] == {"verified": 0, "failed": 0, "withoutKey": 1, "missingLogFiles": 0}
    (log,) = (folder / "AWSLogs" / ACCOUNT / "CloudTrail").rglob("*.gz")
    log.unlink()
    gone = command("--db", tmp_path / "new.sqlite", "import", folder, "--digest-keys", keys)
    assert "1 log files that they name are not here" in gone.text
    log.write_bytes(orjson.dumps({"Records": [a_call()]}))
    spoilt = command("--db", tmp_path / "new.sqlite", "import", folder, "--digest-keys", keys)
    assert spoilt.code == Exit.NOT_ALL
    assert "which is not what was delivered" in spoilt.err
    assert "appended    1" in spoilt.text  # it is told, and imported all the same
    assert (
        command("--db", ledger, "import", folder, "--digest-keys", tmp_path / "none").code == Exit.UNAVAILABLE
    )


def test_a_delivery_that_is_killed_again_and_again_comes_out_whole(command: Command, tmp_path: Path) -> None:
    """Killed for good (-9) after its first object was seen, or a few objects later."""
    path, folder = tmp_path / "ledger.sqlite", tmp_path / "out"
    log = Log(open_engine(str(path), create=True), clock=lambda: time.time() - 96 * 3_600)
    log.append([Draft.of(read_record(a_call(), account_id=ACCOUNT)) for _ in range(5)])
    log.engine.dispose()
    command("--db", path, "digest-keys", "new", "--bits", "2048")
    words = [sys.executable, "-m", "api.cli.main", "--db", str(path), "export", "--format", "cloudtrail"]
    killed = 0
    for after in (0, 1, 7, 20, 3):
        running = subprocess.Popen([*words, "--to", str(folder)], stdout=subprocess.DEVNULL, cwd=ROOT)
        there = count_of(folder)
        while running.poll() is None and count_of(folder) <= there + after:
            time.sleep(0.001)
        if running.poll() is None:
            running.kill()
            killed += 1
        running.wait()
    assert killed >= 3
    assert command("--db", path, "export", "--format", "cloudtrail", "--to", folder).code == 0
    told = command("--db", path, "validate-export", folder, "--ledger", "--format", "json").json
    assert told["sound"] is True
    assert told["accounts"][0]["digests"] >= 96
    command("--db", path, "export", "--format", "cloudtrail", "--to", tmp_path / "again")
    unfinished = {name for name in files_of(folder) if name.endswith(".partial")}
    assert len(unfinished) <= killed
    whole = {name: it for name, it in files_of(folder).items() if name not in unfinished}
    assert whole == files_of(tmp_path / "again")


def count_of(folder: Path) -> int:
    return sum(1 for path in (folder / "AWSLogs").rglob("*.gz"))
