"""R6: kill -9 of whoever writes, at a random moment after the first thing that was acknowledged.

The server that answers signed calls, an import, the catch-up of projections. A kill says nothing of what the disk keeps
when the power goes: that is R7's.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from projections.runner import Projection, Runner
from tests.reliability.clients import Caller, calling_until, iam_client, kept_promises
from tests.reliability.logs import ACCOUNTS, contents, write_logs
from tests.reliability.outcome import Outcome
from tests.reliability.processes import (
    ACCOUNT,
    answering,
    forking,
    free_port,
    kill,
    new_ledger,
    serve,
    started,
)
from tests.reliability.soundness import looked_through, rebuilt_alike, runner

CALLERS = 4
LOOKED_THROUGH_EVERY = 50
SECONDS_MAX = 0.15
SPAN_MAX = 64


def server_killed(url: str, kills: int, seed: int = 6) -> Outcome:
    """The server of an account, killed while several clients call; then started again, on what is there."""
    outcome, random_ = Outcome(), random.Random(seed)
    key, root_key = new_ledger(url)
    every: list[Caller] = []
    leaves: list[bytes] = []
    port = free_port()
    client = iam_client(port, root_key)
    for trial in range(1, kills + 1):
        process = started(serve, url, key, port)
        answering(process, port)
        callers = [Caller(client, f"t{trial}c{number}") for number in range(CALLERS)]
        under_way = calling_until(callers, lambda process=process: kill(process), random_, SECONDS_MAX)  # type: ignore[misc]
        outcome.trials += 1
        outcome.hit += under_way
        every += callers
        if trial % LOOKED_THROUGH_EVERY == 0 or trial == kills:
            found = looked_through(url, ACCOUNT, leaves)
            outcome.found(found.wrong, f"after {trial} kills")
            outcome.found(kept_promises(every, found.documents), f"after {trial} kills")
            leaves = found.leaves
    answered = sum(len(caller.answered) for caller in every)
    cut_off = sum(len(caller.cut_off) for caller in every)
    begun = len(leaves) - 2  # the account itself and root's key stand before
    outcome.check(
        answered <= begun <= answered + cut_off, f"{begun} entries, {answered} answers and {cut_off} without"
    )
    outcome.counts.update(
        {"calls acknowledged": answered, "cut off": cut_off, "of those written": begun - answered}
    )
    outcome.found(rebuilt_alike(url), "projections")
    return outcome


def _import(url: str, folder: str, workers: int, told: Connection) -> None:
    engine = open_engine(url, create=True)
    import_paths(
        Log(engine),
        [folder],
        batch_max=100,
        workers=workers,
        progress=lambda so_far: told.send(so_far.appended),
    )
    told.send(None)


def import_broken_off(
    url: str, folder: Path, random_: random.Random, *, workers: int = 0
) -> tuple[int, bool]:
    """An import that is killed after some batches: how many new records were acknowledged, and whether it was at work."""
    told, ear = forking().Pipe(duplex=False)
    process = started(_import, url, str(folder), workers, ear)
    ear.close()
    acknowledged, going = 0, True
    for _ in range(random_.randint(1, 3)):
        if (appended := told.recv()) is None:
            going = False
            break
        acknowledged = appended
    time.sleep(random_.uniform(0, 0.02))
    kill(process)
    try:
        while going and (appended := told.recv()) is not None:
            acknowledged = appended
        going = False
    except EOFError:
        pass
    return acknowledged, going


def import_killed(
    url: str, other_url: str, folder: Path, kills: int, *, workers: int = 0, seed: int = 6
) -> Outcome:
    """An import, killed again and again and repeated, beside one that nobody killed."""
    outcome, random_ = Outcome(), random.Random(seed)
    write_logs(folder, files=10 + 2 * kills, each=50)
    whole = Log(open_engine(other_url, create=True))
    import_paths(whole, [folder])
    log, before = Log(open_engine(url, create=True)), 0
    for _ in range(kills):
        acknowledged, going = import_broken_off(url, folder, random_, workers=workers)
        outcome.trials += 1
        outcome.hit += going
        outcome.counts["records acknowledged"] += acknowledged
        there = sum(map(log.size, ACCOUNTS))
        outcome.check(
            there >= before + acknowledged, f"{there} records where {before + acknowledged} were to be"
        )
        before = there
    import_paths(log, [folder])
    for account_id in ACCOUNTS:
        found = looked_through(url, account_id)
        outcome.found(found.wrong, account_id)
        outcome.counts["entries"] += len(found.leaves)
    outcome.check(contents(log) == contents(whole), "the killed import is not the whole one")
    again = import_paths(log, [folder])
    outcome.check(again.appended == 0, f"{again.appended} records were taken in twice")
    for one in (log, whole):
        one.engine.dispose()
    return outcome


def _catch_up(url: str, told: Connection) -> None:
    log = Log(open_engine(url))
    catching = runner(log)
    small = Runner(log, [_in_small_spans(one) for one in catching.projections])
    small.catch_up(progress=lambda done, _: told.send(done))
    told.send(None)


def catch_up_killed(url: str, folder: Path, kills: int, seed: int = 6) -> Outcome:
    """The catch-up of projections, killed between and within the spans that it takes in."""
    outcome, random_ = Outcome(), random.Random(seed)
    log = Log(open_engine(url, create=True))
    write_logs(folder, files=4 + kills, each=120)
    import_paths(log, [folder])
    for _ in range(kills):
        told, ear = forking().Pipe(duplex=False)
        process = started(_catch_up, url, ear)
        ear.close()
        going = told.recv() is not None
        time.sleep(random_.uniform(0, 0.01))
        kill(process)
        try:
            while told.recv() is not None:
                outcome.counts["spans taken in"] += 1
            going = False
        except EOFError:
            pass
        outcome.trials += 1
        outcome.hit += going
        if not going:
            runner(log).rebuild() if random_.random() < 0.5 else import_paths(
                log, [write_logs(folder / "more", 4, 60)]
            )
    outcome.found(rebuilt_alike(url), "projections")
    log.engine.dispose()
    return outcome


def _in_small_spans(projection: Projection) -> Projection:
    return replace(projection, span_max=SPAN_MAX)
