"""A slow, plain evaluation of policies, straight from the documentation: every statement is looked at.

Source: IAM user guide, "Policy evaluation logic" with "Policy evaluation for requests within a single account",
"Cross-account policy evaluation logic" and "How AWS enforcement code logic evaluates requests to allow or deny
access"; "IAM JSON policy elements reference"; Organizations user guide, "SCP evaluation", "RCP evaluation".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.oracles.plain_conditions import holds, list_of, text_of
from tests.oracles.plain_documents import Malformed, check_case
from tests.oracles.plain_principals import Principal, keys_of, principal_of, ways_named
from tests.oracles.plain_text import Unresolved, resolve, wildcards

# STS API reference: "No permissions are required to perform this operation", whatever a policy says.
NEEDS_NO_PERMISSION = ("sts:getcalleridentity", "sts:getsessiontoken")

# "Policy evaluation for requests within a single account": through which entry a resource-based policy grants to the
# user or the session itself, so that implicit denies of the other policies do not count …
DIRECTLY = {
    "user": {"user", "any"},
    "role session": {"session"},
    "federated user": {"session"},
}
# … and through which it stands for the identity policies only, limited by boundary and session policies.
INSTEAD_OF_IDENTITY_POLICIES = {
    "user": set[str](),
    "role session": {"role", "any"},
    "federated user": {"any"},
}


@dataclass(slots=True)
class Request:
    who: Principal
    action: str
    resource: str
    context: dict[str, list[str]]


def evaluate(case: dict[str, Any]) -> dict[str, Any]:
    """The answer of `iam-ledger evaluate` to one case."""
    try:
        check_case(case)
    except Malformed as error:
        return {"error": str(error)}
    return decide(case)


def decide(case: dict[str, Any]) -> dict[str, Any]:
    """The answer to a case whose documents are known to be well-formed."""
    request = request_of(case)
    who = request.who
    told: list[dict[str, Any]] = []
    missing: list[str] = []

    def some_allow(documents: Iterable[tuple[str, dict[str, Any]]]) -> bool:
        """Tells every statement that matches, of every document."""
        matching = [
            (name, index, statement)
            for name, document in documents
            for index, statement in matching_statements(document, request)
        ]
        told.extend(tell(*each) for each in matching)
        return any(statement["Effect"] == "Allow" for _, _, statement in matching)

    # The principal's own layers.
    own: list[str] = []
    boundary, sessions = case.get("permissionsBoundary"), case.get("sessionPolicies")
    if who.has_identity_policies:
        if not some_allow((each["name"], each["policy"]) for each in case.get("identityPolicies") or []):
            own.append("identity")
        if boundary is not None and not some_allow([("boundary", boundary)]):
            own.append("boundary")
        if sessions is not None and not some_allow(
            (f"session:{each['name']}", each["policy"]) for each in sessions
        ):
            own.append("session")

    # The resource's policy, and through which entries it allows.
    allowed_through: set[str] = set()
    for index, statement in matching_statements(case.get("resourcePolicy") or {"Statement": []}, request):
        told.append(tell("resource", index, statement))
        if statement["Effect"] == "Allow":
            allowed_through |= ways_named(statement, who, request.context)
    missing += lacking(case, who, own, allowed_through)

    # "SCPs do not affect any service-linked role"; they affect "users and roles … including the root user".
    if who.account is not None and not who.is_service_linked:
        for level, documents in enumerate(case.get("serviceControlPolicies") or []):
            if not some_allow((f"scp:{level}:{n}", each) for n, each in enumerate(documents)):
                missing.append(f"scp:{level}")
    # "RCPs don't affect any service-linked role"; nor do they restrict calls by AWS services' principals.
    if who.kind != "service" and not who.is_service_linked:
        for level, documents in enumerate(case.get("resourceControlPolicies") or []):
            if not some_allow((f"rcp:{level}:{n}", each) for n, each in enumerate(documents)):
                missing.append(f"rcp:{level}")

    if request.action.lower() in NEEDS_NO_PERMISSION:
        decision = "allowed"
    # "An explicit deny in any of these policies overrides the allow."
    elif any(each["effect"] == "Deny" for each in told):
        decision = "explicitDeny"
    else:
        decision = "implicitDeny" if missing else "allowed"
    return {
        "decision": decision,
        "statements": told,
        "missing": missing if decision == "implicitDeny" else [],
    }


def lacking(case: dict[str, Any], who: Principal, own: list[str], allowed_through: set[str]) -> list[str]:
    """Which of identity, boundary, session, resource and trust would have had to allow and did not.

    `own` are those of the principal's own layers that did not allow.
    """
    is_trust = case.get("trustPolicy", False)
    of_resource = [] if allowed_through else ["trust" if is_trust else "resource"]
    # Who has no account has no policies of their own.
    if who.account is None:
        return of_resource
    # "Cross-account policy evaluation logic": "the request is allowed only if both evaluations return Allow".
    if resource_account(case, who) != who.account:
        return own + of_resource
    # "All requests are implicitly denied with the exception of the AWS account root user, which has full access."
    if who.kind == "root":
        return of_resource if is_trust else []
    if allowed_through & DIRECTLY[who.kind]:
        return []
    if allowed_through & INSTEAD_OF_IDENTITY_POLICIES[who.kind]:
        return [layer for layer in own if layer != "identity"]
    # "IAM role trust policies … must explicitly allow access for principals." Whether the identity policies had to
    # allow too depends on how the trust policy would name the principal, so they are not told as missing.
    if is_trust and not allowed_through:
        return ["trust"]
    # The account's own number delegates to its identity policies.
    return own


def request_of(case: dict[str, Any]) -> Request:
    context = {
        key.lower(): [text_of(value) for value in list_of(values)]
        for key, values in case.get("context", {}).items()
    }
    who = principal_of(case["principal"], context)
    for key, value in keys_of(who).items():
        context.setdefault(key, [value])
    if account := case.get("resourceAccount") or account_in(case["resource"]):
        context.setdefault("aws:resourceaccount", [account])
    return Request(who, case["action"], case["resource"], context)


def resource_account(case: dict[str, Any], who: Principal) -> str | None:
    return case.get("resourceAccount") or account_in(case["resource"]) or who.account


def account_in(resource: str) -> str | None:
    """The account in an ARN. Some have none (S3), and that of AWS's managed policies says `aws`."""
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and re.fullmatch(r"\d{12}", parts[4]) else None


def tell(name: str, index: int, statement: dict[str, Any]) -> dict[str, Any]:
    return {"policy": name, "index": index, "sid": statement.get("Sid"), "effect": statement["Effect"]}


def matching_statements(document: dict[str, Any], request: Request) -> list[tuple[int, dict[str, Any]]]:
    version = document.get("Version")
    return [
        (index, statement)
        for index, statement in enumerate(list_of(document["Statement"]))
        if action_matches(statement, request.action)
        and resource_matches(statement, version, request)
        and principal_matches(statement, request)
        and holds(statement.get("Condition", {}), version, request.context)
    ]


def action_matches(statement: dict[str, Any], action: str) -> bool:
    """ "IAM JSON policy elements: Action": "The prefix and the action name are case insensitive." """
    wanted = statement["Action"] if "Action" in statement else statement["NotAction"]
    for pattern in wanted if isinstance(wanted, list) else [wanted]:
        if wildcards(pattern, ignore_case=True).fullmatch(action):
            return "Action" in statement
    return "NotAction" in statement


def resource_matches(statement: dict[str, Any], version: str | None, request: Request) -> bool:
    wanted = statement.get("Resource", statement.get("NotResource"))
    if wanted is None:  # a trust policy, or a resource's policy that means its resource
        return True
    try:
        patterns = [resolve(pattern, version, request.context) for pattern in list_of(wanted)]
    except Unresolved:
        # "If AWS cannot resolve a variable, this might cause the entire statement to be invalid."
        return False
    named = any(wildcards(pattern).fullmatch(request.resource) for pattern in patterns)
    return named is ("Resource" in statement)


def principal_matches(statement: dict[str, Any], request: Request) -> bool:
    if "Principal" not in statement and "NotPrincipal" not in statement:
        return True
    return bool(ways_named(statement, request.who, request.context))
