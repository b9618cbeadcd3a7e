"""LookupEvents: CloudTrail's own question about events, over the whole log.

More is answered than by AWS: any number of attributes, which must all hold; events of all regions, and data events too;
without an end after ninety days and without a limit of calls a second.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from math import ceil, floor
from typing import Any, Final

import orjson

from api.aws.answers.reading import reads, seconds
from api.aws.answers.refusals import (
    InvalidEventCategory,
    InvalidLookupAttributes,
    InvalidMaxResults,
    InvalidNextToken,
    InvalidTimeRange,
)
from ledger.account.account import Account
from ledger.entry import Entry
from ledger.iam.deciding import Answer, Call, Moment, anything
from ledger.record import canonical
from projections.activity import END_OF_TIME
from projections.investigation import Investigation
from projections.lookups import ATTRIBUTES, Lookup, Place, look_up, username_of
from projections.resource_types import resources_told

RESULTS_MAX: Final = 50
VALUE_MAX: Final = 2_000
DIGEST_BYTES = 12


@reads("cloudtrail:LookupEvents", on=anything)
def lookup_events(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    attributes = tuple(_attribute(one) for one in call.get("LookupAttributes") or ())
    since, until = _stretch(call)
    category = call.get("EventCategory")
    if category not in (None, "insight"):
        raise InvalidEventCategory(f"{category} is no category of events; it can only be insight.")
    limit = call.get("MaxResults", RESULTS_MAX)
    if not 1 <= limit <= RESULTS_MAX:
        raise InvalidMaxResults(f"MaxResults must be from 1 to {RESULTS_MAX}.")
    asked = _digest(account.id, attributes, since, until, category)
    token = call.get("NextToken")
    lookup = Lookup(
        account.id,
        attributes,
        since=since,
        until=until,
        insights=category is not None,
        limit=limit,
        beyond=None if token is None else _place(token, asked),
    )
    found, more = look_up(ledger.log, lookup)
    told: dict[str, Any] = {"Events": [shown(entry) for entry in found]}
    if more:
        told["NextToken"] = _token((found[-1].time, found[-1].position), asked)
    return Answer(told)


def shown(entry: Entry) -> dict[str, Any]:
    """An entry as an Event. Source: botocore's model, "Event"."""
    record, document = entry.record, entry.document
    identity = record.identity
    details = document.get("insightDetails")
    named = (
        details if isinstance(details, dict) else document
    )  # an insight event names the call that it is about
    told = {
        "EventId": record.event_id,
        "EventName": named.get("eventName"),
        "ReadOnly": "true" if record.read_only else "false",
        "AccessKeyId": identity.access_key_id,
        "EventTime": entry.time,
        "EventSource": named.get("eventSource"),
        "Username": username_of(identity),
        "Resources": resources_told(document, entry.account_id),
        "CloudTrailEvent": orjson.dumps(document).decode(),
    }
    return {name: value for name, value in told.items() if value is not None}


def _attribute(told: dict[str, str]) -> tuple[str, str]:
    key, value = told.get("AttributeKey", ""), told.get("AttributeValue", "")
    if key not in ATTRIBUTES:
        raise InvalidLookupAttributes(f"{key} is no attribute to look events up by.")
    if not 1 <= len(value) <= VALUE_MAX:
        raise InvalidLookupAttributes(f"The value of {key} must have from 1 to {VALUE_MAX} characters.")
    return key, value


def _stretch(call: Call) -> tuple[int, int]:
    """Events at StartTime and at EndTime are both told; until is the first second that is not."""
    start, end = call.get("StartTime"), call.get("EndTime")
    if start is not None and end is not None and seconds(start) > seconds(end):
        raise InvalidTimeRange("The start time is after the end time.")
    since = 0 if start is None else ceil(seconds(start))
    until = END_OF_TIME if end is None else floor(seconds(end)) + 1
    if since > END_OF_TIME or until < 0:
        raise InvalidTimeRange("The times are outside the range of possible values.")
    return max(since, 0), min(until, END_OF_TIME)


# ---- the token: where a page ended, and a digest of what was asked, which must be the same


def _digest(*asked: Any) -> bytes:
    return hashlib.sha256(canonical(asked)).digest()[:DIGEST_BYTES]


def _token(last: Place, asked: bytes) -> str:
    time, position = last
    return base64.b64encode(asked + time.to_bytes(8, "big") + position.to_bytes(8, "big")).decode()


def _place(token: str, asked: bytes) -> Place:
    try:
        raw = base64.b64decode(token.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeError):
        raw = b""
    time, position = (int.from_bytes(raw[at : at + 8], "big") for at in (DIGEST_BYTES, DIGEST_BYTES + 8))
    if len(raw) != DIGEST_BYTES + 16 or raw[:DIGEST_BYTES] != asked or max(time, position) >= 2**63:
        raise InvalidNextToken("The token is not valid, or was given with other parameters.")
    return time, position
