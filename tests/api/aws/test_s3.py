"""S3's reads of what was delivered, asked by boto3 and by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from projections.export.bucket import FolderBucket
from projections.export.delivering import Course, deliver
from projections.export.signing_keys import SigningKeys
from tests.api.living_server import Account, LivingServer, living_server
from tests.projections.delivering_told import HOUR, KEY


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    folder = tmp_path_factory.mktemp("s3")
    with living_server(str(folder / "ledger.sqlite"), folder / "delivered") as server:
        yield server


@pytest.fixture(scope="module")
def account(server: LivingServer, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """Three digests and a log file, and those of another account beside them."""
    account, other = server.new_account(), server.new_account()
    for one in (account, other):
        for hours in range(3):
            _deliver(one, int(time.time()) + hours * HOUR)
    return account


def _deliver(account: Account, now: int) -> None:
    to, course = FolderBucket(_folder(account.server)), Course(bucket_of(account), None)
    deliver(account.server.log, account.id, to, SigningKeys([KEY]), course, clock=lambda: now)


def _folder(server: LivingServer) -> Path:
    return Path(str(server.log.engine.url.database)).parent / "delivered"


def bucket_of(account: Account) -> str:
    return f"iam-ledger-{account.id}"


def keys_of(account: Account) -> list[str]:
    below = f"AWSLogs/{account.id}/"
    return list(FolderBucket(_folder(account.server)).every_key(below))


def refused(client: Any, operation: str, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as told:
        getattr(client, operation)(**parameters)
    answer = told.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_bucket_has_what_its_account_has(account: Account) -> None:
    s3, keys = account.client("s3"), keys_of(account)
    assert len(keys) == 4
    for operation in ("list_objects", "list_objects_v2"):
        told = getattr(s3, operation)(Bucket=bucket_of(account))
        assert [one["Key"] for one in told["Contents"]] == keys
        assert told["IsTruncated"] is False
        for page in (1, 3):
            pages = s3.get_paginator(operation).paginate(
                Bucket=bucket_of(account), PaginationConfig={"PageSize": page}
            )
            assert [one["Key"] for told in pages for one in told["Contents"]] == keys
    assert s3.get_bucket_location(Bucket=bucket_of(account))["LocationConstraint"] is None
    assert s3.head_bucket(Bucket=bucket_of(account))["BucketRegion"] == "us-east-1"
    assert refused(s3, "head_bucket", Bucket="another") == (404, "404")


def test_listings_begin_where_they_are_asked_to(account: Account) -> None:
    s3, keys = account.client("s3"), keys_of(account)
    told = s3.list_objects(Bucket=bucket_of(account), Marker=keys[1])
    assert [one["Key"] for one in told["Contents"]] == keys[2:]
    told = s3.list_objects_v2(Bucket=bucket_of(account), StartAfter=keys[0], Prefix=keys[0][:50])
    assert [one["Key"] for one in told["Contents"]] == [
        key for key in keys[1:] if key.startswith(keys[0][:50])
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket_of(account), Prefix="AWSLogs/other")
    assert s3.list_objects_v2(Bucket=bucket_of(account), MaxKeys=0)["KeyCount"] == 0


def test_folders_are_listed_as_common_prefixes(account: Account) -> None:
    s3 = account.client("s3")
    below = f"AWSLogs/{account.id}/"
    for operation in ("list_objects", "list_objects_v2"):
        told = getattr(s3, operation)(Bucket=bucket_of(account), Delimiter="/", Prefix=below)
        assert [one["Prefix"] for one in told["CommonPrefixes"]] == [
            f"{below}CloudTrail-Digest/",
            f"{below}CloudTrail/",
        ]
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket_of(account), Delimiter="/", Prefix=below, PaginationConfig={"PageSize": 1}
        )
        assert [one["Prefix"] for told in pages for one in told["CommonPrefixes"]] == [
            f"{below}CloudTrail-Digest/",
            f"{below}CloudTrail/",
        ]


def test_an_object_comes_with_its_signature(account: Account) -> None:
    s3, key = account.client("s3"), keys_of(account)[0]
    stored = FolderBucket(_folder(account.server)).get(key)
    assert stored is not None
    told = s3.get_object(Bucket=bucket_of(account), Key=key)
    assert told["Body"].read() == stored.content
    assert told["Metadata"] == stored.metadata
    head = s3.head_object(Bucket=bucket_of(account), Key=key)
    assert (head["ContentLength"], head["Metadata"]) == (len(stored.content), stored.metadata)
    part = s3.get_object(Bucket=bucket_of(account), Key=key, Range="bytes=3-9")
    assert (part["Body"].read(), part["ContentRange"]) == (
        stored.content[3:10],
        f"bytes 3-9/{len(stored.content)}",
    )
    last = s3.get_object(Bucket=bucket_of(account), Key=key, Range="bytes=-4")
    assert last["Body"].read() == stored.content[-4:]
    assert refused(s3, "get_object", Bucket=bucket_of(account), Key=key, Range="bytes=99999999-") == (
        416,
        "InvalidRange",
    )


def test_a_presigned_read_needs_no_client(account: Account) -> None:
    """S3's are signed without a body, whichever SDK makes them."""
    s3, key = account.client("s3", signature_version="s3v4"), keys_of(account)[0]
    stored = FolderBucket(_folder(account.server)).get(key)
    assert stored is not None
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket_of(account), "Key": key})
    with httpx.stream("GET", url) as told:
        assert told.status_code == 200
        assert b"".join(told.iter_raw()) == stored.content
    assert account.records()[-1]["eventName"] == "GetObject"
    assert httpx.get(url.replace(key, keys_of(account)[1])).status_code == 403
    assert httpx.put(url).status_code == 403  # a signature is of one method
    late = s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket_of(account), "Key": key}, ExpiresIn=604_801
    )
    assert httpx.get(late).status_code == 400


def test_what_is_not_there_is_told_as_s3_does(account: Account) -> None:
    s3 = account.client("s3")
    there = {"Bucket": bucket_of(account)}
    assert refused(s3, "get_object", **there, Key="AWSLogs/none") == (404, "NoSuchKey")
    assert refused(s3, "head_object", **there, Key="AWSLogs/none") == (404, "404")
    assert refused(s3, "list_objects_v2", Bucket="another") == (404, "NoSuchBucket")
    assert refused(s3, "get_object", Bucket="another", Key="x") == (404, "NoSuchBucket")
    assert account.records()[-1]["errorCode"] == "NoSuchBucket"
    for key in ("../ledger.sqlite", "signatures/x", "delivery.json", "AWSLogs/../../ledger.sqlite"):
        assert refused(s3, "get_object", **there, Key=key)[1] == "NoSuchKey"


def test_nobody_reads_another_account_s(server: LivingServer, account: Account) -> None:
    other = server.new_account().client("s3")
    key = keys_of(account)[0]
    assert refused(other, "get_object", Bucket=bucket_of(account), Key=key) == (404, "NoSuchBucket")
    own = account.client("s3")
    others = [key for key in FolderBucket(_folder(server)).every_key() if f"/{account.id}/" not in key]
    assert others
    assert refused(own, "get_object", Bucket=bucket_of(account), Key=others[0]) == (404, "NoSuchKey")


def test_permission_is_asked_for_and_every_read_is_recorded(account: Account) -> None:
    iam, key = account.client("iam"), keys_of(account)[0]
    iam.create_user(UserName="reader")
    credentials = iam.create_access_key(UserName="reader")["AccessKey"]
    s3 = account.client("s3", credentials)
    arn = f"arn:aws:s3:::{bucket_of(account)}"
    for operation, parameters, action, resource in (
        ("get_object", {"Key": key}, "s3:GetObject", f"{arn}/{key}"),
        ("list_objects_v2", {}, "s3:ListBucket", arn),
        ("list_objects", {}, "s3:ListBucket", arn),
        ("get_bucket_location", {}, "s3:GetBucketLocation", arn),
    ):
        with pytest.raises(ClientError, match=f"perform: {action} on resource: .?{resource}") as told:
            getattr(s3, operation)(Bucket=bucket_of(account), **parameters)
        assert told.value.response["Error"]["Code"] == "AccessDenied"
        assert account.records()[-1]["errorCode"] == "AccessDenied"
    assert refused(s3, "head_object", Bucket=bucket_of(account), Key=key) == (403, "403")
    policy = f'{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{arn}/*"}}}}'
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    s3.get_object(Bucket=bucket_of(account), Key=key)
    s3.head_object(Bucket=bucket_of(account), Key=key)
    got, head = account.records()[-2:]
    assert (got["eventName"], head["eventName"]) == ("GetObject", "HeadObject")
    assert got["requestParameters"] == {"bucketName": bucket_of(account), "key": key}
    assert (got["eventCategory"], got["managementEvent"], got["readOnly"]) == ("Data", False, True)
    assert [one["type"] for one in got["resources"]] == ["AWS::S3::Object", "AWS::S3::Bucket"]


def test_nothing_is_written(account: Account) -> None:
    s3, key = account.client("s3"), keys_of(account)[0]
    before = account.records()
    there = {"Bucket": bucket_of(account)}
    assert refused(s3, "put_object", **there, Key=key, Body=b"forged")[1] != "NoSuchKey"
    assert refused(s3, "delete_object", **there, Key=key) == (501, "NotImplemented")
    assert refused(s3, "list_buckets") == (501, "NotImplemented")
    assert refused(s3, "get_object_acl", **there, Key=key) == (501, "NotImplemented")
    assert FolderBucket(_folder(account.server)).has(key)
    assert account.records() == before


def test_strangers_get_s3_s_own_errors(account: Account) -> None:
    key, there = keys_of(account)[0], {"Bucket": bucket_of(account)}
    wrong = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40}
    assert refused(account.client("s3", wrong), "get_object", **there, Key=key) == (403, "InvalidAccessKeyId")
    spoilt = {**account.key, "SecretAccessKey": "x" * 40}
    assert refused(account.client("s3", spoilt), "get_object", **there, Key=key) == (
        403,
        "SignatureDoesNotMatch",
    )
    unsigned = httpx.get(f"{account.server.url}/{bucket_of(account)}/{key}")
    assert unsigned.status_code == 401  # not for S3 at all: the read API's own answer


def test_a_signature_for_another_service_is_none_for_s3(account: Account) -> None:
    url = f"{account.server.url}/{bucket_of(account)}/{keys_of(account)[0]}"
    request = AWSRequest("GET", url)
    credentials = Credentials(account.key["AccessKeyId"], account.key["SecretAccessKey"])
    SigV4QueryAuth(credentials, "iam", "us-east-1").add_auth(request)
    assert httpx.get(request.url).status_code == 403


def test_what_can_be_no_name_is_not_there(account: Account) -> None:
    s3, there = account.client("s3"), {"Bucket": bucket_of(account)}
    root = f"AWSLogs/{account.id}/"
    for name in (
        f"{root}{'x' * 300}/y",
        f"{root}\x00/y",
        f"{root}\ufffd/../y",
        f"{root}\U0001f600/y",
        f"{root}a//b",
    ):
        assert refused(s3, "get_object", **there, Key=name) == (404, "NoSuchKey"), name
        for operation in ("list_objects", "list_objects_v2"):
            assert "Contents" not in getattr(s3, operation)(**there, Prefix=name)
    stored = s3.get_object(**there, Key=keys_of(account)[0], Range=f"bytes={'9' * 5_000}-")
    assert stored["ResponseMetadata"]["HTTPStatusCode"] == 200  # a range that is none is passed over
