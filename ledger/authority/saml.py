"""SAML assertions, checked against the metadata that is registered of their provider. Only what was signed is read.

Source: OASIS, "Assertions and Protocols for SAML 2.0"; IAM user guide, "Configure SAML assertions for the authentication
response" and "Troubleshoot SAML federation with IAM".
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from hashlib import sha1
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from cryptography import x509
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ledger.account.account import Account
from ledger.iam.deciding import Federated
from ledger.iam.federation import Assertion
from ledger.iam.refusals import ExpiredToken, IDPRejectedClaim, InvalidIdentityToken
from ledger.iam.saml_metadata import BadMetadata, Metadata, read_metadata

REDEEMED_SECONDS: Final = 300
SKEW_SECONDS: Final = 300
AUDIENCES: Final = frozenset({"urn:amazon:webservices", "https://signin.aws.amazon.com/saml"})

_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_OURS: Final = "https://aws.amazon.com/SAML/Attributes/"
_TAG: Final = f"{_OURS}PrincipalTag:"
_RECIPIENT = re.compile(r"https://([\w-]+\.)*signin\.aws\.amazon\.com/saml(/acs/\w+)?", re.ASCII)
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_LOCATIONS: Final = (
    f"./{_SAML}Assertion/",
    "./",
)  # of the signature: the assertion's, or the whole response's

BAD_SIGNATURE = "Response signature invalid"
BAD_RESPONSE = "Invalid base64 SAMLResponse"
TOO_LATE = "Token must be redeemed within 5 minutes of issuance"


def assertion(account: Account, provider_arn: str, encoded: str, at: int) -> Assertion:
    """What the response says, if the provider of that ARN signed it; raises InvalidIdentityToken, ExpiredToken or
    IDPRejectedClaim.
    """
    provider = account.saml_providers.get(provider_arn)
    if provider is None or provider.metadata is None:
        raise InvalidIdentityToken("Specified provider doesn't exist")
    try:
        metadata = read_metadata(provider.metadata)
    except BadMetadata as error:
        raise InvalidIdentityToken("Specified provider doesn't exist") from error
    try:
        response = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidIdentityToken(BAD_RESPONSE) from error
    if metadata.valid_until is not None and metadata.valid_until <= at:
        raise InvalidIdentityToken("The metadata of the specified provider has expired")
    _check_status(response)
    found = _signed_assertion(response, metadata, at)
    if _text(found.find(f"{_SAML}Issuer")) != metadata.entity_id:
        raise InvalidIdentityToken("Issuer not present in specified provider")
    return _said(account, provider_arn, found, at)


def _check_status(response: bytes) -> None:
    """What the provider answered. A failure need not be signed to be believed."""
    if b"<!DOCTYPE" in response or b"<!ENTITY" in response:
        raise InvalidIdentityToken(BAD_RESPONSE)
    try:
        root = ElementTree.fromstring(response)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InvalidIdentityToken(BAD_RESPONSE) from error
    code = root.find(f"{_SAMLP}Status/{_SAMLP}StatusCode")
    if root.tag != f"{_SAMLP}Response" or code is None:
        raise InvalidIdentityToken(BAD_RESPONSE)
    if code.get("Value") != _SUCCESS:
        raise IDPRejectedClaim("The identity provider reported that authentication failed")


def _signed_assertion(response: bytes, metadata: Metadata, at: int) -> Element:
    for certificate in metadata.certificates:
        try:
            trusted = x509.load_der_x509_certificate(base64.b64decode(certificate))
        except ValueError:
            continue
        for location in _LOCATIONS:
            expected = SignatureConfiguration(
                location=location, verification_time=datetime.fromtimestamp(at, UTC)
            )
            try:
                verified = XMLVerifier().verify(
                    response, x509_cert=trusted, id_attribute="ID", expect_config=expected
                )
            except (SignXMLException, ValueError):
                continue
            signed = ElementTree.fromstring(verified.signed_data)  # type: ignore[union-attr]
            found = [signed] if signed.tag == f"{_SAML}Assertion" else signed.findall(f"{_SAML}Assertion")
            if len(found) == 1:
                return found[0]
    raise InvalidIdentityToken(BAD_SIGNATURE)


def _said(account: Account, provider_arn: str, found: Element, at: int) -> Assertion:
    issued = _time(found.get("IssueInstant"))
    if issued is None or issued > at + SKEW_SECONDS:
        raise InvalidIdentityToken("The assertion is not valid yet")
    if issued + REDEEMED_SECONDS < at:
        raise ExpiredToken(TOO_LATE)
    _check_conditions(found.find(f"{_SAML}Conditions"), at)
    name_id = found.find(f"{_SAML}Subject/{_SAML}NameID")
    subject = _text(name_id)
    if name_id is None or not subject:
        raise InvalidIdentityToken("The assertion names no subject")
    recipient = _recipient(found, at)
    attributes = _attributes(found)
    issuer = _text(found.find(f"{_SAML}Issuer"))
    provider_name = provider_arn.rpartition("/")[2]
    qualifier = base64.b64encode(
        sha1(f"{issuer}{account.id}/{provider_name}".encode(), usedforsecurity=False).digest()
    ).decode()
    subject_type = name_id.get("Format", "unspecified").removeprefix(_FORMAT)
    values = {
        "aws:federatedprovider": (provider_arn,),
        "saml:aud": (recipient,),
        "saml:iss": (issuer,),
        "saml:sub": (subject,),
        "saml:sub_type": (subject_type,),
        "saml:namequalifier": (qualifier,),
        "saml:doc": (f"{account.id}/{provider_name}",),
    }
    return Assertion(
        id=found.get("ID", ""),
        provider_arn=provider_arn,
        subject=subject,
        subject_type=subject_type,
        audience=recipient,
        issuer=issuer,
        name_qualifier=qualifier,
        session_name=_session_name(attributes),
        roles=_roles(attributes),
        ends=_end(found, at),
        bearer=Federated("SAMLUser", f"{qualifier}:{subject}", subject, qualifier),
        values=values,
        tags={
            name.removeprefix(_TAG): told[0]
            for name, told in attributes.items()
            if name.startswith(_TAG) and told
        },
        transitive_tag_keys=tuple(attributes.get(f"{_OURS}TransitiveTagKeys", ())),
        source_identity=_source_identity(attributes),
    )


def _check_conditions(conditions: Element | None, at: int) -> None:
    if conditions is None:
        raise InvalidIdentityToken("The assertion is for no audience")
    begins, ends = _time(conditions.get("NotBefore")), _time(conditions.get("NotOnOrAfter"))
    if begins is not None and begins > at + SKEW_SECONDS:
        raise InvalidIdentityToken("The assertion is not valid yet")
    if ends is not None and ends <= at:
        raise ExpiredToken(TOO_LATE)
    for restriction in conditions.findall(f"{_SAML}AudienceRestriction"):
        if not {_text(one) for one in restriction.findall(f"{_SAML}Audience")} & AUDIENCES:
            raise InvalidIdentityToken("Audience is invalid")


def _recipient(found: Element, at: int) -> str:
    """Where the assertion was to be handed in, if it still may be."""
    expired = False
    for confirmation in found.findall(f"{_SAML}Subject/{_SAML}SubjectConfirmation"):
        data = confirmation.find(f"{_SAML}SubjectConfirmationData")
        if confirmation.get("Method") != _BEARER or data is None:
            continue
        recipient, ends = data.get("Recipient", ""), _time(data.get("NotOnOrAfter"))
        if ends is None or not _RECIPIENT.fullmatch(recipient):
            continue
        if ends > at:
            return recipient
        expired = True
    if expired:
        raise ExpiredToken(TOO_LATE)
    raise InvalidIdentityToken("The assertion is for another recipient")


def _attributes(found: Element) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for attribute in found.findall(f"{_SAML}AttributeStatement/{_SAML}Attribute"):
        values = [_text(value) for value in attribute.findall(f"{_SAML}AttributeValue")]
        told.setdefault(attribute.get("Name", ""), []).extend(values)
    return told


def _session_name(attributes: dict[str, list[str]]) -> str:
    told = attributes.get(f"{_OURS}RoleSessionName", [])
    if len(told) != 1:
        raise InvalidIdentityToken("RoleSessionName is required in AuthnResponse")
    if not _NAME.fullmatch(told[0]):
        raise InvalidIdentityToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    return told[0]


def _source_identity(attributes: dict[str, list[str]]) -> str | None:
    told = attributes.get(f"{_OURS}SourceIdentity", [])
    if not told:
        return None
    if len(told) != 1 or not _NAME.fullmatch(told[0]):
        raise InvalidIdentityToken(
            'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'
        )
    return told[0]


def _roles(attributes: dict[str, list[str]]) -> frozenset[tuple[str, str]]:
    """The ARNs of a role and of a provider come in either order."""
    pairs = set()
    for told in attributes.get(f"{_OURS}Role", ()):
        first, _, second = (part.strip() for part in told.partition(","))
        pairs.add((second, first) if ":saml-provider/" in first else (first, second))
    return frozenset(pairs)


def _end(found: Element, at: int) -> int | None:
    told = [_time(it.get("SessionNotOnOrAfter")) for it in found.findall(f"{_SAML}AuthnStatement")]
    ends = [it for it in told if it is not None]
    if ends and min(ends) <= at:
        raise ExpiredToken(TOO_LATE)
    return min(ends, default=None)


def _text(element: Element | None) -> str:
    return "" if element is None or element.text is None else element.text.strip()


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidIdentityToken(BAD_RESPONSE) from error
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
