"""Ledgers to ask: an empty one, and that of the incident."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.demo.incident import Incident
from ledger.log import Log, open_engine
from ledger.record import parse_time
from tests.api.aws.reading_asked import Ledger


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    log = Log(open_engine(sqlite_url, create=True))
    yield Ledger(log)
    log.engine.dispose()


@pytest.fixture
def either_ledger(database_url: str) -> Iterator[Ledger]:
    """One on each database in turn."""
    log = Log(open_engine(database_url, create=True))
    yield Ledger(log)
    log.engine.dispose()


@pytest.fixture(scope="module")
def incident_asked(
    incident: Incident, incident_ledger: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    path = shutil.copy(incident_ledger, tmp_path_factory.mktemp("asked") / "ledger.sqlite")
    log = Log(open_engine(str(path)))
    yield Ledger(log, incident.main_account, time=parse_time(incident.last_malicious_at) + 86_400)
    log.engine.dispose()
