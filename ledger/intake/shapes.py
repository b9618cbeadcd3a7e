"""Finds the CloudTrail records in a decoded JSON value, whatever they are wrapped in.

A record may stand bare, in an array, in `{"Records": […]}`, as the `detail` of an EventBridge event, as the
`CloudTrailEvent` text of a LookupEvents answer, or as the message of CloudWatch Logs, SNS or SQS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from ledger.intake.decoding import Undecodable, decode
from ledger.intake.rejects import Reason, printable

MEMBERS: Final = frozenset(
    {
        "addendum",
        "additionalEventData",
        "apiVersion",
        "awsRegion",
        "edgeDeviceDetails",
        "errorCode",
        "errorMessage",
        "eventCategory",
        "eventContext",
        "eventID",
        "eventName",
        "eventSource",
        "eventTime",
        "eventType",
        "eventVersion",
        "insightDetails",
        "managementEvent",
        "readOnly",
        "recipientAccountId",
        "requestID",
        "requestParameters",
        "resources",
        "responseElements",
        "serviceEventDetails",
        "sessionCredentialFromConsole",
        "sharedEventID",
        "sourceIPAddress",
        "tlsDetails",
        "userAgent",
        "userIdentity",
        "vpcEndpointAccountId",
        "vpcEndpointId",
    }
)
_MEMBER_OF: Final = {member.lower(): member for member in MEMBERS}
# Any one of these tells a record, in whatever case it is written.
_TELLING: Final = frozenset(
    {"eventname", "eventsource", "eventtime", "eventid", "eventversion", "useridentity"}
)
_USUAL: Final = itemgetter("eventName", "eventSource", "eventTime", "userIdentity", "requestParameters")
_OBJECTS: Final = (
    "additionalEventData",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "userIdentity",
)
_TRUTHS: Final = {"true": True, "false": False}
_LISTS: Final = frozenset({"records", "events", "logevents", "messages"})  # hold records or wrapped ones
_WRAPS: Final = ("CloudTrailEvent", "detail", "Sns", "message", "Message", "body", "Body")
WRAPS_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class Found:
    """One record and where it stood."""

    source: str
    place: str
    document: dict[str, Any]
    account_hint: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one source that stood together; to go through them singly is slower."""

    source: str
    unit: str  # "record" or "line": what `numbers` count, from 1
    numbers: Sequence[int]  # one for each document
    documents: list[dict[str, Any]]
    account_hint: str | None  # for records that name no account themselves

    def place(self, index: int) -> str:
        return f"{self.unit} {self.numbers[index]}"

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Found]:
        for index, document in enumerate(self.documents):
            yield Found(self.source, self.place(index), document, self.account_hint)


@dataclass(frozen=True, slots=True)
class NoRecord:
    """What stood where a record should have."""

    reason: Reason
    detail: str


Unwrapped = tuple[dict[str, Any] | NoRecord, str | None]  # with the account its envelope names


def is_usual(value: Any) -> bool:
    """Whether this is a record of the usual form, to be taken as it is."""
    try:
        _, source, _, identity, request = _USUAL(value)
    except (KeyError, TypeError):
        return False
    return (
        type(source) is str
        and source[:4] != "aws:"
        and type(identity) is dict
        and type(request) is not str
        and type(value.get("readOnly")) is not str
        and type(value.get("responseElements")) is not str
        and value.get("errorCode") != "null"
    )


def unwrap(value: Any, *, depth_max: int, account: str | None = None, wraps: int = 0) -> Iterator[Unwrapped]:
    """Every record in a value, or what was found instead of one."""
    if is_usual(value):
        yield value, account
    elif wraps > WRAPS_MAX:
        yield NoRecord(Reason.NOT_A_RECORD, f"wrapped more than {WRAPS_MAX} times over"), account
    elif isinstance(value, list):
        for item in value:
            yield from unwrap(item, depth_max=depth_max, account=account, wraps=wraps + 1)
    elif isinstance(value, str):
        yield from _unwrap_text(value, depth_max, account, wraps)
    elif isinstance(value, dict):
        yield from _unwrap_object(value, depth_max, account, wraps)
    else:
        yield NoRecord(Reason.NOT_A_RECORD, f"found {_kind(value)}"), account


def is_list_of_records(name: str) -> bool:
    """Whether a member of that name holds records: Records, Events, logEvents, Messages."""
    return name.lower() in _LISTS


def is_digest(value: Any) -> bool:
    return isinstance(value, dict) and "digestS3Object" in value and "logFiles" in value


def _unwrap_text(text: str, depth_max: int, account: str | None, wraps: int) -> Iterator[Unwrapped]:
    if text.lstrip()[:1] not in ("{", "["):
        yield NoRecord(Reason.NOT_A_RECORD, "found a string that is no JSON"), account
        return
    try:
        value = decode(text.encode("utf-8", "surrogatepass"), depth_max=depth_max)
    except Undecodable as error:
        yield NoRecord(error.reason, f"in the JSON within a string: {error.detail}"), account
        return
    yield from unwrap(value, depth_max=depth_max, account=account, wraps=wraps + 1)


def _unwrap_object(
    value: dict[str, Any], depth_max: int, account: str | None, wraps: int
) -> Iterator[Unwrapped]:
    if _account := _text(value.get("account")) or _text(value.get("owner")):
        account = _account
    for name in value:
        if name.lower() in _LISTS and "eventName" not in value:
            inner = value[name]
            if isinstance(inner, list):
                yield from unwrap(inner, depth_max=depth_max, account=account, wraps=wraps)
            elif inner is not None:
                yield from unwrap(inner, depth_max=depth_max, account=account, wraps=wraps + 1)
            return
    if "eventVersion" not in value or "userIdentity" not in value:
        for name in _WRAPS:
            inner = value.get(name)
            if isinstance(inner, dict) or (isinstance(inner, str) and inner.lstrip()[:1] in ("{", "[")):
                yield from unwrap(inner, depth_max=depth_max, account=account, wraps=wraps + 1)
                return
    if not is_record(value):
        names = printable(", ".join(sorted(value)[:6])[:120])
        yield NoRecord(Reason.NOT_A_RECORD, f"an object with {names or 'nothing in it'}"), account
    elif str(value.get("eventSource", "")).startswith("aws:"):
        yield (
            NoRecord(Reason.NOT_A_RECORD, f"a notification of {value['eventSource']}, not the log itself"),
            account,
        )
    else:
        yield normalised(value), account


def is_record(value: dict[str, Any]) -> bool:
    return not _TELLING.isdisjoint(map(str.lower, value))


def normalised(document: dict[str, Any]) -> dict[str, Any]:
    """The record as CloudTrail would have written it, where it is plain what was meant.

    A known member in another case gets its own name, unless that is there too; "null" for a member that holds an
    object, or for an error, becomes null; "true" and "false" for one that holds a boolean become such.
    """
    renamed: dict[str, str] = {}
    for name in document:
        right = _MEMBER_OF.get(name.lower(), name)
        if right not in document and right not in renamed.values():
            renamed[name] = right
    if renamed:
        document = {renamed.get(name, name): value for name, value in document.items()}
    fixed: dict[str, Any] = {}
    for name in (*_OBJECTS, "errorCode", "errorMessage"):
        if document.get(name) == "null":
            fixed[name] = None
    for name in ("readOnly", "managementEvent"):
        told = document.get(name)
        if isinstance(told, str) and told.lower() in _TRUTHS:
            fixed[name] = _TRUTHS[told.lower()]
    return document | fixed if fixed else document


def _text(value: Any) -> str | None:
    return (
        value
        if isinstance(value, str) and len(value) == 12 and value.isascii() and value.isdecimal()
        else None
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", int: "a number", float: "a number"}.get(type(value), type(value).__name__)
