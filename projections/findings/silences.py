"""Hours without any record in a log that is busy at all other times: what a trail did not record, or nobody imported."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log.schema import entries
from ledger.record import format_time
from projections.findings.evidence import DAY, Evidence, Finding, one
from projections.findings.trails import TRAIL_CHANGES

HOUR = 3_600
AROUND = 4 * DAY // HOUR  # hours that are looked at on either side
BUSY = 0.95  # of those hours, as far as the log has them, must have records
AROUND_MIN = 12  # hours on both sides together; of fewer nothing can be said


def silences(evidence: Evidence) -> Iterator[Finding]:
    """Question 35: in which hours has a busy log no record at all, of whatever kind, by whomever?

    An hour is one of the clock. The log is busy where of the four days before and the four after 95 in 100 hours have
    records, so neither a small account nor quiet weekends are silences. `stopped` lists the changes to trails that
    explain one; otherwise files are missing, or were taken away: `fileBefore` and `fileAfter` tell between which.
    """
    for account, number in sorted(evidence.account_numbers.items()):
        hours = _hours(evidence, number)
        for before, after in pairwise(hours):
            if after - before > 1 and _busy(hours, before, after):
                last, first = _edge(evidence, number, before, -1), _edge(evidence, number, after, 1)
                yield _silence(evidence, account, last, first, after - before - 1)


def _silence(evidence: Evidence, account: str, last: Entry, first: Entry, hours: int) -> Finding:
    changes = [
        entry
        for entry in evidence.later_calls(*TRAIL_CHANGES, account=account, since=last.time - HOUR)
        if entry.time <= first.time + HOUR
    ]
    return Finding(
        "medium" if changes else "high",
        f"The log of {account} is silent for {hours} hour{'s' if hours > 1 else ''}",
        account,
        [last, first],
        {
            "from": format_time(last.time),
            "to": format_time(first.time),
            "hours": hours,
            "last": one(last),
            "first": one(first),
            "fileBefore": last.origin.file,
            "fileAfter": first.origin.file,
            "stopped": [one(entry) for entry in changes],
        },
    )


def _hours(evidence: Evidence, account: int) -> list[int]:
    """The hours, counted from 1970, of which the account's log has any record."""
    e = entries.c
    hour = sa.cast(e.time - e.time % HOUR, sa.BigInteger)
    query = evidence.scoped(sa.select(hour).where(e.account == account).distinct())
    return sorted(time // HOUR for time in evidence.connection.scalars(query))


def _busy(hours: list[int], before: int, after: int) -> bool:
    begin, end = max(before - AROUND, hours[0]), min(after + AROUND, hours[-1])
    heard = bisect_left(hours, end + 1) - bisect_left(hours, begin)
    around = (before - begin + 1) + (end - after + 1)
    return around >= AROUND_MIN and heard >= BUSY * around


def _edge(evidence: Evidence, account: int, hour: int, direction: int) -> Entry:
    """The last entry of an hour, or its first."""
    e = entries.c
    time, position = (e.time.desc(), e.position.desc()) if direction < 0 else (e.time, e.position)
    query = (
        sa.select(e.position)
        .where(e.account == account, e.time >= hour * HOUR, e.time < (hour + 1) * HOUR)
        .order_by(time, position)
        .limit(1)
    )
    return evidence.at([(account, evidence.connection.execute(query).scalar_one())])[0]
