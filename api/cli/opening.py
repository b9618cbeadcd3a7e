"""From a command's context to the ledger that it asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ledger.log import Log
    from ledger.log.checkpoints import Checkpoints
    from ledger.notes import Signer
    from ledger.vault.keys import Keyring
    from projections.investigation import Investigation


@contextmanager
def opened_log(url: str, *, create: bool = False) -> Iterator[Log]:
    """The log at a URL; raises LedgerUnavailable."""
    from ledger.log import Log, open_engine

    engine = open_engine(url, create=create)
    try:
        yield Log(engine)
    finally:
        engine.dispose()


@contextmanager
def investigation(context: typer.Context) -> Iterator[Investigation]:
    """The questions of the ledger that --db names, asked by somebody who waits and is shown that there is work."""
    from api.cli.waiting import Waiting
    from projections.investigation import Investigation

    waiting = Waiting()
    with opened_log(context.obj) as log:
        try:
            yield Investigation(log, waiting)
        finally:
            waiting.end()


def keyring_of_ledger(url: str) -> Keyring:
    """The keys of the vault: from the environment, or else from the file beside the ledger. Raises NoVaultKey."""
    from ledger.vault.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, Keyring, keyring_of, read_key_file

    if os.environ.get(KEY_VARIABLE) or os.environ.get(KEY_FILE_VARIABLE) or not key_file_of(url).exists():
        return keyring_of(os.environ)
    return Keyring(read_key_file(key_file_of(url)))


def key_file_of(url: str) -> Path:
    """Where `init` puts a key that it makes."""
    return _beside_ledger(url, "key")


def checkpoints_of_ledger(url: str, log: Log) -> Checkpoints:
    """The signed heads of the ledger's logs, with its key where there is one. Raises NoCheckpointKey where it is unusable."""
    from ledger.log.checkpoints import Checkpoints

    return Checkpoints(log, checkpoint_key_of_ledger(url))


def checkpoint_key_of_ledger(url: str) -> Signer | None:
    """The key that signs checkpoints; None where there is none. Raises NoCheckpointKey where it can't be used."""
    from ledger.checkpoint import ledger_key_of

    file = checkpoint_key_file_of(url)
    return ledger_key_of(file) if file.exists() or _names_checkpoint_key() else None


def checkpoint_key_file_of(url: str) -> Path:
    """The file that the environment names, or else the one beside the ledger."""
    named = _names_checkpoint_key()
    return Path(named) if named else _beside_ledger(url, "checkpoint.key")


def _names_checkpoint_key() -> str | None:
    from ledger.checkpoint import KEY_FILE_VARIABLE

    return os.environ.get(KEY_FILE_VARIABLE)


def _beside_ledger(url: str, ending: str) -> Path:
    """Beside an SQLite file, else in the working directory."""
    if "://" in url and not url.startswith("sqlite"):
        return Path(f"iam-ledger.{ending}")
    name = url.removeprefix("sqlite:///")
    return Path(f"{name}.{ending}")
