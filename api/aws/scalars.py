"""What both protocols hold of single values: the width of integers, which times there are, and bytes as text."""

from __future__ import annotations

import base64
import binascii
from typing import Final

_BITS: Final = {"integer": 31, "long": 63}


def integer_in_range(kind: str, value: int) -> bool:
    limit: int = 1 << _BITS[kind]
    return -limit <= value < limit


def time_in_range(seconds: float) -> bool:
    """Whether a calendar has it: years 1 to 9999."""
    return -62_135_596_800 <= seconds < 253_402_300_800


def bytes_of(text: str) -> bytes | None:
    """None if the text is not Base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
