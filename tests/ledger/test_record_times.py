"""A time is taken the quick way only where it is told as CloudTrail tells it, so that it can be written again."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.record import TIME_MAX, format_time, parse_time, whole_seconds

DAY = 86_400


@given(st.integers(0, TIME_MAX - DAY - 1))
def test_whatever_is_written_is_read(seconds: int) -> None:
    assert whole_seconds(format_time(seconds)) == seconds
    assert parse_time(format_time(seconds)) == seconds


@given(
    st.from_regex(r"(19|20|21)\d\d-[0-3W]\d-[0-3]\d[T ]([0-2]\d):[0-6]\d:[0-6]\d(Z|z|)", fullmatch=True)
    | st.sampled_from(["2023-W28-1T11:42:18Z", "2023-07-10T24:00:00Z", "1969-12-31T23:59:59Z", ""])
)
def test_what_is_read_so_is_written_so(stamp: str) -> None:
    seconds = whole_seconds(stamp)
    assert seconds is None or format_time(seconds) == stamp
