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
    """Where `init` puts a key that it makes: beside an SQLite file, else in the working directory."""
    if "://" in url and not url.startswith("sqlite"):
        return Path("iam-ledger.key")
    name = url.removeprefix("sqlite:///")
    return Path(f"{name}.key")
