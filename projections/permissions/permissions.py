"""The one door to questions of permission, as `projections.investigation` is to all others.

Answers are plain dicts, lists and texts, ready for JSON. The runner has caught up before they are asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.log import Log
from ledger.policy.entitlements import Entitlements
from projections.permissions.accounts import PastAccounts
from projections.permissions.explaining import explain, told_explanation
from projections.permissions.naming import Naming
from projections.permissions.telling import Answer, Teller
from projections.sessions import Sessions


class Permissions:
    """With what permission: the questions that one ledger answers."""

    def __init__(self, log: Log, sessions: Sessions) -> None:
        self.log = log
        self.past = PastAccounts(log)
        self.naming = Naming(self.past, sessions)
        self.entitlements = Entitlements()

    def explain(
        self,
        principal: str,
        action: str,
        resource: str | None,
        *,
        at: int,
        context: Mapping[str, tuple[str, ...]],
        account: str | None = None,
    ) -> Answer:
        """Whether the principal would have been allowed to do it then, and why."""
        found = self.naming.principal(principal, at, account)
        judgement = explain(self.past, self.entitlements, found, action, resource, context, at)
        return told_explanation(Teller(self.log), found, judgement, action, resource, at)
