"""When somebody became able to do something, and when no longer: a question judged at each moment that may matter.

What a principal may do changes with the entities that it rests on, with AWS's own policies, and with the times that
conditions name. It is judged anew after these, and nowhere else. The state of a second is that at its end; what turned
it is the last event of the second that did.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

from ledger.account.account import Account
from ledger.account.entities import Kind, Ref, Role, User
from ledger.policy.decision import Effect, Layer, Unknown, UnknownKind, Verdict
from ledger.policy.entitlements import Entitlements
from projections.permissions.explaining import told_context
from projections.permissions.judging import Judgement, judge
from projections.permissions.naming import Principal
from projections.permissions.over_time.alarms import Holding, changed_by_aws, next_alarm
from projections.permissions.over_time.courses import Course, Step

FILLED_BY: Mapping[UnknownKind, frozenset[str]] = {
    UnknownKind.EARLIER_GRANTS: frozenset({Layer.IDENTITY}),
    UnknownKind.POLICY_TEXT: frozenset({Layer.IDENTITY, Layer.BOUNDARY}),
    UnknownKind.POLICY_VERSION: frozenset({Layer.IDENTITY, Layer.BOUNDARY}),
    UnknownKind.OTHER_ACCOUNT: frozenset({Layer.IDENTITY}),
    UnknownKind.TRUST_POLICY: frozenset({Layer.TRUST, Layer.RESOURCE}),
}
"""The layers in which something unknown may allow after all."""


class Able(StrEnum):
    """`PERHAPS`: what nobody told decides."""

    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Asked:
    """Each of the actions on the resource (None: not told), all of which somebody must be able to do."""

    actions: tuple[str, ...]
    resource: str | None
    context: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Cause:
    """What turned it: a step of an account; or, without one, the time itself, which AWS's own policies change with."""

    time: int
    account_id: str
    step: Step | None
    concerns: frozenset[Ref] = frozenset()  # of what the step touched
    aws_policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """From `time` on. Nothing is judged where the principal was not there; `cause` is None at the beginning."""

    time: int
    able: Able
    principal: Principal | None
    judged: tuple[Judgement, ...]
    cause: Cause | None


@dataclass(slots=True, eq=False)
class Subject:
    """Whose ability is asked for: `find` gives the principal as it is in an account, or None while it isn't there."""

    account_id: str
    kind: str
    find: Callable[[Account | None], Principal | None]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # condition keys that go with it
    untold: bool = False  # its account's log is not here, and its account would have to allow it too
    name: str | None = None  # where it is not that of the principal
    turns: list[Turn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Spell:
    """From `since` up to and without `until` somebody could, or perhaps could."""

    since: int
    until: int
    able: Able
    principal: Principal
    judged: tuple[Judgement, ...]
    opened: Cause | None
    closed: Cause | None


class MovingWorld:
    """The accounts that are walked through, as they are at the moment."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self.at = 0
        self.accounts = accounts

    def account(self, account_id: str, *named: Any) -> Account | None:
        return self.accounts.get(account_id)


class Walk:
    """Judges subjects over the courses of accounts, second by second, wherever something concerns them."""

    def __init__(self, entitlements: Entitlements, asked: Asked, courses: Mapping[str, Course]) -> None:
        self._entitlements = entitlements
        self._asked = asked
        self._courses = courses
        self._world = MovingWorld({account_id: course.start for account_id, course in courses.items()})
        self._alarms: list[tuple[int, int, Subject]] = []
        self._numbers = 0

    def account(self, account_id: str) -> Account | None:
        return self._world.accounts.get(account_id)

    def begin(self, subject: Subject, at: int, until: int) -> None:
        """Judge a subject at the end of a second, as it is to begin with."""
        able, principal, judged = self._judge(subject, at)
        subject.turns.append(Turn(at, able, principal, judged, None))
        self._set_alarm(subject, judged, at, until)

    def go(self, until: int, concerned: Callable[[list[tuple[str, Step]]], Iterable[Subject]]) -> None:
        """Walk on; `concerned` tells whom the steps of one second, by account, may concern."""
        for second, steps in self._seconds(until):
            before = dict(self._world.accounts)
            for account_id, step in steps:
                self._world.accounts[account_id] = step.after
            woken: dict[Subject, None] = {}
            while self._alarms and self._alarms[0][0] <= second:
                woken[heapq.heappop(self._alarms)[2]] = None
            for subject in dict.fromkeys((*concerned(steps), *woken)):
                able, principal, judged = self._judge(subject, second)
                if able is not (subject.turns[-1].able if subject.turns else Able.NO):
                    if len(steps) == 1 and subject not in woken:  # nothing else can have turned it
                        cause = self._caused(subject, second, *steps[0])
                    else:
                        cause = self._cause(subject, able, second, before, steps)
                    subject.turns.append(Turn(second, able, principal, judged, cause))
                self._set_alarm(subject, judged, second, until)

    def _seconds(self, until: int) -> Iterator[tuple[int, list[tuple[str, Step]]]]:
        """Every second in which there are steps or alarms, in order."""
        walks = (_told(account_id, course) for account_id, course in self._courses.items())
        merged = heapq.merge(*walks, key=lambda told: told[:2])
        for second, told in groupby(merged, key=lambda told: told[0]):
            while self._alarms and self._alarms[0][0] < min(second, until):
                yield self._alarms[0][0], []
            if second >= until:
                return
            yield second, [(account_id, step) for _, account_id, step in told]
        while self._alarms and self._alarms[0][0] < until:
            yield self._alarms[0][0], []

    def _cause(
        self,
        subject: Subject,
        able: Able,
        second: int,
        before: dict[str, Account],
        steps: list[tuple[str, Step]],
    ) -> Cause:
        """The last event of the second that turned the subject to what it is at its end."""
        after = dict(self._world.accounts)
        self._world.accounts.update(before)
        turned = Cause(second, subject.account_id, None, aws_policies=self._changed_by_aws(subject, second))
        last = self._judge(subject, second)[0]
        for account_id, step in steps:
            self._world.accounts[account_id] = step.after
            now = self._judge(subject, second)[0]
            if now is not last and now is able:
                turned = self._caused(subject, second, account_id, step)
            last = now
        self._world.accounts.update(after)
        return turned

    def _judge(self, subject: Subject, at: int) -> tuple[Able, Principal | None, tuple[Judgement, ...]]:
        self._world.at = at
        principal = subject.find(self._world.accounts.get(subject.account_id))
        if principal is None:
            return Able.NO, None, ()
        asked = self._asked
        context = told_context(principal, {**subject.extra, **asked.context}, at)
        judged = tuple(
            judge(
                self._world,
                self._entitlements,
                principal.caller,
                principal.holder,
                action,
                asked.resource,
                context,
            )
            for action in asked.actions
        )
        able = able_by(judged)
        if subject.untold and able is Able.YES:
            able = Able.PERHAPS
        return able, principal, judged

    def _set_alarm(self, subject: Subject, judged: tuple[Judgement, ...], at: int, until: int) -> None:
        if not judged or at + 1 >= until:
            return
        found = next_alarm(self._holding(subject), judged[0].entitlement, judged[0].trust, at)
        if found is not None and found < until:
            self._numbers += 1
            heapq.heappush(self._alarms, (found, self._numbers, subject))

    def _caused(self, subject: Subject, second: int, account_id: str, step: Step) -> Cause:
        """The step, with what it touched of the subject's own, or of the role that is to be assumed."""
        found: set[Ref] = set()
        for account in (step.before, step.after):
            principal = subject.find(account) if account_id == subject.account_id else None
            if principal is not None and principal.entity is not None:
                found.update(rests_on(account, principal.entity))
            for kind, unique_id in step.touched:
                entity = account.get(kind, unique_id)
                if isinstance(entity, Role) and entity.arn == self._asked.resource:
                    found.add((kind, unique_id))
        return Cause(second, account_id, step, frozenset(found.intersection(step.touched)))

    def _changed_by_aws(self, subject: Subject, second: int) -> tuple[str, ...]:
        return changed_by_aws(self._holding(subject), second)

    def _holding(self, subject: Subject) -> Holding:
        """Whose policies a subject has now."""
        account = self._world.accounts.get(subject.account_id)
        principal = subject.find(account)
        return account, None if principal is None else principal.entity


def _told(account_id: str, course: Course) -> Iterator[tuple[int, str, Step]]:
    return ((step.time, account_id, step) for step in course.steps())


def able_by(judged: tuple[Judgement, ...]) -> Able:
    """Whether all that was asked can be done."""
    found = {_able(one) for one in judged}
    if Able.NO in found or not found:
        return Able.NO
    return Able.PERHAPS if Able.PERHAPS in found else Able.YES


def _able(judgement: Judgement) -> Able:
    decision = judgement.decision
    if Unknown(UnknownKind.PRINCIPAL, judgement.request.resource or "") in judgement.unknown:
        return Able.NO  # nobody assumes a role that is not there
    kinds = {unknown.kind for unknown in judgement.unknown}
    if decision.allowed:
        return Able.PERHAPS if UnknownKind.TRUST_POLICY in kinds else Able.YES
    if decision.might_allow:
        return Able.PERHAPS
    if decision.verdict is Verdict.IMPLICIT_DENY:
        filled = {str(match.source.layer) for match in decision.possible if match.effect is Effect.ALLOW}
        filled.update(*(FILLED_BY.get(kind, ()) for kind in kinds))
        if filled.issuperset(decision.missing):
            return Able.PERHAPS
    return Able.NO


def spells(subject: Subject, since: int, until: int) -> list[Spell]:
    """The spells within an interval. What turned at its very beginning is told, what had turned before is not."""
    found: list[Spell] = []
    for number, turn in enumerate(subject.turns):
        following = subject.turns[number + 1] if number + 1 < len(subject.turns) else None
        ends = until if following is None else min(following.time, until)
        begins = max(turn.time, since)
        if turn.able is Able.NO or turn.principal is None or ends <= begins:
            continue
        found.append(
            Spell(
                begins,
                ends,
                turn.able,
                turn.principal,
                turn.judged,
                turn.cause if turn.time >= since else None,
                following.cause if following is not None and following.time < until else None,
            )
        )
    return found


def unknown_of(judged: Iterable[Judgement]) -> list[Unknown]:
    return list(dict.fromkeys(unknown for one in judged for unknown in one.unknown))


def rests_on(account: Account, holder: User | Role) -> Iterator[Ref]:
    """The entities that the policies in force for a user or role come from."""
    yield holder.kind, holder.id
    if isinstance(holder, User):
        yield Kind.SETTINGS, account.id
    arns = dict.fromkeys(holder.attached)
    if holder.boundary is not None:
        arns[holder.boundary.policy_arn] = None
    for group_id in holder.memberships if isinstance(holder, User) else ():
        yield Kind.GROUP, group_id
        group = account.groups.get(group_id)
        if group is not None:
            arns.update(dict.fromkeys(group.attached))
    for arn in arns:
        policy = account.policy(arn)
        if policy is not None:
            yield Kind.POLICY, policy.id
