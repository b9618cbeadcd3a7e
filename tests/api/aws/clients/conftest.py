"""One ledger for each module of these tests, and an account of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.aws.clients.watching import Watched
from tests.api.living_server import LivingServer, living_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    with living_server(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite'}") as found:
        yield found


@pytest.fixture
def aws(server: LivingServer) -> Iterator[Watched]:
    """A new account, whose books are closed after the test."""
    watched = Watched(server.new_account())
    yield watched
    watched.settle()
