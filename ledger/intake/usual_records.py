"""A record of the usual form, taken apart without being decoded whole.

No more of it is written anew than has to be sorted. What most records share is not even decoded, but worked out once
and remembered. The parts are those that `ledger.log.bodies.split` gives for the decoded record.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from sys import intern
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

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
from ledger.record import canonical, is_account_id, to_keep, whole_seconds
from ledger.resources import resources_of
from ledger.suspects import is_deep

REMEMBERED_MAX: Final = 8_192
REST: Final = -4  # where, in what `take_apart` gives, that stands which is to be compressed
LENGTH: Final = -1  # … how long the canonical record is
_Nested = dict[str, Any] | list[Any] | None  # a text may stand for an object


class Skimmed(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A record with its members, in AWS's order: so they are read faster. A file with any other member is decoded whole."""

    eventVersion: str | UnsetType = UNSET
    userIdentity: Raw
    eventTime: str
    eventSource: str
    eventName: str
    awsRegion: str | UnsetType = UNSET
    sourceIPAddress: str | UnsetType = UNSET
    userAgent: str | UnsetType = UNSET
    errorCode: str | UnsetType = UNSET
    errorMessage: str | UnsetType = UNSET
    requestParameters: _Nested
    responseElements: _Nested | UnsetType = UNSET
    additionalEventData: Any = UNSET
    requestID: str | UnsetType = UNSET
    eventID: str | UnsetType = UNSET
    readOnly: bool | UnsetType = UNSET
    resources: _Nested | UnsetType = UNSET
    eventType: str | UnsetType = UNSET
    apiVersion: str | UnsetType = UNSET
    managementEvent: bool | UnsetType = UNSET
    recipientAccountId: str | UnsetType = UNSET
    sharedEventID: str | UnsetType = UNSET
    vpcEndpointId: str | UnsetType = UNSET
    vpcEndpointAccountId: str | UnsetType = UNSET
    eventCategory: str | UnsetType = UNSET
    tlsDetails: Raw | UnsetType = UNSET
    sessionCredentialFromConsole: str | UnsetType = UNSET


class Unusual(Exception):
    """There is something in the file that is told only where all of it is decoded."""


def _exact_float(digits: str) -> float:
    """Raises Unusual where it would not be written as it stands: no digit is lost, and no text grows."""
    value = float(digits)
    if canonical(value) != digits.encode():
        raise Unusual
    return value


skim: Final = msgspec.json.Decoder(Skimmed, float_hook=_exact_float).decode
_decode: Final = msgspec.json.Decoder(float_hook=_exact_float).decode


def take_apart(record: Skimmed, salt: bytes, before: bytes) -> tuple[Any, ...] | None:
    """As `ledger.log.bodies.split`, with what else its row needs; None where a record is not of the usual form.

    `before` is the body before the record. Raises Unusual, and what reading and writing JSON raise.
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
    event_id, stamp = record.eventID, record.eventTime
    seconds = whole_seconds(stamp)
    if frame is None or seconds is None or event_id is UNSET or not is_uuid(event_id):
        return None

    identity, template, key, began = _identity(bytes(record.userIdentity))
    first = message = number_kept = connection = connection_kept = last = b""
    host: Any = None
    if record.tlsDetails is not UNSET:
        connection, connection_kept, host = _connection(bytes(record.tlsDetails))
    if record.additionalEventData is not UNSET:
        first = b'"additionalEventData":%b,' % canonical(record.additionalEventData)
    told: dict[str, Any] = {"requestParameters": record.requestParameters}
    if record.resources is not UNSET:
        told["resources"] = record.resources
    if record.responseElements is not UNSET:
        told["responseElements"] = record.responseElements
    main = canonical(told)[1:-1]
    address, source = _said(b"sourceIPAddress", record.sourceIPAddress)
    agent, program = _said(b"userAgent", record.userAgent)
    plain = f"{frame.before_id}{event_id}{frame.before_time}{stamp}{frame.after_time}"
    layout, prefix = request_number(record.requestID)
    if prefix:
        plain = f'{plain}"requestID":"{record.requestID}",'
    elif record.requestID is not UNSET:
        number_kept = b'"requestID":%b,' % canonical(record.requestID)
    if host is not None and host == frame.host:
        layout |= USUAL_HOST
    else:
        connection_kept = connection
    if record.errorMessage is not UNSET:
        message = b'"errorMessage":%b,' % canonical(record.errorMessage)
    if not (
        record.sharedEventID
        is record.apiVersion
        is record.vpcEndpointId
        is record.vpcEndpointAccountId
        is record.sessionCredentialFromConsole
        is UNSET
    ):
        if record.apiVersion is not UNSET:
            first += b'"apiVersion":%b,' % canonical(record.apiVersion)
        main += _member(b"sessionCredentialFromConsole", record.sessionCredentialFromConsole)
        main += _member(b"sharedEventID", record.sharedEventID)
        last = _member(b"vpcEndpointAccountId", record.vpcEndpointAccountId)
        last += _member(b"vpcEndpointId", record.vpcEndpointId)
    committed = b"".join(
        (
            salt,
            before,
            b"{",
            first,
            frame.before_message,
            message,
            plain.encode(),
            number_kept,
            main,
            source,
            connection,
            program,
            b',"userIdentity":',
            identity,
            last,
            b"}}",
        )
    )
    rest = b"".join((b"{", first, message, number_kept, main, connection_kept, last, b"}"))
    told["eventSource"] = record.eventSource
    resources = resources_of(told, frame.account_id)
    return (
        frame,
        seconds,
        event_id,
        template,
        key,
        began,
        address,
        agent,
        layout,
        prefix,
        resources,
        rest,
        salt,
        sha256(committed).digest(),
        len(committed) - len(salt) - len(before) - 1,
    )


class Frame(Struct, frozen=True, gc=False):
    """What follows from the members of a frame; the canonical record around what is not of it."""

    document: bytes
    account_id: str
    error: str | None
    host: str | None
    before_message: bytes
    before_id: str
    before_time: str
    after_time: str


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

    def members_of(*names: str) -> str:
        return "".join(
            f'"{name}":{canonical(told[name]).decode()},' for name in names if told[name] is not UNSET
        )

    return Frame(
        made.frame,
        intern(account_id),
        made.error,
        made.host,
        before_message=members_of("awsRegion", "errorCode").encode(),
        before_id=members_of("eventCategory") + '"eventID":"',
        before_time='",' + members_of("eventName", "eventSource") + '"eventTime":"',
        after_time='",'
        + members_of("eventType", "eventVersion", "managementEvent", "readOnly", "recipientAccountId"),
    )


@lru_cache(maxsize=REMEMBERED_MAX)
def _identity(raw: bytes) -> tuple[bytes, bytes, str | None, int | None]:
    """As it stands in a record, and what `split_identity` gives. Raises Unusual."""
    document = _decoded(raw)
    if type(document) is not dict:
        raise Unusual
    return to_keep(canonical(document)), *split_identity(document)


@lru_cache(maxsize=REMEMBERED_MAX)
def _connection(raw: bytes) -> tuple[bytes, bytes, Any]:
    """As it stands in a record, as it does without the host's name, and that name. Raises Unusual."""
    document = _decoded(raw)
    whole, host = _member(b"tlsDetails", document), None
    if type(document) is dict:
        host = document.pop(HOST, None)
    return whole, _member(b"tlsDetails", document), host


def _decoded(raw: bytes) -> Any:
    """Raises Unusual."""
    if is_deep(raw):
        raise Unusual
    return _decode(raw)


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
