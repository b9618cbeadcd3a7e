"""The fold: what happened, in the order of its times, becomes the account of each moment.

Records have whole seconds, so the order within one second is not told. Records that this ledger wrote itself
have it in their positions, and those that any ledger wrote in their event ids, if these are UUIDs of version 7
(RFC 9562, 5.7). For all others the order is believed that makes the fold assume least; it is found greedily, from
the records alone, so it does not depend on the order in which they were imported.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain as chained
from itertools import groupby, pairwise

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.sightings import sighted, sighting_key
from ledger.iam import OPERATIONS, Rank, evolve
from ledger.record import canonical

RETRIES_MAX = 16  # of one change in its second; after these it waits until nothing else is left
NOT_TRIED = 9  # more severe than any assumption

_ORDERED_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)

Event = Change | Sighting
Key = tuple[int, int, str, bytes, int]


class OutOfOrder(ValueError):
    """The events were not given in the order of their times."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event that counted, and the account after it: `account.touched` and `account.noted` are of this step."""

    cause: Event
    account: Account


def fold(account: Account, events: Iterable[Event]) -> Iterator[Step]:
    """The steps that the events lead through, for events in the order of their times, in any order within one.

    Failed calls and calls that change no account make no step. All events of one second must come in one fold:
    an account from which a fold goes on must be one from the end of a second.
    """
    last = -1
    for time, group in groupby(events, key=_time):
        if time < last:
            raise OutOfOrder(
                f"an event of second {time} came after one of second {last}; sort events by time"
            )
        last = time
        changes: list[Change] = []
        sightings: list[Sighting] = []
        for event in group:
            if isinstance(event, Sighting):
                sightings.append(event)
            elif event.record.action in OPERATIONS and event.record.succeeded:
                changes.append(event)
        for step in _second(account, changes) if changes else ():
            account = step.account
            yield step
        for sighting in sorted(sightings, key=_sighting_order) if len(sightings) > 1 else sightings:
            after = sighted(account.settled(), sighting)
            if after.touched:
                account = after
                yield Step(sighting, account)


def _time(event: Event) -> int:
    return event.time


def _sighting_order(sighting: Sighting) -> tuple[str, ...]:
    key = sighting_key(sighting.identity, sighting.identity.account_id or "")
    return () if key is None else tuple(part or "" for part in key)


def _second(account: Account, changes: list[Change]) -> Iterator[Step]:
    if len(changes) > 1:
        baselines = [change for change in changes if _is_baseline(change)]
        if baselines:  # what else happened in its second happened after it, or is in it already
            changes = [change for change in changes if not _is_baseline(change)]
            for change in sorted(baselines, key=lambda change: change.event_id):
                step = Step(change, evolve(account.settled(), change))
                account = step.account
                yield step
    chains, loose = _chains(changes)
    if len(changes) == 1 or (len(chains) == 1 and not loose):
        for change in changes if len(changes) == 1 else chains[0]:
            step = Step(change, evolve(account.settled(), change))
            account = step.account
            yield step
    else:
        yield from _Second(account, chains, loose).steps()


def _chains(changes: list[Change]) -> tuple[list[list[Change]], list[Change]]:
    """Changes whose order among themselves is told, and those of which none is."""
    native: list[Change] = []
    ordered: list[Change] = []
    loose: list[Change] = []
    for change in changes:
        (native if change.native else ordered if _ORDERED_ID.fullmatch(change.event_id) else loose).append(
            change
        )
    native.sort(key=lambda change: change.position)
    ordered.sort(key=lambda change: change.event_id)
    return [chain for chain in (native, ordered) if chain], loose


def _is_baseline(change: Change) -> bool:
    return OPERATIONS[change.record.action].rank is Rank.BASELINE


class _Second:
    """The changes of one second whose order is not, or not wholly, told."""

    def __init__(self, account: Account, chains: list[list[Change]], loose: list[Change]) -> None:
        self._account = account
        self._ready: list[tuple[Key, Change]] = []
        self._waiting: dict[Key, tuple[int, Change]] = {}  # with the severity of what they would assume
        self._retries: dict[Key, int] = {}
        self._held: dict[Key, frozenset[str]] = {}  # names that a waiting creation holds
        self._follower = {one.position: next_one for chain in chains for one, next_one in pairwise(chain)}
        changes = [*loose, *chained.from_iterable(chains)]
        self._twins = len({change.event_id for change in changes}) < len(changes)
        for change in (*loose, *(chain[0] for chain in chains)):
            self._enter(change)

    def steps(self) -> Iterator[Step]:
        while self._ready or self._waiting:
            change, after = self._next_clean() or self._least_severe()
            self._account = after
            follower = self._follower.get(change.position)
            if follower is not None:
                self._enter(follower)
            if after.touched:
                self._wake()
            yield Step(change, after)

    def _next_clean(self) -> tuple[Change, Account] | None:
        while self._ready:
            key, change = heapq.heappop(self._ready)
            if self._must_wait(key, change):
                self._waiting[key] = (NOT_TRIED, change)
                continue
            after = evolve(self._account.settled(), change)
            severity = max((assumption.reason.severity for assumption in after.noted), default=0)
            if severity == 0:
                return change, after
            self._waiting[key] = (severity, change)
            if key[0] == Rank.CREATE:
                self._held[key] = _names(change)
        return None

    def _least_severe(self) -> tuple[Change, Account]:
        key, (_, change) = min(self._waiting.items(), key=lambda item: (item[1][0], item[0]))
        del self._waiting[key]
        self._held.pop(key, None)
        return change, evolve(self._account.settled(), change)

    def _must_wait(self, key: Key, change: Change) -> bool:
        """Whether a creation waits for its namesake to go: what is granted to that name is meant for the new one."""
        if (
            not self._held
            or key[0] not in (Rank.GRANT, Rank.CHANGE)
            or self._retries.get(key, 0) >= RETRIES_MAX
        ):
            return False
        names = _names(change)
        return any(names & held for held in self._held.values())

    def _wake(self) -> None:
        """What had to wait is tried again, for something has changed."""
        for key, (_, change) in list(self._waiting.items()):
            tried = self._retries.get(key, 0) + 1
            if tried <= RETRIES_MAX:
                self._retries[key] = tried
                del self._waiting[key]
                self._held.pop(key, None)
                heapq.heappush(self._ready, (key, change))

    def _enter(self, change: Change) -> None:
        heapq.heappush(self._ready, (_key(change, self._twins), change))


def _key(change: Change, twins: bool) -> Key:
    operation = OPERATIONS[change.record.action]
    content = canonical(change.record.document) if twins else b""
    return (operation.rank, operation.order(change), change.event_id, content, change.position)


def _names(change: Change) -> frozenset[str]:
    """The entities that a change names, as `kind/name` or as an ARN."""
    request = change.request
    named = (
        (noun, request.text(noun)) for noun in ("UserName", "GroupName", "RoleName", "InstanceProfileName")
    )
    arns = (request.text("PolicyArn"), change.response.within("Policy").text("Arn"))
    return frozenset(
        (*(f"{noun}/{name.casefold()}" for noun, name in named if name), *(arn for arn in arns if arn))
    )
