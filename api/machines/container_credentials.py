"""The container credentials protocol: a task asks one URL, with a secret of its own, and gets its role's credentials.

Source: AWS SDKs and tools reference guide, "Container credential provider"; Amazon ECS developer guide, "Task IAM role".
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ledger.authority.role_delivery import NoRole, NotDelivered, NoWorkload, RoleDelivery
from ledger.record import format_time

PATH: Final = "/v2/credentials"
TOKEN_BYTES: Final = 32


def new_token() -> str:
    """What a container shows to be known: AWS_CONTAINER_AUTHORIZATION_TOKEN."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class ContainerCredentials:
    """An ASGI application for one workload, by its name or id; only who bears the token is answered."""

    def __init__(self, delivery: RoleDelivery, workload: str, *, token: str) -> None:
        self._delivery = delivery
        self._workload = workload
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._respond(Request(scope))
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.url.path != PATH:
            return _refused(404, "NotFound", "there is nothing here")
        if request.method != "GET":
            return _refused(405, "MethodNotAllowed", "credentials are read with GET")
        shown = request.headers.get("authorization", "")
        if not hmac.compare_digest(shown.encode("latin-1", "replace"), self._token):
            return _refused(401, "Unauthorized", "the authorization token is not this workload's")
        return await run_in_threadpool(self._credentials)

    def _credentials(self) -> Response:
        try:
            given = self._delivery.credentials(self._workload)
        except NotDelivered as error:
            return _refused(403, "AccessDenied", str(error))
        except (NoRole, NoWorkload) as error:
            return _refused(404, "NoCredentials", str(error))
        told: dict[str, Any] = {
            "RoleArn": given.role.arn,
            "AccessKeyId": given.access_key_id,
            "SecretAccessKey": given.secret_access_key,
            "Token": given.session_token,
            "Expiration": format_time(given.expiration),
        }
        return JSONResponse(told, headers={"Cache-Control": "no-store"})


def _refused(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "HTTPErrorCode": status}, status_code=status)
