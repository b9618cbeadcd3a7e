"""`iam-ledger serve` as a process of its own, over a ledger with one account: what it says, keeps and weighs."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from ledger.log import Log, open_engine
from tests.api.asking_services import signed_headers

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "api.cli.main")


@dataclass(frozen=True)
class Served:
    """`key_id` and `secret` are root's. `said` is the file that has whatever the server wrote."""

    account: str
    key_id: str
    secret: str
    port: int
    ledger: str
    said: Path
    process: "subprocess.Popen[bytes]"

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        key = credentials or {"AccessKeyId": self.key_id, "SecretAccessKey": self.secret}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def read(self, http: httpx.Client, path: str) -> httpx.Response:
        """An answer of the read API to root."""
        key = {"AccessKeyId": self.key_id, "SecretAccessKey": self.secret}
        url = f"{self.url}/v1/{path}"
        return http.get(url, headers=signed_headers(key, "GET", url, service="iam-ledger"))

    def records(self) -> list[dict[str, Any]]:
        engine = open_engine(self.ledger)
        try:
            log = Log(engine)
            return [entry.document for account in log.account_ids() for entry in log.read(account)]
        finally:
            engine.dispose()

    def run(self, *words: object) -> bytes:
        """What a command prints about the ledger."""
        return _run(self.ledger, *words)

    @property
    def held_kib(self) -> int:
        """Memory of its own that the server holds; pages of the database file that it looks at are not counted."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"RssAnon:\s+(\d+)", status)[0])


def _run(ledger: str, *words: object) -> bytes:
    command = [*COMMAND, "--db", ledger, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout


@contextmanager
def served(
    folder: Path,
    *,
    password: str | None = None,
    owned_by: str | None = None,
    served_by: str | None = None,
    **settings: str,
) -> Iterator[Served]:
    """`settings` are variables of the environment. The ledger is an SQLite file, unless URLs tell of who owns it and who serves."""
    said = folder / "said"
    ledger = served_by or str(folder / "served.sqlite")
    settings.setdefault("IAM_LEDGER_ROOT_PASSWORD", password or "a password that nobody needs")
    environment = {**os.environ, **settings}
    begun = subprocess.run(
        [*COMMAND, "--db", owned_by or ledger, "init", "--root-key"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
    account = re.findall(r"^account: (\d+)$", begun, re.MULTILINE)[0]
    key_id, secret = (re.findall(rf"^{name}=(.+)$", begun, re.MULTILINE)[0] for name in
                      ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))  # fmt: skip
    with said.open("wb") as heard:
        process = subprocess.Popen(
            [*COMMAND, "--db", ledger, "serve", "--port", "0"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=heard,
        )
        try:
            assert process.stdout is not None
            port = int(re.findall(rb":(\d+)/v1$", process.stdout.readline().strip())[0])
            _wait_for(port)
            yield Served(account, key_id, secret, port, ledger, said, process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as there:
                there.sendall(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if there.recv(1):
                    return
        except OSError:
            pass
        assert time.monotonic() < until, "the server does not answer"
        time.sleep(0.05)
