"""What moves the account: a change is a record at its place in the log, a sighting the first sign of somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ledger.account.dates import read_date
from ledger.account.entities import PolicyDocument
from ledger.account.texts import read_policy
from ledger.record import Identity, Record

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


class Unreadable(Exception):
    """The record does not say what it changed."""


class Members:
    """The members of a request or a response, by the names that AWS's API gives them.

    CloudTrail begins names in lower case (`userName`, `sAMLProviderArn`), and real files stray further, so case
    is ignored. What CloudTrail has hidden counts as not there.
    """

    __slots__ = ("_members",)

    def __init__(self, document: Any) -> None:
        found = document.items() if isinstance(document, Mapping) else ()
        self._members = {name.lower(): value for name, value in found if isinstance(name, str)}

    def __contains__(self, name: str) -> bool:
        return self._members.get(name.lower()) not in (None, HIDDEN)

    def text(self, name: str) -> str | None:
        value = self._members.get(name.lower())
        return value if isinstance(value, str) and value and value != HIDDEN else None

    def needed(self, name: str) -> str:
        """The text; raises Unreadable where there is none."""
        value = self.text(name)
        if value is None:
            raise Unreadable(name)
        return value

    def number(self, name: str) -> int | None:
        value = self._members.get(name.lower())
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def truth(self, name: str) -> bool | None:
        value = self._members.get(name.lower())
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None

    def date(self, name: str) -> int | None:
        return read_date(self._members.get(name.lower()))

    def policy(self, name: str) -> PolicyDocument | None:
        value = self._members.get(name.lower())
        return None if value == HIDDEN else read_policy(value)

    def structure(self, name: str) -> Mapping[str, Any] | None:
        value = self._members.get(name.lower())
        return value if isinstance(value, Mapping) else None

    def within(self, name: str) -> Members:
        return Members(self._members.get(name.lower()))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; of lists that hold objects each object's only or first text."""
        return tuple(text for item in self._items(name) if (text := _first_text(item)) is not None)

    def pairs(self, name: str) -> dict[str, str]:
        """A list of `{key, value}`, or a map, as a map of texts."""
        value = self._members.get(name.lower())
        if isinstance(value, Mapping) and "items" not in value:
            return {key: str(text) for key, text in value.items() if isinstance(text, str | int | bool)}
        pairs = (Members(item) for item in self._items(name))
        return {key: pair.text("Value") or "" for pair in pairs if (key := pair.text("Key")) is not None}

    def each(self, name: str) -> tuple[Members, ...]:
        """A list of objects."""
        return tuple(Members(item) for item in self._items(name) if isinstance(item, Mapping))

    def _items(self, name: str) -> list[Any]:
        value = self._members.get(name.lower())
        if isinstance(value, Mapping):  # the form {"items": […]} of some services
            value = value.get("items")
        return value if isinstance(value, list) else []


def _first_text(item: Any) -> str | None:
    if isinstance(item, Mapping):
        item = next(iter(item.values()), None)
    return item if isinstance(item, str) and item != HIDDEN else None


@dataclass(frozen=True)
class Change:
    """A record at its position. `native`: this ledger wrote it, so that positions tell the order of a second."""

    position: int
    record: Record
    native: bool

    @property
    def time(self) -> int:
        return self.record.time

    @property
    def event_id(self) -> str:
        return self.record.event_id

    @cached_property
    def request(self) -> Members:
        return Members(self.record.document.get("requestParameters"))

    @cached_property
    def response(self) -> Members:
        return Members(self.record.document.get("responseElements"))

    @cached_property
    def actor(self) -> Identity:
        return self.record.identity


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody calls for the first time: proof that they exist, whether or not a record shows their creation."""

    position: int
    time: int
    identity: Identity
