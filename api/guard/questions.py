"""What a service asks the ledger, and what it is told: the words that the client, the server and the guard share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.guard.credentials import Credential

Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """May whoever presents `credential` do `action` on `resource`?

    `context` are condition keys. `request` is what is recorded as requestParameters. With `outcome_follows` an allowed
    call is written down when its outcome is told (within five minutes; after that, without one), a denied one at once.
    `read_only` and `event_source` are found from the action where they are None.
    """

    credential: Credential
    action: str
    resource: str
    context: Values = field(default_factory=dict)
    request: Mapping[str, Any] | None = None
    region: str | None = None
    event_source: str | None = None
    read_only: bool | None = None
    outcome_follows: bool = False

    def to_document(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "credential": self.credential.to_document(),
            "action": self.action,
            "resource": self.resource,
        }
        if self.context:
            told["context"] = {key: list(values) for key, values in self.context.items()}
        optional = {
            "requestParameters": self.request,
            "region": self.region,
            "eventSource": self.event_source,
            "readOnly": self.read_only,
            "outcomeFollows": self.outcome_follows or None,
        }
        return told | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Decision:
    """`position` is the entry's; None where it is not written yet, and `receipt` is what to tell the outcome with.

    `authorization` is the decision as the entry keeps it: every statement that matched, its policy, its grants; `message`
    says of a denial what AWS would.
    """

    decision: str  # allowed, explicitDeny, implicitDeny
    account_id: str
    event_id: str
    position: int | None
    receipt: str | None = field(repr=False)
    message: str | None
    authorization: Mapping[str, Any] = field(repr=False)

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"

    @property
    def principal(self) -> str:
        """The ARN of who called; of a role session the session's."""
        return str(self.authorization["principal"]["arn"])

    @staticmethod
    def from_document(told: Mapping[str, Any]) -> Decision:
        return Decision(
            told["decision"],
            told["account"],
            told["eventID"],
            told["position"],
            told["receipt"],
            told["message"],
            told["authorization"],
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an allowed call: responseElements, or an errorCode."""

    receipt: str = field(repr=False)
    response: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None

    def to_document(self) -> dict[str, Any]:
        optional = {
            "responseElements": self.response,
            "errorCode": self.error_code,
            "errorMessage": self.error_message,
        }
        return {"receipt": self.receipt} | {
            name: value for name, value in optional.items() if value is not None
        }


@dataclass(frozen=True, slots=True)
class Entered:
    """The entry that a call became."""

    account_id: str
    event_id: str
    position: int

    @staticmethod
    def from_document(told: Mapping[str, Any]) -> Entered:
        return Entered(told["account"], told["eventID"], told["position"])


class NotKnown(Exception):
    """Nobody is known by this credential, or it is over; nothing was written down. `code` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class NotUnderstood(Exception):
    """The question or the outcome was refused: a mistake of whoever asks. `parameter` is what is wrong, where one is."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.message, self.parameter = message, parameter


class NotReached(Exception):
    """The ledger could not be reached or could not write. Whether it has written, is not known."""


class Ledger(Protocol):
    """Whom a guard asks: a ledger over HTTP (api.client), or one in the same process (api.guard.in_process)."""

    async def ask(self, question: Question) -> Decision:
        """The decision. Raises NotKnown, NotUnderstood or NotReached."""

    async def tell(self, outcome: Outcome) -> Entered:
        """Write an allowed call down, now that its outcome is known. Telling the same again is answered the same.

        Raises NotUnderstood or NotReached.
        """
