"""Spoiling, at the door itself: a signed request with one byte changed on the wire leaves no entry, unless it means the
same."""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from api.aws.canonical_request import RawRequest
from tests.api.hostile import Hostile, send
from tests.api.served import served
from tests.api.signing import Wish, presigned, signed
from tests.api.test_signature_mutations import meaning, mutated

MUTATIONS = int(os.environ.get("IAM_LEDGER_TEST_SPOILT_REQUESTS", "400"))
LIST = "Action=ListUsers&Version=2010-05-08&PathPrefix=%2Fa%2F"
WISHES = (
    Wish(body=LIST.encode()),
    Wish(method="GET", query=LIST, body=b""),
    Wish(body=LIST.encode(), headers=(("X-Amz-Meta", "a  b"), ("Content-Type", "application/x-www-form-urlencoded"))),
)  # fmt: skip


def on_the_wire(request: RawRequest) -> bytes:
    target = request.path + (b"?" + request.query if request.query else b"")
    headers = [*request.headers, (b"Connection", b"close")]
    if request.body and not any(name.lower() == b"content-length" for name, _ in headers):
        headers.append((b"Content-Length", str(len(request.body)).encode()))
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return (
        request.method.encode("latin-1") + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n" + request.body
    )


def test_a_request_that_was_changed_on_its_way_is_not_accepted(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        key = (server.key_id, server.secret)
        host = f"127.0.0.1:{server.port}"
        wishes = [replace(wish, key=key, host=host) for wish in WISHES]
        get = replace(wishes[1], query=LIST)
        valid = [*(signed(wish) for wish in wishes), presigned(get, expires=900)]
        chance = random.Random(18)
        changed: list[tuple[str, RawRequest, RawRequest]] = []
        while len(changed) < MUTATIONS:
            request = chance.choice(valid)
            part, other = mutated(request, chance)
            changed.append((part, request, other))
        begun = len(server.records())
        assert all(send(server.port, Hostile("valid", on_the_wire(one), 1)).status == 200 for one in valid)
        assert len(server.records()) == begun + len(valid)

        def tried(one: tuple[str, RawRequest, RawRequest]) -> tuple[int | None, str | None]:
            answered = send(server.port, Hostile(one[0], on_the_wire(one[2]), None, whole=False, patience=2))
            return answered.status, answered.request_id

        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(tried, changed))
        assert time.monotonic() - started < 600  # all within the time that their signatures are good for
        written = {record["requestID"] for record in server.records()}
        refused: Counter[str] = Counter()
        for (part, request, other), (status, request_id) in zip(changed, told, strict=True):
            if status == 200 or request_id in written:
                assert meaning(as_read(other)) == meaning(request), (part, on_the_wire(other))
            else:
                assert status is None or 400 <= status < 500, (part, status, on_the_wire(other))
                refused[part] += 1
        assert min(refused[part] for part in ("method", "query", "value", "authorization", "body")) > 5
        assert sum(refused.values()) > MUTATIONS * 3 / 4


def as_read(request: RawRequest) -> RawRequest:
    """As HTTP takes it: what is behind a `#` is no part of the target, and blanks around something none of it."""
    headers = [(name, value.strip(b" \t")) for name, value in request.headers]
    target = request.path + (b"?" + request.query if request.query else b"")
    path, _, query = target.strip(b" ").partition(b"#")[0].partition(b"?")
    return replace(request, method=request.method.strip(" "), headers=headers, path=path, query=query)
