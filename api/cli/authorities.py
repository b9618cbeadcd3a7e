"""`init`: an account begins. `serve` then lets the aws CLI and the SDKs manage it."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.exits import Exit, Failed, say
from api.cli.opening import key_file_of, keyring_of_ledger
from api.cli.witnesses import written_log

if TYPE_CHECKING:
    from ledger.authority.authority import Authority
    from ledger.authority.recording import Surroundings
    from ledger.log import Log

PASSWORD_VARIABLE = "IAM_LEDGER_ROOT_PASSWORD"
PASSWORD_BYTES = 18
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


def add_to(app: typer.Typer) -> None:
    app.command()(init)


def init(
    context: typer.Context,
    email: Annotated[
        str, typer.Option(help="Root's e-mail address.", metavar="ADDRESS")
    ] = "root@example.com",
    account: Annotated[
        str | None,
        typer.Option(help="Its number, of 12 digits; a random one if not given.", metavar="NUMBER"),
    ] = None,
    root_key: Annotated[
        bool, typer.Option("--root-key", help="Also make an access key of root, and print it this once.")
    ] = False,
) -> None:
    """Make an account with its root: e-mail address, password, and an access key only where it is asked for.

    The password is taken from IAM_LEDGER_ROOT_PASSWORD, or asked for; where nobody can be asked, one is made and shown.
    """
    if not _EMAIL.fullmatch(email):
        raise Failed(f"--email: {email!r} is no e-mail address")
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise Failed(f"--account: {account!r} is no number of 12 digits")
    password, made = _password()
    from ledger.authority.authority import Authority
    from ledger.authority.beginning import AlreadyThere, begin
    from ledger.authority.recording import Surroundings
    from ledger.vault.passwords import hash_password
    from ledger.vault.store import Vault

    key_file = _make_key_if_needed(context.obj)
    keyring = keyring_of_ledger(context.obj)
    with written_log(context.obj, create=True) as log:
        number = account or _free_number(log)
        authority = Authority(log, Vault(log.engine, keyring))
        around = Surroundings("127.0.0.1", "iam-ledger", secrets.token_hex(16), secure=True)
        try:
            begin(authority.turns, number, email=email, password_hash=hash_password(password), around=around)
            key = _key_of_root(authority, number, around) if root_key else None
        except AlreadyThere as error:
            raise Failed(f"{error}; `init` makes new accounts only", Exit.NOT_ALL) from error
        finally:
            authority.close()
    print(f"account: {number}")
    print(f"root: {email}")
    if made:
        print(f"password: {password}")
    if key is not None:
        print(f"AWS_ACCESS_KEY_ID={key['AccessKeyId']}")
        print(f"AWS_SECRET_ACCESS_KEY={key['SecretAccessKey']}")
    if key_file is not None:
        say(
            f"made the vault's key, {key_file}: without it no secret of this ledger can be read; keep a copy elsewhere"
        )


def _password() -> tuple[str, bool]:
    """Root's password, and whether it was made here, so that it has to be shown."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given, False
    if sys.stdin.isatty():
        return typer.prompt("Password of root", hide_input=True, confirmation_prompt=True), False
    return secrets.token_urlsafe(PASSWORD_BYTES), True


def _make_key_if_needed(url: str) -> Path | None:
    """Make the vault's key where none is configured, and say where it is."""
    from ledger.vault.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, new_key

    file = key_file_of(url)
    if os.environ.get(KEY_VARIABLE) or os.environ.get(KEY_FILE_VARIABLE) or file.exists():
        return None
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failed(f"cannot write {file}: {error.strerror}", Exit.UNAVAILABLE) from error
    with os.fdopen(handle, "w") as opened:
        print(new_key(), file=opened)
    return file


def _free_number(log: Log) -> str:
    there = set(log.account_ids())
    while (number := f"{secrets.randbelow(10**12):012}") in there or number.startswith("0"):
        continue
    return number


def _key_of_root(authority: Authority, number: str, around: Surroundings) -> dict[str, str]:
    from ledger.authority.authority import Request
    from ledger.iam.deciding import Bearer
    from ledger.policy.request import caller_of

    by = Bearer(caller_of(f"arn:aws:iam::{number}:root"))
    told = authority.call(Request(number, "iam:CreateAccessKey", {}, around, None, by=by))
    if told.refusal is not None:
        raise Failed(told.refusal.message)
    found: dict[str, str] = told.output["AccessKey"]
    return found
