"""Identity providers: whose assertions and tokens open role sessions."""

from __future__ import annotations

from dataclasses import replace

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import OIDCProvider, SAMLProvider, tagging, untagging, without
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent

UNSEEN = (Reason.UNSEEN_CREATION,)


@evolves("iam:CreateSAMLProvider", rank=Rank.CREATE)
def create_saml_provider(account: Account, change: Change) -> Account:
    arn = change.response.text("SAMLProviderArn")
    if arn is None:
        arn = f"arn:aws:iam::{account.id}:saml-provider/{change.request.needed('Name')}"
    if arn in account.saml_providers:
        account = account.assume(Reason.UNSEEN_DELETION, arn)
    provider = SAMLProvider(
        id=arn, create_date=change.time, created_by=change.position, metadata_made_by=change.position
    )
    return account.put(tagging(provider, change.request.pairs("Tags"), change.position))


@evolves("iam:UpdateSAMLProvider", rank=Rank.CHANGE)
def update_saml_provider(account: Account, change: Change) -> Account:
    account, provider = _the_saml_provider(account, change)
    if "SAMLMetadataDocument" not in change.request:
        return account
    return account.put(replace(provider, metadata_made_by=change.position))


@evolves("iam:DeleteSAMLProvider", rank=Rank.DELETE)
def delete_saml_provider(account: Account, change: Change) -> Account:
    arn = change.request.needed("SAMLProviderArn")
    provider = account.saml_providers.get(arn)
    return absent(account, arn) if provider is None else account.drop(provider.kind, arn)


@evolves("iam:TagSAMLProvider", rank=Rank.CHANGE)
def tag_saml_provider(account: Account, change: Change) -> Account:
    account, provider = _the_saml_provider(account, change)
    return account.put(tagging(provider, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagSAMLProvider", rank=Rank.REVOKE)
def untag_saml_provider(account: Account, change: Change) -> Account:
    account, provider = _the_saml_provider(account, change)
    return account.put(untagging(provider, change.request.texts("TagKeys")))


@evolves("iam:CreateOpenIDConnectProvider", rank=Rank.CREATE)
def create_open_id_connect_provider(account: Account, change: Change) -> Account:
    request, arn = change.request, change.response.text("OpenIDConnectProviderArn")
    if arn is None:
        arn = f"arn:aws:iam::{account.id}:oidc-provider/{request.needed('Url').partition('://')[2]}"
    if arn in account.oidc_providers:
        account = account.assume(Reason.UNSEEN_DELETION, arn)
    provider = OIDCProvider(
        id=arn,
        url=request.text("Url") or _url(arn),
        create_date=change.time,
        created_by=change.position,
        client_ids=Map(dict.fromkeys(request.texts("ClientIDList"), change.position)),
        thumbprints=request.texts("ThumbprintList"),
        thumbprints_made_by=change.position,
    )
    return account.put(tagging(provider, request.pairs("Tags"), change.position))


@evolves("iam:AddClientIDToOpenIDConnectProvider", rank=Rank.GRANT)
def add_client_id(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    client_id = change.request.needed("ClientID")
    if client_id in provider.client_ids:
        return account
    return account.put(replace(provider, client_ids=provider.client_ids.set(client_id, change.position)))


@evolves("iam:RemoveClientIDFromOpenIDConnectProvider", rank=Rank.REVOKE)
def remove_client_id(account: Account, change: Change) -> Account:
    """AWS too lets a client be removed that is not there."""
    account, provider = _the_oidc_provider(account, change)
    return account.put(
        replace(provider, client_ids=without(provider.client_ids, change.request.needed("ClientID")))
    )


@evolves("iam:UpdateOpenIDConnectProviderThumbprint", rank=Rank.CHANGE)
def update_thumbprint(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    thumbprints = change.request.texts("ThumbprintList")
    if thumbprints == provider.thumbprints:
        return account
    return account.put(replace(provider, thumbprints=thumbprints, thumbprints_made_by=change.position))


@evolves("iam:DeleteOpenIDConnectProvider", rank=Rank.DELETE)
def delete_open_id_connect_provider(account: Account, change: Change) -> Account:
    arn = change.request.needed("OpenIDConnectProviderArn")
    provider = account.oidc_providers.get(arn)
    return absent(account, arn) if provider is None else account.drop(provider.kind, arn)


@evolves("iam:TagOpenIDConnectProvider", rank=Rank.CHANGE)
def tag_open_id_connect_provider(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    return account.put(tagging(provider, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagOpenIDConnectProvider", rank=Rank.REVOKE)
def untag_open_id_connect_provider(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    return account.put(untagging(provider, change.request.texts("TagKeys")))


def _the_saml_provider(account: Account, change: Change) -> tuple[Account, SAMLProvider]:
    arn = change.request.text("SAMLProviderArn") or change.response.text("SAMLProviderArn") or ""
    found = account.saml_providers.get(arn or change.request.needed("SAMLProviderArn"))
    if found is not None:
        return account, found
    provider = SAMLProvider(id=arn, create_date=None, created_by=None, metadata_made_by=None, assumed=UNSEEN)
    return account.assume(Reason.UNSEEN_CREATION, arn).put(provider), provider


def _the_oidc_provider(account: Account, change: Change) -> tuple[Account, OIDCProvider]:
    arn = change.request.needed("OpenIDConnectProviderArn")
    found = account.oidc_providers.get(arn)
    if found is not None:
        return account, found
    provider = OIDCProvider(id=arn, url=_url(arn), create_date=None, created_by=None, assumed=UNSEEN)
    return account.assume(Reason.UNSEEN_CREATION, arn).put(provider), provider


def _url(arn: str) -> str:
    return f"https://{arn.partition(':oidc-provider/')[2]}"
