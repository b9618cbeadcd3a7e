"""What it is worth that waiting calls are written together: recorded decisions a second, by how many call at once.

    python benchmarks/group_commit.py [--db URL] [--seconds 5]

One process, no HTTP. The peer is the same authority with a single caller, so that each call is a commit of its own. Every
call is authenticated, authorized and durable before it is answered.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault

ACCOUNT = "111122223333"
HERE = Surroundings("127.0.0.1", "benchmark", "00000000-0000-4000-8000-000000000000")
CALLERS = (1, 16, 64, 256)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--db", help="the ledger's database URL; a new SQLite file if not given")
    options.add_argument("--seconds", type=float, default=5.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(given.db or str(Path(folder) / "ledger.db"), create=True)
        authority = Authority(Log(engine), Vault(engine, Keyring(new_key())))
        begin(authority.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)
        root = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))
        made = authority.call(Request(ACCOUNT, "iam:CreateAccessKey", {}, HERE, None, by=root))
        presented = authority.presented(made.output["AccessKey"]["AccessKeyId"], None)
        call = Request(ACCOUNT, "iam:ListGroups", {}, HERE, presented)
        alone = 0.0
        for callers in CALLERS:
            rate = calls_a_second(authority, call, callers, given.seconds)
            alone = alone or rate
            print(f"{callers:4} at once {rate:8,.0f}/s   {rate / alone:5.1f} x one commit a call")
        authority.close()
        engine.dispose()


def calls_a_second(authority: Authority, call: Request, callers: int, seconds: float) -> float:
    """Each caller makes its next call as soon as the one before is answered."""
    end = time.perf_counter() + seconds
    done = threading.Semaphore(0)
    counts = [0] * callers

    def again(place: int) -> None:
        def answered(reply: object, failure: BaseException | None) -> None:
            assert failure is None
            counts[place] += 1
            if time.perf_counter() < end:
                again(place)
            else:
                done.release()

        authority.submit(call, answered)

    begun = time.perf_counter()
    for place in range(callers):
        again(place)
    for _ in range(callers):
        done.acquire()
    return sum(counts) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
