"""Condition operators, and which policy values each of them takes.

Source: IAM user guide, "IAM JSON policy elements: Condition operators". Names are exactly as AWS writes them.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import date
from ipaddress import ip_network
from typing import Any

SET_OPERATORS = ("ForAllValues:", "ForAnyValue:")
IF_EXISTS = "IfExists"
EPOCH_DIGITS_MAX = 18  # milliseconds too, for millions of years

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
# A W3C date (a profile of ISO 8601): the year alone, or any more of it; the user guide refers to this profile.
_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?)?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(rf"-?\d{{1,{EPOCH_DIGITS_MAX}}}", re.ASCII)
_NETWORK = re.compile(r"[0-9A-Fa-f.:]+(/\d{1,3})?", re.ASCII)


def takes(operator: str, value: Any) -> bool:
    """Whether an operator that exists takes the value: a string, a number or a boolean of the document."""
    return _OPERATORS[bare(operator)](value)


def exists(operator: str) -> bool:
    name = bare(operator)
    # Null asks for presence itself: neither "if it exists" nor "for all its values" can qualify that.
    return name in _OPERATORS and (name != "Null" or operator == name)


def bare(operator: str) -> str:
    """The operator without ForAllValues:, ForAnyValue: and IfExists."""
    if operator.startswith(SET_OPERATORS):
        operator = operator.partition(":")[2]
    return operator.removesuffix(IF_EXISTS)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**EPOCH_DIGITS_MAX
    found = _DATE.fullmatch(value)
    if found is None:
        return _EPOCH.fullmatch(value) is not None
    try:
        date(int(found["year"]), int(found["month"] or 1), int(found["day"] or 1))
    except ValueError:
        return False
    return True


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))


def _is_network(value: Any) -> bool:
    if not isinstance(value, str) or not _NETWORK.fullmatch(value):
        return False
    try:
        ip_network(value, strict=False)  # AWS takes 192.0.2.1/24
    except ValueError:
        return False
    return True


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_COMPARISONS = (
    "Equals",
    "NotEquals",
    "LessThan",
    "LessThanEquals",
    "GreaterThan",
    "GreaterThanEquals",
)
_OPERATORS: dict[str, Callable[[Any], bool]] = {
    "StringEquals": _is_scalar,
    "StringNotEquals": _is_scalar,
    "StringEqualsIgnoreCase": _is_scalar,
    "StringNotEqualsIgnoreCase": _is_scalar,
    "StringLike": _is_scalar,
    "StringNotLike": _is_scalar,
    **{f"Numeric{comparison}": _is_number for comparison in _COMPARISONS},
    **{f"Date{comparison}": _is_date for comparison in _COMPARISONS},
    "Bool": _is_boolean,
    "BinaryEquals": _is_base64,
    "IpAddress": _is_network,
    "NotIpAddress": _is_network,
    "ArnEquals": _is_text,
    "ArnNotEquals": _is_text,
    "ArnLike": _is_text,
    "ArnNotLike": _is_text,
    "Null": _is_boolean,
}
