"""Entries as a CSV table (RFC 4180) that a spreadsheet can open and that nobody can hide a formula in.

A spreadsheet runs a cell that begins with `=` and the like, and most of what a record holds was chosen by the
caller. So such a cell gets an apostrophe in front (OWASP, CSV injection); `ndjson` has the text as it was.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ledger.entry import Entry
from ledger.record import canonical
from projections.lines import line

OF_LINE: Final = (
    "time",
    "account",
    "position",
    "eventID",
    "actor",
    "actorType",
    "principal",
    "accessKey",
    "action",
    "outcome",
    "error",
    "errorMessage",
    "readOnly",
    "resources",
    "region",
    "sourceIP",
    "userAgent",
    "recordedAt",
)
OF_RECORD: Final = ("requestParameters", "responseElements", "additionalEventData")
COLUMNS: Final = OF_LINE + OF_RECORD

_FORMULA: Final = frozenset("=+-@\N{MINUS SIGN}")
_CUTS: Final = ("\t", "\r", "\n")  # some readers begin a new cell after one


def csv_table(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The header and one row an entry, in UTF-8. Lists are parted by blanks, objects are JSON text."""
    writer: Any = csv.writer(_Rows(), lineterminator="\r\n")  # writerow returns what `write` returns
    yield writer.writerow(COLUMNS)
    for entry in entries:
        told = line(entry)
        record = told["record"]
        cells = [_text(told[name]) for name in OF_LINE] + [_json(record.get(name)) for name in OF_RECORD]
        yield writer.writerow([neutralised(cell) for cell in cells])


def neutralised(cell: str) -> str:
    """The cell, with an apostrophe in front if a spreadsheet might take it for a formula.

    Also where white space or something invisible stands before the sign, and where the sign is full-width.
    """
    if cell.startswith(_CUTS):
        return "'" + cell
    for sign in cell:
        if not (sign.isspace() or unicodedata.category(sign).startswith("C")):
            return "'" + cell if unicodedata.normalize("NFKC", sign) in _FORMULA else cell
    return cell


class _Rows:
    """Where csv.writer writes to: gives each row back."""

    def write(self, row: str) -> bytes:
        return row.encode()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return "" if value is None else canonical(value).decode()
