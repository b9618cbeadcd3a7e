"""OpenID Connect providers: whose tokens open role sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import OIDCProvider, tagging, without
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.identity_propagation import (
    check_creation,
    check_update,
    propagating,
    propagation_enabled,
    shown_propagation,
)
from ledger.iam.limits import (
    CLIENT_IDS_PER_OIDC_PROVIDER,
    OIDC_PROVIDERS,
    THUMBPRINTS_PER_OIDC_PROVIDER,
    room_for_one_more,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import check_arn_of
from ledger.iam.refusals import (
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from ledger.iam.subjects import absent
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import arn

UNSEEN = (Reason.UNSEEN_CREATION,)


def a_provider(account: Account, call: Call) -> str:
    return str(call.get("OpenIDConnectProviderArn", ""))


def a_new_provider(account: Account, call: Call) -> str:
    return arn(account, f"oidc-provider/{_address(call.get('Url', ''))}")


def all_providers(account: Account, call: Call) -> str:
    return arn(account, "oidc-provider/*")


def provider_there(account: Account, call: Call) -> OIDCProvider:
    wanted = call["OpenIDConnectProviderArn"]
    check_arn_of("oidc-provider", wanted)
    found = account.oidc_providers.get(wanted)
    if found is None:
        raise NoSuchEntity(f"OpenIDConnect Provider not found for arn {wanted}")
    return found


def _check_thumbprints(thumbprints: list[str]) -> None:
    if len(thumbprints) > THUMBPRINTS_PER_OIDC_PROVIDER:
        raise InvalidInput("Thumbprint list must contain fewer than 5 entries.")


def _check_client_ids(client_ids: set[str]) -> None:
    if len(client_ids) > CLIENT_IDS_PER_OIDC_PROVIDER:
        raise LimitExceeded(
            f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS_PER_OIDC_PROVIDER}"
        )


def _check_url(url: str) -> None:
    """Paths are allowed, queries are not; AWS advises against a port and does not forbid it."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:
        sound = False
    if not sound or "?" in url or "#" in url or "@" in url:
        raise ValidationError("Invalid Open ID Connect Provider URL")


@decides(
    "iam:CreateOpenIDConnectProvider",
    on=a_new_provider,
    also=tagging_too("iam:TagOpenIDConnectProvider", a_new_provider),
)
def decide_create_open_id_connect_provider(account: Account, call: Call, moment: Moment) -> Answer:
    url = call["Url"]
    _check_url(url)
    _check_thumbprints(call.get("ThumbprintList", []))
    _check_client_ids(set(call.get("ClientIDList", ())))
    check_creation(call)
    created = a_new_provider(account, call)
    if created in account.oidc_providers:
        raise EntityAlreadyExists(f"Provider with url {url} already exists.")
    room_for_one_more(account.oidc_providers, OIDC_PROVIDERS, "OpenIdConnectProvidersPerAccount")
    tags = new_tags(OIDCProvider, Map(), call)
    told: dict[str, Any] = {"OpenIDConnectProviderArn": created}
    return Answer(told | ({"Tags": shown_tags(tags)} if tags else {}))


@evolves("iam:CreateOpenIDConnectProvider", rank=Rank.CREATE)
def create_open_id_connect_provider(account: Account, change: Change) -> Account:
    request, arn = change.request, change.response.text("OpenIDConnectProviderArn")
    if arn is None:
        arn = f"arn:aws:iam::{account.id}:oidc-provider/{_address(request.needed('Url'))}"
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
    provider = propagating(provider, change)
    return account.put(tagging(provider, request.pairs("Tags"), change.position))


@decides("iam:GetOpenIDConnectProvider", on=a_provider)
def get_open_id_connect_provider(account: Account, call: Call, moment: Moment) -> Answer:
    """AWS answers the URL without its scheme, and an empty list of tags where there are none."""
    provider = provider_there(account, call)
    told: dict[str, Any] = {
        "Url": _address(provider.url),
        "ClientIDList": sorted(provider.client_ids, key=lambda it: (provider.client_ids[it] or 0, it)),
        "ThumbprintList": list(provider.thumbprints),
        "Tags": shown_tags(provider.tags),
    }
    if provider.create_date is not None:
        told["CreateDate"] = provider.create_date
    return Answer(told | shown_propagation(provider))


@decides("iam:ListOpenIDConnectProviders", on=all_providers)
def list_open_id_connect_providers(account: Account, call: Call, moment: Moment) -> Answer:
    found = sorted(account.oidc_providers.items())
    told = [{"Arn": arn} | propagation_enabled(provider) for arn, provider in found]
    return Answer({"OpenIDConnectProviderList": told})


@decides("iam:AddClientIDToOpenIDConnectProvider", on=a_provider)
def decide_add_client_id(account: Account, call: Call, moment: Moment) -> Answer:
    _check_client_ids({*provider_there(account, call).client_ids, call["ClientID"]})
    return NOTHING


@evolves("iam:AddClientIDToOpenIDConnectProvider", rank=Rank.GRANT)
def add_client_id(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    client_id = change.request.needed("ClientID")
    if client_id in provider.client_ids:
        return account
    return account.put(replace(provider, client_ids=provider.client_ids.set(client_id, change.position)))


@decides("iam:RemoveClientIDFromOpenIDConnectProvider", on=a_provider)
def decide_remove_client_id(account: Account, call: Call, moment: Moment) -> Answer:
    provider_there(account, call)
    return NOTHING


@evolves("iam:RemoveClientIDFromOpenIDConnectProvider", rank=Rank.REVOKE)
def remove_client_id(account: Account, change: Change) -> Account:
    """AWS too lets a client be removed that is not there."""
    account, provider = _the_oidc_provider(account, change)
    return account.put(
        replace(provider, client_ids=without(provider.client_ids, change.request.needed("ClientID")))
    )


@decides("iam:UpdateOpenIDConnectProviderThumbprint", on=a_provider)
def decide_update_thumbprint(account: Account, call: Call, moment: Moment) -> Answer:
    provider_there(account, call)
    _check_thumbprints(call["ThumbprintList"])
    return NOTHING


@evolves("iam:UpdateOpenIDConnectProviderThumbprint", rank=Rank.CHANGE)
def update_thumbprint(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    thumbprints = change.request.texts("ThumbprintList")
    if thumbprints == provider.thumbprints:
        return account
    return account.put(replace(provider, thumbprints=thumbprints, thumbprints_made_by=change.position))


@decides("iam:UpdateOpenIDConnectProvider", on=a_provider)
def decide_update_open_id_connect_provider(account: Account, call: Call, moment: Moment) -> Answer:
    check_update(provider_there(account, call), call)
    return NOTHING


@evolves("iam:UpdateOpenIDConnectProvider", rank=Rank.CHANGE)
def update_open_id_connect_provider(account: Account, change: Change) -> Account:
    account, provider = _the_oidc_provider(account, change)
    return account.put(propagating(provider, change))


@decides("iam:DeleteOpenIDConnectProvider", on=a_provider)
def decide_delete_open_id_connect_provider(account: Account, call: Call, moment: Moment) -> Answer:
    wanted = call["OpenIDConnectProviderArn"]
    check_arn_of("oidc-provider", wanted)
    if wanted not in account.oidc_providers:
        raise NoSuchEntity(f"OpenId connect Provider {wanted} cannot be found.")
    return NOTHING


@evolves("iam:DeleteOpenIDConnectProvider", rank=Rank.DELETE)
def delete_open_id_connect_provider(account: Account, change: Change) -> Account:
    arn = change.request.needed("OpenIDConnectProviderArn")
    provider = account.oidc_providers.get(arn)
    return absent(account, arn) if provider is None else account.drop(provider.kind, arn)


def _the_oidc_provider(account: Account, change: Change) -> tuple[Account, OIDCProvider]:
    arn = change.request.needed("OpenIDConnectProviderArn")
    found = account.oidc_providers.get(arn)
    if found is not None:
        return account, found
    provider = OIDCProvider(id=arn, url=_url(arn), create_date=None, created_by=None, assumed=UNSEEN)
    return account.assume(Reason.UNSEEN_CREATION, arn).put(provider), provider


def _url(arn: str) -> str:
    return f"https://{arn.partition(':oidc-provider/')[2]}"


def _address(url: str) -> str:
    """The URL as the provider's ARN has it."""
    return url.partition("://")[2].rstrip("/")


taggable("OpenIDConnectProvider", OIDCProvider, on=a_provider, there=provider_there, told=_the_oidc_provider)
