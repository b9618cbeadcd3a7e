"""Projections that somebody edited are told from those that the log gives."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger.log import Log, open_engine
from projections.last_uses import LAST_USES
from projections.rebuilding import Rebuilt, verify_projections
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS
from projections.texts import TEXTS
from tests.ledger.test_every_log import ACCOUNT, OTHER
from tests.ledger.test_verification import various

ROOT = Path(__file__).resolve().parents[2]
PROJECTIONS = [HISTORY, SESSIONS, LAST_USES, TEXTS]


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    opened.append(various(2_200))
    Runner(opened, PROJECTIONS).catch_up()
    opened.append(various(40))
    yield opened
    opened.engine.dispose()


def verified(log: Log) -> Rebuilt:
    return verify_projections(log, log.account_ids())


def test_what_the_runner_built_is_what_the_log_gives(log: Log) -> None:
    """As far as it had come, and nothing of it is touched."""
    told: list[tuple[int, int]] = []
    found = verify_projections(log, log.account_ids(), lambda done, whole: told.append((done, whole)))
    assert found == Rebuilt(("history", "sessions", "last_uses", "texts"), ())
    assert told[-1][0] == told[-1][1]
    Runner(log, PROJECTIONS).catch_up()
    assert verified(log).differences == ()


def test_late_records_leave_the_same_rows(log: Log) -> None:
    Runner(log, PROJECTIONS).catch_up()
    log.append([one for one in various(400) if one.record.time % 2])
    Runner(log, PROJECTIONS).catch_up()
    assert verified(log).differences == ()


def test_nothing_is_built_of_what_nobody_asked_for(database_url: str) -> None:
    opened = Log(open_engine(database_url, create=True))
    opened.append(various(20))
    assert verified(opened) == Rebuilt((), ())
    Runner(opened, [SESSIONS]).catch_up()
    assert verified(opened) == Rebuilt(("sessions",), ())
    opened.engine.dispose()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE history_versions SET name = 'mallory' WHERE position = 3", "history_versions"),
        ("DELETE FROM history_versions WHERE position = 3", "history_versions"),
        ("DELETE FROM history_sightings", "history_sightings"),
        ("UPDATE last_uses SET place = place + 1", "last_uses"),
        ("UPDATE text_segments SET marks = words", "text_segments"),
        (
            "UPDATE projection_cursors SET position = 999999 WHERE projection = 'sessions'",
            "has taken in 999999",
        ),
        ("DELETE FROM projection_cursors WHERE projection = 'last_uses'", "last_uses"),
    ],
)
def test_each_row_that_was_edited_is_told(log: Log, harm: str, said: str) -> None:
    with log.engine.begin() as connection:
        assert connection.execute(sa.text(harm)).rowcount
    found = verified(log)
    assert found.differences and all(said in one.detail for one in found.differences)
    assert {one.account_id for one in found.differences} <= {ACCOUNT, OTHER}


def test_every_process_gives_the_same_rows(sqlite_url: str) -> None:
    """Whatever the order in which it finds things in a set."""
    opened = Log(open_engine(sqlite_url, create=True))
    opened.append(various(300))
    script = (
        "import sys; from ledger.log import Log, open_engine; from projections.runner import Runner; "
        "from projections.refolding import HISTORY; Runner(Log(open_engine(sys.argv[1])), [HISTORY]).catch_up()"
    )
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script, sqlite_url], env=environment, check=True, timeout=120)
    assert verified(opened).differences == ()
    opened.engine.dispose()
