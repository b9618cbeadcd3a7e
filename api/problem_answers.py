"""A problem as an answer. Source: RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"


def problem_document(status: int, detail: str | None = None, **members: Any) -> dict[str, Any]:
    """`type` is left out, which means about:blank: the title is the status's own phrase."""
    told: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if detail is not None:
        told["detail"] = detail
    return told | members


def problem(
    status: int,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    body = orjson.dumps(problem_document(status, detail, **members), default=str)
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
