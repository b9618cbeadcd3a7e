"""docs/getting-started.md, typed into a shell from its first line to its last, with the unmodified aws CLI.

`CODE` in the document stands for what an authenticator app shows; here the app is pyotp, with the seed that the document
has had written into a file.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyotp
import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "getting-started.md").read_text()
PORT = "8321"
END = "-- that was all"
STEP_SECONDS = 30
STARTED_SECONDS = 60
OF_THE_DAY = (r"20\d\d\\?-\d\d\\?-\d\d", r"\d\d:\d\d:\d\d", r"A(?:KIA|SIA|NPA)[A-Z2-7]{16,17}\b")


class Shown(NamedTuple):
    """A command of the document, with the lines that are said to follow."""

    command: str
    output: list[str]


def shown() -> Iterator[Shown]:
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL):
        commands: list[Shown] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(Shown(line.removeprefix("$ "), []))
            elif line.startswith("> ") and not commands[-1].output:
                commands[-1] = Shown(f"{commands[-1].command}\n{line.removeprefix('> ')}", [])
            else:
                commands[-1].output.append(line)
        yield from commands


def pattern_of(output: list[str]) -> str:
    """`…` is any part of a line; in a line of its own it is any lines. Times and made ids are those of another day."""
    found = ""
    for line in output:
        if line == "…":
            found += r"(?:.*\n)*?"
            continue
        line = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
        for any_such in OF_THE_DAY:
            line = re.sub(any_such, any_such.replace("\\", r"\\"), line)
        found += line + "\n"
    return found


class Codes:
    """An authenticator app in which each code is taken once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._steps: dict[str, int] = {}

    def next(self, device: str) -> str:
        """The earliest that is good and was not taken; waits for it where need be."""
        seed = (self._folder / f"{device}.seed").read_text()
        now = int(time.time()) // STEP_SECONDS
        step = max(self._steps.get(device, 0) + 1, now if device in self._steps else now - 1)
        self._steps[device] = step
        time.sleep(max(0.0, (step - 1) * STEP_SECONDS - time.time()))  # a code is good a step before its time
        return pyotp.TOTP(seed).generate_otp(step)


class Shell:
    def __init__(self, folder: Path, port: int) -> None:
        self._port = str(port)
        self._codes = Codes(folder)
        names = ("PATH", "LANG", "PYTHONPATH", "TMPDIR")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        environment |= {"HOME": str(folder), "COLUMNS": "100", "TZ": "UTC"}
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def close(self) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write("kill %1; wait\n")
        self._bash.stdin.close()
        try:
            self._bash.wait(30)
        finally:
            self._bash.kill()

    def type(self, command: str) -> str:
        """What it says, on both outputs."""
        if command == "iam-ledger serve":
            self._serve()
            return ""
        while "CODE" in command:
            command = command.replace("CODE", self._codes.next(_device(command)), 1)
        command = command.replace(PORT, self._port)
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{command}\necho; echo '{END}'\n")
        self._bash.stdin.flush()
        said = ""
        for line in self._bash.stdout:
            if line == f"{END}\n":
                return said.removesuffix("\n").replace(self._port, PORT)
            said += line
        raise AssertionError(f"the shell has ended: {said}")

    def _serve(self) -> None:
        self.type(f"iam-ledger serve --port {self._port} > served.txt 2>&1 &")
        for _ in range(STARTED_SECONDS * 10):
            try:
                socket.create_connection(("127.0.0.1", int(self._port)), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the ledger does not listen")


def _device(command: str) -> str:
    return "root" if "root" in command else "alice"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Shell(tmp_path, port)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_what_the_document_shows_is_what_is_said(shell: Shell) -> None:
    for command, output in shown():
        said = shell.type(command)
        lines = "".join(f"{line.rstrip()}\n" for line in said.splitlines())
        assert re.fullmatch(pattern_of(output), lines), f"$ {command}\n{said}"
