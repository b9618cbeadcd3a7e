"""The authorizations of many calls, one after the other, by accounts that move along with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import sqlalchemy as sa

from ledger.entry import Entry
from projections.permissions.accounts import PastAccounts
from projections.permissions.calls.authorization import Authorization, Authorizations
from projections.permissions.calls.replaying import Moved, Walk, seconds
from projections.permissions.worlds import WalkedWorld
from projections.sessions import Sessions


def authorizations_of(
    past: PastAccounts, sessions: Sessions, entries: Iterable[Entry]
) -> Iterator[tuple[Entry, tuple[Authorization, ...]]]:
    """What each call asked of IAM, with its decision; for calls in order of time, of whatever accounts.

    The same answers as `Authorizations.of` gives, which reads the account for each call anew.
    """
    inferring = Authorizations(past, sessions)
    walk: Walk | None = None
    for time, calls in groupby(entries, key=lambda entry: entry.time):
        if walk is None:
            walk = Walk(past, time)
            moving = seconds(past.log, since=time, calls=sa.false())
            ahead = next(moving, None)
        moved: Moved | None = None
        while ahead is not None and ahead.time <= time:
            moved = walk.through(ahead)
            ahead = next(moving, None)
        for entry in calls:
            if moved is not None and moved.time == time:
                world = moved.world(entry)
            else:
                world = WalkedWorld(time, walk.ends)
            yield entry, inferring.judged(world, entry)
