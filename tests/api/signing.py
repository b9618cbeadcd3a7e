"""Requests signed by botocore, as they stand on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from api.aws.canonical_request import RawRequest

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "iam.amazonaws.com"


@dataclass(frozen=True)
class Wish:
    """What is to be signed. `path` and `query` are as they go over the wire."""

    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"Action=ListUsers&Version=2010-05-08"
    token: str | None = None
    region: str = "us-east-1"
    service: str = "iam"
    key: tuple[str, str] = field(default=(KEY_ID, SECRET), repr=False)
    host: str = HOST


def signed(wish: Wish) -> RawRequest:
    """In the Authorization header."""
    request = _request(wish, wish.body)
    SigV4Auth(Credentials(*wish.key, wish.token), wish.service, wish.region).add_auth(request)
    return _raw(wish, request, wish.body)


def presigned(wish: Wish, expires: int = 60) -> RawRequest:
    """In the query; without a body."""
    request = _request(wish, b"")
    SigV4QueryAuth(Credentials(*wish.key, wish.token), wish.service, wish.region, expires).add_auth(request)
    return _raw(wish, request, b"")


def _request(wish: Wish, body: bytes) -> AWSRequest:
    url = f"http://{wish.host}{wish.path}" + (f"?{wish.query}" if wish.query else "")
    request = AWSRequest(wish.method, url, data=body)
    request.headers.add_header("Host", wish.host)
    for name, value in wish.headers:
        request.headers.add_header(name, value)
    return request


def _raw(wish: Wish, request: AWSRequest, body: bytes) -> RawRequest:
    return RawRequest(
        wish.method,
        wish.path.encode(),
        urlsplit(request.url).query.encode(),
        [(name.encode(), value.encode()) for name, value in request.headers.items()],
        body,
    )
