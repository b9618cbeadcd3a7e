"""Trails: the one there is, and what is said of any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.aws.answers.refusals import CloudTrailARNInvalid, InvalidTimeRange, InvalidTrailName, TrailNotFound
from api.aws.answers.trails import NAME, NO_NAME
from ledger.record import format_time
from projections.export.bucket import FolderBucket
from projections.export.delivering import Course, deliver
from projections.export.signing_keys import SigningKeys
from tests.api.aws.reading_asked import Ledger
from tests.ledger.asking import refused
from tests.ledger.told import ACCOUNT, create_user
from tests.projections.delivering_told import KEY

ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/{NAME}"


@pytest.mark.parametrize("name", [NAME, ARN])
def test_the_ledger_is_a_trail(ledger: Ledger, name: str) -> None:
    trail = ledger("cloudtrail:GetTrail", Name=name)["Trail"]
    assert (trail["TrailARN"], trail["IsMultiRegionTrail"]) == (ARN, True)
    assert trail["IncludeGlobalServiceEvents"] is True
    assert ledger("cloudtrail:DescribeTrails", trailNameList=[name, "other"])["trailList"] == [trail]
    assert ledger("cloudtrail:DescribeTrails")["trailList"] == [trail]
    (listed,) = ledger("cloudtrail:ListTrails")["Trails"]
    assert listed == {"TrailARN": ARN, "Name": NAME, "HomeRegion": "us-east-1"}


def test_it_is_logging_since_the_first_entry(ledger: Ledger) -> None:
    assert "StartLoggingTime" not in ledger("cloudtrail:GetTrailStatus", Name=NAME)
    status = ledger.told(create_user())("cloudtrail:GetTrailStatus", Name=ARN)
    first = ledger.log.entry(ACCOUNT, 0)
    assert first is not None
    assert status["IsLogging"] is True
    assert status["StartLoggingTime"] == first.recorded_at // 1000
    assert status["TimeLoggingStarted"] == format_time(status["StartLoggingTime"])


@pytest.mark.parametrize("operation", ["GetTrail", "GetTrailStatus"])
def test_no_other_is_known(ledger: Ledger, operation: str) -> None:
    unknown = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/delete-me"
    for name in ("delete-me", unknown):
        with refused(TrailNotFound, f"Unknown trail: {unknown} for the user: {ACCOUNT}"):
            ledger(f"cloudtrail:{operation}", Name=name)
    assert ledger("cloudtrail:DescribeTrails", trailNameList=["delete-me"])["trailList"] == []


@pytest.mark.parametrize(
    "name", ["ab", "a" * 129, "-abc", "abc-", "my--trail", "my-_trail", "192.168.5.4", "a b c"]
)
def test_what_can_be_no_name_is_refused(ledger: Ledger, name: str) -> None:
    with refused(InvalidTrailName, NO_NAME):
        ledger("cloudtrail:GetTrail", Name=name)


def test_what_is_no_arn_of_a_trail_is_refused(ledger: Ledger) -> None:
    wrong = f"arn:aws:s3:us-east-1:{ACCOUNT}:trail/x-y"
    with refused(CloudTrailARNInvalid, f"{wrong} is no ARN of a trail."):
        ledger("cloudtrail:GetTrail", Name=wrong)


def test_a_delivery_gives_it_a_bucket_a_key_and_a_time(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger("cloudtrail:GetTrail", Name=NAME)["Trail"]
    assert ("S3BucketName" in before, before["LogFileValidationEnabled"]) == (False, False)
    assert "LatestDigestDeliveryTime" not in ledger("cloudtrail:GetTrailStatus", Name=NAME)
    ledger.told(create_user())
    first = ledger.log.entry(ACCOUNT, 0)
    assert first is not None
    now = first.recorded_at // 1000 + 5
    course, to = Course("trail-of-acme", "audit"), FolderBucket(tmp_path / "delivered")
    deliver(ledger.log, ACCOUNT, to, SigningKeys([KEY]), course, clock=lambda: now)
    trail = ledger("cloudtrail:GetTrail", Name=NAME)["Trail"]
    assert (trail["S3BucketName"], trail["S3KeyPrefix"]) == ("trail-of-acme", "audit")
    assert trail["LogFileValidationEnabled"] is True
    assert ledger("cloudtrail:DescribeTrails")["trailList"] == [trail]
    status = ledger("cloudtrail:GetTrailStatus", Name=NAME)
    assert status["LatestDeliveryTime"] == status["LatestDigestDeliveryTime"] == now
    (key,) = ledger("cloudtrail:ListPublicKeys")["PublicKeyList"]
    assert (key["Fingerprint"], key["Value"]) == (KEY.fingerprint, KEY.value)
    began = key["ValidityStartTime"]
    for since, until, listed in ((0, began, 1), (0, began - 1, 0), (now, now, 1), (2**33, 2**34, 0)):
        told = ledger("cloudtrail:ListPublicKeys", StartTime=since, EndTime=until)
        assert len(told["PublicKeyList"]) == listed


def test_before_the_first_delivery_there_is_no_public_key(ledger: Ledger) -> None:
    assert ledger("cloudtrail:ListPublicKeys") == {"PublicKeyList": []}
    with refused(InvalidTimeRange, "The start time is after the end time."):
        ledger("cloudtrail:ListPublicKeys", StartTime=5, EndTime=4)
