"""Go's own packages as a judge of ours: the program `judge.go`, built once a run and asked line by line."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("judge.go")
SOURCES = Path("/usr/share/gocode")  # where Debian's golang-golang-x-mod-dev puts them


class NoGo(Exception):
    """There is no Go here, or not its packages for logs."""


class Judge:
    """Answers with what is wrong, or with an empty text where nothing is."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, do: str, **told: Any) -> str:
        question = {"Do": do} | {name.capitalize(): _plain(value) for name, value in told.items()}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer.endswith("\n"), "the judge has left"
        return answer[:-1]


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Path():
            return str(value)
        case list() | tuple():
            return list(map(_plain, value))
    return value


@contextmanager
def running_judge(folder: Path) -> Iterator[Judge]:
    """Built in the folder. Raises NoGo."""
    if shutil.which("go") is None:
        raise NoGo("there is no Go; on Debian: apt-get install golang-go golang-golang-x-mod-dev")
    paths = os.pathsep.join([str(SOURCES), os.environ.get("GOPATH", "")]).strip(os.pathsep)
    if not any((Path(one) / "src/golang.org/x/mod/sumdb/tlog").is_dir() for one in paths.split(os.pathsep)):
        raise NoGo("Go lacks golang.org/x/mod; on Debian: apt-get install golang-golang-x-mod-dev")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": paths,
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    program = folder / "judge"
    built = subprocess.run(
        ["go", "build", "-o", str(program), str(PROGRAM)], env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    with subprocess.Popen(
        [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Judge(process)
        finally:
            process.kill()
