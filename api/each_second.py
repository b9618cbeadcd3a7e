"""What a server does beside answering, about once a second."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from ledger.log.checkpoints import FRESH_SECONDS


class EachSecond(ABC):
    """A thread of its own, from the beginning of the block to its end. Whatever goes wrong, the next second tries again."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"iam-ledger {name}", daemon=True)

    @abstractmethod
    def work(self) -> None:
        """Once more; raises nothing."""

    def finish(self) -> None:
        """Once at the end of the block, when the thread has ended."""
        self.work()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.finish()

    def _run(self) -> None:
        while not self._ended.wait(FRESH_SECONDS):
            self.work()
