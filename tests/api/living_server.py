"""A ledger with an authority behind a real HTTP server, and accounts in it for whoever asks."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from api.app import make_guarded_app
from api.aws.answers.reading import authority_over
from api.aws.s3 import s3_decisions
from api.connections import server_of
from ledger.authority.authority import Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.checkpoint import new_ledger_key
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.notes import Signer
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.passwords import hash_password
from ledger.vault.store import Vault
from ledger.witness.fence import Fence
from ledger.witness.witnesses import Witness
from projections.export.bucket import FolderBucket
from projections.investigation import Investigation

HERE = Surroundings("127.0.0.1", "test", "00000000-0000-4000-8000-000000000000")
PASSWORD = "correct horse battery staple"
HASH = hash_password(PASSWORD)


@dataclass(frozen=True)
class Account:
    """`client("iam")` acts as root, until it is given another's credentials."""

    server: "LivingServer"
    id: str
    key: dict[str, str]

    def client(self, service: str, credentials: dict[str, str] | None = None, **config: Any) -> Any:
        key = credentials or self.key
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(retries={"max_attempts": 0}, **config),
        )

    def records(self) -> list[dict[str, Any]]:
        return [entry.document for entry in self.server.log.read(self.id)]


class LivingServer:
    def __init__(
        self,
        database_url: str,
        vault_key: str | None = None,
        *,
        delivered: Path | None = None,
        checkpoint_key: Signer | None = None,
        witnesses: Sequence[Witness] = (),
    ) -> None:
        self.database_url, self.vault_key = database_url, vault_key or new_key()
        self.log = Log(open_engine(database_url, create=True))
        self.vault = Vault(self.log.engine, Keyring(self.vault_key))
        self.investigation = Investigation(Log(self.log.engine))
        folder = None if delivered is None else FolderBucket(delivered)
        self.checkpoints = Checkpoints(self.log, checkpoint_key or new_ledger_key("tested"))
        self.authority = authority_over(
            self.investigation,
            self.vault,
            s3_decisions(self.investigation.log, folder),
            may_write=Fence(self.log, self.checkpoints, witnesses).check,
        )
        app = make_guarded_app(self.investigation, self.authority, checkpoints=self.checkpoints)
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._ear.getsockname()[1]}"
        self._server = server_of(app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._ear]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self._numbers = count(100_000_000_001)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self.authority.close()
        self.log.engine.dispose()

    def new_account(self) -> Account:
        number = str(next(self._numbers))
        begin(self.authority.turns, number, email="root@example.com", password_hash=HASH, around=HERE)
        root = Bearer(caller_of(f"arn:aws:iam::{number}:root"))
        told = self.authority.call(Request(number, "iam:CreateAccessKey", {}, HERE, None, by=root))
        assert told.refusal is None
        return Account(self, number, told.output["AccessKey"])


@contextmanager
def living_server(database_url: str, delivered: Path | None = None) -> Iterator[LivingServer]:
    """`delivered` is the folder that S3's reads are answered from."""
    server = LivingServer(database_url, delivered=delivered)
    try:
        yield server
    finally:
        server.close()
