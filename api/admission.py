"""Who may ask: the bearer of the token. Source: RFC 6750, section 2.1."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="iam-ledger"'}
SNIFFED = (b"x-content-type-options", b"nosniff")
UNKEPT = (b"cache-control", b"no-store")


class Admission:
    """Lets nothing through that does not bear the token, whatever the path; answers are not to be kept, unless they say so."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], SNIFFED]
                says = any(name == b"cache-control" for name, _ in headers)
                message["headers"] = headers if says else [*headers, UNKEPT]
            await send(message)

        told = [value for name, value in scope["headers"] if name == b"authorization"]
        if self._admits(told):
            await self._app(scope, receive, answer)
        else:
            refusal = problem(401, "send the token: `Authorization: Bearer …`", headers=CHALLENGE)
            await refusal(scope, receive, answer)

    def _admits(self, told: list[bytes]) -> bool:
        if len(told) != 1:
            return False
        scheme, _, token = told[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
