"""`verify --decisions`: what was decided, decided again from the log alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.policy.decision import Verdict
from ledger.record import read_record
from tests.api.conftest import Command
from tests.ledger.living import Living
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
        living.append(Draft.of(record, NATIVE, replace(living.decide(record), **wrong).to_bytes()))
    log.engine.dispose()
    return path


def test_an_imported_log_has_no_stored_decisions(ask: Command) -> None:
    ran = ask("verify", "--decisions")
    assert (ran.code, ran.err) == (0, "")
    assert ran.text.startswith("0 stored decisions")
    assert ask("verify", "--decisions", "--account", "210987654399", "--format", "json").json == {
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
    told = replace(ran, code=0).json
    assert {name: told[name] for name in COUNTS} == COUNTS
    wrong, other = told["divergences"]
    assert (wrong["entry"]["position"], wrong["reason"], wrong["differs"]) == (2, "differs", ["decision"])
    assert (wrong["stored"]["decision"], wrong["recomputed"]["decision"]) == ("explicitDeny", "allowed")
    assert (other["entry"]["position"], other["reason"]) == (3, "unknownSemantics")
    assert (other["stored"], other["recomputed"]) == (None, None)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("verify",), 2, "verify what? --decisions"),
        (("verify", "--decisions", "--account", "twelve"), 2, "not an account id"),
        (("verify", "--decisions", "--account", "999999999999"), 1, "999999999999"),
        (("verify", "--decisions", "--format", "csv"), 2, "csv"),
    ],
)
def test_what_cannot_be_understood(ask: Command, words: tuple[str, ...], code: int, told: str) -> None:
    ran = ask(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, b"", 1)
    assert told in ran.err
