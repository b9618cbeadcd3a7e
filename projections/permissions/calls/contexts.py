"""The context of a recorded call, read off the record when it is first asked for, and once for all who judge the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from ledger.calls.recorded_context import Known, context_of
from ledger.record import Record


class RecordedContext:
    """What a record tells of the condition keys, for one action."""

    def __init__(self, record: Record, action: str, tags: Mapping[str, str] | None) -> None:
        self._record = record
        self._action = action
        self._tags = tags

    @cached_property
    def _known(self) -> Known:
        return context_of(self._record, action=self._action, principal_tags=self._tags)

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        return self._known.values

    @property
    def known(self) -> Callable[[str], bool]:
        return self._known.knows


class RecordedContexts:
    """The contexts of the call that is being judged, which may be by several accounts."""

    def __init__(self) -> None:
        self._record: Record | None = None
        self._read: list[tuple[str, Mapping[str, str] | None, RecordedContext]] = []

    def of(self, record: Record, action: str, tags: Mapping[str, str] | None) -> RecordedContext:
        if record is not self._record:
            self._record = record
            self._read.clear()
        for known_action, known_tags, context in self._read:
            if known_action == action and known_tags == tags:
                return context
        context = RecordedContext(record, action, tags)
        self._read.append((action, tags, context))
        return context
