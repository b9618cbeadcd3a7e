"""`POST /v1/sign-in`, and `/v1/sign-in/password` for a new password: by what a person knows, a credential as programs use.

Whoever has none yet can't bear a token, so this is the one door of /v1 where none is asked for. Argon2id takes memory as
well as time, so only a few are looked at side by side.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeVar

import orjson
from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problem_answers import problem
from api.unknown_callers import Reason, UnknownCallers
from ledger.authority.recording import Surroundings
from ledger.authority.sign_in import Attempt, NoSuchAccount, NotSignedIn, SignIn
from ledger.authority.turns import Closed, Unavailable
from ledger.iam.console_sign_in import Claimant
from ledger.iam.refusals import Refusal
from ledger.record import format_time
from ledger.vault.attempts import TooManyAttempts

PATH: Final = "/v1/sign-in"
BODY_BYTES_MAX: Final = 8_192
AT_ONCE: Final = 4  # each takes 19 MiB while a password is hashed
NOT_KEPT: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LOG: Final = logging.getLogger(__name__)


class Claim(BaseModel):
    """A user by name, or root by the e-mail address; with the code of a device, where they have one."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(pattern=r"^[0-9]{12}$")
    user: str | None = Field(None, min_length=1, max_length=64)
    email: str | None = Field(None, min_length=3, max_length=320)
    password: SecretStr = Field(min_length=1, max_length=128)
    mfaCode: SecretStr | None = Field(None, min_length=6, max_length=6)
    mfaSerial: str | None = Field(None, min_length=9, max_length=256)

    @model_validator(mode="after")
    def one_of_both(self) -> Self:  # noqa: N804 - after the fact it is one of the instance
        if (self.user is None) == (self.email is None):
            raise ValueError("tell either `user` or, for root, `email`")
        return self


class NewPassword(Claim):
    newPassword: SecretStr = Field(min_length=1, max_length=128)


Wanted = TypeVar("Wanted", bound=Claim)


def credential(issued: Mapping[str, Any]) -> dict[str, Any]:
    """As AWS's clients read it: `Expiration` is RFC 3339."""
    return {**issued, "Expiration": format_time(issued["Expiration"])}


def attempt_of(claim: Claim, around: Surroundings, login_to: str) -> Attempt:
    return Attempt(
        claim.account,
        Claimant(claim.user, claim.email),
        claim.password.get_secret_value(),
        around,
        login_to,
        None if claim.mfaCode is None else claim.mfaCode.get_secret_value(),
        claim.mfaSerial,
    )


def with_sign_in(app: ASGIApp, door: SignIn, unknown: UnknownCallers) -> ASGIApp:
    """The application, with the sign-in before its admission."""
    ours = _application(door, unknown)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        mine = scope["type"] == "http" and (path == PATH or path.startswith(f"{PATH}/"))
        await (ours if mine else app)(scope, receive, send)

    return both


def _application(door: SignIn, unknown: UnknownCallers) -> Starlette:
    limiter = CapacityLimiter(AT_ONCE)

    async def answered(ask: Callable[[], Mapping[str, Any]]) -> Response:
        try:
            issued = await to_thread.run_sync(ask, limiter=limiter)
        except NotSignedIn as error:
            if isinstance(error, NoSuchAccount):
                unknown.count(Reason.NO_ACCOUNT)
            status = 403 if error.code.startswith("Password") else 401
            more = {"devices": list(error.devices)} if error.devices else {}
            return problem(status, error.message, headers=NOT_KEPT, code=error.code, **more)
        except TooManyAttempts as error:
            unknown.count(Reason.TOO_MANY)
            headers = {**NOT_KEPT, "Retry-After": str(error.seconds)}
            return problem(429, str(error), headers=headers, code="TooManyAttempts")
        except Refusal as error:
            return problem(error.status, error.message, headers=NOT_KEPT, code=error.code)
        except (Unavailable, Closed) as error:
            return problem(503, str(error), headers={**NOT_KEPT, "Retry-After": "1"})
        body = orjson.dumps(credential(issued))
        return Response(body, headers=NOT_KEPT, media_type="application/json")

    async def sign_in(request: Request) -> Response:
        attempt = attempt_of(await _read(request, Claim), _around(request), _login_to(request))
        return await answered(lambda: door.sign_in(attempt))

    async def change_password(request: Request) -> Response:
        claim = await _read(request, NewPassword)
        attempt = attempt_of(claim, _around(request), _login_to(request))
        return await answered(lambda: door.change_password(attempt, claim.newPassword.get_secret_value()))

    routes = [
        Route(PATH, sign_in, methods=["POST"]),
        Route(f"{PATH}/password", change_password, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={HTTPException: _of_http, ClientDisconnect: _of_gone, Exception: _of_mistake},
    )


async def _read(request: Request, wanted: type[Wanted]) -> Wanted:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "a sign-in is application/json")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"a sign-in has {BODY_BYTES_MAX} bytes at most")
    try:
        return wanted.model_validate_json(body)
    except ValidationError as error:
        told = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors())
        raise HTTPException(422, "; ".join(told)) from None  # its own text holds what was sent


def _around(request: Request) -> Surroundings:
    return Surroundings(
        source_ip=request.client.host if request.client else "127.0.0.1",
        user_agent=request.headers.get("user-agent", ""),
        request_id=str(uuid.UUID(bytes=os.urandom(16), version=4)),
        secure=request.url.scheme == "https",
    )


def _login_to(request: Request) -> str:
    return str(request.url.replace(path=PATH, query=""))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, headers={**NOT_KEPT, **(error.headers or {})})


async def _of_gone(request: Request, error: Exception) -> Response:
    return problem(400, "the connection was closed", headers=NOT_KEPT)  # which nobody hears


async def _of_mistake(request: Request, error: Exception) -> Response:
    LOG.exception("a sign-in failed", exc_info=error)
    return problem(500, "a mistake of ours; the server's log tells more", headers=NOT_KEPT)
