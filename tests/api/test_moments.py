"""Times as people write them."""

import pytest

from api.moments import BadTime, read_bound, read_moment
from ledger.record import format_time


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-17T13:07:12Z", "2026-03-17T13:07:12Z"),
        ("2026-03-17T13:07:12z", "2026-03-17T13:07:12Z"),
        ("2026-03-17t13:07:12Z", "2026-03-17T13:07:12Z"),
        ("2026-03-17T15:07:12+02:00", "2026-03-17T13:07:12Z"),
        ("2026-03-17T15:07+02:00", "2026-03-17T13:07:00Z"),
        ("2026-03-17T13:07:12", "2026-03-17T13:07:12Z"),
        ("2026-03-17T13:07", "2026-03-17T13:07:00Z"),
        ("2026-03-17 13:07", "2026-03-17T13:07:00Z"),
        ("2026-03-17", "2026-03-17T00:00:00Z"),
        (" 2026-03-17 ", "2026-03-17T00:00:00Z"),
        ("1970-01-01", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_time_without_a_zone_is_utc_and_may_end_early(written: str, meant: str) -> None:
    assert format_time(read_moment(written)) == meant
    assert format_time(read_bound(written)) == meant


def test_a_fraction_is_in_its_second_and_a_bound_after_it() -> None:
    assert format_time(read_moment("2026-03-17T13:07:12.4Z")) == "2026-03-17T13:07:12Z"
    assert format_time(read_bound("2026-03-17T13:07:12.4Z")) == "2026-03-17T13:07:13Z"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "yesterday",
        "17.3.2026",
        "2026-3-17",
        "2026-03-17T13",
        "2026-13-17",
        "2026-02-30",
        "2026-03-17T25:00",
        "2026-03-17T13:07:12+99:00",
        "1969-12-31",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31",
        "1773752832",
        "２０２６-03-17",
        "2026-03-17T13:07:12Z; DROP TABLE entries",
        "2026-W12-2",
        "20260317",
    ],
)
def test_nothing_else_is_a_time(written: str) -> None:
    with pytest.raises(BadTime):
        read_moment(written)
