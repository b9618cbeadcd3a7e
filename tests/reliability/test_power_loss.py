"""R7: what was acknowledged survives a power cut, and the test would see if it did not."""

import importlib.util

import pytest

from tests.conftest import absent
from tests.reliability.power_loss import NORMAL, power_lost


@pytest.fixture(autouse=True)
def recorder() -> None:
    if importlib.util.find_spec("apsw") is None:
        absent("the package apsw, which records what becomes of files, is not installed")


def test_what_was_acknowledged_survives_a_power_cut() -> None:
    outcome = power_lost(calls=24, moments=60)
    assert not outcome.wrong
    assert outcome.hit > 30


def test_a_log_that_is_not_synced_at_each_commit_is_seen_to_lose_what_it_acknowledged() -> None:
    assert power_lost(calls=24, moments=60, settings=NORMAL).counts["lost"]
