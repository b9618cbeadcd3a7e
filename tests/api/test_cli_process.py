"""The command as a process of its own: pipes, signals, the server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.checkpoint import Checkpoint
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.notes import unverified_text
from tests.ledger.test_every_log import ACCOUNT, draft, drafts

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "api.cli.main")


def started(*words: object, **options: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, **options.pop("environment", {})}
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def ended(*words: object, **options: Any) -> tuple[int, bytes, bytes]:
    with started(*words, **options) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_version() -> None:
    code, out, err = ended("--version")
    assert (code, err) == (0, b"")
    assert out.startswith(b"iam-ledger ")


def test_help_is_there_for_every_command() -> None:
    code, out, _ = ended("--help")
    assert code == 0
    for name in ("import", "events", "activity", "event", "state", "diff", "history", "key", "lineage"):
        assert name.encode() in out


def test_a_reader_that_stops_reading_is_no_error(incident_ledger: Path) -> None:
    words = ("--db", incident_ledger, "events", "--all", "--format", "ndjson")
    with started(*words) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_a_reader_that_stops_at_once_is_no_error(incident_ledger: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m api.cli.main --db "{incident_ledger}" events | true',
        shell=True,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_questions_are_answered_without_the_server_and_the_migrations(incident_ledger: Path) -> None:
    """They are slow to load, and a question should start in half a second."""
    code = (
        "import sys; from api.cli.main import run; "
        f"run(['--db', {str(incident_ledger)!r}, 'events', '-n', '1']); "
        "print(sorted({'fastapi', 'uvicorn', 'alembic', 'pydantic_settings', 'httpx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# serve


@contextmanager
def serving(ledger: Path, *words: object, **environment: str) -> Iterator[tuple[str, list[str]]]:
    with started("--db", ledger, "serve", "--port", 0, *words, environment=environment) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().decode().strip() for _ in range(2)]
        try:
            yield told[0].split(" answers on ")[1].removesuffix("/v1"), told
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    assert process.returncode == 0


def when_up(url: str, headers: dict[str, str]) -> httpx.Response:
    until = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url, headers=headers)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def test_serve_prints_the_token_that_it_asks_for(incident_ledger: Path) -> None:
    with serving(incident_ledger) as (url, told):
        assert url.startswith("http://127.0.0.1:")
        token = told[1].removeprefix("token: ")
        assert when_up(f"{url}/v1/accounts", {}).status_code == 401
        assert when_up(f"{url}/v1/accounts", {"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_token_of_ones_own_is_not_printed(incident_ledger: Path) -> None:
    token = "correct-horse-battery-staple"
    with serving(incident_ledger, IAM_LEDGER_TOKEN=token) as (url, told):
        assert token not in "".join(told)
        assert when_up(f"{url}/v1/accounts", {"Authorization": f"Bearer {token}"}).status_code == 200


def test_what_is_appended_while_it_serves_is_signed(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    log = Log(open_engine(str(ledger), create=True))
    log.append(drafts(300))
    assert ended("--db", ledger, "checkpoint", "new-key")[0] == 0
    signed = Checkpoints(log, None)
    with serving(ledger) as (url, told):
        token = {"Authorization": told[1].replace("token: ", "Bearer ")}
        when_up(url, {})
        for _ in range(2):  # what is there at first, and what comes later
            log.append([draft()])
            until = time.monotonic() + 30
            while ACCOUNT in signed.due():
                assert time.monotonic() < until
                time.sleep(0.05)
        stored = signed.latest(ACCOUNT)
        assert stored is not None
        assert Checkpoint.of_text(unverified_text(stored)).size == log.size(ACCOUNT)
        assert httpx.get(f"{url}/v1/log/{ACCOUNT}/checkpoint", headers=token).content == stored
        log.append([draft()])
    assert signed.due() == []  # at the end, whatever is left is signed
    log.engine.dispose()


def test_a_port_that_is_taken(incident_ledger: Path) -> None:
    with serving(incident_ledger) as (url, _):
        code, out, err = ended("--db", incident_ledger, "serve", "--port", url.rsplit(":", 1)[1])
    assert (code, out) == (3, b"")
    assert err.startswith(b"iam-ledger: cannot listen on")
    assert err.count(b"\n") == 1


# demo


@pytest.mark.slow
def test_the_demo_investigates_in_a_ledger_of_its_own(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    for _ in range(2):  # the second time over the ledger of the first
        done = subprocess.run(
            [*COMMAND, "demo", "--dir", "incident"],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "iam-ledger-demo.db").exists()
    assert (tmp_path / "incident" / "AWSLogs").is_dir()
    for told in ("ci-deploy", "203.0.113.66", "LarkspurBreakGlass", "svc-datasync", "STILL THERE"):
        assert told in done.stdout


def test_the_demo_leaves_another_ledger_alone(tmp_path: Path) -> None:
    (tmp_path / "iam-ledger-demo.db").write_text("not a ledger")
    done = subprocess.run(
        [*COMMAND, "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "stays as it is" in done.stderr
    assert (tmp_path / "iam-ledger-demo.db").read_text() == "not a ledger"
