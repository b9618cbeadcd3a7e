"""A ledger, and the evidence that is taken from it, once for all tests that change nothing."""

from collections.abc import Iterator

import pytest

from ledger.log import Log, open_engine
from projections.evidence import Files
from tests.projections.evidence.bundles import activity, fill, minute


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """Of which nobody changes anything."""
    opened = Log(open_engine(str(tmp_path_factory.mktemp("evidence") / "ledger.sqlite"), create=True))
    fill(opened)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def whole(filled: Log) -> Files:
    """All that alice did, up to the checkpoint."""
    return activity(filled, "alice")


@pytest.fixture(scope="module")
def part(filled: Log) -> Files:
    """What bob did from minute 4 to minute 9, between two neighbours."""
    return activity(filled, "bob", since=minute(4), until=minute(9))
