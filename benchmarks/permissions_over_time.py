"""How long it takes to tell who can do something, of a thousand principals in an account of five thousand entities.

    python benchmarks/permissions_over_time.py [--principals 1000] [--entities 5000] [--days 30]

The account is written straight into the projection's tables, as the fold writes it: users in groups, roles, and
customer's policies of 20 statements, of which each principal has four; five policies change each day. Prints, in
processor time and by the clock, who can do it at one time T in a new process's first question (the account is read and
decoded, every policy compiled), at another T with what was compiled kept, and over an interval of so many days. The
peer is `explain` of one principal, asked for each.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from ledger.collector import collecting_seldom
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record
from projections.history import entities, versions
from projections.investigation import Investigation

ACCOUNT = "111122223333"
START, DAY = 1_700_000_000, 86_400
POLICIES, GROUPS, STATEMENTS, CHANGED_A_DAY = 400, 50, 20, 5
ACTION, RESOURCE = "s3:GetObject", "arn:aws:s3:::ledger/book"
SERVICES = ("s3", "ec2", "iam", "sqs", "sns", "dynamodb", "kms", "logs", "lambda", "sts")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--principals", type=int, default=1_000)
    options.add_argument("--entities", type=int, default=5_000)
    options.add_argument("--days", type=int, default=30)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, collecting_seldom():  # as every command does
        log = build(str(Path(folder) / "account.db"), asked.principals, asked.entities, asked.days)
        ledger = Investigation(log)
        ledger.runner.catch_up()
        ask = ledger.permissions
        end = START + asked.days * DAY

        def at(moment: int) -> dict[str, Any]:
            return ask.who_can(ACTION, RESOURCE, at=moment, context={}, account=ACCOUNT)

        first = timed("who-can at one time, first question", lambda: at(end - 2))
        timed("who-can at another time", lambda: at(end - 10 * DAY))
        found = timed(
            f"who-can over {asked.days} days",
            lambda: ask.who_can(ACTION, RESOURCE, since=START + 1, until=end, context={}, account=ACCOUNT),
        )
        names = [f"user-{number}" for number in range(0, asked.principals // 2, 10)]
        timed(
            f"explain, one by one, {len(names)} principals",
            lambda: [
                ask.explain(name, ACTION, RESOURCE, at=end - 2, context={}, account=ACCOUNT) for name in names
            ],
        )
        intervals = sum(len(row["intervals"]) for row in found["principals"])
        print(
            f"{asked.principals:,} principals, {asked.entities:,} entities: {len(first['principals'])} could at "
            f"one time; {len(found['principals'])} in {intervals} intervals over {asked.days} days"
        )
        log.engine.dispose()


def timed(name: str, ask: Callable[[], Any]) -> Any:
    began, processor = time.perf_counter(), time.process_time()
    found = ask()
    print(
        f"{name}: {time.process_time() - processor:.3f} s of processor, {time.perf_counter() - began:.3f} s",
        flush=True,
    )
    return found


def build(url: str, principals: int, count: int, days: int) -> Log:
    log = Log(open_engine(url, create=True))
    seen = {
        "eventTime": format_time(START + days * DAY),
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "AWSService", "invokedBy": "example.amazonaws.com"},
    }
    log.append([Draft.of(read_record(seen))])
    Investigation(log).runner.catch_up()
    chance = random.Random(1)
    made = [group(number, chance) for number in range(GROUPS)]
    made += [policy(number, chance) for number in range(POLICIES)]
    made += [user(number, chance) for number in range(principals // 2)]
    made += [role(number, chance) for number in range(principals - principals // 2)]
    made += [device(number) for number in range(count - len(made))]
    with log.engine.execution_options(writes=True).begin() as connection:
        for number, (kind, unique_id, name, document) in enumerate(made, 1):
            connection.execute(entities.insert().values(id=number, account=1, kind=kind, unique_id=unique_id))
            rows = [(START, document)]
            if kind == "policy" and number % (POLICIES // 5) < days * CHANGED_A_DAY / 5:
                changed = sorted(chance.sample(range(START + 1, START + days * DAY), 5))
                rows += [(since, policy(number - GROUPS - 1, chance)[3]) for since in changed]
            connection.execute(
                versions.insert(),
                [
                    {
                        "entity": number,
                        "since": since,
                        "step": 0,
                        "account": 1,
                        "position": 0,
                        "name": name,
                        "folded_name": name,
                        "document": orjson.dumps(told),
                    }
                    for since, told in rows
                ],
            )
    return log


Made = tuple[str, str, str, dict[str, Any]]


def named(kind: str, prefix: str, name: str, number: int, noun: str) -> dict[str, Any]:
    return {
        "Path": "/",
        f"{noun}Name": name,
        f"{noun}Id": f"{prefix}{number:017}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:{kind}/{name}",
        "CreateDate": format_time(START),
        "CreatedBy": 0,
    }


def attached(chance: random.Random, count: int) -> list[dict[str, Any]]:
    numbers = chance.sample(range(POLICIES), count)
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/policy-{number}" for number in numbers]
    if chance.random() < 0.2:
        arns.append("arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    return [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn, "MadeBy": 0} for arn in arns]


def user(number: int, chance: random.Random) -> Made:
    told = named("user", "AIDA", f"user-{number}", number, "User") | {
        "UserPolicyList": [],
        "AttachedManagedPolicies": attached(chance, 2),
        "Memberships": [{"GroupId": f"AGPA{chance.randrange(GROUPS):017}", "MadeBy": 0}],
        "Tags": [],
        "AccessKeys": [{"AccessKeyId": f"AKIA{number:016}", "Status": "Active", "MadeBy": 0}],
        "MFADevices": [],
    }
    return "user", told["UserId"], told["UserName"], told


def role(number: int, chance: random.Random) -> Made:
    told = named("role", "AROA", f"role-{number}", number, "Role") | {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "RolePolicyList": [],
        "AttachedManagedPolicies": attached(chance, 4),
        "Tags": [],
    }
    return "role", told["RoleId"], told["RoleName"], told


def group(number: int, chance: random.Random) -> Made:
    told = named("group", "AGPA", f"group-{number}", number, "Group") | {
        "GroupPolicyList": [],
        "AttachedManagedPolicies": attached(chance, 2),
    }
    return "group", told["GroupId"], told["GroupName"], told


def policy(number: int, chance: random.Random) -> Made:
    statements = []
    for _ in range(STATEMENTS):
        service = chance.choice(SERVICES)
        verb = chance.choice(["Get*", "List*", "Put*", "Describe*", "Delete*"])
        resource = chance.choice(
            ["*", f"arn:aws:{service}:::ledger/*", f"arn:aws:{service}:::other-{number}/*"]
        )
        statements.append(
            {
                "Effect": chance.choice(["Allow"] * 9 + ["Deny"]),
                "Action": f"{service}:{verb}",
                "Resource": resource,
            }
        )
    told = named("policy", "ANPA", f"policy-{number}", number, "Policy") | {
        "DefaultVersionId": "v1",
        "DefaultVersionMadeBy": 0,
        "LastVersion": 1,
        "Tags": [],
        "PolicyVersionList": [
            {
                "VersionId": "v1",
                "IsDefaultVersion": True,
                "CreateDate": format_time(START),
                "MadeBy": 0,
                "Document": {"Version": "2012-10-17", "Statement": statements},
            }
        ],
    }
    return "policy", told["PolicyId"], told["PolicyName"], told


def device(number: int) -> Made:
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/device-{number}"
    return "mfa-device", serial, serial, {"SerialNumber": serial, "CreatedBy": 0, "Tags": []}


if __name__ == "__main__":
    main()
