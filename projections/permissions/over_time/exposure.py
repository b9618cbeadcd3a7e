"""Could have, beside did: the statements in force for a principal, interval by interval, and the calls made under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson

from ledger.account.account import Account
from ledger.log import Log
from ledger.policy.decision import SEMANTICS, Match, Unknown
from ledger.policy.document import Policy
from ledger.policy.entitlements import Entitlement, Entitlements
from ledger.record import format_time
from projections.permissions.naming import Principal
from projections.permissions.over_time.alarms import changed_by_aws, next_alarm
from projections.permissions.over_time.courses import Course, Step
from projections.permissions.over_time.following import Followed, Following
from projections.permissions.over_time.turned_by import places_of_causes, told_cause
from projections.permissions.over_time.turning import Cause, rests_on
from projections.permissions.over_time.used import Used
from projections.permissions.over_time.who_could import Within
from projections.permissions.telling import Answer, Teller, places_of, told_unknown

ABSENT = "absent"
DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class InForce:
    """A statement in force, with its text as it was written."""

    match: Match
    text: bytes

    @classmethod
    def of(cls, entitlement: Entitlement, pattern: str) -> Iterator[InForce]:
        """The statements that speak of some action of the pattern, those of a boundary last."""
        for policies in (entitlement.identity, entitlement.boundary):
            for policy, source in policies.entries if policies is not None else ():
                for statement in policy.statements:
                    if statement.all_actions_but or any(overlap(one, pattern) for one in statement.actions):
                        match = Match(source, statement.index, statement.sid, statement.effect)
                        yield cls(match, _written(policy, statement.index))

    @property
    def place(self) -> tuple[Any, ...]:
        """What makes it the same statement, whoever granted it."""
        source = self.match.source
        return source.layer, source.name, source.arn, source.version, self.match.index, self.text


@dataclass(frozen=True, slots=True)
class State:
    """What is possible at one moment. `key` is the status of the key that was asked about."""

    statements: tuple[InForce, ...] = ()
    bounded: bool = False
    unknown: tuple[Unknown, ...] = ()
    key: str | None = None
    there: bool = False

    @property
    def compared(self) -> tuple[Any, ...]:
        return tuple(one.place for one in self.statements), self.bounded, self.unknown, self.key, self.there


@dataclass(frozen=True, slots=True)
class Segment:
    """One state, from `since` up to and without `until`."""

    since: int
    until: int
    state: State
    opened: Cause | None
    closed: Cause | None


class Exposing:
    """Follows one principal through a course, and tells its states."""

    def __init__(self, entitlements: Entitlements, followed: Followed, pattern: str) -> None:
        self._entitlements = entitlements
        self._followed = followed
        self._pattern = pattern.lower()
        self._was_there = False
        self._alarm: int | None = None  # the second in which what is in force may change by itself

    def segments(self, course: Course, within: Within) -> list[Segment]:
        """The segments of the interval; equal neighbours are one."""
        at = within.since - 1
        state = self._wake(course.start, at)
        found: list[Segment] = []
        begun, opened = within.since, None
        for second, account, steps in self._moments(course, within.until):
            after = self._wake(account, second)
            if after.compared == state.compared:
                continue
            cause = self._cause(state, after, second, account, steps)
            if second > begun:
                found.append(Segment(begun, second, state, opened, cause))
            state, begun, opened = after, second, cause
        found.append(Segment(begun, within.until, state, opened, None))
        return found

    def _moments(self, course: Course, until: int) -> Iterator[tuple[int, Account, list[Step]]]:
        """Every second in which something may change, and the account at its end."""
        account = course.start
        for second, steps in groupby(course.steps(), key=lambda step: step.time):
            while self._alarm is not None and self._alarm < min(second, until):
                yield self._alarm, account, []
            if second >= until:
                return
            made = list(steps)
            account = made[-1].after
            yield second, account, made
        while self._alarm is not None and self._alarm < until:
            yield self._alarm, account, []

    def _wake(self, account: Account, at: int) -> State:
        state, self._alarm = self._state(account, at)
        return state

    def _state(self, account: Account, at: int) -> tuple[State, int | None]:
        principal = self._followed.subject.find(account)
        key = self._key(account, principal)
        if principal is None:
            return State(key=key), None
        if principal.entity is None:  # root, whom no policy of its own limits
            return State(there=True), None
        entitlement = self._entitlements.of(account, principal.entity, at)
        state = State(
            tuple(InForce.of(entitlement, self._pattern)),
            entitlement.boundary is not None,
            entitlement.unknown,
            key,
            there=True,
        )
        return state, next_alarm((account, principal.entity), entitlement, None, at)

    def _key(self, account: Account, principal: Principal | None) -> str | None:
        access_key = self._followed.access_key
        if access_key is None or not access_key.startswith("AKIA"):
            return None
        owner = account.key_owner(access_key)
        if owner is None:
            return DELETED if self._was_there else ABSENT
        self._was_there = True
        return owner.access_keys[access_key].status

    def _cause(self, before: State, after: State, second: int, account: Account, steps: list[Step]) -> Cause:
        """The last of the second's events that made it what it is at its end."""
        account_id = self._followed.account_id
        last, found = before, None
        for step in steps:
            now = self._state(step.after, second)[0]
            if now.compared != last.compared and now.compared == after.compared:
                found = Cause(second, account_id, step, self._concerns(step))
            last = now
        if found is not None:
            return found
        principal = self._followed.subject.find(account)
        holder = None if principal is None else principal.entity
        return Cause(second, account_id, None, aws_policies=changed_by_aws((account, holder), second))

    def _concerns(self, step: Step) -> frozenset[tuple[Any, str]]:
        found: set[tuple[Any, str]] = set()
        for account in (step.before, step.after):
            principal = self._followed.subject.find(account)
            if principal is not None and principal.entity is not None:
                found.update(rests_on(account, principal.entity))
        return frozenset(found.intersection(step.touched))


def exposure(
    log: Log,
    entitlements: Entitlements,
    following: Following,
    followed: Followed,
    used: Used,
    pattern: str,
    within: Within,
) -> Answer:
    """What was possible and what was done, segment by segment."""
    courses = following.courses(followed, None, within.since, within.until)
    course = courses[followed.account_id]
    found = Exposing(entitlements, followed, pattern).segments(course, within)
    teller = Teller(log)
    teller.learn(
        places_of_causes(cause for one in found for cause in (one.opened, one.closed))
        | places_of(statement.match for one in found for statement in one.state.statements)
    )
    was = [None, *(one.state.key for one in found)]
    calls = used.calls(followed, pattern, [(one.since, one.until) for one in found])
    return {
        "principal": _arn(followed, course),
        "account": followed.account_id,
        "accessKey": followed.access_key,
        "action": pattern,
        "from": format_time(within.since),
        "to": format_time(within.until),
        "segments": [
            {
                "from": format_time(one.since),
                "to": format_time(one.until),
                "exists": one.state.there,
                "keyStatus": one.state.key,
                "opened": _opened(teller, one, before, followed.access_key),
                "closed": told_cause(teller, one.closed),
                "bounded": one.state.bounded,
                "statements": [_told(teller, statement) for statement in one.state.statements],
                "unknown": [told_unknown(unknown) for unknown in one.state.unknown],
                **made,
            }
            for before, one, made in zip(was, found, calls, strict=False)
        ],
        "semantics": SEMANTICS,
    }


def _opened(teller: Teller, one: Segment, before: str | None, access_key: str | None) -> Answer | None:
    """What opened a segment; what became of the key is among what it changed."""
    told = told_cause(teller, one.opened)
    if told is not None and one.state.key != before:
        changed = {"kind": "access-key", "name": access_key, "what": "keyStatus", "about": one.state.key}
        told["changed"].insert(0, changed)
    return told


def _arn(followed: Followed, course: Course) -> str | None:
    """The principal's ARN; that of the latest, where several had the name."""
    accounts = [course.start, *(step.after for step in course.steps())]
    found = [one for one in map(followed.subject.find, accounts) if one is not None]
    return found[-1].caller.arn if found else None


def _told(teller: Teller, statement: InForce) -> Answer:
    """A statement with the grants behind it, and its own words: Action, Resource, Condition."""
    written = orjson.loads(statement.text)
    words = {name: value for name, value in written.items() if name not in ("Sid", "Effect")}
    return {**teller.statement(statement.match), "statement": words}


@lru_cache(maxsize=8_192)
def _written(policy: Policy, index: int) -> bytes:
    told = policy.document.get("Statement")
    written: Mapping[str, Any] = told[index] if isinstance(told, list) else told or {}
    return orjson.dumps(written)


@lru_cache(maxsize=8_192)
def overlap(one: str, other: str) -> bool:
    """Whether some text is like both patterns."""
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        i, j = todo.pop()
        if i == len(one) and j == len(other):
            return True
        here, there = one[i : i + 1], other[j : j + 1]
        if here == "*" or there == "*":  # a star ends, or takes a character of the other
            steps = [(i + 1, j)] * bool(here) + [(i, j + 1)] * bool(there)
        elif here and there and (here == there or "?" in (here, there)):
            steps = [(i + 1, j + 1)]
        else:
            continue
        for step in steps:
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return False
