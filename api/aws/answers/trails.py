"""Trails: what CloudTrail's clients ask before they look for events.

There is one, named after the ledger. It can't be stopped. Where it delivers to, and whether it signs digests, the account's
log tells: before the first delivery it has no bucket and no public key.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from api.aws.answers.reading import reads, seconds
from api.aws.answers.refusals import CloudTrailARNInvalid, InvalidTimeRange, InvalidTrailName, TrailNotFound
from ledger.account.account import Account
from ledger.authority.recording import REGION
from ledger.iam.deciding import Answer, Call, Moment, anything
from ledger.record import format_time
from projections.export.deliveries import TRAIL, latest_delivery, public_keys_of
from projections.investigation import Investigation

NAME: Final = TRAIL
# Source: InvalidTrailNameException of botocore's model.
_NAME = re.compile(r"(?!\d+(\.\d+){3}$)(?=.{3,128}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", re.ASCII)
_ARN = re.compile(r"arn:[\w-]+:cloudtrail:[\w-]+:\d{12}:trail/(.+)", re.ASCII)
NO_NAME: Final = (
    "Trail names must have 3 to 128 letters, digits, periods, underscores and dashes, begin and end with a letter or "
    "digit, have no two signs beside each other, and not be an IP address."
)


def arn_of(account: Account, name: str = NAME) -> str:
    return f"arn:aws:cloudtrail:{REGION}:{account.id}:trail/{name}"


def asked_for(account: Account, call: Call) -> str:
    """The ARN of the trail that a call names."""
    name = call.get("Name", "")
    return name if name.startswith("arn:") else arn_of(account, name)


@reads("cloudtrail:DescribeTrails", on=anything)
def describe_trails(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    names = call.get("trailNameList") or [NAME]
    for name in names:
        _check(name)
    there = NAME in names or arn_of(account) in names
    return Answer({"trailList": [_shown(ledger, account)] if there else []})


@reads("cloudtrail:GetTrail", on=asked_for)
def get_trail(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    _must_be_there(account, call)
    return Answer({"Trail": _shown(ledger, account)})


@reads("cloudtrail:GetTrailStatus", on=asked_for)
def get_trail_status(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    """Logging since the ledger's first entry was recorded. Members that AWS no longer uses are empty, as AWS has them."""
    _must_be_there(account, call)
    first = ledger.log.entry(account.id, 0)
    told: dict[str, Any] = {
        "IsLogging": True,
        "LatestDeliveryAttemptTime": "",
        "LatestDeliveryAttemptSucceeded": "",
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
        "TimeLoggingStarted": "",
        "TimeLoggingStopped": "",
    }
    if first is not None:
        since = first.recorded_at // 1000
        told |= {"StartLoggingTime": since, "TimeLoggingStarted": format_time(since)}
    latest = latest_delivery(ledger.log, account.id)
    if latest is not None:
        at = format_time(latest.at)
        told |= {"LatestDeliveryTime": latest.at, "LatestDigestDeliveryTime": latest.at}
        told |= {"LatestDeliveryAttemptTime": at, "LatestDeliveryAttemptSucceeded": at}
    return Answer(told)


@reads("cloudtrail:ListTrails", on=anything)
def list_trails(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    return Answer({"Trails": [{"TrailARN": arn_of(account), "Name": NAME, "HomeRegion": REGION}]})


@reads("cloudtrail:ListPublicKeys", on=anything)
def list_public_keys(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    start, end = call.get("StartTime"), call.get("EndTime")
    if start is not None and end is not None and seconds(start) > seconds(end):
        raise InvalidTimeRange("The start time is after the end time.")
    since = 0 if start is None else seconds(start)
    until = math.inf if end is None else seconds(end)
    keys = public_keys_of(ledger.log, account.id)
    return Answer(
        {"PublicKeyList": [key.listed() for key in keys if key.since <= until and key.until >= since]}
    )


def _shown(ledger: Investigation, account: Account) -> dict[str, Any]:
    latest = latest_delivery(ledger.log, account.id)
    place = {} if latest is None else {"S3BucketName": latest.bucket, "S3KeyPrefix": latest.prefix}
    return {
        "Name": NAME,
        **{name: value for name, value in place.items() if value is not None},
        "TrailARN": arn_of(account),
        "HomeRegion": REGION,
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "IsOrganizationTrail": False,
        "LogFileValidationEnabled": latest is not None,
        "HasCustomEventSelectors": False,
        "HasInsightSelectors": False,
    }


def _must_be_there(account: Account, call: Call) -> None:
    _check(call["Name"])
    arn = asked_for(account, call)
    if arn != arn_of(account):
        raise TrailNotFound(f"Unknown trail: {arn} for the user: {account.id}")


def _check(name: str) -> None:
    """Raises InvalidTrailName, or CloudTrailARNInvalid for what begins as an ARN."""
    if not name.startswith("arn:"):
        if not _NAME.fullmatch(name):
            raise InvalidTrailName(NO_NAME)
        return
    found = _ARN.fullmatch(name)
    if found is None or not _NAME.fullmatch(found[1]):
        raise CloudTrailARNInvalid(f"{name} is no ARN of a trail.")
