"""The evaluation: which statements of all policies in force match a request, and what they come to together.

Source: IAM user guide, "Policy evaluation logic" with its pages for one account and for two, for permissions
boundaries and for session policies; `docs/policies.md` tells the rules in the order in which they are followed.

What the statements say of a request is gathered in bits, and each combination of bits is settled once. Where none of
them asks for more than action and resource, the decision is kept for whoever asks the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
from ledger.policy.document import Policy, Statement
from ledger.policy.memory import Memory
from ledger.policy.patterns import Test
from ledger.policy.request import Caller, CallerKind, Request

NEEDS_NO_PERMISSION = frozenset({"sts:getcalleridentity", "sts:getsessiontoken"})
ITSELF, ANYONE = int(Through.ITSELF), int(Through.ANYONE)
INSTEAD = int(Through.ROLE | Through.ANYONE)  # of the caller's identity policies

# What is said of a request, in bits: through which entries the resource's policy names the caller; that something
# denies; and for each layer, in the order in which they are told, that it allows.
THROUGH, DENIED = 31, 32
IDENTITY, BOUNDARY, SESSION, RESOURCE, CONTROLS = 64, 128, 256, 512, 1024
OWN = IDENTITY | BOUNDARY | SESSION

SERVICES_KEPT_MAX = 1_024
CALLERS_KEPT_MAX = 1_024
_ANSWERS = Memory(65_536)

Candidate = tuple[Test | None, Test | None, bool, Match, Statement]
"""A statement about a service: the tests of an action, and of a resource where it is always the same; whether it
allows. There is no test where all pass."""


class PolicySet:
    """The policies of one layer: any of their statements may allow, and any may deny."""

    __slots__ = ("_of_service", "entries")

    def __init__(self, entries: Iterable[tuple[Policy, Source]]) -> None:
        self.entries = tuple(entries)
        self._of_service: dict[str, tuple[Candidate, ...]] = {}

    def about(self, action: str) -> list[Candidate]:
        """The statements whose actions include this one (in lower case)."""
        candidates = self.of_service(action.partition(":")[0])
        return [one for one in candidates if one[0] is None or one[0](action)]

    def of_service(self, service: str) -> tuple[Candidate, ...]:
        """The statements that speak of actions of the service."""
        found = self._of_service.get(service)
        if found is None:
            if len(self._of_service) >= SERVICES_KEPT_MAX:  # so many there are only if somebody makes them up
                self._of_service.clear()
            found = self._of_service[service] = tuple(self._find(service))
        return found

    def _find(self, service: str) -> Iterator[Candidate]:
        allow = Effect.ALLOW  # members of an enumeration are slow to find
        for policy, source in self.entries:
            if policy.broad or service in policy.services:
                for statement, test in policy.of_service(service):
                    match = Match(source, statement.index, statement.sid, statement.effect)
                    yield test, statement.resource_test, statement.effect is allow, match, statement


NO_POLICIES = PolicySet(())


@dataclass(frozen=True, slots=True, eq=False)
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
    _ready: dict[Caller, _Ready] = field(default_factory=dict, init=False, repr=False)

    def ready_for(self, caller: Caller) -> _Ready:
        found = self._ready.get(caller)
        if found is None:
            if len(self._ready) >= CALLERS_KEPT_MAX:
                self._ready.clear()
            found = self._ready[caller] = _Ready(caller, self)
        return found


class _Ready:
    """Policies made ready for a caller: the layers that apply, each with its bit and name, as they are told."""

    __slots__ = ("_kind", "_settled", "_trust", "answers", "layers", "sets")

    def __init__(self, caller: Caller, policies: Policies) -> None:
        self.layers = tuple(_applying(caller, policies))
        self.sets = tuple((layer, policy_set) for layer, _, policy_set in self.layers if policy_set.entries)
        self.answers: dict[tuple[str, str, str | None], Decision] = {}
        self._kind = caller.kind
        self._trust = policies.trust
        self._settled: dict[int, tuple[Verdict, tuple[str, ...]]] = {}

    def decision(self, request: Request, bits: int, matched: list[Match]) -> Decision:
        """What comes of what was said."""
        if request.action in NEEDS_NO_PERMISSION:
            return Decision(Verdict.ALLOWED, tuple(matched), ())
        across = request.cross_account
        said = bits << 1 | across
        settled = self._settled.get(said)
        if settled is None:
            settled = self._settled[said] = self._settle(bits, across)
        verdict, missing = settled
        return Decision(verdict, tuple(matched), missing)

    def _settle(self, bits: int, across: bool) -> tuple[Verdict, tuple[str, ...]]:
        """The verdict, and for an implicit denial the layers that had to allow and did not."""
        if bits & DENIED:
            return Verdict.EXPLICIT_DENY, ()
        through, kind = bits & THROUGH, self._kind
        allowed = bits & ~RESOURCE
        if through or not (across or self._trust or kind in (CallerKind.SERVICE, CallerKind.ANONYMOUS)):
            allowed |= RESOURCE
        if not across:
            if through & ITSELF or (through & ANYONE and kind is CallerKind.USER):
                allowed |= OWN
            elif through & INSTEAD:
                allowed |= IDENTITY
            elif self._trust and not through:
                # whether anything else had to allow depends on how the trust policy would have named the caller
                allowed |= OWN
        missing = tuple([name for layer, name, _ in self.layers if not allowed & layer])
        return (Verdict.IMPLICIT_DENY, missing) if missing else (Verdict.ALLOWED, ())


def _applying(caller: Caller, policies: Policies) -> Iterator[tuple[int, str, PolicySet]]:
    if caller.account_id is not None and caller.kind is not CallerKind.ROOT:
        yield IDENTITY, str(Layer.IDENTITY), policies.identity
        if policies.boundary is not None:
            yield BOUNDARY, str(Layer.BOUNDARY), policies.boundary
        if policies.session is not None:
            yield SESSION, str(Layer.SESSION), policies.session
    resources = Layer.TRUST if policies.trust else Layer.RESOURCE
    yield RESOURCE, str(resources), policies.resource or NO_POLICIES
    if caller.service_linked:
        return
    bit = CONTROLS
    for layer, levels, apply in (
        (Layer.SERVICE_CONTROL, policies.service_controls, caller.account_id is not None),
        (Layer.RESOURCE_CONTROL, policies.resource_controls, caller.kind is not CallerKind.SERVICE),
    ):
        for level, policy_set in enumerate(levels if apply else ()):
            yield bit, f"{layer}:{level}", policy_set
            bit <<= 1


def evaluate(request: Request, policies: Policies) -> Decision:
    """The decision on a request under these policies, with every statement that matched."""
    action, resource = request.action, request.resource
    if resource is None:
        return _evaluate_partly(request, policies)
    ready = policies.ready_for(request.caller)
    question = action, resource, request.owner
    kept = ready.answers.get(question)
    if kept is not None:
        return kept
    service = action.partition(":")[0]
    bits, conditional = 0, False
    matched: list[Match] = []
    for layer, policy_set in ready.sets:
        for of_action, of_resource, allows, match, statement in policy_set.of_service(service):
            if (of_action is None or of_action(action)) and (of_resource is None or of_resource(resource)):
                if statement.conditional:
                    if request.known is not None:
                        return _evaluate_partly(request, policies)
                    conditional, values = True, request.values
                    if not statement.holds(resource, values):
                        continue
                    if statement.principals is not None:
                        through = statement.through(request.caller, values)
                        if not through:
                            continue
                        if allows and layer == RESOURCE:
                            bits |= int(through)
                bits |= layer if allows else DENIED
                matched.append(match)
    decision = ready.decision(request, bits, matched)
    return decision if conditional else _ANSWERS.keep(ready.answers, question, decision)


# ---- where not everything is known


def _evaluate_partly(request: Request, policies: Policies) -> Decision:
    """The decision where keys or the resource are not known: they count as absent, and `unknown` says if it matters.

    It matters where the verdict is not the same for the worst and for the best that could be.
    """
    ready = policies.ready_for(request.caller)
    candidates = [
        (layer, one) for layer, policy_set in ready.sets for one in policy_set.about(request.action)
    ]
    doubts = {id(one[3]): unknown for _, one in candidates if (unknown := _unknown_of(request, one))}
    matching = [(layer, one) for layer, one in candidates if _matches(request, one)]
    told = ready.decision(request, *_said(request, matching))
    if not doubts:
        return told
    outcomes = set()
    for supposed in Effect:  # of the doubtful statements those that say this match, and no others
        supposing = [
            (layer, one)
            for layer, one in candidates
            if (one[3].effect is supposed if id(one[3]) in doubts else _matches(request, one))
        ]
        outcomes.add(ready.decision(request, *_said(request, supposing)).verdict)
    certain = outcomes == {told.verdict}
    said_of = set(map(id, told.statements))
    return Decision(
        told.verdict,
        told.statements,
        told.missing,
        () if certain else tuple(sorted(frozenset().union(*doubts.values()))),
        tuple(one[3] for _, one in candidates if id(one[3]) in doubts and id(one[3]) not in said_of),
        told.verdict is not Verdict.ALLOWED and Verdict.ALLOWED in outcomes,
    )


def _said(request: Request, candidates: Iterable[tuple[int, Candidate]]) -> tuple[int, list[Match]]:
    """What the statements say together, in bits, of those that speak of the caller; and which they are."""
    bits, matched = 0, []
    for layer, (*_, allows, match, statement) in candidates:
        if statement.principals is not None:
            through = statement.through(request.caller, request.values)
            if not through:
                continue
            if allows and layer == RESOURCE:
                bits |= int(through)
        bits |= layer if allows else DENIED
        matched.append(match)
    return bits, matched


def _matches(request: Request, candidate: Candidate) -> bool:
    """Whether resource and context are as the statement asks."""
    _, of_resource, *_, statement = candidate
    resource = request.resource or ""
    return (of_resource is None or bool(of_resource(resource))) and statement.holds(resource, request.values)


def _unknown_of(request: Request, candidate: Candidate) -> frozenset[Unknown]:
    """What would have to be known to tell whether the statement matches; nothing where that can be told."""
    _, resource_test, *_, statement = candidate
    dynamic_test = statement.dynamic_test
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
