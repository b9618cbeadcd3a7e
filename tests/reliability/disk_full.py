"""R8: the disk is full. What can't be written is refused and has not happened, questions are answered all the same, and as
soon as there is room the ledger goes on.

Two ways: a limit on the size of the server's files (RLIMIT_FSIZE), and a small file system in memory, where one may be
mounted.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from botocore.exceptions import ClientError
from sqlalchemy.exc import OperationalError

from ledger.log import Log, open_engine
from projections.activity import Question
from projections.investigation import Investigation
from tests.reliability.clients import iam_client
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, answering, free_port, kill, new_ledger, serve, started
from tests.reliability.soundness import looked_through, rebuilt_alike

ROOM_BYTES = 400_000  # for the server to grow into before it meets the limit
CALLS_MAX = 2_000
MOUNTED_BYTES = 3 << 20


def files_limited(folder: Path, refusals: int) -> Outcome:
    """No file of the server may grow beyond a limit, which is then lifted while it runs."""
    import resource

    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    key, root_key = new_ledger(url)
    port = free_port()
    limit = ROOM_BYTES + (folder / "ledger.sqlite").stat().st_size
    process = started(serve, url, key, port, limit)
    assert process.pid is not None
    pid = process.pid

    def lift() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    try:
        answering(process, port)
        outcome = _filled(url, port, root_key, refusals, lift)
    finally:
        kill(process)
    outcome.found(looked_through(url, ACCOUNT).wrong, "after kill -9")
    outcome.found(rebuilt_alike(url), "projections")
    return outcome


class NotMounted(Exception):
    """No file system may be mounted here."""


def disk_filled(refusals: int) -> Outcome:
    """The ledger is alone on a disk of 3 MiB, which is then made larger. Raises NotMounted."""
    with _small_disk() as (folder, grow):
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        key, root_key = new_ledger(url)
        port = free_port()
        process = started(serve, url, key, port)
        try:
            answering(process, port)
            outcome = _filled(url, port, root_key, refusals, grow)
        finally:
            kill(process)
        outcome.found(looked_through(url, ACCOUNT).wrong, "after kill -9")
        return outcome


def _filled(
    url: str, port: int, root_key: dict[str, str], refusals: int, make_room: Callable[[], None]
) -> Outcome:
    """A trial is a call that was refused for want of room; it is hit where the log is then as it was before."""
    outcome, numbers = Outcome(), count()
    client = iam_client(port, root_key)
    acknowledged: list[str] = []

    def call() -> str | None:
        """None where it was acknowledged, else the error's code."""
        name = f"user-{next(numbers)}"
        try:
            client.create_user(UserName=name, Tags=[{"Key": "filling", "Value": "x" * 256}])
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            outcome.check((code, status) == ("ServiceUnavailable", 503), f"refused with {code} {status}")
            return code
        acknowledged.append(name)
        return None

    while call() is None:
        if len(acknowledged) > CALLS_MAX:
            raise RuntimeError("the disk did not fill")
    engine = open_engine(url)
    log = Log(engine)
    size = log.size(ACCOUNT)
    for _ in range(refusals):
        outcome.trials += 1
        if call() is None:
            size += 1  # a smaller write may still find its place
            outcome.counts["written between"] += 1
            continue
        outcome.hit += log.size(ACCOUNT) == size
    _asked(outcome, log)
    make_room()
    outcome.check(call() is None, "nothing is written although there is room again")
    found = looked_through(url, ACCOUNT)
    outcome.found(found.wrong, "with room again")
    made = {
        one["requestParameters"]["userName"] for one in found.documents if one["eventName"] == "CreateUser"
    }
    outcome.check(made == set(acknowledged), "what was acknowledged is not what was written")
    outcome.check(outcome.hit > 0, "the disk never was full")
    outcome.counts["acknowledged"] += len(acknowledged)
    engine.dispose()
    return outcome


def _asked(outcome: Outcome, log: Log) -> None:
    """Entries are read as ever, by whoever has the database. What projections answer has to be taken in first: where there
    is no room for that, whoever asks is told so, rather than what is out of date.
    """
    ledger = Investigation(log)
    outcome.check(len(ledger.events(Question(limit=1))["events"]) == 1, "entries can't be read")
    try:
        ledger.event(f"{ACCOUNT}:1")
        outcome.counts["projections answered"] += 1
    except OperationalError:
        outcome.counts["projections refused"] += 1


@contextmanager
def _small_disk() -> Iterator[tuple[Path, Callable[[], None]]]:
    with tempfile.TemporaryDirectory() as name:
        _mount("-t", "tmpfs", "-o", f"size={MOUNTED_BYTES}", "tmpfs", name)
        try:
            yield Path(name), lambda: _mount("-o", f"remount,size={MOUNTED_BYTES * 8}", name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=False, capture_output=True)


def _mount(*words: str) -> None:
    try:
        done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    except OSError as error:
        raise NotMounted(str(error)) from error
    if done.returncode:
        raise NotMounted(done.stderr.strip())
