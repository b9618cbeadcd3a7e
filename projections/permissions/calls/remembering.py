"""Judging the same question once: most calls of a log ask what was asked before.

A judgement depends on the caller, the policies in force for them, action and resource, and on those condition keys
of which a statement about the action speaks. What depends on more, trust above all, is judged each time.
"""

from __future__ import annotations

from collections.abc import Hashable

from ledger.policy.entitlements import Entitlement, Entitlements
from ledger.policy.evaluation import PolicySet
from ledger.policy.request import Caller
from projections.permissions.judging import (
    TRUSTING,
    Context,
    Judgement,
    Named,
    Told,
    World,
    entitled,
    judge,
    judge_by,
)

KEPT_MAX = 200_000
NO_CONTEXT = Context()
"""Where no statement asks for any of it, reading it off the record would cost more than all the rest."""


class RememberedJudging:
    """`judge`, with a memory. The request in its answers may be an earlier one that asked the same.

    It holds of the context only what statements about the action ask for, or all of it.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Judgement] = {}
        self._keys: dict[Hashable, tuple[str, ...]] = {}

    def __call__(
        self,
        world: World,
        entitlements: Entitlements,
        caller: Caller,
        holder: Named | None,
        action: str,
        resource: str | None,
        context: Told,
        *,
        session: PolicySet | None = None,
    ) -> Judgement:
        folded = action.lower()
        if folded in TRUSTING:
            return judge(
                world, entitlements, caller, holder, action, resource, context, session=session
            )  # by the role's trust policy as well, which names callers in many ways
        own = entitled(world, entitlements, caller, holder)
        told = self._told(own[0], session, folded, caller, context)
        asked = (own, session, caller, folded, resource, told)
        found = self._kept.get(asked)
        if found is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
                self._keys.clear()
            matters = context if told else NO_CONTEXT
            found = self._kept[asked] = judge_by(
                own, world, caller, action, resource, matters, session=session
            )
        return found

    def _told(
        self, entitlement: Entitlement, session: PolicySet | None, action: str, caller: Caller, context: Told
    ) -> tuple[object, ...]:
        """What the context says of the condition keys that matter, each with whether it is known."""
        sets = (entitlement.identity, entitlement.boundary, session)
        keys = self._keys.get((sets, action))
        if keys is None:
            keys = self._keys[sets, action] = _keys_about(sets, action)
        if not keys:
            return ()
        values = {**caller.values, **{key.lower(): value for key, value in context.values.items()}}
        knows = context.known
        return tuple((values.get(key), knows is None or knows(key)) for key in keys)


def _keys_about(sets: tuple[PolicySet | None, ...], action: str) -> tuple[str, ...]:
    keys: set[str] = set()
    for one in sets:
        for *_, statement in one.about(action) if one is not None else ():
            keys |= statement.resource_keys
            for clause in statement.clauses:
                keys |= clause.keys
    return tuple(sorted(keys))
