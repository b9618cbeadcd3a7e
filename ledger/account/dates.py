"""Dates as the many hands behind CloudTrail write them, read into seconds since 1970."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ledger.record import RecordRejected, parse_time

# "Jul 10, 2023 11:54:39 AM" and "Feb 22, 2026, 4:11:47\u202fPM": always UTC.
_SPOKEN = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}):(\d\d):(\d\d)\s([AP]M)")
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
_MILLISECONDS_FROM = 10**11  # as seconds this were the year 5138


def read_date(value: Any) -> int | None:
    """Seconds since 1970; None where there is no date or none that can be read."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _in_range(value / 1000 if value >= _MILLISECONDS_FROM else value)
    return _read_text(value) if isinstance(value, str) else None


def _in_range(seconds: float) -> int | None:
    return int(seconds) if 0 <= seconds < 2**32 else None


@lru_cache(maxsize=4096)
def _read_text(text: str) -> int | None:
    spoken = _SPOKEN.fullmatch(text.strip())
    try:
        if spoken is None:
            return parse_time(text)
        hour = int(spoken[4]) % 12 + (12 if spoken[7] == "PM" else 0)
        day = (int(spoken[3]), _MONTHS[spoken[1]], int(spoken[2]))
        moment = datetime(*day, hour, int(spoken[5]), int(spoken[6]), tzinfo=UTC)
    except (RecordRejected, ValueError, KeyError):
        return None
    return _in_range(moment.timestamp())
