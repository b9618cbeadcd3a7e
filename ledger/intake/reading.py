"""Reads a source from its bytes to its records: `read_source`.

A file of usual size is inflated and decoded in one go. A longer one, or one in which something is amiss, is read
piece by piece, record by record, so that what is whole in it is found and the rest is named.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeVar

import orjson

from ledger.intake.decoding import Undecodable, decode
from ledger.intake.inflate import Budget, Chunks, inflate_whole, members
from ledger.intake.limits import Limits
from ledger.intake.rejects import Damage, Reason, Reject, Skipped
from ledger.intake.shapes import Batch, NoRecord, is_digest, is_usual, unwrap
from ledger.intake.sources import CHUNK_BYTES, DELIVERED, Source, Tap
from ledger.intake.splitting import split, split_swallowed
from ledger.own_records import SOURCE

Outcome = Batch | Reject | Skipped
Made = TypeVar("Made")
Skim = Callable[[bytes, str | None], list[Made] | None]
"""Makes something of a text that is all there without decoding it; None where that can't be done. It is told the account
for records that name none themselves."""

# In small letters. Text without any of these was never a log.
_TELLING: Final = (b'"eventname', b'"eventversion', b'"eventsource', b'"eventtime')
_TELLING_BYTES_MAX: Final = 16
_MARKS: Final = (b"\xef", b"\xff", b"\xfe", b"\0")  # a text begins with them that is not plain UTF-8
_HELD_MAX: Final = 10_000
_RESPLITS_MAX: Final = 100


def skim_nothing(text: bytes, account_hint: str | None) -> None:
    return None


def read_source(
    source: Source, limits: Limits | None = None, *, skim: Skim[Made] = skim_nothing
) -> Iterator[Outcome | Made]:
    """Every record of a source, or why there is none. Whatever the bytes are, nothing is raised.

    Records that were whole before a damage are given, and the damage is one Reject that names the place: a log cut
    short is never taken for a whole one. What is no log is a Reject if the user named it, else Skipped.
    """
    limits = limits or Limits()
    try:
        tap = source.open()
    except OSError as error:
        yield Reject(source.name, "", Reason.UNREADABLE, error.strerror or "cannot be opened")
        return
    try:
        yield from _read(source, tap, limits, skim)
        if tap.changed():
            yield Reject(source.name, "", Reason.CHANGED, "the file was written to while it was read")
    except OSError as error:
        yield Reject(source.name, "", Reason.UNREADABLE, error.strerror or "cannot be read")
    finally:
        tap.close()


def _read(source: Source, tap: Tap, limits: Limits, skim: Skim[Made]) -> Iterator[Outcome | Made]:
    if source.size is not None and source.size <= limits.whole_bytes_max:
        packed = tap.read(limits.whole_bytes_max + 1)
        whole = inflate_whole(packed, bytes_max=limits.whole_bytes_max)
        if whole is not None:
            reading = _Reading(source, source.name, limits)
            made = skim(whole, reading.file_account)
            yield from reading.whole(whole) if made is None else made
            return
        tap.file.seek(0)
        source.consumed = 0
    budget = Budget(limits, source.size)
    for name, content in members(source.name, tap, budget):
        if isinstance(content, Damage):
            yield Reject(name, "", content.reason, content.detail)
        else:
            yield from _Reading(source, name, limits).stream(content)


class _Reading:
    """One file being read: counts, gathers records into batches, and judges at the end whether it was a log."""

    def __init__(self, source: Source, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        delivered = DELIVERED.search(name)
        self.file_account = delivered[1] if delivered else source.account_hint
        self.must_be_a_log = source.must_be_a_log or delivered is not None
        self.told = False  # something in it spoke of events
        self.damaged = False  # the bytes themselves gave out
        self.is_a_log = False  # a record was found
        self.digest = False
        self.unit = "record"
        self.number = 0
        self.resplits = 0
        self.held: list[Reject] = []  # to be forgotten if this turns out to be no log at all
        self.documents: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.account: str | None = None

    def whole(self, text: bytes) -> Iterator[Outcome]:
        """A text that is all there."""
        try:
            value = decode(_plain_utf8(text), depth_max=self.limits.record_depth_max + 4)
        except (Undecodable, Damage):
            yield from self._streamed(text[at : at + CHUNK_BYTES] for at in range(0, len(text), CHUNK_BYTES))
            return
        records = _list_of(value)
        if records is None or not all(map(is_usual, records)) or not self._none_too_large(text, records):
            for record in [value] if records is None else records:
                self.number += 1
                yield from self._unwrapped(record)
            yield from self._end()
            return
        step = self.limits.batch_records_max
        for first in range(0, len(records), step):
            documents = records[first : first + step]
            numbers = range(first + 1, first + 1 + len(documents))
            yield Batch(self.name, "record", numbers, documents, self.file_account)

    def stream(self, chunks: Chunks) -> Iterator[Outcome]:
        """A text of any length, which may raise Damage as it comes."""
        ahead: list[bytes] = []
        size = 0
        try:
            for chunk in chunks:
                ahead.append(chunk)
                size += len(chunk)
                if size > self.limits.whole_bytes_max:
                    yield from self._streamed(chain(_drained(ahead), chunks))
                    return
        except Damage as damage:
            yield from self._streamed(chain(_drained(ahead), _raising(damage)))
            return
        text = b"".join(ahead)
        ahead.clear()
        yield from self.whole(text)

    def _streamed(self, chunks: Chunks) -> Iterator[Outcome]:
        """Record by record."""
        text = self._listening(_utf8(chunks))
        beginning = b""
        try:
            for chunk in text:
                beginning = (beginning + chunk).lstrip()
                if b"\n" in beginning or len(beginning) > self.limits.record_bytes_max:
                    break
        except Damage as damage:
            text = _raising(damage)
        rest: Chunks = chain((beginning,), text)
        if self._begins_with_a_line(beginning):
            yield from self._lines(rest)
        elif beginning or self.damaged:
            yield from self._pieces(rest)
        else:
            yield Reject(self.name, "", Reason.EMPTY, "there is nothing in it")
        yield from self._end()

    def _listening(self, chunks: Chunks) -> Chunks:
        """The same, noting whether it speaks of events and whether it ends in Damage."""
        last = b""
        try:
            for chunk in chunks:
                if not self.told:
                    text = (last + chunk).lower()
                    self.told = any(word in text for word in _TELLING)
                    last = chunk[-_TELLING_BYTES_MAX:]
                yield chunk
        except Damage:
            self.damaged = True
            raise

    def _begins_with_a_line(self, beginning: bytes) -> bool:
        """Whether the first line is a value of its own: then the others are too."""
        line, newline, _ = beginning.lstrip().partition(b"\n")
        if not newline or line[:1] not in (b"{", b"["):
            return False
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        return True

    def _lines(self, chunks: Chunks) -> Iterator[Outcome]:
        self.unit = "line"
        most = max(self.limits.whole_bytes_max, self.limits.record_bytes_max)
        try:
            for line, ended in _split_lines(chunks, most):
                self.number += 1
                if line is None:
                    yield from self._reject(Reason.TOO_LARGE, f"a line of more than {most:,} bytes")
                elif line and not line.isspace():
                    yield from self._line(line, ended)
        except Damage as damage:
            yield from self._reject(damage.reason, damage.detail, f"line {self.number + 1}")

    def _line(self, line: bytes, ended: bool) -> Iterator[Outcome]:
        try:
            value = decode(line, depth_max=self.limits.record_depth_max)
        except Undecodable as error:
            if error.reason is Reason.MALFORMED and not ended:
                yield from self._reject(Reason.CUT_SHORT, "the file ends within this line")
            else:
                yield from self._undecodable(error)
            return
        if len(line) <= self.limits.record_bytes_max and is_usual(value):
            yield from self._take(value, None)
        else:
            yield from self._unwrapped(value)

    def _undecodable(self, error: Undecodable) -> Iterator[Outcome]:
        where = "" if error.at is None else f", at character {error.at + 1} of it"
        yield from self._reject(error.reason, error.detail + where)

    def _pieces(self, chunks: Chunks) -> Iterator[Outcome]:
        for offset, piece in split(chunks, bytes_max=self.limits.record_bytes_max):
            self.number += 1
            if isinstance(piece, Damage):
                place = f"record {self.number} at byte {offset:,}"
                yield from self._reject(piece.reason, piece.detail, place)
            else:
                yield from self._piece(piece)

    def _piece(self, piece: bytes) -> Iterator[Outcome]:
        """One object; or if it makes no sense, those that it may have swallowed."""
        try:
            value = decode(piece, depth_max=self.limits.record_depth_max)
        except Undecodable as error:
            yield from self._undecodable(error)
            if error.reason is Reason.MALFORMED:
                yield from self._swallowed(piece)
        else:
            yield from self._unwrapped(value)

    def _swallowed(self, piece: bytes) -> Iterator[Outcome]:
        most = self.limits.record_bytes_max
        waiting = split_swallowed(piece, bytes_max=most)[::-1]
        while waiting:
            _, inner = waiting.pop()
            self.number += 1
            if isinstance(inner, Damage):
                yield from self._reject(Reason.MALFORMED, "this record has no end")
                continue
            try:
                value = decode(inner, depth_max=self.limits.record_depth_max)
            except Undecodable as error:
                yield from self._undecodable(error)
                if error.reason is Reason.MALFORMED and self.resplits < _RESPLITS_MAX:
                    self.resplits += 1
                    waiting += split_swallowed(inner, bytes_max=most)[::-1]
            else:
                yield from self._unwrapped(value)

    def _unwrapped(self, value: Any) -> Iterator[Outcome]:
        for record, account in unwrap(value, depth_max=self.limits.record_depth_max):
            if isinstance(record, NoRecord):
                self.digest = self.digest or is_digest(value)
                yield from self._reject(record.reason, record.detail)
            elif (size := _size(record)) is None:
                yield from self._reject(Reason.TOO_DEEP, "cannot be written again")
            elif size > self._most(record):
                yield from self._reject(Reason.TOO_LARGE, f"a record of {size:,} bytes")
            else:
                yield from self._take(record, account)

    def _none_too_large(self, text: bytes, records: list[Any]) -> bool:
        return len(text) <= self.limits.record_bytes_max or all(
            (size := _size(record)) is not None and size <= self._most(record) for record in records
        )

    def _most(self, record: Any) -> int:
        """An exported ledger may hold snapshots of accounts, which are larger than any call's record."""
        own = isinstance(record, dict) and record.get("eventSource") == SOURCE
        return self.limits.whole_bytes_max if own else self.limits.record_bytes_max

    def _take(self, document: dict[str, Any], account: str | None) -> Iterator[Outcome]:
        yield from self._is_a_log()
        account = account or self.file_account
        if self.documents and (
            account != self.account or len(self.documents) >= self.limits.batch_records_max
        ):
            yield self._batch()
        self.account = account
        self.documents.append(document)
        self.numbers.append(self.number)

    def _batch(self) -> Batch:
        batch = Batch(self.name, self.unit, self.numbers, self.documents, self.account)
        self.documents, self.numbers = [], []
        return batch

    def _reject(self, reason: Reason, detail: str, place: str | None = None) -> Iterator[Outcome]:
        if len(self.held) >= _HELD_MAX:
            yield from self._is_a_log()
        reject = Reject(self.name, place or f"{self.unit} {self.number}", reason, detail)
        if self.is_a_log:
            yield reject
        else:
            self.held.append(reject)

    def _is_a_log(self) -> Iterator[Outcome]:
        if not self.is_a_log:
            self.is_a_log = True
            yield from self.held
            self.held = []

    def _end(self) -> Iterator[Outcome]:
        if self.documents:
            yield self._batch()
        if not self.held:
            return
        faults = any(reject.reason is not Reason.NOT_A_RECORD for reject in self.held)
        detail = f"no CloudTrail record in it; {self.held[0].place}: {self.held[0].detail}"
        if self.damaged or (self.told and faults):
            yield from self.held
        elif self.digest:
            yield Skipped(self.name, Reason.DIGEST, "a digest holds no records")
        elif self.must_be_a_log:
            yield Reject(self.name, "", Reason.NOT_A_LOG, detail)
        else:
            yield Skipped(self.name, Reason.NOT_A_LOG, detail)


def _list_of(value: Any) -> list[Any] | None:
    """The records of a delivered file, or of an array."""
    if type(value) is dict and "eventName" not in value:
        value = value.get("Records")
    return value if type(value) is list else None


def _size(record: dict[str, Any]) -> int | None:
    try:
        return len(orjson.dumps(record))
    except TypeError:
        return None


def _raising(damage: Damage) -> Chunks:
    yield from ()
    raise damage


def _drained(chunks: list[bytes]) -> Chunks:
    """Each of them once, and then forgotten."""
    chunks.reverse()
    while chunks:
        yield chunks.pop()


def _split_lines(chunks: Iterable[bytes], bytes_max: int) -> Iterator[tuple[bytes | None, bool]]:
    """Each line, and whether it had an end; None for one that is too long to be held."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            parts.append(line)
            size += len(line)
            yield (b"".join(parts) if size <= bytes_max else None), True
            parts, size = [], 0
        size += len(rest)
        parts = [*parts, rest] if size <= bytes_max else []
    if size:
        yield (b"".join(parts) if size <= bytes_max else None), False


def _plain_utf8(text: bytes) -> bytes:
    """Raises Damage."""
    return b"".join(_utf8(iter((text,)))) if text[:1] in _MARKS or text[1:2] == b"\0" else text


def _utf8(chunks: Chunks) -> Chunks:
    """The text without a byte order mark, and in UTF-8 if it came in UTF-16 (as PowerShell's `>` writes)."""
    beginning = b""
    for chunk in chunks:
        beginning += chunk
        if len(beginning) >= 4:
            break
    if beginning.startswith(codecs.BOM_UTF8):
        beginning = beginning[len(codecs.BOM_UTF8) :]
    encoding = _utf16(beginning)
    if encoding is None:
        yield beginning
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chain((beginning,), chunks):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise Damage(Reason.NOT_UTF8, "begins as UTF-16 and is not") from error


def _utf16(beginning: bytes) -> str | None:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if beginning[:1] in b"{[" and beginning[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if beginning[:1] == b"\0" and beginning[1:2] in (b"{", b"[") else None
