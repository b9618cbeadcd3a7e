"""Simulation: what policies would answer to calls that nobody makes.

Source: IAM API reference, SimulateCustomPolicy, SimulatePrincipalPolicy, EvaluationResult and ResourceSpecificResult;
the decisions are those of `ledger.policy.evaluation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Call, Moment, anything, decides
from ledger.iam.paging import paged
from ledger.iam.permissions_policies import a_source
from ledger.iam.simulation_request import (
    EVERYTHING,
    Simulation,
    custom_simulation,
    principal_simulation,
)
from ledger.policy.aws_actions import resource_patterns
from ledger.policy.decision import Decision, Effect, Layer, Match, Verdict
from ledger.policy.evaluation import Policies, PolicySet, evaluate
from ledger.policy.places import Span, statement_spans
from ledger.policy.request import Request, request_of
from ledger.policy.session_limits import ALL

TYPES: Final = {
    Layer.IDENTITY: "IAM Policy",
    Layer.RESOURCE: "Resource Policy",
    Layer.BOUNDARY: "Permissions Boundary Policy",
}
"""What AWS's answers call the types of policy; the enumeration in the model of the API is not what AWS sends."""
WORST_FIRST: Final = (Verdict.EXPLICIT_DENY, Verdict.IMPLICIT_DENY, Verdict.ALLOWED)
_PLACE = re.compile(r"\\\$\\\{\w+\\\}")


@decides("iam:SimulateCustomPolicy", on=anything)
def simulate_custom_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return _answer(call, custom_simulation(account, call))


@decides(
    "iam:SimulatePrincipalPolicy",
    on=a_source,
)
def simulate_principal_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return _answer(call, principal_simulation(account, call, moment.time))


def _answer(call: Call, simulation: Simulation) -> Answer:
    """One result for each action; only those of the page are worked out."""
    return Answer(
        paged(
            call,
            "EvaluationResults",
            enumerate(simulation.actions),
            lambda place: f"{place[0]:06}",
            lambda place: _result(simulation, place[1]),
        )
    )


# ---- one action on one resource


@dataclass(frozen=True, slots=True)
class _Outcome:
    """`details` is None within one account, `bounded` where there is no boundary, `organized` where there are no
    control policies.
    """

    resource: str
    verdict: Verdict
    matches: tuple[Match, ...]
    missing: tuple[str, ...]
    details: dict[str, Verdict] | None
    bounded: bool | None
    organized: bool | None


def _outcome(simulation: Simulation, action: str, resource: str) -> _Outcome:
    request = request_of(
        simulation.caller,
        action,
        resource,
        simulation.context,
        resource_account=simulation.owner_of(resource),
    )
    policies = simulation.policies
    decision = evaluate(request, policies)
    organized = _allowed_by_organizations(request, policies)
    stopped = organized is False  # the simulation ends there
    layers = [Layer.IDENTITY, Layer.RESOURCE]
    if policies.boundary is not None:
        layers.append(Layer.BOUNDARY)
    return _Outcome(
        resource=resource,
        verdict=decision.verdict,
        matches=() if stopped else _deciding(decision),
        missing=tuple(_missing(simulation, request)),
        details={TYPES[layer]: _said(decision, layer) for layer in layers}
        if request.cross_account and not stopped
        else None,
        bounded=None if policies.boundary is None else _said(decision, Layer.BOUNDARY) is Verdict.ALLOWED,
        organized=organized,
    )


def _deciding(decision: Decision) -> tuple[Match, ...]:
    """Of the statements that matched those that made the decision what it is, where answers tell of their policies."""
    if decision.verdict is Verdict.IMPLICIT_DENY:
        return ()
    effect = Effect.ALLOW if decision.allowed else Effect.DENY
    return tuple(
        match
        for match in decision.statements
        if match.effect is effect and match.source.layer in (Layer.IDENTITY, Layer.RESOURCE)
    )


def _said(decision: Decision, layer: Layer) -> Verdict:
    """What the policies of one layer say by themselves."""
    effects = {match.effect for match in decision.statements if match.source.layer is layer}
    if Effect.DENY in effects:
        return Verdict.EXPLICIT_DENY
    return Verdict.ALLOWED if Effect.ALLOW in effects else Verdict.IMPLICIT_DENY


def _allowed_by_organizations(request: Request, policies: Policies) -> bool | None:
    if not policies.service_controls:
        return None
    within = request_of(
        request.caller,
        request.action,
        request.resource,
        request.values,
        resource_account=request.caller.account_id,
    )
    controls = Policies(identity=PolicySet([ALL]), service_controls=policies.service_controls)
    return evaluate(within, controls).allowed


def _missing(simulation: Simulation, request: Request) -> Iterable[str]:
    """The keys that statements about this action and resource ask for, and nobody supplied."""
    told: dict[str, None] = {}
    for policies in (simulation.policies.identity, simulation.policies.resource):
        for _, test, *_, statement in () if policies is None else policies.about(request.action):
            if test is None or test(request.resource or ""):
                asked = statement.resource_keys.union(*(clause.keys for clause in statement.clauses))
                told |= dict.fromkeys(asked - request.values.keys())
    return (spelt for key, spelt in simulation.keys.items() if key in told)


# ---- as answers show it


def _result(simulation: Simulation, action: str) -> dict[str, Any]:
    """The action on all its resources: the most restrictive of what each of them comes to."""
    outcomes = [_outcome(simulation, action, resource) for resource in simulation.resources]
    verdict = _worst(outcome.verdict for outcome in outcomes)
    matches = [match for outcome in outcomes if outcome.verdict is verdict for match in outcome.matches]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": _resource_name(simulation, action),
        "EvalDecision": str(verdict),
        "MatchedStatements": _statements(simulation, matches),
        "MissingContextValues": list(dict.fromkeys(key for outcome in outcomes for key in outcome.missing)),
        **_boundary_shown(outcomes),
    }
    if outcomes[0].organized is not None:
        allowed = all(outcome.organized for outcome in outcomes)
        result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if simulation.resources != EVERYTHING:
        if not any(outcome.organized is False for outcome in outcomes):
            result["EvalDecisionDetails"] = _details_of_all(outcomes)
        result["ResourceSpecificResults"] = [_specific(simulation, outcome) for outcome in outcomes]
    return result


def _specific(simulation: Simulation, outcome: _Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {
        "EvalResourceName": outcome.resource,
        "EvalResourceDecision": str(outcome.verdict),
        "MatchedStatements": _statements(simulation, outcome.matches),
        "MissingContextValues": list(outcome.missing),
        **_boundary_shown([outcome]),
    }
    if outcome.details is not None:
        told["EvalDecisionDetails"] = {kind: str(verdict) for kind, verdict in outcome.details.items()}
    return told


def _boundary_shown(outcomes: list[_Outcome]) -> dict[str, Any]:
    if outcomes[0].bounded is None:
        return {}
    allowed = all(outcome.bounded for outcome in outcomes)
    return {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": allowed}}


def _details_of_all(outcomes: list[_Outcome]) -> dict[str, str]:
    """The most restrictive by type of policy; empty where only one account takes part."""
    told = [outcome.details for outcome in outcomes if outcome.details is not None]
    kinds = dict.fromkeys(kind for details in told for kind in details)
    return {kind: str(_worst(details[kind] for details in told)) for kind in kinds}


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    return min(verdicts, key=WORST_FIRST.index)


def _resource_name(simulation: Simulation, action: str) -> str:
    """The resource, where there is one; of several the pattern of their ARNs that AWS gives for the action."""
    if len(simulation.resources) == 1:
        return simulation.resources[0]
    for pattern in resource_patterns(action):
        source = _PLACE.sub(".*", re.escape(pattern))
        if all(re.fullmatch(source, resource, re.DOTALL) for resource in simulation.resources):
            return pattern
    return "*"


def _statements(simulation: Simulation, matches: Iterable[Match]) -> list[dict[str, Any]]:
    """Each statement once."""
    return [_statement(simulation, match) for match in dict.fromkeys(matches)]


def _statement(simulation: Simulation, match: Match) -> dict[str, Any]:
    span: Span = statement_spans(simulation.texts[match.source])[match.index]
    return {
        "SourcePolicyId": match.source.name,
        "SourcePolicyType": TYPES[match.source.layer],
        "StartPosition": {"Line": span.start.line, "Column": span.start.column},
        "EndPosition": {"Line": span.end.line, "Column": span.end.column},
    }
