"""A principal as it stood at a moment: whose policies it acts with, what limits its session, what all of it permits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ledger.account.account import Account
from ledger.account.entities import Role, User
from ledger.policy.decision import Unknown
from ledger.policy.entitlements import Entitlement, Entitlements
from ledger.policy.request import Caller, CallerKind
from projections.permissions.accounts import PastAccounts
from projections.permissions.explaining import told_context
from projections.permissions.judging import Context, Judgement, Named, entitled, judge
from projections.permissions.limited import Session
from projections.permissions.naming import Principal, principal_of
from projections.permissions.reach.permitted import EVERYTHING_PERMITTED, Permitted, permitted


class WholeWorld:
    """All accounts of the ledger at the end of a second, each read whole when it is first asked for."""

    def __init__(self, past: PastAccounts, entitlements: Entitlements, at: int) -> None:
        self.at = at
        self.entitlements = entitlements
        self.known = past.known()
        self._past = past
        self._read: dict[str, Account] = {}

    def account(self, account_id: str, *named: Named) -> Account | None:
        return self.whole(account_id)

    def whole(self, account_id: str) -> Account | None:
        if account_id not in self.known:
            return None
        if account_id not in self._read:
            self._read[account_id] = self._past.whole(account_id, self.at)
        return self._read[account_id]

    def standing(self, principal: Principal, session: Session | None = None) -> Standing:
        session = session or Session()
        if principal.holder is None and session.holder is not None:
            principal = replace(principal, holder=session.holder)
        entitlement, unknown = entitled(self, self.entitlements, principal.caller, principal.holder)
        return Standing(self, principal, entitlement, unknown, session)

    def standing_of(self, holder: User | Role, account_id: str) -> Standing:
        return self.standing(principal_of(holder, account_id))


@dataclass(frozen=True)
class Standing:
    """One principal at the world's moment."""

    world: WholeWorld
    principal: Principal
    entitlement: Entitlement
    own_unknown: tuple[Unknown, ...]
    session: Session = field(default_factory=Session)

    @property
    def caller(self) -> Caller:
        return self.principal.caller

    @property
    def is_root(self) -> bool:
        return self.caller.kind is CallerKind.ROOT

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        return tuple(dict.fromkeys((*self.own_unknown, *self.session.unknown)))

    @cached_property
    def account(self) -> Account | None:
        return self.world.whole(self.principal.account_id)

    @cached_property
    def context(self) -> Context:
        return told_context(self.principal, {}, self.world.at)

    @cached_property
    def permitted(self) -> Permitted:
        if self.is_root:
            return EVERYTHING_PERMITTED
        return permitted(
            self.caller,
            self.context,
            identity=self.entitlement.identity,
            boundary=self.entitlement.boundary,
            session=self.session.policies,
        )

    def judge(
        self, action: str, resource: str | None, told: Mapping[str, tuple[str, ...]] | None = None
    ) -> Judgement:
        """The engine's answer to one question; `told` are condition keys that the question brings along."""
        context = self.context
        if told:
            context = Context({**context.values, **told}, context.known)
        return judge(
            self.world,
            self.world.entitlements,
            self.caller,
            self.principal.holder,
            action,
            resource,
            context,
            session=self.session.policies,
        )
