"""R9: copies that are taken while others write."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from ledger.log import Log, open_engine
from ledger.log.copying import copy_to
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, new_ledger
from tests.reliability.soundness import looked_through, rebuilt_alike
from tests.reliability.writers import BEGINNING, Writers

WRITERS = 2


def copied_while_writing(folder: Path, copies: int, seed: int = 9) -> Outcome:
    """A trial is a copy; a hit one during which something more was acknowledged. Beside each, what `cp` of the file gives."""
    outcome, random_ = Outcome(), random.Random(seed)
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    key, _ = new_ledger(url)
    engine = open_engine(url)
    team = Writers(url, key, WRITERS, pairs=None)
    leaves: list[bytes] = []
    for number in range(copies):
        team.listen(random_.uniform(0.05, 0.3))
        owed = BEGINNING + len(team.answers)
        copy = folder / f"copy-{number}.sqlite"
        sizes = copy_to(engine, copy)
        team.listen(0.001)
        outcome.trials += 1
        outcome.hit += BEGINNING + len(team.answers) > owed
        found = looked_through(f"sqlite:///{copy}", ACCOUNT, leaves)
        leaves = found.leaves
        outcome.found(found.wrong, f"copy {number}")
        outcome.check(
            len(leaves) >= owed, f"copy {number} has {len(leaves)} entries, {owed} were acknowledged"
        )
        outcome.check(sizes == {ACCOUNT: len(leaves)}, f"copy {number} is not as large as was told")
        _beside(outcome, folder, owed)
        copy.unlink()
    team.stop()
    team.end()
    outcome.found(looked_through(url, ACCOUNT, leaves).wrong, "the ledger itself")
    outcome.found(rebuilt_alike(url), "the ledger itself")
    engine.dispose()
    return outcome


def _beside(outcome: Outcome, folder: Path, owed: int) -> None:
    """What is to be had by `cp`, of the file alone: why it is forbidden."""
    naive = folder / "naive.sqlite"
    # By a process of its own: closing the file here would end this process's locks on it.
    subprocess.run(["cp", str(folder / "ledger.sqlite"), str(naive)], check=True)
    try:
        engine = open_engine(f"sqlite:///{naive}")
        size = Log(engine).size(ACCOUNT)
        engine.dispose()
        found = looked_through(f"sqlite:///{naive}", ACCOUNT).wrong
        outcome.counts["by cp: broken" if found else "by cp: stale" if size < owed else "by cp: whole"] += 1
    except Exception:
        outcome.counts["by cp: broken"] += 1
    for file in folder.glob("naive.sqlite*"):
        file.unlink()
