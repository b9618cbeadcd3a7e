"""`sign-in`: a password, and where there is a device its code, for a temporary credential that AWS's clients take."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from api.cli.exits import Exit, Failed, say
from api.cli.opening import keyring_of_ledger
from api.cli.witnesses import written_log

PASSWORD_VARIABLE = "IAM_LEDGER_PASSWORD"
NEW_PASSWORD_VARIABLE = "IAM_LEDGER_NEW_PASSWORD"
TIMEOUT_SECONDS = 60
AGENT = "iam-ledger"
REGION = "us-east-1"
_PROFILE = re.compile(r"[\w.@+-]+", re.ASCII)
_SECTION = re.compile(r"\s*\[\s*(.+?)\s*\]")


class Form(StrEnum):
    PROCESS = "process"
    ENV = "env"


class _Refused(Exception):
    def __init__(self, code: str | None, message: str, devices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.devices = code, message, devices


def add_to(app: typer.Typer) -> None:
    app.command("sign-in")(sign_in)


def sign_in(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="The account's number.", metavar="NUMBER")],
    user: Annotated[str | None, typer.Option(help="Sign in as this user.", metavar="NAME")] = None,
    root: Annotated[
        str | None, typer.Option(help="Sign in as root, by root's e-mail address.", metavar="ADDRESS")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="The MFA device's code; asked for where it is needed.", metavar="CODE")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Of several MFA devices the one to use.", metavar="SERIAL")
    ] = None,
    new_password: Annotated[bool, typer.Option("--new-password", help="Change the password first.")] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="A served ledger; without it, the one of --db.", metavar="URL")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="What to print: JSON for credential_process, or exports.")
    ] = Form.PROCESS,
    profile: Annotated[
        str | None,
        typer.Option(help="Print nothing, and write the credential as this AWS profile.", metavar="NAME"),
    ] = None,
) -> None:
    """Sign in with a password, as to AWS's console, for a credential of twelve hours.

    Passwords come from IAM_LEDGER_PASSWORD and IAM_LEDGER_NEW_PASSWORD, or are asked for. As `credential_process` of an
    AWS profile the command signs in whenever the aws CLI needs it.
    """
    if (user is None) == (root is None):
        raise Failed("say who signs in: --user NAME, or --root ADDRESS")
    if profile is not None and not _PROFILE.fullmatch(profile):
        raise Failed(f"--profile: {profile!r} is no name of a profile")
    claim: dict[str, Any] = {"account": account, "password": _secret(PASSWORD_VARIABLE, "Password")}
    claim |= {"user": user} if root is None else {"email": root}
    if new_password:
        claim["newPassword"] = _secret(NEW_PASSWORD_VARIABLE, "New password", twice=True)
    if code is not None:
        claim["mfaCode"] = code
    if device is not None:
        claim["mfaSerial"] = device
    issued = _ask(context.obj, endpoint, claim)
    if profile is not None:
        say(f"wrote profile {profile} to {_write_profile(profile, issued, endpoint)}")
    elif form is Form.ENV:
        for name, value in _variables(issued, endpoint).items():
            print(f"export {name}={value}")
    else:
        import orjson

        print(orjson.dumps({"Version": 1, **issued}).decode())


def _secret(variable: str, prompt: str, *, twice: bool = False) -> str:
    given = os.environ.get(variable)
    if given:
        return given
    return _asked(prompt, variable, twice=twice)


def _asked(prompt: str, otherwise: str, *, twice: bool = False) -> str:
    """Typed, unseen: at the terminal itself, for a credential_process has its output read."""
    if not sys.stdin.isatty():
        raise Failed(f"nobody can be asked for: {prompt}; use {otherwise}")
    found: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    return found


def _ask(db: str, endpoint: str | None, claim: dict[str, Any]) -> dict[str, Any]:
    """Sign in; where only a code was missing, with one that is asked for, or a device."""
    try:
        return _signed_in(db, endpoint, claim)
    except _Refused as refusal:
        if refusal.code != "MfaCodeRequired":
            raise _failed(refusal) from refusal
        claim = dict(claim)
        if "mfaSerial" not in claim and len(refusal.devices) > 1:
            raise Failed(f"say with --device which one: {', '.join(refusal.devices)}") from refusal
        claim["mfaCode"] = _asked(f"Code of {refusal.devices[0]}", "--code")
    try:
        return _signed_in(db, endpoint, claim)
    except _Refused as refusal:
        raise _failed(refusal) from refusal


def _failed(refusal: _Refused) -> Failed:
    hint = " Use --new-password." if refusal.code in ("PasswordResetRequired", "PasswordExpired") else ""
    return Failed(f"{refusal.message}{hint}", Exit.NOT_ALL)


def _signed_in(db: str, endpoint: str | None, claim: Mapping[str, Any]) -> dict[str, Any]:
    return _over_http(endpoint, claim) if endpoint is not None else _directly(db, claim)


def _over_http(endpoint: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    import orjson

    _check_endpoint(endpoint)
    path = "/v1/sign-in/password" if "newPassword" in claim else "/v1/sign-in"
    headers = {"Content-Type": "application/json", "User-Agent": AGENT}
    request = Request(endpoint.rstrip("/") + path, orjson.dumps(claim), headers, method="POST")
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            found: dict[str, Any] = orjson.loads(answer.read())
            return found
    except HTTPError as error:
        try:
            told = orjson.loads(error.read())
            raise _Refused(told.get("code"), str(told["detail"]), tuple(told.get("devices", ()))) from error
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            raise Failed(f"{endpoint} answers {error.code} and is no ledger", Exit.UNAVAILABLE) from error
    except (URLError, HTTPException, OSError, orjson.JSONDecodeError) as error:
        raise Failed(f"{endpoint}: {error}", Exit.UNAVAILABLE) from error


def _check_endpoint(endpoint: str) -> None:
    """A password is sent only over TLS, or on this machine."""
    from api.cli.listening import is_loopback

    try:
        told = urlsplit(endpoint)
        host = told.hostname
    except ValueError as error:
        raise Failed(f"--endpoint: {endpoint!r} is no URL") from error
    if told.scheme not in ("http", "https") or host is None:
        raise Failed(f"--endpoint: {endpoint!r} is no URL of HTTP")
    if told.scheme == "http" and not is_loopback(host):
        raise Failed(f"--endpoint: the password would cross the network as it is; use https://{host}")


def _directly(db: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    from pydantic import ValidationError

    from api.sign_in import Claim, NewPassword, attempt_of, credential
    from ledger.authority.authority import Authority
    from ledger.authority.recording import Surroundings
    from ledger.authority.sign_in import NotSignedIn, SignIn
    from ledger.authority.turns import Unavailable
    from ledger.iam.refusals import Refusal
    from ledger.log import Log
    from ledger.vault.attempts import TooManyAttempts
    from ledger.vault.store import Vault

    try:
        read = (NewPassword if "newPassword" in claim else Claim).model_validate(dict(claim))
    except ValidationError as error:
        one = error.errors()[0]
        raise Failed(f"{'.'.join(map(str, one['loc']))}: {one['msg']}") from None
    around = Surroundings("127.0.0.1", AGENT, secrets.token_hex(16), secure=True)
    attempt = attempt_of(read, around, AGENT)
    with written_log(db) as log:
        authority = Authority(log, Vault(log.engine, keyring_of_ledger(db)))
        door = SignIn(Log(log.engine), authority)
        try:
            if isinstance(read, NewPassword):
                return credential(door.change_password(attempt, read.newPassword.get_secret_value()))
            return credential(door.sign_in(attempt))
        except NotSignedIn as error:
            raise _Refused(error.code, error.message, error.devices) from error
        except Refusal as error:
            raise _Refused(error.code, error.message) from error
        except TooManyAttempts as error:
            raise _Refused("TooManyAttempts", str(error)) from error
        except Unavailable as error:
            raise Failed(str(error), Exit.UNAVAILABLE) from error
        finally:
            authority.close()


# ---- what is done with the credential


def _variables(issued: Mapping[str, str], endpoint: str | None) -> dict[str, str]:
    told = {
        "AWS_ACCESS_KEY_ID": issued["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": issued["SecretAccessKey"],
        "AWS_SESSION_TOKEN": issued["SessionToken"],
        "AWS_CREDENTIAL_EXPIRATION": issued["Expiration"],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,  # what boto3 and the first version of the aws CLI go by
    }
    return told if endpoint is None else told | {"AWS_ENDPOINT_URL": endpoint}


def _write_profile(name: str, issued: Mapping[str, str], endpoint: str | None) -> Path:
    """Put the profile in the file of shared credentials, in the place of one that has the name; all else stays."""
    told = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    file = Path(told).expanduser() if told else Path.home() / ".aws" / "credentials"
    lines = [
        f"[{name}]",
        f"aws_access_key_id = {issued['AccessKeyId']}",
        f"aws_secret_access_key = {issued['SecretAccessKey']}",
        f"aws_session_token = {issued['SessionToken']}",
        f"region = {REGION}",
    ]
    if endpoint is not None:
        lines.append(f"endpoint_url = {endpoint}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = file.read_text() if file.exists() else ""
        kept = _without_section(before, name).rstrip("\n")
        beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write((f"{kept}\n\n" if kept else "") + "\n".join(lines) + "\n")
        beside.replace(file.resolve())
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"cannot write {file}: {error}", Exit.UNAVAILABLE) from error
    return file


def _without_section(text: str, name: str) -> str:
    kept, ours = [], False
    for line in text.splitlines(keepends=True):
        if (found := _SECTION.match(line)) is not None:
            ours = found[1] == name
        if not ours:
            kept.append(line)
    return "".join(kept)
