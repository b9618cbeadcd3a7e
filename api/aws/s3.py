"""The reads of S3 for the folder that accounts are delivered to, so that CloudTrail's tools find the files where digests say.

GetBucketLocation, HeadBucket, ListObjects (both versions), GetObject and HeadObject, path-style. Each account has one bucket, with
nothing but its own files. Every read is a call like any other: signed, authorized, recorded. Source: Amazon S3 API
reference; the words of the errors are those of its list of error codes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from starlette.types import Scope

from api.aws.canonical_request import RawRequest
from api.aws.s3_listing import LISTED_MAX, Listing, listed, said_in_xml
from api.aws.signature import SignatureError
from api.aws.signers import Signers
from api.aws.wire import Reply
from api.aws.xml_text import escaped
from api.unknown_callers import UnknownCallers
from ledger.account.account import Account
from ledger.authority.authority import Reply as Told
from ledger.authority.authority import Request
from ledger.authority.credentials import Unauthenticated
from ledger.authority.recording import REGION, Surroundings
from ledger.iam.deciding import Answer, Call, Decision, Moment
from ledger.iam.refusals import Refusal
from ledger.log import Log
from projections.export.bucket import FolderBucket
from projections.export.deliveries import latest_delivery

CONTENT_TYPE: Final = "application/xml"
SIGNED_FOR_S3: Final = re.compile(
    rb"Credential=[^/,\s&]+(?:/|%2F)\d*(?:/|%2F)[\w-]*(?:/|%2F)s3(?:/|%2F)", re.IGNORECASE
)
LISTING_PARAMETERS: Final = frozenset(
    ["list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "encoding-type"]
)

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_WHOLE_LIST = re.compile(r"\d{1,9}", re.ASCII)
# Parameters that turn a read into another operation: not answering would be answering something else.
_OTHER_OPERATIONS: Final = frozenset(
    [
        "acl",
        "attributes",
        "cors",
        "encryption",
        "legal-hold",
        "lifecycle",
        "logging",
        "notification",
        "object-lock",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "retention",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versioning",
        "versions",
        "website",
    ]
)


class NoSuchBucket(Refusal, status=404, recorded="NoSuchBucket"): ...


class NoSuchKey(Refusal, status=404, recorded="NoSuchKey"): ...


class InvalidRange(Refusal, status=416, recorded="InvalidRange"): ...


class S3Error(Exception):
    """The request is at fault before anybody is asked."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status, self.message = code, status, message


def is_for_s3(scope: Scope) -> bool:
    """Whether the request is signed for S3."""
    if SIGNED_FOR_S3.search(scope["query_string"]):
        return True
    return any(name == b"authorization" and SIGNED_FOR_S3.search(value) for name, value in scope["headers"])


# ---- what is decided


def s3_decisions(log: Log, folder: FolderBucket | None) -> dict[str, Decision]:
    """The reads of S3, for the authority. Without a folder there is no bucket."""
    shelf = _Shelf(log, folder)
    reads: dict[str, tuple[Callable[[Account, Call, Moment], Answer], Any, str | None]] = {
        "s3:GetBucketLocation": (shelf.location, _bucket_arn, None),
        "s3:HeadBucket": (shelf.location, _bucket_arn, "s3:ListBucket"),
        "s3:ListObjects": (shelf.list_objects, _bucket_arn, "s3:ListBucket"),
        "s3:GetObject": (shelf.get_object, _object_arn, None),
        "s3:HeadObject": (shelf.get_object, _object_arn, "s3:GetObject"),
    }
    return {
        action: Decision(action, decide, on, outside=True, permission=permission)
        for action, (decide, on, permission) in reads.items()
    }


def _bucket_arn(account: Account, call: Call) -> str:
    return f"arn:aws:s3:::{call['bucketName']}"


def _object_arn(account: Account, call: Call) -> str:
    return f"{_bucket_arn(account, call)}/{call['key']}"


class _Shelf:
    """The buckets of the accounts, all in one folder."""

    def __init__(self, log: Log, folder: FolderBucket | None) -> None:
        self._log = log
        self._folder = folder

    def _open(self, account: Account, call: Call) -> tuple[FolderBucket, str]:
        """The folder, and what the keys of the account's objects begin with."""
        latest = latest_delivery(self._log, account.id)
        if self._folder is None or latest is None or latest.bucket != call["bucketName"]:
            raise NoSuchBucket("The specified bucket does not exist")
        before = f"{latest.prefix}/" if latest.prefix else ""
        return self._folder, f"{before}AWSLogs/{account.id}/"

    def location(self, account: Account, call: Call, moment: Moment) -> Answer:
        self._open(account, call)
        return Answer({}, extra=_bucket_told(account, call))

    def list_objects(self, account: Account, call: Call, moment: Moment) -> Answer:
        folder, root = self._open(account, call)
        prefix = call.get("prefix", "")
        below = prefix if prefix.startswith(root) else root
        keys = [key for key in folder.every_key(below) if key.startswith(prefix)]
        return Answer({"Keys": keys, "Folder": folder}, extra=_data(_bucket_told(account, call)))

    def get_object(self, account: Account, call: Call, moment: Moment) -> Answer:
        folder, root = self._open(account, call)
        found = folder.get(call["key"]) if call["key"].startswith(root) else None
        if found is None:
            raise NoSuchKey("The specified key does not exist.")
        told = {"type": "AWS::S3::Object", "ARN": _object_arn(account, call)}
        extra = _bucket_told(account, call)
        return Answer({"Object": found}, extra=_data({"resources": [told, *extra["resources"]]}))


def _bucket_told(account: Account, call: Call) -> dict[str, Any]:
    told = {"type": "AWS::S3::Bucket", "ARN": _bucket_arn(account, call), "accountId": account.id}
    return {"resources": [told]}


def _data(extra: dict[str, Any]) -> dict[str, Any]:
    return {"managementEvent": False, "eventCategory": "Data", **extra}


# ---- how it is asked and answered


@dataclass(frozen=True, slots=True)
class _Asked:
    action: str
    parameters: Mapping[str, str]
    say: Callable[[Mapping[str, Any]], Reply]


class S3:
    """Answers one request. Everything it knows it asks of the authority."""

    def __init__(self, signers: Signers, unknown: UnknownCallers) -> None:
        self._signers = signers
        self._authority = signers.authority
        self._unknown = unknown

    def answer(self, scope: Scope, raw: RawRequest, request_id: str) -> Reply:
        """Waits for the authority. Raises Unavailable and Closed."""
        try:
            presented, region = self._signers.signer_of(raw, service="s3", normalize=False)
            asked = _asked(raw)
            told = self._authority.call(
                Request(
                    presented.account_id,
                    asked.action,
                    asked.parameters,
                    _surroundings(scope, raw, request_id, region),
                    presented,
                )
            )
            reply = _refused(told, request_id) if told.refusal is not None else asked.say(told.output)
        except (Unauthenticated, SignatureError) as error:
            self._unknown.count(error.code)
            reply = _error(*_S3_CODES.get(error.code, (error.code, error.status, error.message)), request_id)
        except (S3Error, Refusal) as error:
            reply = _error(error.code, error.status, error.message, request_id)
        return Reply(reply.status, {**reply.headers, "x-amz-request-id": request_id}, reply.body)


_S3_CODES: Final = {
    "InvalidClientTokenId": (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredToken": ("ExpiredToken", 400, "The provided token has expired."),
}


def _asked(raw: RawRequest) -> _Asked:
    """Which read it is. Raises S3Error."""
    bucket, _, key = unquote(raw.path.decode("latin-1").lstrip("/"), errors="replace").partition("/")
    query = dict(parse_qsl(raw.query.decode("latin-1"), keep_blank_values=True))
    if raw.method not in ("GET", "HEAD") or not bucket or query.keys() & _OTHER_OPERATIONS:
        raise S3Error(
            "NotImplemented", 501, "A header you provided implies functionality that is not implemented"
        )
    if key:
        action = "s3:HeadObject" if raw.method == "HEAD" else "s3:GetObject"
        return _Asked(action, {"bucketName": bucket, "key": key}, partial(_object, _header(raw, b"range")))
    if "location" in query:
        return _Asked("s3:GetBucketLocation", {"bucketName": bucket}, _location)
    if raw.method == "HEAD":
        return _Asked("s3:HeadBucket", {"bucketName": bucket}, _location)
    parameters = {name: value for name, value in query.items() if name in LISTING_PARAMETERS}
    return _Asked(
        "s3:ListObjects", {"bucketName": bucket, **parameters}, partial(_list, _listing(bucket, query))
    )


def _listing(bucket: str, query: Mapping[str, str]) -> Listing:
    """Raises S3Error."""
    most = query.get("max-keys", str(LISTED_MAX))
    if not _WHOLE_LIST.fullmatch(most):
        raise S3Error("InvalidArgument", 400, "Provided max-keys not an integer or within integer range")
    second = query.get("list-type") == "2"
    return Listing(
        bucket=bucket,
        second=second,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        after=query.get("continuation-token") or query.get("start-after") or ""
        if second
        else query.get("marker", ""),
        most=min(int(most), LISTED_MAX),
        encoded=query.get("encoding-type") == "url",
        token=query.get("continuation-token") if second else None,
        start_after=query.get("start-after") if second else None,
    )


def _location(output: Mapping[str, Any]) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'  # empty: us-east-1
    )
    return Reply(200, {"Content-Type": CONTENT_TYPE, "x-amz-bucket-region": REGION}, body.encode())


def _list(listing: Listing, output: Mapping[str, Any]) -> Reply:
    page = listed(listing, output["Keys"])
    stored = {key: output["Folder"].get(key) for key in page.keys}
    return Reply(200, {"Content-Type": CONTENT_TYPE}, said_in_xml(listing, page, stored))


def _object(wanted: str | None, output: Mapping[str, Any]) -> Reply:
    found = output["Object"]
    content, size = found.content, len(found.content)
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "ETag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
        "Last-Modified": formatdate(found.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        **{f"x-amz-meta-{name}": value for name, value in found.metadata.items()},
    }
    part = _range(wanted, size)
    if part is None:
        return Reply(200, headers, content)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return Reply(206, headers, content[part.start : part.stop])


def _range(wanted: str | None, size: int) -> range | None:
    """What a Range header asks for; one that can't be understood is passed over, as S3 does. Raises InvalidRange."""
    found = _RANGE.fullmatch(wanted or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        raise InvalidRange("The requested range is not satisfiable")
    return range(start, stop)


def _surroundings(scope: Scope, raw: RawRequest, request_id: str, region: str) -> Surroundings:
    client = scope.get("client")
    return Surroundings(
        source_ip=client[0] if client else "127.0.0.1",
        user_agent=_header(raw, b"user-agent") or "",
        request_id=request_id,
        region=region or REGION,
        secure=scope.get("scheme") == "https",
    )


def _header(raw: RawRequest, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in raw.headers if key == name), None)


def _refused(told: Told, request_id: str) -> Reply:
    refusal = told.refusal
    assert refusal is not None
    return _error(refusal.code, refusal.status, refusal.message, request_id)


def _error(code: str, status: int, message: str, request_id: str) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escaped(code)}</Code><Message>{escaped(message)}</Message>"
        f"<RequestId>{escaped(request_id)}</RequestId><HostId>{escaped(quote(request_id))}</HostId></Error>"
    )
    return Reply(status, {"Content-Type": CONTENT_TYPE}, body.encode())
