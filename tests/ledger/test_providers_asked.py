"""Identity providers: what is answered and what is refused."""

from typing import Any

import pytest

from ledger.iam.refusals import (
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.federating import metadata, signer
from tests.ledger.told import ACCOUNT, NOON

URL = "https://oidc.example.com/realms/one"
OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/realms/one"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
PRINT = "6938fd4d98bab03faadb97b34396831e3780aea1"
CONTEXT = {
    "SubjectSourceKey": "sub",
    "KeyDefinitionList": [{"SourceKey": "team", "TargetKey": "Team"}],
}
INSTANCE = "arn:aws:sso:::instance/ssoins-1111222233334444"


def with_oidc() -> Asked:
    iam = Asked()
    iam("CreateOpenIDConnectProvider", Url=URL, ClientIDList=["web", "app"], ThumbprintList=[PRINT])
    return iam


def with_saml() -> Asked:
    iam = Asked()
    iam("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=metadata())
    return iam


# ---- OpenID Connect


def test_an_oidc_provider_is_answered_whole() -> None:
    iam = Asked()
    tags = [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]
    made = iam("CreateOpenIDConnectProvider", Url=URL, ClientIDList=["app"], Tags=tags)
    in_order = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert made == {"OpenIDConnectProviderArn": OIDC, "Tags": in_order}
    assert iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC) == {
        "Url": "oidc.example.com/realms/one",
        "ClientIDList": ["app"],
        "ThumbprintList": [],
        "Tags": in_order,
        "CreateDate": NOON,
    }
    assert iam("ListOpenIDConnectProviders") == {"OpenIDConnectProviderList": [{"Arn": OIDC}]}


def test_a_url_is_registered_once() -> None:
    with refused(EntityAlreadyExists, f"Provider with url {URL} already exists."):
        with_oidc()("CreateOpenIDConnectProvider", Url=URL)


@pytest.mark.parametrize(
    "url",
    [
        "oidc.example.com",
        "http://oidc.example.com",
        "https://",
        f"{URL}?a=1",
        f"{URL}#a",
        "https://a@b.c",
        "https://a:x",
    ],
)
def test_a_url_is_of_https_and_without_a_query(url: str) -> None:
    with refused(ValidationError, "Invalid Open ID Connect Provider URL"):
        Asked()("CreateOpenIDConnectProvider", Url=url)


def test_thumbprints_and_clients_are_counted() -> None:
    iam = with_oidc()
    many = [f"{number:040}" for number in range(6)]
    words = "Thumbprint list must contain fewer than 5 entries."
    with refused(InvalidInput, words):
        Asked()("CreateOpenIDConnectProvider", Url=URL, ThumbprintList=many)
    with refused(InvalidInput, words):
        iam("UpdateOpenIDConnectProviderThumbprint", OpenIDConnectProviderArn=OIDC, ThumbprintList=many)
    iam("UpdateOpenIDConnectProviderThumbprint", OpenIDConnectProviderArn=OIDC, ThumbprintList=many[:5])
    for number in range(98):
        iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC, ClientID=f"c{number}")
    iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC, ClientID="app")
    words = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    with refused(LimitExceeded, words):
        iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC, ClientID="one more")
    with refused(LimitExceeded, words):
        Asked()("CreateOpenIDConnectProvider", Url=URL, ClientIDList=[str(it) for it in range(101)])


def test_clients_come_and_go_as_often_as_one_likes() -> None:
    iam = with_oidc()
    for operation in ("AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"):
        for _ in range(2):
            iam(operation, OpenIDConnectProviderArn=OIDC, ClientID="third")
    assert iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC)["ClientIDList"] == ["app", "web"]


def test_an_oidc_provider_must_be_there() -> None:
    iam = Asked()
    named: dict[str, Any] = {"OpenIDConnectProviderArn": OIDC}
    each: dict[str, dict[str, Any]] = {
        "GetOpenIDConnectProvider": {},
        "ListOpenIDConnectProviderTags": {},
        "TagOpenIDConnectProvider": {"Tags": []},
        "UntagOpenIDConnectProvider": {"TagKeys": []},
        "AddClientIDToOpenIDConnectProvider": {"ClientID": "x"},
        "RemoveClientIDFromOpenIDConnectProvider": {"ClientID": "x"},
        "UpdateOpenIDConnectProvider": {},
        "UpdateOpenIDConnectProviderThumbprint": {"ThumbprintList": []},
    }
    for operation, more in each.items():
        with refused(NoSuchEntity, f"OpenIDConnect Provider not found for arn {OIDC}"):
            iam(operation, **named, **more)
    with refused(NoSuchEntity, f"OpenId connect Provider {OIDC} cannot be found."):
        iam("DeleteOpenIDConnectProvider", **named)


def test_a_deleted_oidc_provider_is_gone() -> None:
    iam = with_oidc()
    iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC)
    assert iam("ListOpenIDConnectProviders") == {"OpenIDConnectProviderList": []}
    iam("CreateOpenIDConnectProvider", Url=URL)


def test_tags_of_an_oidc_provider_keep_to_their_case_and_number() -> None:
    iam = with_oidc()
    iam(
        "TagOpenIDConnectProvider",
        OpenIDConnectProviderArn=OIDC,
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}],
    )
    iam("UntagOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC, TagKeys=["a"])
    told = iam("ListOpenIDConnectProviderTags", OpenIDConnectProviderArn=OIDC)
    assert told == {"Tags": [{"Key": "A", "Value": "2"}], "IsTruncated": False}
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        iam(
            "TagOpenIDConnectProvider",
            OpenIDConnectProviderArn=OIDC,
            Tags=[{"Key": str(it), "Value": ""} for it in range(50)],
        )


def test_a_context_provider_comes_first_and_goes_last() -> None:
    iam = with_oidc()

    def update(**parameters: Any) -> None:
        iam("UpdateOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC, **parameters)

    with refused(InvalidInput, "IdentityCenterInstanceArn requires ContextProvider."):
        update(IdentityCenterInstanceArn=INSTANCE)
    update(ContextProvider=CONTEXT)
    update(IdentityCenterInstanceArn=INSTANCE)
    told = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC)
    assert (told["ContextProvider"], told["IdentityCenterInstanceArn"]) == (CONTEXT, INSTANCE)
    listed = iam("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
    assert listed == [{"Arn": OIDC, "IsTrustedIdentityPropagationEnabled": True}]
    with refused(InvalidInput, "Remove the IAM Identity Center association before the context provider."):
        update(RemoveContextProvider=True)
    with refused(InvalidInput, "Specify either ContextProvider or RemoveContextProvider, but not both."):
        update(ContextProvider=CONTEXT, RemoveContextProvider=True)
    update(RemoveIdentityCenterInstance=True)
    update(RemoveContextProvider=True)
    assert "ContextProvider" not in iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=OIDC)


def test_a_context_provider_may_be_there_from_the_beginning() -> None:
    with refused(InvalidInput, "IdentityCenterInstanceArn requires ContextProvider."):
        Asked()("CreateOpenIDConnectProvider", Url=URL, IdentityCenterInstanceArn=INSTANCE)
    iam = Asked()
    both: dict[str, Any] = {"ContextProvider": CONTEXT, "IdentityCenterInstanceArn": INSTANCE}
    document: dict[str, Any] = {"SAMLMetadataDocument": metadata(), **both}
    iam("CreateSAMLProvider", Name="corp", **document)
    told = iam("GetSAMLProvider", SAMLProviderArn=SAML)
    assert {name: told[name] for name in both} == both
    assert iam("ListSAMLProviders")["SAMLProviderList"][0]["IsTrustedIdentityPropagationEnabled"] is True
    words = "A single request can change either the context provider or the IAM Identity Center association."
    with refused(InvalidInput, words):
        iam("UpdateSAMLProvider", SAMLProviderArn=SAML, **both)
    words = "A single request can change either the context provider or the provider metadata."
    with refused(InvalidInput, words):
        iam(
            "UpdateSAMLProvider",
            SAMLProviderArn=SAML,
            ContextProvider=CONTEXT,
            SAMLMetadataDocument=metadata(),
        )


# ---- SAML


def test_a_saml_provider_is_answered_whole() -> None:
    iam = Asked()
    until = "2030-01-01T00:00:00Z"
    document = metadata(until=until)
    tags = [{"Key": "a", "Value": "1"}]
    made = iam("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=document, Tags=tags)
    assert made == {"SAMLProviderArn": SAML, "Tags": tags}
    told = iam("GetSAMLProvider", SAMLProviderArn=SAML)
    assert len(told.pop("SAMLProviderUUID")) == 32
    assert told == {
        "SAMLMetadataDocument": document,
        "CreateDate": NOON,
        "ValidUntil": 1_893_456_000,
        "Tags": tags,
    }
    assert iam("ListSAMLProviders") == {
        "SAMLProviderList": [{"Arn": SAML, "CreateDate": NOON, "ValidUntil": 1_893_456_000}]
    }


def test_metadata_that_names_no_end_holds_for_a_century() -> None:
    told = with_saml()("GetSAMLProvider", SAMLProviderArn=SAML)
    assert told["ValidUntil"] - told["CreateDate"] == 36_524 * 86_400


def test_a_saml_name_is_taken_once() -> None:
    with refused(EntityAlreadyExists, "Provider with name corp already exists."):
        with_saml()("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=metadata())


@pytest.mark.parametrize(
    "document",
    [
        "x" * 1000,
        "<a/>",
        metadata().replace("IDPSSODescriptor", "SPSSODescriptor"),
        metadata().replace("X509Certificate", "X509SKI"),
        metadata().replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1),
        metadata(until="someday"),
    ],
)
def test_metadata_must_describe_an_identity_provider(document: str) -> None:
    with refused(InvalidInput, "Could not parse metadata"):
        Asked()("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=document)
    with refused(InvalidInput, "Could not parse metadata"):
        with_saml()("UpdateSAMLProvider", SAMLProviderArn=SAML, SAMLMetadataDocument=document)


def test_metadata_is_replaced_and_the_provider_stays_the_same() -> None:
    iam = with_saml()
    before = iam("GetSAMLProvider", SAMLProviderArn=SAML)
    new = metadata(signer("other"))
    assert iam("UpdateSAMLProvider", SAMLProviderArn=SAML, SAMLMetadataDocument=new) == {
        "SAMLProviderArn": SAML
    }
    assert iam("GetSAMLProvider", SAMLProviderArn=SAML) == before | {"SAMLMetadataDocument": new}
    assert iam.account.saml_providers[SAML].metadata_made_by == iam.position - 1


def test_a_saml_provider_must_be_there() -> None:
    iam = Asked()
    each: dict[str, dict[str, Any]] = {
        "GetSAMLProvider": {},
        "UpdateSAMLProvider": {},
        "DeleteSAMLProvider": {},
        "ListSAMLProviderTags": {},
        "TagSAMLProvider": {"Tags": []},
        "UntagSAMLProvider": {"TagKeys": []},
    }
    for operation, more in each.items():
        with refused(NoSuchEntity, f"Manifest not found for arn {SAML}"):
            iam(operation, SAMLProviderArn=SAML, **more)


def test_a_saml_provider_is_tagged_and_deleted() -> None:
    iam = with_saml()
    iam("TagSAMLProvider", SAMLProviderArn=SAML, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    iam("UntagSAMLProvider", SAMLProviderArn=SAML, TagKeys=["a"])
    assert iam("ListSAMLProviderTags", SAMLProviderArn=SAML)["Tags"] == [{"Key": "b", "Value": ""}]
    iam("DeleteSAMLProvider", SAMLProviderArn=SAML)
    assert iam("ListSAMLProviders") == {"SAMLProviderList": []}


def test_what_could_not_be_decrypted_is_not_asked_for() -> None:
    with refused(InvalidInput, "Encrypted SAML assertions are not supported."):
        with_saml()("UpdateSAMLProvider", SAMLProviderArn=SAML, AssertionEncryptionMode="Required")
