"""Time-based one-time codes: RFC 6238 with SHA-1, 30 seconds, 6 digits, as AWS's MFA devices have them."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from typing import Final

import pyotp

STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1  # each way; RFC 6238, 5.2
SEED_BYTES_MIN: Final = 10
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def step_of(code: str, seed: str, at: float) -> int | None:
    """The step near the time `at` whose code this is; the earliest, in the rare case that there are two."""
    now = int(at) // STEP_SECONDS
    return _first(range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1), [code], seed)


def step_of_pair(first: str, second: str, seed: str, at: float) -> int | None:
    """The second's step, where the codes are of two steps in a row. The first may be one step older than elsewhere,
    for whoever types two codes has waited for the second.
    """
    now = int(at) // STEP_SECONDS
    found = _first(range(now - DRIFT_STEPS - 1, now + DRIFT_STEPS), [first, second], seed)
    return None if found is None else found + 1


def _first(steps: Iterable[int], codes: list[str], seed: str) -> int | None:
    if not all(_CODE.fullmatch(code) for code in codes):
        return None
    device = pyotp.TOTP(seed)
    for step in steps:
        wanted = "".join(device.generate_otp(step + number) for number in range(len(codes)))
        if hmac.compare_digest(wanted, "".join(codes)):
            return step
    return None


def is_seed(text: str) -> bool:
    """Base32 of at least 80 bits."""
    try:
        return len(base64.b32decode(text + "=" * (-len(text) % 8))) >= SEED_BYTES_MIN
    except (binascii.Error, ValueError):
        return False
