"""R20: many calls leave a log that verifies, whose delivery AWS's own tool finds valid, and no growing memory."""

from pathlib import Path

from tests.reliability.soak import LOOKS, soaked


def test_after_many_calls_everything_is_sound_and_delivered(sqlite_url: str, tmp_path: Path) -> None:
    outcome = soaked(sqlite_url, tmp_path / "delivered", 2_000)
    assert not outcome.wrong
    assert outcome.hit == LOOKS
    assert outcome.counts["digests valid"] and outcome.counts["log files valid"]
