"""Certificates that one authority after the other issued, as a server has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.ledger.federating import signer


@dataclass(frozen=True)
class Certified:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self._key_pem(serialization.NoEncryption())

    @property
    def locked_key_pem(self) -> str:
        return self._key_pem(serialization.BestAvailableEncryption(b"secret"))

    @property
    def expiration(self) -> int:
        return int(self.certificate.not_valid_after_utc.timestamp())

    def _key_pem(self, encryption: serialization.KeySerializationEncryption) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@cache
def root() -> Certified:
    """It signed itself, and has an RSA key; the others' are of elliptic curves."""
    return Certified(signer("Root").key, signer("Root").certificate)


@cache
def intermediate() -> Certified:
    return _issued("Intermediate", root())


@cache
def server() -> Certified:
    """Issued by `intermediate`."""
    return _issued("www.example.com", intermediate())


def _issued(name: str, issuer: Certified) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issuer.certificate.not_valid_before_utc)
        .not_valid_after(issuer.certificate.not_valid_after_utc - timedelta(days=1))
        .sign(issuer.key, hashes.SHA256())
    )
    return Certified(key, certificate)
