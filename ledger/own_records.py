"""What the ledger itself writes into a log: records of its own, in the form that CloudTrail has for events of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.record import format_time

SOURCE: Final = "iam-ledger"
EVENT_VERSION: Final = "1.11"
HOME_REGION: Final = (
    "us-east-1"  # where CloudTrail has the events of global services, IAM's and its own among them
)


def own_record(
    account_id: str, action: str, request: Mapping[str, Any], *, at: int, event_id: str
) -> dict[str, Any]:
    """The document of it; `action` is `iam-ledger:…`, `at` in seconds since 1970.

    Source: CloudTrail user guide, "Non-API events captured by CloudTrail", AWS service events.
    """
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": {"type": "AWSService", "accountId": account_id, "invokedBy": SOURCE},
        "eventTime": format_time(at),
        "eventSource": SOURCE,
        "eventName": action.partition(":")[2],
        "awsRegion": HOME_REGION,
        "sourceIPAddress": SOURCE,
        "userAgent": SOURCE,
        "requestParameters": dict(request),
        "responseElements": None,
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }
