"""Spoiling: a valid request with one byte changed is refused, unless it still means the same."""

import random
import time
from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from api.aws.canonical_request import RawRequest
from api.aws.signature import SignatureError, check, read_signature
from tests.api.signing import KEY_ID, SECRET, Wish, presigned, signed

MUTATIONS = 5_000
WISHES = (
    Wish(),
    Wish(token="FwoGZXIvYXdzEXAMPLE//token=="),
    Wish(method="GET", path="/a/b%20c/", query="Action=GetUser&UserName=al%20ice&Empty=", body=b""),
    Wish(headers=(("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("X-Amz-Meta", "a  b"))),
    Wish(headers=(("X-Amz-Content-SHA256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),), body=b""),
)  # fmt: skip


def meaning(request: RawRequest) -> tuple[Any, ...]:
    """What a signature is to protect, told plainly: two requests that mean the same are equal in this."""
    segments: list[bytes] = []
    for segment in request.path.split(b"/"):
        if segment == b"..":
            segments = segments[:-1]
        elif segment not in (b".", b""):
            segments = [*segments, segment]
    query = parse_qsl(request.query, keep_blank_values=True)
    headers: dict[bytes, list[list[bytes]]] = {}
    for name, value in request.headers:
        headers.setdefault(name.lower(), []).append(value.split())
    words = [word for line in headers.pop(b"authorization", []) for word in line]
    credentials = {
        (name, *(sorted(filter(None, value.lower().split(b";"))) if name == b"SignedHeaders" else [value]))
        for name, _, value in (word.partition(b"=") for word in b" ".join(words).replace(b",", b" ").split())
    }
    unsigned = {b"user-agent", b"expect"}
    return (
        request.method,
        segments,
        bool(segments) and request.path.endswith(b"/"),
        sorted(query),
        {name: value for name, value in headers.items() if name not in unsigned},
        request.body,
        credentials,
    )


def spoilt(text: bytes, chance: random.Random) -> bytes:
    """One byte changed, taken away, or put in."""
    at = chance.randrange(len(text) + 1)
    byte = bytes([chance.choice([chance.randrange(256), chance.choice(b" +%&=/;,.aA0")])])
    match chance.randrange(4):
        case 0 if at < len(text):
            return text[:at] + byte + text[at + 1 :]
        case 1 if at < len(text):
            return text[:at] + bytes([text[at] ^ 1 << chance.randrange(8)]) + text[at + 1 :]
        case 2 if at < len(text):
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + byte + text[at:]


def mutated(request: RawRequest, chance: random.Random) -> tuple[str, RawRequest]:
    """The part that was changed, and the request with it."""
    part = chance.choice(
        ["method", "path", "query", "name", "value", "value", "authorization", "body", "date"]
    )
    headers = list(request.headers)
    match part:
        case "method":
            return part, replace(request, method=spoilt(request.method.encode(), chance).decode("latin-1"))
        case "path":
            return part, replace(request, path=spoilt(request.path, chance))
        case "query":
            return part, replace(request, query=spoilt(request.query, chance))
        case "body":
            return part, replace(request, body=spoilt(request.body, chance))
    wanted = {"authorization": b"authorization", "date": b"x-amz-date"}.get(part)
    choices = [at for at, (name, _) in enumerate(headers) if wanted in (None, name.lower())]
    if not choices:  # presigned: it stands in the query
        return "query", replace(request, query=spoilt(request.query, chance))
    at = chance.choice(choices)
    name, value = headers[at]
    headers[at] = (spoilt(name, chance), value) if part == "name" else (name, spoilt(value, chance))
    return part, replace(request, headers=headers)


def is_accepted(request: RawRequest, now: float) -> bool:
    try:
        found = read_signature(request, service="iam", now=now)
        check(found, SECRET if found.access_key_id == KEY_ID else "nobody's")
    except SignatureError:
        return False
    return True


def test_one_changed_byte_is_refused_or_means_the_same() -> None:
    chance = random.Random(17)
    valid = [made for wish in WISHES for made in (signed(wish), presigned(wish))]
    now = time.time()
    assert all(is_accepted(request, now) for request in valid)
    refused: Counter[str] = Counter()
    same = 0
    for _ in range(MUTATIONS):
        request = chance.choice(valid)
        part, other = mutated(request, chance)
        if is_accepted(other, now):
            assert meaning(other) == meaning(request), (part, request, other)
            same += 1
        else:
            refused[part] += 1
    assert min(refused[part] for part in ("method", "path", "query", "name", "value", "body", "date")) > 50
    assert refused["authorization"] > 50
    assert same > 0  # such as a space more between two words of a header
