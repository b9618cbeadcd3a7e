"""Entries as the files that CloudTrail delivers, so that every tool that reads its logs can read the ledger.

`AWSLogs/<account>/CloudTrail/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<16 chars>.json.gz`,
each `{"Records":[…]}` with the records as they are kept. The time in the name is the end of the five minutes that
the file is for; the sixteen characters are the number of the file within them, then a digest of its content.

Within a second, the order of two changes is that of their positions, and an import reads files by name. So what
changes the account goes into one region's files, whatever region it was called in, and files of the same five
minutes are numbered.
"""

from __future__ import annotations

import gzip
import re
from base64 import b32encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from time import gmtime, strftime
from typing import Any, Final, NamedTuple

from ledger.entry import Entry
from ledger.record import canonical

SPAN_SECONDS: Final = 300
FILE_BYTES_MAX: Final = 16 * 1024 * 1024  # before compression; CloudTrail's own limit is 50 MB
HELD_BYTES_MAX: Final = 64 * 1024 * 1024  # of all the files that are being filled

# CloudTrail logs the calls of global services in one region of each partition.
HOME_REGIONS: Final = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
HOME_REGION: Final = "us-east-1"
NO_REGION: Final = "no-region"  # a record's region becomes a folder: only what looks like one may

_REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,12}){1,5}")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class DeliveredFile(NamedTuple):
    """A file to be: its path below the folder, with `/`, and its content."""

    path: str
    content: bytes
    entries: int


class _Place(NamedTuple):
    account_id: str
    log: str  # CloudTrail or CloudTrail-Insight
    region: str


@dataclass(slots=True)
class _Filling:
    """The records of a file that is being filled."""

    records: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, record: bytes) -> None:
        self.records.append(record)
        self.size += len(record) + 1


def delivered_files(
    entries: Iterable[Entry], *, file_bytes_max: int = FILE_BYTES_MAX, held_bytes_max: int = HELD_BYTES_MAX
) -> Iterator[DeliveredFile]:
    """The files of these entries, which must come oldest first. A larger record than fits a file is one alone."""
    span = _Span(0, file_bytes_max, held_bytes_max)
    newest = 0
    for entry in entries:
        if entry.time < newest:
            raise ValueError(f"{entry.account_id}:{entry.position} is older than the entry before it")
        newest = entry.time
        if newest // SPAN_SECONDS != span.number:
            yield from span.finished()
            span = _Span(newest // SPAN_SECONDS, file_bytes_max, held_bytes_max)
        yield from span.filled(_place_of(entry), canonical(entry.document))
    yield from span.finished()


class _Span:
    """The files of five minutes, while they are filled."""

    def __init__(self, number: int, file_bytes_max: int, held_bytes_max: int) -> None:
        self.number = number
        self._file_bytes_max = file_bytes_max
        self._held_bytes_max = held_bytes_max
        self._held = 0
        self._filling: dict[_Place, _Filling] = {}
        self._numbers: dict[_Place, int] = {}  # how many files each place has had

    def filled(self, place: _Place, record: bytes) -> Iterator[DeliveredFile]:
        """Add a record; gives what had to be closed to make room."""
        if place in self._filling and self._filling[place].size + len(record) >= self._file_bytes_max:
            yield self._closed(place)
        self._filling.setdefault(place, _Filling()).add(record)
        self._held += len(record) + 1
        while self._held > self._held_bytes_max:
            yield self._closed(max(self._filling, key=lambda each: (self._filling[each].size, each)))

    def finished(self) -> Iterator[DeliveredFile]:
        for place in sorted(self._filling):
            yield self._closed(place)

    def _closed(self, place: _Place) -> DeliveredFile:
        filling = self._filling.pop(place)
        self._held -= filling.size
        number = self._numbers.get(place, 0)
        self._numbers[place] = number + 1
        return _file(place, self.number, number, filling.records)


def _place_of(entry: Entry) -> _Place:
    document = entry.document
    region = document.get("awsRegion")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        region = NO_REGION
    if _changes_the_account(document.get("eventSource")):
        region = _home_of(region)
    log = "CloudTrail-Insight" if document.get("eventCategory") == "Insight" else "CloudTrail"
    return _Place(entry.account_id, log, region)


def _changes_the_account(event_source: Any) -> bool:
    """IAM's calls, and the ledger's own records: snapshots."""
    service = event_source.partition(".")[0] if isinstance(event_source, str) else ""
    return service in ("iam", "iam-ledger")


def _home_of(region: str) -> str:
    for partition, home in HOME_REGIONS.items():
        if region.startswith(partition):
            return home
    return HOME_REGION


def _file(place: _Place, span: int, number: int, records: list[bytes]) -> DeliveredFile:
    body = b'{"Records":[' + b",".join(records) + b"]}"
    ended = gmtime((span + 1) * SPAN_SECONDS)
    unique = _numeral(number) + b32encode(sha256(body).digest())[:12].decode()
    account_id, log, region = place
    name = f"{account_id}_{log}_{region}_{strftime('%Y%m%dT%H%MZ', ended)}_{unique}.json.gz"
    path = f"AWSLogs/{account_id}/{log}/{region}/{strftime('%Y/%m/%d', ended)}/{name}"
    return DeliveredFile(path, gzip.compress(body, compresslevel=6, mtime=0), len(records))


def _numeral(number: int) -> str:
    """Four characters that sort as the numbers do."""
    numeral = ""
    for _ in range(4):
        number, digit = divmod(number, len(_DIGITS))
        numeral = _DIGITS[digit] + numeral
    if number:
        raise ValueError("more files for five minutes than four characters can number")
    return numeral
