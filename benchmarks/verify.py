"""How fast a log is verified, beside reading the same entries and hashing their bodies.

    python benchmarks/verify.py [--entries 50000] [--rounds 3] [--db URL]

The peer reads every entry from the same log and hashes salt and body with hashlib, and does nothing else: no leaf, no tree,
no column, no name. Both run by turns in one process; times are processor times, peaks are of the Python heap in a run of
its own. The ratio is peer by product: 1 would be verification for nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.tree import draft, ledger  # noqa: E402
from ledger.collector import collecting_seldom  # noqa: E402
from ledger.entry import body_bytes  # noqa: E402
from ledger.log import Log, open_engine  # noqa: E402
from ledger.record import canonical  # noqa: E402
from ledger.verification.verification import verify_log  # noqa: E402

BATCH = 2_000


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--entries", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--db", help="a ledger that is there, instead of one made for this")
    given = options.parse_args()
    if given.db is not None:
        with collecting_seldom():
            compare(Log(open_engine(given.db)), given.rounds)
        return
    with ledger() as log, collecting_seldom():  # as every command does
        for start in range(0, given.entries, BATCH):
            log.append([draft(number) for number in range(start, min(start + BATCH, given.entries))])
        compare(log, given.rounds)


def compare(log: Log, rounds: int) -> None:
    entries = sum(map(log.size, log.account_ids()))
    peer, product, ratios = [], [], []
    for _ in range(rounds):
        peer.append(taken(lambda: read_and_hash(log)))
        product.append(taken(lambda: verify(log)))
        ratios.append(peer[-1] / product[-1])
    print(
        f"{entries:,} entries: verified {entries / median(product):,.0f} a second, "
        f"read and hashed {entries / median(peer):,.0f}; "
        f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(f"peak of the Python heap: {peak(lambda: verify(log)) / 2**20:.1f} MiB")


def read_and_hash(log: Log) -> None:
    again = Log(log.engine)
    for account_id in again.account_ids():
        for entry in again.read(account_id):
            body = body_bytes(canonical(entry.document), entry.origin.to_bytes(), entry.authorization)
            sha256(entry.salt + body).digest()


def verify(log: Log) -> None:
    again = Log(log.engine)
    found = verify_log(again, again.account_ids())
    if found.differing:
        raise SystemExit(f"the log differs: {found.first}")


def taken(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def peak(work: Callable[[], None]) -> int:
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


if __name__ == "__main__":
    main()
