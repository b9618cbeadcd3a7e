"""From JSON to questions and outcomes, checked by hand: a stranger's words, on a path where every microsecond counts.

What is not known is refused, for a misspelt condition must not mean "no condition".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.aws.canonical_request import RawRequest
from api.guard.credentials import AccessKey, Credential, SessionToken, SignedRequest
from api.guard.questions import NotUnderstood, Outcome, Question
from ledger.redaction import redact

BATCH_MAX: Final = 100
ELEMENTS_BYTES_MAX: Final = 100_000  # CloudTrail cuts off what is longer
TEXT_MAX: Final = 2_048
CONTEXT_KEYS_MAX: Final = 100
CREDENTIAL_TEXT_MAX: Final = 8_192
HEADERS_MAX: Final = 128
OWN_SERVICES: Final = frozenset({"iam", "sts", "signin", "sso", "cloudtrail", "iam-ledger"})
"""Their calls are made at the ledger itself, and what their records say changes accounts."""

TOLD_KEYS: Final = frozenset(
    f"aws:{name}"
    for name in (
        *("sourceip", "useragent", "securetransport", "referer", "tagkeys", "resourceaccount"),
        *("sourcevpc", "sourcevpce", "vpcsourceip", "vpceaccount", "vpceorgid", "vpceorgpaths"),
        *("sourcearn", "sourceaccount", "sourceorgid", "sourceorgpaths"),
        *("resourceorgid", "resourceorgpaths"),
    )
)
"""The global condition keys that a service knows. All others follow from the credential, or the ledger's clock."""

TOLD_FAMILIES: Final = ("aws:requesttag/", "aws:resourcetag/")
SINGLE: Final = frozenset({"aws:sourceip", "aws:useragent", "aws:securetransport"})

MEMBERS: Final = frozenset(
    {
        *("credential", "action", "resource", "context", "requestParameters", "region", "eventSource"),
        *("readOnly", "outcomeFollows"),
    }
)
OUTCOME_MEMBERS: Final = frozenset({"receipt", "responseElements", "errorCode", "errorMessage"})
_ACTION: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62}):[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)
_RESOURCE: Final = re.compile(r"arn:[\w-]+:[\w.-]*:[\w-]*:(?:\d{12}|aws)?:[^\x00-\x1f\x7f]+", re.ASCII)
_KEY: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62}):[^\x00-\x20\x7f]+", re.ASCII | re.IGNORECASE)
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_SOURCE: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}", re.ASCII)
_METHOD: Final = re.compile(r"[A-Z]{1,32}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ERROR_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)


def read_question(told: Any, *, own: bool = False) -> Question:
    """Raises NotUnderstood, which names the parameter. `own`: it is the ledger that asks, for a call of its own."""
    members = _object(told, "", MEMBERS)
    action = _text(members, "action")
    found = _ACTION.fullmatch(action)
    if found is None:
        raise NotUnderstood(
            f"{_shown(action)} is not of the form service:Name, like orders:GetOrder", "action"
        )
    if found[1] in OWN_SERVICES and not own:
        raise NotUnderstood(f"calls of {found[1]} are made at the ledger, which then asks itself", "action")
    resource = _text(members, "resource")
    if resource != "*" and _RESOURCE.fullmatch(resource) is None:
        raise NotUnderstood(f"{_shown(resource)} is neither an ARN nor *", "resource")
    question = Question(
        credential=_credential(members.get("credential")),
        action=action,
        resource=resource,
        context=_context(members.get("context")),
        request=_elements(members, "requestParameters"),
        region=_matching(members, "region", _REGION),
        event_source=_matching(members, "eventSource", _SOURCE),
        read_only=_boolean(members, "readOnly"),
        outcome_follows=_boolean(members, "outcomeFollows") or False,
    )
    source = question.event_source
    if source is not None and (
        source.partition(".")[0] != found[1] or source.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    ):
        raise NotUnderstood(f"a source of {found[1]} is {found[1]}.…, and not of AWS", "eventSource")
    spoken = {"resource": resource, **question.context}
    if _has_secret(spoken):
        raise NotUnderstood(
            "something in the resource or the context looks like a secret; nothing is written down"
        )
    return question


def read_outcome(told: Any) -> Outcome:
    """Raises NotUnderstood, which names the parameter."""
    members = _object(told, "", OUTCOME_MEMBERS)
    code = _matching(members, "errorCode", _ERROR_CODE)
    message = members.get("errorMessage")
    if message is not None:
        message = _text(members, "errorMessage")
        if code is None:
            raise NotUnderstood("stands with an errorCode", "errorMessage")
    return Outcome(
        receipt=_text(members, "receipt", most=ELEMENTS_BYTES_MAX * 2),
        response=_elements(members, "responseElements"),
        error_code=code,
        error_message=message,
    )


# ---- the credential


def _credential(told: Any) -> Credential:
    if not isinstance(told, dict):
        raise NotUnderstood("an object with `token`, `accessKeyId` or `signedRequest`", "credential")
    if "token" in told:
        members = _object(told, "credential", frozenset({"token"}))
        return SessionToken(_text(members, "token", "credential.", CREDENTIAL_TEXT_MAX))
    if "accessKeyId" in told:
        members = _object(told, "credential", frozenset({"accessKeyId", "secretAccessKey", "sessionToken"}))
        token = None
        if members.get("sessionToken") is not None:
            token = _text(members, "sessionToken", "credential.", CREDENTIAL_TEXT_MAX)
        secret = _text(members, "secretAccessKey", "credential.")
        return AccessKey(_text(members, "accessKeyId", "credential."), secret, token)
    if "signedRequest" in told:
        members = _object(told, "credential", frozenset({"signedRequest"}))
        return SignedRequest(_signed_request(members["signedRequest"]))
    raise NotUnderstood("has `token`, `accessKeyId` with `secretAccessKey`, or `signedRequest`", "credential")


def _signed_request(told: Any) -> RawRequest:
    place = "credential.signedRequest"
    members = _object(
        told, place, frozenset({"method", "url", "headers", "body", "bodyBase64", "bodySha256"})
    )
    method = _text(members, "method", f"{place}.")
    if not _METHOD.fullmatch(method):
        raise NotUnderstood(f"{_shown(method)} is no method of HTTP", f"{place}.method")
    url = _text(members, "url", f"{place}.", CREDENTIAL_TEXT_MAX)
    if not url.startswith("/"):
        scheme, slashes, rest = url.partition("://")
        if not slashes or scheme not in ("http", "https"):
            raise NotUnderstood("is a URL of http, or a path with its query", f"{place}.url")
        at = min((rest.find(it) for it in "/?" if it in rest), default=len(rest))
        url = rest[at:] if rest[at : at + 1] == "/" else f"/{rest[at:]}"
    path, _, query = _bytes(url.partition("#")[0], f"{place}.url").partition(b"?")
    given = [name for name in ("body", "bodyBase64", "bodySha256") if members.get(name) is not None]
    if len(given) > 1:
        raise NotUnderstood(f"{given[0]} and {given[1]} exclude each other", place)
    body, hashed = b"", None
    if given == ["body"]:
        body = _text(members, "body", f"{place}.", most=None, empty=True).encode()
    elif given == ["bodyBase64"]:
        try:
            body = base64.b64decode(
                _text(members, "bodyBase64", f"{place}.", None, empty=True), validate=True
            )
        except (binascii.Error, ValueError):
            raise NotUnderstood("is no Base64", f"{place}.bodyBase64") from None
    elif given:
        hashed = _text(members, "bodySha256", f"{place}.")
        if not _SHA256.fullmatch(hashed):
            raise NotUnderstood("is 64 hexadecimal digits, in lower case", f"{place}.bodySha256")
    return RawRequest(method, path, query, _headers(members.get("headers"), f"{place}.headers"), body, hashed)


def _headers(told: Any, place: str) -> list[tuple[bytes, bytes]]:
    lines: list[Any]
    if isinstance(told, dict):
        lines = [
            [name, value]
            for name, values in told.items()
            for value in (values if isinstance(values, list) else [values])
        ]
    elif isinstance(told, list):
        lines = told
    else:
        raise NotUnderstood("an object of names and values, or a list of pairs", place)
    if len(lines) > HEADERS_MAX:
        raise NotUnderstood(f"{len(lines)} headers; {HEADERS_MAX} are the most", place)
    found = []
    for line in lines:
        if not (isinstance(line, list) and len(line) == 2 and all(isinstance(it, str) for it in line)):
            raise NotUnderstood("each header is a name and a text", place)
        name, value = line
        if not _HEADER_NAME.fullmatch(name) or "\n" in value or "\r" in value:
            raise NotUnderstood(f"{_shown(name)} is no header", place)
        found.append((name.encode(), _bytes(value, place)))
    return found


def _bytes(text: str, place: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise NotUnderstood("has characters that HTTP does not carry as they are", place) from None


# ---- the context


def _context(told: Any) -> dict[str, tuple[str, ...]]:
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise NotUnderstood("an object of condition keys and values", "context")
    if len(told) > CONTEXT_KEYS_MAX:
        raise NotUnderstood(f"{len(told)} keys; {CONTEXT_KEYS_MAX} are the most", "context")
    found: dict[str, tuple[str, ...]] = {}
    for key, values in told.items():
        name = key.lower()
        if name in found:
            raise NotUnderstood(
                "is told twice: case does not matter in condition keys", f"context.{key[:128]}"
            )
        _check_key(key, name)
        listed = values if isinstance(values, list) else [values]
        if not listed or len(listed) > CONTEXT_KEYS_MAX:
            raise NotUnderstood(f"has 1 to {CONTEXT_KEYS_MAX} values", f"context.{key}")
        found[name] = tuple(_value(value, key) for value in listed)
        if name in SINGLE and len(listed) != 1:
            raise NotUnderstood("has one value", f"context.{key}")
    return found


def _check_key(key: str, name: str) -> None:
    matched = _KEY.fullmatch(key)
    if matched is None or len(key) > 256:
        raise NotUnderstood("is no condition key, like orders:Amount", f"context.{key[:128]}")
    prefix = matched[1].lower()
    allowed = name in TOLD_KEYS or name.startswith(TOLD_FAMILIES) if prefix == "aws" else True
    if not allowed or prefix in ("saml", *OWN_SERVICES):
        raise NotUnderstood(
            "follows from the credential or the call, and is not to be told", f"context.{key}"
        )


def _value(value: Any, key: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise NotUnderstood(
            f"is a text of {TEXT_MAX} characters at most, a number or a boolean", f"context.{key}"
        )
    return value


def _has_secret(spoken: Mapping[str, Any]) -> bool:
    document = {"told": {key: list(it) if isinstance(it, tuple) else it for key, it in spoken.items()}}
    return redact(document) is not document


# ---- members


def _object(told: Any, place: str, names: frozenset[str]) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise NotUnderstood("is no object", place or None)
    if not told.keys() <= names:
        unknown = min(told.keys() - names)
        raise NotUnderstood("there is no such parameter", f"{place}.{unknown}"[:128].lstrip("."))
    return told


def _text(
    members: Mapping[str, Any],
    name: str,
    place: str = "",
    most: int | None = TEXT_MAX,
    *,
    empty: bool = False,
) -> str:
    value = members.get(name)
    if not isinstance(value, str) or (not value and not empty):
        raise NotUnderstood("is missing" if value is None else "is no text", f"{place}{name}")
    if most is not None and len(value) > most:
        raise NotUnderstood(f"has {len(value)} characters; {most} are the most", f"{place}{name}")
    return value


def _matching(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str | None:
    if members.get(name) is None:
        return None
    value = _text(members, name)
    if not pattern.fullmatch(value):
        raise NotUnderstood(f"{_shown(value)} is none", name)
    return value


def _boolean(members: Mapping[str, Any], name: str) -> bool | None:
    value = members.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise NotUnderstood("is true or false", name)


def _elements(members: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotUnderstood("is no object", name)
    try:
        size = len(orjson.dumps(value))
    except TypeError:
        raise NotUnderstood("is nested too deeply", name) from None
    if size > ELEMENTS_BYTES_MAX:
        raise NotUnderstood(f"has {size} bytes; {ELEMENTS_BYTES_MAX} are the most", name)
    return value


def _shown(text: str) -> str:
    return repr(text[:80])
