"""Requests of the AWS Query protocol: a form, in the body or behind the question mark, becomes parameters by the model.

    fields = fields_of(query_string, body)
    operation = operation_of(service, fields)      # InvalidAction, MissingAction
    parameters = parameters_of(operation, fields)  # MalformedInput

Lists are `Tags.member.1.Key`, maps `M.entry.1.key` and `M.entry.1.value`, and `Tags=` is the empty list. Names that the
operation does not know are no parameters and are passed over, as AWS does: a signed URL has its signature among them.
Time and memory are linear in the size of the request, whatever numbers stand in its names. Timestamps become seconds
since 1970. Source: Smithy, "AWS query protocol".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

from api.aws.models import Operation, Service, Shape
from api.aws.refusing import WireError
from api.aws.scalars import bytes_of, integer_in_range, time_in_range

FIELDS_MAX: Final = 10_000
SHOWN_MAX = 100  # characters of a stranger's words in a message

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ITEM: Final = re.compile(r"member\.([1-9][0-9]{0,8})(?:\.(.+))?", re.DOTALL)
_ENTRY: Final = re.compile(r"entry\.([1-9][0-9]{0,8})\.(key|value(?:\..+)?)", re.DOTALL)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")

Fields = Mapping[str, str]
Read = Callable[[str, Fields], Any]
"""The value of a shape, of the fields beneath its name; "" is the name itself. The name is for messages."""


def fields_of(*forms: bytes) -> dict[str, str]:
    """Fields of `application/x-www-form-urlencoded` texts. A name that comes twice is refused: who signs a request and
    who reads it must not understand different values.

    Raises WireError.
    """
    fields: dict[str, str] = {}
    for form in forms:
        if not form:
            continue
        if form.count(b"&") >= FIELDS_MAX:
            raise _bad_form(f"There are more than {FIELDS_MAX} parameters.")
        if _BAD_ESCAPE.search(form):
            raise _bad_form("A percent sign is not followed by two hexadecimal digits.")
        for piece in form.replace(b"+", b" ").split(b"&"):
            if not piece:
                continue
            name, _, value = piece.partition(b"=")
            try:
                told = (unquote_to_bytes(name) if b"%" in name else name).decode()
                text = (unquote_to_bytes(value) if b"%" in value else value).decode()
            except UnicodeDecodeError:
                raise _bad_form("The request is not encoded in UTF-8.") from None
            if told in fields:
                raise _bad_form(f"The parameter {_shown(told)} is given more than once.")
            fields[told] = text
    return fields


def operation_of(service: Service, fields: Fields) -> Operation:
    """Raises WireError."""
    action = fields.get("Action")
    if not action:
        raise WireError("MissingAction", 400, "The request is missing an action or a required parameter.")
    version = fields.get("Version") or "NO_VERSION_SPECIFIED"
    found = service.operation(action) if version == service.version else None
    if found is None:
        raise WireError(
            "InvalidAction", 400, f"Could not find operation {_shown(action)} for version {_shown(version)}"
        )
    return found


def parameters_of(operation: Operation, fields: Fields) -> dict[str, Any]:
    """Raises WireError."""
    parameters: dict[str, Any] = _reader(operation.input)("", fields)
    return parameters


@cache
def _reader(shape: Shape) -> Read:
    match shape.kind:
        case "structure":
            return _structure_reader(shape)
        case "list":
            return _list_reader(shape)
        case "map":
            return _map_reader(shape)
        case _:
            return _scalar_reader(_CONVERT[shape.kind])


def _structure_reader(shape: Shape) -> Read:
    scalars = {
        name: _CONVERT[member.kind] for name, member in shape.members.items() if member.kind in _CONVERT
    }
    compounds = {
        name: _reader(member) for name, member in shape.members.items() if member.kind not in _CONVERT
    }

    def read(path: str, fields: Fields) -> dict[str, Any]:
        if path and fields.get(""):
            _refuse_text(path)
        told: dict[str, Any] = {}
        beneath: dict[str, dict[str, str]] = {}
        for name, text in fields.items():
            convert = scalars.get(name)
            if convert is not None:
                told[name] = convert(f"{path}.{name}" if path else name, text)
                continue
            head, dot, rest = name.partition(".")
            if head in compounds:
                beneath.setdefault(head, {})[rest or dot] = text
            elif head in scalars:
                raise _malformed(
                    f"Start of structure or map found where not expected: {_shown(f'{path}.{name}' if path else name)}"
                )
        for name, inner in beneath.items():
            told[name] = compounds[name](f"{path}.{name}" if path else name, inner)
        return told

    return read


def _list_reader(shape: Shape) -> Read:
    assert shape.item is not None
    item = _reader(shape.item)

    def read(path: str, fields: Fields) -> list[Any]:
        if _nothing(path, fields):
            return []
        items: dict[int, dict[str, str]] = {}
        for name, text in fields.items():
            found = _ITEM.fullmatch(name)
            if found is None:
                raise _malformed(f"Not an element of a list: {_shown(f'{path}.{name}')}")
            beneath = items.setdefault(int(found[1]), {})
            beneath[found[2] or ""] = text
        return [item(f"{path}.member.{number}", items[number]) for number in sorted(items)]

    return read


def _map_reader(shape: Shape) -> Read:
    assert shape.item is not None
    read_value = _reader(shape.item)

    def read(path: str, fields: Fields) -> dict[str, Any]:
        if _nothing(path, fields):
            return {}
        keys: dict[int, str] = {}
        values: dict[int, dict[str, str]] = {}
        for name, text in fields.items():
            found = _ENTRY.fullmatch(name)
            if found is None:
                raise _malformed(f"Not an entry of a map: {_shown(f'{path}.{name}')}")
            if found[2] == "key":
                keys[int(found[1])] = text
            else:
                values.setdefault(int(found[1]), {})[found[2][len("value.") :]] = text
        if keys.keys() != values.keys():
            raise _malformed(f"An entry of a map needs a key and a value: {_shown(path)}")
        if len(set(keys.values())) < len(keys):
            raise _malformed(f"A key is given more than once: {_shown(path)}")
        return {
            keys[number]: read_value(f"{path}.entry.{number}.value", values[number])
            for number in sorted(keys)
        }

    return read


def _nothing(path: str, fields: Fields) -> bool:
    """Whether the name stands there alone, with nothing behind it."""
    text = fields.get("")
    if text:
        _refuse_text(path)
    return text is not None and len(fields) == 1


def _scalar_reader(convert: Callable[[str, str], Any]) -> Read:
    def read(path: str, fields: Fields) -> Any:
        if fields.keys() != {""}:
            raise _malformed(f"Start of structure or map found where not expected: {_shown(path)}")
        return convert(path, fields[""])

    return read


def _string(path: str, text: str) -> str:
    return text


def _boolean(path: str, text: str) -> bool:
    plain = text.lower()
    if plain not in ("true", "false"):
        raise _malformed(f"Expected true or false at {_shown(path)}")
    return plain == "true"


def _integer(path: str, text: str) -> int:
    return _whole(path, text, "integer")


def _long(path: str, text: str) -> int:
    return _whole(path, text, "long")


def _whole(path: str, text: str, kind: str) -> int:
    value = int(text) if _INTEGER.fullmatch(text) else None
    if value is None or not integer_in_range(kind, value):
        raise _malformed(f"Expected an integer at {_shown(path)}")
    return value


def _timestamp(path: str, text: str) -> int | float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(f"Expected a time in ISO 8601 at {_shown(path)}") from None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not time_in_range(seconds):
        raise _malformed(f"There is no such time as at {_shown(path)}")
    return int(seconds) if seconds.is_integer() else seconds


def _blob(path: str, text: str) -> bytes:
    value = bytes_of(text)
    if value is None:
        raise _malformed(f"Expected Base64 at {_shown(path)}")
    return value


_CONVERT: Final[dict[str, Callable[[str, str], Any]]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "long": _long,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _refuse_text(path: str) -> NoReturn:
    raise _malformed(f"Expected a structure, a list or a map at {_shown(path)}")


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def _malformed(message: str) -> WireError:
    return WireError("MalformedInput", 400, message)


def _bad_form(message: str) -> WireError:
    # 404 is what AWS documents for it
    return WireError("MalformedQueryString", 404, message)
