"""A record of the usual form, taken apart without being decoded whole.

Its texts and booleans are read, and of the rest no more is written anew than has to be sorted. What most records share
is worked out once and remembered. The parts are those that `ledger.log.bodies.split` gives for the decoded record.
"""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import Any, Final, NamedTuple

import orjson
from msgspec import UNSET, Raw, Struct, UnsetType

from ledger.intake.decoding import may_hold_long_number
from ledger.log.bodies import (
    FRAME_MEMBERS,
    HOST,
    SIGN_IN,
    USUAL_HOST,
    framed,
    is_uuid,
    request_number,
    split_identity,
)
from ledger.log.preparation import uuid_number
from ledger.record import canonical, is_account_id, to_keep, whole_seconds
from ledger.resources import resources_of
from ledger.suspects import is_deep

REMEMBERED_MAX: Final = 8_192
_NULL: Final = b"null"


class Skimmed(Struct, forbid_unknown_fields=True, gc=False):
    """A record, of which nothing was decoded but texts and booleans. A file with any other member is decoded whole."""

    eventName: str
    eventSource: str
    eventTime: str
    userIdentity: Raw
    requestParameters: Raw
    additionalEventData: Raw | UnsetType = UNSET
    awsRegion: str | UnsetType = UNSET
    errorCode: str | UnsetType = UNSET
    errorMessage: str | UnsetType = UNSET
    eventCategory: str | UnsetType = UNSET
    eventID: str | UnsetType = UNSET
    eventType: str | UnsetType = UNSET
    eventVersion: str | UnsetType = UNSET
    managementEvent: bool | UnsetType = UNSET
    readOnly: bool | UnsetType = UNSET
    recipientAccountId: str | UnsetType = UNSET
    requestID: str | UnsetType = UNSET
    resources: Raw | UnsetType = UNSET
    responseElements: Raw | UnsetType = UNSET
    sourceIPAddress: str | UnsetType = UNSET
    tlsDetails: Raw | UnsetType = UNSET
    userAgent: str | UnsetType = UNSET
    # Rarer.
    apiVersion: str | UnsetType = UNSET
    sessionCredentialFromConsole: str | UnsetType = UNSET
    sharedEventID: str | UnsetType = UNSET
    vpcEndpointAccountId: str | UnsetType = UNSET
    vpcEndpointId: str | UnsetType = UNSET


UNDECODED: Final = (
    "additionalEventData",
    "requestParameters",
    "resources",
    "responseElements",
    "tlsDetails",
    "userIdentity",
)


class Unusual(Exception):
    """There is something in the file that is told only where all of it is decoded."""


def take_apart(record: Skimmed, raws: list[bytes]) -> tuple[Any, ...] | None:
    """As `ledger.log.bodies.split` with the canonical record; None where the record is not of the usual form.

    `raws` gets what was decoded. Raises Unusual.
    """
    frame = _frame(
        (
            record.eventSource,
            record.eventName,
            record.awsRegion,
            record.errorCode,
            record.eventVersion,
            record.eventType,
            record.eventCategory,
            record.readOnly,
            record.managementEvent,
            record.recipientAccountId,
        )
    )
    identity, identity_parts = _identity(bytes(record.userIdentity))
    raw = bytes(record.requestParameters)
    raws.append(raw)
    request, main = _value(raw)
    main = b'"requestParameters":%b' % main
    response = resources = None
    if record.resources is not UNSET:
        raw = bytes(record.resources)
        raws.append(raw)
        resources, told = _value(raw)
        main = b'%b,"resources":%b' % (main, told)
    if record.responseElements is not UNSET:
        raw = bytes(record.responseElements)
        raws.append(raw)
        response, told = _value(raw)
        main = b'%b,"responseElements":%b' % (main, told)
    event_id, stamp = record.eventID, record.eventTime
    first = number = number_kept = message = last = connection = connection_kept = b""
    if record.additionalEventData is not UNSET:
        raw = bytes(record.additionalEventData)
        raws.append(raw)
        first = b',"additionalEventData":%b' % canonical(orjson.loads(raw))
    seconds = whole_seconds(stamp)
    if frame is None or seconds is None or event_id is UNSET or not is_uuid(event_id):
        if record.tlsDetails is not UNSET:
            raws.append(bytes(record.tlsDetails))
        if any(map(is_deep, raws[-5:])):  # nothing else looks at these
            raise Unusual
        return None

    address, source = _said(b"sourceIPAddress", record.sourceIPAddress)
    agent, program = _said(b"userAgent", record.userAgent)
    layout, prefix = request_number(record.requestID)
    if record.requestID is not UNSET:
        number = b',"requestID":%b' % canonical(record.requestID)
        number_kept = b"" if prefix else number
    if record.tlsDetails is not UNSET:
        connection, connection_kept, host = _connection(bytes(record.tlsDetails))
        if host is not None and host == frame.host:
            layout |= USUAL_HOST
        else:
            connection_kept = connection
    if record.errorMessage is not UNSET:
        message = b',"errorMessage":%b' % canonical(record.errorMessage)
    if not (
        record.sharedEventID
        is record.apiVersion
        is record.vpcEndpointId
        is record.vpcEndpointAccountId
        is record.sessionCredentialFromConsole
        is UNSET
    ):
        first += _member(b"apiVersion", record.apiVersion)
        main += _member(b"sessionCredentialFromConsole", record.sessionCredentialFromConsole)
        main += _member(b"sharedEventID", record.sharedEventID)
        last = _member(b"vpcEndpointAccountId", record.vpcEndpointAccountId)
        last += _member(b"vpcEndpointId", record.vpcEndpointId)
    return (
        frame,
        (seconds, *uuid_number(event_id), layout),
        identity_parts,
        b"".join(
            (
                b"{",
                first[1:],
                frame.before_message if first else frame.before_message[1:],
                message,
                frame.before_id,
                event_id.encode(),
                frame.before_time,
                stamp.encode(),
                frame.after_time,
                number,
                b",",
                main,
                source,
                connection,
                program,
                b',"userIdentity":',
                identity,
                last,
                b"}",
            )
        ),
        address,
        agent,
        prefix,
        b"{%b,%b%b%b}" % (kept[1:], main, connection_kept, last)
        if (kept := first + message + number_kept)
        else b"{%b%b%b}" % (main, connection_kept, last),
        resources_of(
            {
                "eventSource": record.eventSource,
                "requestParameters": request,
                "responseElements": response,
                "resources": resources,
            },
            frame.account_id,
        ),
    )


class Frame(NamedTuple):
    """What follows from the members of a frame; the canonical record around what is not of it."""

    document: bytes
    account_id: str
    error: str | None
    host: str | None
    before_message: bytes
    before_id: bytes
    before_time: bytes
    after_time: bytes


@lru_cache(maxsize=REMEMBERED_MAX)
def _frame(members: tuple[Any, ...]) -> Frame | None:
    """None where a record with these is not of the usual form. Raises Unusual."""
    source, name, region, error, _, kind, _, _, _, account_id = members
    if source.startswith("aws:") or error == "null":
        raise Unusual
    made = framed(tuple([... if value is UNSET else value for value in members]))
    named = source and name and region is not UNSET and is_account_id(account_id)
    if not made.usual or not named or kind == SIGN_IN:
        return None
    told = dict(zip(FRAME_MEMBERS, members, strict=True))

    def members_of(*names: str) -> bytes:
        return b"".join(_member(name.encode(), told[name]) for name in names)

    return Frame(
        made.frame,
        intern(account_id),
        made.error,
        made.host,
        before_message=members_of("awsRegion", "errorCode"),
        before_id=members_of("eventCategory") + b',"eventID":"',
        before_time=b'"' + members_of("eventName", "eventSource") + b',"eventTime":"',
        after_time=b'"'
        + members_of("eventType", "eventVersion", "managementEvent", "readOnly", "recipientAccountId"),
    )


@lru_cache(maxsize=REMEMBERED_MAX)
def _identity(raw: bytes) -> tuple[bytes, tuple[bytes, str | None, int | None]]:
    """Raises Unusual."""
    document = orjson.loads(raw)
    if type(document) is not dict or is_deep(raw) or may_hold_long_number(raw):
        raise Unusual
    return to_keep(canonical(document)), split_identity(document)


@lru_cache(maxsize=REMEMBERED_MAX)
def _connection(raw: bytes) -> tuple[bytes, bytes, Any]:
    """As it stands in a record, as it does without the host's name, and that name. Raises Unusual."""
    if may_hold_long_number(raw):
        raise Unusual
    document = orjson.loads(raw)
    whole, host = _member(b"tlsDetails", document), None
    if type(document) is dict:
        host = document.pop(HOST, None)
    return whole, _member(b"tlsDetails", document), host


def _value(raw: bytes) -> tuple[Any, bytes]:
    """The value and its canonical bytes. Raises Unusual where it is a text, for that may stand for an object."""
    if raw == _NULL:
        return None, raw
    if raw.startswith(b'"'):
        raise Unusual
    value = orjson.loads(raw)
    return value, canonical(value)


@lru_cache(maxsize=REMEMBERED_MAX)
def _said(name: bytes, value: str | UnsetType) -> tuple[str | None, bytes]:
    """A text that has a column, if there is one, and as it stands in the record. Raises Unusual."""
    if value is UNSET:
        return None, b""
    if "\0" in value:
        raise Unusual
    return intern(value), _member(name, value)


def _member(name: bytes, value: Any) -> bytes:
    return b"" if value is UNSET else b',"%b":%b' % (name, canonical(value))
