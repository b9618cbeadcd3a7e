"""`vault`: its keys, and the seeds of hardware tokens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.exits import Exit, Failed
from api.cli.opening import opened_log
from api.cli.printing import counted, show
from api.cli.witnesses import written_log

if TYPE_CHECKING:
    from ledger.log import Log
    from ledger.vault.store import Vault

SEED_CHARACTERS_MAX = 1_024

room = typer.Typer(
    name="vault", no_args_is_help=True, help="The secrets: their keys, and seeds of hardware tokens."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)


@room.command("new-key")
def new_key(
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write it there, for its owner alone, instead.", metavar="FILE"),
    ] = None,
) -> None:
    """Make a key for the vault, and print it."""
    from ledger.vault import keys

    if file is None:
        show(keys.new_key())
        return
    try:
        keys.write_key_file(file)
    except OSError as error:
        raise Failed(f"cannot write {file}: {error.strerror}", Exit.UNAVAILABLE) from error


@room.command()
def rotate(context: typer.Context) -> None:
    """Seal every secret with the first of the keys; the others are then needed no longer. Entries say so."""
    import getpass

    from ledger.vault.rotation import rotate as rotated

    with written_log(context.obj) as log:
        count = rotated(log, _vault(log), by=getpass.getuser())
    show(f"{counted(count, 'secret')} sealed anew")


@room.command("add-token")
def add_token(
    context: typer.Context,
    serial: Annotated[str, typer.Argument(help="The number on the device.")],
    account: Annotated[
        str | None,
        typer.Option("--account", help="Whose it is; may be left out if there is one.", metavar="ID"),
    ] = None,
) -> None:
    """Take a hardware token's seed, Base32 on standard input, so that its codes are known."""
    from api.asking import check_account
    from ledger.iam.deciding import Keep, SecretKind
    from ledger.vault.codes import is_seed

    if account is not None:
        check_account(account)
    seed = "".join(sys.stdin.read(SEED_CHARACTERS_MAX).split()).upper().rstrip("=")
    if not is_seed(seed):
        raise Failed("standard input has no seed: Base32 of 80 bits or more is asked for")
    with opened_log(context.obj) as log:
        vault, owner = _vault(log), account or _only_account(log)
        with log.engine.execution_options(writes=True).begin() as connection:
            vault.apply(connection, owner, [Keep(SecretKind.TOTP_SEED, serial, seed)])
    show(f"the seed of {serial} is kept for account {owner}")


def _vault(log: Log) -> Vault:
    from ledger.vault.keys import keyring_of
    from ledger.vault.store import Vault

    return Vault(log.engine, keyring_of(os.environ))


def _only_account(log: Log) -> str:
    found = log.account_ids()
    if len(found) != 1:
        raise Failed("whose token is it? --account says so")
    return found[0]
