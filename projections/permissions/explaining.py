"""Would it be allowed, then; and why: one question about one principal at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ledger.policy.entitlements import Entitlements
from ledger.record import format_time
from projections.permissions.accounts import PastAccounts
from projections.permissions.judging import Context, Judgement, judge, tags_of
from projections.permissions.limited import Session
from projections.permissions.naming import Principal
from projections.permissions.telling import Answer, Teller
from projections.permissions.worlds import PastWorld

UNLIMITED = Session()


def explain(
    past: PastAccounts,
    entitlements: Entitlements,
    principal: Principal,
    action: str,
    resource: str | None,
    context: Mapping[str, tuple[str, ...]],
    at: int,
    session: Session = UNLIMITED,
) -> Judgement:
    """The decision at that time. Condition keys that neither the question nor the account tells are not known."""
    judgement = judge(
        PastWorld(past, at),
        entitlements,
        principal.caller,
        principal.holder or session.holder,
        action,
        resource,
        told_context(principal, context, at),
        session=session.policies,
    )
    return replace(judgement, unknown=tuple(dict.fromkeys((*judgement.unknown, *session.unknown))))


def told_context(principal: Principal, context: Mapping[str, tuple[str, ...]], at: int) -> Context:
    """What a question, its time, and the principal's account tell of the context."""
    tags = tags_of(principal.entity)
    told: dict[str, tuple[str, ...]] = {
        "aws:CurrentTime": (format_time(at),),
        "aws:EpochTime": (str(at),),
    }
    told |= {f"aws:PrincipalTag/{key}": (value,) for key, value in (tags or {}).items()}
    if principal.entity is not None and principal.holder is not None and principal.caller.kind == "User":
        told["aws:userid"] = (principal.entity.id,)
    told |= context
    return Context(told, lambda key: tags is not None and key.startswith("aws:principaltag/"))


def told_explanation(
    teller: Teller, principal: Principal, judgement: Judgement, action: str, resource: str | None, at: int
) -> Answer:
    return {
        "principal": principal.caller.arn,
        "action": action,
        "resource": resource,
        "at": format_time(at),
        **teller.decision(judgement.decision, judgement.unknown, inferred=True),
    }
