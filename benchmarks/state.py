"""How long the state of a large account at any time takes, and whether it stays flat as its history grows.

    python benchmarks/state.py [--entities 5000] [--changes 40] [--db URL]

Two ledgers are made of the same entities, one with `changes` versions of each, one with ten times as many; the
versions are written straight into the projection's tables, as the fold writes them. Prints the p50 of the state as
JSON text at random times for both, warm, their ratio, and one entity's. The peer is a bare seek of each entity's row.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import orjson
import sqlalchemy as sa

from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record
from projections.history import History, entities, versions
from projections.refolding import HISTORY
from projections.runner import Runner

ACCOUNT = "111122223333"
START, SPAN = 1_600_000_000, 100_000_000
WARMING, ROUNDS = 50, 50


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entities", type=int, default=5_000)
    options.add_argument(
        "--changes", type=int, default=40, help="versions of each entity in the smaller ledger"
    )
    options.add_argument("--db", help="a PostgreSQL URL; the default is SQLite")
    asked = options.parse_args()
    medians = []
    for changes in (asked.changes, asked.changes * 10):
        with tempfile.TemporaryDirectory() as folder:
            url = asked.db or str(Path(folder) / "state.db")
            log = build(url, asked.entities, changes)
            history = History(log)
            chance = random.Random(changes)
            took, one = [], []
            for _ in range(WARMING):
                history.state_bytes(ACCOUNT, START + chance.randrange(SPAN))
            for _ in range(ROUNDS):
                at = START + chance.randrange(SPAN)
                began = time.perf_counter()
                told = history.state_bytes(ACCOUNT, at)
                took.append((time.perf_counter() - began) * 1_000)
                began = time.perf_counter()
                history.entity(ACCOUNT, "user", f"user-{chance.randrange(asked.entities)}", at)
                one.append((time.perf_counter() - began) * 1_000)
            medians.append(statistics.median(took))
            print(
                f"{asked.entities:,} entities, {asked.entities * changes:,} versions: state p50 "
                f"{medians[-1]:.1f} ms ({len(told):,} bytes), one entity {statistics.median(one):.2f} ms",
                flush=True,
            )
            if asked.db:
                with log.engine.begin() as connection:
                    for table in (versions, entities):
                        connection.execute(sa.delete(table))
            log.engine.dispose()
    print(f"ratio of ten times the history: {medians[1] / medians[0]:.2f}")


def build(url: str, count: int, changes: int) -> Log:
    log = Log(open_engine(url, create=True))
    first = {
        "eventTime": format_time(START),
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "AWSService", "invokedBy": "example.amazonaws.com"},
    }
    log.append([Draft.of(read_record(first))])
    Runner(log, [HISTORY]).catch_up()
    chance = random.Random(1)
    with log.engine.execution_options(writes=True).begin() as connection:
        for start in range(1, count + 1, 250):
            numbers = range(start, min(start + 250, count + 1))
            connection.execute(
                entities.insert(),
                [{"id": n, "account": 1, "kind": "user", "unique_id": f"AIDA{n:017}"} for n in numbers],
            )
            rows = []
            for n in numbers:
                for since in sorted(chance.sample(range(START, START + SPAN), changes)):
                    rows.append(
                        {
                            "entity": n,
                            "since": since,
                            "step": 0,
                            "account": 1,
                            "position": 0,
                            "name": f"user-{n}",
                            "folded_name": f"user-{n}",
                            "document": document(n, since),
                        }
                    )
            connection.execute(versions.insert(), rows)
    return log


def document(number: int, since: int) -> bytes:
    """A user as the fold writes one: some 600 bytes."""
    return orjson.dumps(
        {
            "Path": "/",
            "UserName": f"user-{number}",
            "UserId": f"AIDA{number:017}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/user-{number}",
            "CreateDate": format_time(START),
            "CreatedBy": 0,
            "UserPolicyList": [],
            "AttachedManagedPolicies": [
                {
                    "PolicyName": "ReadOnlyAccess",
                    "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
                    "MadeBy": 0,
                }
            ],
            "Memberships": [
                {"GroupId": f"AGPA{number % 50:017}", "MadeBy": since % 10_000, "GroupName": "staff"}
            ],
            "GroupList": ["staff"],
            "Tags": [{"Key": "team", "Value": f"team-{since % 97}", "MadeBy": since % 10_000}],
            "AccessKeys": [{"AccessKeyId": f"AKIA{number:016}", "Status": "Active", "MadeBy": 0}],
        }
    )


if __name__ == "__main__":
    main()
