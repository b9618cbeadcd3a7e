"""Keeps everybody from writing to a log that is not what was seen of it, until somebody has acknowledged that.

Where witnesses are set, one of them at least has to have been heard before the first entry: else a restored backup would
only have to be started where nobody can be asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from ledger.log.checkpoints import Checkpoints
from ledger.log.store import Log, NotToBeWritten
from ledger.witness.acknowledging import is_acknowledged
from ledger.witness.sending import Finding, Verdict, examine_all
from ledger.witness.witnesses import Witness

AGAIN_SECONDS: Final = 1.0
LOG: Final = logging.getLogger(__name__)


class Fence:
    """`log` is one that has no fence. Open for an account once its witnesses were asked and none contradicts; asked again, once a second at most, else."""

    def __init__(
        self,
        log: Log,
        checkpoints: Checkpoints,
        witnesses: Sequence[Witness],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self.witnesses = witnesses
        self._clock = clock
        self._open: set[str] = set()
        self._refused: dict[str, tuple[float, str]] = {}  # when, and why
        self._turn = threading.Lock()

    def check(self, account_id: str) -> None:
        """As `may_write` of a log. Raises NotToBeWritten."""
        if not self.witnesses or account_id in self._open:
            return
        with self._turn:
            if account_id in self._open:
                return
            asked, why = self._refused.get(account_id, (float("-inf"), ""))
            if self._clock() - asked >= AGAIN_SECONDS:
                why = self._asked(account_id)
                self._refused[account_id] = self._clock(), why
        if why:
            raise NotToBeWritten(f"account {account_id}: {why}")

    def contradicted(self, finding: Finding) -> None:
        """Take in what was found while the log was written: what contradicts it closes the fence."""
        if finding.verdict.contradicts and not is_acknowledged(self._log, finding):
            with self._turn:
                self._open.discard(finding.account_id)
                self._refused.pop(finding.account_id, None)

    def _asked(self, account_id: str) -> str:
        """Why nothing may be written; empty where it may."""
        findings = examine_all(self._log, self._checkpoints, account_id, self.witnesses)
        for finding in findings:
            if finding.verdict.contradicts and not is_acknowledged(self._log, finding):
                why = (
                    f"the witness {finding.witness} contradicts the log: {finding.detail}; "
                    "`iam-ledger witness acknowledge --reason …` lets it go on"
                )
                LOG.error("account %s: %s", account_id, why)
                return why
        if all(finding.verdict is Verdict.NOT_HEARD for finding in findings):
            why = f"no witness was heard yet: {findings[0].witness}: {findings[0].detail}"
            LOG.error("account %s: %s", account_id, why)
            return why
        self._open.add(account_id)
        return ""
