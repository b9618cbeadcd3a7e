"""Service calls: may whoever shows this credential do that? Decided as a call of IAM is, and written down as one entry.

A service that wants its answer in the record too is told the decision first, and tells the outcome later; what was
allowed and whose outcome is not told in time is written down without one. Only a process that dies loses such a call,
so a service that cannot bear that has it written at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ledger.authority.credentials import Presented, Sessions
from ledger.authority.decided import Asking, Decided
from ledger.authority.denials import denial
from ledger.authority.outcomes import OUTCOME_SECONDS_MAX, Pending, Recorded, Unanswered
from ledger.authority.recording import Surroundings, record_of
from ledger.authority.turns import Done, Now, Turns, Written
from ledger.authorization import Authorization
from ledger.entry import NATIVE, Draft
from ledger.iam.deciding import EVERYTHING
from ledger.own_records import SOURCE
from ledger.policy.aws_actions import AccessLevel, access_level, services
from ledger.record import PREFIX_OF_SOURCE, READ_ONLY_VERBS, Document, read_record
from ledger.redaction import redact

_SOURCE_OF_PREFIX: Final = {prefix: source for source, prefix in PREFIX_OF_SOURCE.items()}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a service asks. `context` are condition keys in lower case; who calls, with what and when, is not for it to say.

    `source` is the record's eventSource. `asked_from` tells who asked, where that is not the caller itself.
    """

    presented: Presented
    action: str
    resource: str
    surroundings: Surroundings
    source: str
    read_only: bool
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    request: Document | None = None
    asked_from: Document | None = None


class Told(NamedTuple):
    """The decision. `recorded` is None where it was allowed and the outcome is still to be told: of `pending`."""

    event_id: str
    account_id: str
    decided: Authorization
    told: bytes  # the decision as canonical JSON
    message: str | None = None  # of a denial, in AWS's words
    recorded: Recorded | None = None
    pending: Pending | None = None


class ServiceCalls:
    """`submit` answers in another thread. Who nobody knows is told so by Unauthenticated, and leaves no entry."""

    def __init__(self, turns: Turns, sessions: Sessions, decided: Decided) -> None:
        self._turns = turns
        self._sessions = sessions
        self._decided = decided
        self._unanswered = Unanswered(turns)

    def close(self) -> None:
        """Write down what was allowed and has no outcome yet."""
        self._unanswered.close()

    def submit(self, inquiry: Inquiry, done: Done, *, outcome_follows: bool = False) -> None:
        """`done` gets what was Told. A denial is written down at once; so is all else, unless `outcome_follows`."""
        decide = self._deferred if outcome_follows else self._at_once
        self._turns.submit(inquiry.presented.account_id, lambda now: decide(inquiry, now), done)

    def conclude(
        self, pending: Pending, response: Document | None, error: tuple[str, str | None] | None, done: Done
    ) -> None:
        """Write down an allowed call, now that its outcome is known; `done` gets what was Recorded.

        Told again, the same outcome is answered the same; another one by OutcomeDiffers.
        """
        self._unanswered.conclude(pending, response, error, done)

    # ---- in turn

    def _at_once(self, inquiry: Inquiry, now: Now) -> Written:
        return self._written(*self._told(inquiry, now), now)

    def _deferred(self, inquiry: Inquiry, now: Now) -> Written:
        told, document = self._told(inquiry, now)
        if not told.decided.allowed:
            return self._written(told, document, now)
        pending = Pending(told.account_id, document, told.told, now.time + OUTCOME_SECONDS_MAX)
        self._unanswered.wait(pending)
        return Written(None, told._replace(pending=pending))

    @staticmethod
    def _written(told: Told, document: dict[str, Any], now: Now) -> Written:
        draft = Draft.of(read_record(document), NATIVE, told.told)
        recorded = Recorded(told.event_id, told.account_id, now.position)
        return Written(draft, told._replace(recorded=recorded))

    def _told(self, inquiry: Inquiry, now: Now) -> tuple[Told, dict[str, Any]]:
        presented, account = inquiry.presented, now.account
        by = self._sessions.bearer(now.turn, account, presented, now.time)
        event_id = now.event_id()
        extra: dict[str, Any] = {"managementEvent": False, "eventCategory": "Data"}
        if inquiry.resource != EVERYTHING:
            extra["resources"] = [{"ARN": inquiry.resource}]
        if inquiry.asked_from is not None:
            extra["additionalEventData"] = {"askedFrom": inquiry.asked_from}
        document = record_of(
            account,
            by,
            inquiry.action,
            at=now.time,
            event_id=event_id,
            surroundings=inquiry.surroundings,
            read_only=inquiry.read_only,
            request=inquiry.request,
            source=inquiry.source,
            extra=extra,
        )
        asking = Asking(by, document, inquiry.surroundings)
        decided, told = self._decided.on(asking, inquiry.action, inquiry.resource, inquiry.context, now)
        message = None
        if not decided.allowed:
            message = denial(decided)
            document["errorCode"], document["errorMessage"] = "AccessDenied", message
        return Told(event_id, account.id, decided, told, message), redact(document)


@lru_cache(maxsize=4_096)
def source_of(action: str) -> str:
    """The eventSource of a service that has not named its own: AWS's for AWS's services, else one that is nobody's."""
    prefix = action.partition(":")[0]
    if prefix == SOURCE:
        return SOURCE
    if prefix in services():
        return f"{_SOURCE_OF_PREFIX.get(prefix, prefix)}.amazonaws.com"
    return f"{prefix}.internal"


def reads_only(action: str) -> bool:
    """By what AWS says of its action; of others by the verb of the name."""
    level = access_level(action)
    if level is not None:
        return level in (AccessLevel.LIST, AccessLevel.READ)
    return action.partition(":")[2].startswith(READ_ONLY_VERBS)
