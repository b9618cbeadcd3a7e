"""What the tree costs: appends with it beside the same appends without it, and a checkpoint each second.

    python benchmarks/tree.py [--entries 20000] [--rounds 5]

The peer is the log itself, whose appends leave the tree out. Both write the same drafts, in batches of one size, each
batch durable before the next, by turns. The ratio is time without by time with the tree: 1 is no cost. So it is measured,
too, what a checkpoint each second costs, signed and stored as `serve` does it, beside the same appends without.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ledger.checkpoint import new_ledger_key  # noqa: E402
from ledger.entry import Draft, Origin  # noqa: E402
from ledger.log import Log, open_engine  # noqa: E402
from ledger.log.checkpoints import Checkpoints  # noqa: E402
from ledger.log.tiles import Growing  # noqa: E402
from ledger.record import read_record  # noqa: E402

ACCOUNT = "111122223333"
BATCHES = (1, 10, 100, 1_000)
SIGNED_BATCH = 100


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--entries", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=6, help="of appending, with a checkpoint each")
    given = options.parse_args()
    for batch in BATCHES:
        told = [compare(min(given.entries, batch * 1_000), batch) for _ in range(given.rounds)]
        wall, spent = ([one[part] for one in told] for part in (0, 1))
        print(
            f"{batch:5,} an append: ratio {median(wall):.2f} ({min(wall):.2f} to {max(wall):.2f}), "
            f"by processor time {median(spent):.2f} ({min(spent):.2f} to {max(spent):.2f}); "
            f"{median(one[2] for one in told):,.0f} entries/s with the tree"
        )
    signed = [publish(given.seconds) for _ in range(given.rounds)]
    wall, spent = ([one[part] for one in signed] for part in (0, 1))
    print(
        f"a checkpoint a second: ratio {median(wall):.3f} ({min(wall):.3f} to {max(wall):.3f}), "
        f"by processor time {median(spent):.3f} ({min(spent):.3f} to {max(spent):.3f}); "
        f"each takes {median(one[2] for one in signed) * 1e3:.1f} ms of the processor"
    )


def compare(count: int, batch: int) -> tuple[float, float, float]:
    """The ratios of the times without and with the tree, wall clock and processor, and entries a second with it.

    Into two ledgers by turns, batch by batch: so whatever else the machine does slows both.
    """
    batches = [[draft(number) for number in range(start, start + batch)] for start in range(0, count, batch)]
    walls, spents = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    with ledger() as plain, ledger() as grown:
        for number, drafts in enumerate(batches):
            for with_tree in (True, False) if number % 2 else (False, True):
                left_out = nullcontext() if with_tree else patch.object(Growing, "grow", lambda *_: None)
                begun, spent = time.perf_counter(), time.process_time()
                with left_out:
                    (grown if with_tree else plain).append(drafts)
                spents[with_tree] += time.process_time() - spent
                walls[with_tree] += time.perf_counter() - begun
    return walls[False] / walls[True], spents[False] / spents[True], count / walls[True]


def publish(seconds: int) -> tuple[float, float, float]:
    """The ratios of the times without and with a checkpoint a second, wall clock and processor, and what one takes.

    What a server does once a second (find the logs that have grown; sign and store) is done whenever the appends of the
    ledger that is signed have taken another second. Its time counts as theirs.
    """
    walls, spents = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    count, number, signing = 0, 0, 0.0
    with ledger() as plain, ledger() as signed:
        checkpoints = Checkpoints(signed, new_ledger_key())
        while count < seconds:
            drafts = [draft(number + at) for at in range(SIGNED_BATCH)]
            number += SIGNED_BATCH
            for with_checkpoint in (True, False) if number // SIGNED_BATCH % 2 else (False, True):
                begun, spent = time.perf_counter(), time.process_time()
                (signed if with_checkpoint else plain).append(drafts)
                if with_checkpoint and walls[True] + time.perf_counter() - begun >= count + 1:
                    before = time.process_time()
                    for account_id in checkpoints.due():
                        checkpoints.publish(account_id)
                    signing += time.process_time() - before
                    count += 1
                spents[with_checkpoint] += time.process_time() - spent
                walls[with_checkpoint] += time.perf_counter() - begun
    return walls[False] / walls[True], spents[False] / spents[True], signing / count


def draft(number: int) -> Draft:
    """Of some 900 bytes, by one of 50 users from one of 200 addresses."""
    user = f"user{number % 50}"
    document = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper()}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{user.upper()}",
            "userName": user,
        },
        "eventTime": f"2026-01-{1 + number // 86_400 % 28:02}T{number // 3_600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{number % 200}",
        "userAgent": "aws-cli/2.15.30",
        "requestParameters": {"bucketName": f"bucket{number % 97}", "key": f"reports/{number}.csv"},
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "s3.us-east-1.amazonaws.com"},
    }
    return Draft.of(read_record(document), Origin())


@contextmanager
def ledger() -> Iterator[Log]:
    """A new one each time."""
    with tempfile.TemporaryDirectory(prefix="iam-ledger-tree-") as folder:
        log = Log(open_engine(str(Path(folder) / "ledger.db"), create=True))
        yield log
        log.engine.dispose()


if __name__ == "__main__":
    main()
