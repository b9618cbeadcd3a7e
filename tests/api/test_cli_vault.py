"""The vault on the command line."""

import io
from pathlib import Path

import pyotp
import pytest

from api.cli.exits import Exit
from ledger.log import open_engine
from ledger.vault.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, keyring_of
from ledger.vault.store import Vault
from tests.api.conftest import Command

ACCOUNT = "111122223333"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    path = str(tmp_path / "ledger.sqlite")
    open_engine(path, create=True).dispose()
    return path


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_key_is_printed_or_written_for_its_owner(command: Command, ledger: str, tmp_path: Path) -> None:
    printed = command("vault", "new-key").text
    assert keyring_of({KEY_VARIABLE: printed}).first.id
    file = tmp_path / "key"
    assert command("vault", "new-key", "--file", str(file)).text == ""
    assert file.stat().st_mode & 0o777 == 0o600
    again = command("vault", "new-key", "--file", str(file))
    assert (again.code, again.err) == (Exit.UNAVAILABLE, f"iam-ledger: cannot write {file}: File exists\n")


def test_a_token_s_codes_are_known_once_its_seed_is_kept(
    command: Command, ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("vault", "new-key", "--file", str(tmp_path / "key"))
    typed(monkeypatch, f" {SEED[:16].lower()} {SEED[16:]}\n")
    done = command("--db", ledger, "vault", "add-token", "GAHT12345678", "--account", ACCOUNT)
    assert done.code == 0, done.err
    assert SEED not in done.text
    vault = Vault(open_engine(ledger), keyring_of({KEY_FILE_VARIABLE: str(tmp_path / "key")}))
    assert vault.code_accepted(ACCOUNT, "GAHT12345678", pyotp.TOTP(SEED).at(1_800_000_000), 1_800_000_000)


def test_what_is_no_seed_is_refused_and_not_repeated(
    command: Command, ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("vault", "new-key", "--file", str(tmp_path / "key"))
    for text in ("", "JBSWY3DP", "0189" * 8, "hunter2!" * 4):
        typed(monkeypatch, text)
        refused = command("--db", ledger, "vault", "add-token", "GAHT12345678", "--account", ACCOUNT)
        assert refused.code == Exit.USAGE
        assert not text or text not in refused.err
    typed(monkeypatch, SEED)
    refused = command("--db", ledger, "vault", "add-token", "GAHT12345678")
    assert (refused.code, refused.err) == (Exit.USAGE, "iam-ledger: whose token is it? --account says so\n")


def test_after_a_rotation_the_new_key_alone_opens(
    command: Command, ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    command("vault", "new-key", "--file", str(file))
    typed(monkeypatch, SEED)
    command("--db", ledger, "vault", "add-token", "GAHT12345678", "--account", ACCOUNT)
    old, new = file.read_text(), command("vault", "new-key").text
    file.write_text(new)
    refused = command("--db", ledger, "vault", "rotate")
    assert refused.code == Exit.UNAVAILABLE
    assert "is not among those given" in refused.err
    file.write_text(new + old)
    assert command("--db", ledger, "vault", "rotate").text == "1 secret sealed anew\n"
    file.write_text(new)
    assert command("--db", ledger, "vault", "rotate").text == "0 secrets sealed anew\n"


def test_without_a_key_nothing_is_done(
    command: Command, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_FILE_VARIABLE)
    refused = command("--db", ledger, "vault", "rotate")
    assert refused.code == Exit.UNAVAILABLE
    assert "the vault has no key: set IAM_LEDGER_VAULT_KEY_FILE" in refused.err


def test_a_ledger_with_accounts_of_its_own_is_not_served_without_the_vaults_key(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv("IAM_LEDGER_ROOT_PASSWORD", "Correct-horse-battery-1")
    ledger, key = str(tmp_path / "ledger.sqlite"), tmp_path / "ledger.sqlite.key"
    assert command("--db", ledger, "init", "--account", ACCOUNT).code == 0
    key.rename(tmp_path / "elsewhere")
    missing = command("--db", ledger, "serve", "--port", "0")
    assert missing.code == Exit.UNAVAILABLE
    assert "the vault has no key" in missing.err
    assert command("vault", "new-key", "--file", str(key)).code == 0
    wrong = command("--db", ledger, "serve", "--port", "0")
    assert wrong.code == Exit.UNAVAILABLE
    assert "is not among those given" in wrong.err
