"""The operators of conditions: what a policy's values ask of one value of a request.

Source: IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from ledger.policy.patterns import NO_TEXT, Part, Test, any_of, arn_source, compiled, glob_test
from ledger.policy.variables import plain

REMEMBERED_MAX = 4_096
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d\d", re.ASCII)
_TRUTHS = ("true", "false")

Written = Sequence[Part]
"""A policy's value, of which variables are filled in."""


class BadValue(ValueError):
    """A value of a policy is not of the kind that its operator compares."""


@dataclass(frozen=True, slots=True)
class Operator:
    """`tests` makes of a policy's values the test of one value of a request.

    A negated operator is true of a value for which the test is false. `textual` ones may hold variables.
    """

    tests: Callable[[Sequence[Written]], Test]
    negated: bool = False
    textual: bool = False


def _equal(values: Sequence[Written]) -> Test:
    return frozenset(map(plain, values)).__contains__


def _equal_ignoring_case(values: Sequence[Written]) -> Test:
    wanted = frozenset(plain(value).casefold() for value in values)
    return lambda value: value.casefold() in wanted


def _like(values: Sequence[Written]) -> Test:
    return any_of(list(map(glob_test, values)))


def _arn_like(values: Sequence[Written]) -> Test:
    source = "|".join(map(arn_source, values)) or NO_TEXT
    return lambda value: compiled(source).fullmatch(value)  # made when it is first needed


def _true_or_false(values: Sequence[Written]) -> Test:
    wanted = frozenset(plain(value).lower() for value in values)
    for value in wanted:
        if value not in _TRUTHS:
            raise BadValue(f"{value!r} is neither true nor false")
    return lambda value: value.lower() in wanted


def _binary_equal(values: Sequence[Written]) -> Test:
    wanted = frozenset(map(_bytes, map(plain, values)))
    if None in wanted:
        raise BadValue("a value is not base64")
    return lambda value: _bytes(value) in wanted


def _within(values: Sequence[Written]) -> Test:
    networks = [_network(plain(value)) for value in values]
    return lambda value: _inside(value, networks)


def _compared(
    read: Callable[[str], float | None], holds: Callable[[float, float], bool], kind: str
) -> Callable[[Sequence[Written]], Test]:
    def tests(values: Sequence[Written]) -> Test:
        bounds = []
        for text in map(plain, values):
            bound = read(text)
            if bound is None:
                raise BadValue(f"{text!r} is no {kind}")
            bounds.append(bound)

        def test(value: str) -> bool:
            found = read(value)
            return found is not None and any(holds(found, bound) for bound in bounds)

        return test

    return tests


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


@lru_cache(maxsize=REMEMBERED_MAX)
def seconds_of(text: str) -> float | None:
    """Seconds since 1970 of epoch seconds, or of an ISO 8601 date or time; UTC where no zone is told.

    Of a month (the form YYYY-MM of W3C's profile of ISO 8601) the beginning is meant.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=REMEMBERED_MAX)
def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise BadValue(f"{text!r} is no address and no network (CIDR)") from None


@lru_cache(maxsize=REMEMBERED_MAX)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _inside(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


_COMPARISONS = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def _operators() -> dict[str, Operator]:
    found: dict[str, Operator] = {}
    for name, negated_name, tests, textual in (
        ("StringEquals", "StringNotEquals", _equal, True),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _equal_ignoring_case, True),
        ("StringLike", "StringNotLike", _like, True),
        ("ArnEquals", "ArnNotEquals", _arn_like, True),
        ("ArnLike", "ArnNotLike", _arn_like, True),
        ("NumericEquals", "NumericNotEquals", _compared(_number, operator.eq, "number"), False),
        ("DateEquals", "DateNotEquals", _compared(seconds_of, operator.eq, "date"), False),
        ("IpAddress", "NotIpAddress", _within, False),
    ):
        found[name] = Operator(tests, textual=textual)
        found[negated_name] = Operator(tests, negated=True, textual=textual)
    for ending, holds in _COMPARISONS.items():
        found[f"Numeric{ending}"] = Operator(_compared(_number, holds, "number"))
        found[f"Date{ending}"] = Operator(_compared(seconds_of, holds, "date"))
    found["Bool"] = Operator(_true_or_false)
    found["BinaryEquals"] = Operator(_binary_equal)
    return found


OPERATORS = _operators()
NULL = "Null"  # asks whether a key is there, and compares nothing
