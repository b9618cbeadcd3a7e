"""JSON text to values, or a clear reason why not. What comes out can be written again, and is what was written.

Of a key that stands twice in one object the last counts, as for every common reader of JSON. A number is what an
IEEE double or a 64-bit integer can hold; one that would lose digits is turned away.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import orjson

from ledger.intake.rejects import Reason

# Digits and points to "0", all else to a blank: eighteen zeros in a row may be a number that is too long.
_DIGITS: Final = bytes(48 if chr(byte) in "0123456789." else 32 for byte in range(256))
_LONG: Final = b"0" * 18
_BEFORE_NUMBER: Final = frozenset(b" \t\r\n:,[-")
_AFTER_NUMBER: Final = frozenset(b" \t\r\n,]}eE")
_ORJSON_DEPTH_MAX: Final = 1024
_LONG_BYTES: Final = 32_768  # so long a text has more brackets than may be nested, as a rule


class Undecodable(ValueError):
    """This text is no JSON that can be kept. `at` is the offset in characters, where it is known."""

    def __init__(self, reason: Reason, detail: str, at: int | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.at = at


def decode(text: bytes, *, depth_max: int) -> Any:
    """The value of a JSON text; raises Undecodable."""
    try:
        if len(text) > _LONG_BYTES or text.count(b"{") + text.count(b"[") > depth_max:
            value = _decode_shallow(text, depth_max)
        else:
            value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _undecodable(error, depth_max) from error
    if may_hold_long_number(text):
        _refuse_inexact(text)
    return value


def may_hold_long_number(text: bytes) -> bool:
    """Whether there are many digits in a row and no quotes around them. Quick, for every record is asked."""
    digits = text.translate(_DIGITS)
    at = digits.find(_LONG)
    while at >= 0:
        end = digits.find(b" ", at)
        if (at == 0 or text[at - 1] in _BEFORE_NUMBER) and (end < 0 or text[end] in _AFTER_NUMBER):
            return True
        at = digits.find(_LONG, end) if end >= 0 else -1
    return False


def _decode_shallow(text: bytes, depth_max: int) -> Any:
    """orjson counts levels, to a limit of its own: so much is put around the text that ours is reached with it."""
    around = _ORJSON_DEPTH_MAX - depth_max
    try:
        value = orjson.loads(b"".join((b"[" * around, text, b"]" * around)))
        for _ in range(around):
            (value,) = value
    except ValueError as error:
        if isinstance(error, orjson.JSONDecodeError) and "depth limit" in error.msg:
            raise
        return orjson.loads(text)  # fails too, and names the right place
    return value


def _undecodable(error: orjson.JSONDecodeError, depth_max: int) -> Undecodable:
    message = error.msg
    if "depth limit" in message:
        return Undecodable(Reason.TOO_DEEP, f"nested more than {depth_max} levels deep")
    if "not valid UTF-8" in message:
        return Undecodable(Reason.NOT_UTF8, "not valid UTF-8")
    return Undecodable(Reason.MALFORMED, message, error.pos)


def _refuse_inexact(text: bytes) -> None:
    try:
        json.loads(text, parse_int=_exact_integer, parse_float=_exact_float)
    except RecursionError as error:
        raise Undecodable(Reason.TOO_DEEP, "nested too deep") from error


def _exact_integer(digits: str) -> None:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise Undecodable(Reason.INEXACT_NUMBER, f"an integer of {len(digits)} digits is beyond 64 bits")


def _exact_float(digits: str) -> None:
    significant = digits.lower().partition("e")[0].replace(".", "").lstrip("-0")
    if len(significant) <= 17:  # enough to tell every double from its neighbours
        return
    if len(significant) > 800 or Decimal(digits) != Decimal(repr(float(digits))):
        raise Undecodable(Reason.INEXACT_NUMBER, "a number has more digits than a double can hold")
