"""What the tree costs: appends with it beside the same appends without it, and how long roots and proofs take.

    python benchmarks/tree.py [--entries 20000] [--rounds 5] [--db postgresql://…]

The peer is the log itself, whose appends leave the tree out. Both write the same drafts, in batches of one size, each
batch durable before the next; which goes first changes with every round. More than 1 would be quicker than without.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ledger.checkpoint import new_ledger_key  # noqa: E402
from ledger.entry import Draft, Origin  # noqa: E402
from ledger.log import Log, open_engine  # noqa: E402
from ledger.log.checkpoints import Checkpoints  # noqa: E402
from ledger.log.tiles import tree_of  # noqa: E402
from ledger.merkle.proofs import prove_consistency, prove_inclusion  # noqa: E402
from ledger.record import read_record  # noqa: E402

ACCOUNT = "111122223333"
BATCHES = (1, 10, 100, 1_000)
ASKED = 300


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--entries", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--db", help="an empty PostgreSQL database of its own; SQLite if not given")
    given = options.parse_args()
    for batch in BATCHES:
        count = min(given.entries, batch * 1_000)
        found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        for number in range(given.rounds):
            for with_tree in (True, False) if number % 2 else (False, True):
                with ledger(given.db) as log:
                    found[with_tree].append(appended(log, count, batch, with_tree=with_tree))
        (rate, spent), (rate_without, spent_without) = (
            [median(column) for column in zip(*found[with_tree], strict=True)] for with_tree in (True, False)
        )
        print(
            f"{batch:5,} an append: {rate:9,.0f} entries/s with the tree, {rate_without:9,.0f} without, "
            f"ratio {rate / rate_without:.2f}; processor time an entry {spent:6.1f} us, {spent_without:6.1f}, "
            f"ratio {spent_without / spent:.2f}"
        )
    with ledger(given.db) as log:
        appended(log, given.entries, 1_000, with_tree=True)
        ask(log, given.entries)


def appended(log: Log, count: int, batch: int, *, with_tree: bool) -> tuple[float, float]:
    """Entries a second, and microseconds of processor time an entry. The drafts are there before the clock starts."""
    drafts = [draft(number) for number in range(count)]
    batches = [drafts[start : start + batch] for start in range(0, count, batch)]

    def write() -> tuple[float, float]:
        begun, spent = time.perf_counter(), time.process_time()
        for one in batches:
            log.append(one)
        return count / (time.perf_counter() - begun), (time.process_time() - spent) / count * 1e6

    if with_tree:
        return write()
    with patch("ledger.log.store.grow", lambda *_: None):
        return write()


def ask(log: Log, size: int) -> None:
    checkpoints = Checkpoints(log, new_ledger_key())
    checkpoints.publish(ACCOUNT)
    questions: dict[str, Callable[[int], Any]] = {
        "root and checkpoint": lambda n: checkpoints.at(ACCOUNT, size - 1 - n),
        "proof of inclusion": lambda n: proved(log, index=n * 7919 % size, size=size),
        "proof of consistency": lambda n: continued(log, old=1 + n * 7919 % (size - 1), new=size),
    }
    for name, question in questions.items():
        taken = []
        for number in range(ASKED):
            begun = time.perf_counter()
            question(number)
            taken.append(time.perf_counter() - begun)
        taken.sort()
        print(
            f"{name:22} of {size:,}: p50 {median(taken) * 1e3:.2f} ms, p95 {taken[ASKED * 95 // 100] * 1e3:.2f} ms"
        )


def proved(log: Log, *, index: int, size: int) -> list[bytes]:
    with log.engine.connect() as connection:
        return prove_inclusion(tree_of(connection, ACCOUNT), index=index, size=size)


def continued(log: Log, *, old: int, new: int) -> list[bytes]:
    with log.engine.connect() as connection:
        return prove_consistency(tree_of(connection, ACCOUNT), old=old, new=new)


def draft(number: int) -> Draft:
    """Of some 900 bytes, by one of 50 users from one of 200 addresses."""
    user = f"user{number % 50}"
    document = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper()}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{user.upper()}",
            "userName": user,
        },
        "eventTime": f"2026-01-{1 + number // 86_400 % 28:02}T{number // 3_600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{number % 200}",
        "userAgent": "aws-cli/2.15.30",
        "requestParameters": {"bucketName": f"bucket{number % 97}", "key": f"reports/{number}.csv"},
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "s3.us-east-1.amazonaws.com"},
    }
    return Draft.of(read_record(document), Origin())


@contextmanager
def ledger(url: str | None) -> Iterator[Log]:
    """A new one each time."""
    with tempfile.TemporaryDirectory(prefix="iam-ledger-tree-") as folder:
        log = Log(open_engine(url or str(Path(folder) / "ledger.db"), create=True))
        try:
            yield log
        finally:
            if url is not None:
                with log.engine.begin() as connection:
                    connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                    connection.exec_driver_sql("CREATE SCHEMA public")
            log.engine.dispose()


if __name__ == "__main__":
    main()
