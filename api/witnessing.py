"""A small witness of others' logs: it cosigns what continues what it has seen, and nothing else. Source: C2SP tlog-witness.

Beside the specification's one request it tells the newest checkpoint that it has cosigned, so that whoever verifies a log
need not be the log: GET PREFIX/checkpoint/SHA-256 of the origin, in hexadecimal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from hashlib import sha256

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.notes import BadNote, Signer, Verifier, unverified_text
from ledger.witness.cosignature import cosign
from ledger.witness.judging import REQUEST_BYTES_MAX, Conflict, Malformed, Refused, judge, read_submission
from ledger.witness.stores import Store, StoreUnusable
from ledger.witness.witnesses import SIZE_TYPE

PLAIN = "text/plain; charset=utf-8"


class WitnessedLogs:
    """What a witness does: `key` is its own, `logs` are the keys of those whose logs it watches."""

    def __init__(
        self,
        store: Store,
        key: Signer,
        logs: Iterable[Verifier],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._logs: dict[str, list[Verifier]] = {}
        for verifier in logs:
            self._logs.setdefault(verifier.name, []).append(verifier)
        self._origins = {sha256(origin.encode()).hexdigest(): origin for origin in self._logs}

    def add(self, raw: bytes) -> bytes:
        """The cosignature, once what it says is kept. Raises Refused, StoreUnusable, BadNote."""
        asked = read_submission(raw, lambda origin: self._logs.get(origin, []))
        line = b""

        def seen(before: bytes | None) -> bytes:
            nonlocal line
            judge(asked, before)
            line = cosign(unverified_text(asked.note), self._key, at=int(self._clock()))
            return asked.note + line

        self._store.replace(asked.checkpoint.origin, seen)
        return line

    def newest(self, digest: str) -> bytes | None:
        origin = self._origins.get(digest)
        return None if origin is None else self._store.newest(origin)


def make_witness_app(logs: WitnessedLogs) -> Starlette:
    async def add_checkpoint(request: Request) -> Response:
        raw = b""
        async for piece in request.stream():
            raw += piece
            if len(raw) > REQUEST_BYTES_MAX:
                return _refused(Malformed(f"a request has {REQUEST_BYTES_MAX >> 10} KiB at most"))
        try:
            return Response(await run_in_threadpool(logs.add, raw), media_type=PLAIN)
        except Refused as error:
            return _refused(error)
        except (StoreUnusable, BadNote):  # or what it has kept is spoilt, and must not pass for nothing
            return Response("the witness can't keep it\n", 503, media_type=PLAIN)

    async def newest(request: Request) -> Response:
        try:
            note = await run_in_threadpool(logs.newest, request.path_params["digest"])
        except StoreUnusable:
            return Response("the witness can't read it\n", 503, media_type=PLAIN)
        if note is None:
            return Response("nothing was seen of such a log\n", 404, media_type=PLAIN)
        return Response(note, media_type=PLAIN)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/checkpoint/{digest}", newest, methods=["GET"]),
        ]
    )


def _refused(error: Refused) -> Response:
    if isinstance(error, Conflict):
        return Response(f"{error.size}\n", error.status, headers={"Content-Type": SIZE_TYPE})
    return Response(f"{error}\n", error.status, media_type=PLAIN)
