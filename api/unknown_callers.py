"""Calls by whom nobody is known: counted, by reason, and not recorded, lest strangers fill the log.

Nothing that they say of themselves is kept, so there are as many counters as reasons, whatever is sent.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from ledger.record import format_time

TOLD_EVERY_SECONDS: Final = 60
LOG: Final = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why nobody is known: AWS's code, as the caller was told it."""

    NO_CREDENTIAL = "MissingAuthenticationToken"
    INCOMPLETE = "IncompleteSignature"
    MISMATCH = "SignatureDoesNotMatch"  # the time of a request that is too far from ours, too
    PRESIGNED_EXPIRED = "RequestExpired"
    UNKNOWN_KEY = "InvalidClientTokenId"
    EXPIRED = "ExpiredToken"
    NO_ACCOUNT = "AuthenticationFailed"  # a sign-in to an account that is not there, or by its provider
    TOO_MANY = "TooManyAttempts"  # a sign-in that was not heard


class UnknownCallers:
    """From the beginning of the process on. The program's log tells of them once a minute at most, and at the end."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._since = int(clock())
        self._lock = threading.Lock()
        self._counted: Counter[Reason] = Counter()
        self._told: Counter[Reason] = Counter()
        self._told_at = float("-inf")

    def count(self, reason: str) -> None:
        """Raises ValueError where that is no Reason."""
        known = Reason(reason)
        with self._lock:
            self._counted[known] += 1
            due = self._clock() - self._told_at >= TOLD_EVERY_SECONDS
        if due:
            self.tell()

    def tell(self) -> None:
        """Say in the program's log what came since that was said last."""
        with self._lock:
            new = self._counted - self._told
            self._told, self._told_at = self._counted.copy(), self._clock()
        if new:
            shown = ", ".join(f"{reason} {number}" for reason, number in new.most_common())
            LOG.warning("calls by unknown callers, which leave no entry: %s", shown)

    def to_document(self) -> dict[str, Any]:
        with self._lock:
            calls = {str(reason): self._counted[reason] for reason in Reason}
        return {"since": format_time(self._since), "calls": calls}
