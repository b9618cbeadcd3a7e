"""R6: what was acknowledged is there, once and in its place, however often whoever writes is killed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.kills import catch_up_killed, import_killed, server_killed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows")


@pytest.fixture
def other_url(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path / 'other.sqlite'}"


def test_a_server_that_is_killed_has_kept_what_it_answered(database_url: str) -> None:
    outcome = server_killed(database_url, kills=3)
    assert not outcome.wrong
    assert outcome.hit


def test_an_import_that_is_killed_and_repeated_is_one_import(
    database_url: str, other_url: str, tmp_path: Path
) -> None:
    outcome = import_killed(database_url, other_url, tmp_path / "logs", kills=3)
    assert not outcome.wrong
    assert outcome.hit


def test_projections_that_are_killed_count_each_entry_once(database_url: str, tmp_path: Path) -> None:
    outcome = catch_up_killed(database_url, tmp_path / "logs", kills=3)
    assert not outcome.wrong
    assert outcome.hit
