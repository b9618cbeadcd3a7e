"""How answers leave a command: tables for people, JSON, NDJSON and CSV for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from api.cli.exits import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

COLUMNS_MIN = 100  # where the output is no terminal
COLUMN_MIN = 12
GAP = 2


class Format(StrEnum):
    table = "table"
    json = "json"
    ndjson = "ndjson"


class ListFormat(StrEnum):
    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


Formatted = Annotated[Format, typer.Option("--format", help="For people, or for programs.")]
ListFormatted = Annotated[ListFormat, typer.Option("--format", help="For people, or for programs.")]

TIMES = ("time", "since", "first", "last", "made", "opened", "last used", "first seen", "last seen", "when")
NUMBERS = ("calls", "count", "denied", "failed", "entries", "position", "keys")
WHOLE = frozenset((*TIMES, *NUMBERS, "account", "change", "severity", "now", "credential"))  # are never cut
OUTCOMES = {"succeeded": "", "failed": "yellow", "denied": "red"}


def print_json(answer: Any) -> None:
    _write(orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def print_ndjson(answers: Iterable[Any]) -> None:
    """One line each, as they come."""
    for answer in answers:
        _write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))


def print_bytes(chunk: bytes) -> None:
    _write(chunk)


def print_json_list(name: str, answers: Iterable[Any], **beside: Any) -> None:
    """`{"name": [...]}` with a line for each answer; no more than one is held at a time."""
    _write(b'{"%s":[' % name.encode())
    for number, answer in enumerate(answers):
        _write((b",\n" if number else b"\n") + orjson.dumps(answer))
    rest = b"".join(b',"%s":%s' % (key.encode(), orjson.dumps(value)) for key, value in beside.items())
    _write(b"\n]" + rest + b"}\n")


def _write(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)


def answer(format: Format, told: Any) -> bool:
    """Print for a program, if it was a program that asked; else leave it to the caller."""
    match format:
        case Format.table:
            return False
        case Format.json:
            print_json(told)
        case Format.ndjson:
            print_ndjson(told if isinstance(told, list) else [told])
    return True


# -- for people -------------------------------------------------------------------------------------------------


def console(*, error: bool = False) -> Console:
    from rich.console import Console

    file = sys.stderr if error else sys.stdout
    told = Console(file=file, highlight=False, markup=False, emoji=False)
    if not told.is_terminal:
        told = Console(
            file=file, highlight=False, markup=False, emoji=False, width=max(told.width, COLUMNS_MIN)
        )
    return told


def show(*parts: RenderableType) -> None:
    from rich.table import Table

    told = console()
    for part in parts:
        if isinstance(part, Table) and part.show_header:
            _fit(part, told.width)
        told.print(part)


def _fit(made: Table, width: int) -> None:
    """Take what is too much from the widest columns, so that none vanishes for the sake of another."""
    from rich.measure import measure_renderables

    told = console()
    widths = [
        max(measure_renderables(told, told.options, [one]).maximum for one in (column.header, *column.cells))
        for column in made.columns
    ]
    free = width - GAP * (len(widths) - 1)
    least = [
        natural if column.header in WHOLE else min(natural, COLUMN_MIN)
        for natural, column in zip(widths, made.columns, strict=True)
    ]
    while sum(widths) > free:
        widest = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
        if widths[widest] <= least[widest]:
            return
        widths[widest] -= 1
    for column, fitted in zip(made.columns, widths, strict=True):
        column.width = fitted


def cell(value: Any, style: str = "") -> Text:
    """A value from the log as text: never markup, never a control sequence."""
    from rich.text import Text

    return Text(plain(value), style=style)


def plain(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value)
        case list() | tuple():
            return ", ".join(plain(one) for one in value) or "–"
        case _:
            return printable(str(value))


def table(*columns: str, title: str | None = None, fold: Sequence[str] = ()) -> Table:
    """A plain table. The columns in `fold` wrap, the others are cut short where there is no room."""
    from rich.table import Table

    made = Table(
        title=None if title is None else cell(title),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        header_style="bold",
    )
    for name in columns:
        made.add_column(
            name,
            overflow="fold" if name in fold else "ellipsis",
            no_wrap=name not in fold,
            justify="right" if name in NUMBERS else "left",
        )
    return made


def pairs(told: Mapping[str, Any]) -> Table:
    """Names and values, one below the other."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in told.items():
        made.add_row(name, value if isinstance(value, Text) else cell(value))
    return made


def clock(time: str | None) -> str:
    """2026-03-17T13:07:12Z as a person reads it; all times are UTC."""
    return "–" if time is None else time.replace("T", " ").removesuffix("Z")


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,200 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(name: str | None) -> str:
    """The end of an ARN by which people know it: `ci-deploy`, `LarkspurBreakGlass/ops-review`."""
    if not name:
        return "–"
    whose, slash, arn = name.partition("/arn:")
    if slash:
        return f"{whose}/{short('arn:' + arn)}"
    if name.startswith("arn:"):
        name = name.split(":", 5)[-1]
        kind, slash, rest = name.partition("/")
        if slash and kind in ("user", "role", "group", "policy", "mfa", "federated-user", "instance-profile"):
            return rest.rsplit("/", 1)[-1]
        if slash and kind == "assumed-role":
            return rest
    return name


def batched(answers: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(answers)
    while batch := list(islice(source, size)):
        yield batch
