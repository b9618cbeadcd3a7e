"""The table of operations: what each successful IAM call does to the account, one row a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable

Evolve = Callable[[Account, Change], Account]


class Rank(IntEnum):
    """In which order calls of one second are tried, where nothing else tells."""

    BASELINE = 0
    CREATE = 1
    GRANT = 2
    CHANGE = 3
    REVOKE = 4
    DELETE = 5


def _no_order(_: Change) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Operation:
    action: str
    rank: Rank
    evolve: Evolve
    order: Callable[[Change], int] = _no_order  # among the calls of one operation in one second


OPERATIONS: Final[dict[str, Operation]] = {}


def evolves(
    action: str, *, rank: Rank, order: Callable[[Change], int] = _no_order
) -> Callable[[Evolve], Evolve]:
    """This function is what a successful call of `action` does. It refuses nothing: what has happened has happened."""

    def enter(function: Evolve) -> Evolve:
        assert action not in OPERATIONS, f"{action} evolves twice"
        OPERATIONS[action] = Operation(action, rank, function, order)
        return function

    return enter


def evolve(account: Account, change: Change) -> Account:
    """The account after the change. A failed call changes nothing, nor does one that is not in the table."""
    operation = OPERATIONS.get(change.record.action)
    if operation is None or not change.record.succeeded:
        return account
    try:
        return operation.evolve(account, change)
    except Unreadable as what:
        return account.assume(Reason.UNREADABLE, f"{operation.action}: {what}")


_DELEGATION = "a request for delegation grants nothing; the session it leads to is recorded by itself"

OUT_OF_SCOPE: Final[dict[str, str]] = {
    "iam:AcceptDelegationRequest": _DELEGATION,
    "iam:AssociateDelegationRequest": _DELEGATION,
    "iam:CreateDelegationRequest": _DELEGATION,
    "iam:RejectDelegationRequest": _DELEGATION,
    "iam:SendDelegationToken": _DELEGATION,
    "iam:UpdateDelegationRequest": _DELEGATION,
    "iam:ResetServiceSpecificCredential": "the credential stays; its secret changes, and no secret is kept here",
    "iam:ResyncMFADevice": "the device stays; its clock is set",
    "sts:DecodeAuthorizationMessage": "reads a message; opens no session",
    "sts:GetAccessKeyInfo": "reads whose a key is; opens no session",
    "sts:GetCallerIdentity": "reads who the caller is; opens no session",
    "sts:GetScopedCredentials": (
        "the calling session again with less; its record does not hold what limited that session before"
    ),
    "sts:GetWebIdentityToken": "the token signs the caller in elsewhere; it opens no session in AWS",
}
