"""Every error of the read API as a problem document. Source: RFC 9457."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from api.problem_answers import problem
from ledger.log import EntryDamaged, LedgerUnavailable
from ledger.log.checkpoints import HistoryContradicted
from ledger.log.tiles import TreeDamaged
from projections.vocabulary import BadFilter, UnknownName

ON_THE_WIRE = {"access-key": "accessKey", "source-ip": "sourceIP", "user-agent": "userAgent"}

log = logging.getLogger(__name__)


def tell_problems(app: FastAPI) -> None:
    """Make the app answer with problems, whatever goes wrong."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(BadFilter, _of_filter)
    app.add_exception_handler(UnknownName, _of_name)
    app.add_exception_handler(LedgerUnavailable, _of_ledger)
    app.add_exception_handler(DBAPIError, _of_database)
    app.add_exception_handler(EntryDamaged, _of_damage)
    app.add_exception_handler(TreeDamaged, _of_damage)
    app.add_exception_handler(HistoryContradicted, _of_damage)
    app.add_exception_handler(Exception, _of_mistake)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem(404, f"there is no {request.url.path}")
    if error.status_code == 405:
        return problem(405, f"{request.method} is not answered here", headers=error.headers)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"parameter": str(one["loc"][-1]), "detail": _reason(str(one["type"]), str(one["msg"]))}
        for one in error.errors()
    ]
    return problem(422, "; ".join(f"{one['parameter']}: {one['detail']}" for one in errors), errors=errors)


def _reason(kind: str, message: str) -> str:
    return "there is no such parameter" if kind == "extra_forbidden" else message


def _of_filter(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadFilter)
    name = ON_THE_WIRE.get(error.name, error.name)
    detail = str(error).removeprefix(f"{error.name}: ")
    return problem(422, f"{name}: {detail}", errors=[{"parameter": name, "detail": detail}])


def _of_name(request: Request, error: Exception) -> Response:
    return problem(404, str(error.args[0]) if error.args else None)


def _of_ledger(request: Request, error: Exception) -> Response:
    log.error("the ledger cannot be used: %s", error)
    return problem(503, "the ledger cannot be used now", headers={"Retry-After": "5"})


def _of_database(request: Request, error: Exception) -> Response:
    if type(error).__name__ in ("OperationalError", "InterfaceError"):
        return _of_ledger(request, error)
    return _of_mistake(request, error)


def _of_damage(request: Request, error: Exception) -> Response:
    """The log is not what was written. Whoever asks is told where: that is what they ask for."""
    log.critical("%s", error)
    return problem(500, str(error))


def _of_mistake(request: Request, error: Exception) -> Response:
    """Nothing of the error itself: it may hold what the caller must not see. The server's log has it."""
    return problem(500, "a mistake of ours; the server's log tells more")
