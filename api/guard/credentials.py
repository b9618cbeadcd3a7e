"""What a caller proves who they are with: a session token, a signed request as it came, or a key with its secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from api.aws.canonical_request import RawRequest

ALGORITHM: Final = b"AWS4-HMAC-SHA256"
_BEARER: Final = b"bearer"
_SIGNED_HEADERS: Final = re.compile(rb"SignedHeaders=([^,&\s]+)")
_SIGNED_IN_QUERY: Final = b"X-Amz-Signature="


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A temporary credential, which whoever has the token bears."""

    token: str = field(repr=False)

    def to_document(self) -> dict[str, Any]:
        return {"token": self.token}


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key id with its secret; `session_token` with a temporary one."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def to_document(self) -> dict[str, Any]:
        told = {"accessKeyId": self.access_key_id, "secretAccessKey": self.secret_access_key}
        return told if self.session_token is None else {**told, "sessionToken": self.session_token}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that its sender signed (AWS Signature Version 4), in the header or in the query."""

    request: RawRequest

    def to_document(self) -> dict[str, Any]:
        """With the SHA-256 of the body for the body, and of the headers only those that the signature is about."""
        raw = self.request
        query = b"?" + raw.query if raw.query else b""
        told = {
            "method": raw.method,
            "url": (raw.path + query).decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in _needed(raw)],
            "bodySha256": raw.body_sha256 or sha256(raw.body).hexdigest(),
        }
        return {"signedRequest": told}


Credential = SessionToken | AccessKey | SignedRequest


def presented_in(
    method: str, path: bytes, query: bytes, headers: Sequence[tuple[bytes, bytes]], body_sha256: str
) -> Credential | None:
    """The credential that a request came with; None where it has none. Names of headers are in lower case."""
    told = next((value for name, value in headers if name == b"authorization"), None)
    if told is not None:
        scheme, _, rest = told.partition(b" ")
        if scheme.lower() == _BEARER:
            return SessionToken(rest.strip().decode("latin-1"))
        if scheme != ALGORITHM:
            return None
    elif _SIGNED_IN_QUERY not in query:
        return None
    return SignedRequest(RawRequest(method, path, query, headers, b"", body_sha256))


def is_signed(headers: Mapping[bytes, bytes], query: bytes) -> bool:
    """Whether the credential is a signature, for which the whole body has to be at hand."""
    told = headers.get(b"authorization", b"")
    return told.startswith(ALGORITHM) or (not told and _SIGNED_IN_QUERY in query)


def _needed(raw: RawRequest) -> list[tuple[bytes, bytes]]:
    """Nobody needs the cookies of a caller to know who it is."""
    told = [value for name, value in raw.headers if name.lower() == b"authorization"]
    claims = (_SIGNED_HEADERS.search(text) for text in (*told, raw.query))
    names = {
        name.strip().lower() for found in claims if found for name in unquote_to_bytes(found[1]).split(b";")
    }
    return [
        (name, value)
        for name, value in raw.headers
        if (plain := name.lower()) in names
        or plain in (b"authorization", b"host", b"date")
        or plain.startswith(b"x-amz-")
    ]
