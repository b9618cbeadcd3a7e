"""While the server runs, its witnesses see what was signed: the newest checkpoint of each log, once a second at most."""

from __future__ import annotations

import logging
from typing import Final

from api.each_second import EachSecond
from ledger.log.checkpoints import Checkpoints
from ledger.log.store import Log
from ledger.witness.fence import Fence
from ledger.witness.sending import Finding, Verdict, send

LOG: Final = logging.getLogger(__name__)


class Sending(EachSecond):
    """A thread of its own: a witness that is slow keeps nobody from signing or writing."""

    def __init__(self, log: Log, checkpoints: Checkpoints, fence: Fence) -> None:
        super().__init__("witnesses")
        self._log = log
        self._checkpoints = checkpoints
        self._fence = fence
        self._seen: dict[tuple[str, str], int] = {}  # the size, by witness and account
        self._said: dict[tuple[str, str], str] = {}

    def work(self) -> None:
        """What goes wrong is said once."""
        try:
            for account_id, size in self._checkpoints.heads().items():
                for witness in self._fence.witnesses:
                    at = (witness.name, account_id)
                    if self._seen.get(at, -1) < size:
                        old = self._seen.get(at, 0)
                        self._take(send(self._log, self._checkpoints, account_id, witness, old=old))
        except Exception as error:
            self._say(("", ""), f"checkpoints can't be sent to the witnesses: {error}")

    def _take(self, finding: Finding) -> None:
        at = (finding.witness, finding.account_id)
        if finding.verdict in (Verdict.CONTINUES, Verdict.NOTHING_SEEN):
            self._seen[at] = finding.seen or 0
            self._said.pop(at, None)
            return
        self._seen.pop(at, None)
        self._say(at, f"account {finding.account_id}: the witness {finding.witness}: {finding.detail}")
        self._fence.contradicted(finding)

    def _say(self, at: tuple[str, str], what: str) -> None:
        if self._said.get(at) != what:
            self._said[at] = what
            LOG.error("%s", what)
