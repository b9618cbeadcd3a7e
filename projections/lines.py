"""Entries as answers show them: a line of a list, and the short reference to an entry."""

from __future__ import annotations

from typing import Any

from ledger.entry import Entry
from ledger.record import Record, format_time, is_denial
from ledger.resources import resources_of

Line = dict[str, Any]
Reference = dict[str, Any]


def line(entry: Entry) -> Line:
    """An entry whole, with what was read off its record beside it."""
    record = entry.record
    identity, document = record.identity, record.document
    return {
        "account": entry.account_id,
        "position": entry.position,
        "recordedAt": moment(entry.recorded_at),
        "time": format_time(entry.time),
        "eventID": record.event_id,
        "action": record.action,
        "actor": identity.label,
        "actorType": identity.kind,
        "principal": identity.arn,
        "accessKey": identity.access_key_id,
        "sourceIP": document.get("sourceIPAddress"),
        "userAgent": document.get("userAgent"),
        "error": record.error_code,
        "errorMessage": document.get("errorMessage"),
        "outcome": outcome(record),
        "readOnly": record.read_only,
        "region": document.get("awsRegion"),
        "resources": resources_of(document, entry.account_id),
        "record": document,
    }


def ref(entry: Entry) -> Reference:
    """What it takes to name an entry, and to see at a glance which it is."""
    record = entry.record
    return {
        "account": entry.account_id,
        "position": entry.position,
        "eventID": record.event_id,
        "eventName": str(record.document.get("eventName") or record.action.partition(":")[2]),
        "time": format_time(entry.time),
        "actor": record.identity.label,
    }


def outcome(record: Record) -> str:
    """`succeeded`, `failed` or `denied`; a failed sign-in has failed though it has no error code."""
    if is_denial(record.error_code):
        return "denied"
    return "succeeded" if record.succeeded else "failed"


def moment(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{format_time(seconds)[:-1]}.{rest:03d}Z"
