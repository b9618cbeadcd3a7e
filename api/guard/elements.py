"""What a request and an answer say, by name: the elements that rules speak of. Bodies are read once, and bounded."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Message, Receive


class TooLarge(Exception):
    """The body has more bytes than are read."""


class Ambiguous(Exception):
    """What the request says can be taken in two ways. The message says what."""


class Gone(Exception):
    """The client has closed the connection."""


async def whole_body(receive: Receive, bytes_max: int) -> bytes:
    """Raises TooLarge or Gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for whoever comes after; then what the server has to say."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def elements_of(
    path: Mapping[str, Any], query: bytes, body: bytes | None, *, single: Container[str]
) -> dict[str, Any]:
    """The path's go before all others. A name that stands twice in a query is a list.

    Raises Ambiguous where one of `single` has two values, or the body is no JSON object: the guard and the handler could
    take it differently, and the one be asked what the other does not do.
    """
    found: dict[str, Any] = {}
    if body:
        told = object_of(body)
        if told is None:
            raise Ambiguous("the body is no JSON object")
        found.update(told)
    asked: dict[str, Any] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if (name in asked or name in found) and name in single and name not in path:
            raise Ambiguous(f"{name} is told twice")
        if name in asked:
            before = asked[name]
            asked[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            asked[name] = value
    return found | asked | {name: _plain(value) for name, value in path.items()}


def object_of(body: bytes) -> dict[str, Any] | None:
    """The JSON object; None for anything else."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def chosen(elements: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any] | None:
    """Those of these names that there are."""
    return {name: elements[name] for name in names if elements.get(name) is not None} or None


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else str(value)
