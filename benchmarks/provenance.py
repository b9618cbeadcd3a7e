"""How long it takes to say whether something was allowed, and who granted it, in a large account with a long log.

    python benchmarks/provenance.py --db URL-OF-A-LEDGER [--files FOLDER] [--entities 5000] [--rounds 200]

The ledger is one that `iam-ledger import` made, or is made of `.json.gz` files (`--files`) whose every account becomes
one and the same, so that one account has all their events; `benchmarks/README.md` says how to make a million. The
first run adds a snapshot from before its first event: the users and roles that call in it, and others up to the number
of entities, with groups, attached policies of several versions and inline ones. Prints p50 and p95, in processor time,
of `explain` at random past times, of `blame` of random events and of its whole recursion. The peer is the bare look-up
of the entities that such an answer rests on.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.intake.baseline import import_snapshot
from ledger.intake.importer import import_paths
from ledger.intake.snapshots import ACTION
from ledger.log import Log, open_engine
from ledger.log.schema import accounts, entries, principals
from ledger.policy.callers import caller_of_identity, holder_named
from ledger.record import format_time
from projections.activity import Question
from projections.investigation import Investigation
from projections.permissions.accounts import Moment
from projections.vocabulary import UnknownName

ACCOUNT, RECIPIENT = b"111122223333", re.compile(rb'"recipientAccountId":"(\d{12})"')
ACTIONS = ["s3:GetObject", "ec2:DescribeInstances", "iam:CreateUser", "dynamodb:GetItem", "kms:Decrypt"]
RESOURCES = ["arn:aws:s3:::bucket/key", "*", "arn:aws:dynamodb:us-east-1:111122223333:table/orders"]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--db", required=True)
    options.add_argument("--files", type=Path, help="what to make a ledger of, if there is none yet")
    options.add_argument("--entities", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=200)
    asked = options.parse_args()
    log = Log(open_engine(asked.db, create=asked.files is not None))
    if asked.files is not None and not log.account_ids():
        import_as_one(log, asked.files)
    account_id = max(log.account_ids(), key=log.size)
    with log.engine.connect() as connection:
        number = connection.execute(
            sa.select(accounts.c.id).where(accounts.c.account_id == account_id)
        ).scalar_one()
        first, last = connection.execute(
            sa.select(sa.func.min(entries.c.time), sa.func.max(entries.c.time)).where(
                entries.c.account == number
            )
        ).one()
        callers = connection.execute(
            sa.select(principals.c.arn, principals.c.unique_id).where(
                principals.c.account_id == account_id, principals.c.kind.in_(("IAMUser", "AssumedRole"))
            )
        ).all()
    ledger = Investigation(log)
    taken = Question(action=ACTION, account=account_id, limit=1)
    if not ledger.events(taken)["events"]:
        known = [(arn, unique_id) for arn, unique_id in callers if arn]
        add_snapshot(log, account_id, known, asked.entities, first - 60)
    ledger.runner.catch_up()
    chance = random.Random(7)
    entities = sum(1 for _ in ledger.permissions.past.whole(account_id, last).entities())
    print(
        f"{log.size(account_id):,} events, {entities:,} entities; ms of processor, p50, p95 of {asked.rounds}"
    )

    def some_event() -> Any:
        while True:
            entry = log.entry(account_id, chance.randrange(log.size(account_id)))
            assert entry is not None
            caller = caller_of_identity(entry.record.identity)
            holder = None if caller is None else holder_named(caller, entry.record.identity)
            if holder is not None:
                return entry, holder

    def bare() -> Callable[[], Any]:
        entry, holder = some_event()
        return lambda: ledger.permissions.past.about(account_id, [holder], Moment(entry.time))

    def explain() -> Callable[[], Any]:
        _, (_, name) = some_event()
        action, resource, at = chance.choice(ACTIONS), chance.choice(RESOURCES), chance.randrange(first, last)
        try:
            ledger.permissions.naming.principal(name, at, account_id)
        except UnknownName:  # not yet, or no longer
            return explain()
        return lambda: ledger.permissions.explain(
            name, action, resource, at=at, context={}, account=account_id
        )

    def blame(depth: int) -> Callable[[], Any]:
        entry, _ = some_event()
        named = f"{account_id}:{entry.position}"
        return lambda: ledger.permissions.blame_event(named, depth=depth)

    base = tell("bare look-up", bare, asked.rounds)
    for name, make in (
        ("explain", explain),
        ("blame", lambda: blame(0)),
        ("blame, recursive", lambda: blame(32)),
    ):
        median = tell(name, make, asked.rounds)
        print(f"{'':20}{median / base:8.1f} x the bare look-up")


def tell(name: str, make: Callable[[], Callable[[], Any]], rounds: int) -> float:
    took = []
    for _ in range(rounds + 10):
        one = make()
        began = time.process_time()
        one()
        took.append((time.process_time() - began) * 1_000)
    took = sorted(took[10:])
    median = statistics.median(took)
    print(f"{name:20}{median:8.1f}{took[int(len(took) * 0.95)]:8.1f}", flush=True)
    return median


def import_as_one(log: Log, files: Path) -> None:
    """Imports copies of the files that name one account wherever they name their own."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(sorted(files.rglob("*.json.gz"))):
            text = gzip.decompress(path.read_bytes())
            for account in set(RECIPIENT.findall(text)):
                text = text.replace(account, ACCOUNT)
            (Path(folder) / f"{number:06}.json.gz").write_bytes(gzip.compress(text, 1))
        import_paths(log, [folder])


def add_snapshot(log: Log, account_id: str, callers: list[tuple[str, str]], count: int, at: int) -> None:
    """The account before the log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.json"
        path.write_bytes(orjson.dumps(snapshot(account_id, callers, count, at)))
        import_snapshot(log, path, taken_at=at, account=account_id)


def snapshot(account_id: str, callers: list[tuple[str, str]], count: int, at: int) -> dict[str, Any]:
    chance = random.Random(11)
    policies = [policy(account_id, n, at, chance) for n in range(count * 3 // 10)]
    groups = [group(account_id, n, at, chance, policies) for n in range(count // 25)]
    users, roles = [], []
    for arn, unique_id in callers:
        if ":user/" in arn:
            users.append(user(arn, unique_id, at, chance, groups, policies))
        elif ":role/" in arn:
            roles.append(role(account_id, arn, unique_id, at, chance, policies))
    left = count - len(policies) - len(groups) - len(users) - len(roles)
    for n in range(max(0, left)):
        if n % 5:
            arn = f"arn:aws:iam::{account_id}:user/filler-{n}"
            users.append(user(arn, f"AIDAFILLER{n:011}", at, chance, groups, policies))
        else:
            arn = f"arn:aws:iam::{account_id}:role/filler-{n}"
            roles.append(role(account_id, arn, f"AROAFILLER{n:011}", at, chance, policies))
    return {
        "UserDetailList": users,
        "GroupDetailList": groups,
        "RoleDetailList": roles,
        "Policies": policies,
    }


def statement(chance: random.Random) -> dict[str, Any]:
    service = chance.choice(["s3", "ec2", "dynamodb", "kms", "iam", "lambda", "sqs", "logs"])
    return {
        "Effect": "Allow",
        "Action": [
            f"{service}:{verb}*" for verb in chance.sample(["Get", "List", "Describe", "Put", "Create"], 3)
        ],
        "Resource": chance.choice(["*", f"arn:aws:{service}:*:*:*", f"arn:aws:{service}:::team-*"]),
    }


def text(chance: random.Random, statements: int = 5) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement(chance) for _ in range(statements)]}


def policy(account_id: str, n: int, at: int, chance: random.Random) -> dict[str, Any]:
    return {
        "PolicyName": f"policy-{n}",
        "PolicyId": f"ANPAFILLER{n:011}",
        "Arn": f"arn:aws:iam::{account_id}:policy/policy-{n}",
        "Path": "/",
        "DefaultVersionId": "v2",
        "AttachmentCount": 1,
        "IsAttachable": True,
        "CreateDate": format_time(at),
        "UpdateDate": format_time(at),
        "PolicyVersionList": [
            {
                "Document": text(chance),
                "VersionId": version,
                "IsDefaultVersion": version == "v2",
                "CreateDate": format_time(at),
            }
            for version in ("v1", "v2")
        ],
    }


def attached(policies: list[dict[str, Any]], chance: random.Random, most: int) -> list[dict[str, str]]:
    chosen = chance.sample(policies, chance.randint(1, most))
    return [{"PolicyName": one["PolicyName"], "PolicyArn": one["Arn"]} for one in chosen]


def group(
    account_id: str, n: int, at: int, chance: random.Random, policies: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "GroupName": f"group-{n}",
        "GroupId": f"AGPAFILLER{n:011}",
        "Arn": f"arn:aws:iam::{account_id}:group/group-{n}",
        "Path": "/",
        "CreateDate": format_time(at),
        "GroupPolicyList": [],
        "AttachedManagedPolicies": attached(policies, chance, 5),
    }


def user(
    arn: str,
    unique_id: str,
    at: int,
    chance: random.Random,
    groups: list[dict[str, Any]],
    policies: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "UserName": arn.rsplit("/", 1)[-1],
        "UserId": unique_id,
        "Arn": arn,
        "Path": "/",
        "CreateDate": format_time(at),
        "GroupList": [one["GroupName"] for one in chance.sample(groups, 2)],
        "AttachedManagedPolicies": attached(policies, chance, 3),
        "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": text(chance, 2)}],
        "Tags": [],
    }


def role(
    account_id: str,
    arn: str,
    unique_id: str,
    at: int,
    chance: random.Random,
    policies: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "RoleName": arn.rsplit("/", 1)[-1],
        "RoleId": unique_id,
        "Arn": arn,
        "Path": "/",
        "CreateDate": format_time(at),
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": account_id}, "Action": "sts:AssumeRole"}],
        },
        "AttachedManagedPolicies": attached(policies, chance, 5),
        "RolePolicyList": [],
        "InstanceProfileList": [],
        "Tags": [],
    }


if __name__ == "__main__":
    main()
