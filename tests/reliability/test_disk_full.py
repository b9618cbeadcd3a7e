"""R8: on a full disk nothing happens that is not written, questions are answered, and with room again it goes on."""

import sys
from pathlib import Path

import pytest

from tests.reliability.disk_full import NotMounted, disk_filled, files_limited

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's")


def test_a_server_whose_files_may_not_grow_refuses_and_goes_on_when_they_may(tmp_path: Path) -> None:
    outcome = files_limited(tmp_path, refusals=5)
    assert not outcome.wrong


def test_a_ledger_on_a_full_disk_refuses_and_goes_on_when_there_is_room() -> None:
    try:
        outcome = disk_filled(refusals=5)
    except NotMounted as reason:
        pytest.skip(f"no file system may be mounted here: {reason}")
    assert not outcome.wrong
