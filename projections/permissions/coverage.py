"""What of the policies was needed: for each statement that was in force, the calls that it decided.

Within a layer (identity policies, boundary, trust policy) any one statement is enough. So a statement decided an
allowed call if no other of its layer allowed it too; else the layer's statements shared the call, and each of them
alone could have gone. A statement that denies is counted by the calls that it refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa

from ledger.account.account import Account
from ledger.account.entities import Group, ManagedPolicy, Ref, Role, User
from ledger.entry import Entry
from ledger.log.schema import accounts, entries
from ledger.policy.decision import Effect, Grant, Layer, Match, Source, Verdict
from ledger.policy.entitlements import group_policies, trust_of
from ledger.policy.evaluation import PolicySet
from projections.permissions.accounts import PastAccounts
from projections.permissions.authorization import Authorization, Authorizations, outcome_of
from projections.permissions.remembering import RememberedJudging
from projections.permissions.replaying import END_OF_TIME, Moved, Walk, access_keys, seconds
from projections.sessions import Sessions

COUNTED = frozenset({Layer.IDENTITY, Layer.BOUNDARY, Layer.TRUST})
PolicyKey = tuple[str, Layer, str, str, str | int | None]
"""Account, layer, ARN or holder, name, and the version; of what has none, the entry that wrote the text."""


@dataclass(slots=True)
class Statement:
    """A statement and its use. `possible` counts calls of which it can't be told whether it matched them."""

    source: Source
    index: int
    sid: str | None
    effect: Effect
    grants: dict[Grant, None] = field(default_factory=dict)
    decisive: int = 0
    shared: int = 0
    possible: int = 0
    last: int | None = None  # seconds since 1970

    @property
    def use(self) -> str:
        return "decisive" if self.decisive else "shadowed" if self.shared else "never"


class Coverage:
    """One walk over the log, counting."""

    def __init__(self, past: PastAccounts, sessions: Sessions, since: int) -> None:
        self.statements: dict[tuple[PolicyKey, int], Statement] = {}
        self.in_force: set[PolicyKey] = set()  # at the end
        self.calls = 0
        self.unexplained = 0  # AWS allowed them, and no known policy does
        self._past = past
        self._since = since
        self._walk = Walk(past, since)
        self._authorizations = Authorizations(past, sessions, RememberedJudging())

    def count(self, until: int, account: str | None) -> None:
        """Walk up to and without `until`, counting the calls of one account's log or of all."""
        self._enter_all(self._since)
        time = self._since
        calls = None if account is None else _calls_of(account)
        for second in seconds(self._past.log, since=self._since, until=until, calls=calls):
            time = second.time
            moved = self._walk.through(second)
            self._enter_moved(moved)
            self._authorizations.opened.learn(access_keys(second.calls))
            for entry in second.calls:
                self._count(entry, self._authorizations.within(moved.world(entry), entry))
        self.in_force = self._enter_all(min(until - 1, time) if until < END_OF_TIME else time)

    # ---- what is in force

    def _enter_all(self, at: int) -> set[PolicyKey]:
        found: set[PolicyKey] = set()
        for account in self._walk.ends.values():
            holders = (*account.users.values(), *account.roles.values(), *account.groups.values())
            for holder in holders:
                found |= self._enter(account, holder, at)
        return found

    def _enter_moved(self, moved: Moved) -> None:
        """What came into force in a second, be it only for a moment."""
        for stepped in moved.stepped.values():
            for step in stepped.steps:
                for holder in _concerned(step.account, step.account.touched):
                    self._enter(step.account, holder, moved.time)

    def _enter(self, account: Account, holder: User | Role | Group, at: int) -> set[PolicyKey]:
        found: set[PolicyKey] = set()
        for policies in self._sets(account, holder, at):
            for policy, source in policies.entries:
                found.add(policy_key(source))
                for one in policy.statements:
                    self._statement(source, one.index, one.sid, one.effect)
        return found

    def _sets(self, account: Account, holder: User | Role | Group, at: int) -> Iterator[PolicySet]:
        if isinstance(holder, Group):
            yield group_policies(account, holder, at)
            return
        entitlement = self._authorizations.entitlements.of(account, holder, at)
        yield entitlement.identity
        if entitlement.boundary is not None:
            yield entitlement.boundary
        if isinstance(holder, Role) and (trust := trust_of(holder, account.id)[0]) is not None:
            yield trust

    def _statement(self, source: Source, index: int, sid: str | None, effect: Effect) -> Statement:
        key = (policy_key(source), index)
        statement = self.statements.get(key)
        if statement is None:
            statement = self.statements[key] = Statement(source, index, sid, effect)
        for way in source.ways:
            statement.grants.update(dict.fromkeys(way))
        return statement

    # ---- what is needed

    def _count(self, entry: Entry, asked: Iterable[Authorization]) -> None:
        outcome = outcome_of(entry)
        decisive: dict[int, Statement] = {}
        shared: dict[int, Statement] = {}
        explained = True
        for one in asked:
            decision = one.decision
            if decision is None or outcome is None:
                continue
            for match in decision.possible:
                if match.source.layer in COUNTED:
                    self._of(match).possible += 1
            if outcome and not decision.allowed:
                explained = False
            deciding = Effect.ALLOW if outcome else Effect.DENY
            if outcome is decision.allowed and (outcome or decision.verdict is Verdict.EXPLICIT_DENY):
                for together in _layers(decision.statements, deciding):
                    found = {id(statement := self._of(match)): statement for match in together}
                    (decisive if len(found) == 1 else shared).update(found)
        self.calls += 1
        self.unexplained += not explained
        for number, statement in (shared | decisive).items():
            statement.last = entry.time
            if number in decisive:
                statement.decisive += 1
            else:
                statement.shared += 1

    def _of(self, match: Match) -> Statement:
        return self._statement(match.source, match.index, match.sid, match.effect)


def policy_key(source: Source) -> PolicyKey:
    """What makes a policy's text one and the same, whoever it reaches."""
    way = source.ways[0]
    if source.layer is Layer.TRUST or source.arn is None:
        return way[0].account, source.layer, way[0].holder, source.name, way[0].made_by
    return way[-1].account, source.layer, source.arn, source.name, source.version


def _layers(matches: Iterable[Match], effect: Effect) -> Iterator[list[Match]]:
    """The statements of that effect, layer by layer; a denial counts whatever layer it is of."""
    found: dict[Layer | None, list[Match]] = {}
    for match in matches:
        if match.effect is effect and match.source.layer in COUNTED:
            found.setdefault(match.source.layer if effect is Effect.ALLOW else None, []).append(match)
    yield from found.values()


def _concerned(account: Account, touched: Iterable[Ref]) -> Iterator[User | Role | Group]:
    """Those whose policies may be others since these entities changed."""
    for ref in touched:
        entity = account.get(*ref)
        if isinstance(entity, User | Role | Group):
            yield entity
        elif isinstance(entity, ManagedPolicy):
            yield from account.holders_of(entity.arn)


def _calls_of(account_id: str) -> sa.ColumnElement[bool]:
    number = sa.select(accounts.c.id).where(accounts.c.account_id == account_id).scalar_subquery()
    return entries.c.account == number
