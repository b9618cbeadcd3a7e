"""Identity providers of our own: a certificate, its metadata, what is signed with its key, and where keys are published."""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree  # type: ignore[import-untyped]
from signxml.signer import XMLSigner

from ledger.record import format_time

ENTITY_ID = "https://idp.example.com/saml"


@dataclass(frozen=True)
class Signer:
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex()


@cache
def signer(name: str = "localhost") -> Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def metadata(by: Signer | None = None, *, entity_id: str = ENTITY_ID, until: str | None = None) -> str:
    der = (by or signer()).certificate.public_bytes(serialization.Encoding.DER)
    valid = "" if until is None else f' validUntil="{until}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}"{valid}>'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
        f"<ds:X509Data><ds:X509Certificate>{base64.b64encode(der).decode()}</ds:X509Certificate></ds:X509Data>"
        "</ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="https://idp.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


# ---- tokens


@dataclass
class Provider:
    """An OpenID Connect provider that listens on loopback. `answers` are what it publishes, by path."""

    url: str
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def publish(self, *keys: tuple[str, Signer]) -> None:
        self.answers["/.well-known/openid-configuration"] = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
        }
        self.answers["/keys"] = {"keys": [_public(key_id, by) for key_id, by in keys]}


def _public(key_id: str, by: Signer) -> dict[str, Any]:
    told: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(by.key.public_key(), as_dict=True)
    return told | {"kid": key_id, "alg": "RS256", "use": "sig"}


@contextmanager
def published(folder: Path, by: Signer) -> Iterator[Provider]:
    """Over HTTPS, with the certificate of `by`, which signs itself."""
    pem = folder / "provider.pem"
    pem.write_bytes(by.key_pem + by.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            found = provider.answers.get(self.path)
            text = b"" if found is None else json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    provider = Provider(f"https://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# ---- assertions

PLACE = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"


def _attribute(name: str, *values: str) -> str:
    told = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{ATTRIBUTES}{name}">{told}</saml:Attribute>'


def response(
    at: int,
    attributes: Mapping[str, tuple[str, ...]],
    *,
    by: Signer | None = None,
    whole: bool = False,
    issuer: str = ENTITY_ID,
    audience: str = "urn:amazon:webservices",
    recipient: str = "https://signin.aws.amazon.com/saml",
    status: str = "Success",
    session_ends: int | None = None,
    lasts_seconds: int = 300,
) -> bytes:
    """A response; `whole` signs all of it, otherwise only the assertion is signed."""
    issued, ends = format_time(at), format_time(at + lasts_seconds)
    until = "" if session_ends is None else f' SessionNotOnOrAfter="{format_time(session_ends)}"'
    told = "".join(_attribute(name, *values) for name, values in attributes.items())
    assertion = (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" '
        f'IssueInstant="{issued}"><saml:Issuer>{issuer}</saml:Issuer>{"" if whole else PLACE}'
        '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann</saml:NameID>'
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData NotOnOrAfter="{ends}" Recipient="{recipient}"/>'
        f'</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{issued}" NotOnOrAfter="{ends}">'
        f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
        f'</saml:Conditions><saml:AuthnStatement AuthnInstant="{issued}"{until}/>'
        f"<saml:AttributeStatement>{told}</saml:AttributeStatement></saml:Assertion>"
    )
    head = (
        f'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" '
        f'IssueInstant="{issued}">{PLACE if whole else ""}<samlp:Status><samlp:StatusCode '
        f'Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></samlp:Status>'
    )
    signing = by or signer()
    xml_signer = XMLSigner(c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
    to_sign = f"{head}{assertion}</samlp:Response>"
    signed = xml_signer.sign(
        etree.fromstring(to_sign.encode()),
        key=signing.key,
        cert=[signing.certificate],
        reference_uri="#_r1" if whole else "#_a1",
        id_attribute="ID",
    )
    text: bytes = etree.tostring(signed)
    return text
