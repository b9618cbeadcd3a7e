"""SSH public keys and signing certificates that are uploaded: read, or refused in AWS's words."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from ledger.iam.refusals import InvalidPublicKey, MalformedCertificate, UnrecognizedPublicKeyEncoding
from ledger.redaction import holds_private_key

BITS_MIN: Final = 2048  # IAM API reference, "UploadSSHPublicKey"
_SSH, _PEM = "ssh-rsa ", "-----BEGIN "


def read_ssh_public_key(body: str) -> RSAPublicKey:
    """The key in `ssh-rsa` or PEM form; raises InvalidPublicKey or UnrecognizedPublicKeyEncoding."""
    text = body.strip()
    if not text.startswith((_SSH, _PEM)):
        raise UnrecognizedPublicKeyEncoding("Invalid public key uploaded.")
    if holds_private_key(text):  # it would stand beside the public key in the log
        raise _invalid()
    load = load_ssh_public_key if text.startswith(_SSH) else load_pem_public_key
    try:
        key = load(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _invalid() from error
    if not isinstance(key, RSAPublicKey) or key.key_size < BITS_MIN:
        raise _invalid()
    return key


def body_of(key: RSAPublicKey, encoding: str) -> str:
    """The key as `SSH` or as `PEM`."""
    if encoding == "PEM":
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def fingerprint(key: RSAPublicKey) -> str:
    """The MD5 digest of the key as SSH sends it (RFC 4253, 6.6), in hexadecimal with colons, as `ssh-keygen` shows it."""
    wire = base64.b64decode(body_of(key, "SSH").split()[1])
    return hashlib.md5(wire, usedforsecurity=False).digest().hex(":")


def is_of(body: str, key: RSAPublicKey) -> bool:
    """Whether the body, which may have been imported and be of any kind, is this very key."""
    try:
        return fingerprint(read_ssh_public_key(body)) == fingerprint(key)
    except (InvalidPublicKey, UnrecognizedPublicKeyEncoding):
        return False


def check_certificate(body: str, at: int) -> None:
    """Raises MalformedCertificate where this is no X.509 certificate in PEM form, or one that has expired by `at`."""
    if holds_private_key(body):  # it would be told to everybody who lists certificates
        raise MalformedCertificate(f"Certificate {body} is malformed.")
    try:
        certificate = x509.load_pem_x509_certificate(body.encode())
        ends = certificate.not_valid_after_utc.timestamp()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise MalformedCertificate(f"Certificate {body} is malformed.") from error
    if ends < at:
        raise MalformedCertificate(f"Certificate {body} is expired.")


def _invalid() -> InvalidPublicKey:
    return InvalidPublicKey("The public key is malformed or otherwise invalid.")
