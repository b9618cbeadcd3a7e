"""How long it takes to verify a signature, against recomputing it with botocore.

    python benchmarks/signature.py [--requests 2000] [--rounds 5]

Requests of the AWS CLI's kind, each with another body; ours reads the raw request and checks it with the key derived
before, as a server does; botocore signs the same request again. Prints microseconds of processor time a request, the
median of the rounds, and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for tests.api

from api.aws.signature import check, read_signature  # noqa: E402
from tests.api.signing import HOST, KEY_ID, SECRET, Wish, signed  # noqa: E402

HEADERS = (
    ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
    ("User-Agent", "aws-cli/2.15.30 Python/3.11.8 Linux/6.1 exe/x86_64 prompt/off command/iam.list-users"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5, help="the median is told")
    told = parser.parse_args()
    bodies = [
        f"Action=GetUser&Version=2010-05-08&UserName=user-{number}".encode()
        for number in range(told.requests)
    ]
    requests = [signed(Wish(body=body, headers=HEADERS)) for body in bodies]

    def ours() -> None:
        now = time.time()
        for request in requests:
            check(read_signature(request, service="iam", now=now), SECRET)

    def theirs() -> None:
        signer = SigV4Auth(Credentials(KEY_ID, SECRET), "iam", "us-east-1")
        for body in bodies:
            request = AWSRequest("POST", f"http://{HOST}/", data=body, headers=dict(HEADERS))
            signer.add_auth(request)

    mine, peer = (median_us(run, told.rounds) / told.requests for run in (ours, theirs))
    print(f"verified: {mine:.1f} us, botocore signs again: {peer:.1f} us, ratio {mine / peer:.2f}")


def median_us(run: Callable[[], None], rounds: int) -> float:
    run()
    measured = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        measured.append((time.process_time() - began) * 1e6)
    return statistics.median(measured)


if __name__ == "__main__":
    main()
