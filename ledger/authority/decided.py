"""Decisions on live calls: may whoever calls do that on this, by the account as it stands?

Within one second, and while the account has stayed the same value, a caller's policies and surroundings are made ready
once, and of a decision only what differs from the one before is written anew: clients that poll or walk through a
listing, and services that ask for each of their requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.account.account import Account
from ledger.authority.context import Contexts, whose
from ledger.authority.credentials import holder_of_bearer
from ledger.authority.recording import Surroundings
from ledger.authority.turns import Now
from ledger.authorization import Acting, Authorization, acting, decide
from ledger.iam.deciding import Bearer
from ledger.policy.decision import Verdict
from ledger.policy.entitlements import Entitlements
from ledger.record import canonical


class Asking(NamedTuple):
    """Who calls, and the record of the call as far as no outcome stands in it."""

    by: Bearer
    document: dict[str, Any]
    surroundings: Surroundings


@dataclass(slots=True)
class _Caller:
    """`context` are the condition keys that do not depend on what is asked. `told` holds, by action and verdict, the latest
    decision and its JSON around positions and resource.
    """

    acting: Acting
    context: Mapping[str, tuple[str, ...]]
    told: dict[tuple[str, Verdict], tuple[Authorization, tuple[bytes, bytes, bytes]]] = field(
        default_factory=dict
    )


class Decided:
    """Nothing is remembered of callers without an access key, whom nothing short tells from one another."""

    def __init__(self, contexts: Contexts) -> None:
        self._entitlements = Entitlements()
        self._contexts = contexts
        self._account: Account | None = None
        self._second = 0
        self._callers: dict[tuple[object, ...], _Caller] = {}

    def on(
        self, asking: Asking, action: str, resource: str, own: Mapping[str, tuple[str, ...]], now: Now
    ) -> tuple[Authorization, bytes]:
        """The decision, and the same as canonical JSON. `own` are the condition keys of what is asked, in lower case."""
        caller = self._caller(asking, now)
        context = {**caller.context, **own} if own else caller.context
        there = None if now.there is None else (now.there.account, now.there.position)
        made = decide(now.account, caller.acting, action, resource, context, now.position, there=there)
        latest = caller.told.get((action, made.verdict))
        if latest is None or not _alike(made, latest[0]):
            latest = caller.told[action, made.verdict] = made, made.around()
        begun, between, ended = latest[1]
        return made, b"".join((begun, canonical(made.positions), between, canonical(resource), ended))

    def _caller(self, asking: Asking, now: Now) -> _Caller:
        by, account = asking.by, now.account
        if account is not self._account or now.time != self._second:
            self._account, self._second, self._callers = account, now.time, {}
        place = whose(by, asking.surroundings)
        found = self._callers.get(place)
        if found is None:
            at, holder = now.time, holder_of_bearer(by)
            found = _Caller(
                acting(
                    account, by.caller, holder, at=at, session=by.session, entitlements=self._entitlements
                ),
                self._contexts.of_caller(asking.document, at, account, by, asking.surroundings),
            )
            if by.access_key_id is not None:
                self._callers[place] = found
        return found


def _alike(made: Authorization, other: Authorization) -> bool:
    """Whether two decisions of a caller on the same action differ in positions and resource alone."""
    return (
        made.context == other.context
        and made.statements == other.statements
        and made.missing == other.missing
        and made.unknown == other.unknown
    )
