"""Event ids of native entries: UUIDs of version 7 (RFC 9562, 5.7) that grow with every entry of an account.

So the order in which calls of one second were decided can be read off an export of the log, too.
"""

from __future__ import annotations

import os
import struct
import uuid
from typing import Final

_SEQUENCE_BITS: Final = 12
_TAIL_BYTES: Final = 8
_TAILS_AT_ONCE: Final = 512  # each call of the system costs the thread its turn at the interpreter
_VARIANT: Final = 0b10 << 62


class EventIds:
    def __init__(self) -> None:
        self._latest = 0  # milliseconds and, below them, the place within one
        self._random: list[int] = []

    def next(self, now: float) -> str:
        """An id greater than all before, `now` in seconds since 1970."""
        self._latest = max(self._latest + 1, int(now * 1000) << _SEQUENCE_BITS)
        if not self._random:
            random = os.urandom(_TAIL_BYTES * _TAILS_AT_ONCE)
            self._random = list(struct.unpack(f"{_TAILS_AT_ONCE}Q", random))
        # The text itself, for to make a UUID of it takes three times as long.
        head, tail = f"{self._latest:015x}", f"{_VARIANT | self._random.pop() >> 2:016x}"
        return f"{head[:8]}-{head[8:12]}-7{head[12:]}-{tail[:4]}-{tail[4:]}"

    def saw(self, event_id: str) -> None:
        """An id that another writer gave."""
        try:
            number = uuid.UUID(event_id)
        except ValueError:
            return
        if number.version == 7:
            self._latest = max(self._latest, number.int >> 80 << _SEQUENCE_BITS | number.int >> 64 & 0xFFF)
