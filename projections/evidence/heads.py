"""The checkpoints that a bundle rests on: one of each log, so that all that is said of a log is said of one size."""

from __future__ import annotations

from ledger.checkpoint import Checkpoint, NoCheckpointKey
from ledger.log.checkpoints import Checkpoints
from ledger.notes import Verifier, names_key, unverified_text


class Heads:
    """Signed when they are first asked for, and then as they were."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._known: dict[str, bytes] = {}

    def note(self, account_id: str) -> bytes:
        """As Checkpoints.signed, which raises NoCheckpointKey, HistoryContradicted, TreeDamaged."""
        if account_id not in self._known:
            self._known[account_id] = self._checkpoints.signed(account_id)
        return self._known[account_id]

    def of(self, account_id: str) -> Checkpoint:
        return Checkpoint.of_text(unverified_text(self.note(account_id)))

    def size(self, account_id: str) -> int:
        return self.of(account_id).size

    def verifier(self, account_id: str) -> Verifier | None:
        """Whose signature it is; None where the key that signed it is not here."""
        verifier = self._checkpoints.verifier(account_id)
        return verifier if verifier and names_key(self.note(account_id), verifier) else None

    def check_covered(self, account_id: str, position: int) -> None:
        """Raises NoCheckpointKey."""
        if position >= self.size(account_id):
            raise NoCheckpointKey("the entry was not signed yet, and there is no key to sign with")
