"""Answers of the AWS Query protocol: an operation's output as XML, by the model.

    <GetUserResponse xmlns="…"><GetUserResult><User>…</User></GetUserResult>
    <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></GetUserResponse>

Members stand in the model's order, lists as `<member>`, maps as `<entry>`, bytes as Base64; times are seconds since 1970
and are written in UTC to the second. None is absent, an empty list is an empty element. Source: Smithy, "AWS query
protocol"; held against botocore's parser in the tests.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from api.aws.models import Operation, Shape
from api.aws.outputs import check_members
from api.aws.xml_text import escaped

CONTENT_TYPE: Final = "text/xml"

Write = Callable[[Any], str]


def answer(operation: Operation, output: Mapping[str, Any], request_id: str) -> bytes:
    """Raises OutputMistake where the output is not that of the model."""
    before, behind = _frame(operation)
    return f"{before}{_writer(operation.output)(output)}{behind[0]}{escaped(request_id)}{behind[1]}".encode()


@cache
def _frame(operation: Operation) -> tuple[str, tuple[str, str]]:
    name, result = operation.name, operation.result
    before = f'<{name}Response xmlns="{operation.service.namespace}">'
    behind = "<ResponseMetadata><RequestId>"
    if result is not None:
        before, behind = f"{before}<{result}>", f"</{result}>{behind}"
    return before, (behind, f"</RequestId></ResponseMetadata></{name}Response>")


@cache
def _writer(shape: Shape) -> Write:
    match shape.kind:
        case "structure":
            return _structure_writer(shape)
        case "list":
            assert shape.item is not None
            write_item = _writer(shape.item)
            return lambda value: "".join([f"<member>{write_item(item)}</member>" for item in value])
        case "map":
            assert shape.key is not None
            assert shape.item is not None
            write_key, write_value = _writer(shape.key), _writer(shape.item)
            return lambda value: "".join(
                [
                    f"<entry><key>{write_key(key)}</key><value>{write_value(inner)}</value></entry>"
                    for key, inner in value.items()
                ]
            )
        case _:
            return _WRITE[shape.kind]


def _structure_writer(shape: Shape) -> Write:
    members = [(name, _writer(member)) for name, member in shape.members.items()]

    def write(value: Mapping[str, Any]) -> str:
        check_members(shape, value)
        return "".join(
            [
                f"<{name}>{write_member(inner)}</{name}>"
                for name, write_member in members
                if (inner := value.get(name)) is not None
            ]
        )

    return write


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _timestamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


_WRITE: Final[dict[str, Write]] = {
    "string": escaped,
    "boolean": _boolean,
    "integer": str,
    "timestamp": _timestamp,
    "blob": _blob,
}
