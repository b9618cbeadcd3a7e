"""The front door beside moto's server: the same boto3 calls, one server process each, one after the other.

    python benchmarks/authority.py --moto VENV/bin/moto_server      (pip install 'moto[server]')

Ours verifies each signature, authorizes, and has the entry on disk before it answers; moto keeps everything in memory and
asks nobody. Calls a second as one boto3 client sees them, and the ratio; more than 1 is quicker than the peer.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import boto3
from botocore.config import Config

USERS = 1_000
READS = 1_000
LISTS = 30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--moto", type=Path, help="moto's server program; without it only ours is measured")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--db", help="the ledger's database URL; a new SQLite file if not given")
    given = options.parse_args()
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder, our_server(Path(folder), given.db) as (url, key):
            measure(url, key, ours)
        if given.moto is not None:
            with moto_server(given.moto) as url:
                measure(url, ("testing", "testing"), theirs)
    for name, rates in ours.items():
        line = f"{name:32} {median(rates):8,.0f}/s"
        if name in theirs:
            peer = median(theirs[name])
            line += f"   moto {peer:8,.0f}/s   ratio {median(rates) / peer:5.2f}"
        print(line)


def measure(url: str, key: tuple[str, str], rates: dict[str, list[float]]) -> None:
    told = {
        "endpoint_url": url,
        "region_name": "us-east-1",
        "aws_access_key_id": key[0],
        "aws_secret_access_key": key[1],
        "config": Config(retries={"max_attempts": 0}),
    }
    iam, sts = boto3.client("iam", **told), boto3.client("sts", **told)
    sts.get_caller_identity()
    rated(rates, "create_user", USERS, lambda n: iam.create_user(UserName=f"user{n}"))
    rated(rates, "get_user", READS, lambda n: iam.get_user(UserName=f"user{n}"))
    rated(rates, "list_users, 1,000 users", LISTS, lambda n: iam.list_users(MaxItems=1_000))
    rated(rates, "get_caller_identity", READS, lambda n: sts.get_caller_identity())


def rated(rates: dict[str, list[float]], name: str, calls: int, call: Callable[[int], Any]) -> None:
    begun = time.perf_counter()
    for number in range(calls):
        call(number)
    rates.setdefault(name, []).append(calls / (time.perf_counter() - begun))


@contextmanager
def our_server(folder: Path, db: str | None) -> Iterator[tuple[str, tuple[str, str]]]:
    program = [sys.executable, "-m", "api.cli.main", "--db", db or str(folder / "ledger.db")]
    environment = os.environ | {"IAM_LEDGER_VAULT_KEY_FILE": "", "IAM_LEDGER_VAULT_KEY": new_key()}
    begun = subprocess.run(
        [*program, "init", "--root-key"], check=True, capture_output=True, text=True, env=environment
    )
    told = dict(line.split("=", 1) for line in begun.stdout.splitlines() if "=" in line)
    port = free_port()
    with serving([*program, "serve", "--port", str(port)], port, environment) as url:
        yield url, (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"])


@contextmanager
def moto_server(program: Path) -> Iterator[str]:
    port = free_port()
    with serving([str(program), "-H", "127.0.0.1", "-p", str(port)], port, dict(os.environ)) as url:
        yield url


@contextmanager
def serving(command: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    nowhere = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=environment)
    try:
        while True:
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        port: int = ear.getsockname()[1]
        return port


def new_key() -> str:
    from ledger.vault.keys import new_key

    return new_key()


if __name__ == "__main__":
    main()
