"""Guessing is slow by the address that it comes from, too, however many owners are guessed at, and in however many processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from ledger.vault import attempts
from ledger.vault.attempts import SOURCE_FORGIVEN_SECONDS, SOURCE_FREE_FAILURES, TooManyAttempts, source_of
from ledger.vault.keys import new_key
from tests.at_once import said_at_once
from tests.ledger.test_vault_store import ACCOUNT, DEVICE, SEED, Kept

HERE, ELSEWHERE = "203.0.113.9", "203.0.113.10"


@pytest.fixture
def kept(database_url: str) -> Iterator[Kept]:
    made = Kept(database_url, new_key())
    yield made
    made.engine.dispose()


def guess(kept: Kept, owner: int, source: str = HERE) -> bool:
    """Whether it was heard: a wrong code for a device that is guessed at for the first time."""
    try:
        assert not kept.vault.asked_from(source).code_accepted(ACCOUNT, f"device {owner}", "000000", kept.now)
    except TooManyAttempts:
        return False
    return True


def heard(kept: Kept, owners: range, source: str = HERE) -> int:
    return sum(guess(kept, owner, source) for owner in owners)


def wait_told(kept: Kept, owner: int) -> int:
    with pytest.raises(TooManyAttempts) as refused:
        kept.vault.asked_from(HERE).code_accepted(ACCOUNT, f"device {owner}", "000000", kept.now)
    return refused.value.seconds


def test_who_guesses_at_many_has_to_wait_longer_each_time(kept: Kept) -> None:
    assert heard(kept, range(200)) == SOURCE_FREE_FAILURES + 1
    waits = []
    for number in range(200, 212):
        waits.append(wait_told(kept, number))
        kept.now += waits[-1]
        assert guess(kept, number)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_that_is_of_one_address_and_of_those_who_have_one(kept: Kept) -> None:
    heard(kept, range(200))
    assert guess(kept, 200, ELSEWHERE)
    assert not kept.vault.code_accepted(ACCOUNT, "device 201", "000000", kept.now)  # no TooManyAttempts


def test_what_was_not_heard_is_not_held_against_the_owner(kept: Kept) -> None:
    heard(kept, range(200))
    for _ in range(20):
        assert not guess(kept, 500)
    assert [guess(kept, 500, ELSEWHERE) for _ in range(7)] == [True] * 6 + [False]


def test_a_clock_that_was_set_back_locks_nobody_out(kept: Kept) -> None:
    heard(kept, range(200))
    assert not guess(kept, 0)
    kept.now -= 86_400
    assert guess(kept, 0)
    assert not guess(kept, 1)


def test_a_failure_is_forgiven_with_time(kept: Kept) -> None:
    assert heard(kept, range(90)) == 90
    kept.now += 50 * SOURCE_FORGIVEN_SECONDS
    assert heard(kept, range(100, 300)) == 61
    kept.now += 1  # the wait
    kept.now += 10_000 * SOURCE_FORGIVEN_SECONDS
    assert heard(kept, range(300, 500)) == SOURCE_FREE_FAILURES + 1


def test_and_time_counts_though_there_are_attempts_within_it(kept: Kept) -> None:
    """One every twenty seconds: of nine failures five are forgiven each three minutes."""
    failures = 0
    for number in range(2_000):
        if not guess(kept, number):
            break
        failures += 1
        kept.now += 20
    rate = 1 - 20 / SOURCE_FORGIVEN_SECONDS
    assert abs(failures * rate - SOURCE_FREE_FAILURES) < 3


def test_a_success_takes_back_no_more_than_itself(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a device of their own gains nothing by it."""
    monkeypatch.setattr(attempts, "SOURCE_FORGIVEN_SECONDS", 10**9)
    kept.apply(DEVICE)
    failed = 0
    for number in range(300):
        kept.now += 30
        if not guess(kept, number):
            break
        failed += 1
        if failed <= SOURCE_FREE_FAILURES:  # afterwards there is a wait for them, too
            code = pyotp.TOTP(SEED).at(int(kept.now))
            assert kept.vault.asked_from(HERE).code_accepted(ACCOUNT, DEVICE.id, code, kept.now)
    assert SOURCE_FREE_FAILURES < failed <= SOURCE_FREE_FAILURES + 7  # the waits grow beyond 30 s


def test_after_a_success_nobody_of_the_address_waits_for_it(kept: Kept) -> None:
    kept.apply(DEVICE)
    heard(kept, range(200))
    kept.now += wait_told(kept, 200)
    code = pyotp.TOTP(SEED).at(int(kept.now))
    assert kept.vault.asked_from(HERE).code_accepted(ACCOUNT, DEVICE.id, code, kept.now)
    assert guess(kept, 201)
    assert wait_told(kept, 202) == 2  # as if the success had not been


def test_many_guesses_at_once_are_no_more_than_one_after_another(kept: Kept) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda owner: guess(kept, owner), range(180))) == SOURCE_FREE_FAILURES + 1


GUESS = """
import sys
from ledger.log import open_engine
from ledger.vault.attempts import TooManyAttempts
from ledger.vault.keys import Keyring
from ledger.vault.store import Vault
url, keys, account, source, now, first = sys.argv[1:]
vault = Vault(open_engine(url), Keyring(keys), clock=lambda: float(now)).asked_from(source)
print("ready", flush=True)
sys.stdin.readline()
heard = 0
for owner in range(int(first), int(first) + 45):
    try:
        assert not vault.code_accepted(account, f"device {owner}", "000000", float(now))
        heard += 1
    except TooManyAttempts:
        pass
print(heard, flush=True)
"""


def test_nor_in_four_processes_at_once(kept: Kept, database_url: str) -> None:
    words = (database_url, kept.keys, ACCOUNT, HERE, str(kept.now))
    told = said_at_once(GUESS, [(*words, str(first)) for first in range(0, 400, 100)], seconds_max=120)
    assert sum(map(int, told)) == SOURCE_FREE_FAILURES + 1


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
        ("x" * 500, "x" * 64),
    ],
)
def test_by_what_an_address_is_counted(address: str, source: str) -> None:
    assert source_of(address) == source


def test_an_ipv6_subscriber_is_one_however_many_addresses_they_use(kept: Kept) -> None:
    told = [guess(kept, number, f"2001:db8::{number:x}") for number in range(150)]
    assert sum(told) == SOURCE_FREE_FAILURES + 1
    assert guess(kept, 200, "2001:db8:0:1::1")
