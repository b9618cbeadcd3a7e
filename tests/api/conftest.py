"""What the tests of the faces share: a command run within the test's own process, and a client of the read API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import make_app
from api.cli.main import run
from ledger.log import Log, open_engine
from projections.investigation import Investigation
from tests.api.living_server import LivingServer, living_server
from tests.postgres_server import PostgresServer

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Ran:
    """What became of a command."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return orjson.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        assert self.code == 0, self.err
        return [orjson.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ran]


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `iam-ledger` with these words."""
    monkeypatch.setenv("COLUMNS", "100")

    def ran(*words: object) -> Ran:
        capfdbinary.readouterr()
        code = run([str(word) for word in words])
        captured = capfdbinary.readouterr()
        return Ran(code, captured.out, captured.err.decode())

    return ran


@pytest.fixture
def ask(command: Command, incident_ledger: Path) -> Command:
    """Runs `iam-ledger` on the ledger of the incident."""

    def asked(*words: object) -> Ran:
        return command("--db", incident_ledger, *words)

    return asked


@pytest.fixture(scope="session")
def http(incident_ledger: Path) -> Iterator[TestClient]:
    """A client of the read API over the ledger of the incident, with the token."""
    log = Log(open_engine(str(incident_ledger)))
    app = make_app(Investigation(log), token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client
    log.engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def either_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LivingServer]:
    """A ledger with an authority, served; on each database in turn, for all tests of a module."""
    if request.param == "sqlite":
        with living_server(f"sqlite:///{tmp_path_factory.mktemp('served') / 'ledger.sqlite'}") as running:
            yield running
        return
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    with (
        postgres.fresh_database() as url,
        living_server(url.render_as_string(hide_password=False)) as running,
    ):
        yield running
