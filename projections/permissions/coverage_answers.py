"""Coverage as JSON has it."""

from __future__ import annotations

from ledger.policy.decision import Layer
from ledger.record import format_time
from projections.permissions.coverage import Coverage, PolicyKey, Statement
from projections.permissions.telling import Answer, Teller


def told_coverage(
    teller: Teller,
    coverage: Coverage,
    since: int | None,
    until: int | None,
    account: str | None,
    unused: bool,
) -> Answer:
    """`unused` keeps the statements that were never needed by themselves and never shared a call."""
    chosen = {
        place: one
        for place, one in sorted(coverage.statements.items(), key=lambda item: _order(*item))
        if account in (None, place[0][0]) and not (unused and one.use != "never")
    }
    teller.learn(
        (grant.account, grant.made_by)
        for one in chosen.values()
        for grant in one.grants
        if grant.made_by is not None
    )
    return {
        "from": None if since is None else format_time(since),
        "to": None if until is None else format_time(until),
        "calls": coverage.calls,
        "unexplained": coverage.unexplained,
        "statements": [
            _told(teller, place[0], one, in_force=place[0] in coverage.in_force)
            for place, one in chosen.items()
        ],
    }


def _told(teller: Teller, key: PolicyKey, one: Statement, *, in_force: bool) -> Answer:
    source = one.source
    account_id, layer, holder, _, _ = key
    return {
        "account": account_id,
        "policy": source.name,
        "policyArn": source.arn if layer is not Layer.TRUST else None,
        "holder": holder if layer is Layer.TRUST or source.arn is None else None,
        "layer": str(layer),
        "version": source.version,
        "index": one.index,
        "sid": one.sid,
        "effect": str(one.effect),
        "use": one.use,
        "decisive": one.decisive,
        "shared": one.shared,
        "possible": one.possible,
        "last": None if one.last is None else format_time(one.last),
        "inForce": in_force,
        "grants": [teller.grant(grant) for grant in one.grants],
    }


def _order(place: tuple[PolicyKey, int], one: Statement) -> tuple[str, ...]:
    account_id, layer, holder, name, version = place[0]
    return account_id, name, holder, str(layer), f"{version!s:0>12}", f"{one.index:06}"
