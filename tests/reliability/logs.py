"""CloudTrail files of some accounts: their users are made, used and deleted, with the key of each."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from ledger.log import Log
from ledger.record import canonical, format_time

ACCOUNTS = ("111122223333", "444455556666")
NOON = 1_772_366_400
STEPS = (
    "CreateUser",
    "CreateAccessKey",
    "GetObject",
    "PutObject",
    "TagUser",
    "DeleteAccessKey",
    "DeleteUser",
)


def record(number: int) -> dict[str, Any]:
    """The records of one user follow one another, those of others between them; some share a second."""
    lane, turn = number % 8, number // 8
    life, step = divmod(turn, len(STEPS))
    name, account_id = f"user-{lane}-{life}", ACCOUNTS[lane % 2]
    unique, key_id = f"AIDA{lane:04}{life:08}", f"AKIA{lane:04}{life:012}"
    event = STEPS[step]
    ours = event.endswith("Object")
    actor = (
        {"type": "IAMUser", "principalId": unique, "userName": name, "accessKeyId": key_id}
        if ours
        else {"type": "Root", "principalId": account_id}
    )
    arn = f"arn:aws:iam::{account_id}:{f'user/{name}' if ours else 'root'}"
    request: dict[str, Any] = (
        {"bucketName": f"bucket-{lane}", "key": f"part-{number}"} if ours else {"userName": name}
    )
    response: dict[str, Any] | None = None
    if event == "CreateUser":
        response = {
            "user": {
                "userName": name,
                "userId": unique,
                "arn": f"arn:aws:iam::{account_id}:user/{name}",
                "path": "/",
            }
        }
    elif event == "CreateAccessKey":
        response = {"accessKey": {"userName": name, "accessKeyId": key_id, "status": "Active"}}
    elif event == "DeleteAccessKey":
        request["accessKeyId"] = key_id
    elif event == "TagUser":
        request["tags"] = [{"key": "team", "value": f"t{life % 3}"}]
    return {
        "eventVersion": "1.11",
        "userIdentity": {**actor, "arn": arn, "accountId": account_id},
        "eventTime": format_time(NOON + number // 3),
        "eventSource": f"{'s3' if ours else 'iam'}.amazonaws.com",
        "eventName": event,
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{lane}",
        "userAgent": "aws-cli/2.15.30",
        "requestParameters": request,
        "responseElements": response,
        "eventID": str(UUID(int=(number * 2_654_435_761 % 2**32) << 96 | number)),
        "recipientAccountId": account_id,
    }


def write_logs(folder: Path, files: int, each: int) -> Path:
    """As many `.json.gz` files with as many records; those of a later call with more files begin with the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        records = [record(number * each + place) for place in range(each)]
        (folder / f"{number:04}.json.gz").write_bytes(gzip.compress(orjson.dumps({"Records": records}), 1))
    return folder


def contents(log: Log) -> dict[str, list[bytes]]:
    """The records of each account, whatever their order."""
    return {
        account_id: sorted(canonical(entry.document) for entry in log.read(account_id))
        for account_id in log.account_ids()
    }
