"""How one condition key is read off a record: its reader, and what the documentation says of it.

Three answers are possible, and they must not be mixed: the key had these values, the request had no such key, or the
record does not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Final

from ledger.account.change import HIDDEN, Members
from ledger.record import Identity, Record


class Untold(Enum):
    """The record does not tell whether the request had the key."""

    UNTOLD = "not told"


UNTOLD: Final = Untold.UNTOLD


@dataclass(frozen=True, slots=True)
class Family:
    """Keys with a common beginning, by what follows it. `whole`: there were no others."""

    members: Mapping[str, tuple[str, ...]]
    whole: bool


Answer = tuple[str, ...] | Family | None | Untold
"""The values; None where the request had no such key."""


@dataclass(frozen=True)
class Seen:
    """A record, and what may be known from elsewhere: tags by key, or None where they are not known."""

    record: Record
    action: str
    principal_tags: Mapping[str, str] | None
    resource_tags: Mapping[str, str] | None

    @cached_property
    def identity(self) -> Identity:
        return self.record.identity

    @cached_property
    def kind(self) -> str:
        """`userIdentity.type`; Unknown where the record has none, as of calls that a service hands on."""
        return Members(self.record.document.get("userIdentity")).text("type") or "Unknown"

    @cached_property
    def asked(self) -> Mapping[str, Any]:
        """The request as it stands in the record."""
        return self.record.request

    @cached_property
    def request(self) -> Members:
        return Members(self.asked)

    @cached_property
    def response(self) -> Members:
        return Members(self.record.response)

    @cached_property
    def session(self) -> Mapping[str, Any]:
        identity = _mapping(self.record.document.get("userIdentity"))
        return _mapping(identity.get("sessionContext"))

    @cached_property
    def event_context(self) -> Mapping[str, Any]:
        return _mapping(self.record.document.get("eventContext"))

    @property
    def service(self) -> str:
        return self.action.partition(":")[0].lower()

    @property
    def request_told(self) -> bool:
        """Of most refusals CloudTrail leaves the request out."""
        return bool(self.asked) or self.record.error_code is None

    def text(self, name: str) -> str | None:
        """A text of the record itself."""
        value = self.record.document.get(name)
        return value if isinstance(value, str) and value else None

    def member(self, name: str) -> str | None:
        """A text of the request, which may be empty."""
        value = self.asked.get(name)
        return value if isinstance(value, str) and value != HIDDEN else None

    def within(self, name: str) -> Members:
        return Members(self.record.document.get(name))

    def of_request(self, *texts: str | None) -> Answer:
        """What the request holds; if nothing, there was no such key, provided that the record tells the request."""
        found = tuple(it for it in texts if it is not None)
        return found or (None if self.request_told else UNTOLD)


Reader = Callable[[Seen], Answer]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of docs/condition-keys.md. A key that ends with `/` or `:` stands for a family."""

    key: str
    whence: str
    when: str
    read: Reader


KEYS: Final[dict[str, KeyRow]] = {}
"""Every condition key that a record may tell."""


def tells(key: str, whence: str, when: str) -> Callable[[Reader], Reader]:
    """The function reads this key. `whence`: the members of the record; `when`: when the answer is known."""

    def add(read: Reader) -> Reader:
        KEYS[key] = KeyRow(key, whence, when, read)
        return read

    return add


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
