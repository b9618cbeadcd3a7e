"""The context of a simulation: condition keys with their values, each of the type that the caller says it has."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ledger.iam.refusals import InvalidInput
from ledger.policy.operators import seconds_of

LIST: Final = "List"


def context_of(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The values by key in lower case; a key without values is absent. Raises InvalidInput."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name, kind = entry.get("ContextKeyName", ""), entry.get("ContextKeyType", "stringList")
        values = tuple(entry.get("ContextKeyValues", ()))
        if len(values) > 1 and not kind.endswith(LIST):
            raise InvalidInput(f"Context key {name} of type {kind} has more than one value.")
        fits = _FITS[kind.removesuffix(LIST)]
        for value in values:
            if not fits(value):
                raise InvalidInput(f"Value {value} of context key {name} is not of type {kind}.")
        if values:
            found[name.lower()] = values
    return found


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_FITS: Mapping[str, Callable[[str], bool]] = {
    "string": lambda value: True,
    "numeric": _is_number,
    "boolean": lambda value: value.lower() in ("true", "false"),
    "ip": _is_address,
    "binary": _is_base64,
    "date": lambda value: seconds_of(value) is not None,
}
