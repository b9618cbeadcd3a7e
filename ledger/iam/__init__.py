"""The IAM operations, a file a noun. To import this package is to fill the table of operations."""

from ledger.iam import (
    access_keys,
    account_settings,
    assuming,
    authorization_messages,
    caller_identity,
    federation,
    groups,
    instance_profiles,
    login_profiles,
    mfa,
    oidc_providers,
    other_credentials,
    policies,
    roles,
    saml_providers,
    session_tokens,
    snapshots,
    users,
)
from ledger.iam.operations import OPERATIONS, OUT_OF_SCOPE, Operation, Rank, evolve
from ledger.iam.sessions import SESSION_ACTIONS

FOLDED_ACTIONS = frozenset(OPERATIONS)
"""What the fold wants to see; no other record changes an account."""

__all__ = [
    "FOLDED_ACTIONS",
    "OPERATIONS",
    "OUT_OF_SCOPE",
    "SESSION_ACTIONS",
    "Operation",
    "Rank",
    "access_keys",
    "account_settings",
    "assuming",
    "authorization_messages",
    "caller_identity",
    "evolve",
    "federation",
    "groups",
    "instance_profiles",
    "login_profiles",
    "mfa",
    "oidc_providers",
    "other_credentials",
    "policies",
    "roles",
    "saml_providers",
    "session_tokens",
    "snapshots",
    "users",
]
