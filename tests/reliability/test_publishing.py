"""R12: whatever step of publishing breaks, and whether or not it was carried out, the next start makes it good."""

from pathlib import Path

import pytest

from tests.reliability.publishing import STEPS, published_with_faults


@pytest.mark.slow
def test_each_step_may_break_in_both_ways(database_url: str, tmp_path: Path) -> None:
    outcome = published_with_faults(database_url, tmp_path, rounds=1)
    assert not outcome.wrong
    assert outcome.hit == outcome.trials == 2 * len(STEPS)
