"""What limits the session that a temporary key belongs to: policies that were passed, and what AWS keeps from it."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.iam.sessions import session_opened
from ledger.policy.callers import holder_named
from ledger.policy.decision import Unknown, UnknownKind
from ledger.policy.entitlements import session_policies
from ledger.policy.evaluation import PolicySet
from ledger.policy.request import caller_of
from ledger.policy.session_limits import with_limits
from projections.permissions.accounts import PastAccounts
from projections.permissions.judging import Named
from projections.sessions import Sessions

TEMPORARY = "ASIA"


@dataclass(frozen=True, slots=True)
class Session:
    """What limits a session beside the policies of whoever it acts as; None: nothing does."""

    policies: PolicySet | None = None
    unknown: tuple[Unknown, ...] = ()
    holder: Named | None = None  # whose policies a federated user acts with


def session_by_key(past: PastAccounts, sessions: Sessions, access_key: str, at: int) -> Session:
    """What limits the session that a temporary key belongs to."""
    opening = sessions.opened([access_key]).get(access_key)
    if opening is None:
        return Session(None, (Unknown(UnknownKind.SESSION_POLICY, access_key),))
    entry = sessions.entry_of(opening)
    told = session_opened(Change(entry.position, entry.record, entry.origin.native))
    assert told is not None, "a session was opened by an entry that opens sessions"
    account_id = told.account_id or entry.account_id
    account = past.whole(account_id, at) if account_id in past.known() else Account.empty(account_id)
    passed, unknown = session_policies(
        told.policy,
        told.policy_arns,
        account,
        at,
        session=told.session_arn or access_key,
        made_by=(entry.account_id, entry.position),
    )
    limited = with_limits(passed, told.action)
    if limited is passed:
        return Session(passed, unknown)
    holder = holder_named(caller_of(told.arn, None, told.unique_id)) if told.arn is not None else None
    return Session(limited, unknown, holder)
