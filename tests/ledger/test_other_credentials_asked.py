"""SSH public keys, signing certificates and service-specific credentials: what is answered and what is refused."""

import base64
import datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_curve_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ledger.iam.public_keys import check_certificate, read_ssh_public_key
from ledger.iam.refusals import (
    DuplicateCertificate,
    DuplicateSSHPublicKey,
    InvalidInput,
    InvalidPublicKey,
    LimitExceeded,
    MalformedCertificate,
    NoSuchEntity,
    Refusal,
    UnrecognizedPublicKeyEncoding,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, NOON, call, create_user

NO_USER = "The user with name bob cannot be found."
GIT = "codecommit.amazonaws.com"
BEDROCK = "bedrock.amazonaws.com"
DAY = 86_400


@cache
def private_key(number: int, bits: int) -> RSAPrivateKey:
    """One for each number: they take long to find."""
    return generate_private_key(65537, bits)


def as_ssh(number: int = 0, bits: int = 2048) -> str:
    public = private_key(number, bits).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def as_pem(number: int = 0) -> str:
    public = private_key(number, 2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def certificate(serial_number: int = 1, ends: int = NOON + DAY) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    made = (
        x509.CertificateBuilder(name, name, private_key(0, 2048).public_key(), serial_number)
        .not_valid_before(datetime.datetime.fromtimestamp(NOON - 9 * DAY, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(ends, datetime.UTC))
        .sign(private_key(0, 2048), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def with_alice() -> Asked:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    return iam


# ---- SSH public keys


def upload(iam: Asked, body: str) -> dict[str, Any]:
    key = iam("UploadSSHPublicKey", UserName="alice", SSHPublicKeyBody=body)["SSHPublicKey"]
    assert isinstance(key, dict)
    return key


def test_an_uploaded_key_is_answered_in_either_encoding() -> None:
    iam = with_alice()
    key = upload(iam, as_ssh() + " alice@example.com")
    assert key["SSHPublicKeyId"].startswith("APKA")
    named = {"UserName": "alice", "SSHPublicKeyId": key["SSHPublicKeyId"]}
    for encoding, body in (("SSH", as_ssh()), ("PEM", as_pem())):
        got = iam("GetSSHPublicKey", Encoding=encoding, **named)["SSHPublicKey"]
        assert got == key | {"SSHPublicKeyBody": body}
    listed = iam("ListSSHPublicKeys", UserName="alice")["SSHPublicKeys"]
    assert listed == [named | {"Status": "Active", "UploadDate": NOON}]


KNOWN_KEY = (  # whose private half was thrown away
    "ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC9IHdE4Ez1nxWtY9QvjcgqouhcI5RU3Nv4wbwKahHCSYJtsFNPlQ4yDiFUSZ"
    "OlwP2u8BZPVAbHr1rhOyJUU0RzOul5q1IjKSaCll3jDxtYSGFGLmnXtuKkth4l71qEfquEOO+FrpsDtJV2o+ZHwqF8"
    "i/+oxijraOFe8GC67tkujj4Vo5rT3rrtVdBnRe8FUPYl8U0QdmhTzBLFu2XbyEoAkMn1xof8tIDdqEonHj1zb4Z2CL"
    "kl3LYKhb+sWR/OKBUN5F2mw00gwcHg5GKIBiE/X7VK0jgA+2VEz5phn1C9K/MUb65Ff3TNkOA63BTsezMPmmmZ2NSZ"
    "xYCXjmmqCQmD"
)


def test_a_fingerprint_is_what_ssh_keygen_prints() -> None:
    """By `ssh-keygen -E md5 -lf`."""
    assert upload(with_alice(), KNOWN_KEY)["Fingerprint"] == "b6:df:b7:4a:56:3d:ee:ac:04:2f:6e:05:59:c4:0e:28"


def test_the_same_key_in_another_encoding_is_the_same_key() -> None:
    iam = with_alice()
    upload(iam, as_ssh())
    message = "The SSH public key is already associated with the specified IAM user."
    with refused(DuplicateSSHPublicKey, message):
        upload(iam, as_pem())


def curve_key() -> str:
    public = new_curve_key(SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "body", ["ssh-rsa AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", curve_key()]
)
def test_a_spoilt_key_is_invalid(body: str) -> None:
    with refused(InvalidPublicKey, "The public key is malformed or otherwise invalid."):
        upload(with_alice(), body)


BODIES = st.text(st.characters(max_codepoint=255), max_size=80)


@given(
    st.sampled_from(("", "ssh-rsa ", "-----BEGIN PUBLIC KEY-----\n", as_pem()[:200], as_ssh()[:60])), BODIES
)
def test_rubbish_is_refused_as_a_key_and_as_a_certificate(beginning: str, rest: str) -> None:
    with pytest.raises((InvalidPublicKey, UnrecognizedPublicKeyEncoding)):
        read_ssh_public_key(beginning + rest)
    with pytest.raises(MalformedCertificate):
        check_certificate(beginning + rest, NOON)


@given(st.integers(0, 900), st.characters(max_codepoint=255))
def test_a_certificate_with_one_character_spoilt_is_never_more_than_refused(place: int, spoilt: str) -> None:
    whole = certificate()
    try:
        check_certificate(whole[:place] + spoilt + whole[place + 1 :], NOON)
    except MalformedCertificate as refusal:
        assert refusal.message.endswith(("is malformed.", "is expired."))


def test_a_certificate_of_a_version_that_there_is_not_is_malformed() -> None:
    third, unheard_of = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x16"
    whole = base64.b64decode("".join(certificate().splitlines()[1:-1]))
    assert third in whole
    spoilt = base64.encodebytes(whole.replace(third, unheard_of, 1)).decode()
    with refused(MalformedCertificate, f"Certificate {_pem(spoilt)} is malformed."):
        check_certificate(_pem(spoilt), NOON)


def _pem(text: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def test_an_imported_key_of_another_kind_keeps_nobody_from_uploading() -> None:
    told = {"userName": "alice", "sSHPublicKeyId": "APKAIMPORTED0000001", "status": "Active"}
    body = {"userName": "alice", "sSHPublicKeyBody": "ssh-dss AAAA"}
    iam = Asked(create_user(), call("UploadSSHPublicKey", body, {"sSHPublicKey": told}))
    upload(iam, as_ssh())
    assert len(iam("ListSSHPublicKeys", UserName="alice")["SSHPublicKeys"]) == 2


def test_a_short_key_is_invalid() -> None:
    with refused(InvalidPublicKey, "The public key is malformed or otherwise invalid."):
        upload(with_alice(), as_ssh(bits=1024))


def test_another_encoding_is_not_recognized() -> None:
    with refused(UnrecognizedPublicKeyEncoding, "Invalid public key uploaded."):
        upload(
            with_alice(), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
        )


def test_a_user_has_five_keys() -> None:
    iam = with_alice()
    for number in range(5):
        upload(iam, as_ssh(number))
    with refused(LimitExceeded, "Cannot exceed quota for SSHPublicKeysPerUser: 5"):
        upload(iam, as_ssh(5))


# ---- signing certificates


def test_an_uploaded_certificate_is_listed_whole() -> None:
    iam = with_alice()
    made = iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate())["Certificate"]
    assert len(made["CertificateId"]) == 32
    assert (made["CertificateBody"], made["UploadDate"]) == (certificate(), NOON)
    assert iam("ListSigningCertificates", UserName="alice")["Certificates"] == [made]


def test_root_has_certificates_of_its_own() -> None:
    iam = with_alice()
    iam("UploadSigningCertificate", CertificateBody=certificate())
    assert len(iam("ListSigningCertificates")["Certificates"]) == 1
    assert iam("ListSigningCertificates", UserName="alice")["Certificates"] == []
    assert iam("GetAccountSummary")["SummaryMap"]["AccountSigningCertificatesPresent"] == 1


def test_a_certificate_is_nobody_elses_already_and_a_user_has_two() -> None:
    iam = with_alice()
    iam("UploadSigningCertificate", CertificateBody=certificate(1))
    message = "The same certificate is associated with an IAM user in the account."
    with refused(DuplicateCertificate, message):
        iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate(1))
    for serial_number in (2, 3):
        iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate(serial_number))
    with refused(LimitExceeded, "Cannot exceed quota for CertificatesPerUser: 2"):
        iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate(4))


def test_a_certificate_is_whole_and_has_not_expired() -> None:
    iam = with_alice()
    with refused(MalformedCertificate, "Certificate invalid-certificate-body is malformed."):
        iam("UploadSigningCertificate", UserName="alice", CertificateBody="invalid-certificate-body")
    old = certificate(9, NOON - DAY)
    with refused(MalformedCertificate, f"Certificate {old} is expired."):
        iam("UploadSigningCertificate", UserName="alice", CertificateBody=old)


# ---- service-specific credentials


def credential(iam: Asked, service: str = GIT, **more: Any) -> dict[str, Any]:
    made = iam("CreateServiceSpecificCredential", UserName="alice", ServiceName=service, **more)
    told = made["ServiceSpecificCredential"]
    assert isinstance(told, dict)
    return told


def test_a_credential_shows_its_password_once_and_no_record_holds_it() -> None:
    iam = with_alice()
    made = credential(iam)
    secret = made.pop("ServicePassword")
    assert secret not in str(iam.record)
    assert made["ServiceUserName"] == f"alice-at-{ACCOUNT}"
    assert iam("ListServiceSpecificCredentials", UserName="alice")["ServiceSpecificCredentials"] == [made]
    named = {"UserName": "alice", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    again = iam("ResetServiceSpecificCredential", **named)["ServiceSpecificCredential"]
    assert again.pop("ServicePassword") not in (secret, str(iam.record))
    assert again == made


def test_an_api_key_may_expire_and_has_an_alias() -> None:
    iam = with_alice()
    made = credential(iam, BEDROCK, CredentialAgeDays=30)
    assert made["ExpirationDate"] == NOON + 30 * DAY
    assert made.pop("ServiceCredentialSecret") not in str(iam.record)
    assert "ServiceCredentialAlias" in made
    assert "ServiceUserName" not in made
    assert iam("ListServiceSpecificCredentials", UserName="alice")["ServiceSpecificCredentials"] == [made]
    message = "CredentialAgeDays is only valid for services that support long-term API keys."
    with refused(ValidationError, message):
        credential(iam, GIT, CredentialAgeDays=30)


def test_a_user_has_two_credentials_for_each_service() -> None:
    iam = with_alice()
    assert credential(iam)["ServiceUserName"] != credential(iam)["ServiceUserName"]
    with refused(LimitExceeded, "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2"):
        credential(iam)
    credential(iam, BEDROCK)
    only = iam("ListServiceSpecificCredentials", UserName="alice", ServiceName=BEDROCK)
    assert len(only["ServiceSpecificCredentials"]) == 1


def test_credentials_of_all_users_are_listed_together() -> None:
    iam = with_alice()
    iam("CreateUser", UserName="carol")
    credential(iam)
    iam("CreateServiceSpecificCredential", UserName="carol", ServiceName=GIT)
    listed = iam("ListServiceSpecificCredentials", AllUsers=True)["ServiceSpecificCredentials"]
    assert [it["UserName"] for it in listed] == ["alice", "carol"]
    with refused(ValidationError, "AllUsers cannot be specified together with UserName."):
        iam("ListServiceSpecificCredentials", AllUsers=True, UserName="alice")


def test_few_services_have_such_credentials() -> None:
    iam = with_alice()
    message = "No such service lambda.amazonaws.com is supported for Service Specific Credentials"
    with refused(NoSuchEntity, message):
        credential(iam, "lambda.amazonaws.com")
    with refused(NoSuchEntity, message):
        iam("ListServiceSpecificCredentials", UserName="alice", ServiceName="lambda.amazonaws.com")


# ---- all three

UNKNOWN_ID = "NOBODYHASTHISIDENTIFIER12345"
SSH, CERTIFICATE, SERVICE = (
    ("SSHPublicKey", "SSHPublicKeyId", f"The Public Key with id {UNKNOWN_ID} cannot be found."),
    ("SigningCertificate", "CertificateId", f"The Certificate with id {UNKNOWN_ID} cannot be found."),
    (
        "ServiceSpecificCredential",
        "ServiceSpecificCredentialId",
        f"No such credential {UNKNOWN_ID} exists",
    ),
)


@pytest.mark.parametrize(("noun", "id_name", "missing"), [SSH, CERTIFICATE, SERVICE])
def test_the_user_is_looked_for_before_the_credential(noun: str, id_name: str, missing: str) -> None:
    iam = with_alice()
    for user, message in (("bob", NO_USER), ("alice", missing)):
        named: dict[str, Any] = {"UserName": user, id_name: UNKNOWN_ID}
        with refused(NoSuchEntity, message):
            iam(f"Update{noun}", Status="Active", **named)
        with refused(NoSuchEntity, message):
            iam(f"Delete{noun}", **named)
    with refused(NoSuchEntity, NO_USER):
        iam(f"List{noun}s", UserName="bob")


@pytest.mark.parametrize(("noun", "id_name"), [SSH[:2], CERTIFICATE[:2], SERVICE[:2]])
def test_a_credential_is_switched_off_and_deleted_and_is_of_its_kind(noun: str, id_name: str) -> None:
    iam = with_alice()
    made = {
        "SSHPublicKeyId": upload(iam, as_ssh())["SSHPublicKeyId"],
        "CertificateId": iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate())[
            "Certificate"
        ]["CertificateId"],
        "ServiceSpecificCredentialId": credential(iam)["ServiceSpecificCredentialId"],
    }
    named: dict[str, Any] = {"UserName": "alice", id_name: made[id_name]}
    iam(f"Update{noun}", Status="Inactive", **named)
    (shown,) = (
        it for it in next(v for v in iam(f"List{noun}s", UserName="alice").values() if isinstance(v, list))
    )
    assert shown["Status"] == "Inactive"
    with refused(InvalidInput, "The status Expired cannot be set."):
        iam(f"Update{noun}", Status="Expired", **named)
    for other in set(made.values()) - {made[id_name]}:
        with pytest.raises(Refusal):
            iam(f"Delete{noun}", UserName="alice", **{id_name: other})
    iam(f"Delete{noun}", **named)
    with pytest.raises(NoSuchEntity):
        iam(f"Delete{noun}", **named)
