"""A server certificate through boto3, from its upload to its deletion."""

from __future__ import annotations

import json
from typing import Any

from ledger.entry import body_bytes
from ledger.record import canonical
from tests.api.aws.clients.documents import allowing
from tests.api.aws.clients.watching import Watched
from tests.ledger.certified import intermediate, root, server

CERTIFICATE: dict[str, str] = {"CertificateBody": server().pem, "PrivateKey": server().key_pem}


def test_a_certificate_from_upload_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    chain = intermediate().pem + root().pem
    made = iam.upload_server_certificate(
        ServerCertificateName="web", **CERTIFICATE, CertificateChain=chain, Tags=[{"Key": "a", "Value": "1"}]
    )
    metadata = made["ServerCertificateMetadata"]
    assert metadata["Arn"] == aws.arn("server-certificate/web")
    assert metadata["Expiration"] == server().certificate.not_valid_after_utc
    there = iam.get_server_certificate(ServerCertificateName="web")["ServerCertificate"]
    assert there == {
        "ServerCertificateMetadata": metadata,
        "CertificateBody": server().pem,
        "CertificateChain": chain,
        "Tags": [{"Key": "a", "Value": "1"}],
    }
    iam.tag_server_certificate(ServerCertificateName="web", Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_server_certificate(ServerCertificateName="web", TagKeys=["a"])
    assert iam.list_server_certificate_tags(ServerCertificateName="web")["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]
    iam.update_server_certificate(
        ServerCertificateName="web", NewServerCertificateName="shop", NewPath="/cloudfront/"
    )
    (listed,) = iam.list_server_certificates(PathPrefix="/cloudfront/")["ServerCertificateMetadataList"]
    assert listed == {
        **metadata,
        "Path": "/cloudfront/",
        "ServerCertificateName": "shop",
        "Arn": aws.arn("server-certificate/cloudfront/shop"),
    }
    iam.delete_server_certificate(ServerCertificateName="shop")
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_no_line_of_a_private_key_is_in_the_log(aws: Watched) -> None:
    iam = aws.iam
    iam.upload_server_certificate(ServerCertificateName="web", **CERTIFICATE)
    with aws.refused("MalformedCertificate", 400):  # whoever takes one for the other
        iam.upload_server_certificate(
            ServerCertificateName="x", **{**CERTIFICATE, "CertificateBody": server().pem + server().key_pem}
        )
    secret = server().key_pem.splitlines()[1]
    written = [
        body_bytes(canonical(entry.document), entry.origin.to_bytes(), entry.authorization).decode()
        for entry in aws.account.server.log.read(aws.id)
    ]
    assert any(server().pem.splitlines()[1] in text for text in written)
    assert not any(secret in text for text in written)


def test_there_are_twenty_at_most_and_they_come_a_page_at_a_time(aws: Watched) -> None:
    iam = aws.iam
    names = [f"web-{number:02}" for number in range(20)]
    for name in names:
        iam.upload_server_certificate(ServerCertificateName=name, **CERTIFICATE)
    with aws.refused("LimitExceeded", 409, "Cannot exceed quota for ServerCertificatesPerAccount: 20"):
        iam.upload_server_certificate(ServerCertificateName="one-more", **CERTIFICATE)
    pages = iam.get_paginator("list_server_certificates").paginate(PaginationConfig={"PageSize": 7})
    told = [list(page["ServerCertificateMetadataList"]) for page in pages]
    assert [len(page) for page in told] == [7, 7, 6]
    assert [it["ServerCertificateName"] for page in told for it in page] == names


def test_permission_is_asked_for_the_old_name_and_the_new(aws: Watched) -> None:
    iam = aws.iam
    iam.upload_server_certificate(ServerCertificateName="web", **CERTIFICATE)
    iam.create_user(UserName="alice")
    alice: Any = aws.client("iam", iam.create_access_key(UserName="alice")["AccessKey"])

    def allow(name: str) -> None:
        document = allowing("iam:*", resource=aws.arn(f"server-certificate/{name}"))
        iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document)

    renaming = {"ServerCertificateName": "web", "NewServerCertificateName": "shop"}
    allow("web")
    with aws.refused("AccessDenied", 403):
        alice.update_server_certificate(**renaming)
    allow("*")
    alice.update_server_certificate(**renaming)
    alice.get_server_certificate(ServerCertificateName="shop")


def test_permission_may_hang_on_the_certificates_tags(aws: Watched) -> None:
    iam = aws.iam
    for name in ("web", "shop"):
        tags = [{"Key": "team", "Value": name}]
        iam.upload_server_certificate(ServerCertificateName=name, **CERTIFICATE, Tags=tags)
    statement = {
        "Effect": "Allow",
        "Action": "iam:DeleteServerCertificate",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "web"}},
    }
    iam.create_user(UserName="alice")
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document)
    alice: Any = aws.client("iam", iam.create_access_key(UserName="alice")["AccessKey"])
    with aws.refused("AccessDenied", 403):
        alice.delete_server_certificate(ServerCertificateName="shop")
    alice.delete_server_certificate(ServerCertificateName="web")
