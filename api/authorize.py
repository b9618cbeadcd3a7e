"""`POST /v1/authorize` and `POST /v1/outcomes`: services ask, and tell what came of it. Plain ASGI, for it is asked at each call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from api.admission import ALWAYS
from api.asked_of_authority import UNKNOWN, AskedOfAuthority, Asker
from api.aws.signers import Signers
from api.guard.questions import NotUnderstood
from api.guard.reading import BATCH_MAX, read_outcome, read_question
from api.problem_answers import MEDIA_TYPE, problem_document
from api.unknown_callers import UnknownCallers
from ledger.authority.asking import Told
from ledger.authority.outcomes import Recorded
from ledger.authority.turns import Closed, Unavailable

BODY_BYTES_MAX: Final = 4 << 20
AUTHORIZE: Final = "/v1/authorize"
OUTCOMES: Final = "/v1/outcomes"
LOG: Final = logging.getLogger(__name__)

_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", MEDIA_TYPE.encode())
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="iam-ledger"')


class Refused(Exception):
    """The request as a whole is not answered."""

    def __init__(self, status: int, detail: str, *headers: tuple[bytes, bytes], **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.document = problem_document(status, detail, **members)


Answering = Callable[[Any, Asker], Awaitable[dict[str, Any]]]


class Authorize:
    """Answers the two paths; everything else is the app's."""

    def __init__(self, app: ASGIApp, signers: Signers, unknown: UnknownCallers) -> None:
        self._app = app
        self._asked = AskedOfAuthority(signers)
        self._unknown = unknown
        self._answering: dict[str, Answering] = {AUTHORIZE: self._decide, OUTCOMES: self._conclude}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = self._answering.get(scope["path"]) if scope["type"] == "http" else None
        if answering is None:
            await self._app(scope, receive, send)
            return
        headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)
        status = 200
        try:
            told, asker = await _read(scope, receive)
            body = orjson.dumps(await _answered(answering, told, asker))
        except Refused as refused:
            status, headers = refused.status, (_PROBLEM, *refused.headers)
            body = orjson.dumps(refused.document)
        except (Unavailable, Closed) as error:
            status, headers = 503, (_PROBLEM, (b"retry-after", b"1"))
            body = orjson.dumps(problem_document(503, str(error)))
        except Exception:
            LOG.exception("a question could not be answered")
            status, headers = 500, (_PROBLEM,)
            body = orjson.dumps(problem_document(500, "a mistake of ours; the server's log tells more"))
        length = (b"content-length", str(len(body)).encode())
        start = {"type": "http.response.start", "status": status, "headers": [*headers, length, *ALWAYS]}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _decide(self, told: Any, asker: Asker) -> dict[str, Any]:
        try:
            decided = await self._asked.decide(read_question(told), asker)
        except UNKNOWN as error:
            self._unknown.count(error.code)
            raise
        return _decision(decided, self._asked.receipt(decided))

    async def _conclude(self, told: Any, asker: Asker) -> dict[str, Any]:
        return _place(await self._asked.conclude(read_outcome(told)))


async def _answered(answering: Answering, told: Any, asker: Asker) -> Any:
    """Of a list a list, in which what can't be answered stands as a problem; of one an answer, or Refused."""
    if not isinstance(told, list):
        try:
            return await answering(told, asker)
        except NotUnderstood as error:
            raise Refused(422, **_not_understood(error)) from error
        except UNKNOWN as error:
            raise Refused(401, error.message, _CHALLENGE, code=error.code) from error
    if not 1 <= len(told) <= BATCH_MAX:
        raise Refused(422, f"a list has 1 to {BATCH_MAX} members, not {len(told)}")
    return await asyncio.gather(*(_member(answering, one, asker) for one in told))


async def _member(answering: Answering, told: Any, asker: Asker) -> dict[str, Any]:
    try:
        return await answering(told, asker)
    except NotUnderstood as error:
        return problem_document(422, **_not_understood(error))
    except UNKNOWN as error:
        return problem_document(401, error.message, code=error.code)
    except (Unavailable, Closed) as error:
        return problem_document(503, str(error))


def _not_understood(error: NotUnderstood) -> dict[str, Any]:
    if error.parameter is None:
        return {"detail": error.message}
    errors = [{"parameter": error.parameter, "detail": error.message}]
    return {"detail": f"{error.parameter}: {error.message}", "errors": errors}


def _decision(told: Told, receipt: str | None) -> dict[str, Any]:
    return {
        "decision": told.decided.verdict,
        "account": told.account_id,
        "eventID": told.event_id,
        "position": None if told.recorded is None else told.recorded.position,
        "receipt": receipt,
        "message": told.message,
        "authorization": orjson.Fragment(told.told),
    }


def _place(recorded: Recorded) -> dict[str, Any]:
    return {
        "account": recorded.account_id,
        "eventID": recorded.event_id,
        "position": recorded.position,
    }


async def _read(scope: Scope, receive: Receive) -> tuple[Any, Asker]:
    if scope["method"] != "POST":
        raise Refused(405, f"{scope['method']} is not answered here", (b"allow", b"POST"))
    agent = kind = b""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            agent = value
        elif name == b"content-type":
            kind = value
    if kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Refused(415, "questions are application/json")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection was closed")
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise Refused(413, f"a request has {BODY_BYTES_MAX} bytes at most")
        if not message.get("more_body", False):
            break
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"this is no JSON: {error}") from error
    client = scope.get("client")
    address = client[0] if client else "127.0.0.1"
    return told, Asker(address, agent.decode("latin-1"), scope.get("scheme") == "https")
