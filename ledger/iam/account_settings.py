"""The account's own settings: alias, password policy and the switches of the whole account."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Alias, PasswordPolicy, Preference, without
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent

ROOT_CREDENTIALS_MANAGEMENT = "OrganizationsRootCredentialsManagement"
ROOT_SESSIONS = "OrganizationsRootSessions"
OUTBOUND_WEB_IDENTITY = "OutboundWebIdentityFederation"
GLOBAL_ENDPOINT_TOKEN_VERSION = "GlobalEndpointTokenVersion"
ENABLED = "Enabled"


@evolves("iam:CreateAccountAlias", rank=Rank.CREATE)
def create_account_alias(account: Account, change: Change) -> Account:
    """An account has one alias; another takes its place."""
    name, there = change.request.needed("AccountAlias"), account.settings.alias
    if there is not None and there.name == name:
        return account
    return account.put(replace(account.settings, alias=Alias(name, change.position)))


@evolves("iam:DeleteAccountAlias", rank=Rank.DELETE)
def delete_account_alias(account: Account, change: Change) -> Account:
    name, there = change.request.needed("AccountAlias"), account.settings.alias
    if there is None or there.name != name:
        return absent(account, f"alias {name}")
    return account.put(replace(account.settings, alias=None))


@evolves("iam:UpdateAccountPasswordPolicy", rank=Rank.CHANGE)
def update_account_password_policy(account: Account, change: Change) -> Account:
    """What the request leaves out goes back to its default."""
    request = change.request
    policy = PasswordPolicy(
        minimum_password_length=request.number("MinimumPasswordLength") or 6,
        require_symbols=bool(request.truth("RequireSymbols")),
        require_numbers=bool(request.truth("RequireNumbers")),
        require_uppercase_characters=bool(request.truth("RequireUppercaseCharacters")),
        require_lowercase_characters=bool(request.truth("RequireLowercaseCharacters")),
        allow_users_to_change_password=bool(request.truth("AllowUsersToChangePassword")),
        max_password_age=request.number("MaxPasswordAge") or None,
        password_reuse_prevention=request.number("PasswordReusePrevention") or None,
        hard_expiry=bool(request.truth("HardExpiry")),
        made_by=change.position,
    )
    there = account.settings.password_policy
    if there is not None and replace(policy, made_by=there.made_by) == there:
        return account
    return account.put(replace(account.settings, password_policy=policy))


@evolves("iam:DeleteAccountPasswordPolicy", rank=Rank.REVOKE)
def delete_account_password_policy(account: Account, change: Change) -> Account:
    if account.settings.password_policy is None:
        return absent(account, "the password policy")
    return account.put(replace(account.settings, password_policy=None))


@evolves("iam:SetSecurityTokenServicePreferences", rank=Rank.CHANGE)
def set_security_token_service_preferences(account: Account, change: Change) -> Account:
    version = change.request.needed(GLOBAL_ENDPOINT_TOKEN_VERSION)
    return _prefer(account, change, {GLOBAL_ENDPOINT_TOKEN_VERSION: version})


@evolves("iam:PutAccountProperties", rank=Rank.CHANGE)
def put_account_properties(account: Account, change: Change) -> Account:
    return _prefer(account, change, change.request.pairs("Properties"))


@evolves("iam:EnableOrganizationsRootCredentialsManagement", rank=Rank.CHANGE)
def enable_root_credentials_management(account: Account, change: Change) -> Account:
    return _prefer(account, change, {ROOT_CREDENTIALS_MANAGEMENT: ENABLED})


@evolves("iam:DisableOrganizationsRootCredentialsManagement", rank=Rank.REVOKE)
def disable_root_credentials_management(account: Account, change: Change) -> Account:
    return _prefer_no_more(account, ROOT_CREDENTIALS_MANAGEMENT)


@evolves("iam:EnableOrganizationsRootSessions", rank=Rank.CHANGE)
def enable_root_sessions(account: Account, change: Change) -> Account:
    return _prefer(account, change, {ROOT_SESSIONS: ENABLED})


@evolves("iam:DisableOrganizationsRootSessions", rank=Rank.REVOKE)
def disable_root_sessions(account: Account, change: Change) -> Account:
    return _prefer_no_more(account, ROOT_SESSIONS)


@evolves("iam:EnableOutboundWebIdentityFederation", rank=Rank.CHANGE)
def enable_outbound_web_identity_federation(account: Account, change: Change) -> Account:
    return _prefer(account, change, {OUTBOUND_WEB_IDENTITY: ENABLED})


@evolves("iam:DisableOutboundWebIdentityFederation", rank=Rank.REVOKE)
def disable_outbound_web_identity_federation(account: Account, change: Change) -> Account:
    return _prefer_no_more(account, OUTBOUND_WEB_IDENTITY)


def _prefer(account: Account, change: Change, values: dict[str, str]) -> Account:
    preferences = account.settings.preferences
    for name, value in values.items():
        there = preferences.get(name)
        if there is None or there.value != value:
            preferences = preferences.set(name, Preference(name, value, change.position))
    return account.put(replace(account.settings, preferences=preferences))


def _prefer_no_more(account: Account, name: str) -> Account:
    preferences = account.settings.preferences
    if name not in preferences:
        return absent(account, name)
    return account.put(replace(account.settings, preferences=without(preferences, name)))
