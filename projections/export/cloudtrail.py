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
from ledger.own_records import HOME_REGION
from ledger.record import canonical

SPAN_SECONDS: Final = 300
FILE_BYTES_MAX: Final = 16 * 1024 * 1024  # before compression; CloudTrail's own limit is 50 MB
UNIQUE_CHARACTERS: Final = 16
HELD_BYTES_MAX: Final = 64 * 1024 * 1024  # of all the files that are being filled

# CloudTrail logs the calls of global services in one region of each partition.
HOME_REGIONS: Final = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
NO_REGION: Final = "no-region"  # a record's region becomes a folder: only what looks like one may

_REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,12}){1,5}")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class DeliveredFile(NamedTuple):
    """A file to be: its path below the folder, with `/`, and its content.

    `sha256` is that of the content before it was packed, in hex. Times are the records', in seconds since 1970.
    """

    path: str
    content: bytes
    entries: int
    region: str
    sha256: str
    oldest: int
    newest: int


class _Place(NamedTuple):
    account_id: str
    log: str  # CloudTrail or CloudTrail-Insight
    region: str


@dataclass(slots=True)
class _Filling:
    """The records of a file that is being filled."""

    first: int  # position
    oldest: int
    newest: int
    records: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, entry: Entry, record: bytes) -> None:
        self.records.append(record)
        self.size += len(record) + 1
        self.oldest = min(self.oldest, entry.time)
        self.newest = max(self.newest, entry.time)


def delivered_files(
    entries: Iterable[Entry], *, file_bytes_max: int = FILE_BYTES_MAX, held_bytes_max: int = HELD_BYTES_MAX
) -> Iterator[DeliveredFile]:
    """The files of these entries, which must come oldest first. A larger record than fits a file is one alone."""
    span, number = Span(0, file_bytes_max, held_bytes_max), 0
    newest = 0
    for entry in entries:
        if entry.time < newest:
            raise ValueError(f"{entry.account_id}:{entry.position} is older than the entry before it")
        newest = entry.time
        if newest // SPAN_SECONDS != number:
            yield from span.finished()
            number = newest // SPAN_SECONDS
            span = Span((number + 1) * SPAN_SECONDS, file_bytes_max, held_bytes_max)
        yield from span.filled(entry)
    yield from span.finished()


class Span:
    """The files of five minutes or less, while they are filled; `ended` is when those were over.

    The files of each place are numbered from 0; or by the position of their first entry, where what ended in the same
    minute may be several spans (`by_position`).
    """

    def __init__(
        self,
        ended: int,
        file_bytes_max: int = FILE_BYTES_MAX,
        held_bytes_max: int = HELD_BYTES_MAX,
        *,
        by_position: bool = False,
    ) -> None:
        self._ended = ended
        self._file_bytes_max = file_bytes_max
        self._held_bytes_max = held_bytes_max
        self._by_position = by_position
        self._held = 0
        self._filling: dict[_Place, _Filling] = {}
        self._numbers: dict[_Place, int] = {}  # how many files each place has had

    def filled(self, entry: Entry) -> Iterator[DeliveredFile]:
        """Add an entry; gives what had to be closed to make room."""
        place, record = _place_of(entry), canonical(entry.document)
        if place in self._filling and self._filling[place].size + len(record) >= self._file_bytes_max:
            yield self._closed(place)
        if place not in self._filling:
            self._filling[place] = _Filling(entry.position, entry.time, entry.time)
        self._filling[place].add(entry, record)
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
        numeral = _numeral(filling.first, 8) if self._by_position else _numeral(number, 4)
        return _file(place, self._ended, numeral, filling)


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


def _file(place: _Place, ended: int, numeral: str, filling: _Filling) -> DeliveredFile:
    body = b'{"Records":[' + b",".join(filling.records) + b"]}"
    digest = sha256(body)
    when = gmtime(ended)
    unique = numeral + b32encode(digest.digest())[: UNIQUE_CHARACTERS - len(numeral)].decode()
    account_id, log, region = place
    name = f"{account_id}_{log}_{region}_{strftime('%Y%m%dT%H%MZ', when)}_{unique}.json.gz"
    path = f"AWSLogs/{account_id}/{log}/{region}/{strftime('%Y/%m/%d', when)}/{name}"
    content = gzip.compress(body, compresslevel=6, mtime=0)
    return DeliveredFile(
        path, content, len(filling.records), region, digest.hexdigest(), filling.oldest, filling.newest
    )


def _numeral(number: int, characters: int) -> str:
    """So many characters that sort as the numbers do."""
    numeral = ""
    for _ in range(characters):
        number, digit = divmod(number, len(_DIGITS))
        numeral = _DIGITS[digit] + numeral
    if number:
        raise ValueError(f"more files than {characters} characters can number")
    return numeral
