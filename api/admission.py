"""Who may ask: the bearer of the token. Source: RFC 6750, section 2.1."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problem_answers import problem
from api.unknown_callers import Reason, UnknownCallers

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="iam-ledger"'}
ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


def unkept(app: ASGIApp) -> ASGIApp:
    """The application, whose answers nobody between is to keep, unless they say so themselves."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in ALWAYS if one[0] not in told)]
            await send(message)

        await app(scope, receive, answer)

    return answering


class Admission:
    """Lets nothing through that does not bear the token, whatever the path; answers are not to be kept."""

    def __init__(self, app: ASGIApp, token: str, unknown: UnknownCallers) -> None:
        self._app = unkept(app)
        self._refuse = unkept(problem(401, "send the token: `Authorization: Bearer …`", headers=CHALLENGE))
        self._token = token.encode()
        self._unknown = unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        told = [value for name, value in scope["headers"] if name == b"authorization"]
        if self._admits(told):
            await self._app(scope, receive, send)
        else:
            self._unknown.count(Reason.UNKNOWN_KEY if told else Reason.NO_CREDENTIAL)
            await self._refuse(scope, receive, send)

    def _admits(self, told: list[bytes]) -> bool:
        if len(told) != 1:
            return False
        scheme, _, token = told[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
