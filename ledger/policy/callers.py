"""The caller of a recorded call, as policies see them."""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.entities import Kind, Role, User
from ledger.policy.request import BadCaller, Caller, CallerKind, caller_of
from ledger.record import Identity

FEDERATED = frozenset({"SAMLUser", "WebIdentityUser"})


def caller_of_identity(identity: Identity) -> Caller | None:
    """The principal that a record names; None where it names nobody whom policies could speak of."""
    try:
        match identity.kind:
            case "Root":
                return caller_of(identity.arn or f"arn:aws:iam::{identity.account_id}:root")
            case "AssumedRole" | "FederatedUser" if identity.session_arn is not None:
                role = identity.arn if identity.issuer_kind == "Role" else None
                return caller_of(identity.session_arn, role, identity.unique_id)
            case "AWSService" if identity.invoked_by or identity.arn:
                return caller_of(identity.invoked_by or identity.arn or "")
            case kind if kind in FEDERATED:
                return caller_of("*")
            case _ if identity.arn is not None:
                return caller_of(identity.arn, None, identity.unique_id)
    except BadCaller:
        return None
    return None


def holder_named(caller: Caller, identity: Identity | None = None) -> tuple[Kind, str] | None:
    """Whose policies the caller acts with: a user or a role, by its unique id where that is told, or its ARN.

    A federated user acts with the policies of the user who opened the session, whom only the record names.
    """
    match caller.kind:
        case CallerKind.USER:
            return Kind.USER, caller.unique_id or caller.arn
        case CallerKind.ROLE_SESSION:
            return Kind.ROLE, caller.unique_id or caller.role_arn or caller.arn
        case CallerKind.FEDERATED_USER if identity is not None and identity.issuer_kind == "IAMUser":
            return Kind.USER, identity.unique_id or identity.arn or ""
    return None


def holder_of(account: Account, named: tuple[Kind, str]) -> User | Role | None:
    """The user or role of that unique id or ARN."""
    kind, name = named
    short = name.rsplit("/", 1)[-1]
    if kind is Kind.USER:
        return account.users.get(name) or account.user_named(short)
    return account.roles.get(name) or account.role_named(short)
