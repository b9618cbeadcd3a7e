"""R20: very many calls, one after another, by one authority whose memory must not grow with the log.

Then all of it is verified, and delivered, and every file is validated by `aws cloudtrail validate-logs`.
"""

from __future__ import annotations

import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ledger.authority.authority import Reply, Request
from ledger.log import Log, open_engine
from tests.api.aws.test_validate_logs import Delivered
from tests.api.living_server import Account, LivingServer
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, HERE, ROOT, authority_at, new_ledger
from tests.reliability.soundness import looked_through, replayed, state_of

CALLERS = 64
USERS = 300
GROWTH_MAX = 1.5
LOOKS = 10


def soaked(
    url: str, folder: Path, events: int, say: Callable[[str], None] = print, seed: int = 20
) -> Outcome:
    """A trial is a tenth of the calls, hit where all of it was written; memory is that of this process, in MB."""
    outcome, random_ = Outcome(), random.Random(seed)
    key, root_key = new_ledger(url)
    sizes: list[int] = []
    with authority_at(url, key) as authority:
        began = time.monotonic()
        for tenth in range(LOOKS):
            before = authority.look(ACCOUNT)[1]
            _make(authority.submit, events // LOOKS, random_, outcome)
            after = authority.look(ACCOUNT)[1]
            outcome.trials += 1
            outcome.hit += after - before == events // LOOKS
            sizes.append(_resident_mb())
            rate = (tenth + 1) * (events // LOOKS) / (time.monotonic() - began)
            say(f"  {after:,} entries, {rate:,.0f} a second, {sizes[-1]} MB")
        account, _ = authority.look(ACCOUNT)
    outcome.check(outcome.hit == LOOKS, "not every call was written")
    outcome.check(sizes[-1] < sizes[LOOKS // 2] * GROWTH_MAX, f"memory grew: {sizes} MB")
    found = looked_through(url, ACCOUNT)
    outcome.found(found.wrong, "at the end")
    engine = open_engine(url)
    outcome.check(
        state_of(account) == state_of(replayed(Log(engine), ACCOUNT)), "replaying gives another account"
    )
    engine.dispose()
    outcome.found(_delivered(url, key, root_key, folder, outcome), "delivered")
    outcome.counts.update(
        {"entries": len(found.leaves), "MB in the middle": sizes[LOOKS // 2], "MB at the end": sizes[-1]}
    )
    return outcome


def _delivered(url: str, key: str, root_key: dict[str, str], folder: Path, outcome: Outcome) -> Iterator[str]:
    server = LivingServer(url, key, delivered=folder)
    try:
        delivered = Delivered(server, Account(server, ACCOUNT, root_key), folder)
        delivered.deliver(hours=1)
        digests, logs = len(delivered.digests()), len(delivered.logs())
        found = delivered.validated()
    finally:
        server.close()
    if (found.code, found.digests, found.logs) != (0, (digests, digests), (logs, logs)):
        yield f"{digests} digests and {logs} log files, and validate-logs says {found.text[-500:]}"
    outcome.counts.update({"digests valid": digests, "log files valid": logs})


def _make(submit: Callable[..., None], calls: int, random_: random.Random, outcome: Outcome) -> None:
    """So many calls, as many at once as there are callers."""
    free, all_done = threading.Semaphore(CALLERS), threading.Semaphore(0)

    def done(reply: Reply | None, failure: BaseException | None) -> None:
        if failure is not None:
            outcome.wrong.append(f"a call failed: {failure!r}")
        free.release()
        all_done.release()

    for _ in range(calls):
        free.acquire()
        submit(_some_call(random_), done)
    for _ in range(calls):
        all_done.acquire()


def _some_call(random_: random.Random) -> Request:
    name = f"user-{random_.randrange(USERS)}"
    chance = random_.random()
    given: dict[str, Any] = {"UserName": name}
    if chance < 0.15:
        action = "CreateUser"
    elif chance < 0.25:
        action = "DeleteUser"
    elif chance < 0.4:
        action, given = "TagUser", {**given, "Tags": [{"Key": f"k{random_.randrange(40)}", "Value": "v"}]}
    elif chance < 0.5:
        action, given = "UntagUser", {**given, "TagKeys": [f"k{random_.randrange(40)}"]}
    else:
        action = "GetUser"
    return Request(ACCOUNT, f"iam:{action}", given, HERE, None, by=ROOT)


def _resident_mb() -> int:
    """Now, where the system tells; else the most there was."""
    try:
        with open("/proc/self/statm") as told:
            return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
