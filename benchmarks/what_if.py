"""How long it takes to replay recorded calls against an edited history, and how much what is the same saves.

    python benchmarks/what_if.py [--calls 100000] [--users 200] [--sample 500]

An account of users in ten groups, each with policies, inline, managed and conditional, and a managed policy that
all groups have; then calls by all of them, one in a hundred a change of IAM. Three events are left out in turn: a
grant to one user, one to a group, and the policy that everybody has, so that every principal's policies differ. The
peer is `Authorizations.of`, which reads the account for each call, asked about a sample of the same calls, twice, as
both sides need it. Prints CPU microseconds a call.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record
from projections.investigation import Investigation
from projections.permissions.authorization import Authorizations

ACCOUNT = "111122223333"
START = 1_700_000_000
SHARED = f"arn:aws:iam::{ACCOUNT}:policy/shared"
GROUPS = 10
BATCH = 5_000
USES = (
    ("s3.amazonaws.com", "GetObject"),
    ("s3.amazonaws.com", "PutObject"),
    ("dynamodb.amazonaws.com", "GetItem"),
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("lambda.amazonaws.com", "Invoke"),
    ("kms.amazonaws.com", "Decrypt"),
    ("iam.amazonaws.com", "ListUsers"),
)
ROOT = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
Document = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--users", type=int, default=200)
    options.add_argument("--sample", type=int, default=500, help="calls that the peer is asked about")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_engine(str(Path(folder) / "what-if.db"), create=True))
        workload = Workload(asked.users)
        write(log, workload, asked.calls)
        ledger = Investigation(log)
        ledger.runner.catch_up()
        peer = 2 * asked_singly(log, ledger, asked.sample)
        print(f"{asked.calls:,} calls of {asked.users:,} users; CPU µs a call")
        print(f"{'judged one by one, twice':28}{peer:9.0f}")
        for name, event in workload.edits.items():
            began = time.process_time()
            told = ledger.what_if([event])
            took = (time.process_time() - began) / told["replayed"] * 1e6
            print(
                f"{'without ' + name:28}{took:9.0f}   1/{peer / took:.0f}   "
                f"{told['judged']:,} judged, {told['totals']['lost']:,} lost"
            )
        log.engine.dispose()


def asked_singly(log: Log, ledger: Investigation, sample: int) -> float:
    authorizations = Authorizations(ledger.permissions.past, ledger.sessions)
    size = log.size(ACCOUNT)
    positions = sorted(random.Random(3).sample(range(size), min(sample, size)))
    found = log.entries_at(ACCOUNT, positions)
    began = time.process_time()
    for entry in found:
        authorizations.of(entry)
    return (time.process_time() - began) / len(found) * 1e6


def write(log: Log, workload: Workload, calls: int) -> None:
    documents = workload.beginning()
    documents += (workload.call(number) for number in range(calls))
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        log.append([Draft.of(read_record(one), Origin("what-if.json")) for one in batch])


class Workload:
    """Records, the same ones each time. `edits` are the events that are left out in turn."""

    def __init__(self, users: int) -> None:
        self._chance = random.Random(7)
        self._users = [f"user-{number:04}" for number in range(users)]
        self._count = 0
        self.edits: dict[str, str] = {}

    def beginning(self) -> list[Document]:
        made = [
            self._iam("CreatePolicy", policyName="shared", policyDocument=allow("s3:*", "dynamodb:*")),
            *(self._iam("CreateGroup", groupName=f"group-{number}") for number in range(GROUPS)),
        ]
        self.edits["everybody's policy"] = made[0]["eventID"]
        for number in range(GROUPS):
            name = f"group-{number}"
            conditional = allow("ec2:Describe*", source="192.0.2.0/24")
            made.append(self._iam("AttachGroupPolicy", groupName=name, policyArn=SHARED))
            made.append(
                self._iam("PutGroupPolicy", groupName=name, policyName="g", policyDocument=conditional)
            )
        self.edits["a group's grant"] = made[-1]["eventID"]
        for number, name in enumerate(self._users):
            made.append(self._iam("CreateUser", userName=name))
            made.append(self._iam("AddUserToGroup", userName=name, groupName=f"group-{number % GROUPS}"))
            own = allow("lambda:*", "kms:Decrypt", "iam:List*")
            made.append(self._iam("PutUserPolicy", userName=name, policyName="own", policyDocument=own))
        self.edits["a user's grant"] = made[-1]["eventID"]
        return made

    def call(self, number: int) -> Document:
        chance = self._chance
        if number % 100 == 99:
            tags = [{"key": "n", "value": str(number)}]
            return self._iam("TagUser", userName=chance.choice(self._users), tags=tags)
        name, (source, event) = chance.choice(self._users), chance.choice(USES)
        request: Document = {}
        if source.startswith("s3"):
            request = {"bucketName": f"bucket-{chance.randrange(20)}", "key": f"key-{chance.randrange(500)}"}
        elif source.startswith("dynamodb"):
            request = {"tableName": f"table-{chance.randrange(20)}"}
        elif source.startswith("lambda"):
            request = {"functionName": f"function-{chance.randrange(20)}"}
        identity = {
            "type": "IAMUser",
            "principalId": f"AIDA{name.upper():0>16}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
            "accountId": ACCOUNT,
            "userName": name,
            "accessKeyId": f"AKIA{name.upper().replace('-', ''):0>16}",
        }
        return self._record(source, event, identity, request, None)

    def _iam(self, event: str, **request: Any) -> Document:
        response = None
        if event == "CreateUser":
            name = request["userName"]
            arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
            response = {"user": {"userName": name, "userId": f"AIDA{name.upper():0>16}", "arn": arn}}
        if event == "CreatePolicy":
            response = {"policy": {"policyName": "shared", "policyId": "ANPASHARED000001", "arn": SHARED}}
        return self._record("iam.amazonaws.com", event, ROOT, request, response)

    def _record(
        self, source: str, event: str, identity: Document, request: Document, response: Document | None
    ) -> Document:
        self._count += 1
        return {
            "eventVersion": "1.11",
            "eventSource": source,
            "eventName": event,
            "eventTime": format_time(START + self._count // 3),
            "eventID": f"{self._count:08x}-0000-4000-8000-000000000000",
            "awsRegion": "us-east-1",
            "recipientAccountId": ACCOUNT,
            "userIdentity": identity,
            "requestParameters": request,
            "responseElements": response,
            "sourceIPAddress": f"192.0.2.{self._chance.randrange(1, 250)}",
            "userAgent": "aws-cli/2.15.30",
        }


def allow(*actions: str, source: str | None = None) -> str:
    statement: Document = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    if source is not None:
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": source}}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


if __name__ == "__main__":
    main()
