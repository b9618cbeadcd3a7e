"""R11 and R10: however many write at once, and whatever becomes of the database meanwhile, there is one log."""

import pytest

from tests.conftest import absent
from tests.postgres_server import NoPostgres
from tests.reliability.postgres_restarts import restarted_under_writers
from tests.reliability.writers import many_write


@pytest.mark.parametrize("writers", [1, 4])
def test_many_processes_write_one_log_without_gaps(database_url: str, writers: int) -> None:
    outcome = many_write(database_url, writers, events=48)
    assert not outcome.wrong
    assert outcome.hit


def test_a_server_of_postgresql_may_end_in_any_way_under_those_who_write() -> None:
    try:
        outcome = restarted_under_writers(3, seconds=0.2)
    except NoPostgres as reason:
        absent(str(reason))
    assert not outcome.wrong
    assert outcome.hit
