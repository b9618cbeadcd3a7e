"""Would it be allowed, then; and why: one question about one principal at one time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.policy.entitlements import Entitlements
from ledger.record import format_time
from projections.permissions.accounts import Moment, PastAccounts
from projections.permissions.judging import Context, Judgement, Named, judge, tags_of
from projections.permissions.naming import Principal
from projections.permissions.telling import Answer, Teller

CONTROLLED = ("aws:currenttime", "aws:epochtime", "aws:userid")


class WorldAt:
    """The accounts at the end of a second, read as far as they are asked for."""

    def __init__(self, past: PastAccounts, at: int) -> None:
        self.at = at
        self._past = past
        self._known = past.known()
        self._read: dict[tuple[str, Named], Any] = {}

    def account(self, account_id: str, named: Named) -> Any:
        if account_id not in self._known:
            return None
        if (account_id, named) not in self._read:
            self._read[account_id, named] = self._past.about(account_id, [named], Moment(self.at))
        return self._read[account_id, named]


def explain(
    past: PastAccounts,
    entitlements: Entitlements,
    principal: Principal,
    action: str,
    resource: str | None,
    context: Mapping[str, tuple[str, ...]],
    at: int,
) -> Judgement:
    """The decision at that time. Condition keys that neither the question nor the account tells are not known."""
    return judge(
        WorldAt(past, at),
        entitlements,
        principal.caller,
        principal.holder,
        action,
        resource,
        told_context(principal, context, at),
    )


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
