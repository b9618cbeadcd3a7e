"""What a proof takes from a log of millions of entries: that one is in it, that it was continued; and a checkpoint of it.

    python benchmarks/proofs.py [--entries 10000000] [--db proofs.db] [--asked 1000]

The log is made by ordinary appends of 20,000 small records each, into a SQLite file that is kept only where `--db` names
one; a file that is there is added to. Each question is of places drawn anew, and asked as a caller asks it who comes with
the next request: nothing is remembered from the one before. There is no peer: the goal is 2 ms.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ledger.entry import Draft  # noqa: E402
from ledger.log import Log, open_engine  # noqa: E402
from ledger.log.checkpoints import Checkpoints  # noqa: E402
from ledger.log.proving import prove_continued, prove_entry  # noqa: E402
from ledger.log.tiles import tree_of  # noqa: E402
from ledger.merkle.proofs import prove_consistency, prove_inclusion  # noqa: E402
from ledger.notes import Signer  # noqa: E402
from ledger.record import read_record  # noqa: E402

ACCOUNT = "111122223333"
BATCH = 20_000
KEY = Signer("iam-ledger/benchmark", bytes(32))  # the same for a file that is there
SEED = 6962
GOAL_MS = 2.0


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--entries", type=int, default=10_000_000)
    options.add_argument("--db", type=Path, help="the SQLite file; without it, one that is thrown away")
    options.add_argument("--asked", type=int, default=1_000, help="how often each question")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="iam-ledger-proofs-") as folder:
        log = Log(open_engine(str(given.db or Path(folder) / "ledger.db"), create=True))
        fill(log, given.entries)
        ask(log, given.asked)
        log.engine.dispose()


def fill(log: Log, entries: int) -> None:
    begun, size = time.perf_counter(), log.size(ACCOUNT)
    for start in range(size, entries, BATCH):
        log.append([draft(number) for number in range(start, min(start + BATCH, entries))])
    taken = time.perf_counter() - begun
    print(f"{log.size(ACCOUNT):,} entries, {max(entries - size, 0):,} of them appended in {taken:,.0f} s")


def ask(log: Log, asked: int) -> None:
    checkpoints = Checkpoints(log, KEY)
    checkpoints.publish(ACCOUNT)
    size, chance = log.size(ACCOUNT), random.Random(SEED)

    def inclusion() -> Callable[[], object]:
        index = chance.randrange(size)
        return lambda: _included(log, index=index, size=size)

    def inclusion_in_an_older_tree() -> Callable[[], object]:
        older = chance.randint(1, size)
        index = chance.randrange(older)
        return lambda: _included(log, index=index, size=older)

    def consistency() -> Callable[[], object]:
        old, new = sorted((chance.randint(1, size), chance.randint(1, size)))
        return lambda: _continued(log, old=old, new=new)

    def checkpoint() -> Callable[[], object]:
        older = chance.randint(1, size)
        return lambda: checkpoints.at(ACCOUNT, older)

    def whole_proof_of_an_entry() -> Callable[[], object]:
        entry = log.entry(ACCOUNT, chance.randrange(size))
        assert entry is not None
        return lambda: prove_entry(log, checkpoints, entry)

    def whole_proof_of_continuation() -> Callable[[], object]:
        old = chance.randint(1, size)
        return lambda: prove_continued(log, checkpoints, ACCOUNT, old=old)

    for question in (
        inclusion,
        inclusion_in_an_older_tree,
        consistency,
        checkpoint,
        whole_proof_of_an_entry,
        whole_proof_of_continuation,
    ):
        told = [timed(question()) for _ in range(asked)]
        spent, wall = (sorted(one[part] * 1e3 for one in told) for part in (0, 1))
        late = asked * 95 // 100
        print(
            f"{question.__name__.replace('_', ' '):28} by processor time p50 {median(spent):.2f} ms, "
            f"p95 {spent[late]:.2f} ms; by the clock {median(wall):.2f} and {wall[late]:.2f}; goal {GOAL_MS:.0f}"
        )


def timed(question: Callable[[], object]) -> tuple[float, float]:
    """Processor time and time by the clock, in seconds."""
    spent, begun = time.process_time(), time.perf_counter()
    question()
    return time.process_time() - spent, time.perf_counter() - begun


def _included(log: Log, *, index: int, size: int) -> list[bytes]:
    with log.engine.connect() as connection:
        return prove_inclusion(tree_of(connection, ACCOUNT), index=index, size=size)


def _continued(log: Log, *, old: int, new: int) -> list[bytes]:
    with log.engine.connect() as connection:
        return prove_consistency(tree_of(connection, ACCOUNT), old=old, new=new)


def draft(number: int) -> Draft:
    """A small record, by one of 50 users. Its event id counts, or making so large a log would wait for its index."""
    user = f"user{number % 50}"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_767_225_600 + number))
    document = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper()}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT,
            "userName": user,
        },
        "eventTime": at,
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "eventID": str(uuid.UUID(int=number << 96)),
        "recipientAccountId": ACCOUNT,
    }
    return Draft.of(read_record(document))


if __name__ == "__main__":
    main()
