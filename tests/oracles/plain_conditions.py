"""Conditions of a statement, straight from the documentation.

Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys or
values", "Single-valued vs. multivalued context keys". The tables stand in the order of the documentation.
"""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracles.plain_text import Context, Unresolved, literally, resolve, wildcards


class NotOfItsType(ValueError):
    """A text that is no number, date, address … where the operator compares such."""


def text_of(value: Any) -> str:
    """Policy and context may write numbers and booleans without quotation marks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def list_of(value: Any) -> list[Any]:
    """If only one value is included, the brackets are optional ("Grammar of the IAM JSON policy language")."""
    return value if isinstance(value, list) else [value]


@functools.cache
def number(text: str) -> Decimal:
    """An integer or decimal value."""
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise NotOfItsType(f"no number: {text!r}")
    return Decimal(text)


W3C_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?"
)


@functools.cache
def date(text: str) -> Decimal:
    """Seconds of UNIX time, from "one of the W3C implementations of the ISO 8601 date formats or epoch time"."""
    found = W3C_DATE.fullmatch(text)
    if not found:
        try:
            return number(text)
        except NotOfItsType:
            raise NotOfItsType(f"no date: {text!r}") from None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    day_and_time = [int(part) for part in (year, month or 1, day or 1, hour or 0, minute or 0, second or 0)]
    try:
        moment = datetime(*day_and_time, tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        raise NotOfItsType(f"no date: {text!r}") from None
    if zone and zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        moment += offset if zone[0] == "-" else -offset
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds + Decimal(fraction or 0)


def boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise NotOfItsType(f"neither true nor false: {text!r}")
    return text.lower() == "true"


def binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NotOfItsType(f"no base64: {text!r}") from None


@functools.cache
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """CIDR; an address without a prefix length is that address alone."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise NotOfItsType(f"no range of addresses: {text!r}") from None


@functools.cache
def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise NotOfItsType(f"no address: {text!r}") from None


def arn(text: str) -> list[str]:
    """The six parts; the sixth is the rest and may hold colons."""
    parts = text.split(":", 5)
    if len(parts) != 6:
        raise NotOfItsType(f"no ARN: {text!r}")
    return parts


def arn_like(pattern: str, value: str) -> bool:
    # "Each of the six colon-delimited components of the ARN is checked separately and each can include
    # multi-character match wildcards (*) or single-character match wildcards (?)."
    return all(
        wildcards(part).fullmatch(of_value) for part, of_value in zip(arn(pattern), arn(value), strict=True)
    )


# How a value of the policy and a value of the request compare: (policy's, request's).
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    # "String condition operators"
    "StringEquals": lambda wanted, given: literally(wanted) == given,
    "StringEqualsIgnoreCase": lambda wanted, given: literally(wanted).lower() == given.lower(),
    "StringLike": lambda wanted, given: wildcards(wanted).fullmatch(given) is not None,
    # "Numeric condition operators"
    "NumericEquals": lambda wanted, given: number(given) == number(wanted),
    "NumericLessThan": lambda wanted, given: number(given) < number(wanted),
    "NumericLessThanEquals": lambda wanted, given: number(given) <= number(wanted),
    "NumericGreaterThan": lambda wanted, given: number(given) > number(wanted),
    "NumericGreaterThanEquals": lambda wanted, given: number(given) >= number(wanted),
    # "Date condition operators"
    "DateEquals": lambda wanted, given: date(given) == date(wanted),
    "DateLessThan": lambda wanted, given: date(given) < date(wanted),
    "DateLessThanEquals": lambda wanted, given: date(given) <= date(wanted),
    "DateGreaterThan": lambda wanted, given: date(given) > date(wanted),
    "DateGreaterThanEquals": lambda wanted, given: date(given) >= date(wanted),
    # "Boolean condition operators"
    "Bool": lambda wanted, given: boolean(wanted) == boolean(given),
    # "Binary condition operators"
    "BinaryEquals": lambda wanted, given: binary(wanted) == binary(given),
    # "IP address condition operators"; `in` is false between the two families
    "IpAddress": lambda wanted, given: address(given) in network(wanted),
    # "Amazon Resource Name (ARN) condition operators": ArnEquals and ArnLike behave identically
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
# What a value in the policy must be, by the beginning of the comparison's name. Strings may be anything.
TYPES: dict[str, Callable[[str], object]] = {
    "Numeric": number,
    "Date": date,
    "Bool": boolean,
    "Binary": binary,
    "IpAddress": network,
    "Null": boolean,
}
OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(.+?)(IfExists)?")


@functools.cache
def operator(name: str) -> tuple[str | None, str, bool, bool] | None:
    """Its set operator, its comparison, whether negated, whether …IfExists; or None where AWS knows none such."""
    if name == "Null":
        return None, "Null", False, False
    found = OPERATOR.fullmatch(name)
    if not found:
        return None
    every, comparison, if_exists = found.groups()
    positive = NEGATED.get(comparison, comparison)
    if positive not in COMPARISONS:
        return None
    return every, positive, comparison in NEGATED, if_exists is not None


def holds(condition: dict[str, Any], version: str | None, context: Context) -> bool:
    """All operators, and all keys in each: AND."""
    return all(
        key_holds(name, list_of(wanted), context.get(key.lower()), version, context)
        for name, keys in condition.items()
        for key, wanted in keys.items()
    )


def key_holds(
    name: str, wanted: list[Any], given: list[str] | None, version: str | None, context: Context
) -> bool:
    known = operator(name)
    assert known is not None, name
    every, comparison, negated, if_exists = known
    if comparison == "Null":
        # "use either true (the key doesn't exist, it is null) or false (the key exists and its value is not null)"
        return any(boolean(text_of(value)) == (not given) for value in wanted)
    if given is None or (not given and every is None):
        # "If the key is not present, evaluate the condition element as true."
        if if_exists:
            return True
        # ForAllValues "also returns true if there are no context keys in the request", ForAnyValue "false".
        if every is not None:
            return every == "ForAllValues"
        # "If the key that you specify in a policy condition is not present in the request context, the values do
        # not match and the condition is false. If the policy condition requires that the key is not matched, such
        # as StringNotLike or ArnNotLike, and the right key is not present, the condition is true."
        return negated
    # The values of a condition are ORed; of a negated one NORed.
    satisfied = [
        any(matches(comparison, text_of(value), one, version, context) for value in wanted) is not negated
        for one in given
    ]
    if every == "ForAllValues":
        return all(satisfied)
    if every == "ForAnyValue":
        return any(satisfied)
    # Several values without a set operator: AWS leaves it open. Here one value may satisfy a positive operator, and
    # none may be what a negated one excludes.
    return all(satisfied) if negated else any(satisfied)


def matches(comparison: str, wanted: str, given: str, version: str | None, context: Context) -> bool:
    try:
        # "You can use a policy variable for Condition values in any condition that involves the string operators
        # or the ARN operators."
        if comparison.startswith(("String", "Arn")):
            wanted = resolve(wanted, version, context)
        return COMPARISONS[comparison](wanted, given)
    except (NotOfItsType, Unresolved):
        return False
