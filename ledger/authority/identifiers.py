"""Event ids of native entries: UUIDs of version 7 (RFC 9562, 5.7) that grow with every entry of an account.

So the order in which calls of one second were decided can be read off an export of the log, too.
"""

from __future__ import annotations

import os
import uuid
from typing import Final

_SEQUENCE_BITS: Final = 12
_TAIL_BITS: Final = 62
_TAIL_BYTES: Final = 8
_TAILS_AT_ONCE: Final = 512  # each call of the system costs the thread its turn at the interpreter


class EventIds:
    def __init__(self) -> None:
        self._latest = 0  # milliseconds and, below them, the place within one
        self._random = b""

    def next(self, now: float) -> str:
        """An id greater than all before, `now` in seconds since 1970."""
        self._latest = max(self._latest + 1, int(now * 1000) << _SEQUENCE_BITS)
        milliseconds, sequence = self._latest >> _SEQUENCE_BITS, self._latest & 0xFFF
        if not self._random:
            self._random = os.urandom(_TAIL_BYTES * _TAILS_AT_ONCE)
        tail = int.from_bytes(self._random[:_TAIL_BYTES], "big") >> 2
        self._random = self._random[_TAIL_BYTES:]
        number = milliseconds << 80 | 0x7 << 76 | sequence << 64 | 0b10 << _TAIL_BITS | tail
        return str(uuid.UUID(int=number))

    def saw(self, event_id: str) -> None:
        """An id that another writer gave."""
        try:
            number = uuid.UUID(event_id)
        except ValueError:
            return
        if number.version == 7:
            self._latest = max(self._latest, number.int >> 80 << _SEQUENCE_BITS | number.int >> 64 & 0xFFF)
