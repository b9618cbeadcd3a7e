"""A clock that was set back: told by an entry of its own, since the times of what follows are not the clock's.

Entries of this ledger never go back in time, or a later call would be folded before an earlier one. So whoever finds the
clock behind the latest of them goes on with that one's second until the clock has come by again, and says so first: once
each process. A clock that is ahead can't be told from hours in which nobody called; it is told when it is set right.
"""

from __future__ import annotations

from typing import Final

from ledger.entry import Draft
from ledger.own_records import SOURCE, own_record
from ledger.record import format_time, read_record

CLOCK_SET_BACK: Final = f"{SOURCE}:ClockSetBack"
TOLERATED_SECONDS: Final = 2  # two machines on one database, kept by NTP, differ by less


def is_set_back(clock: float, latest: int) -> bool:
    """Whether a clock, in seconds since 1970, is behind the latest native entry by more than clocks differ."""
    return latest - clock > TOLERATED_SECONDS


def noted(account_id: str, *, clock: float, latest: int, event_id: str) -> Draft:
    """The entry that tells of it; its time is that of the latest entry, as that of the calls that follow."""
    request = {
        "clock": format_time(int(clock)),
        "latest": format_time(latest),
        "seconds": latest - int(clock),
    }
    document = own_record(account_id, CLOCK_SET_BACK, request, at=latest, event_id=event_id)
    return Draft.of(read_record(document))
