"""While the server runs, what was appended is signed: a checkpoint of each log that has grown, once a second at most."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from api.each_second import EachSecond
from ledger.log.checkpoints import Checkpoints

LOG: Final = logging.getLogger(__name__)


class Publishing(EachSecond):
    def __init__(self, checkpoints: Checkpoints) -> None:
        super().__init__("checkpoints")
        self._checkpoints = checkpoints
        self._said: str | None = None

    def work(self) -> None:
        self._publish(self._checkpoints.fresh)

    def finish(self) -> None:
        self._publish(self._checkpoints.publish)

    def _publish(self, sign: Callable[[str], bytes]) -> None:
        """What goes wrong is said once."""
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
