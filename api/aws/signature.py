"""AWS Signature Version 4 of a request, in the Authorization header or in the query (presigned).

Read first, then checked, so that the secret can be looked up in between. Proved by the 76 signatures of aws-c-auth and
by botocore. Source: IAM user guide, "AWS Signature Version 4 for API requests"; the messages are AWS's own.

No nonces are kept, as AWS keeps none: within its time a request can be sent again.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

from api.aws.canonical_request import (
    RawRequest,
    canonical_path,
    canonical_query,
    canonical_request,
    header_values,
    query_pairs,
)

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
WINDOW_MINUTES: Final = 15
EXPIRES_SECONDS_MAX: Final = 604_800
KEYS_REMEMBERED: Final = 4_096

AUTHORIZATION_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
QUERY_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
)
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
TOKEN_PARAMETER = "X-Amz-Security-Token"
TOKEN_HEADER, DATE_HEADER, BODY_HASH_HEADER = "x-amz-security-token", "x-amz-date", "x-amz-content-sha256"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)
_BETWEEN = re.compile(r"[ \t,]+")


class SignatureError(Exception):
    """The request is not, or not validly, signed. `code`, `status` and `message` are what AWS answers."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status, self.message = code, status, message


def incomplete(message: str) -> SignatureError:
    return SignatureError("IncompleteSignature", 400, message)


def mismatch(message: str = MISMATCH) -> SignatureError:
    return SignatureError("SignatureDoesNotMatch", 403, message)


def missing_token() -> SignatureError:
    return SignatureError("MissingAuthenticationToken", 403, "Request is missing Authentication Token")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signing key is good for."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of its signature. Nothing of it is proved before `check`.

    `when` and `expires` are seconds since 1970; `expires` is None where the signature is in the header. `presigned`
    requests may have the token appended after they were signed, so there may be two strings to sign.
    """

    access_key_id: str
    session_token: str | None = field(repr=False)
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str = field(repr=False)
    when: int
    expires: int | None
    strings_to_sign: tuple[bytes, ...] = field(repr=False)

    @property
    def presigned(self) -> bool:
        return self.expires is not None


def read_signature(
    request: RawRequest,
    *,
    service: str | None,
    now: float,
    window_minutes: int = WINDOW_MINUTES,
    normalize: bool = True,
) -> Signature:
    """The signature of a request to `service` at `now` (seconds since 1970). Raises SignatureError.

    `service` is None where any will do that the signature itself names. `window_minutes` is how far a request's time may
    be from ours. `normalize` is False for S3 alone.
    """
    headers = header_values(request.headers)
    pairs = query_pairs(request.query)
    in_query = any(name == "X-Amz-Algorithm" for name, _ in pairs)
    if "authorization" in headers:
        if in_query:
            raise incomplete(
                "Found both 'X-Amz-Algorithm' as a query-string param and HTTP Authorization header."
            )
        claim = _claim_of_header(request, headers)
    elif in_query or any(name in ("X-Amz-Signature", "X-Amz-Credential") for name, _ in pairs):
        claim = _claim_of_query(pairs, window_minutes * 60)
    else:
        raise missing_token()
    when = _seconds(claim.date)
    _check_time(claim, when, now, window_minutes)
    _check_signed_headers(claim, headers)
    access_key_id, scope = _check_credential(claim, service)
    reads_s3 = service == "s3" and request.method in ("GET", "HEAD")
    body_hash = _body_hash(request, headers, unsigned=reads_s3, presigned=claim.lasts is not None)
    path = canonical_path(request.path, normalize=normalize and (service or scope.service) != "s3")
    signed = [(name, headers[name]) for name in claim.signed_headers]

    def to_sign(query: str) -> bytes:
        hashed = sha256(canonical_request(request.method, path, query, signed, body_hash)).hexdigest()
        return f"{ALGORITHM}\n{claim.date}\n{scope}\n{hashed}".encode()

    return Signature(
        access_key_id=access_key_id,
        session_token=claim.token,
        scope=scope,
        signed_headers=claim.signed_headers,
        signature=claim.signature,
        when=when,
        expires=None if claim.lasts is None else when + claim.lasts,
        strings_to_sign=tuple(to_sign(query) for query in _signed_queries(pairs, claim)),
    )


def check(signature: Signature, secret: str) -> None:
    """Raises SignatureError unless the signature was made with `secret`. In constant time for one string to sign."""
    key = signing_key(secret, signature.scope)
    for text in signature.strings_to_sign:
        if hmac.compare_digest(hmac.digest(key, text, "sha256").hex(), signature.signature):
            return
    raise mismatch()


@lru_cache(KEYS_REMEMBERED)
def signing_key(secret: str, scope: Scope) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (scope.date, scope.region, scope.service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


# -- what the request claims -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claim:
    """`date` is as it is signed. `lasts` is in seconds, None for a signature in the header."""

    credential: str
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    token: str | None
    lasts: int | None


def _claim_of_header(request: RawRequest, headers: Mapping[str, str]) -> _Claim:
    if sum(name.lower() == b"authorization" for name, _ in request.headers) > 1:
        raise incomplete("The request has more than one Authorization header.")
    told = headers["authorization"]
    algorithm, _, rest = told.partition(" ")
    if algorithm.startswith("AWS") and algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parameters: dict[str, str] = {}
    for part in _BETWEEN.split(rest):
        if not part:
            continue
        name, equals, value = part.partition("=")
        if not equals:
            raise incomplete(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded "
                f"with Base64): '{_hashed(told)}'."
            )
        if name in parameters:
            raise incomplete(f"Authorization header has more than one '{name}' parameter. {_shown(told)}")
        parameters[name] = value
    date = headers.get(DATE_HEADER) or _basic_date(headers.get("date", ""))
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in AUTHORIZATION_PARAMETERS
        if not parameters.get(name)
    ]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing or algorithm != ALGORITHM:
        raise incomplete(" ".join([*missing, _shown(told)]))
    return _Claim(
        credential=parameters["Credential"],
        signed_headers=_names(parameters["SignedHeaders"]),
        signature=parameters["Signature"],
        date=date,
        token=headers.get(TOKEN_HEADER),
        lasts=None,
    )


def _claim_of_query(pairs: list[tuple[str, str]], lasts_else: int) -> _Claim:
    told: dict[str, str] = {}
    for name, value in pairs:
        if name in (*QUERY_PARAMETERS, "X-Amz-Expires", TOKEN_PARAMETER):
            if name in told:
                raise incomplete(f"AWS query-string parameters must include '{name}' only once.")
            told[name] = unquote(value)
    missing = [
        f"AWS query-string parameters must include '{name}'."
        for name in QUERY_PARAMETERS
        if not told.get(name)
    ]
    if missing:
        raise incomplete(" ".join([*missing, "Re-examine the query-string parameters."]))
    if told["X-Amz-Algorithm"] != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{told['X-Amz-Algorithm']}'.")
    return _Claim(
        credential=told["X-Amz-Credential"],
        signed_headers=_names(told["X-Amz-SignedHeaders"]),
        signature=told["X-Amz-Signature"],
        date=told["X-Amz-Date"],
        token=told.get(TOKEN_PARAMETER),
        lasts=_lifetime(told["X-Amz-Expires"]) if "X-Amz-Expires" in told else lasts_else,
    )


def _lifetime(text: str) -> int:
    if not _SECONDS.fullmatch(text) or not 1 <= int(text) <= EXPIRES_SECONDS_MAX:
        raise incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_SECONDS_MAX}.")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in text.split(";") if name}))


def _signed_queries(pairs: list[tuple[str, str]], claim: _Claim) -> list[str]:
    """Some services' tokens are appended to a presigned URL, so it may be signed with the token or without.

    A token that is not signed does no harm: it is sealed, and tells whose key it goes with.
    """
    if claim.lasts is None:
        return [canonical_query(pairs)]
    signed = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    queries = [canonical_query(signed)]
    if claim.token is not None:
        queries.append(canonical_query(pair for pair in signed if pair[0] != TOKEN_PARAMETER))
    return queries


def _hashed(text: str) -> str:
    return base64.b64encode(sha256(text.encode("latin-1")).digest()).decode()


def _shown(authorization: str) -> str:
    """What stands there may be somebody's secret, in the wrong place."""
    return f"(Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(authorization)}"


# -- what is checked before the secret is known ------------------------------------------------------------------


def _basic_date(text: str) -> str:
    """A Date header is RFC 9110's or ISO 8601's; what is signed is the latter."""
    if not text or _DATE.fullmatch(text):
        return text
    try:
        told = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return text
    return told.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") if told.tzinfo is not None else text


def _seconds(date: str) -> int:
    try:
        if _DATE.fullmatch(date):
            return int(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise incomplete(
        f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _check_time(claim: _Claim, when: int, now: float, window_minutes: int) -> None:
    """A presigned request counts its time from X-Amz-Date; the window is for one whose clock is ahead of ours."""
    window = window_minutes * 60
    if when > now + window:
        raise mismatch(_out_of_time("Signature not yet current", claim.date, "still later", now, window, "+"))
    if claim.lasts is not None:
        if now > when + claim.lasts:
            raise SignatureError("RequestExpired", 400, "Request has expired.")
    elif when < now - window:
        raise mismatch(_out_of_time("Signature expired", claim.date, "now earlier", now, window, "-"))


def _out_of_time(what: str, date: str, how: str, now: float, window: int, sign: str) -> str:
    moment = datetime.fromtimestamp(int(now), UTC)
    limit = moment + timedelta(seconds=window if sign == "+" else -window)
    return f"{what}: {date} is {how} than {limit:%Y%m%dT%H%M%SZ} ({moment:%Y%m%dT%H%M%SZ} {sign} {window // 60} min.)"


def _check_signed_headers(claim: _Claim, headers: Mapping[str, str]) -> None:
    if "host" not in claim.signed_headers:
        raise mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    unsigned = sorted(
        name
        for name in headers
        if name.startswith("x-amz-") and name != TOKEN_HEADER and name not in claim.signed_headers
    )
    if unsigned:
        raise mismatch(
            f"There were headers present in the request which were not signed: {', '.join(unsigned)}"
        )
    if any(name not in headers for name in claim.signed_headers):
        raise mismatch()


def _check_credential(claim: _Claim, service: str | None) -> tuple[str, Scope]:
    parts = claim.credential.split("/")
    if len(parts) != 5:
        raise incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
            f"'{claim.credential}'"
        )
    access_key_id, date, region, named, terminator = parts
    wrong = []
    if not _REGION.fullmatch(region):
        wrong.append(f"Credential should be scoped to a valid region, not '{region}'. ")
    if service is not None and named != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'. ")
    if terminator != TERMINATOR:
        wrong.append(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
        )
    if date != claim.date[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{claim.date[:8]}', from '{claim.date}'."
        )
    if wrong:
        raise mismatch("".join(wrong))
    if not _SIGNATURE.fullmatch(claim.signature):
        raise mismatch()
    return access_key_id, Scope(date, region, named)


def _body_hash(request: RawRequest, headers: Mapping[str, str], *, unsigned: bool, presigned: bool) -> str:
    """`unsigned`: the body is of no account, and need not be signed; S3's presigned requests are signed without."""
    computed = request.body_sha256 or sha256(request.body).hexdigest()
    told = headers.get(BODY_HASH_HEADER, UNSIGNED if unsigned and presigned else None)
    if told is None or told == computed or (unsigned and told == UNSIGNED):
        return told or computed
    if told == UNSIGNED or told.startswith("STREAMING-"):
        raise mismatch(
            f"{BODY_HASH_HEADER} must be the SHA-256 of the body: {told[:64]} is not supported here."
        )
    raise mismatch(f"The provided '{BODY_HASH_HEADER}' header does not match what was computed.")
