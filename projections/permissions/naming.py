"""Whom a question means: a principal by name, ARN, unique id or access key, as it was at a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.account.account import Account
from ledger.account.entities import Kind, Role, User
from ledger.policy.callers import holder_named, holder_of
from ledger.policy.request import BadCaller, Caller, CallerKind, caller_of
from ledger.record import format_time
from projections.permissions.accounts import Moment, PastAccounts
from projections.permissions.judging import Named
from projections.sessions import Sessions
from projections.vocabulary import BadFilter, UnknownName

_UNIQUE_ID = re.compile(r"A(IDA|ROA)\w+", re.ASCII)
_KEY = re.compile(r"(AKIA|ASIA)\w+", re.ASCII)
_KINDS = {"AIDA": Kind.USER, "AROA": Kind.ROLE}


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal of an account whose log is here. `entity` is None for root and for who is not known."""

    caller: Caller
    holder: Named | None
    account_id: str
    entity: User | Role | None


class Naming:
    """Finds principals at a moment."""

    def __init__(self, past: PastAccounts, sessions: Sessions) -> None:
        self._past = past
        self._sessions = sessions

    def principal(self, named: str, at: int, account_id: str | None) -> Principal:
        """The principal of that name then; raises UnknownName, or BadFilter where it can't be a name."""
        if named.startswith("arn:"):
            return self._by_arn(named, at)
        if _KEY.fullmatch(named):
            return self._by_key(named, at)
        if account_id is None:
            known = sorted(self._past.known())
            if len(known) != 1:
                raise BadFilter("account", f"the ledger has several; say which: {', '.join(known)}")
            account_id = known[0]
        kinds = [_KINDS[named[:4]]] if _UNIQUE_ID.fullmatch(named) else [Kind.USER, Kind.ROLE]
        for kind in kinds:
            account = self._past.about(account_id, [(kind, named)], Moment(at))
            if (found := holder_of(account, (kind, named))) is not None:
                return principal_of(found, account_id)
        if named == "root":
            return self._by_arn(f"arn:aws:iam::{account_id}:root", at)
        raise UnknownName(f"account {account_id} had no user and no role {named!r} at {format_time(at)}")

    def _by_arn(self, arn: str, at: int) -> Principal:
        try:
            caller = caller_of(arn)
        except BadCaller as error:
            raise BadFilter("principal", str(error)) from None
        if caller.account_id is None:
            raise BadFilter("principal", f"{arn!r} is of no account")
        if caller.account_id not in self._past.known():
            raise UnknownName(f"the ledger has no account {caller.account_id!r}")
        holder = holder_named(caller)
        if holder is None:
            return Principal(caller, None, caller.account_id, None)
        account = self._past.about(caller.account_id, [holder], Moment(at))
        found = holder_of(account, holder)
        if found is None:
            raise UnknownName(f"there was no {holder[0]} {arn!r} at {format_time(at)}")
        if caller.kind is CallerKind.ROLE_SESSION and caller.arn != caller.role_arn:
            caller = caller_of(arn, found.arn, found.id)
            return Principal(caller, (holder[0], found.id), account.id, found)
        return principal_of(found, account.id)

    def _by_key(self, key: str, at: int) -> Principal:
        """Whose key it is: of a session whom it acts as, of a lasting one its owner."""
        opening = self._sessions.opened([key]).get(key)
        if opening is not None and opening.principal_arn is not None:
            return self._by_arn(opening.session_arn or opening.principal_arn, at)
        for account_id in sorted(self._past.known()):
            account = self._past.whole(account_id, at)
            owner = account.key_owner(key)
            if isinstance(owner, User):
                return principal_of(owner, account_id)
            if owner is not None:
                return self._by_arn(f"arn:aws:iam::{account_id}:root", at)
        raise UnknownName(f"nobody had the access key {key!r} at {format_time(at)}")


def principal_of(found: User | Role, account_id: str) -> Principal:
    """A user, or some session of a role."""
    if isinstance(found, User):
        caller = caller_of(found.arn, None, found.id)
        return Principal(caller, (Kind.USER, found.id), account_id, found)
    return Principal(caller_of(found.arn, found.arn, found.id), (Kind.ROLE, found.id), account_id, found)


def account_of(past: PastAccounts, principal: Principal, at: int) -> Account:
    """The principal's account, as far as the principal's permissions rest on it."""
    named = [] if principal.holder is None else [principal.holder]
    return past.about(principal.account_id, named, Moment(at))
