"""How long an authority takes to know its account when it starts over a long log: what the first call waits for.

    python benchmarks/start.py [--events 1000000] [--entities 5000] [--rounds 3] [--db URL]

The log is imported. Of the entities three fifths are users with a key, an inline and an attached policy each, a fifth
roles, a fifth managed policies; the events are calls of these users to S3. The peer reads every entry and folds what moves
the account, as one does who has no index. Processor time; both must come to the same account.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from ledger.account.account import Account
from ledger.account.replay import Replay
from ledger.authority.standing import Standing
from ledger.entry import Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record

ACCOUNT = "111122223333"
BEGIN = 1_700_000_000
BATCH = 20_000
FILE = Origin("trail.json.gz", "ab" * 32)
ARN = f"arn:aws:iam::{ACCOUNT}"
STATEMENT = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": f"{ARN}:root"}, "Action": "sts:AssumeRole"}
POLICY, TRUSTING = (
    json.dumps({"Version": "2012-10-17", "Statement": statement}) for statement in (STATEMENT, TRUST)
)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--entities", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--db", help="an empty database; else an SQLite file that is thrown away")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_engine(given.db or str(Path(folder) / "ledger.db"), create=True))
        chance = random.Random(7)
        append(log, changes(given.entities, chance))
        append(log, islice(calls(given.entities, chance), given.events))
        rounds = [started(log) for _ in range(given.rounds)]
        took, account = read_whole(log)
        assert all(found == account for _, found in rounds)
        ours = median(seconds for seconds, _ in rounds)
        print(f"{log.size(ACCOUNT):,} entries: {ours:.2f} s; reading all of them {took:.1f} s")
        log.engine.dispose()


def started(log: Log) -> tuple[float, Account]:
    begun = time.process_time()
    with Log(log.engine).turn(ACCOUNT) as turn:  # which remembers nothing yet
        standing = Standing(ACCOUNT)
        standing.catch_up(turn)
    return time.process_time() - begun, standing.account


def read_whole(log: Log) -> tuple[float, Account]:
    begun = time.process_time()
    replay = Replay(ACCOUNT)
    for entry in Log(log.engine).read(ACCOUNT):
        replay.take(entry)
    return time.process_time() - begun, replay.account


def append(log: Log, documents: Iterable[dict[str, Any]]) -> None:
    drafts = (Draft.of(read_record(document), FILE) for document in documents)
    while batch := list(islice(drafts, BATCH)):
        log.append(batch)


def changes(entities: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    told: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = []
    for n in range(entities // 5):
        policy = {"policyName": f"policy-{n}", "policyId": f"ANPA{n:013}", "arn": f"{ARN}:policy/policy-{n}"}
        request = {"policyName": f"policy-{n}", "policyDocument": POLICY}
        told.append(("CreatePolicy", request, {"policy": policy | {"path": "/", "defaultVersionId": "v1"}}))
        role = {"roleName": f"role-{n}", "roleId": f"AROA{n:013}", "arn": f"{ARN}:role/role-{n}", "path": "/"}
        request = {"roleName": f"role-{n}", "assumeRolePolicyDocument": TRUSTING}
        told.append(("CreateRole", request, {"role": role}))
    for n in range(entities * 3 // 5):
        who = {"userName": f"user-{n}"}
        user = who | {"userId": f"AIDA{n:013}", "arn": f"{ARN}:user/user-{n}", "path": "/"}
        key = who | {"accessKeyId": f"AKIA{n:016}", "status": "Active"}
        told.append(("CreateUser", who, {"user": user}))
        told.append(("CreateAccessKey", who, {"accessKey": key}))
        told.append(("PutUserPolicy", who | {"policyName": "own", "policyDocument": POLICY}, None))
        attached = {"policyArn": f"{ARN}:policy/policy-{n % (entities // 5)}"}
        told.append(("AttachUserPolicy", who | attached, None))
    for second, (name, request, response) in enumerate(told):
        yield record(BEGIN + second, "iam", name, 0, request, response, chance)


def calls(entities: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    at = BEGIN + 10 * entities
    while True:
        at += chance.randrange(2)
        request = {"bucketName": f"bucket-{chance.randrange(50)}", "key": f"key-{chance.randrange(10**6)}"}
        caller = chance.randrange(entities * 3 // 5)
        yield record(at, "s3", chance.choice(["GetObject", "PutObject"]), caller, request, None, chance)


def record(
    at: int,
    service: str,
    name: str,
    caller: int,
    request: dict[str, Any],
    response: dict[str, Any] | None,
    chance: random.Random,
) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{caller:013}",
            "arn": f"{ARN}:user/user-{caller}",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{caller:016}",
            "userName": f"user-{caller}",
        },
        "eventTime": format_time(at),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{chance.randrange(256)}",
        "userAgent": "aws-cli/2",
        "requestParameters": request,
        "responseElements": response,
        "requestID": str(uuid.UUID(int=chance.getrandbits(128))),
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "readOnly": service == "s3",
        "eventType": "AwsApiCall",
        "managementEvent": service == "iam",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management" if service == "iam" else "Data",
    }


if __name__ == "__main__":
    main()
