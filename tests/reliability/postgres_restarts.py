"""R10: PostgreSQL ends under those who write, by kill -9 of all its processes, at once, or fast; and starts again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.postgres_server import (
    USER,
    copy_package,
    folder_for,
    free_port,
    initialize,
    launch,
    package_folder,
    stop,
    unprivileged_account,
    wait_until_answering,
)
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, new_ledger
from tests.reliability.soundness import looked_through, rebuilt_alike
from tests.reliability.writers import BEGINNING, Writers, kept_promises

WRITERS = 8
PASSWORD = "only-on-loopback"
ENDS = {"kill -9": signal.SIGKILL, "immediate": signal.SIGQUIT, "fast": signal.SIGINT}
STARTS_MAX = 20


class EndingServer:
    """A PostgreSQL with data of its own that can be ended in each way, and started again at its port."""

    def __init__(self, folder: Path, account: Mapping[str, Any]) -> None:
        self._folder, self._account = folder, account
        self._port = free_port()
        self.url = URL.create("postgresql+psycopg", USER, PASSWORD, "127.0.0.1", self._port, "postgres")
        self.start()

    def start(self) -> None:
        """Processes of a server that was killed may hold its memory a moment longer; so more than once."""
        for attempt in range(STARTS_MAX):
            self.process = launch(self._folder, self._account, self._port)
            try:
                wait_until_answering(self.process, self.url, self._folder)
                return
            except Exception:
                stop(self.process)
                if attempt == STARTS_MAX - 1:
                    raise

    def end(self, way: str) -> None:
        if way == "kill -9":
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own, so all its processes
        else:
            self.process.send_signal(ENDS[way])
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def ending_server() -> Iterator[EndingServer]:
    """Raises NoPostgres where there is none to be had."""
    package, account = package_folder(), unprivileged_account()
    with folder_for(account) as folder:
        copy_package(package, folder)
        initialize(folder, account, PASSWORD)
        server = EndingServer(folder, account)
        try:
            yield server
        finally:
            stop(server.process)


def restarted_under_writers(restarts: int, seed: int = 10, *, seconds: float = 0.6) -> Outcome:
    """8 writers that try again what failed. Hit is a restart in which at least one call failed or was cut off."""
    outcome, random_ = Outcome(), random.Random(seed)
    with ending_server() as server:
        url = server.url.render_as_string(hide_password=False)
        key, _ = new_ledger(url)
        team = Writers(url, key, WRITERS, pairs=None)
        ways = list(ENDS)
        while not team.all_heard:
            team.listen(0.05)
        for trial in range(restarts):
            before = len(team.answers)
            while team.going and len(team.answers) < before + WRITERS:
                team.listen(0.05)
            team.listen(random_.uniform(0, seconds))
            server.end(ways[trial % len(ways)])
            team.listen(0.05)  # what was on its way when the server ended
            answered = len(team.answers)
            server.start()
            while team.going and len(team.answers) < answered + WRITERS:
                team.listen(0.05)
            outcome.trials += 1
            outcome.hit += any(told.failures for told in team.answers[answered:])
        team.stop()
        team.end()
        outcome.check(not team.broke_off, f"{team.broke_off} writers broke off")
        found = looked_through(url, ACCOUNT)
        outcome.found(found.wrong, "at the end")
        outcome.found(kept_promises(team.answers, found.documents), "at the end")
        # A call that was written and answered with a failure is in the log beside its repetition.
        repeated = sum(told.code is not None for told in team.answers)
        entries = len(found.leaves) - BEGINNING
        outcome.check(
            entries == len(team.answers) + repeated,
            f"{entries} entries of {len(team.answers)} answers, {repeated} of them repeated",
        )
        outcome.counts["calls acknowledged"] += len(team.answers)
        outcome.counts["repeated after their commit"] += repeated
        outcome.found(rebuilt_alike(url), "projections")
    return outcome
