"""What it is worth that waiting calls are written together: recorded decisions a second, by how many call at once.

    python benchmarks/group_commit.py [--db URL] [--seconds 5]

One process, no HTTP. The peer is the same authority with a single caller, so that each call is a commit of its own. Every
call is authenticated, authorized and durable before it is answered. Each caller is a user with a key and a policy, who
calls GetUser: always about the same user, and then each time about another one, so that no question comes twice.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ledger.authority.authority import Authority, Reply, Request
from ledger.authority.beginning import begin
from ledger.authority.credentials import Presented
from ledger.authority.recording import Surroundings
from ledger.collector import collecting_seldom
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault

ACCOUNT = "111122223333"
HERE = Surroundings("127.0.0.1", "benchmark", "00000000-0000-4000-8000-000000000000")
CALLERS = (1, 16, 64, 256)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"}}
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--db", help="the ledger's database URL; a new SQLite file if not given")
    options.add_argument("--seconds", type=float, default=5.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, collecting_seldom():  # as every command does
        engine = open_engine(given.db or str(Path(folder) / "ledger.db"), create=True)
        log = Log(engine)
        authority = Authority(log, Vault(engine, Keyring(new_key())))
        begin(authority.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)
        users = [user(authority, f"user-{number}") for number in range(max(CALLERS))]
        while not log.dictionaries():  # which is trained once in a ledger's life
            calls_made(authority, users, 0, 0.5)
        for named, about in (("the same again", 0), ("each time another", 1)):
            alone = 0.0
            for callers in CALLERS:
                took = time.process_time()
                count, seconds = calls_made(authority, users[:callers], about, given.seconds)
                took, rate = time.process_time() - took, count / seconds
                alone = alone or rate
                print(
                    f"{named:18} {callers:4} at once {rate:8,.0f}/s   {rate / alone:5.1f} x one commit a call"
                    f"   {took / count * 1e6:6.0f} µs of processor a call"
                )
        authority.close()
        engine.dispose()


def user(authority: Authority, name: str) -> Presented:
    root = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))

    def call(action: str, **parameters: str) -> Any:
        told = authority.call(Request(ACCOUNT, f"iam:{action}", parameters, HERE, None, by=root))
        assert told.refusal is None, told.refusal
        return told.output

    call("CreateUser", UserName=name)
    call("PutUserPolicy", UserName=name, PolicyName="own", PolicyDocument=POLICY)
    return authority.presented(call("CreateAccessKey", UserName=name)["AccessKey"]["AccessKeyId"], None)


def calls_made(authority: Authority, users: list[Presented], step: int, seconds: float) -> tuple[int, float]:
    """Each caller makes its next call as soon as the one before is answered, about the user `step` further on."""
    begun = time.perf_counter()
    done = threading.Semaphore(0)
    counts = [0] * len(users)

    def again(place: int) -> None:
        about = {"UserName": f"user-{(place + step * counts[place]) % max(CALLERS)}"}
        call = Request(ACCOUNT, "iam:GetUser", about, HERE, users[place])

        def answered(reply: Reply, failure: BaseException | None) -> None:
            assert failure is None and reply.refusal is None
            counts[place] += 1
            if time.perf_counter() < begun + seconds:
                again(place)
            else:
                done.release()

        authority.submit(call, answered)

    for place in range(len(users)):
        again(place)
    for _ in users:
        done.acquire()
    return sum(counts), time.perf_counter() - begun


if __name__ == "__main__":
    main()
