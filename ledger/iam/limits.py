"""Quotas, by the names that AWS's refusals give them. Source: IAM and AWS STS quotas (IAM user guide); GetAccountSummary."""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

from ledger.iam.refusals import LimitExceeded

USERS: Final = 5000
GROUPS: Final = 300
ROLES: Final = 1000
POLICIES: Final = 1500
INSTANCE_PROFILES: Final = 1000
GROUPS_PER_USER: Final = 10
ACCESS_KEYS_PER_USER: Final = 2
ATTACHED_PER_USER: Final = 10
ATTACHED_PER_GROUP: Final = 10
ATTACHED_PER_ROLE: Final = 10
VERSIONS_PER_POLICY: Final = 5
MFA_DEVICES_PER_USER: Final = 8
SSH_KEYS_PER_USER: Final = 5
SIGNING_CERTIFICATES_PER_USER: Final = 2
CREDENTIALS_PER_SERVICE: Final = 2  # of one user
SERVER_CERTIFICATES: Final = 20
POLICY_VERSIONS_IN_USE: Final = 10_000
TAGS: Final = 50
ROLES_PER_INSTANCE_PROFILE: Final = 1
SAML_PROVIDERS: Final = 100
OIDC_PROVIDERS: Final = 100
CLIENT_IDS_PER_OIDC_PROVIDER: Final = 100
THUMBPRINTS_PER_OIDC_PROVIDER: Final = 5
SESSION_TAGS: Final = 50
SESSION_POLICY_ARNS: Final = 10

# Characters of policies, white space not counted; of inline policies all of one holder together.
USER_POLICY_SIZE: Final = 2048
GROUP_POLICY_SIZE: Final = 5120
ROLE_POLICY_SIZE: Final = 10240
MANAGED_POLICY_SIZE: Final = 6144
TRUST_POLICY_SIZE: Final = 2048
SESSION_POLICY_SIZE: Final = 2048  # white space counted


def room_for_one_more(there: Sized, quota: int, name: str) -> None:
    """Raises LimitExceeded where there are as many as the quota of that name allows."""
    if len(there) >= quota:
        raise LimitExceeded(f"Cannot exceed quota for {name}: {quota}")
