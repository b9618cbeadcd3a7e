"""One of many processes that all want what there is only so much of. It imports little, so that eight start soon."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ledger.authority.authority import Authority, Request
from ledger.authority.recording import Surroundings
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring
from ledger.vault.store import Vault

ACCOUNT: Final = "100000000001"
ROOT: Final = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))
HERE: Final = Surroundings("127.0.0.1", "test", "00000000-0000-4000-8000-000000000000")
OWN: Final = f"arn:aws:iam::{ACCOUNT}:policy/own"


def document(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def ask(authority: Authority, operation: str, **parameters: Any) -> dict[str, Any]:
    """The output, or the code of the refusal."""
    told = authority.call(Request(ACCOUNT, f"iam:{operation}", parameters, HERE, None, by=ROOT))
    return {"event": told.event_id, "refused": told.refusal and told.refusal.code, **told.output}


def hammer(database_url: str, vault_key: str, number: int) -> None:
    """What each process does: everything that has a quota, on the same entities, until each is used up."""
    log = Log(open_engine(database_url))
    authority = Authority(log, Vault(log.engine, Keyring(vault_key)))
    print("ready", flush=True)
    sys.stdin.readline()

    def one(place: int) -> list[tuple[str, dict[str, Any]]]:
        asked = [
            ("CreateAccessKey", {"UserName": "alice"}),
            ("AddUserToGroup", {"UserName": "alice", "GroupName": f"group-{(number + place) % 16}"}),
            ("CreatePolicyVersion", {"PolicyArn": OWN, "PolicyDocument": document(f"s3:Get{number}")}),
            (
                "AttachUserPolicy",
                {
                    "UserName": "alice",
                    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/policy-{(number + place) % 16}",
                },
            ),
        ]
        return [(name, ask(authority, name, **parameters)) for name, parameters in asked]

    with ThreadPoolExecutor(2) as threads:
        told = [answer for answers in threads.map(one, range(4)) for answer in answers]
    for name, answer in told:
        key = answer.get("AccessKey", {}).get("AccessKeyId")
        print(json.dumps({"name": name, "event": answer["event"], "refused": answer["refused"], "key": key}))
    authority.close()


if __name__ == "__main__":
    hammer(sys.argv[1], sys.argv[2], int(sys.argv[3]))
