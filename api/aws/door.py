"""The front door of AWS's clients: one ASGI application that answers IAM, STS and CloudTrail on `/`, and reads of S3.

A request is read, its signature checked, and handed to the authority, which writes it down and decides; what comes back
is said in the service's protocol. Who is not known gets the error that AWS gives, and leaves no entry.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api.awaiting import awaited
from api.aws import json11, models, query, validation, wire
from api.aws.answers import COMPLETED, as_written, completed
from api.aws.canonical_request import RawRequest
from api.aws.models import Operation, Service
from api.aws.refusing import WireError
from api.aws.s3 import S3, is_for_s3
from api.aws.signature import SignatureError, missing_token
from api.aws.signers import Signers
from api.unknown_callers import Reason, UnknownCallers
from ledger.authority.authority import Reply, Request
from ledger.authority.credentials import Presented, Unauthenticated
from ledger.authority.recording import REGION, Surroundings
from ledger.authority.turns import Closed, Unavailable
from ledger.iam.federation import NO_ROLE, ROLE_ARN
from ledger.iam.refusals import Misunderstood
from projections.investigation import Investigation

LOG: Final = logging.getLogger(__name__)
WITHOUT_CREDENTIALS: Final = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
GLOBAL: Final = frozenset({"iam", "sts"})

_SCOPED: Final = re.compile(
    rb"Credential=[^/,\s&]+(?:/|%2F)\d*(?:/|%2F)([\w-]*)(?:/|%2F)([\w-]+)", re.IGNORECASE
)
_TROUBLE: Final = "The request processing has failed because of an unknown error, exception or failure."


class Door:
    """`ledger` tells what the account does not: when passwords and roles were last used."""

    def __init__(self, signers: Signers, ledger: Investigation, unknown: UnknownCallers) -> None:
        self._signers = signers
        self._authority = signers.authority
        self._ledger = ledger
        self._unknown = unknown
        self._s3 = S3(signers, unknown)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request_id = str(uuid.UUID(bytes=os.urandom(16), version=4))
        service: Service | None = None
        raw: RawRequest | None = None
        try:
            raw = await _read(scope, receive)
            if is_for_s3(scope):
                reply = await run_in_threadpool(self._s3.answer, scope, raw, request_id)
                await _send(send, reply, without_body=raw.method == "HEAD")
                return
            service = _service_of(raw)
            reply = await self._answer(scope, raw, service, request_id)
        except (SignatureError, Unauthenticated) as error:
            self._unknown.count(error.code)
            reply = wire.refuse(service, error.code, error.status, error.message, request_id)
        except WireError as error:
            if raw is None or not _is_signed(raw):
                self._unknown.count(Reason.NO_CREDENTIAL)
            reply = wire.refuse(service, error.code, error.status, error.message, request_id)
        except (Unavailable, Closed) as error:
            reply = wire.refuse(service, "ServiceUnavailable", 503, str(error), request_id)
        except Exception:
            LOG.exception("request %s failed", request_id)
            reply = wire.refuse(service, "InternalFailure", 500, _TROUBLE, request_id)
        await _send(send, reply)

    async def _answer(self, scope: Scope, raw: RawRequest, service: Service, request_id: str) -> wire.Reply:
        presented: Presented | None
        if _is_signed(raw):
            presented, region = self._signers.signer_of(raw, service=service.name)
        else:
            presented, region = None, REGION
        operation, parameters, invalid = _understood(service, raw)
        if presented is None and operation.name not in WITHOUT_CREDENTIALS:
            raise missing_token()
        account_id = _account_of_role(parameters, invalid) if presented is None else presented.account_id
        client = scope.get("client")
        request = Request(
            account_id=account_id,
            action=f"{service.name}:{operation.name}",
            parameters=parameters,
            surroundings=Surroundings(
                source_ip=client[0] if client else "127.0.0.1",
                user_agent=_header(raw, b"user-agent") or "",
                request_id=request_id,
                region=REGION if service.name in GLOBAL else region,
                secure=scope.get("scheme") == "https",
            ),
            presented=presented,
            invalid=None if invalid is None else Misunderstood(invalid.code, invalid.status, invalid.message),
        )
        told = await self._told(request)
        if not told.event_id:
            self._unknown.count(Reason.NO_ACCOUNT)
        if told.refusal is not None:
            refusal = told.refusal
            return wire.refuse(service, refusal.code, refusal.status, refusal.told, request_id)
        output = told.output
        if request.action in COMPLETED:
            output = await run_in_threadpool(completed, self._ledger, request.action, output)
        if told.worded_by is not None:
            output = await run_in_threadpool(as_written, self._ledger, account_id, told.worded_by, output)
        return wire.answer(operation, output, request_id)

    async def _told(self, request: Request) -> Reply:
        if self._authority.waits(request.action):
            return await run_in_threadpool(self._authority.call, request)
        future, done = awaited()
        self._authority.submit(request, done)
        told: Reply = await future
        return told


async def _send(send: Send, reply: wire.Reply, *, without_body: bool = False) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if without_body else reply.body})


async def _read(scope: Scope, receive: Receive) -> RawRequest:
    body = bytearray()  # which grows by as little as a client likes to send at once
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise WireError("RequestAborted", 400, "The client closed the connection.")
        body += message.get("body", b"")
        if len(body) > wire.BODY_SIZE_MAX:
            raise WireError(
                "RequestEntityTooLarge", 413, f"A request has at most {wire.BODY_SIZE_MAX} bytes."
            )
        if not message.get("more_body", False):
            break
    path = scope.get("raw_path") or scope["path"].encode()
    return RawRequest(
        scope["method"], path.partition(b"?")[0], scope["query_string"], scope["headers"], bytes(body)
    )


def _header(raw: RawRequest, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in raw.headers if key == name), None)


def _is_signed(raw: RawRequest) -> bool:
    return _header(raw, b"authorization") is not None or b"X-Amz-" in raw.query


def _service_of(raw: RawRequest) -> Service:
    """The service that the credential is scoped to; of an unsigned request the one whose API it names."""
    authorization = (_header(raw, b"authorization") or "").encode("latin-1")
    found = _SCOPED.search(authorization) or _SCOPED.search(raw.query)
    if found is not None and found[2].decode() in models.SERVICES:
        return models.service(found[2].decode())
    if _header(raw, b"x-amz-target") is not None:
        return models.service("cloudtrail")
    version = query.fields_of(raw.query, raw.body).get("Version", "")
    return models.service_of_version(version) or models.service("iam")


def _understood(service: Service, raw: RawRequest) -> tuple[Operation, dict[str, Any], WireError | None]:
    """The operation, its parameters as far as they can be read, and what is wrong with them. Raises WireError where there
    is no such operation.
    """
    if service.protocol == "json":
        operation = json11.operation_of(service, _header(raw, b"x-amz-target"))
        read: Callable[[], dict[str, Any]] = lambda: json11.parameters_of(operation, raw.body)  # noqa: E731
    else:
        fields = query.fields_of(raw.query, raw.body)
        operation = query.operation_of(service, fields)
        read = lambda: query.parameters_of(operation, fields)  # noqa: E731
    try:
        parameters = read()
    except WireError as error:
        return operation, {}, error
    try:
        validation.check(operation, parameters)
    except WireError as error:
        return operation, parameters, error
    return operation, parameters, None


def _account_of_role(parameters: dict[str, Any], invalid: WireError | None) -> str:
    found = ROLE_ARN.fullmatch(str(parameters.get("RoleArn", "")))
    if found is None:
        raise invalid or WireError("ValidationError", 400, NO_ROLE)
    return found[1]
