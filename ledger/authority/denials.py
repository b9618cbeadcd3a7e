"""The message of a denial, as AWS words it. Source: "Troubleshoot access denied error messages" (IAM user guide)."""

from __future__ import annotations

from typing import Final

from ledger.authorization import MFA_OF_ROOT, Authorization
from ledger.policy.decision import Effect, Layer, Verdict
from ledger.policy.entitlements import TRUSTING
from ledger.policy.request import account_in

_KINDS: Final = {
    Layer.IDENTITY: "an identity-based policy",
    Layer.BOUNDARY: "a permissions boundary",
    Layer.SESSION: "a session policy",
    Layer.RESOURCE: "a resource-based policy",
    Layer.TRUST: "a role trust policy",
    Layer.SERVICE_CONTROL: "a service control policy",
    Layer.RESOURCE_CONTROL: "a resource control policy",
}


def denial(decided: Authorization, on: str | None = None) -> str:
    """Who may not do what on what, and which kind of policy is the reason; the policy itself where it has an ARN.

    `on` is what the service calls the resource, where that is not its ARN.
    """
    caller = decided.principal
    return (
        f"User: {caller.arn} is not authorized to perform: {decided.action}"
        f" on resource: {on or decided.resource}{_because(decided)}"
    )


def _because(decided: Authorization) -> str:
    """Nothing where another account is the reason: whether it has such a role is not for the caller to learn."""
    caller, owner = decided.principal, account_in(decided.resource)
    if decided.action.lower() in TRUSTING and owner not in (None, caller.account_id) and _is_theirs(decided):
        return ""
    return f" {_reason(decided)}"


def _is_theirs(decided: Authorization) -> bool:
    if decided.verdict is Verdict.EXPLICIT_DENY:
        return all(it.source.layer is Layer.TRUST for it in decided.statements if it.effect is Effect.DENY)
    return set(decided.missing) <= {Layer.TRUST, Layer.RESOURCE}


def _reason(decided: Authorization) -> str:
    if decided.verdict is Verdict.EXPLICIT_DENY:
        deciding = next(match for match in decided.statements if match.effect is Effect.DENY)
        source = deciding.source
        named = source.arn or source.name
        return f"with an explicit deny in {_KINDS[source.layer]}" + (f": {named}" if named else "")
    missing = decided.missing[0] if decided.missing else str(Layer.IDENTITY)
    if missing == MFA_OF_ROOT:
        return f"because the root user has an MFA device and did not use it for the {decided.action} action"
    layer = next((it for it in Layer if missing.partition(":")[0] == it), Layer.IDENTITY)
    kind = _KINDS[layer].partition(" ")[2]
    return f"because no {kind} allows the {decided.action} action"
