"""R2 and R3: whatever is done to rows or to a whole history, who kept a checkpoint finds it."""

from pathlib import Path

from tests.reliability.rewriting import CHANGES, changed, rewritten


def test_no_entry_is_taken_out_moved_or_put_in_unnoticed(tmp_path: Path) -> None:
    outcome = changed(tmp_path, each=3)
    assert not outcome.wrong
    assert outcome.hit == 3 * len(CHANGES)


def test_a_history_that_was_signed_anew_is_known_by_what_was_kept(tmp_path: Path) -> None:
    outcome = rewritten(tmp_path, histories=3)
    assert not outcome.wrong
    assert outcome.hit == 3
