"""The account's own settings: alias and the switches of the whole account.

The ledger keeps no organization, so an account is asked about its features alone.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Alias, Preference, without
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, anything, decides
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.refusals import (
    EntityAlreadyExists,
    FeatureDisabled,
    NoSuchEntity,
    OrganizationNotFound,
    ValidationError,
)
from ledger.iam.subjects import absent

ROOT_CREDENTIALS_MANAGEMENT = "OrganizationsRootCredentialsManagement"
ROOT_SESSIONS = "OrganizationsRootSessions"
OUTBOUND_WEB_IDENTITY = "OutboundWebIdentityFederation"
GLOBAL_ENDPOINT_TOKEN_VERSION = "GlobalEndpointTokenVersion"
ENABLED = "Enabled"
_ACCOUNT_NUMBER = re.compile(r"\d{12}", re.ASCII)


@decides("iam:CreateAccountAlias", on=anything, in_turn=("alias_is_anothers",))
def decide_create_account_alias(account: Account, call: Call, moment: Moment) -> Answer:
    name, there = call["AccountAlias"], account.settings.alias
    if _ACCOUNT_NUMBER.fullmatch(name):  # it would be taken for an account's number at sign-in
        raise ValidationError("The account alias must not be a 12-digit number.")
    if (there is not None and there.name == name) or call.facts.get("alias_is_anothers"):
        raise EntityAlreadyExists(f"The account alias {name} already exists.")
    return NOTHING


@evolves("iam:CreateAccountAlias", rank=Rank.CREATE)
def create_account_alias(account: Account, change: Change) -> Account:
    """An account has one alias; another takes its place."""
    name, there = change.request.needed("AccountAlias"), account.settings.alias
    if there is not None and there.name == name:
        return account
    return account.put(replace(account.settings, alias=Alias(name, change.position)))


@decides("iam:ListAccountAliases", on=anything)
def list_account_aliases(account: Account, call: Call, moment: Moment) -> Answer:
    there = account.settings.alias
    names = () if there is None else (there.name,)
    return Answer(paged(call, "AccountAliases", names, str, str))


@decides("iam:DeleteAccountAlias", on=anything)
def decide_delete_account_alias(account: Account, call: Call, moment: Moment) -> Answer:
    name, there = call["AccountAlias"], account.settings.alias
    if there is None or there.name != name:
        raise NoSuchEntity(f"The account alias with name {name} cannot be found.")
    return NOTHING


@evolves("iam:DeleteAccountAlias", rank=Rank.DELETE)
def delete_account_alias(account: Account, change: Change) -> Account:
    name, there = change.request.needed("AccountAlias"), account.settings.alias
    if there is None or there.name != name:
        return absent(account, f"alias {name}")
    return account.put(replace(account.settings, alias=None))


@decides("iam:SetSecurityTokenServicePreferences", on=anything)
def decide_set_security_token_service_preferences(account: Account, call: Call, moment: Moment) -> Answer:
    """Tokens of this ledger are valid in every region, whichever version is set."""
    return NOTHING


@evolves("iam:SetSecurityTokenServicePreferences", rank=Rank.CHANGE)
def set_security_token_service_preferences(account: Account, change: Change) -> Account:
    version = change.request.needed(GLOBAL_ENDPOINT_TOKEN_VERSION)
    return _prefer(account, change, {GLOBAL_ENDPOINT_TOKEN_VERSION: version})


@evolves("iam:PutAccountProperties", rank=Rank.CHANGE)
def put_account_properties(account: Account, change: Change) -> Account:
    return _prefer(account, change, change.request.pairs("Properties"))


def _without_an_organization(account: Account, call: Call, moment: Moment) -> Answer:
    raise OrganizationNotFound("No organization is associated with your account.")


for _action in (
    "iam:ListOrganizationsFeatures",
    *(
        f"iam:{verb}Organizations{feature}"
        for verb in ("Enable", "Disable")
        for feature in ("RootCredentialsManagement", "RootSessions")
    ),
):
    decides(_action, on=anything)(_without_an_organization)


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


@decides("iam:GetOutboundWebIdentityFederationInfo", on=anything)
def get_outbound_web_identity_federation_info(account: Account, call: Call, moment: Moment) -> Answer:
    """Only an account that was imported has it enabled: this ledger issues no such tokens, so it enables nothing."""
    _check_outbound(account)
    return Answer({"JwtVendingEnabled": True})


@decides("iam:DisableOutboundWebIdentityFederation", on=anything)
def decide_disable_outbound_web_identity_federation(account: Account, call: Call, moment: Moment) -> Answer:
    _check_outbound(account)
    return NOTHING


def _check_outbound(account: Account) -> None:
    if OUTBOUND_WEB_IDENTITY not in account.settings.preferences:
        raise FeatureDisabled("Outbound web identity federation is disabled for your account.")


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
