"""The door: from an HTTP request to an operation and its parameters, and from an output or a refusal to an HTTP answer.

    service = models.service("iam")
    request = read(service, target=None, query_string=b"", body=b"Action=GetUser&Version=2010-05-08")
    validation.check(request.operation, request.parameters)
    reply = answer(request.operation, {"User": {...}}, request_id)
    reply = refuse(service, "NoSuchEntity", 404, "The user with name x cannot be found.", request_id)

Reading and validation raise WireError, whose code, status and message are what `refuse` takes; its `operation` tells what
was attempted, where that much was understood. Reading and validation are
two steps, for between them it is found out who calls and whether they may. Nothing here knows of accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from api.aws import json11, query, xml_answers
from api.aws.models import Operation, Service
from api.aws.refusing import IN_JSON, WireError, said_in_json, said_in_xml

BODY_SIZE_MAX: Final = 1 << 20  # bytes: the longest policy document needs 768 KiB, every character escaped


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters have the names and types of the operation's input, and are not yet validated."""

    operation: Operation
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def read(
    service: Service, *, target: str | None = None, query_string: bytes = b"", body: bytes = b""
) -> Request:
    """`target` is the header X-Amz-Target, which only the JSON protocol looks at.

    Raises WireError.
    """
    if len(body) + len(query_string) > BODY_SIZE_MAX:
        raise WireError("RequestEntityTooLarge", 413, f"A request has at most {BODY_SIZE_MAX} bytes.")
    if service.protocol == "json":
        operation = json11.operation_of(service, target)
        with _known(operation):
            return Request(operation, json11.parameters_of(operation, body))
    fields = query.fields_of(query_string, body)
    operation = query.operation_of(service, fields)
    with _known(operation):
        return Request(operation, query.parameters_of(operation, fields))


@contextmanager
def _known(operation: Operation) -> Iterator[None]:
    try:
        yield
    except WireError as refusal:
        refusal.operation = operation
        raise


def answer(operation: Operation, output: Mapping[str, Any], request_id: str) -> Reply:
    """Raises OutputMistake where the output is not that of the operation's model."""
    if operation.service.protocol == "json":
        return Reply(200, _headers(json11.CONTENT_TYPE, request_id), json11.answer(operation, output))
    return Reply(
        200,
        _headers(xml_answers.CONTENT_TYPE, request_id),
        xml_answers.answer(operation, output, request_id),
    )


def refuse(service: Service | None, code: str, status: int, message: str, request_id: str) -> Reply:
    """A refusal of any kind in the service's protocol; without a service, as AWS's front door says it in XML."""
    if service is not None and service.protocol == "json":
        if code in IN_JSON:
            code, status = IN_JSON[code], 400
        return Reply(status, _headers(json11.CONTENT_TYPE, request_id), said_in_json(code, message))
    body = said_in_xml(service, code, status, message, request_id)
    return Reply(status, _headers(xml_answers.CONTENT_TYPE, request_id), body)


def _headers(content_type: str, request_id: str) -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": request_id}
