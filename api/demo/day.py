"""The one day on which everything happens, and the ways in which AWS writes a moment of it."""

from datetime import UTC, datetime

MIDNIGHT = datetime(2026, 3, 17, tzinfo=UTC)
SNAPSHOT_AT = int(MIDNIGHT.timestamp())
DAY_END = SNAPSHOT_AT + 24 * 3600 - 1
HOUR = 3600

NARROW_SPACE = "\u202f"  # what newer Java runtimes print, and what broke many parsers


def at(clock: str) -> int:
    """`"13:07:12"` on the day, in seconds since 1970."""
    hours, minutes, seconds = clock.split(":")
    return SNAPSHOT_AT + int(hours) * HOUR + int(minutes) * 60 + int(seconds)


def iso(moment: int) -> str:
    """As `eventTime` and `creationDate` are written."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def created(moment: int) -> str:
    """As IAM writes `createDate` in responseElements since 2025: `Mar 17, 2026, 1:07:12 PM`."""
    return _american(moment, space=NARROW_SPACE)


def expires(moment: int) -> str:
    """As STS writes `expiration`: the same with an ordinary space."""
    return _american(moment, space=" ")


def in_cli(moment: int) -> str:
    """As the command line prints dates of a snapshot."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def days_before(days: int, clock: str) -> int:
    return at(clock) - days * 24 * HOUR


def delivery_name(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%MZ")


def delivery_folder(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y/%m/%d")


def _american(moment: int, *, space: str) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    hour = when.hour % 12 or 12
    half = "PM" if when.hour >= 12 else "AM"
    return f"{when:%b} {when.day}, {when.year}, {hour}:{when:%M:%S}{space}{half}"
