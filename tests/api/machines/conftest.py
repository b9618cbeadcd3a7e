"""An account of its own for each test, behind one server for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.living_server import Account, LivingServer, living_server
from tests.api.machines.workloads import without_keys


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    with living_server(f"sqlite:///{tmp_path_factory.mktemp('living') / 'ledger.sqlite'}") as server:
        yield server


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def keyless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine that has no key; the test's own from now on."""
    environment = without_keys(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment
