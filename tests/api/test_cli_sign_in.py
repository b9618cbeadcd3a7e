"""`iam-ledger sign-in`: to the ledger itself and to a served one; the credential printed, exported, or kept as a profile."""

import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from api.cli import signing_in
from api.cli.authorities import PASSWORD_VARIABLE as ROOT_PASSWORD_VARIABLE
from api.cli.signing_in import NEW_PASSWORD_VARIABLE, PASSWORD_VARIABLE
from tests.api.conftest import Command
from tests.api.living_server import PASSWORD, LivingServer, living_server

ROOT = "root@example.com"
NEW = "Another-password-2"
NUMBER = "111122223333"


@pytest.fixture
def ledger(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "ledger.db"
    monkeypatch.setenv(ROOT_PASSWORD_VARIABLE, PASSWORD)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    assert command("--db", file, "init", "--account", NUMBER).code == 0
    return file


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LivingServer]:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with living_server(str(tmp_path / "served.db")) as running:
        yield running


def test_the_credential_is_that_of_a_credential_process(command: Command, ledger: Path) -> None:
    told = command("--db", ledger, "sign-in", "--account", NUMBER, "--root", ROOT).json
    assert told.keys() == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert told["Version"] == 1
    (line,) = command("--db", ledger, "events", "--action", "ConsoleLogin", "--format", "ndjson").lines
    assert line["record"]["responseElements"]["credentials"]["accessKeyId"] == told["AccessKeyId"]


def test_or_lines_for_a_shell(command: Command, ledger: Path) -> None:
    told = command("--db", ledger, "sign-in", "--account", NUMBER, "--root", ROOT, "--format", "env").text
    names = [line.removeprefix("export ").partition("=")[0] for line in told.splitlines()]
    assert names == [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ]


def test_or_a_profile_beside_those_that_are_there(
    command: Command, server: LivingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, file = server.new_account(), tmp_path / "aws" / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.parent.mkdir()
    file.write_text("# mine\n[other]\naws_access_key_id = X\n[root]\nold = 1\n[last]\na = b\n")
    words = (
        "sign-in",
        "--account",
        account.id,
        "--root",
        ROOT,
        "--endpoint",
        server.url,
        "--profile",
        "root",
    )
    for _ in range(2):
        told = command(*words)
        assert (told.code, told.out) == (0, b"")
    written = file.read_text()
    kept, _, ours = written.partition("[root]\n")
    assert kept == "# mine\n[other]\naws_access_key_id = X\n[last]\na = b\n\n"
    assert [line.partition(" = ")[0] for line in ours.splitlines()] == [
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "region",
        "endpoint_url",
    ]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_wrong_password_is_one_line(
    command: Command, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    told = command("--db", ledger, "sign-in", "--account", NUMBER, "--root", ROOT)
    assert (told.code, told.out) == (1, b"")
    assert told.err == "iam-ledger: Your authentication information is incorrect. Please try again.\n"


def test_the_code_is_asked_for_where_it_is_needed(
    command: Command, server: LivingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server.new_account()
    iam = account.client("iam")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="root")["VirtualMFADevice"]
    device = pyotp.TOTP(made["Base32StringSeed"].decode())
    now = int(time.time())
    iam.enable_mfa_device(
        UserName="root",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=device.at(now - 60),
        AuthenticationCode2=device.at(now - 30),
    )
    words = ("sign-in", "--account", account.id, "--root", ROOT, "--endpoint", server.url)
    told = command(*words)
    assert told.code == 2
    assert told.err == f"iam-ledger: nobody can be asked for: Code of {made['SerialNumber']}; use --code\n"
    asked: list[str] = []

    def typed(prompt: str, otherwise: str, *, twice: bool = False) -> str:
        asked.append(prompt)
        return device.at(now)

    monkeypatch.setattr(signing_in, "_asked", typed)
    assert command(*words).json["AccessKeyId"].startswith("ASIA")
    assert asked == [f"Code of {made['SerialNumber']}"]
    assert command(*words, "--code", device.at(now + 30)).code == 0


@pytest.mark.parametrize("over_http", [False, True])
def test_the_password_is_changed(
    command: Command, server: LivingServer, ledger: Path, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    number = server.new_account().id if over_http else NUMBER
    words = ["--db", str(ledger), "sign-in", "--account", number, "--root", ROOT]
    words += ["--endpoint", server.url] if over_http else []
    monkeypatch.setenv(NEW_PASSWORD_VARIABLE, "short")
    told = command(*words, "--new-password")
    assert (told.code, told.err) == (1, "iam-ledger: Password should have a minimum length of 8\n")
    monkeypatch.setenv(NEW_PASSWORD_VARIABLE, NEW)
    assert command(*words, "--new-password").code == 0
    assert command(*words).code == 1
    monkeypatch.setenv(PASSWORD_VARIABLE, NEW)
    assert command(*words).code == 0


@pytest.mark.parametrize(
    "words, says",
    [
        ((), "say who signs in: --user NAME, or --root ADDRESS"),
        (("--user", "a", "--root", ROOT), "say who signs in: --user NAME, or --root ADDRESS"),
        (("--user", "a", "--profile", "a]b"), "--profile: 'a]b' is no name of a profile"),
        (("--user", "a", "--endpoint", "ftp://x"), "--endpoint: 'ftp://x' is no URL of HTTP"),
        (
            ("--user", "a", "--endpoint", "http://ledger.example.com"),
            "--endpoint: the password would cross the network as it is; use https://ledger.example.com",
        ),
        (("--user", "a" * 65), "user: String should have at most 64 characters"),
    ],
)
def test_what_makes_no_sense_is_said(
    command: Command, ledger: Path, words: tuple[str, ...], says: str
) -> None:
    told = command("--db", ledger, "sign-in", "--account", NUMBER, *words)
    assert (told.code, told.err) == (2, f"iam-ledger: {says}\n")


def test_a_served_ledger_that_is_not_there_is_said(command: Command, ledger: Path) -> None:
    told = command("sign-in", "--account", NUMBER, "--user", "a", "--endpoint", "http://127.0.0.1:9")
    assert told.code == 3
    assert told.err.startswith("iam-ledger: http://127.0.0.1:9: ")
