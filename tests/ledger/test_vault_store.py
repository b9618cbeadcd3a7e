"""What the vault promises, on both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from ledger.iam.deciding import Forget, Keep, SecretKind
from ledger.log import Log, open_engine
from ledger.vault.attempts import TooManyAttempts
from ledger.vault.keys import Keyring, NoVaultKey, new_key
from ledger.vault.passwords import hash_password
from ledger.vault.rotation import rotate
from ledger.vault.sealing import SecretDamaged
from ledger.vault.store import Vault
from ledger.vault.tables import vault_keys, vault_secrets
from tests.at_once import said_at_once

ACCOUNT, OTHER = "111122223333", "444455556666"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = Keep(SecretKind.ACCESS_KEY, KEY_ID, SECRET)


class Kept:
    """A vault, and the database it is in."""

    def __init__(self, url: str, keys: str) -> None:
        self.engine = open_engine(url, create=True)
        self.keys = keys
        self.now = 1_800_000_000.0
        self.vault = self.opened(keys)

    def opened(self, keys: str) -> Vault:
        return Vault(self.engine, Keyring(keys), clock=lambda: self.now)

    def apply(self, *secrets: Keep | Forget, account_id: str = ACCOUNT) -> None:
        with self.writing() as connection:
            self.vault.apply(connection, account_id, secrets)

    def rotated(self, vault: Vault) -> int:
        return rotate(Log(self.engine), vault, by="operator")

    def writing(self) -> Any:
        return self.engine.execution_options(writes=True).begin()

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(vault_secrets).order_by(*vault_secrets.primary_key)))


@pytest.fixture
def kept(database_url: str) -> Iterator[Kept]:
    made = Kept(database_url, new_key())
    yield made
    made.engine.dispose()


# -- keeping and forgetting ------------------------------------------------------------------------------------------


def test_a_key_is_kept_and_forgotten(kept: Kept) -> None:
    assert kept.vault.access_key(KEY_ID) is None
    kept.apply(KEY)
    for vault in (kept.vault, kept.vault, kept.opened(kept.keys)):
        assert vault.access_key(KEY_ID) == (ACCOUNT, SECRET)
    kept.apply(Forget(SecretKind.ACCESS_KEY, KEY_ID))
    assert kept.vault.access_key(KEY_ID) is None
    assert kept.rows() == []


def test_what_is_rolled_back_was_not_kept(kept: Kept) -> None:
    with pytest.raises(RuntimeError), kept.writing() as connection:
        kept.vault.apply(connection, ACCOUNT, [KEY])
        raise RuntimeError
    assert kept.vault.access_key(KEY_ID) is None


def test_forgetting_is_of_one_account_and_kind(kept: Kept) -> None:
    kept.apply(KEY)
    kept.apply(Forget(SecretKind.ACCESS_KEY, KEY_ID), account_id=OTHER)
    kept.apply(Forget(SecretKind.PASSWORD, KEY_ID), Forget(SecretKind.ACCESS_KEY, "AKIAOTHER"))
    assert kept.vault.access_key(KEY_ID) == (ACCOUNT, SECRET)


def test_what_is_remembered_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.vault.store.KEYS_REMEMBERED", 3)
    names = [f"AKIA{number:016}" for number in range(6)]
    kept.apply(*(Keep(SecretKind.ACCESS_KEY, name, f"secret of {name}") for name in names))
    for name in names:
        assert kept.vault.access_key(name) == (ACCOUNT, f"secret of {name}")
    assert list(kept.vault._remembered) == names[3:]


# -- what is in the database -----------------------------------------------------------------------------------------


def test_no_secret_is_in_the_database_s_files(tmp_path: Path) -> None:
    canaries = [
        "canary-secret-key-of-alice",
        "CANARYSEEDAAAAAAAAAAAAAAAAAAAAAA",
        "canary-password",
        new_key(),
    ]
    kept = Kept(str(tmp_path / "ledger.sqlite"), canaries[3])
    kept.apply(
        Keep(SecretKind.ACCESS_KEY, KEY_ID, canaries[0]),
        Keep(SecretKind.TOTP_SEED, "serial", canaries[1]),
        Keep(SecretKind.PASSWORD, "AIDAALICE", hashed := hash_password(canaries[2])),
    )
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", canaries[2])
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(files["ledger.sqlite-wal"]) > 0
    everything = b"".join(files.values())
    assert KEY_ID.encode() in everything  # we would find it
    for canary in (*canaries, hashed, "argon2", canaries[3].removeprefix("ilvk_")):
        assert canary.encode() not in everything
    kept.engine.dispose()


@pytest.mark.parametrize("column", ["wrapped", "sealed"])
def test_rows_that_were_exchanged_do_not_open(kept: Kept, column: str) -> None:
    kept.apply(KEY, Keep(SecretKind.ACCESS_KEY, "AKIAOTHER", "another secret"))
    one, other = kept.rows()
    for row, instead in ((one, other), (other, one)):
        with kept.writing() as connection:
            connection.execute(
                vault_secrets.update()
                .where(vault_secrets.c.id == row.id)
                .values({column: getattr(instead, column)})
            )
    for name in (KEY_ID, "AKIAOTHER"):
        with pytest.raises(SecretDamaged) as told:
            kept.vault.access_key(name)
        assert SECRET not in str(told.value)


def test_a_row_that_was_moved_does_not_open(kept: Kept) -> None:
    kept.apply(KEY)
    moves: list[dict[str, Any]] = [{"id": "AKIAOTHER"}, {"account_id": OTHER}, {"version": 2}]
    for values in moves:
        with kept.writing() as connection:
            connection.execute(vault_secrets.update().values(values))
        with pytest.raises(SecretDamaged):
            kept.vault.access_key("AKIAOTHER")
    with kept.writing() as connection:
        connection.execute(vault_secrets.update().values(id=KEY_ID, account_id=ACCOUNT, version=1))
    assert kept.vault.access_key(KEY_ID) == (ACCOUNT, SECRET)


# -- keys ------------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_refused_at_opening(kept: Kept) -> None:
    with pytest.raises(NoVaultKey, match="not among those given"):
        kept.opened(new_key())


def test_a_key_that_only_claims_to_be_the_one_is_refused(kept: Kept) -> None:
    wrong = Keyring(new_key())
    with kept.writing() as connection:
        connection.execute(vault_keys.update().values(id=wrong.first.id))
    with pytest.raises(NoVaultKey, match="not the one"):
        Vault(kept.engine, wrong)


def test_after_a_rotation_the_old_key_is_not_needed(kept: Kept) -> None:
    seeds = [Keep(SecretKind.TOTP_SEED, f"device{number}", pyotp.random_base32()) for number in range(1_100)]
    kept.apply(KEY, *seeds)
    sealed = [row.sealed for row in kept.rows()]
    new = new_key()
    both = kept.opened(f"{new} {kept.keys}")
    assert both.access_key(KEY_ID) == (ACCOUNT, SECRET)
    with pytest.raises(NoVaultKey):
        kept.opened(new)
    assert kept.rotated(both) == 1_101
    assert kept.rotated(both) == 0
    rotated = kept.opened(new)
    assert rotated.access_key(KEY_ID) == (ACCOUNT, SECRET)
    assert rotated.code_accepted(ACCOUNT, "device7", pyotp.TOTP(seeds[7].secret).at(int(kept.now)), kept.now)
    assert [row.sealed for row in kept.rows()] == sealed
    with pytest.raises(NoVaultKey):
        kept.opened(kept.keys)


def test_who_still_seals_with_the_old_key_is_not_lost(kept: Kept) -> None:
    new = new_key()
    kept.rotated(kept.opened(f"{new} {kept.keys}"))
    kept.apply(KEY)  # by a process that knows nothing of the new key
    with pytest.raises(NoVaultKey):
        kept.opened(new)
    both = kept.opened(f"{new} {kept.keys}")
    assert kept.rotated(both) == 1
    assert kept.opened(new).access_key(KEY_ID) == (ACCOUNT, SECRET)


# -- passwords -------------------------------------------------------------------------------------------------------


def password(text: str, owner: str = "AIDAALICE") -> Keep:
    return Keep(SecretKind.PASSWORD, owner, hash_password(text))


def test_a_password_matches_its_owner_alone(kept: Kept) -> None:
    kept.apply(password("correct horse"))
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "correct horse")
    assert not kept.vault.password_matches(ACCOUNT, "AIDAALICE", "Correct horse")
    assert not kept.vault.password_matches(ACCOUNT, "AIDABOB", "correct horse")
    assert not kept.vault.password_matches(OTHER, "AIDAALICE", "correct horse")
    kept.apply(Forget(SecretKind.PASSWORD, "AIDAALICE"))
    assert not kept.vault.password_matches(ACCOUNT, "AIDAALICE", "correct horse")


def test_the_latest_password_counts_and_those_before_are_known(kept: Kept) -> None:
    for text in ("one", "two", "three"):
        kept.apply(password(text))
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "three")
    assert not kept.vault.password_matches(ACCOUNT, "AIDAALICE", "two")
    used = [
        [text for text in ("one", "two", "three") if kept.vault.password_was_used(ACCOUNT, "AIDAALICE", text, last)]
        for last in (1, 2, 24)
    ]  # fmt: skip
    assert used == [["three"], ["two", "three"], ["one", "two", "three"]]
    assert not kept.vault.password_was_used(ACCOUNT, "AIDABOB", "one", 24)
    kept.apply(Forget(SecretKind.PASSWORD, "AIDAALICE"))
    assert not kept.vault.password_was_used(ACCOUNT, "AIDAALICE", "one", 24)


def test_no_more_than_twenty_four_are_kept(kept: Kept) -> None:
    for number in range(27):
        kept.apply(Keep(SecretKind.PASSWORD, "AIDAALICE", f"hash {number}"))
    assert sorted(row.version for row in kept.rows()) == list(range(4, 28))


def test_a_password_that_was_hashed_with_less_is_hashed_anew(kept: Kept) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
    kept.apply(Keep(SecretKind.PASSWORD, "AIDAALICE", weak))
    before = kept.rows()
    assert not kept.vault.password_matches(ACCOUNT, "AIDAALICE", "wrong")
    assert kept.rows() == before
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "correct horse")
    (after,) = kept.rows()
    assert (after.version, after.sealed) != (before[0].version, before[0].sealed)
    assert "m=19456,t=2,p=1" in kept.vault._unsealed(after)
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "correct horse")


def test_to_ask_for_nobody_s_password_costs_as_much(kept: Kept) -> None:
    kept.apply(password("correct horse"))

    def seconds(owner: str) -> float:
        kept.now += 1_000
        began = time.thread_time()
        kept.vault.password_matches(ACCOUNT, owner, "wrong")
        return time.thread_time() - began

    known = sorted(seconds("AIDAALICE") for _ in range(7))[3]
    unknown = sorted(seconds("AIDANOBODY") for _ in range(7))[3]
    assert 0.5 < unknown / known < 2


# -- attempts --------------------------------------------------------------------------------------------------------


def attempts_until_throttled(kept: Kept, attempt: Callable[[], bool]) -> list[int]:
    """The waits that a guesser is told, who tries again as soon as they may; the first twelve of them."""
    waits: list[int] = []
    free = 0
    while len(waits) < 12:
        try:
            assert not attempt()
            free += not waits
        except TooManyAttempts as wait:
            waits.append(wait.seconds)
            kept.now += wait.seconds
    assert free == 6  # five, and the one after which the first wait begins
    return waits


WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_who_guesses_passwords_waits_longer_each_time(kept: Kept) -> None:
    kept.apply(password("right"))
    for owner in ("AIDAALICE", "AIDANOBODY"):
        guess = partial(kept.vault.password_matches, ACCOUNT, owner, "wrong")
        assert attempts_until_throttled(kept, guess) == WAITS


def test_who_guesses_codes_waits_too(kept: Kept) -> None:
    kept.apply(Keep(SecretKind.TOTP_SEED, "serial", pyotp.random_base32()))
    guess = partial(kept.vault.code_accepted, ACCOUNT, "serial", "12345x", kept.now)
    assert attempts_until_throttled(kept, guess) == WAITS


def test_waiting_is_of_one_owner_and_ends_with_success(kept: Kept) -> None:
    kept.apply(password("right"), password("right", "AIDABOB"))
    for _ in range(6):
        kept.vault.password_matches(ACCOUNT, "AIDAALICE", "wrong")
    with pytest.raises(TooManyAttempts):
        kept.vault.password_matches(ACCOUNT, "AIDAALICE", "right")
    assert kept.vault.password_matches(ACCOUNT, "AIDABOB", "right")
    kept.now += 1
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "right")
    for _ in range(5):
        assert not kept.vault.password_matches(ACCOUNT, "AIDAALICE", "wrong")
    assert kept.vault.password_matches(ACCOUNT, "AIDAALICE", "right")


def test_many_guesses_at_once_are_no_more_than_one_after_another(kept: Kept) -> None:
    def guess(_: int) -> bool:
        try:
            kept.vault.code_accepted(ACCOUNT, "serial", "000000", kept.now)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(guess, range(40))) == 6


# -- codes -----------------------------------------------------------------------------------------------------------

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
DEVICE = Keep(SecretKind.TOTP_SEED, f"arn:aws:iam::{ACCOUNT}:mfa/alice", SEED)


def code(kept: Kept, steps: int = 0) -> str:
    return pyotp.TOTP(SEED).at(int(kept.now) + 30 * steps)


def test_a_code_may_be_one_step_early_or_late(kept: Kept) -> None:
    kept.apply(DEVICE)
    for steps, wanted in ((-2, False), (2, False), (-1, True), (0, True), (1, True)):
        assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept, steps), kept.now) is wanted


def test_a_code_is_accepted_once_and_none_before_it(kept: Kept) -> None:
    kept.apply(DEVICE)
    assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept), kept.now)
    assert not kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept), kept.now)
    assert not kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept, -1), kept.now)
    assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept, 1), kept.now)


def test_a_code_is_six_digits(kept: Kept) -> None:
    kept.apply(DEVICE)
    for told in ("", "12345", "1234567", "12345٣", "abcdef", f" {code(kept)}"):
        kept.now += 30
        assert not kept.vault.code_accepted(ACCOUNT, DEVICE.id, told, kept.now)


def test_a_code_is_of_one_device(kept: Kept) -> None:
    kept.apply(DEVICE)
    assert not kept.vault.code_accepted(ACCOUNT, "another", code(kept), kept.now)
    assert not kept.vault.code_accepted(OTHER, DEVICE.id, code(kept), kept.now)


PAIRS = [(-2, -1), (-1, 0), (0, 1)]
NO_PAIRS = [(-3, -2), (1, 2), (0, 0), (0, -1), (-1, 1)]


def test_two_codes_must_be_in_a_row(kept: Kept) -> None:
    kept.apply(DEVICE)
    for first, second in (*NO_PAIRS, *PAIRS):
        codes = code(kept, first), code(kept, second)
        accepted = kept.vault.codes_accepted(ACCOUNT, DEVICE.id, *codes, kept.now)
        assert accepted is ((first, second) in PAIRS)


def test_of_two_codes_neither_comes_again(kept: Kept) -> None:
    kept.apply(DEVICE)
    codes = code(kept, -1), code(kept)
    assert kept.vault.codes_accepted(ACCOUNT, DEVICE.id, *codes, kept.now)
    assert not kept.vault.codes_accepted(ACCOUNT, DEVICE.id, *codes, kept.now)
    for used in codes:
        assert not kept.vault.code_accepted(ACCOUNT, DEVICE.id, used, kept.now)
    assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept, 1), kept.now)


def test_of_eight_who_bring_a_code_at_once_one_is_let_in(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.vault.attempts.FREE_FAILURES", 1_000)  # all of them are heard
    kept.apply(DEVICE)
    for _ in range(10):
        kept.now += 30
        together = threading.Barrier(8)

        def bring(_: int, together: threading.Barrier = together) -> bool:
            vault = kept.opened(kept.keys)  # as another process
            together.wait()
            return vault.code_accepted(ACCOUNT, DEVICE.id, code(kept), kept.now)

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(bring, range(8))) == 1


BRING = """
import sys
from ledger.log import open_engine
from ledger.vault.keys import Keyring
from ledger.vault.store import Vault
url, keys, account, serial, now, code = sys.argv[1:]
vault = Vault(open_engine(url), Keyring(keys))
print("ready", flush=True)
sys.stdin.readline()
print(vault.code_accepted(account, serial, code, float(now)), flush=True)
"""


def test_of_four_processes_that_bring_a_code_at_once_one_is_let_in(kept: Kept, database_url: str) -> None:
    kept.apply(DEVICE)
    words = [database_url, kept.keys, ACCOUNT, DEVICE.id, str(kept.now), code(kept)]
    told = said_at_once(BRING, [words] * 4, seconds_max=60)
    assert sorted(told) == ["False\n"] * 3 + ["True\n"]


def test_a_new_seed_begins_anew(kept: Kept) -> None:
    kept.apply(DEVICE)
    assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept, 1), kept.now)
    kept.apply(Forget(SecretKind.TOTP_SEED, DEVICE.id), DEVICE)
    assert kept.vault.code_accepted(ACCOUNT, DEVICE.id, code(kept), kept.now)


def test_the_codes_are_those_of_the_rfc(kept: Kept) -> None:
    """RFC 6238, appendix B, SHA-1; the last six of the eight digits."""
    kept.apply(Keep(SecretKind.TOTP_SEED, "rfc", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
    for at, told in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert kept.vault.code_accepted(ACCOUNT, "rfc", told, at)
