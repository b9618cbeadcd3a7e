"""The metadata document of a SAML 2.0 identity provider. Source: OASIS, "Metadata for SAML 2.0", section 2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_DECLARES = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


class BadMetadata(ValueError):
    """This describes no identity provider."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """`certificates` are those that sign, as Base64 of DER; `valid_until` is in seconds since 1970."""

    entity_id: str
    certificates: tuple[str, ...]
    valid_until: int | None


def read_metadata(text: str) -> Metadata:
    """Raises BadMetadata. Documents that declare types or entities are refused unread."""
    if _DECLARES.search(text):
        raise BadMetadata("a document type is declared")
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadMetadata(str(error)) from error
    entities = [root] if root.tag == f"{_MD}EntityDescriptor" else root.findall(f"{_MD}EntityDescriptor")
    for entity in entities:
        provider = entity.find(f"{_MD}IDPSSODescriptor")
        if provider is None or not entity.get("entityID"):
            continue
        certificates = tuple(
            "".join((found.text or "").split())
            for key in provider.findall(f"{_MD}KeyDescriptor")
            if key.get("use", "signing") == "signing"
            for found in key.iter(f"{_DS}X509Certificate")
        )
        if certificates:
            return Metadata(entity.get("entityID", ""), certificates, _seconds(entity.get("validUntil")))
    raise BadMetadata("no identity provider with a certificate is described")


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMetadata(f"validUntil: {text!r} is no date") from error
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
