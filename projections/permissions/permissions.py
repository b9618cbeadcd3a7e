"""The one door to questions of permission, as `projections.investigation` is to all others.

Answers are plain dicts, lists and texts, ready for JSON. The runner has caught up before they are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ledger.entry import Entry
from ledger.log import Log
from ledger.policy.entitlements import Entitlements
from projections.permissions.accounts import PastAccounts
from projections.permissions.authorization import Authorizations
from projections.permissions.blaming import Blame, told_comparison
from projections.permissions.explaining import explain, told_explanation
from projections.permissions.naming import Naming
from projections.permissions.telling import Answer, Teller
from projections.sessions import Sessions


class Permissions:
    """With what permission: the questions that one ledger answers."""

    def __init__(self, log: Log, sessions: Sessions) -> None:
        self.log = log
        self.sessions = sessions
        self.past = PastAccounts(log)
        self.naming = Naming(self.past, sessions)
        self.entitlements = Entitlements()
        self.teller = Teller(log)

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
        return told_explanation(self.teller, found, judgement, action, resource, at)

    def blame(
        self,
        principal: str,
        action: str,
        resource: str | None,
        *,
        at: int,
        context: Mapping[str, tuple[str, ...]],
        account: str | None = None,
        depth: int,
    ) -> Answer:
        """As `explain`, with each grant's own reasons, `depth` grants deep."""
        found = self.naming.principal(principal, at, account)
        judgement = explain(self.past, self.entitlements, found, action, resource, context, at)
        blame = self._blame()
        told = told_explanation(self.teller, found, judgement, action, resource, at)
        return blame.deepen(told, depth)

    def blame_event(self, entry: Entry, *, depth: int) -> Answer:
        """With what permission a call was made, and who granted that, `depth` grants deep."""
        return self._blame().event(entry, depth)

    def decisions(self, entries: Iterable[Entry], agreements: frozenset[str]) -> Iterator[Answer]:
        """What was inferred of each call beside what AWS did; only with these agreements, if any are named."""
        authorizations = Authorizations(self.past, self.sessions)
        for entry in entries:
            for line in told_comparison(entry, authorizations.of(entry)):
                if not agreements or line["agreement"] in agreements:
                    yield line

    def _blame(self) -> Blame:
        return Blame(
            self.log,
            self.past,
            self.sessions,
            Authorizations(self.past, self.sessions),
            self.teller,
        )
