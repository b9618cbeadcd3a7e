"""That the vault's key was rotated is an entry of each account whose secrets were sealed anew. Asked of both databases."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.iam.deciding import Bearer, Keep, SecretKind
from ledger.log import Log, open_engine
from ledger.log.store import Turn
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.rotation import rotate
from ledger.vault.store import Vault

HERE = Surroundings("127.0.0.1", "test", "00000000-0000-4000-8000-000000000000")
ONE, OTHER = "111111111111", "222222222222"
OLD, NEW = new_key(), new_key()


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """Of two accounts, each of which has secrets in the vault."""
    engine = open_engine(database_url, create=True)
    log = Log(engine)
    authority = Authority(log, Vault(engine, Keyring(OLD)))
    for account in (ONE, OTHER):
        begin(authority.turns, account, email="root@example.com", password_hash="none", around=HERE)
        root = Bearer(caller_of(f"arn:aws:iam::{account}:root"))
        assert (
            authority.call(Request(account, "iam:CreateAccessKey", {}, HERE, None, by=root)).refusal is None
        )
    authority.close()
    yield log
    engine.dispose()


def rotated(log: Log) -> tuple[int, Vault]:
    both = Vault(log.engine, Keyring(f"{NEW} {OLD}"))
    return rotate(log, both, by="operator"), both


def rotations(log: Log, account: str) -> list[dict[str, Any]]:
    entries = [*log.read(account)]
    assert all(entry.intact() for entry in entries)
    assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)
    return [entry.document for entry in entries if entry.record.action == "iam-ledger:RotateVaultKey"]


def test_each_account_whose_secrets_were_sealed_anew_says_so(log: Log) -> None:
    count, vault = rotated(log)
    assert count == 4
    for account in (ONE, OTHER):
        (told,) = rotations(log, account)
        assert told["requestParameters"] == {
            "key": vault.keyring.first.id,
            "keysBefore": [Keyring(OLD).first.id],
            "secrets": 2,
            "operator": "operator",
        }
        assert told["userIdentity"] == {"type": "AWSService", "accountId": account, "invokedBy": "iam-ledger"}
        assert not any(key.strip().removeprefix("ilvk_") in orjson.dumps(told).decode() for key in (OLD, NEW))


def test_where_nothing_is_sealed_anew_nothing_is_said(log: Log) -> None:
    rotated(log)
    assert rotated(log)[0] == 0
    assert [len(rotations(log, account)) for account in (ONE, OTHER)] == [1, 1]


def test_an_account_of_many_secrets_is_done_in_parts(log: Log) -> None:
    seeds = [Keep(SecretKind.TOTP_SEED, f"device{number}", "JBSWY3DPEHPK3PXP") for number in range(1_100)]
    vault = Vault(log.engine, Keyring(OLD))
    with vault.writing() as connection:
        vault.apply(connection, ONE, seeds)
    assert rotated(log)[0] == 1_104
    assert [one["requestParameters"]["secrets"] for one in rotations(log, ONE)] == [500, 500, 102]


def test_what_cannot_be_said_is_not_done(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(Turn, "append", fails)
        with pytest.raises(RuntimeError):
            rotated(log)
    assert rotated(log)[0] == 4
    assert [len(rotations(log, account)) for account in (ONE, OTHER)] == [1, 1]


def test_a_secret_of_no_account_that_began_leaves_no_entry(log: Log) -> None:
    vault = Vault(log.engine, Keyring(OLD))
    with vault.writing() as connection:
        vault.apply(connection, "333333333333", [Keep(SecretKind.TOTP_SEED, "device", "JBSWY3DPEHPK3PXP")])
    assert rotated(log)[0] == 5
    assert log.account_ids() == [ONE, OTHER]
