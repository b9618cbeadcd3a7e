"""Identity providers: each operation."""

from typing import Any

from ledger.account.assumptions import Reason
from tests.ledger.told import ACCOUNT, Told, call, given

SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
create_saml = call("CreateSAMLProvider", {"name": "corp"}, {"sAMLProviderArn": SAML})
create_oidc = call(
    "CreateOpenIDConnectProvider",
    {
        "url": "https://token.actions.githubusercontent.com",
        "clientIDList": ["sts.amazonaws.com"],
        "thumbprintList": ["6938fd4d98bab03faadb97b34396831e3780aea1"],
    },
    {"openIDConnectProviderArn": OIDC},
)


def saml(told: Told) -> Any:
    return told.account.to_document()["samlProviders"]


def oidc(told: Told) -> Any:
    return told.account.to_document()["openIDConnectProviders"][0]


def test_a_saml_provider_is_created_updated_and_deleted() -> None:
    told = given(create_saml)
    assert saml(told) == [
        {"Arn": SAML, "CreateDate": "2023-11-14T22:13:20Z", "CreatedBy": 0, "MetadataMadeBy": 0, "Tags": []}
    ]
    told.when(call("UpdateSAMLProvider", {"sAMLProviderArn": SAML, "sAMLMetadataDocument": "<x/>"}))
    assert saml(told)[0]["MetadataMadeBy"] == 1
    told.when(call("UpdateSAMLProvider", {"sAMLProviderArn": SAML, "assertionEncryptionMode": "Required"}))
    assert saml(told)[0]["MetadataMadeBy"] == 1
    delete = call("DeleteSAMLProvider", {"sAMLProviderArn": SAML})
    assert saml(told.when(delete)) == []
    assert told.when(delete).reasons == [Reason.ABSENT]


def test_a_saml_provider_without_a_response_is_named_by_the_request() -> None:
    assert saml(given(call("CreateSAMLProvider", {"name": "corp"})))[0]["Arn"] == SAML
    assert given(create_saml, create_saml).reasons == [Reason.UNSEEN_DELETION]


def test_a_saml_provider_nobody_created_is_assumed() -> None:
    told = given(call("TagSAMLProvider", {"sAMLProviderArn": SAML, "tags": [{"key": "a", "value": "1"}]}))
    assert told.reasons == [Reason.UNSEEN_CREATION]
    assert saml(told)[0]["Tags"][0]["Key"] == "a"
    assert (
        saml(told.when(call("UntagSAMLProvider", {"sAMLProviderArn": SAML, "tagKeys": ["a"]})))[0]["Tags"]
        == []
    )


def test_an_oidc_provider_knows_its_clients_by_the_entries_that_added_them() -> None:
    told = given(create_oidc)
    assert oidc(told)["Url"] == "https://token.actions.githubusercontent.com"
    add = call("AddClientIDToOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "clientID": "me"})
    assert oidc(told.when(add).when(add))["ClientIDList"] == [
        {"ClientID": "me", "MadeBy": 1},
        {"ClientID": "sts.amazonaws.com", "MadeBy": 0},
    ]
    remove = call(
        "RemoveClientIDFromOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "clientID": "me"}
    )
    assert len(oidc(told.when(remove).when(remove))["ClientIDList"]) == 1
    assert told.reasons == []  # AWS allows that twice


def test_thumbprints_are_replaced() -> None:
    update = call(
        "UpdateOpenIDConnectProviderThumbprint", {"openIDConnectProviderArn": OIDC, "thumbprintList": ["ab"]}
    )
    told = given(create_oidc, update, update)
    assert oidc(told)["ThumbprintList"] == ["ab"]
    assert oidc(told)["ThumbprintsMadeBy"] == 1


def test_an_oidc_provider_nobody_created_is_assumed() -> None:
    tag = call(
        "TagOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "tags": [{"key": "a", "value": "1"}]}
    )
    told = given(tag)
    assert told.reasons == [Reason.UNSEEN_CREATION]
    assert oidc(told)["Url"] == "https://token.actions.githubusercontent.com"
    untag = call("UntagOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "tagKeys": ["a"]})
    assert oidc(told.when(untag))["Tags"] == []


def test_an_oidc_provider_is_deleted() -> None:
    delete = call("DeleteOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC})
    told = given(create_oidc, delete)
    assert told.account.to_document()["openIDConnectProviders"] == []
    assert told.when(delete).reasons == [Reason.ABSENT]
    assert given(create_oidc, create_oidc).reasons == [Reason.UNSEEN_DELETION]
    url = {"url": "https://token.actions.githubusercontent.com"}
    assert oidc(given(call("CreateOpenIDConnectProvider", url)))["Arn"] == OIDC
