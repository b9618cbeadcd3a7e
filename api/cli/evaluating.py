"""`evaluate`: the bare engine on cases, a line in, a line out; no ledger is opened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from api.cli.exits import Exit, Failed, end, say
from api.cli.printing import print_ndjson

STDIN = "-"
LINE_BYTES_MAX = 16 << 20


class LineFormat(StrEnum):
    ndjson = "ndjson"


def add_to(app: typer.Typer) -> None:
    app.command()(evaluate)


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE|-]…", help="One case a line; standard input if left out."),
    ] = None,
    format: Annotated[LineFormat, typer.Option("--format", help="One answer a line.")] = LineFormat.ndjson,
) -> None:
    """Decide cases of your own, a JSON object a line: for tests of policies, without any ledger."""
    from ledger.policy.cases import NotACase, evaluate_case, read_case

    total = wrong = 0
    for where, line in _lines(files or [STDIN]):
        total += 1
        try:
            if line is None:
                raise NotACase(f"the line is longer than {LINE_BYTES_MAX} bytes")
            told = evaluate_case(read_case(line))
        except NotACase as error:
            wrong += 1
            told = {"error": f"{where}: {error}"}
        _print(told)
    if wrong:
        say(f"{wrong} of {total} lines are no cases")
        end(Exit.NOT_ALL)


def _print(told: dict[str, Any]) -> None:
    """At once: whoever feeds us by a pipe may be waiting for the answer before the next question."""
    print_ndjson([told])
    sys.stdout.buffer.flush()


def _lines(files: list[str]) -> Iterator[tuple[str, bytes | None]]:
    """Every line with where it stands; None for one that is too long."""
    with ExitStack() as stack:
        # All of them are opened before the first is read: a name that is mistyped should be told before any answer.
        opened = [(name, _opened(name, stack)) for name in files]
        for name, stream in opened:
            before = "" if name == STDIN else f"{name} "
            number = 0
            while line := stream.readline(LINE_BYTES_MAX + 1):
                number += 1
                whole = len(line) <= LINE_BYTES_MAX or line.endswith(b"\n")
                yield f"{before}line {number}", line if whole else None
                while not whole:
                    rest = stream.readline(LINE_BYTES_MAX)
                    whole = not rest or rest.endswith(b"\n")


def _opened(name: str, stack: ExitStack) -> BinaryIO:
    if name == STDIN:
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Failed(f"cannot read {name!r}: {reason}", Exit.UNAVAILABLE) from error
