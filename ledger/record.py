"""A record: one API call in CloudTrail's form, and what can be read off it without knowing the account.

Source: CloudTrail record contents and the userIdentity element (AWS CloudTrail user guide, eventVersion 1.11).
Real records stray from the guide in many ways, so reading is lenient: only a record that has no time, no
action or no account is refused.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard

import orjson

Document = Mapping[str, Any]

DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "Client.UnauthorizedOperation",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "UnauthorizedAccess",
        "VpceAccessDenied",
        "NotAuthorized",
        "AuthorizationError",
        "Client.UnauthorizedAccess",
        "Forbidden",
    }
)
READ_ONLY_VERBS = (
    "Get",
    "List",
    "Describe",
    "Head",
    "Lookup",
    "Search",
    "BatchGet",
    "Query",
    "Scan",
    "Check",
)
PREFIX_OF_SOURCE = {"monitoring": "cloudwatch", "ses": "ses", "elasticmapreduce": "elasticmapreduce"}
API_DATE = re.compile(r"(?<=[a-z])20\d{6}(v\d+)?$")
HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d", re.ASCII)
HOUR_SECONDS = 3600
SECONDS = {f":{second // 60:02}:{second % 60:02}Z": second for second in range(HOUR_SECONDS)}
INSIGHT = "cloudtrail:Insight"
TIME_MAX = 2**32


class RecordRejected(ValueError):
    """This is no CloudTrail record. `reason` is one of a closed list, `detail` says what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Identity(NamedTuple):  # as a frozen dataclass it took half as long again to read
    """Who called, read off `userIdentity`.

    `arn` and `unique_id` name the lasting principal: for a role session the role, not the session. `session_arn`
    and `access_key_id` name the credential that was used.
    """

    kind: str  # Root, IAMUser, AssumedRole, FederatedUser, AWSService, AWSAccount, …, or Unknown
    arn: str | None
    unique_id: str | None  # AIDA…, AROA…, the account id for root
    name: str | None
    account_id: str | None
    access_key_id: str | None
    session_arn: str | None
    session_name: str | None
    issuer_kind: str | None  # Role, IAMUser, Root: what a temporary credential was issued to
    mfa: bool | None
    session_began: str | None
    source_identity: str | None
    invoked_by: str | None

    @property
    def label(self) -> str:
        """The shortest unmistakable name: an ARN where there is one."""
        return self.session_arn or self.arn or self.name or self.unique_id or self.invoked_by or self.kind

    @property
    def temporary(self) -> bool:
        return bool(self.access_key_id and self.access_key_id.startswith("ASIA"))


def read_identity(document: Any) -> Identity:
    """The identity of a `userIdentity` element, whatever of it is missing."""
    document = _mapping(document)
    context = _mapping(document.get("sessionContext"))
    issuer = _mapping(context.get("sessionIssuer"))
    attributes = _mapping(context.get("attributes"))
    kind = _text(document.get("type"))
    invoked_by = _text(document.get("invokedBy"))
    if kind is None:
        kind = "AWSService" if invoked_by else "Unknown"
    principal_id = _text(document.get("principalId"))
    arn = own_arn = _text(document.get("arn"))
    unique_id, _, session_name = (principal_id or "").partition(":")
    name = _text(document.get("userName"))
    session_arn = None
    if kind == "AssumedRole":
        session_arn = own_arn
        arn = _text(issuer.get("arn")) or _role_arn(own_arn)
        name = _text(issuer.get("userName")) or (arn.rsplit("/", 1)[-1] if arn else None)
        unique_id = _text(issuer.get("principalId")) or unique_id
    elif kind == "FederatedUser":
        session_arn = own_arn
        arn = _text(issuer.get("arn")) or own_arn
        unique_id = _text(issuer.get("principalId")) or unique_id
        name = _text(issuer.get("userName")) or name
    elif kind == "AWSService" and arn is None:
        arn = invoked_by
    elif kind == "Root":
        name = name or "root"
        unique_id = unique_id or _text(document.get("accountId")) or ""
    return Identity(
        kind=kind,
        arn=arn,
        unique_id=unique_id or None,
        name=name,
        account_id=_text(document.get("accountId")),
        access_key_id=_text(document.get("accessKeyId")),
        session_arn=session_arn,
        session_name=session_name or None,
        issuer_kind=_text(issuer.get("type")),
        mfa=_truth(attributes.get("mfaAuthenticated")),
        session_began=_text(attributes.get("creationDate")),
        source_identity=_text(context.get("sourceIdentity")),
        invoked_by=invoked_by,
    )


@dataclass(slots=True)  # not frozen: to make one would take three times as long, and there is one a record
class Record:
    """One API call. `document` is the whole record, nothing dropped; the rest is read off it."""

    document: dict[str, Any]
    account_id: str
    event_id: str  # the eventID, or one made from the content where the record has none
    time: int  # eventTime in whole seconds since 1970, UTC
    action: str  # iam:CreateUser
    error_code: str | None
    _identity: Identity | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            self._identity = read_identity(self.document.get("userIdentity"))
        return self._identity

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

    @property
    def request(self) -> Document:
        return _mapping(self.document.get("requestParameters"))

    @property
    def response(self) -> Document:
        return _mapping(self.document.get("responseElements"))

    @property
    def succeeded(self) -> bool:
        return succeeded(self.document)

    @property
    def read_only(self) -> bool:
        return is_read_only(self.document)


def read_record(document: Any, *, account_id: str | None = None) -> Record:
    """The record of a decoded JSON object; raises RecordRejected.

    `account_id` is used where the record itself names no account (a file name or an envelope did).
    """
    if not isinstance(document, dict):
        raise RecordRejected("not-an-object", f"found {type(document).__name__}")
    name, source = document.get("eventName"), document.get("eventSource")
    if not isinstance(name, str) or not name or not isinstance(source, str) or not source:
        if document.get("eventCategory") == "Insight" or document.get("eventType") == "AwsCloudTrailInsight":
            return _insight(document, account_id)
        raise RecordRejected("no-action", f"eventSource {source!r}, eventName {name!r}")
    error = document.get("errorCode")
    return Record(
        document,
        _account_of(document, account_id),
        _event_id(document),
        time_of(document),
        action_of(source, name),
        error if isinstance(error, str) and error else None,
    )


def canonical(value: Any) -> bytes:
    """The canonical bytes: JSON in UTF-8 with sorted keys and no white space. Equal content, equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def to_keep(text: bytes) -> bytes:
    """A copy of bytes that orjson has just made, which keep the 4 KiB or more that they were made in."""
    return bytes(memoryview(text))


@lru_cache(maxsize=65_536)
def action_of(event_source: str, event_name: str) -> str:
    """`lambda.amazonaws.com`, `ListFunctions20150331` → `lambda:ListFunctions`."""
    prefix = event_source.partition(".")[0]
    return f"{PREFIX_OF_SOURCE.get(prefix, prefix)}:{API_DATE.sub('', event_name)}"


def time_of(document: Document) -> int:
    stamp = document.get("eventTime")
    if not isinstance(stamp, str):
        raise RecordRejected("no-time", f"eventTime {stamp!r}"[:200])
    return parse_time(stamp)


def parse_time(stamp: str) -> int:
    """Seconds since 1970 of an ISO 8601 time; a fraction is dropped. Raises RecordRejected."""
    seconds = whole_seconds(stamp)
    if seconds is not None:  # nearly always
        return seconds
    try:
        moment = datetime.fromisoformat(stamp.strip())
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is not None and moment.year >= 1970:
        seconds = int(moment.timestamp())
        if 0 <= seconds < TIME_MAX:
            return seconds
    raise RecordRejected("no-time", f"eventTime {stamp[:100]!r}")


def whole_seconds(stamp: str) -> int | None:
    """Seconds since 1970 of a time that `format_time` writes so; None of any other."""
    hour, seconds = _hour(stamp[:13]), SECONDS.get(stamp[13:])
    return None if hour is None or seconds is None else hour + seconds


@lru_cache(maxsize=8_192)
def _hour(text: str) -> int | None:
    try:
        seconds = int(datetime.fromisoformat(f"{text}:00Z").timestamp()) if HOUR.fullmatch(text) else -1
    except ValueError:
        return None
    return seconds if 0 <= seconds < TIME_MAX - HOUR_SECONDS else None


@lru_cache(maxsize=16_384)
def format_time(seconds: int) -> str:
    """RFC 3339, as CloudTrail writes it: 2023-07-10T11:42:18Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def succeeded(document: Document) -> bool:
    """Whether the call took effect: no error, and for a sign-in no Failure either."""
    if document.get("errorCode"):
        return False
    response = document.get("responseElements")
    if document.get("eventType") == "AwsConsoleSignIn" and isinstance(response, Mapping):
        return "Failure" not in response.values()
    return True


def is_denial(error_code: str | None) -> bool:
    return error_code is not None and (error_code in DENIALS or error_code.endswith(".AccessDenied"))


def is_read_only(document: Document) -> bool:
    """`readOnly` where the record has it (since eventVersion 1.01), else told by the verb of the name."""
    told = _truth(document.get("readOnly"))
    return told if told is not None else str(document.get("eventName", "")).startswith(READ_ONLY_VERBS)


def _insight(document: dict[str, Any], account_id: str | None) -> Record:
    return Record(
        document=document,
        account_id=_account_of(document, account_id),
        event_id=_event_id(document),
        time=time_of(document),
        action=INSIGHT,
        error_code=None,
    )


def _account_of(document: Document, fallback: str | None) -> str:
    recipient: Any = document.get("recipientAccountId")
    if is_account_id(recipient):
        return recipient
    identity = document.get("userIdentity")
    told = identity.get("accountId") if isinstance(identity, Mapping) else None
    for candidate in (told, fallback):
        if is_account_id(candidate):
            return candidate
    raise RecordRejected(
        "no-account", "neither recipientAccountId nor userIdentity.accountId names an account"
    )


def is_account_id(candidate: Any) -> TypeGuard[str]:
    return type(candidate) is str and candidate.isascii() and candidate.isdigit() and len(candidate) <= 12


def _event_id(document: dict[str, Any]) -> str:
    event_id = document.get("eventID")
    if isinstance(event_id, str) and event_id:
        return event_id
    return "sha256:" + hashlib.sha256(canonical(document)).hexdigest()[:32]


def _role_arn(session_arn: str | None) -> str | None:
    """The role's ARN, but for its path, which a session's ARN drops."""
    if session_arn is None or ":assumed-role/" not in session_arn:
        return session_arn
    head, _, rest = session_arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.split('/')[0]}"


def _mapping(value: Any) -> Mapping[str, Any]:
    # Nearly always a dict, which is told in a tenth of the time that the abstract class takes.
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None
