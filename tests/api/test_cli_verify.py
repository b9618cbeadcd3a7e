"""`verify`: the log derived again from its bytes, decisions made again from the log, projections built again beside."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.policy.decision import Verdict
from ledger.record import read_record
from tests.api.conftest import Command
from tests.ledger.living import Living
from tests.ledger.test_every_log import drafts
from tests.ledger.test_tiles import unguarded
from tests.ledger.told import ACCOUNT, ROOT, call, create_user

COUNTS = {"stored": 4, "recomputed": 3, "diverging": 1, "unknownSemantics": 1}


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """A ledger with four stored decisions: one of them is wrong, and one of other rules."""
    path = tmp_path / "native.sqlite"
    log = Log(open_engine(str(path), create=True))
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.call(create_user("bob", by=ROOT))
    for wrong in ({"verdict": Verdict.EXPLICIT_DENY}, {"semantics": 9}):
        record = read_record(call("ListUsers", by=ROOT))
        living.append(Draft.of(record, NATIVE, living.decide(record)._replace(**wrong).to_bytes()))
    log.engine.dispose()
    return path


def test_an_imported_log_has_no_stored_decisions(ask: Command) -> None:
    ran = ask("verify", "--decisions")
    assert (ran.code, ran.err) == (0, "")
    assert "\n0 stored decisions" in ran.text
    told = ask("verify", "--decisions", "--account", "210987654399", "--format", "json").json
    assert told["decisions"] == {
        "stored": 0,
        "recomputed": 0,
        "diverging": 0,
        "unknownSemantics": 0,
        "divergences": [],
    }


def test_each_divergence_is_told_and_the_status_says_so(command: Command, spoilt: Path) -> None:
    ran = command("--db", spoilt, "verify", "--decisions")
    assert ran.code == 1
    assert f"{ACCOUNT}:2  2023-11-14 22:13:20  ListUsers by root: comes out otherwise" in ran.text
    assert "explicitDeny was stored, and it comes out allowed" in ran.text
    assert f"{ACCOUNT}:3" in ran.text and "made by version 9 of the rules; here is version 1" in ran.text
    assert "4 stored, 3 recomputed, 1 diverging" in ran.text
    assert ran.err == "iam-ledger: 2 of 4 stored decisions can't be confirmed\n"


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_programs_read_the_same(command: Command, spoilt: Path, form: str) -> None:
    ran = command("--db", spoilt, "verify", "--decisions", "--account", ACCOUNT, "--format", form)
    assert ran.code == 1
    told = replace(ran, code=0).json["decisions"]
    assert {name: told[name] for name in COUNTS} == COUNTS
    wrong, other = told["divergences"]
    assert (wrong["entry"]["position"], wrong["reason"], wrong["differs"]) == (2, "differs", ["decision"])
    assert (wrong["stored"]["decision"], wrong["recomputed"]["decision"]) == ("explicitDeny", "allowed")
    assert (other["entry"]["position"], other["reason"]) == (3, "unknownSemantics")
    assert (other["stored"], other["recomputed"]) == (None, None)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("verify", "--checkpoint", "nowhere"), 3, "cannot read nowhere"),
        (("verify", "--since", __file__), 1, "is no checkpoint to go by"),
        (("verify", "--key", "none"), 2, "--key: "),
        (("verify", "--decisions", "--account", "twelve"), 2, "not an account id"),
        (("verify", "--decisions", "--account", "999999999999"), 1, "999999999999"),
        (("verify", "--decisions", "--format", "csv"), 2, "csv"),
    ],
)
def test_what_cannot_be_understood(ask: Command, words: tuple[str, ...], code: int, told: str) -> None:
    ran = ask(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, b"", 1)
    assert told in ran.err


# -- the log ------------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(command: Command, tmp_path: Path) -> Path:
    """A ledger of 300 entries, with a key, and beside it a checkpoint that somebody kept."""
    path = tmp_path / "plain.sqlite"
    append(path, 300)
    assert command("--db", path, "checkpoint", "new-key", "--name", "tested").code == 0
    kept(path).write_bytes(command("--db", path, "checkpoint").out)
    return path


def kept(path: Path) -> Path:
    return path.with_name("kept")


def append(path: Path, count: int) -> None:
    log = Log(open_engine(str(path), create=True))
    log.append(drafts(count))
    log.engine.dispose()


def harm(path: Path, statement: str) -> None:
    """Behind the triggers' back, which are there again afterwards."""
    log = Log(open_engine(str(path)))
    with log.engine.connect() as connection:
        triggers = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'trigger'").all()
    with unguarded(log) as connection:
        for one in [statement, *(sql for (sql,) in triggers)]:
            connection.exec_driver_sql(one)
        connection.commit()
    log.engine.dispose()


def test_an_untouched_log_is_told_to_be_so_and_that_nothing_anchors_it(command: Command, plain: Path) -> None:
    ran = command("--db", plain, "verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.text.startswith(
        "300 entries of 1 accounts, as they were written\n111122223333: not anchored: "
    )


def test_a_checkpoint_that_was_kept_anchors_it(command: Command, plain: Path) -> None:
    append(plain, 20)
    ran = command("--db", plain, "verify", "--checkpoint", kept(plain))
    assert "111122223333: anchored up to 300 of 320 entries\n" in ran.text
    told = command("--db", plain, "verify", "--checkpoint", kept(plain), "--format", "json").json
    assert told == {
        "log": {
            "entries": 320,
            "accounts": [{"account": ACCOUNT, "size": 320, "anchoredUpTo": 300}],
            "erased": [],
            "checkpoints": 1,
            "signaturesVerified": 1,
            "cosignaturesVerified": 0,
            "differing": 0,
            "first": None,
            "differences": [],
        },
        "guards": [],
    }
    assert command("--db", plain, "verify", "--since", kept(plain), "--format", "json").json["log"] == {
        **told["log"],
        "entries": 20,
    }


def test_the_first_place_that_differs_is_told_with_what_was_done(command: Command, plain: Path) -> None:
    harm(plain, "DELETE FROM entries WHERE position IN (7, 12)")
    ran = command("--db", plain, "verify")
    assert ran.code == 1
    assert f"{ACCOUNT}:7: something was deleted: 1 entries from here on are missing\n" in ran.text
    assert ran.err.startswith("iam-ledger: ") and f"first at {ACCOUNT}:7: " in ran.err
    told = replace(command("--db", plain, "verify", "--format", "json"), code=0).json["log"]
    assert (told["first"]["kind"], told["first"]["position"]) == ("deleted", 7)
    assert told["differing"] == len(told["differences"]) > 2


def test_a_trigger_that_is_gone_is_warned_of_and_the_status_says_so(command: Command, plain: Path) -> None:
    with sqlite3.connect(plain) as connection:
        connection.execute("DROP TRIGGER entries_no_delete")
    ran = command("--db", plain, "verify")
    assert ran.code == 1 and "as they were written" in ran.text
    said = "the trigger entries_no_delete on entries is missing"
    assert ran.err == f"iam-ledger: warning: {said}: the database does not refuse what it should\n"
    assert replace(command("--db", plain, "verify", "--format", "json"), code=0).json["guards"] == [said]


def test_without_its_key_the_signatures_are_told_to_be_unverified(command: Command, plain: Path) -> None:
    public = command("--db", plain, "checkpoint", "key").text.strip()
    Path(f"{plain}.checkpoint.key").unlink()
    assert "of 1 stored checkpoints no signature was verified" in command("--db", plain, "verify").text
    assert "no signature" not in command("--db", plain, "verify", "--key", public).text
    harm(plain, "UPDATE checkpoints SET note = replace(CAST(note AS TEXT), 'tested', 'bested')")
    assert command("--db", plain, "verify", "--key", public).code == 1


def test_a_checkpoint_that_says_otherwise(command: Command, plain: Path) -> None:
    spoilt = plain.with_name("spoilt")
    spoilt.write_bytes(kept(plain).read_bytes().replace(b"\n300\n", b"\n299\n"))
    ran = command("--db", plain, "verify", "--checkpoint", spoilt)
    assert (ran.code, ran.out) == (1, b"") and "is no checkpoint to go by" in ran.err
    Path(f"{plain}.checkpoint.key").unlink()
    ran = command("--db", plain, "verify", "--checkpoint", spoilt)
    assert ran.code == 1 and "the first 299 entries are not those that were signed" in ran.text
    ran = command("--db", plain, "verify", "--since", spoilt)
    assert (ran.code, ran.out) == (1, b"") and "does not begin with the 299 entries" in ran.err


def test_a_dictionary_that_is_none_is_told_in_a_line(command: Command, plain: Path) -> None:
    append(plain, 2_100)
    harm(plain, "UPDATE dictionaries SET content = zeroblob(40)")
    ran = command("--db", plain, "verify")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1)
    assert "dictionary 1 of the ledger is damaged" in ran.err


def test_projections_are_built_again(command: Command, plain: Path) -> None:
    assert "projections built again: none" in command("--db", plain, "verify", "--projections").text
    assert command("--db", plain, "findings").code == 0
    ran = command("--db", plain, "verify", "--projections")
    assert ran.code == 0 and ran.text.endswith("projections built again: history, sessions; 0 differences\n")
    harm(plain, "UPDATE history_versions SET name = 'mallory'")
    ran = command("--db", plain, "verify", "--projections")
    assert ran.code == 1 and "a projection was edited: history: " in ran.text
    assert "`iam-ledger rebuild` builds them anew" in ran.err
    assert command("--db", plain, "rebuild").code == 0
    assert command("--db", plain, "verify", "--projections").code == 0
