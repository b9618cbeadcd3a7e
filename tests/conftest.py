"""What tests share: both databases, and the recorded logs.

`IAM_LEDGER_TEST_REQUIRE=1` turns a skip for want of either into a failure.
`IAM_LEDGER_TEST_POSTGRES` names somebody's own server, by a URL whose user may create databases.
`IAM_LEDGER_TEST_LOGS` names the folder of recorded CloudTrail logs, `IAM_LEDGER_TEST_VECTORS` that of others' test vectors.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from api.demo.incident import Incident, write_incident
from ledger.intake.baseline import import_snapshot
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.record import parse_time
from tests.judging.go_judge import Judge, NoGo, running_judge
from tests.postgres_server import NoPostgres, PostgresServer, existing_server, running_server

ROOT = Path(__file__).resolve().parents[1]

# A slow machine is no counterexample; pytest's own timeout finds what hangs. Where a change is judged, the examples are
# the same each time; on everybody's own machine they are new ones.
settings.register_profile("iam-ledger", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("iam-ledger")


def absent(reason: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be left out."""
    if os.environ.get("IAM_LEDGER_TEST_REQUIRE", "0") not in ("", "0"):
        pytest.fail(f"IAM_LEDGER_TEST_REQUIRE is set, and {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for each pytest worker, started by the first test that asks."""
    if url := os.environ.get("IAM_LEDGER_TEST_POSTGRES"):
        yield existing_server(url)
        return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_server())
        except NoPostgres as reason:
            absent(str(reason))
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database, dropped after the test."""
    with postgres_server.fresh_database() as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each in turn, for a promise that both databases must keep."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of recorded CloudTrail logs."""
    named = os.environ.get("IAM_LEDGER_TEST_LOGS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        absent(f"there are no recorded logs in {folder}; IAM_LEDGER_TEST_LOGS can name another folder")
    return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of test vectors that others have published."""
    named = os.environ.get("IAM_LEDGER_TEST_VECTORS")
    folder = Path(named) if named else ROOT.parent / "shared" / "vectors"
    if not folder.is_dir():
        absent(f"there are no test vectors in {folder}; IAM_LEDGER_TEST_VECTORS can name another folder")
    return folder


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Go's packages for transparency logs, which know nothing of ours."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(running_judge(tmp_path_factory.mktemp("judge")))
        except NoGo as reason:
            absent(str(reason))
        yield found


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Incident:
    """The bundled incident: its CloudTrail files, the snapshot before it, and its truth."""
    return write_incident(tmp_path_factory.mktemp("incident"))


@pytest.fixture(scope="session")
def incident_ledger(incident: Incident, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite ledger that the incident was imported into. Read it, or copy it first."""
    path = tmp_path_factory.mktemp("ledger") / "incident.sqlite"
    log = Log(open_engine(str(path), create=True))
    import_snapshot(log, incident.snapshot, taken_at=parse_time(incident.snapshot_at))
    import_paths(log, [incident.logs])
    log.engine.dispose()
    return path
