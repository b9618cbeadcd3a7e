"""SAML providers: whose assertions open role sessions."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import SAMLProvider, tagging
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.identity_propagation import (
    check_creation,
    check_update,
    propagating,
    propagation_enabled,
    shown_propagation,
)
from ledger.iam.limits import SAML_PROVIDERS, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import check_arn_of
from ledger.iam.refusals import EntityAlreadyExists, InvalidInput, NoSuchEntity
from ledger.iam.saml_metadata import BadMetadata, read_metadata
from ledger.iam.subjects import absent
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import arn

UNSEEN = (Reason.UNSEEN_CREATION,)
CONTEXT = frozenset({"ContextProvider", "RemoveContextProvider"})
METADATA = frozenset({"SAMLMetadataDocument", "AssertionEncryptionMode", "AddPrivateKey", "RemovePrivateKey"})
YEARS = 100  # of validity, where the metadata does not say


def a_provider(account: Account, call: Call) -> str:
    return str(call.get("SAMLProviderArn", ""))


def a_new_provider(account: Account, call: Call) -> str:
    return arn(account, f"saml-provider/{call.get('Name', '')}")


def all_providers(account: Account, call: Call) -> str:
    return arn(account, "saml-provider/*")


def provider_there(account: Account, call: Call) -> SAMLProvider:
    wanted = call["SAMLProviderArn"]
    check_arn_of("saml-provider", wanted)
    found = account.saml_providers.get(wanted)
    if found is None:
        raise NoSuchEntity(f"Manifest not found for arn {wanted}")
    return found


def _check_metadata(text: str | None) -> None:
    if text is not None:
        try:
            read_metadata(text)
        except BadMetadata as error:
            raise InvalidInput("Could not parse metadata") from error


def _check_encryption(call: Call) -> None:
    """Assertions are not decrypted here, so a provider that is to require it would let nobody in."""
    if "RemovePrivateKey" in call:  # there is none
        raise NoSuchEntity(f"Private key {call['RemovePrivateKey']} cannot be found.")
    if "AddPrivateKey" in call or call.get("AssertionEncryptionMode") == "Required":
        raise InvalidInput("Encrypted SAML assertions are not supported.")


@decides(
    "iam:CreateSAMLProvider",
    on=a_new_provider,
    also=tagging_too("iam:TagSAMLProvider", a_new_provider),
)
def decide_create_saml_provider(account: Account, call: Call, moment: Moment) -> Answer:
    created = a_new_provider(account, call)
    _check_metadata(call["SAMLMetadataDocument"])
    _check_encryption(call)
    check_creation(call)
    if created in account.saml_providers:
        raise EntityAlreadyExists(f"Provider with name {call['Name']} already exists.")
    room_for_one_more(account.saml_providers, SAML_PROVIDERS, "SAMLProvidersPerAccount")
    tags = new_tags(SAMLProvider, Map(), call)
    told: dict[str, Any] = {"SAMLProviderArn": created}
    return Answer(told | ({"Tags": shown_tags(tags)} if tags else {}))


@evolves("iam:CreateSAMLProvider", rank=Rank.CREATE)
def create_saml_provider(account: Account, change: Change) -> Account:
    arn = change.response.text("SAMLProviderArn")
    if arn is None:
        arn = f"arn:aws:iam::{account.id}:saml-provider/{change.request.needed('Name')}"
    if arn in account.saml_providers:
        account = account.assume(Reason.UNSEEN_DELETION, arn)
    provider = SAMLProvider(
        id=arn,
        create_date=change.time,
        created_by=change.position,
        metadata_made_by=change.position,
        metadata=change.request.text("SAMLMetadataDocument"),
        assertion_encryption_mode=change.request.text("AssertionEncryptionMode"),
    )
    provider = propagating(provider, change)
    return account.put(tagging(provider, change.request.pairs("Tags"), change.position))


@decides("iam:GetSAMLProvider", on=a_provider)
def get_saml_provider(account: Account, call: Call, moment: Moment) -> Answer:
    provider = provider_there(account, call)
    told = {"SAMLProviderUUID": _uuid(provider)} | _dates(provider) | {"Tags": shown_tags(provider.tags)}
    if provider.metadata is not None:
        told["SAMLMetadataDocument"] = provider.metadata
    if provider.assertion_encryption_mode is not None:
        told["AssertionEncryptionMode"] = provider.assertion_encryption_mode
    return Answer(told | shown_propagation(provider))


@decides("iam:ListSAMLProviders", on=all_providers)
def list_saml_providers(account: Account, call: Call, moment: Moment) -> Answer:
    found = sorted(account.saml_providers.items())
    told = [{"Arn": arn} | _dates(provider) | propagation_enabled(provider) for arn, provider in found]
    return Answer({"SAMLProviderList": told})


@decides("iam:UpdateSAMLProvider", on=a_provider)
def decide_update_saml_provider(account: Account, call: Call, moment: Moment) -> Answer:
    provider = provider_there(account, call)
    _check_metadata(call.get("SAMLMetadataDocument"))
    _check_encryption(call)
    check_update(provider, call)
    if CONTEXT & call.parameters.keys() and METADATA & call.parameters.keys():
        raise InvalidInput(
            "A single request can change either the context provider or the provider metadata."
        )
    return Answer({"SAMLProviderArn": provider.id})


@evolves("iam:UpdateSAMLProvider", rank=Rank.CHANGE)
def update_saml_provider(account: Account, change: Change) -> Account:
    account, provider = _the_saml_provider(account, change)
    mode = change.request.text("AssertionEncryptionMode")
    if mode is not None and mode != provider.assertion_encryption_mode:
        provider = replace(provider, assertion_encryption_mode=mode)
    provider = propagating(provider, change)
    metadata = change.request.text("SAMLMetadataDocument")
    if "SAMLMetadataDocument" in change.request and (metadata is None or metadata != provider.metadata):
        provider = replace(provider, metadata=metadata, metadata_made_by=change.position)
    return account.put(provider)


@decides("iam:DeleteSAMLProvider", on=a_provider)
def decide_delete_saml_provider(account: Account, call: Call, moment: Moment) -> Answer:
    provider_there(account, call)
    return NOTHING


@evolves("iam:DeleteSAMLProvider", rank=Rank.DELETE)
def delete_saml_provider(account: Account, change: Change) -> Account:
    arn = change.request.needed("SAMLProviderArn")
    provider = account.saml_providers.get(arn)
    return absent(account, arn) if provider is None else account.drop(provider.kind, arn)


def _dates(provider: SAMLProvider) -> dict[str, Any]:
    """CreateDate and ValidUntil, as far as records told them. AWS lets metadata that names no end hold for a century."""
    until = None
    if provider.metadata is not None:
        try:
            until = read_metadata(provider.metadata).valid_until
        except BadMetadata:
            until = None
    created = provider.create_date
    if until is None and created is not None:
        date = datetime.fromtimestamp(created, UTC)
        day = min(date.day, 28) if date.month == 2 else date.day  # 2100 is no leap year
        until = int(date.replace(year=date.year + YEARS, day=day).timestamp())
    told = {"CreateDate": created, "ValidUntil": until}
    return {name: date for name, date in told.items() if date is not None}


def _uuid(provider: SAMLProvider) -> str:
    """No record tells the identifier that AWS gave it: this one is the provider's for as long as it is there."""
    seed = f"{provider.id} {provider.create_date} {provider.created_by}"
    return base64.b32encode(sha256(seed.encode()).digest())[:32].decode()


def _the_saml_provider(account: Account, change: Change) -> tuple[Account, SAMLProvider]:
    arn = change.request.text("SAMLProviderArn") or change.response.text("SAMLProviderArn") or ""
    found = account.saml_providers.get(arn or change.request.needed("SAMLProviderArn"))
    if found is not None:
        return account, found
    provider = SAMLProvider(id=arn, create_date=None, created_by=None, metadata_made_by=None, assumed=UNSEEN)
    return account.assume(Reason.UNSEEN_CREATION, arn).put(provider), provider


taggable("SAMLProvider", SAMLProvider, on=a_provider, there=provider_there, told=_the_saml_provider)
