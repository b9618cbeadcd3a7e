"""Deliveries to a bucket that a server of S3's protocol keeps. The server is moto's; without it the module is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from ledger.digests import PublicKeys
from projections.export.bucket import S3Bucket, place_of
from projections.export.deliveries import trail_of
from projections.export.delivering import Course, deliver
from projections.export.target import ExportFailed
from projections.export.validation import Anchors, validate
from tests.ledger.told import ACCOUNT
from tests.projections.delivering_told import HOUR, MORNING, Living
from tests.s3_server import s3_server, s3_server_needed

BUCKET, PREFIX = "trail-of-acme", "audit"

pytestmark = s3_server_needed


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Bucket]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield S3Bucket(BUCKET)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for one in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def living(tmp_path: Path) -> Living:
    living = Living(tmp_path).tell()
    living.now = MORNING + 3 * HOUR + 10
    return living.tell()


def test_what_is_delivered_there_is_sound(living: Living, s3: S3Bucket) -> None:
    place, name, prefix = place_of(f"s3://{BUCKET}/{PREFIX}/")
    assert (name, prefix) == (BUCKET, PREFIX)
    for hours in range(2):
        living.now += hours * HOUR
        course = Course(BUCKET, PREFIX)
        deliver(living.log, ACCOUNT, place, living.keys, course, clock=lambda: living.now)
        living.tell()
    trail = trail_of(living.log, ACCOUNT)
    told = validate(
        s3, ACCOUNT, PublicKeys(trail.keys), prefix=PREFIX, anchors=Anchors.of_trail(trail, living.log)
    )
    assert (told.findings, told.sound, told.log_files) == ([], True, 3)
    keys = list(s3.every_key())
    assert all(key.startswith(f"{PREFIX}/AWSLogs/{ACCOUNT}/") for key in keys)
    stored = s3.get(keys[0])
    assert stored is not None
    assert stored.metadata["signature-algorithm"] == "SHA256withRSA"


def test_what_was_lost_there_is_written_again(living: Living, s3: S3Bucket) -> None:
    course = Course(BUCKET, PREFIX)
    deliver(living.log, ACCOUNT, s3, living.keys, course, clock=lambda: living.now)
    before = {key: s3.get(key) for key in s3.every_key()}
    boto3.client("s3", region_name="us-east-1").delete_object(Bucket=BUCKET, Key=list(before)[-2])
    trail = trail_of(living.log, ACCOUNT)
    assert not validate(s3, ACCOUNT, PublicKeys(trail.keys), prefix=PREFIX).sound
    again = Course(BUCKET, PREFIX, again=True)
    deliver(living.log, ACCOUNT, s3, living.keys, again, clock=lambda: living.now)
    after = {key: s3.get(key) for key in s3.every_key()}
    assert {key: it and (it.content, it.metadata) for key, it in after.items()} == {
        key: it and (it.content, it.metadata) for key, it in before.items()
    }


def test_a_bucket_that_is_not_there_is_told(living: Living, s3: S3Bucket) -> None:
    with pytest.raises(ExportFailed, match="NoSuchBucket"):
        deliver(living.log, ACCOUNT, S3Bucket("another-one"), living.keys, Course("another-one", None))
    assert trail_of(living.log, ACCOUNT).latest is None  # so the next may go elsewhere


def test_without_credentials_nothing_is_written(
    living: Living, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ExportFailed, match="credentials"):
        deliver(living.log, ACCOUNT, S3Bucket(BUCKET), living.keys, Course(BUCKET, PREFIX))
