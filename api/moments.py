"""Times as people and programs write them: RFC 3339, without a zone in UTC, down to the minute or the day."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import ceil

WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
    r"(?: ?(?:[Zz]|[+-]\d\d:\d\d))?)?",
    re.ASCII,
)
SECONDS_END = 2**32  # later than any time that a record may have


class BadTime(ValueError):
    """This is no time that anybody could mean."""


def read_moment(text: str) -> int:
    """The second in which the moment lies, counted from 1970."""
    return int(_read(text))


def read_bound(text: str) -> int:
    """The first whole second that is not before the moment: events have whole seconds."""
    return ceil(_read(text))


def _read(text: str) -> float:
    written = text.strip()
    if not WRITTEN.fullmatch(written):
        raise BadTime(
            f"{text[:60]!r} is not a time; write 2026-03-17, 2026-03-17T13:05 or 2026-03-17T13:05:00Z"
        )
    try:
        moment = datetime.fromisoformat(written.upper().replace(" ", "T", 1).replace(" ", ""))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadTime(f"{text[:60]!r} is not a time: {error}") from error
    if not 0 <= seconds < SECONDS_END:
        raise BadTime(f"{text[:60]!r} lies outside the years 1970 to 2105")
    return seconds
