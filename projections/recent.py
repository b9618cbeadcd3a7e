"""What was asked for lately, remembered as far as it weighs no more than so much."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A memory that forgets what was not asked for longest. May be used by many threads, as those of a server do.

    `weigh` tells, of a value, what counts towards `most`, bytes of memory for example; without it each value counts one.
    The value that came last is kept, whatever it weighs.
    """

    def __init__(self, most: int, weigh: Callable[[Value], int] = lambda _: 1) -> None:
        self._most = most
        self._weigh = weigh
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._weight = 0
        self._turn = threading.Lock()

    def get(self, key: Key) -> Value | None:
        with self._turn:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def among(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those that are remembered."""
        with self._turn:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

    def keep(self, values: Mapping[Key, Value]) -> None:
        """One that is there already stays: of a key there is but one value."""
        with self._turn:
            for key, value in values.items():
                if key not in self._values:
                    self._values[key] = value
                    self._weight += self._weigh(value)
            while self._weight > self._most and len(self._values) > 1:
                self._weight -= self._weigh(self._values.popitem(last=False)[1])

    def forget(self) -> None:
        with self._turn:
            self._values.clear()
            self._weight = 0
