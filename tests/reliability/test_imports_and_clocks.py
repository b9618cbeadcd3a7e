"""R13 and R14: neither the order of imports nor the clock decides what the log says."""

from pathlib import Path

from tests.reliability.clocks import STEPS, clock_stepped
from tests.reliability.repeated_imports import imported_again


def test_importing_again_changes_nothing_and_another_order_makes_the_same_account(
    database_url: str, tmp_path: Path
) -> None:
    outcome = imported_again(
        database_url, f"sqlite:///{tmp_path / 'other.sqlite'}", tmp_path / "logs", imports=3
    )
    assert not outcome.wrong
    assert outcome.hit == 3


def test_whatever_the_clock_does_order_and_times_never_go_back(tmp_path: Path) -> None:
    urls = {name: f"sqlite:///{tmp_path / str(number)}.sqlite" for number, name in enumerate(STEPS)}
    outcome = clock_stepped(urls, calls=4)
    assert not outcome.wrong
    assert outcome.hit == len(STEPS)


def test_the_year_2038_is_nothing_to_postgresql(postgres_url: str) -> None:
    assert not clock_stepped({"2038": postgres_url}, calls=3).wrong
