"""The certificates of servers, their private keys and chains: read, or refused in AWS's words.

Source: IAM user guide, "Manage server certificates in IAM" and "Troubleshoot".
"""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ledger.iam.refusals import KeyPairMismatch, MalformedCertificate

_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
# AWS takes nothing around the blocks; what stood there, such as a private key, would be kept and told.
_CERTIFICATES: Final = re.compile(
    r"\s*(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+", re.ASCII
)


def read_certificate(body: str, at: int | None = None) -> x509.Certificate:
    """The one certificate that this PEM text holds; raises MalformedCertificate, also where it does not hold at `at`."""
    certificates = _read(body)
    if len(certificates) != 1:
        raise MalformedCertificate(
            "Unable to parse certificate. Please ensure the certificate is in PEM format."
        )
    (certificate,) = certificates
    if at is not None and at < certificate.not_valid_before_utc.timestamp():
        raise MalformedCertificate("The certificate is not valid yet.")
    if at is not None and at > certificate.not_valid_after_utc.timestamp():
        raise MalformedCertificate("The certificate has expired.")
    return certificate


def expiration_of(certificate: x509.Certificate) -> int:
    """Seconds since 1970."""
    return int(certificate.not_valid_after_utc.timestamp())


def check_private_key(key: str, certificate: x509.Certificate) -> None:
    """Raises MalformedCertificate where this is no private key, or one with a password; KeyPairMismatch where it is
    another certificate's.
    """
    try:
        public = load_pem_private_key(key.encode(), password=None).public_key()
        told = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (*_UNREADABLE, TypeError) as error:  # TypeError: it is encrypted
        raise MalformedCertificate("Invalid Private Key.") from error
    wanted = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if told != wanted:
        raise KeyPairMismatch("The public key certificate and the private key do not match.")


def check_chain(chain: str, leaf: x509.Certificate) -> None:
    """Raises MalformedCertificate where a certificate was not signed with the one that follows it, the leaf being in
    front.
    """
    issuers = _read(chain)
    if not issuers:
        raise _broken(-1)
    for index, (issued, issuer) in enumerate(zip((leaf, *issuers), issuers, strict=False), start=-1):
        try:
            issued.verify_directly_issued_by(issuer)
        except (*_UNREADABLE, TypeError, InvalidSignature) as error:
            raise _broken(index) from error


def _read(text: str) -> list[x509.Certificate]:
    """The certificates in this text, in order; none where anything in it can't be read or is something else."""
    if not _CERTIFICATES.fullmatch(text):
        return []
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except _UNREADABLE:
        return []


def _broken(index: int) -> MalformedCertificate:
    return MalformedCertificate(
        "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate,"
        f" followed by any intermediaries in order. The index within the chain of the invalid certificate is: {index}"
    )
