"""How long it takes until the policies of everybody in a large account are ready, with nothing there beforehand.

    python benchmarks/cold_account.py [--bench FOLDER] [--entities 5000] [--rounds 5]

The account has the managed policies and groups of the workload `std` (see `policy.py`), and its users over and over:
each with groups, attachments and inline policies of their own that nobody shares. Measured is, by processor time, from
the folded account on: everybody's policies found with their grants, and compiled; and then a first decision for each.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.entities import (
    Attachment,
    DefaultVersion,
    Group,
    InlinePolicy,
    ManagedPolicy,
    Membership,
    PolicyVersion,
    User,
)
from ledger.policy import patterns
from ledger.policy.entitlements import Entitlements
from ledger.policy.evaluation import evaluate
from ledger.policy.request import caller_of, request_of

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "111111111111"
IAM = f"arn:aws:iam::{ACCOUNT}"
NOON = 1_700_000_000
Told = Mapping[str, Any]


def main() -> None:
    bench = os.environ.get("IAM_LEDGER_BENCH", str(ROOT.parent / "shared" / "bench"))
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--bench", type=Path, default=Path(bench), help="where policy/ is")
    options.add_argument("--entities", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=5, help="the median is told")
    asked = options.parse_args()
    with gzip.open(asked.bench / "policy" / "workload_std.json.gz") as stream:
        told = json.load(stream)
    accounts = [account_of(told, asked.entities, number) for number in range(asked.rounds)]
    rounds = [one_round(account, told["requests"]) for account in accounts]
    ready, decided = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"{asked.entities:,} entities, of which {len(accounts[0].users):,} are users; CPU ms")
    print(f"policies ready    {ready:8.0f}")
    print(f"a decision each   {decided:8.0f}")


def account_of(told: Told, size: int, number: int) -> Account:
    """The account; with another number its documents are others, for equal ones are compiled once in a process."""
    account = Account.empty(ACCOUNT)
    for entity in islice(entities(told, number), size):
        account = account.put(entity)
    return account


def one_round(account: Account, requests: list[Told]) -> tuple[float, float]:
    patterns.compiled.cache_clear()
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is not gone through
    entitlements = Entitlements()
    began = time.process_time()
    policies = [(user, entitlements.of(account, user, NOON).policies()) for user in account.users.values()]
    ready = time.process_time()
    for (user, theirs), request in zip(policies, cycle(requests)):
        evaluate(request_of(caller_of(user.arn), request["action"], request["resource"], {}), theirs)
    return (ready - began) * 1e3, (time.process_time() - ready) * 1e3


def entities(told: Told, round_: int) -> Iterator[ManagedPolicy | Group | User]:
    """Managed policies and groups once, users without end."""
    for name, policy in told["managed"].items():
        version = PolicyVersion("v1", {**policy, "Id": f"{round_}"}, NOON, 0)
        yield ManagedPolicy(
            id=f"ANPA{name}",
            name=name,
            arn=f"{IAM}:policy/{name}",
            versions=Map({"v1": version}),
            default=DefaultVersion("v1", 0),
            last_version=1,
        )
    for name, group in told["groups"].items():
        yield Group(id=f"AGPA{name}", name=name, arn=f"{IAM}:group/{name}", **grants(group, f"{round_}"))
    for number in count():
        for base, user in told["users"].items():
            name = f"{base}-{number}"
            joined = {f"AGPA{group}": Membership(f"AGPA{group}", 0) for group in user["groups"]}
            yield User(
                id=f"AIDA{name}",
                name=name,
                arn=f"{IAM}:user/{name}",
                memberships=Map(joined),
                **grants(user, f"{round_} {number}"),
            )


def grants(holder: Told, id_: str) -> dict[str, Any]:
    """Attachments, and inline policies that are not equal where the id is another."""
    arns = [f"{IAM}:policy/{managed}" for managed in holder["managed"]]
    inline = {name: {**policy, "Id": id_} for name, policy in holder["inline"].items()}
    return {
        "attached": Map({arn: Attachment(arn, 0) for arn in arns}),
        "inline": Map({name: InlinePolicy(name, policy, 0) for name, policy in inline.items()}),
    }


if __name__ == "__main__":
    main()
