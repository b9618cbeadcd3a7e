"""The read API as an application that any ASGI server can run."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    authorize_described,
    evidence_reads,
    log_reads,
    permission_reads,
    permission_reads_access,
    permission_reads_over_time,
    reads,
)
from api.admission import Admission, unkept
from api.authorize import Authorize
from api.aws.door import Door
from api.aws.s3 import is_for_s3
from api.aws.signature import WINDOW_MINUTES
from api.aws.signers import Signers
from api.guard.in_process import InProcess
from api.guard.middleware import Guard
from api.problems import tell_problems
from api.reading_permissions import RULES, SERVICE, own_account_only
from api.sign_in import with_sign_in
from api.unknown_callers import UnknownCallers
from api.version import product_version
from ledger.authority.authority import Authority
from ledger.authority.sign_in import SignIn
from ledger.log import Log
from ledger.log.checkpoints import Checkpoints
from projections.investigation import Investigation

DESCRIPTION = """The questions of `iam-ledger`, with the same answers as on the command line.

Times in questions are RFC 3339; without a zone they are UTC; `from` belongs to the interval, `to` does not.
A page has `next`, the cursor to send as `after` for the page that follows, until it is null."""

TOKEN_SCHEMES: Final = {"token": {"type": "http", "scheme": "bearer"}}
GUARDED_SCHEMES: Final = {
    "sessionToken": {"type": "http", "scheme": "bearer", "description": "the session token of STS"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 for the service `iam-ledger`",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
}


def with_door(app: ASGIApp, door: Door) -> ASGIApp:
    """The application, with the front door of AWS's clients on `/`, and wherever a request is signed for S3."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        at_the_door = scope["type"] == "http" and (scope["path"] == "/" or is_for_s3(scope))
        await (door if at_the_door else app)(scope, receive, send)

    return both


def make_app(
    investigation: Investigation,
    *,
    token: str,
    checkpoints: Checkpoints | None = None,
    unknown: UnknownCallers | None = None,
) -> FastAPI:
    """Answers from one ledger to whoever bears the token; others learn nothing, not even which paths exist.

    Without `checkpoints` what is stored of them can be read, and nothing is signed. `unknown` counts the others.
    """
    unknown = unknown or UnknownCallers()
    app = _app(investigation, checkpoints, unknown)
    app.add_middleware(Admission, token=token, unknown=unknown)
    _describe(app, TOKEN_SCHEMES)
    return app


def make_guarded_app(
    investigation: Investigation,
    authority: Authority,
    *,
    checkpoints: Checkpoints | None = None,
    unknown: UnknownCallers | None = None,
    window_minutes: int = WINDOW_MINUTES,
) -> ASGIApp:
    """Answers from a ledger that has an authority: to whoever its policies permit the question, each an entry.

    AWS's clients are answered on `/`, people who sign in where AWS has it, services on `/v1/authorize` and `/v1/outcomes`.
    `window_minutes` is how far a signed request's time may be from ours.
    """
    unknown = unknown or UnknownCallers()
    signers = Signers(authority, window_minutes)
    app = _app(investigation, checkpoints, unknown)
    _describe(app, GUARDED_SCHEMES, authorize_described.PATHS, authorize_described.SCHEMAS)
    guard = Guard(
        app,
        InProcess(authority, service=SERVICE, own=True, window_minutes=window_minutes),
        RULES,
        admits=own_account_only(investigation.log),
        unknown=unknown.count,
    )
    answering = with_sign_in(unkept(guard), SignIn(Log(investigation.log.engine), authority), unknown)
    return with_door(Authorize(answering, signers, unknown), Door(signers, investigation, unknown))


def _app(investigation: Investigation, checkpoints: Checkpoints | None, unknown: UnknownCallers) -> FastAPI:
    app = FastAPI(
        title="iam-ledger",
        version=product_version(),
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.investigation = investigation
    app.state.checkpoints = checkpoints or Checkpoints(investigation.log, None)
    app.state.unknown_callers = unknown
    for room in (
        reads,
        log_reads,
        evidence_reads,
        permission_reads,
        permission_reads_over_time,
        permission_reads_access,
    ):
        app.include_router(room.router)
    tell_problems(app)
    return app


def _describe(app: FastAPI, schemes: dict[str, Any], paths: Any = None, schemas: Any = None) -> None:
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(_completed(FastAPI.openapi(app), schemes))
            described["paths"].update(paths or {})
            described["components"]["schemas"].update(schemas or {})
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(document: dict[str, Any], schemes: dict[str, Any]) -> dict[str, Any]:
    document["components"]["securitySchemes"] = schemes
    document["security"] = [{name: []} for name in schemes]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # the framework's own form, which is not what we answer
            operation["responses"].update(
                {
                    status: {"$ref": f"#/components/responses/{name}"}
                    for status, name in (("401", "NoToken"), ("404", "Unknown"), ("422", "BadQuestion"))
                }
            )
    document["components"]["schemas"].pop("HTTPValidationError", None)
    document["components"]["schemas"].pop("ValidationError", None)
    document["components"]["schemas"]["Problem"] = {
        "type": "object",
        "required": ["title", "status"],
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"parameter": {"type": "string"}, "detail": {"type": "string"}},
                },
            },
        },
    }
    document["components"]["responses"] = {
        name: {
            "description": text,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for name, text in (
            ("NoToken", "The token is missing or wrong."),
            ("Unknown", "The ledger knows nothing of that name."),
            ("BadQuestion", "A parameter is unknown, or its value cannot be understood."),
        )
    }
    return document
