"""While the server runs, what was appended is signed: a checkpoint of each log that has grown, once a second at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from ledger.log.checkpoints import FRESH_SECONDS, Checkpoints

LOG: Final = logging.getLogger(__name__)


class Publishing:
    """A thread that signs, from the beginning of the block to its end; at the end once more."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._ended = threading.Event()
        self._said: str | None = None
        self._thread = threading.Thread(target=self._run, name="iam-ledger checkpoints", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._publish(self._checkpoints.publish)

    def _run(self) -> None:
        while not self._ended.wait(FRESH_SECONDS):
            self._publish(self._checkpoints.fresh)

    def _publish(self, sign: Callable[[str], bytes]) -> None:
        """Whatever goes wrong, the server goes on, and the next second tries again; it is said once."""
        try:
            due = self._checkpoints.due()
        except Exception as error:
            self._say("checkpoints can't be signed", error)
            return
        failed = False
        for account_id in due:
            try:
                sign(account_id)
            except Exception as error:
                failed = True
                self._say(f"the log of {account_id} can't be signed", error)
        if not failed:
            self._said = None

    def _say(self, what: str, error: Exception) -> None:
        said = f"{what}: {error}"
        if said != self._said:
            self._said = said
            LOG.error("%s", said)
