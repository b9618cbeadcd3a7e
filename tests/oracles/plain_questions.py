"""A slow, plain reading of a question, straight from its description: every entry is looked at."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.entry import Entry
from ledger.record import is_denial
from ledger.resources import resources_of
from projections.activity import Question

# What a record says of who called what, when, whence and how it ended, for which there are other filters.
ELSEWHERE = frozenset(
    [
        "eventSource",
        "eventName",
        "awsRegion",
        "errorCode",
        "eventVersion",
        "eventType",
        "eventCategory",
        "readOnly",
        "managementEvent",
        "recipientAccountId",
        "sourceIPAddress",
        "userAgent",
        "userIdentity",
        "eventID",
        "eventTime",
        "requestID",
    ]
)


def answer(entries: Iterable[Entry], question: Question) -> list[Entry]:
    """All the entries that a question asks for, in its order; cursor and limit are left to the caller."""
    found = [entry for entry in entries if matches(entry, question)]
    return sorted(found, key=place, reverse=question.order == "newest")


def place(entry: Entry) -> tuple[int, str, int]:
    return (entry.time, entry.account_id, entry.position)


def matches(entry: Entry, q: Question) -> bool:
    record, document = entry.record, entry.document
    who = record.identity
    error = record.error_code or (None if record.succeeded else "Failure")
    outcomes = {
        "denied": is_denial(error),
        "failed": error is not None,
        "succeeded": error is None,
    }
    return all(
        (
            q.account in (None, entry.account_id),
            q.principal is None or q.principal in (who.arn, who.unique_id, who.name),
            q.access_key in (None, who.access_key_id),
            q.action is None or _like(record.action, q.action if ":" in q.action else f"*:{q.action}"),
            q.service in (None, record.service),
            q.resource is None
            or any(_like_case(arn, q.resource) for arn in resources_of(document, entry.account_id)),
            q.source_ip is None or _from(document.get("sourceIPAddress"), q.source_ip),
            q.user_agent is None or q.user_agent.lower() in str(document.get("userAgent", "")).lower(),
            q.error is None or (error is not None and _like(error, q.error)),
            q.outcome is None or outcomes[q.outcome],
            q.read_only in (None, record.read_only),
            q.session in (None, who.access_key_id, who.session_arn),
            q.text is None or _holds(document, q.text),
            q.since is None or entry.time >= q.since,
            q.until is None or entry.time < q.until,
        )
    )


def _like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text.lower(), pattern.lower())


def _like_case(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)


def _holds(document: Mapping[str, Any], text: str) -> bool:
    """Anywhere in what no other filter is for, as JSON writes it."""
    rest = {name: value for name, value in document.items() if name not in ELSEWHERE}
    return _written(text)[1:-1] in _written(rest)


def _written(value: object) -> bytes:
    """Canonical JSON, with the ASCII letters and no others in lower case."""
    told = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return told.encode().lower()


def _from(address: object, asked: str) -> bool:
    if not isinstance(address, str):
        return False
    if "/" not in asked:
        return address == asked
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(asked)
    except ValueError:
        return False
