"""While the server runs, its witnesses see what was signed: the newest checkpoint of each log, once a second at most."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Final, Self

from ledger.log.checkpoints import FRESH_SECONDS, Checkpoints
from ledger.log.store import Log
from ledger.witness.fence import Fence
from ledger.witness.sending import Finding, Verdict, send

LOG: Final = logging.getLogger(__name__)


class Sending:
    """A thread of its own: a witness that is slow keeps nobody from signing or writing. At the end it sends once more."""

    def __init__(self, log: Log, checkpoints: Checkpoints, fence: Fence) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._fence = fence
        self._seen: dict[tuple[str, str], int] = {}  # the size, by witness and account
        self._said: dict[tuple[str, str], str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="iam-ledger witnesses", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._send()

    def _run(self) -> None:
        while not self._ended.wait(FRESH_SECONDS):
            self._send()

    def _send(self) -> None:
        """Whatever goes wrong, the server goes on, and the next second tries again; it is said once."""
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
