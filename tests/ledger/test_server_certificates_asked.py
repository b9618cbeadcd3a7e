"""Server certificates: what is answered and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.iam.refusals import (
    EntityAlreadyExists,
    InvalidInput,
    KeyPairMismatch,
    LimitExceeded,
    MalformedCertificate,
    NoSuchEntity,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.certified import Certified, intermediate, root, server
from tests.ledger.told import ACCOUNT, NOON

PARSE = "Unable to parse certificate. Please ensure the certificate is in PEM format."
CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate,"
    " followed by any intermediaries in order. The index within the chain of the invalid certificate is: "
)
TAGS = [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]
IN_ORDER = TAGS[::-1]


def upload(iam: Asked, name: str = "web", **parameters: Any) -> dict[str, Any]:
    given = {"CertificateBody": server().pem, "PrivateKey": server().key_pem, **parameters}
    return iam("UploadServerCertificate", ServerCertificateName=name, **given)


def names(iam: Asked, **asked: Any) -> list[str]:
    told = iam("ListServerCertificates", **asked)["ServerCertificateMetadataList"]
    return [it["ServerCertificateName"] for it in told]


def test_a_certificate_is_answered_whole() -> None:
    iam = Asked()
    chain = intermediate().pem + root().pem
    told = upload(iam, Path="/cloudfront/", CertificateChain=chain, Tags=TAGS)
    metadata = told["ServerCertificateMetadata"]
    assert metadata.pop("ServerCertificateId").startswith("ASCA")
    assert metadata == {
        "Path": "/cloudfront/",
        "ServerCertificateName": "web",
        "Arn": f"arn:aws:iam::{ACCOUNT}:server-certificate/cloudfront/web",
        "UploadDate": NOON,
        "Expiration": server().expiration,
    }
    assert told["Tags"] == IN_ORDER
    there = iam("GetServerCertificate", ServerCertificateName="web")["ServerCertificate"]
    (listed,) = iam("ListServerCertificates")["ServerCertificateMetadataList"]
    assert there == {
        "ServerCertificateMetadata": listed,
        "CertificateBody": server().pem,
        "CertificateChain": chain,
        "Tags": IN_ORDER,
    }
    assert {**metadata, "ServerCertificateId": listed["ServerCertificateId"]} == listed
    assert iam("GetAccountSummary")["SummaryMap"]["ServerCertificates"] == 1


def test_without_chain_and_tags_none_are_shown() -> None:
    iam = Asked()
    assert upload(iam).keys() == {"ServerCertificateMetadata"}
    there = iam("GetServerCertificate", ServerCertificateName="WEB")["ServerCertificate"]
    assert there.keys() == {"ServerCertificateMetadata", "CertificateBody"}


def test_the_private_key_is_in_no_record_and_not_in_the_vault() -> None:
    iam = Asked()
    upload(iam, CertificateChain=intermediate().pem)
    assert iam.record["requestParameters"].keys() == {
        "serverCertificateName",
        "certificateBody",
        "certificateChain",
    }
    assert iam.answer.secrets == ()


@pytest.mark.parametrize(
    "body",
    [
        "no certificate",
        server().pem.replace("\nMI", "\nXX", 1),
        server().pem + intermediate().pem,
        server().pem + server().key_pem,
        "Certificate:\n    Version: 3\n" + server().pem,
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "\u00e9",
    ],
)
def test_the_body_is_one_certificate_and_nothing_else(body: str) -> None:
    with refused(MalformedCertificate, PARSE):
        upload(Asked(), CertificateBody=body)


def test_a_certificate_is_uploaded_while_it_is_valid() -> None:
    iam = Asked()
    iam.time = server().expiration + 1
    with refused(MalformedCertificate, "The certificate has expired."):
        upload(iam)
    iam.time = int(server().certificate.not_valid_before_utc.timestamp()) - 1
    with refused(MalformedCertificate, "The certificate is not valid yet."):
        upload(iam)


@pytest.mark.parametrize("key", ["no key", server().pem, server().locked_key_pem])
def test_the_key_is_one_without_a_password(key: str) -> None:
    with refused(MalformedCertificate, "Invalid Private Key."):
        upload(Asked(), PrivateKey=key)


@pytest.mark.parametrize("other", [root(), intermediate()])
def test_the_key_is_the_certificates(other: Certified) -> None:
    with refused(KeyPairMismatch, "The public key certificate and the private key do not match."):
        upload(Asked(), PrivateKey=other.key_pem)


@pytest.mark.parametrize(
    ("chain", "index"),
    [
        ("nothing", -1),
        (root().pem, -1),
        (root().pem + intermediate().pem, -1),
        (intermediate().pem + server().pem, 0),
        (intermediate().pem + root().pem + intermediate().pem, 1),
        (intermediate().pem + intermediate().key_pem, -1),
    ],
)
def test_a_chain_leads_from_issuer_to_issuer(chain: str, index: int) -> None:
    with refused(MalformedCertificate, f"{CHAIN}{index}"):
        upload(Asked(), CertificateChain=chain)


def test_a_certificate_that_signed_itself_is_its_own_chain() -> None:
    iam = Asked()
    upload(iam, CertificateBody=root().pem, PrivateKey=root().key_pem, CertificateChain=root().pem)
    assert names(iam) == ["web"]


def test_a_name_is_taken_once_whatever_its_case() -> None:
    iam = Asked()
    upload(iam)
    with refused(EntityAlreadyExists, "The Server Certificate with name Web already exists."):
        upload(iam, "Web")


def test_an_account_has_twenty_at_most() -> None:
    iam = Asked()
    for number in range(20):
        upload(iam, f"n{number}")
    with refused(LimitExceeded, "Cannot exceed quota for ServerCertificatesPerAccount: 20"):
        upload(iam, "one-more")


def test_a_listing_goes_by_path_and_page() -> None:
    iam = Asked()
    for name in ("c", "B", "a"):
        upload(iam, name, Path=f"/{name.lower()}/")
    assert names(iam) == ["a", "B", "c"]
    assert names(iam, PathPrefix="/b") == ["B"]
    first = iam("ListServerCertificates", MaxItems=2)
    assert first["IsTruncated"]
    assert names(iam, Marker=first["Marker"]) == ["c"]


def test_a_certificate_gets_another_name_and_path_and_stays_the_same() -> None:
    iam = Asked()
    upload(iam, Tags=TAGS)
    before = iam("GetServerCertificate", ServerCertificateName="web")["ServerCertificate"]
    iam(
        "UpdateServerCertificate",
        ServerCertificateName="web",
        NewServerCertificateName="WEB-2",
        NewPath="/cloudfront/",
    )
    with refused(NoSuchEntity, "The Server Certificate with name web cannot be found."):
        iam("GetServerCertificate", ServerCertificateName="web")
    after = iam("GetServerCertificate", ServerCertificateName="WEB-2")["ServerCertificate"]
    assert after.pop("ServerCertificateMetadata") == {
        **before.pop("ServerCertificateMetadata"),
        "Path": "/cloudfront/",
        "ServerCertificateName": "WEB-2",
        "Arn": f"arn:aws:iam::{ACCOUNT}:server-certificate/cloudfront/WEB-2",
    }
    assert after == before


def test_another_ones_name_is_not_taken_and_its_own_may_change_case() -> None:
    iam = Asked()
    for name in ("one", "two"):
        upload(iam, name)
    with refused(EntityAlreadyExists, "The Server Certificate with name TWO already exists."):
        iam("UpdateServerCertificate", ServerCertificateName="one", NewServerCertificateName="TWO")
    iam("UpdateServerCertificate", ServerCertificateName="one", NewServerCertificateName="ONE")
    assert names(iam) == ["ONE", "two"]


def test_it_must_be_there() -> None:
    each: dict[str, dict[str, Any]] = {
        "GetServerCertificate": {},
        "UpdateServerCertificate": {"NewPath": "/x/"},
        "DeleteServerCertificate": {},
        "TagServerCertificate": {"Tags": TAGS},
        "UntagServerCertificate": {"TagKeys": ["a"]},
        "ListServerCertificateTags": {},
    }
    for operation, more in each.items():
        with refused(NoSuchEntity, "The Server Certificate with name web cannot be found."):
            Asked()(operation, ServerCertificateName="web", **more)


def test_a_deleted_certificate_is_gone() -> None:
    iam = Asked()
    upload(iam)
    iam("DeleteServerCertificate", ServerCertificateName="web")
    assert names(iam) == []
    upload(iam)


def test_tags_keep_to_their_case_and_number() -> None:
    iam = Asked()
    upload(iam)
    iam("TagServerCertificate", ServerCertificateName="web", Tags=[*TAGS, {"Key": "A", "Value": "3"}])
    iam("UntagServerCertificate", ServerCertificateName="web", TagKeys=["a", "unknown"])
    told = iam("ListServerCertificateTags", ServerCertificateName="web")
    assert told == {
        "Tags": [{"Key": "A", "Value": "3"}, {"Key": "b", "Value": "2"}],
        "IsTruncated": False,
    }
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        many = [{"Key": str(it), "Value": ""} for it in range(49)]
        iam("TagServerCertificate", ServerCertificateName="web", Tags=many)
    with refused(InvalidInput, "Duplicate tag keys found."):
        upload(Asked(), Tags=[*TAGS, *TAGS])
