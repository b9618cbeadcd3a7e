"""GetAccountSummary: how much of everything there is, and how much there may be. Source: IAM API reference."""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.entities import CredentialKind
from ledger.iam import limits
from ledger.iam.account_settings import GLOBAL_ENDPOINT_TOKEN_VERSION
from ledger.iam.deciding import Answer, Call, Moment, anything, decides
from ledger.iam.subjects import AWS_MANAGED


@decides("iam:GetAccountSummary", on=anything)
def get_account_summary(account: Account, call: Call, moment: Moment) -> Answer:
    return Answer({"SummaryMap": _counts(account) | _root(account) | _QUOTAS})


def _counts(account: Account) -> dict[str, int]:
    own = [policy for policy in account.policies.values() if AWS_MANAGED not in policy.arn]
    owners = (account.settings, *account.users.values())
    in_use = sum(len(owner.mfa_devices) for owner in owners)
    return {
        "Users": len(account.users),
        "Groups": len(account.groups),
        "Roles": len(account.roles),
        "Policies": len(own),
        "PolicyVersionsInUse": sum(len(policy.versions) for policy in own),
        "InstanceProfiles": len(account.instance_profiles),
        "Providers": len(account.saml_providers) + len(account.oidc_providers),
        "ServerCertificates": len(account.server_certificates),
        "MFADevices": in_use + len(account.mfa_devices),
        "MFADevicesInUse": in_use,
    }


def _root(account: Account) -> dict[str, int]:
    root = account.settings
    token = root.preferences.get(GLOBAL_ENDPOINT_TOKEN_VERSION)
    signing = (it.kind is CredentialKind.SIGNING_CERTIFICATE for it in root.credentials.values())
    return {
        "AccountMFAEnabled": int(bool(root.mfa_devices)),
        "AccountAccessKeysPresent": int(bool(root.access_keys)),
        "AccountPasswordPresent": int(root.login_profile is not None),
        "AccountSigningCertificatesPresent": int(any(signing)),
        "GlobalEndpointTokenVersion": 2 if token is not None and token.value == "v2Token" else 1,
    }


_QUOTAS = {
    "UsersQuota": limits.USERS,
    "GroupsQuota": limits.GROUPS,
    "RolesQuota": limits.ROLES,
    "PoliciesQuota": limits.POLICIES,
    "InstanceProfilesQuota": limits.INSTANCE_PROFILES,
    "ServerCertificatesQuota": limits.SERVER_CERTIFICATES,
    "GroupsPerUserQuota": limits.GROUPS_PER_USER,
    "AccessKeysPerUserQuota": limits.ACCESS_KEYS_PER_USER,
    "SigningCertificatesPerUserQuota": limits.SIGNING_CERTIFICATES_PER_USER,
    "AttachedPoliciesPerUserQuota": limits.ATTACHED_PER_USER,
    "AttachedPoliciesPerGroupQuota": limits.ATTACHED_PER_GROUP,
    "AttachedPoliciesPerRoleQuota": limits.ATTACHED_PER_ROLE,
    "VersionsPerPolicyQuota": limits.VERSIONS_PER_POLICY,
    "PolicyVersionsInUseQuota": limits.POLICY_VERSIONS_IN_USE,
    "UserPolicySizeQuota": limits.USER_POLICY_SIZE,
    "GroupPolicySizeQuota": limits.GROUP_POLICY_SIZE,
    "RolePolicySizeQuota": limits.ROLE_POLICY_SIZE,
    "PolicySizeQuota": limits.MANAGED_POLICY_SIZE,
    "AssumeRolePolicySizeQuota": limits.TRUST_POLICY_SIZE,
}
