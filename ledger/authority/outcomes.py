"""Calls that were allowed and whose outcome is still to be told: each becomes one entry, whoever tells it, and when.

What waits is remembered by the process that allowed it, which writes it down without an outcome when nobody tells one in
time. A receipt carries the same call, sealed, so that any process of the ledger can be told its outcome.
"""

from __future__ import annotations

import base64
import binascii
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import zstandard
from cryptography.exceptions import InvalidTag

from ledger.authority.turns import Done, Now, Turns, Written
from ledger.entry import NATIVE, Draft
from ledger.log.store import Turn
from ledger.record import Document, canonical, read_record
from ledger.redaction import redact
from ledger.vault.keys import Keyring, NoVaultKey

OUTCOME_SECONDS_MAX: Final = 300
NOT_TOLD: Final = {"outcome": "notTold"}
RECEIPT_PREFIX: Final = "ilr1_"
RECEIPT_CHARACTERS_MAX: Final = 2 << 20
LOG: Final = logging.getLogger(__name__)
_KEY_ID_BYTES: Final = 8


class NotAReceipt(Exception):
    """This is no receipt of ours, or one whose outcome was to be told long ago."""


class OutcomeDiffers(Exception):
    """The call is in the log already, with another outcome, or without one because none was told in time."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a call stands in the log."""

    event_id: str
    account_id: str
    position: int


@dataclass(frozen=True, slots=True)
class Pending:
    """An allowed call: its record but for the outcome, and the decision as canonical JSON. `until` is in seconds since 1970."""

    account_id: str
    document: dict[str, Any] = field(repr=False)
    decided: bytes = field(repr=False)
    until: int

    @property
    def event_id(self) -> str:
        return str(self.document["eventID"])

    def concluded(
        self, response: Document | None, error: tuple[str, str | None] | None, *, told: bool = True
    ) -> dict[str, Any]:
        """The whole record. `error` is a code and, mostly, a message."""
        document = {**self.document, "responseElements": dict(response) if response else None}
        if error is not None:
            document["errorCode"], message = error
            if message:
                document["errorMessage"] = message
        if not told:
            document["additionalEventData"] = {**document.get("additionalEventData", {}), **NOT_TOLD}
        return redact(document)


class Unanswered:
    """What waits for its outcome here. `seconds` is how long."""

    def __init__(
        self,
        turns: Turns,
        *,
        seconds: float = OUTCOME_SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._turns = turns
        self._clock = clock
        self._waiting: OrderedDict[str, tuple[float, Pending]] = OrderedDict()  # the oldest first
        self._changed = threading.Condition()
        self._closed = False
        self._turn: Turn | None = None  # the latest in which something was concluded, and what was
        self._within: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._thread: threading.Thread | None = None

    def wait(self, pending: Pending) -> None:
        with self._changed:
            self._waiting[pending.event_id] = (self._clock() + self.seconds, pending)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="iam-ledger outcomes", daemon=True)
                self._thread.start()

    def get(self, event_id: str) -> Pending | None:
        with self._changed:
            found = self._waiting.get(event_id)
        return None if found is None else found[1]

    def conclude(
        self,
        pending: Pending,
        response: Document | None,
        error: tuple[str, str | None] | None,
        done: Done,
        *,
        told: bool = True,
    ) -> None:
        """Write the call down, once; `done` gets what was Recorded, or OutcomeDiffers."""
        document = pending.concluded(response, error, told=told)

        def settled(reply: Any, failure: BaseException | None) -> None:
            if failure is None or isinstance(failure, OutcomeDiffers):
                with self._changed:
                    self._waiting.pop(pending.event_id, None)
            done(reply, failure)

        self._turns.submit(pending.account_id, lambda now: self._once(pending, document, now), settled)

    def _once(self, pending: Pending, document: dict[str, Any], now: Now) -> Written:
        if self._turn is not now.turn:
            self._turn, self._within = now.turn, {}
        record = read_record(document)
        draft = Draft.of(record, NATIVE, pending.decided)
        place = pending.account_id, record.event_id
        known = self._within.get(place)
        if known is None:
            position = now.turn.position_of(record.event_id)
            if position is None:
                self._within[place] = now.position, draft.canonical_record
                return Written(draft, Recorded(record.event_id, pending.account_id, now.position))
            entry = now.turn.log.fetch(now.turn.connection, now.turn.account, [position])[0]
            known = position, canonical(entry.document)
        position, written = known
        if written != draft.canonical_record:
            raise OutcomeDiffers(f"the call is entry {position} already, and its outcome another")
        return Written(None, Recorded(record.event_id, pending.account_id, position))

    def close(self) -> None:
        """Write down all that waits."""
        with self._changed:
            self._closed = True
            left = [pending for _, pending in self._waiting.values()]
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._give_up(left)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = self._clock()
                due = []
                for until, pending in self._waiting.values():
                    if until > now:
                        break
                    due.append(pending)
                if not due:
                    first = next(iter(self._waiting.values()), None)
                    self._changed.wait(self.seconds if first is None else first[0] - now)
                    continue
            self._give_up(due)

    def _give_up(self, due: list[Pending]) -> None:
        """Write these down without an outcome, and wait until that is done."""
        left = threading.Semaphore(0)

        for pending in due:
            with self._changed:  # another time of waiting, should it fail
                if pending.event_id not in self._waiting:
                    left.release()
                    continue
                self._waiting[pending.event_id] = (self._clock() + self.seconds, pending)
                self._waiting.move_to_end(pending.event_id)

            def done(reply: Any, failure: BaseException | None) -> None:
                if failure is not None and not isinstance(failure, OutcomeDiffers):
                    LOG.error("a call that waits for its outcome could not be written down: %s", failure)
                left.release()

            self.conclude(pending, None, None, done, told=False)
        for _ in due:
            left.acquire()


# ---- receipts


def seal_receipt(keyring: Keyring, pending: Pending) -> str:
    told = orjson.dumps([pending.account_id, pending.until, pending.document, pending.decided.decode()])
    key = keyring.first
    id_bytes = bytes.fromhex(key.id)
    sealed = key.tokens.seal(zstandard.compress(told, 1), RECEIPT_PREFIX.encode() + id_bytes)
    return RECEIPT_PREFIX + base64.urlsafe_b64encode(id_bytes + sealed).decode().rstrip("=")


def open_receipt(keyring: Keyring, text: str, now: float) -> Pending:
    """Raises NotAReceipt."""
    if not text.startswith(RECEIPT_PREFIX) or len(text) > RECEIPT_CHARACTERS_MAX:
        raise NotAReceipt("no receipt of this ledger")
    encoded = text.removeprefix(RECEIPT_PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        id_bytes, sealed = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        plain = keyring[id_bytes.hex()].tokens.open(sealed, RECEIPT_PREFIX.encode() + id_bytes)
    except (binascii.Error, ValueError, InvalidTag, NoVaultKey):
        raise NotAReceipt("no receipt of this ledger") from None
    account_id, until, document, decided = orjson.loads(zstandard.decompress(plain))
    if now > until:
        raise NotAReceipt(f"the outcome was to be told within {OUTCOME_SECONDS_MAX} seconds")
    return Pending(account_id, document, decided.encode(), until)
