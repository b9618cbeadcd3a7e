"""What a record says of the resources of a call: the ARNs that it holds, and the members of its request by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

from ledger.account.change import HIDDEN
from ledger.record import Identity, Record

ArnOf = Callable[[str, str], str | None]
"""The ARN of a user, group, role, policy or instance-profile by its name, in the account as it was at that time."""

VALUES_MAX = 512  # of one request: a call on thousands of things is asked about some of them here
LENGTH_MAX = 1024
DEPTH_MAX = 6

_SEPARATORS = re.compile(r"[^a-z0-9]+")
# What narrows an answer or is stored, but names nothing that the call acts on.
_NO_RESOURCES: Final = re.compile(
    r"filter|tag(?:s|set|specification)|^tag$|policy(?:document)?$|document$|context$|summary$|^host$|statement$"
)
_WRAPPED: Final = frozenset({"items", "item", "content", "member"})  # XML's lists, as CloudTrail writes them


def plain(name: str) -> str:
    """Names as they are compared: `dBInstanceIdentifier` → `dbinstanceidentifier`."""
    return _SEPARATORS.sub("", name.lower())


@dataclass(frozen=True)
class Requested:
    record: Record
    arn_of: ArnOf

    @cached_property
    def identity(self) -> Identity:
        return self.record.identity

    @property
    def account_id(self) -> str:
        return self.record.account_id

    @cached_property
    def region(self) -> str:
        told = self.record.document.get("awsRegion")
        return told if isinstance(told, str) else ""

    @cached_property
    def partition(self) -> str:
        told = (self.identity.session_arn or self.identity.arn or "").split(":")
        if len(told) > 5 and told[0] == "arn" and told[1]:
            return told[1]
        beginnings = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((it for begin, it in beginnings.items() if self.region.startswith(begin)), "aws")

    def arn(self, service: str, rest: str, *, region: str | None = None, account: str | None = None) -> str:
        """An ARN in the call's partition, and if not told otherwise its region and account."""
        region = self.region if region is None else region
        account = self.account_id if account is None else account
        return f"arn:{self.partition}:{service}:{region}:{account}:{rest}"

    @cached_property
    def told(self) -> bool:
        """Whether the record tells the request at all: of most refusals CloudTrail leaves it out."""
        return bool(self.record.request) or self.record.error_code is None

    @cached_property
    def members(self) -> dict[str, list[str]]:
        """The texts of the request by the plain names of their members, however deep they stand."""
        return members_of(self.record.request)

    def text(self, *names: str) -> str | None:
        """The first text of the first of these members that there is."""
        return next((self.members[name][0] for name in names if self.members.get(name)), None)

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """The ARNs that the service itself lists in the record."""
        resources = self.record.document.get("resources")
        if not isinstance(resources, list):
            return ()
        told = (it.get("ARN") for it in resources[:VALUES_MAX] if isinstance(it, Mapping))
        return tuple(it for it in told if isinstance(it, str) and it.startswith("arn:"))

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The ARNs among the members of the request."""
        return tuple(it for texts in self.members.values() for it in texts if it.startswith("arn:"))


def members_of(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of members that share a name those that stand the highest: `id` is the thing's, not that of a part of it."""
    found: dict[str, list[str]] = {}
    depths: dict[str, int] = {}
    for name, text, depth in islice(_texts(document, "", 0), VALUES_MAX):
        key = plain(name)
        if depth < depths.get(key, DEPTH_MAX + 1):
            depths[key], found[key] = depth, []
        if depth == depths[key] and text not in found[key]:
            found[key].append(text)
    return found


def _texts(value: Any, name: str, depth: int) -> Iterator[tuple[str, str, int]]:
    if isinstance(value, str):
        if 0 < len(value) <= LENGTH_MAX and value != HIDDEN and value.isprintable():
            yield name, value, depth
    elif depth >= DEPTH_MAX:
        return
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or _NO_RESOURCES.search(key.lower()):
                continue
            yield from _texts(inner, name if key.lower() in _WRAPPED and name else key, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name, depth + 1)
