"""Which roles a principal could come to, transitively, in all accounts of the ledger: as far as policies let it.

From role to role a session must be allowed by its own policies and by the role's trust policy; the engine judges
each hop. Roles are looked up by whom their trust policies name, so that most pairs are never judged.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from ledger.account.entities import Role
from ledger.policy.decision import Effect, Unknown, UnknownKind
from ledger.policy.document import Statement, compile_policy
from ledger.policy.patterns import WILD, test_of
from ledger.policy.request import account_in
from projections.permissions.judging import Judgement
from projections.permissions.reach.standing import Standing, WholeWorld

ASSUME = "sts:AssumeRole"
_ASSUME = ASSUME.lower()


@dataclass(frozen=True, slots=True)
class Hop:
    """From one principal to a role. `unknown` is what would have to be known to be sure of the hop."""

    source: str
    role_arn: str
    judgement: Judgement
    unknown: tuple[Unknown, ...]

    @property
    def certain(self) -> bool:
        return not self.unknown


@dataclass(frozen=True, slots=True)
class Reached:
    """A role, and the hops that lead to it; the surest and then the shortest way there is."""

    role_arn: str
    hops: tuple[Hop, ...]
    standing: Standing | None  # None: the role is not known to the ledger

    @property
    def certain(self) -> bool:
        return all(hop.certain for hop in self.hops)


class Roles:
    """All roles of the ledger at a moment, by whom their trust policies speak of."""

    def __init__(self, world: WholeWorld) -> None:
        self.world = world
        self.by_arn: dict[str, tuple[Role, str]] = {}
        self.risks: dict[str, str] = {}  # of those that were looked at, by ARN; `access` finds them out
        self._naming: dict[str, list[str]] = {}  # a principal's ARN or unique id to the roles that name it
        self._delegating: dict[str, list[str]] = {}  # an account to the roles that leave it to its policies
        self._open: list[str] = []  # roles that name anyone, or all but some
        self._untold: list[str] = []  # roles whose trust policy is not known
        for account_id in sorted(world.known):
            account = world.whole(account_id)
            assert account is not None
            for role in account.roles.values():
                self.by_arn[role.arn] = (role, account_id)
                self._file(role)

    def _file(self, role: Role) -> None:
        if role.trust is None or isinstance(role.trust.document, str):
            self._untold.append(role.arn)
            return
        for statement in compile_policy(role.trust.document).about(_ASSUME):
            if statement.effect is not Effect.ALLOW or statement.principals is None:
                continue
            if statement.all_principals_but or statement.principals.anyone:
                self._open.append(role.arn)
                continue
            for arn in statement.principals.arns:
                self._naming.setdefault(arn, []).append(role.arn)
            for account_id in statement.principals.accounts:
                self._delegating.setdefault(account_id, []).append(role.arn)

    def knows(self, unique_id: str) -> bool:
        """Whether an account of the ledger has the user or role of that unique id."""
        accounts = (self.world.whole(account_id) for account_id in self.world.known)
        return any(it is not None and (unique_id in it.users or unique_id in it.roles) for it in accounts)

    def of_service(self, account_id: str, service: str) -> Iterator[tuple[str, tuple[Unknown, ...]]]:
        """The account's roles that a service may assume, and where that is not known, that it is not."""
        account = self.world.whole(account_id)
        for role in () if account is None else sorted(account.roles.values(), key=lambda one: one.arn):
            if role.trust is None or isinstance(role.trust.document, str):
                yield role.arn, (Unknown(UnknownKind.TRUST_POLICY, role.arn),)
            elif any(
                statement.effect is Effect.ALLOW
                and statement.principals is not None
                and service in statement.principals.others
                for statement in compile_policy(role.trust.document).about(_ASSUME)
            ):
                yield role.arn, ()

    def candidates(self, standing: Standing) -> list[str]:
        """The roles that the principal may perhaps assume: named by the trust, and where need be by its policies."""
        caller = standing.caller
        names = [name for name in (caller.arn, caller.role_arn, caller.unique_id) if name is not None]
        direct = [arn for name in names for arn in self._naming.get(name, ())]
        delegated = [*self._delegating.get(caller.account_id or "", ()), *self._untold]
        found = {*direct, *self._open, *_among(standing, delegated), *_named(standing)}
        return sorted(found)


def reached(roles: Roles, start: Standing) -> list[Reached]:
    """Every role that can be come to from `start`; what is certain first, then what takes fewer hops.

    Root of an account can assume none (AWS STS API reference, AssumeRole).
    """
    if start.is_root:
        return []
    order = count()
    found: dict[str, Reached] = {}
    done = {start.caller.role_arn}
    waiting: list[tuple[bool, int, int, Standing, tuple[Hop, ...]]] = []
    waiting.append((False, 0, next(order), start, ()))
    best: dict[str, tuple[bool, int]] = {}
    while waiting:
        doubtful, depth, _, standing, hops = heapq.heappop(waiting)
        if hops:
            arn = hops[-1].role_arn
            if arn in done:
                continue
            done.add(arn)
            known = arn in roles.by_arn
            found[arn] = Reached(arn, hops, standing if known else None)
            if not known:
                continue
        for arn in roles.candidates(standing):
            if arn in done or best.get(arn, (True, depth + 2)) <= (doubtful, depth + 1):
                continue
            hop = judged_hop(standing, arn)
            if hop is None:
                continue
            rank = (doubtful or not hop.certain, depth + 1)
            if rank < best.get(arn, (True, depth + 2)):
                best[arn] = rank
                entry = roles.by_arn.get(arn)
                there = standing if entry is None else roles.world.standing_of(*entry)
                heapq.heappush(waiting, (*rank, next(order), there, (*hops, hop)))
    return sorted(found.values(), key=lambda one: (not one.certain, len(one.hops), one.role_arn))


def judged_hop(standing: Standing, role_arn: str) -> Hop | None:
    """The hop, if it is allowed, or might be if more were known; None where it is not."""
    judgement = standing.judge(ASSUME, role_arn)
    decision = judgement.decision
    untold_trust = judgement.trust is None and decision.missing in (("resource",), ("trust",))
    if not (decision.allowed or decision.unknown or untold_trust):
        return None
    # The policy of a role as a resource is its trust policy, which is told of by itself.
    unknown = tuple(one for one in judgement.unknown if one.kind is not UnknownKind.RESOURCE_POLICY)
    return Hop(standing.caller.arn, role_arn, judgement, unknown)


def _among(standing: Standing, arns: list[str]) -> Iterator[str]:
    """Those of the roles that a statement of the principal's own policies may let it assume."""
    if not arns:
        return
    exact: set[str] = set()
    patterns: list[str] = []
    for statement in _allowing(standing):
        if statement.resources is None or statement.all_resources_but or statement.resource_keys:
            patterns.append("*")
            continue
        for resource in statement.resources:
            (patterns.append if WILD.search(resource) else exact.add)(resource)
    test = test_of(patterns) if patterns else exact.__contains__
    for arn in arns:
        if test is None or arn in exact or test(arn):
            yield arn


def _named(standing: Standing) -> Iterator[str]:
    """Roles of accounts whose logs are not here, or that no record told of, that a statement names in full."""
    for statement in _allowing(standing):
        if statement.all_resources_but or statement.resource_keys:
            continue
        for resource in statement.resources or ():
            if not WILD.search(resource) and ":role/" in resource and account_in(resource):
                yield resource


def beyond(standings: Iterable[Standing]) -> list[str]:
    """Patterns of roles that these may assume in accounts whose logs are not here, if those let them."""
    found: dict[str, None] = {}
    for standing in standings:
        for statement in _allowing(standing):
            if statement.all_resources_but:
                found["*"] = None
            for resource in statement.resources or () if not statement.all_resources_but else ():
                account_id = account_in(resource)
                if WILD.search(resource) and (account_id is None or account_id not in standing.world.known):
                    found[resource] = None
    return list(found)


def _allowing(standing: Standing) -> Iterator[Statement]:
    """The statements of the principal's own that may allow it to assume some role."""
    for *_, statement in standing.entitlement.identity.about(_ASSUME):
        if statement.effect is Effect.ALLOW:
            yield statement
