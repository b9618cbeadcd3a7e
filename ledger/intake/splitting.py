"""Cuts a stream of JSON text into single records without holding more than one of them.

The text may be one array, `{"Records": […]}`, values one after the other with or without commas between, or all of
these mixed. It may begin or end in the middle of a record, and hold rubbish: what is whole is found again, and
every place where something is amiss is named. Brackets and strings are followed; the pieces are not yet parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from ledger.intake.rejects import Damage, Reason
from ledger.intake.shapes import MEMBERS, is_list_of_records

Piece = tuple[int, bytes | Damage]  # where it begins, in bytes, and what stands there

# One step: over whole strings and all else, up to and with the next bracket.
_STEP: Final = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+[{}\[\]]', re.DOTALL)
_NO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_STRING: Final = re.compile(rb"[^\"\\]*+(?:\\.[^\"\\]*+)*+", re.DOTALL)
_BETWEEN: Final = re.compile(rb"[\s,\x1e]*+")
_KEY: Final = re.compile(rb'"([A-Za-z]{1,32})"\s{0,16}:\s{0,16}\[\Z')
_KEY_BYTES_MAX: Final = 80
_BEGINNINGS: Final = b"|".join(
    member.encode()
    for member in (
        *MEMBERS,
        "Records",
        "Events",
        "EventId",
        "EventName",
        "EventVersion",
        "version",
        "messageType",
    )
)
_BEGINNING: Final = re.compile(rb'\{\s{0,64}"(?:' + _BEGINNINGS + rb')"\s{0,16}:')
_BEGINNING_BYTES_MAX: Final = 160
# Within a record that has no end: where the next one begins.
_NEXT: Final = re.compile(rb'[}\]]\s{0,64},?\s{0,64}(\{\s{0,64}"(?:eventVersion|Records)"\s{0,16}:)')
RESTARTS_MAX: Final = 200  # then what has no end is passed over in larger steps

LISTS_MAX: Final = 200

_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _BACKSLASH = b"{}[]\\"

Mode = Literal["between", "object", "envelope", "lost"]


def split(chunks: Iterable[bytes], *, bytes_max: int) -> Iterator[Piece]:
    """The objects of a stream, and a Damage where there is none. `chunks` may raise Damage; it comes out last."""
    splitter = _Splitter(bytes_max)
    try:
        for chunk in chunks:
            yield from splitter.feed(chunk)
    except Damage as damage:
        yield splitter.offset, damage
        return
    yield from splitter.finish()


def split_swallowed(piece: bytes, *, bytes_max: int) -> list[Piece]:
    """What seems to stand within an object that makes no sense, from the next record on."""
    found = _NEXT.search(piece, 1)
    if found is None:
        return []
    splitter = _Splitter(bytes_max, torn=True)
    return splitter.feed(piece[found.start(1) :]) + splitter.finish()


class _Splitter:
    """The state between two chunks. `level` is the number of brackets open around the objects that are wanted."""

    def __init__(self, bytes_max: int, *, torn: bool = False) -> None:
        self.bytes_max = bytes_max
        self._buffer = b""
        self._base = 0  # offset of the buffer in the stream
        self._at = 0  # how far the buffer has been looked at
        self._start: int | None = None  # of the object; None if it is passed over
        self._mode: Mode = "between"
        self._level = 0
        self._depth = 0
        self._in_string = False
        self._lists: list[tuple[int, Mode]] = []  # what to go back to when a list is closed
        self._empty = not torn
        self._torn = torn  # after a gap, closing brackets may be left over
        self._restarts = 0
        self._out: list[Piece] = []

    @property
    def offset(self) -> int:
        """Of the object at hand, or of what comes next."""
        return self._base + (self._at if self._start is None else self._start)

    def feed(self, chunk: bytes) -> list[Piece]:
        keep = max(0, self._at - _KEY_BYTES_MAX) if self._start is None else self._start
        self._buffer = self._buffer[keep:] + chunk
        self._base += keep
        self._at -= keep
        if self._start is not None:
            self._start = 0
        self._run()
        return self._taken()

    def finish(self) -> list[Piece]:
        """What is to be said at the end of the stream."""
        while self._mode == "object" and self._start is not None:
            start = self._base + self._start
            if not self._restart(self._start):
                self._tell(start, Reason.CUT_SHORT, "the file ends within this record")
                return self._taken()
            self._tell(start, Reason.MALFORMED, "this record has no end")
            self._run()
        if self._mode in ("object", "envelope") or (self._mode == "between" and self._lists):
            self._tell(self.offset, Reason.CUT_SHORT, "the file ends before its last bracket is closed")
        return self._taken()

    def _taken(self) -> list[Piece]:
        taken, self._out = self._out, []
        return taken

    def _tell(self, offset: int, reason: Reason, detail: str) -> None:
        self._out.append((offset, Damage(reason, detail)))

    def _run(self) -> None:
        steps = {
            "between": self._between,
            "object": self._object,
            "envelope": self._envelope,
            "lost": self._find_again,
        }
        while steps[self._mode]():
            pass

    def _between(self) -> bool:
        """Before or after an object."""
        self._at = _over(_BETWEEN, self._buffer, self._at)
        if self._at == len(self._buffer):
            return False
        byte = self._buffer[self._at]
        if byte == _OPEN:
            self._mode, self._start, self._depth = "object", self._at, self._level + 1
        elif byte == _OPEN_LIST and len(self._lists) < LISTS_MAX:
            self._enter_list(self._level, "between")
        elif byte == _CLOSE_LIST and self._lists:
            self._level, self._mode = self._lists.pop()
            self._depth = self._level + (self._mode == "envelope")
        elif not (self._torn and byte in (_CLOSE, _CLOSE_LIST)):
            self._lose()
            return True
        self._at += 1
        self._empty = False
        return True

    def _enter_list(self, level: int, mode: Mode) -> None:
        self._lists.append((level, mode))
        self._level = self._depth = level + 1 if mode == "between" else level + 2
        self._mode, self._start = "between", None

    def _object(self) -> bool:
        """Within an object that is wanted, or passed over because it is too large."""
        while byte := self._next_bracket():
            if byte == _OPEN_LIST and self._depth == self._level + 1 and self._is_list_of_records():
                self._enter_list(self._level, "envelope")
                return True
            if byte in (_OPEN, _OPEN_LIST):
                self._depth += 1
                continue
            self._depth -= 1
            if self._depth == self._level:
                self._emit()
                return True
        start = self._start
        if start is None or self._at - start <= self.bytes_max:
            return False
        if self._restart(start):
            self._tell(self._base + start, Reason.MALFORMED, "this record has no end")
            return True
        self._tell(self._base + start, Reason.TOO_LARGE, f"a record of more than {self.bytes_max:,} bytes")
        self._start = None
        return False

    def _emit(self) -> None:
        start, self._start, self._mode = self._start, None, "between"
        if start is None:
            return
        if self._at - start > self.bytes_max:
            self._tell(self._base + start, Reason.TOO_LARGE, f"a record of {self._at - start:,} bytes")
        else:
            self._out.append((self._base + start, self._buffer[start : self._at]))

    def _envelope(self) -> bool:
        """In the rest of an object whose records were taken out."""
        while byte := self._next_bracket():
            if byte == _OPEN_LIST and self._depth == self._level + 1 and self._is_list_of_records():
                self._enter_list(self._level, "envelope")
                return True
            self._depth += 1 if byte in (_OPEN, _OPEN_LIST) else -1
            if self._depth == self._level:
                self._mode = "between"
                return True
        return False

    def _lose(self) -> None:
        """What stands here belongs to nothing."""
        deep = len(self._lists) >= LISTS_MAX
        if self._empty:
            self._tell(self.offset, Reason.TORN, "does not begin with a record")
        else:
            detail = "lists within lists" if deep else "something that is no record"
            self._tell(self.offset, Reason.TOO_DEEP if deep else Reason.MALFORMED, detail)
        self._lists.clear()
        self._level = self._depth = 0
        self._empty, self._torn, self._mode = False, True, "lost"

    def _find_again(self) -> bool:
        found = _BEGINNING.search(self._buffer, self._at)
        if found is None:
            self._at = max(self._at, len(self._buffer) - _BEGINNING_BYTES_MAX)
            return False
        self._at, self._mode = found.start(), "between"
        return True

    def _restart(self, start: int) -> bool:
        """Take it that the record at hand was torn off, and go on with the next."""
        self._restarts += 1
        position = None
        for found in _NEXT.finditer(self._buffer, start + 1):
            position = found.start(1)
            if self._restarts <= RESTARTS_MAX:
                break
        if position is None:
            return False
        self._at, self._start, self._mode = position, None, "between"
        self._depth, self._in_string, self._torn = self._level, False, True
        return True

    def _is_list_of_records(self) -> bool:
        key = _KEY.search(self._buffer[max(0, self._at - _KEY_BYTES_MAX) : self._at])
        return key is not None and is_list_of_records(key[1].decode())

    def _next_bracket(self) -> int | None:
        """Go past the next bracket outside a string; None if it is not here yet."""
        buffer = self._buffer
        if self._in_string:
            self._at = _over(_IN_STRING, buffer, self._at)
            if self._at == len(buffer) or buffer[self._at] == _BACKSLASH:
                return None
            self._at += 1
            self._in_string = False
        if found := _STEP.match(buffer, self._at):
            self._at = found.end()
            return buffer[self._at - 1]
        self._at = _over(_NO_BRACKET, buffer, self._at)
        if self._at < len(buffer):  # at a quote whose string does not end here
            self._in_string = True
            self._at = _over(_IN_STRING, buffer, self._at + 1)
        return None


def _over(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    found = pattern.match(buffer, at)
    return found.end() if found else at
