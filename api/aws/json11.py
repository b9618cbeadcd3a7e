"""Requests and answers of the AWS JSON protocol 1.1, which CloudTrail speaks.

    operation = operation_of(service, target)           # UnknownOperationException
    parameters = parameters_of(operation, body)         # SerializationException
    body = answer(operation, output)

Members that the operation does not know are passed over, as AWS does; null is the same as absent. Timestamps are numbers
of seconds since 1970. Source: Smithy, "AWS JSON 1.1 protocol".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson

from api.aws.models import Operation, Service, Shape
from api.aws.outputs import check_members
from api.aws.refusing import WireError
from api.aws.scalars import bytes_of, integer_in_range, time_in_range

CONTENT_TYPE: Final = "application/x-amz-json-1.1"

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]


def operation_of(service: Service, target: str | None) -> Operation:
    """`target` is the header X-Amz-Target. AWS's own name of the service may stand in it with its packages or without:
    `com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents`, `CloudTrail_20131101.LookupEvents`.

    Raises WireError.
    """
    prefix, _, name = (target or "").rpartition(".")
    full = service.target or ""
    found = service.operation(name) if prefix in (full, full.rpartition(".")[2]) else None
    if found is None:
        raise WireError("UnknownOperationException", 400, "")
    return found


def parameters_of(operation: Operation, body: bytes) -> dict[str, Any]:
    """Raises WireError."""
    try:
        told = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise _unserializable("The request is not valid JSON.") from None
    parameters: dict[str, Any] = _reader(operation.input)(told)
    return parameters


def answer(operation: Operation, output: Mapping[str, Any]) -> bytes:
    """Raises OutputMistake where the output is not that of the model."""
    return orjson.dumps(_writer(operation.output)(output))


@cache
def _reader(shape: Shape) -> Read:
    match shape.kind:
        case "structure":
            members = {name: _reader(member) for name, member in shape.members.items()}

            def read_structure(told: Any) -> dict[str, Any]:
                if not isinstance(told, dict):
                    raise _unserializable("Expected a structure.")
                return {
                    name: members[name](value)
                    for name, value in told.items()
                    if name in members and value is not None
                }

            return read_structure
        case "list":
            assert shape.item is not None
            read_item = _reader(shape.item)

            def read_list(told: Any) -> list[Any]:
                if not isinstance(told, list):
                    raise _unserializable("Expected a list.")
                return [read_item(value) for value in told]

            return read_list
        case "map":
            assert shape.item is not None
            read_value = _reader(shape.item)

            def read_map(told: Any) -> dict[str, Any]:
                if not isinstance(told, dict):
                    raise _unserializable("Expected a map.")
                return {key: read_value(value) for key, value in told.items()}

            return read_map
        case _:
            return _READ[shape.kind]


def _string(told: Any) -> str:
    if not isinstance(told, str):
        raise _unserializable("Expected a string.")
    return told


def _boolean(told: Any) -> bool:
    if not isinstance(told, bool):
        raise _unserializable("Expected true or false.")
    return told


def _integer(told: Any) -> int:
    return _whole(told, "integer")


def _long(told: Any) -> int:
    return _whole(told, "long")


def _whole(told: Any, kind: str) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not integer_in_range(kind, told):
        raise _unserializable("Expected an integer.")
    return told


def _number(told: Any) -> int | float:
    if isinstance(told, bool) or not isinstance(told, int | float):
        raise _unserializable("Expected a number.")
    return told


def _timestamp(told: Any) -> int | float:
    seconds = _number(told)
    if not time_in_range(seconds):
        raise _unserializable("There is no such time.")
    return int(seconds) if seconds == int(seconds) else seconds


def _blob(told: Any) -> bytes:
    value = bytes_of(told) if isinstance(told, str) else None
    if value is None:
        raise _unserializable("Expected Base64.")
    return value


_READ: Final[dict[str, Read]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "long": _long,
    "float": _number,
    "double": _number,
    "timestamp": _timestamp,
    "blob": _blob,
}


@cache
def _writer(shape: Shape) -> Write:
    match shape.kind:
        case "structure":
            members = {name: _writer(member) for name, member in shape.members.items()}

            def write_structure(value: Mapping[str, Any]) -> dict[str, Any]:
                check_members(shape, value)
                return {name: members[name](inner) for name, inner in value.items() if inner is not None}

            return write_structure
        case "list":
            assert shape.item is not None
            write_item = _writer(shape.item)
            return lambda value: [write_item(inner) for inner in value]
        case "map":
            assert shape.item is not None
            write_value = _writer(shape.item)
            return lambda value: {key: write_value(inner) for key, inner in value.items()}
        case "blob":
            return lambda value: base64.b64encode(value).decode()
        case _:
            return lambda value: value


def _unserializable(message: str) -> WireError:
    return WireError("SerializationException", 400, message)
