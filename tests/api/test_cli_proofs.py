"""`checkpoint`, `prove` and `check`, as they are typed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli.exits import Exit
from ledger.checkpoint import KEY_FILE_VARIABLE
from ledger.log import Log, open_engine
from tests.api.conftest import Command, Ran
from tests.ledger.test_every_log import ACCOUNT, OTHER, drafts
from tests.ledger.test_tiles import unguarded

Typed = Callable[..., Ran]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    path = tmp_path / "ledger.sqlite"
    append(path, 300)
    return path


def append(path: Path, count: int, account: str = ACCOUNT) -> None:
    log = Log(open_engine(str(path), create=True))
    log.append(drafts(count, recipientAccountId=account))
    log.engine.dispose()


@pytest.fixture
def typed(command: Command, ledger: Path) -> Typed:
    """Runs a command on the ledger, which has a key."""
    assert command("--db", ledger, "checkpoint", "new-key", "--name", "tested").code == 0

    def run(*words: object) -> Ran:
        return command("--db", ledger, *words)

    return run


def kept(folder: Path, name: str, ran: Ran) -> Path:
    assert ran.code == 0, ran.err
    file = folder / name
    file.write_bytes(ran.out)
    return file


def refused(ran: Ran, code: Exit, said: str) -> None:
    assert ran.code == code, ran.err
    assert ran.err.startswith("iam-ledger: ") and ran.err.count("\n") == 1
    assert said in ran.err


def test_the_key_is_made_once_and_for_its_owner_alone(command: Command, ledger: Path) -> None:
    file = Path(f"{ledger}.checkpoint.key")
    refused(command("--db", ledger, "checkpoint"), Exit.UNAVAILABLE, "checkpoint new-key")
    refused(command("--db", ledger, "checkpoint", "key"), Exit.UNAVAILABLE, "checkpoint new-key")
    made = command("--db", ledger, "checkpoint", "new-key")
    assert made.text.startswith("iam-ledger/") and made.text.endswith(f": {file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in made.text + command("--db", ledger, "checkpoint", "key").text
    refused(command("--db", ledger, "checkpoint", "new-key"), Exit.UNAVAILABLE, "File exists")
    file.chmod(0o644)
    refused(command("--db", ledger, "checkpoint"), Exit.UNAVAILABLE, "others than its owner")
    refused(command("--db", ledger, "checkpoint", "new-key", "--name", "a b"), Exit.USAGE, "--name")


def test_the_environment_says_where_the_key_is(
    command: Command, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "elsewhere"))
    refused(command("--db", ledger, "checkpoint"), Exit.UNAVAILABLE, "elsewhere")
    assert command("--db", ledger, "checkpoint", "new-key").code == 0
    assert command("--db", ledger, "checkpoint").code == 0
    assert not Path(f"{ledger}.checkpoint.key").exists()


def test_a_checkpoint_is_of_one_account(typed: Typed, ledger: Path) -> None:
    assert typed("checkpoint").text.startswith(f"iam-ledger/tested/{ACCOUNT}\n300\n")
    append(ledger, 2, OTHER)
    refused(typed("checkpoint"), Exit.USAGE, "the ledger has several")
    assert typed("checkpoint", "--account", OTHER).text.startswith(f"iam-ledger/tested/{OTHER}\n2\n")
    refused(typed("checkpoint", "--account", "999999999999"), Exit.NOT_ALL, "no account")
    refused(typed("checkpoint", "--account", "x"), Exit.USAGE, "account")


def test_an_event_is_proved_to_whoever_has_the_public_key(
    typed: Typed, command: Command, tmp_path: Path
) -> None:
    key = typed("checkpoint", "key").text.strip()
    proof = kept(tmp_path, "event.tlog-proof", typed("prove", f"{ACCOUNT}:17"))
    checked = command("--db", tmp_path / "no-such-ledger", "check", proof, "--key", key)
    assert (checked.code, checked.err) == (0, "")
    assert checked.text == (
        f"entry 17 is in the log iam-ledger/tested/{ACCOUNT} of 300 entries\n"
        "2026-01-02T03:04:05Z  CreateUser by alice\n"
    )
    told = command("check", proof, "--key", key, "--format", "json").json
    assert told["body"]["record"]["requestParameters"] == {"userName": "carol"}
    bare = kept(tmp_path, "bare.tlog-proof", typed("prove", f"{ACCOUNT}:17", "--without-body"))
    assert command("check", bare, "--key", key, "--format", "json").json["body"] is None


def test_the_ledger_s_own_key_will_do_and_that_is_said(typed: Typed, tmp_path: Path) -> None:
    proof = kept(tmp_path, "proof", typed("prove", f"{ACCOUNT}:0"))
    checked = typed("check", proof)
    assert (checked.code, "key of this ledger itself" in checked.err) == (0, True)


def test_a_spoilt_proof_is_refused(typed: Typed, command: Command, tmp_path: Path) -> None:
    key = typed("checkpoint", "key").text.strip()
    proof = kept(tmp_path, "proof", typed("prove", f"{ACCOUNT}:17"))
    proof.write_bytes(proof.read_bytes().replace(b"index 17", b"index 18"))
    refused(command("check", proof, "--key", key), Exit.NOT_ALL, "not proved")
    refused(typed("check", proof), Exit.NOT_ALL, "not proved")
    proof.write_bytes(b"nonsense")
    for words in (("check", proof), ("check", proof, "--key", key)):
        refused(typed(*words), Exit.NOT_ALL, "not proved")
    refused(typed("check", tmp_path / "nothing"), Exit.UNAVAILABLE, "cannot read")
    refused(typed("check", proof, "--key", key[:-4]), Exit.USAGE, "--key")


def test_that_the_log_only_grew_is_proved_by_what_one_kept(
    typed: Typed, command: Command, ledger: Path, tmp_path: Path
) -> None:
    key = typed("checkpoint", "key").text.strip()
    earlier = kept(tmp_path, "kept", typed("checkpoint"))
    append(ledger, 50)
    proof = kept(tmp_path, "grown", typed("prove", "--from", 300))
    words = ("check", proof, "--key", key)
    checked = command(*words, "--earlier", earlier)
    assert checked.text == (
        f"the log iam-ledger/tested/{ACCOUNT} of 350 entries begins with all 300 it once had\n"
    )
    assert command(*words, "--earlier", earlier, "--format", "json").json["from"] == 300
    refused(command(*words), Exit.NOT_ALL, "needs the checkpoint")
    proof = kept(tmp_path, "grown", typed("prove", "--from", 300, "--to", 310, "--account", ACCOUNT))
    assert command(*words, "--earlier", earlier, "--format", "json").json["to"] == 310


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("prove",), Exit.USAGE, "prove what?"),
        (("prove", "x", "--from", 1), Exit.USAGE, "prove what?"),
        (("prove", f"{ACCOUNT}:1", "--to", 1), Exit.USAGE, "go with --from"),
        (("prove", f"{ACCOUNT}:1", "--account", ACCOUNT), Exit.USAGE, "go with --from"),
        (("prove", f"{ACCOUNT}:300"), Exit.NOT_ALL, "no event"),
        (("prove", ""), Exit.USAGE, "event"),
        (("prove", "--from", 0), Exit.USAGE, "--from"),
        (("prove", "--from", 301), Exit.USAGE, "--from"),
        (("prove", "--from", 5, "--to", 4), Exit.USAGE, "--from"),
        (("prove", "--from", 5, "--to", 301), Exit.USAGE, "never had 301"),
        (("prove", "--from", "x"), Exit.USAGE, "--from"),
    ],
)
def test_what_can_t_be_proved_is_told_in_a_line(
    typed: Typed, words: tuple[object, ...], code: Exit, said: str
) -> None:
    refused(typed(*words), code, said)


def test_a_history_that_was_rewritten_is_not_signed(typed: Typed, ledger: Path) -> None:
    assert typed("checkpoint").code == 0
    log = Log(open_engine(str(ledger)))
    with unguarded(log) as connection:
        connection.exec_driver_sql("UPDATE entries SET leaf_hash = zeroblob(32) WHERE position = 299")
        connection.commit()
    log.engine.dispose()
    refused(typed("checkpoint"), Exit.NOT_ALL, "not those that were signed")
    refused(typed("prove", f"{ACCOUNT}:299"), Exit.NOT_ALL, "not what was hashed")
