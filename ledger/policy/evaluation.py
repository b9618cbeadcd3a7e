"""The evaluation: which statements of all policies in force match a request, and what they come to together.

Source: IAM user guide, "Policy evaluation logic" with its pages for one account and for two, for permissions
boundaries and for session policies; `docs/policies.md` tells the rules in the order in which they are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from ledger.policy.conditions import Holds
from ledger.policy.decision import (
    Decision,
    Effect,
    Layer,
    Match,
    Source,
    Through,
    Unknown,
    UnknownKind,
    Verdict,
)
from ledger.policy.document import DynamicTest, Policy, Statement
from ledger.policy.patterns import Test
from ledger.policy.request import CallerKind, Request

NEEDS_NO_PERMISSION = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})
ALLOW, DENY = 32, 64  # beside the bits of `Through`
THROUGH = 31
ITSELF, ANYONE = int(Through.ITSELF), int(Through.ANYONE)
INSTEAD = int(Through.ROLE | Through.ANYONE)  # of the caller's identity policies

Candidate = tuple[Test | None, DynamicTest | None, tuple[Holds, ...], int, Match, Statement]
"""A statement about an action: what of the resource and of the context must hold, and what it then says."""


class PolicySet:
    """The policies of one layer: any of their statements may allow, and any may deny."""

    __slots__ = ("_about", "_of_any_service", "_of_service", "entries")

    def __init__(self, entries: Iterable[tuple[Policy, Source]]) -> None:
        self.entries = tuple(entries)
        self._about: dict[str, tuple[Candidate, ...]] = {}
        self._of_service: dict[str, list[tuple[Policy, Source]]] = {}
        self._of_any_service: list[tuple[Policy, Source]] = []
        for entry in self.entries:
            services = entry[0].services
            if services is None:
                for those in (self._of_any_service, *self._of_service.values()):
                    those.append(entry)
            else:
                for service in services:
                    if service not in self._of_service:
                        self._of_service[service] = list(self._of_any_service)
                    self._of_service[service].append(entry)

    def about(self, action: str) -> tuple[Candidate, ...]:
        """The statements whose actions include this one (in lower case)."""
        found = self._about.get(action)
        if found is None:
            service = action.partition(":")[0]
            found = self._about[action] = tuple(
                (
                    statement.resource_test,
                    statement.dynamic_test,
                    statement.holds,
                    ALLOW if statement.effect is Effect.ALLOW else DENY,
                    Match(source, statement.index, statement.sid, statement.effect),
                    statement,
                )
                for policy, source in self._of_service.get(service, self._of_any_service)
                for statement in policy.about(action)
            )
        return found


NO_POLICIES = PolicySet(())


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies in force for a request. None is a layer that there is not, and that so does not limit.

    `trust`: the resource's policy is a role's trust policy (or a key policy of KMS), without which nothing is
    allowed. Each level of control policies must allow by itself.
    """

    identity: PolicySet = NO_POLICIES
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    resource: PolicySet | None = None
    trust: bool = False
    service_controls: tuple[PolicySet, ...] = ()
    resource_controls: tuple[PolicySet, ...] = ()


class _Said(NamedTuple):
    """What each layer said, in bits: ALLOW, DENY, and through which entries the resource's policy names the caller.

    None where a layer has nothing to say to the caller.
    """

    identity: int | None
    boundary: int | None
    session: int | None
    resource: int | None
    service_controls: tuple[int, ...]
    resource_controls: tuple[int, ...]


def evaluate(request: Request, policies: Policies) -> Decision:
    """The decision on a request under these policies, with every statement that matched."""
    if request.known is not None or request.resource is None:
        return _evaluate_partly(request, policies)
    matched: list[Match] = []
    said = _ask(request, policies, partial(_match, request, request.resource, matched))
    verdict, missing = _settle(request, said, trust=policies.trust)
    return Decision(verdict, tuple(matched), missing)


def _ask(request: Request, policies: Policies, match: Callable[[PolicySet], int]) -> _Said:
    """What the layers say that apply to the caller, asked in the order in which they are told."""
    caller = request.caller
    identity = boundary = session = resource = None
    service_controls: tuple[int, ...] = ()
    resource_controls: tuple[int, ...] = ()
    if caller.account_id is not None and caller.kind is not CallerKind.ROOT:
        identity = match(policies.identity)
        if policies.boundary is not None:
            boundary = match(policies.boundary)
        if policies.session is not None:
            session = match(policies.session)
    if policies.resource is not None:
        resource = match(policies.resource)
    if (policies.service_controls or policies.resource_controls) and not caller.service_linked:
        if caller.account_id is not None:
            service_controls = tuple(map(match, policies.service_controls))
        if caller.kind is not CallerKind.SERVICE:
            resource_controls = tuple(map(match, policies.resource_controls))
    return _Said(identity, boundary, session, resource, service_controls, resource_controls)


def _match(request: Request, resource: str, matched: list[Match], policies: PolicySet) -> int:
    """What the statements that match say, in bits; the statements are added to `matched`."""
    bits, values = 0, request.values
    for resource_test, dynamic_test, clauses, says, match, statement in policies.about(request.action):
        if resource_test is not None and not resource_test(resource):
            continue
        if dynamic_test is not None and not dynamic_test(resource, values):
            continue
        for holds in clauses:
            if not holds(values):
                break
        else:
            if statement.principals is not None:
                through = statement.through(request.caller, values)
                if not through:
                    continue
                if says == ALLOW:
                    bits |= through
            matched.append(match)
            bits |= says
    return bits


def _settle(request: Request, said: _Said, *, trust: bool) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and for an implicit denial the layers that had to allow and did not."""
    identity, boundary, session, resource, service_controls, resource_controls = said
    if request.action in NEEDS_NO_PERMISSION:
        return Verdict.ALLOWED, ()
    if ((identity or 0) | (boundary or 0) | (session or 0) | (resource or 0)) & DENY:
        return Verdict.EXPLICIT_DENY, ()
    for bits in (*service_controls, *resource_controls):
        if bits & DENY:
            return Verdict.EXPLICIT_DENY, ()
    kind, across = request.caller.kind, request.cross_account
    through = (resource or 0) & THROUGH
    missing = []
    if trust and not through and not across:
        # whether anything else had to allow depends on how the trust policy would have named the caller
        missing.append(str(Layer.TRUST))
    else:
        instead = not across and through & INSTEAD
        alone = not across and (through & ITSELF or (through & ANYONE and kind is CallerKind.USER))
        if not alone:
            if identity is not None and not identity & ALLOW and not instead:
                missing.append(str(Layer.IDENTITY))
            if boundary is not None and not boundary & ALLOW:
                missing.append(str(Layer.BOUNDARY))
            if session is not None and not session & ALLOW:
                missing.append(str(Layer.SESSION))
        if not through and (across or kind in (CallerKind.SERVICE, CallerKind.ANONYMOUS)):
            missing.append(str(Layer.TRUST if trust else Layer.RESOURCE))
    for layer, levels in (
        (Layer.SERVICE_CONTROL, service_controls),
        (Layer.RESOURCE_CONTROL, resource_controls),
    ):
        for level, bits in enumerate(levels):
            if not bits & ALLOW:
                missing.append(f"{layer}:{level}")
    return (Verdict.IMPLICIT_DENY, tuple(missing)) if missing else (Verdict.ALLOWED, ())


# ---- where not everything is known


@dataclass(slots=True)
class _Doubts:
    """Statements of which it can't be told whether they match, each with what would have to be known."""

    about: dict[int, frozenset[Unknown]] = field(default_factory=dict)  # by the match's id
    matches: list[Match] = field(default_factory=list)


def _evaluate_partly(request: Request, policies: Policies) -> Decision:
    """The decision where keys or the resource are not known: they count as absent, and `unknown` says if it matters.

    It matters where the verdict is not the same for the worst and for the best that could be.
    """
    matched: list[Match] = []
    doubts = _Doubts()
    for policy_set in _sets(policies):
        for candidate in policy_set.about(request.action):
            unknown = _unknown_of(request, candidate)
            if unknown:
                doubts.about[id(candidate[4])] = unknown
                doubts.matches.append(candidate[4])
    said = _ask(request, policies, partial(_match, request, request.resource or "", matched))
    verdict, missing = _settle(request, said, trust=policies.trust)
    if not doubts.about:
        return Decision(verdict, tuple(matched), missing)
    outcomes = {
        _settle(request, _ask(request, policies, supposing), trust=policies.trust)[0]
        for supposing in (
            partial(_match_supposing, request, doubts, ALLOW),
            partial(_match_supposing, request, doubts, DENY),
        )
    }
    certain = outcomes == {verdict}
    said_of = {id(match) for match in matched}
    return Decision(
        verdict,
        tuple(matched),
        missing,
        () if certain else tuple(sorted(frozenset().union(*doubts.about.values()))),
        tuple(match for match in doubts.matches if id(match) not in said_of),
        verdict is not Verdict.ALLOWED and Verdict.ALLOWED in outcomes,
    )


def _sets(policies: Policies) -> Iterator[PolicySet]:
    yield policies.identity
    for one in (policies.boundary, policies.session, policies.resource):
        if one is not None:
            yield one
    yield from policies.service_controls
    yield from policies.resource_controls


def _match_supposing(request: Request, doubts: _Doubts, supposed: int, policies: PolicySet) -> int:
    """What the layer says if of the doubtful statements those that say `supposed` match, and no others."""
    bits, values, resource = 0, request.values, request.resource or ""
    for resource_test, dynamic_test, clauses, says, match, statement in policies.about(request.action):
        if id(match) in doubts.about:
            if says != supposed:
                continue
        elif (
            (resource_test is not None and not resource_test(resource))
            or (dynamic_test is not None and not dynamic_test(resource, values))
            or not all(holds(values) for holds in clauses)
        ):
            continue
        if statement.principals is not None:
            through = statement.through(request.caller, values)
            if not through:
                continue
            if says == ALLOW:
                bits |= through
        bits |= says
    return bits


def _unknown_of(request: Request, candidate: Candidate) -> frozenset[Unknown]:
    """What would have to be known to tell whether the statement matches; nothing where that can be told."""
    resource_test, dynamic_test, _, _, _, statement = candidate
    unknown: set[Unknown] = set()
    if dynamic_test is not None and (keys := _untold(request, statement.resource_keys)):
        unknown |= keys
    elif request.resource is None:
        if resource_test is not None or dynamic_test is not None:
            unknown.add(Unknown(UnknownKind.RESOURCE, request.action))
    elif (resource_test is not None and not resource_test(request.resource)) or (
        dynamic_test is not None and not dynamic_test(request.resource, request.values)
    ):
        return frozenset()
    for clause in statement.clauses:
        keys = _untold(request, clause.keys)
        if keys:
            unknown |= keys
        elif not clause.holds(request.values):
            return frozenset()
    if statement.principals is not None and not statement.through(request.caller, request.values):
        return frozenset()
    return frozenset(unknown)


def _untold(request: Request, keys: Iterable[str]) -> set[Unknown]:
    known, values = request.known, request.values
    if known is None:
        return set()
    return {Unknown(UnknownKind.CONDITION_KEY, key) for key in keys if key not in values and not known(key)}
