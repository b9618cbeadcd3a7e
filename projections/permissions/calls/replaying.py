"""The recorded calls in order of time, and the accounts as they move along with them: one walk for all who need it.

A second is what records tell apart, so the walk goes second by second. A call is put to the accounts at the end of
its second; one that changed an account, to that account just before what it changed, as `PastAccounts.before` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import sqlalchemy as sa

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.fold import Event, Step, fold
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS
from ledger.log import Log
from ledger.log.schema import entries
from projections.history import sightings
from projections.permissions.accounts import PastAccounts
from projections.permissions.worlds import WalkedWorld
from projections.refolding import action_numbers

PAGE = 5_000
END_OF_TIME = 2**32


@dataclass(frozen=True, slots=True)
class Second:
    """What one second of the log holds: the calls that were asked for, and what moves each account."""

    time: int
    calls: tuple[Entry, ...]
    events: Mapping[str, tuple[Event, ...]]


@dataclass(frozen=True, slots=True)
class Stepped:
    """An account at the end of a second; `before` has it just before each entry that changed it, by position."""

    after: Account
    before: Mapping[int, Account] = field(default_factory=dict)
    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """All accounts at the end of a second."""

    time: int
    ends: Mapping[str, Account]
    stepped: Mapping[str, Stepped]  # those that had events

    def world(self, entry: Entry) -> WalkedWorld:
        """The accounts to which a call of this second is put."""
        stepped = self.stepped.get(entry.account_id)
        before = None if stepped is None else stepped.before.get(entry.position)
        record = entry.record
        if before is None or record.action not in FOLDED_ACTIONS or not record.succeeded:
            return WalkedWorld(self.time, self.ends)
        return WalkedWorld(self.time, {**self.ends, entry.account_id: before})


class Walk:
    """The accounts as they were, from the second `since` on; the runner has caught up before."""

    def __init__(self, past: PastAccounts, since: int) -> None:
        self.ends: dict[str, Account] = {
            account_id: past.whole(account_id, since - 1) for account_id in sorted(past.known())
        }

    def through(self, second: Second) -> Moved:
        """The accounts moved on by a second."""
        stepped = {
            account_id: step_through(self.ends[account_id], events)
            for account_id, events in second.events.items()
        }
        self.ends = {**self.ends, **{account_id: one.after for account_id, one in stepped.items()}}
        return Moved(second.time, self.ends, stepped)


def step_through(account: Account, events: Iterable[Event]) -> Stepped:
    """The account moved on by the events of one second."""
    before: dict[int, Account] = {}
    steps = list(fold(account, events))
    for step in steps:
        if step.account.touched:
            before.setdefault(step.cause.position, account)
        account = step.account
    return Stepped(account, before, steps)


def seconds(
    log: Log,
    *,
    since: int = 0,
    until: int = END_OF_TIME,
    calls: sa.ColumnElement[bool] | None = None,
) -> Iterator[Second]:
    """The seconds from `since` up to and without `until` in which there is anything, in order.

    `calls` is a condition on the log's entries that chooses the calls to be seen, all of them if it is None; what
    moves the accounts is always there.
    """
    for time, group in groupby(_entries(log, since, until, calls), key=lambda found: found.entry.time):
        told: list[Entry] = []
        events: dict[str, list[Event]] = {}
        for one in group:
            entry = one.entry
            if one.called:
                told.append(entry)
            if one.folded:
                change = Change(entry.position, entry.record, entry.origin.native)
                events.setdefault(entry.account_id, []).append(change)
            if one.sighted:
                sighting = Sighting(entry.position, entry.time, entry.record.identity)
                events.setdefault(entry.account_id, []).append(sighting)
        yield Second(time, tuple(told), {account: tuple(moving) for account, moving in events.items()})


@dataclass(frozen=True, slots=True)
class _Found:
    entry: Entry
    called: bool
    folded: bool
    sighted: bool


def _entries(log: Log, since: int, until: int, calls: sa.ColumnElement[bool] | None) -> Iterator[_Found]:
    """The entries in order of (time, account, position), a page at a time."""
    e, s = entries.c, sightings.c
    beyond = (since, 0, -1)
    with log.engine.connect() as connection:
        folded = sa.and_(e.action.in_(action_numbers(connection)), e.error.is_(None))
        sighted = sa.exists().where(s.account == e.account, s.position == e.position, s.time == e.time)
        called: sa.ColumnElement[bool] = sa.true() if calls is None else calls
        columns = [sa.case((one, 1), else_=0) for one in (called, folded, sighted)]
        while True:
            place = sa.tuple_(*(sa.literal(part, sa.BigInteger) for part in beyond))
            query = (
                sa.select(
                    e.time,
                    e.account,
                    e.position,
                    columns[0].label("called"),
                    columns[1].label("folded"),
                    columns[2].label("sighted"),
                )
                .where(e.time >= beyond[0], e.time < until, sa.tuple_(e.time, e.account, e.position) > place)
                .order_by(e.time, e.account, e.position)
                .limit(PAGE)
            )
            if calls is not None:
                query = query.where(sa.or_(called, folded, sighted))
            rows = connection.execute(query).all()
            found = log.fetch_all(connection, [(row.account, row.position) for row in rows])
            for row, entry in zip(rows, found, strict=True):
                yield _Found(entry, bool(row.called), bool(row.folded), bool(row.sighted))
            if len(rows) < PAGE:
                return
            beyond = (rows[-1].time, rows[-1].account, rows[-1].position)


def access_keys(calls: Iterable[Entry]) -> Iterator[str]:
    """The temporary keys that the calls were made with."""
    for entry in calls:
        identity = entry.document.get("userIdentity")
        key = identity.get("accessKeyId") if isinstance(identity, Mapping) else None
        if isinstance(key, str) and key.startswith("ASIA"):
            yield key
