"""The bare engine, for policy tests in anyone's CI: a case as JSON has it in, the decision out; no ledger needed.

`docs/policies.md` gives the members of both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from ledger.policy.conditions import texts_of
from ledger.policy.decision import Decision, Layer, Source
from ledger.policy.document import POLICIES_KEPT_MAX, Policy, compile_policy
from ledger.policy.evaluation import Policies, PolicySet, evaluate
from ledger.policy.grammar import MalformedPolicyDocument, PolicyKind, check_structure
from ledger.policy.operators import BadValue
from ledger.policy.request import BadCaller, Caller, CallerKind, Request, caller_of, request_of

MEMBERS = frozenset(
    {
        "principal",
        "action",
        "resource",
        "context",
        "identityPolicies",
        "permissionsBoundary",
        "sessionPolicies",
        "resourcePolicy",
        "trustPolicy",
        "serviceControlPolicies",
        "resourceControlPolicies",
        "resourceAccount",
    }
)


class NotACase(ValueError):
    """What is wrong with a case, and where."""


def read_case(line: bytes) -> Any:
    """What a line of JSON says; raises NotACase where it is no JSON, or where a key stands twice in an object."""
    if not line.strip():
        raise NotACase("the line is empty")
    try:
        case = orjson.loads(line)
        if (
            orjson.dumps(case) != line.strip()
        ):  # if it is, nothing was said twice: the second would have been lost
            json.loads(line, object_pairs_hook=_each_once)
        return case
    except orjson.JSONDecodeError as error:
        raise NotACase(f"column {error.colno}: no JSON: {error.msg}") from None
    except orjson.JSONEncodeError:  # which stops at 254 levels
        raise NotACase("it is nested too deep") from None
    except NotACase:
        raise
    except ValueError as error:  # a number of more digits than Python reads
        raise NotACase(str(error)) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotACase(f"the key {twice!r} stands twice in one object")
    return members


def evaluate_case(case: Any) -> dict[str, Any]:
    """The decision on a case: `decision`, `statements`, `missing`; raises NotACase."""
    if not isinstance(case, Mapping):
        raise NotACase(f"a case is an object, not {type(case).__name__}")
    if strange := sorted(map(str, case.keys() - MEMBERS)):
        raise NotACase(f"a case has no member {strange[0]!r}")
    return told(evaluate(request_in(case), policies_in(case)))


def told(decision: Decision) -> dict[str, Any]:
    return {
        "decision": str(decision.verdict),
        "statements": [
            {
                "policy": match.source.name,
                "index": match.index,
                "sid": match.sid,
                "effect": str(match.effect),
            }
            for match in decision.statements
        ],
        "missing": list(decision.missing),
    }


def request_in(case: Mapping[str, Any]) -> Request:
    context = _context({} if case.get("context") is None else case["context"])
    action = _text(case, "action")
    if ":" not in action:
        raise NotACase(f"action: {action!r} is not of the form service:Name")
    account = case.get("resourceAccount")
    if account is not None and not (isinstance(account, str) and len(account) == 12 and account.isdigit()):
        raise NotACase(f"resourceAccount: {account!r} is no account id of 12 digits")
    return request_of(
        _caller(_text(case, "principal"), context),
        action,
        _text(case, "resource"),
        context,
        resource_account=account,
    )


def _caller(arn: str, context: Mapping[str, tuple[str, ...]]) -> Caller:
    """The principal; its role's ARN with the path and its unique id are told by the context, if at all."""
    told = {key.lower(): values[0] for key, values in context.items() if values}
    try:
        caller = caller_of(arn)
        if caller.kind is CallerKind.ROLE_SESSION and caller.arn != caller.role_arn:
            return caller_of(arn, told.get("aws:principalarn"))
    except BadCaller as error:
        raise NotACase(f"principal: {error}") from None
    return caller


def _context(told: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(told, Mapping):
        raise NotACase("context: an object of condition keys")
    found = {}
    for key, values in told.items():
        try:
            found[key] = tuple(texts_of(values))
        except BadValue as error:
            raise NotACase(f"context: {key}: {error}") from None
    return found


def policies_in(case: Mapping[str, Any]) -> Policies:
    trust = case.get("trustPolicy") or False
    if not isinstance(trust, bool):
        raise NotACase("trustPolicy: true or false")
    boundary, sessions = case.get("permissionsBoundary"), case.get("sessionPolicies")
    resource = case.get("resourcePolicy")
    kind, layer = PolicyKind.RESOURCE, Layer.TRUST if trust else Layer.RESOURCE
    return Policies(
        identity=_named(case, "identityPolicies", PolicyKind.IDENTITY, Layer.IDENTITY, "{}".format),
        boundary=None
        if boundary is None
        else _set(
            [("permissionsBoundary", boundary, Source(Layer.BOUNDARY, "boundary"))], PolicyKind.IDENTITY
        ),
        session=None
        if sessions is None
        else _named(case, "sessionPolicies", PolicyKind.SESSION, Layer.SESSION, "session:{}".format),
        resource=None
        if resource is None
        else _set([("resourcePolicy", resource, Source(layer, "resource"))], kind),
        trust=trust,
        service_controls=_levels(
            case, "serviceControlPolicies", PolicyKind.SERVICE_CONTROL, Layer.SERVICE_CONTROL
        ),
        resource_controls=_levels(
            case, "resourceControlPolicies", PolicyKind.RESOURCE_CONTROL, Layer.RESOURCE_CONTROL
        ),
    )


def _named(
    case: Mapping[str, Any], member: str, kind: PolicyKind, layer: Layer, name: Callable[[str], str]
) -> PolicySet:
    entries = []
    for index, one in enumerate(_list(case, member)):
        where = f"{member}[{index}]"
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or "policy" not in one:
            raise NotACase(f'{where}: an object {{"name": …, "policy": {{…}}}}')
        entries.append((f"{where}.policy", one["policy"], Source(layer, name(one["name"]))))
    return _set(entries, kind)


def _levels(case: Mapping[str, Any], member: str, kind: PolicyKind, layer: Layer) -> tuple[PolicySet, ...]:
    levels = []
    for level, listed in enumerate(_list(case, member)):
        where = f"{member}[{level}]"
        if not isinstance(listed, list):
            raise NotACase(f"{where}: a level is a list of policies")
        levels.append(
            _set(
                [
                    (f"{where}[{number}]", one, Source(layer, f"{layer}:{level}:{number}"))
                    for number, one in enumerate(listed)
                ],
                kind,
            )
        )
    return tuple(levels)


def _set(entries: list[tuple[str, Any, Source]], kind: PolicyKind) -> PolicySet:
    compiled = []
    for where, document, source in entries:
        if not isinstance(document, Mapping):
            raise NotACase(f"{where}: a policy is an object, not {type(document).__name__}")
        try:
            compiled.append((_checked(orjson.dumps(document), kind), source))
        except MalformedPolicyDocument as error:
            raise NotACase(f"{where}.{error.place}: {error}") from error
        except orjson.JSONEncodeError as error:
            raise NotACase(f"{where}: {error}") from None
    return PolicySet(compiled)


@lru_cache(maxsize=POLICIES_KEPT_MAX)
def _checked(text: bytes, kind: PolicyKind) -> Policy:
    """A policy of that kind; one comes in many cases. Raises MalformedPolicyDocument."""
    document = orjson.loads(text)
    check_structure(document, kind)
    return compile_policy(document)


def _list(case: Mapping[str, Any], member: str) -> list[Any]:
    found = case.get(member)
    if found is None:
        return []
    if not isinstance(found, list):
        raise NotACase(f"{member}: a list, not {type(found).__name__}")
    return found


def _text(case: Mapping[str, Any], member: str) -> str:
    found = case.get(member)
    if not isinstance(found, str) or not found:
        raise NotACase(f"{member}: a text is needed")
    return found
