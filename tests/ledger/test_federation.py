"""Identity providers' tokens and assertions: which are believed, and the sessions that they open."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from ledger.account.change import Change
from ledger.authority.saml import assertion
from ledger.authority.web_identity import ProviderKeys, web_identity
from ledger.authorization import authorize
from ledger.iam.deciding import DECISIONS, Bearer, Call
from ledger.iam.federation import Assertion, WebIdentity
from ledger.iam.operations import evolve
from ledger.iam.refusals import (
    AccessDenied,
    ExpiredToken,
    IDPCommunicationError,
    IDPRejectedClaim,
    InvalidIdentityToken,
    ValidationError,
)
from ledger.iam.sessions import Session, session_opened
from ledger.policy.decision import Verdict
from ledger.policy.request import caller_of
from ledger.record import read_record
from tests.ledger.asking import Asked, refused
from tests.ledger.federating import ENTITY_ID, Provider, metadata, published, response, signer
from tests.ledger.told import ACCOUNT, NOON, TRUST_TEXT, call

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
ATTRIBUTES: dict[str, tuple[str, ...]] = {"Role": (f"{ROLE},{SAML}",), "RoleSessionName": ("ann",)}
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann"
CREATE_ROLE = call(
    "CreateRole",
    {"roleName": "deploy", "assumeRolePolicyDocument": TRUST_TEXT},
    {"role": {"path": "/", "roleName": "deploy", "roleId": "AROA0000000DEPLOY1234", "arn": ROLE}},
)


def opened(asked: Asked) -> Session:
    session = session_opened(Change(asked.position, read_record(asked.record), native=True))
    assert session is not None
    return session


# ---- tokens


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with published(tmp_path, signer()) as found:
        found.publish(("k1", signer("tokens")))
        yield found


def trusting(provider: Provider, *, thumbprint: str | None = None) -> Asked:
    asked = Asked(CREATE_ROLE)
    prints = [signer().thumbprint if thumbprint is None else thumbprint]
    asked("CreateOpenIDConnectProvider", Url=provider.url, ClientIDList=["app"], ThumbprintList=prints)
    return asked


def token(provider: Provider, *, key_id: str = "k1", by: str = "tokens", **claims: Any) -> str:
    told = {"iss": provider.url, "sub": "ann", "aud": "app", "iat": NOON, "exp": NOON + 60} | claims
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(told, signer(by).key, "RS256", {"kid": key_id})


def said(asked: Asked, text: str, keys: ProviderKeys | None = None, at: int = NOON) -> WebIdentity:
    return web_identity(asked.account, text, keys or ProviderKeys(), at)


def provider_arn(provider: Provider) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider.url.removeprefix('https://')}"


def test_a_token_opens_a_session_of_the_role(provider: Provider) -> None:
    asked = trusting(provider)
    found = said(asked, token(provider, azp="app", amr=["mfa", "pwd"]))
    arn, name = provider_arn(provider), provider.url.removeprefix("https://")
    assert found.values == {
        "aws:federatedprovider": (arn,),
        f"{name}:aud": ("app",),
        f"{name}:sub": ("ann",),
        f"{name}:amr": ("mfa", "pwd"),
    }
    by = Bearer(caller_of("*"), federated=found.bearer)
    told = asked(
        "AssumeRoleWithWebIdentity",
        by=by,
        facts={"web_identity": found},
        RoleArn=ROLE,
        RoleSessionName="ann",
        WebIdentityToken="a.b.c",
    )
    assert told.pop("Credentials")["Expiration"] == NOON + 3600
    assert told == {
        "AssumedRoleUser": {"AssumedRoleId": "AROA0000000DEPLOY1234:ann", "Arn": SESSION_ARN},
        "SubjectFromWebIdentityToken": "ann",
        "Provider": arn,
        "Audience": "app",
    }
    assert asked.record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{arn}:app:ann",
        "userName": "ann",
        "identityProvider": arn,
    }
    assert "a.b.c" not in str(asked.record)
    session = opened(asked)
    assert (session.session_arn, session.arn, session.provider, session.subject) == (
        SESSION_ARN,
        ROLE,
        arn,
        "ann",
    )
    asked("GetCallerIdentity", by=Bearer(caller_of(SESSION_ARN, ROLE), session.access_key_id, session))
    context = asked.record["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"] == {"federatedProvider": arn, "attributes": {}}


def test_a_token_passes_tags_and_a_source_identity(provider: Provider) -> None:
    asked = trusting(provider)
    tags = {"principal_tags": {"Team": ["red"], "Cost": ["1"]}, "transitive_tag_keys": ["Team"]}
    more: dict[str, Any] = {
        "https://aws.amazon.com/tags": tags,
        "https://aws.amazon.com/source_identity": "ann",
    }
    text = token(provider, **more)
    parameters: dict[str, Any] = {"RoleArn": ROLE, "RoleSessionName": "ann"}
    facts: dict[str, Any] = {"web_identity": said(asked, text)}
    assert asked("AssumeRoleWithWebIdentity", facts=facts, **parameters)["SourceIdentity"] == "ann"
    session = opened(asked)
    assert session.tags == (("Cost", "1"), ("Team", "red"))
    assert (session.transitive_tag_keys, session.source_identity) == (("Team",), "ann")
    decision = DECISIONS["sts:AssumeRoleWithWebIdentity"]
    assert decision.also is not None
    wanted = Call("sts:AssumeRoleWithWebIdentity", parameters, asked.by, facts)
    assert list(decision.also(asked.account, wanted)) == [
        ("sts:TagSession", ROLE),
        ("sts:SetSourceIdentity", ROLE),
    ]


def test_keys_are_fetched_once_and_again_when_they_are_new(provider: Provider) -> None:
    asked, keys = trusting(provider), ProviderKeys()
    for _ in range(3):
        said(asked, token(provider), keys)
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]
    provider.publish(("k2", signer("newer")))
    newer = token(provider, key_id="k2", by="newer", exp=NOON + 9000)
    with pytest.raises(InvalidIdentityToken):  # nobody makes us ask for every made-up key
        said(asked, newer, keys, at=NOON + 29)
    assert len(provider.asked) == 2
    said(asked, newer, keys, at=NOON + 30)
    assert len(provider.asked) == 4
    said(asked, newer, keys, at=NOON + 3630)
    assert len(provider.asked) == 6


def test_a_provider_that_is_gone_is_not_waited_for_every_time(provider: Provider) -> None:
    asked, keys, published_keys = trusting(provider), ProviderKeys(), provider.answers.pop("/keys")
    for _ in range(3):
        with pytest.raises(InvalidIdentityToken):
            said(asked, token(provider), keys)
    assert provider.asked.count("/keys") == 1
    provider.answers["/keys"] = published_keys
    assert said(asked, token(provider), keys, at=NOON + 30).subject == "ann"


def test_new_thumbprints_are_new_trust(provider: Provider) -> None:
    asked, keys = trusting(provider), ProviderKeys()
    said(asked, token(provider), keys)
    asked(
        "UpdateOpenIDConnectProviderThumbprint",
        OpenIDConnectProviderArn=provider_arn(provider),
        ThumbprintList=["0" * 40],
    )
    words = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    with refused(InvalidIdentityToken, words):
        said(asked, token(provider), keys)


def test_a_certificate_that_nobody_registered_is_not_trusted(provider: Provider) -> None:
    words = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    with refused(InvalidIdentityToken, words):
        said(trusting(provider, thumbprint="0" * 40), token(provider))
    assert provider.asked == []


def test_a_provider_that_is_not_there_or_publishes_no_keys(provider: Provider) -> None:
    words = (
        "Couldn't retrieve verification key from your identity provider,  "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    )
    with refused(InvalidIdentityToken, words):
        said(trusting(provider), token(provider, key_id="k9"))
    for path in ("/keys", "/.well-known/openid-configuration"):
        del provider.answers[path]
        with refused(InvalidIdentityToken, words):
            said(trusting(provider), token(provider))
    provider.publish(("k1", signer("tokens")))
    provider.answers["/.well-known/openid-configuration"]["issuer"] = "https://somebody.example.com"
    with refused(InvalidIdentityToken, words):
        said(trusting(provider), token(provider))
    gone = Provider("https://127.0.0.1:9")
    with refused(
        IDPCommunicationError,
        "Couldn't reach your identity provider at https://127.0.0.1:9/.well-known/openid-configuration",
    ):
        said(trusting(gone), token(gone))


def test_who_signed_and_for_whom(provider: Provider) -> None:
    asked = trusting(provider)
    with refused(InvalidIdentityToken, "The signature of the token is not valid."):
        said(asked, token(provider, by="somebody else"))
    with refused(InvalidIdentityToken, "Incorrect token audience"):
        said(asked, token(provider, aud="another app"))
    with refused(InvalidIdentityToken, "Incorrect token audience"):
        said(asked, token(provider, azp="another app"))
    assert said(asked, token(provider, aud=["another app", "app"])).audience == "app"
    other = Provider("https://oidc.example.com")
    words = "No OpenIDConnect provider found in your account for https://oidc.example.com"
    with refused(InvalidIdentityToken, words):
        said(asked, token(other))


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_a_token_says_what_is_required(provider: Provider, claim: str) -> None:
    without: dict[str, Any] = {claim: None}
    with refused(InvalidIdentityToken, f"Missing a required claim: {claim}"):
        said(trusting(provider), token(provider, **without))


def test_a_token_has_its_time(provider: Provider) -> None:
    asked = trusting(provider)
    with refused(
        ExpiredToken,
        f"Token expired: current date/time {NOON} must be before the expiration date/time {NOON}",
    ):
        said(asked, token(provider, exp=NOON))
    for early in (token(provider, iat=NOON + 301), token(provider, nbf=NOON + 301)):
        with refused(InvalidIdentityToken, "The token is not valid yet."):
            said(asked, early)
    with refused(InvalidIdentityToken, "Timestamps in the token must be formatted as an integer."):
        said(asked, token(provider, exp=NOON + 60.5))


def test_other_tokens_are_none(provider: Provider) -> None:
    asked = trusting(provider)
    words = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    claims = {"iss": provider.url, "sub": "ann", "aud": "app", "iat": NOON, "exp": NOON + 60}
    by_hand = jwt.encode(claims, "x" * 32, "HS256", {"kid": "k1"})
    unsigned = jwt.encode(claims, "", "none", {"kid": "k1"})
    for text in ("abcd", "a.b.c", by_hand, unsigned):
        with refused(InvalidIdentityToken, words):
            said(asked, text)


@pytest.mark.parametrize("spoilt", ["", "subject", "audience", "provider"])
def test_the_role_trusts_whom_its_policy_names(provider: Provider, spoilt: str) -> None:
    asked, name = trusting(provider), provider.url.removeprefix("https://")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": provider_arn(provider) + ("x" if spoilt == "provider" else "")},
                "Condition": {
                    "StringEquals": {
                        f"{name}:sub": "ben" if spoilt == "subject" else "ann",
                        f"{name}:AUD": "other" if spoilt == "audience" else "app",
                    }
                },
            }
        ],
    }
    update = call("UpdateAssumeRolePolicy", {"roleName": "deploy", "policyDocument": json.dumps(trust)})
    account = evolve(asked.account, Change(asked.position + 1, read_record(update), native=False))
    action, found = "sts:AssumeRoleWithWebIdentity", said(asked, token(provider))
    answer = authorize(account, caller_of("*"), None, action, ROLE, found.values, 9, at=NOON)
    assert (answer.verdict is Verdict.ALLOWED) is not bool(spoilt)


def test_what_is_wrong_with_a_token_is_told_before_anything_is_asked_about_the_role() -> None:
    asked, wrong = Asked(), InvalidIdentityToken("wrong")
    for action, fact in {
        "sts:AssumeRoleWithWebIdentity": "web_identity",
        "sts:AssumeRoleWithSAML": "assertion",
    }.items():
        with refused(InvalidIdentityToken, "wrong"):
            DECISIONS[action].on(asked.account, Call(action, {"RoleArn": ROLE}, asked.by, {fact: wrong}))


# ---- assertions


def corporate(**more: Any) -> Asked:
    asked = Asked(CREATE_ROLE)
    asked("CreateSAMLProvider", Name="corp", SAMLMetadataDocument=metadata(**more))
    return asked


def heard(asked: Asked, text: bytes, at: int = NOON) -> Assertion:
    return assertion(asked.account, SAML, base64.b64encode(text).decode(), at)


def saml_session(asked: Asked, found: Assertion, **more: Any) -> dict[str, Any]:
    by = Bearer(caller_of("*"), federated=found.bearer)
    parameters = {"RoleArn": ROLE, "PrincipalArn": SAML, "SAMLAssertion": "c2VjcmV0"} | more
    return asked("AssumeRoleWithSAML", by=by, facts={"assertion": found}, **parameters)


@pytest.mark.parametrize("whole", [False, True])
def test_an_assertion_opens_a_session_of_the_role(whole: bool) -> None:
    asked = corporate()
    found = heard(asked, response(NOON, ATTRIBUTES, whole=whole))
    told = saml_session(asked, found)
    assert told.pop("Credentials")["Expiration"] == NOON + 3600
    qualifier = told["NameQualifier"]
    assert told == {
        "AssumedRoleUser": {"AssumedRoleId": "AROA0000000DEPLOY1234:ann", "Arn": SESSION_ARN},
        "Subject": "ann",
        "SubjectType": "persistent",
        "Issuer": ENTITY_ID,
        "Audience": "https://signin.aws.amazon.com/saml",
        "NameQualifier": qualifier,
    }
    assert asked.record["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": f"{qualifier}:ann",
        "userName": "ann",
        "identityProvider": qualifier,
    }
    assert asked.record["requestParameters"] == {
        "roleArn": ROLE,
        "principalArn": SAML,
        "sAMLAssertionID": "_a1",
        "roleSessionName": "ann",
    }
    session = opened(asked)
    assert (session.session_arn, session.provider, session.subject) == (SESSION_ARN, SAML, "ann")


def test_the_name_qualifier_is_the_hash_that_is_documented() -> None:
    """Source: AWS STS API reference, AssumeRoleWithSAML, NameQualifier; sha1sum and base64 gave the value."""
    found = heard(corporate(), response(NOON, ATTRIBUTES))
    assert found.name_qualifier == "q9cKCJk6vpTW1u2/xwTUYDemF2k="
    assert found.values == {
        "aws:federatedprovider": (SAML,),
        "saml:aud": ("https://signin.aws.amazon.com/saml",),
        "saml:iss": (ENTITY_ID,),
        "saml:sub": ("ann",),
        "saml:sub_type": ("persistent",),
        "saml:namequalifier": (found.name_qualifier,),
        "saml:doc": (f"{ACCOUNT}/corp",),
    }


def test_an_assertion_passes_tags_a_source_identity_and_an_end() -> None:
    asked = corporate()
    more = {
        "PrincipalTag:Team": ("red",),
        "PrincipalTag:Cost": ("1",),
        "TransitiveTagKeys": ("Team",),
        "SourceIdentity": ("ann",),
        "Role": (f"{SAML}, {ROLE}",),
    }
    found = heard(asked, response(NOON, ATTRIBUTES | more, session_ends=NOON + 1000))
    told = saml_session(asked, found)
    assert told["Credentials"]["Expiration"] == NOON + 1000
    session = opened(asked)
    assert session.tags == (("Cost", "1"), ("Team", "red"))
    assert (session.transitive_tag_keys, session.source_identity) == (("Team",), "ann")
    assert session.expiration == NOON + 1000


def test_an_assertion_is_for_its_roles_alone() -> None:
    asked = corporate()
    words = "Not authorized to perform sts:AssumeRoleWithSAML"
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    with refused(AccessDenied, words):
        saml_session(asked, heard(asked, response(NOON, ATTRIBUTES)), RoleArn=other)
    gone = heard(asked, response(NOON, ATTRIBUTES | {"Role": (f"{other},{SAML}",)}))
    with refused(AccessDenied, words):
        saml_session(asked, gone, RoleArn=other)
    found = heard(asked, response(NOON, ATTRIBUTES))
    with refused(
        ValidationError, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    ):
        saml_session(asked, found, DurationSeconds=3601)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("true", "spoilt"),
    [
        (b">ann</saml:NameID>", b">root</saml:NameID>"),
        (b"role/deploy", b"role/admin!"),
        (b'Version="2.0" IssueInstant="2023', b'Version="2.0" IssueInstant="2022'),
    ],
)
def test_what_was_changed_after_signing_is_refused(whole: bool, true: bytes, spoilt: bytes) -> None:
    text = response(NOON, ATTRIBUTES, whole=whole)
    changed = spoilt.join(text.rsplit(true, 1))
    assert changed != text
    with refused(InvalidIdentityToken, "Response signature invalid"):
        heard(corporate(), changed)


def test_an_assertion_beside_the_signed_one_is_not_read() -> None:
    text = response(NOON, ATTRIBUTES)
    start, end = text.index(b"<saml:Assertion"), text.index(b"</saml:Assertion>") + 17
    forged = text[start:end].replace(b">ann<", b">root<").replace(b'ID="_a1"', b'ID="_a2"')
    signature = forged[forged.index(b"<ds:Signature") : forged.index(b"</ds:Signature>") + 15]
    forged = forged.replace(signature, b"")
    for both in (text[:start] + forged + text[start:], text[:end] + forged + text[end:]):
        assert heard(corporate(), both).subject == "ann"


def test_who_signed() -> None:
    by_another = response(NOON, ATTRIBUTES, by=signer("another"))
    with refused(InvalidIdentityToken, "Response signature invalid"):
        heard(corporate(), by_another)
    assert heard(corporate(by=signer("another")), by_another).subject == "ann"
    with refused(InvalidIdentityToken, "Issuer not present in specified provider"):
        heard(corporate(entity_id="https://other.example.com"), response(NOON, ATTRIBUTES))
    with refused(InvalidIdentityToken, "Specified provider doesn't exist"):
        heard(Asked(), response(NOON, ATTRIBUTES))
    with refused(InvalidIdentityToken, "The metadata of the specified provider has expired"):
        heard(corporate(until="2023-11-14T22:13:20Z"), response(NOON, ATTRIBUTES))


@pytest.mark.parametrize("text", [b"abc", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_what_is_no_response_is_refused(text: bytes) -> None:
    with refused(InvalidIdentityToken, "Invalid base64 SAMLResponse"):
        heard(corporate(), text)
    with refused(InvalidIdentityToken, "Invalid base64 SAMLResponse"):
        assertion(corporate().account, SAML, "!", NOON)


def test_an_assertion_has_its_time() -> None:
    words = "Token must be redeemed within 5 minutes of issuance"
    late = response(NOON, ATTRIBUTES, lasts_seconds=3600)
    assert heard(corporate(), late, at=NOON + 300).subject == "ann"
    with refused(ExpiredToken, words):
        heard(corporate(), late, at=NOON + 301)
    with refused(ExpiredToken, words):
        heard(corporate(), response(NOON, ATTRIBUTES, lasts_seconds=60), at=NOON + 60)
    with refused(ExpiredToken, words):
        heard(corporate(), response(NOON, ATTRIBUTES, session_ends=NOON))
    with refused(InvalidIdentityToken, "The assertion is not valid yet"):
        heard(corporate(), response(NOON + 301, ATTRIBUTES))


def test_an_assertion_is_for_aws_and_says_how_the_session_is_called() -> None:
    asked = corporate()
    with refused(InvalidIdentityToken, "Audience is invalid"):
        heard(asked, response(NOON, ATTRIBUTES, audience="https://shop.example.com"))
    with refused(InvalidIdentityToken, "The assertion is for another recipient"):
        heard(asked, response(NOON, ATTRIBUTES, recipient="https://signin.aws.amazon.com.evil.example/saml"))
    with refused(IDPRejectedClaim, "The identity provider reported that authentication failed"):
        heard(asked, response(NOON, ATTRIBUTES, status="Responder"))
    with refused(InvalidIdentityToken, "RoleSessionName is required in AuthnResponse"):
        heard(asked, response(NOON, {"Role": ATTRIBUTES["Role"]}))
    with refused(
        InvalidIdentityToken, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
    ):
        heard(asked, response(NOON, ATTRIBUTES | {"RoleSessionName": ("a b",)}))
    with refused(
        InvalidIdentityToken,
        'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
    ):
        heard(asked, response(NOON, ATTRIBUTES | {"SourceIdentity": ("aws:ann",)}))
