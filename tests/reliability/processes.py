"""Processes that are to be killed. They are forked from one that has everything loaded, so a start costs no imports."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

import uvicorn  # noqa: F401 - loaded once for all servers

import ledger.authority.sign_in  # noqa: F401
from api.cli.main import run
from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, Keyring, new_key
from ledger.vault.store import Vault

ACCOUNT = "111122223333"
HERE = Surroundings("127.0.0.1", "reliability", "00000000-0000-4000-8000-000000000000")
ROOT = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))
TOKEN = "a-token-for-the-trials"
START_SECONDS_MAX = 60


def forking() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def started(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    process = forking().Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


@contextmanager
def authority_at(url: str, key: str) -> Iterator[Authority]:
    engine = open_engine(url, create=True)
    authority = Authority(Log(engine), Vault(engine, Keyring(key)))
    try:
        yield authority
    finally:
        authority.close()
        engine.dispose()


def new_ledger(url: str) -> tuple[str, dict[str, str]]:
    """A ledger with an account: the key of its vault, and an access key of root."""
    key = new_key()
    with authority_at(url, key) as authority:
        begin(authority.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)
        made = authority.call(Request(ACCOUNT, "iam:CreateAccessKey", {}, HERE, None, by=ROOT))
    return key, made.output["AccessKey"]


def serve(url: str, key: str, port: int, file_bytes_max: int | None = None) -> None:
    """`iam-ledger serve`, in this process; with `file_bytes_max`, no file of it may grow beyond that."""
    os.environ[KEY_VARIABLE] = key
    os.environ.pop(KEY_FILE_VARIABLE, None)
    os.environ["IAM_LEDGER_TOKEN"] = TOKEN
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if file_bytes_max is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))
    sys.exit(run(["--db", url, "serve", "--port", str(port)]))


def answering(process: ForkServerProcess, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.exitcode is not None:
            raise RuntimeError(f"the server ended with {process.exitcode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the server did not answer")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        port: int = ear.getsockname()[1]
        return port


def kill(process: ForkServerProcess) -> None:
    """SIGKILL, and wait until it is gone."""
    process.kill()
    process.join()
