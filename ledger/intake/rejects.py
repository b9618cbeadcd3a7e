"""What could not be taken in, why, and where it stands; nothing is left out silently."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import orjson

DETAIL_CHARS_MAX: Final = 500


class Reason(StrEnum):
    """Why, from a closed list."""

    NOT_FOUND = "not-found"
    UNREADABLE = "unreadable"
    CHANGED = "changed-while-reading"
    EMPTY = "empty"
    NOT_A_LOG = "not-a-log"
    DIGEST = "digest"
    CUT_SHORT = "cut-short"
    TORN = "begins-in-mid-record"
    CORRUPT = "corrupt"
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "unsupported"
    INFLATES_TOO_FAR = "inflates-too-far"
    MALFORMED = "malformed-json"
    NOT_UTF8 = "not-utf-8"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    INEXACT_NUMBER = "inexact-number"
    NOT_A_RECORD = "not-a-record"


@dataclass(frozen=True, slots=True)
class Reject:
    """One thing that was not taken in: a record, or what is left of a file.

    `reason` is a `Reason`, or one of `RecordRejected`. `detail` quotes no values, for they may be secrets.
    """

    source: str
    place: str  # "record 17", "line 3", "byte 1024"; "" for the file as a whole
    reason: str
    detail: str

    def __str__(self) -> str:
        where = f"{self.source}: {self.place}" if self.place else self.source
        return printable(f"{where}: {self.reason}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is no log and does not claim to be one: a LICENSE beside the logs, a digest."""

    source: str
    reason: Reason
    detail: str


class Damage(Exception):
    """From here on the bytes of a source are no use. Raised and caught within this package."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class RejectsFile:
    """Writes rejects as NDJSON. The file comes into being with the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: IO[bytes] | None = None

    def write(self, reject: Reject) -> None:
        if self._file is None:
            self._file = open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # noqa: SIM115
        line = {
            "file": _writable(reject.source),
            "place": reject.place,
            "reason": str(reject.reason),
            "detail": _writable(reject.detail[:DETAIL_CHARS_MAX]),
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def printable(text: str) -> str:
    """A stranger's words, for a terminal: nothing in them moves the cursor or begins a line."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _writable(text: str) -> str:
    """A file's name may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
