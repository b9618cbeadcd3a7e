"""Server certificates as records of CloudTrail tell them."""

from __future__ import annotations

from typing import Any

from ledger.account.assumptions import Reason
from tests.ledger.certified import server
from tests.ledger.told import ACCOUNT, DATE, NOON, call, given

ARN = f"arn:aws:iam::{ACCOUNT}:server-certificate"
named = {"serverCertificateName": "web"}


def uploaded(number: int = 1, *, untold: bool = False) -> dict[str, Any]:
    metadata = {
        "path": "/site/",
        "serverCertificateName": "web",
        "serverCertificateId": f"ASCAWEB00000000{number}",
        "arn": f"{ARN}/site/web",
        "uploadDate": DATE,
        "expiration": DATE,
    }
    request = {
        **named,
        "path": "/site/",
        "certificateBody": server().pem,
        "tags": [{"key": "a", "value": "1"}],
    }
    response = None if untold else {"serverCertificateMetadata": metadata}
    return call("UploadServerCertificate", request, response)


def shown(told: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told.account.to_document()["serverCertificates"]
    return found


def test_an_upload_tells_all_but_the_key() -> None:
    told = given(uploaded())
    assert shown(told) == [
        {
            "Path": "/site/",
            "ServerCertificateName": "web",
            "ServerCertificateId": "ASCAWEB000000001",
            "Arn": f"{ARN}/site/web",
            "CreateDate": "2023-11-14T22:13:20Z",
            "CreatedBy": 0,
            "CertificateBody": server().pem,
            "Expiration": "2023-11-14T22:13:20Z",
            "Tags": [{"Key": "a", "Value": "1", "MadeBy": 0}],
        }
    ]
    assert told.reasons == []


def test_what_the_response_did_not_tell_is_read_from_the_certificate() -> None:
    (certificate,) = given(uploaded(untold=True)).account.server_certificates.values()
    assert (certificate.arn, certificate.create_date) == (f"{ARN}/site/web", NOON)
    assert certificate.expiration == server().expiration
    assert certificate.assumed == (Reason.UNTOLD_ID,)


def test_a_body_that_cannot_be_read_is_kept_without_an_end() -> None:
    record = call("UploadServerCertificate", {**named, "certificateBody": "HIDDEN"})
    (certificate,) = given(record).account.server_certificates.values()
    assert (certificate.body, certificate.expiration) == ("HIDDEN", None)


def test_a_namesake_was_deleted_unseen() -> None:
    told = given(uploaded()).when(uploaded(2))
    assert told.reasons == [Reason.UNSEEN_DELETION]
    assert [it["ServerCertificateId"] for it in shown(told)] == ["ASCAWEB000000002"]


def test_a_new_name_and_path_change_the_arn() -> None:
    told = given(uploaded()).when(
        call("UpdateServerCertificate", {**named, "newServerCertificateName": "shop", "newPath": "/"})
    )
    assert [(it["Arn"], it["ServerCertificateId"]) for it in shown(told)] == [
        (f"{ARN}/shop", "ASCAWEB000000001")
    ]


def test_a_name_is_taken_over_from_whom_no_record_saw_go() -> None:
    other = call("UploadServerCertificate", {"serverCertificateName": "shop"})
    told = given(uploaded(), other)
    told.when(call("UpdateServerCertificate", {**named, "newServerCertificateName": "shop"}))
    assert told.reasons == [Reason.UNSEEN_DELETION]
    assert [it["ServerCertificateName"] for it in shown(told)] == ["shop"]


def test_a_deleted_certificate_is_gone() -> None:
    told = given(uploaded()).when(call("DeleteServerCertificate", named))
    assert (shown(told), told.reasons) == ([], [])
    assert told.when(call("DeleteServerCertificate", named)).reasons == [Reason.ABSENT]


def test_tags_remember_who_made_them() -> None:
    told = given(uploaded()).when(
        call(
            "TagServerCertificate",
            {**named, "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]},
        )
    )
    told.when(call("UntagServerCertificate", {**named, "tagKeys": ["a"]}))
    assert shown(told)[0]["Tags"] == [{"Key": "b", "Value": "2", "MadeBy": 1}]


def test_what_was_never_seen_uploaded_is_assumed() -> None:
    told = given(call("TagServerCertificate", {**named, "tags": [{"key": "a", "value": "1"}]}))
    assert told.reasons == [Reason.UNSEEN_CREATION]
    assert shown(told)[0]["Arn"] == f"{ARN}/web"
