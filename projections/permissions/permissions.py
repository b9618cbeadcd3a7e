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
from projections.permissions.courses import Courses
from projections.permissions.deeds import Deeds
from projections.permissions.explaining import explain, told_explanation
from projections.permissions.exposure import exposure
from projections.permissions.first_able import administration, first_able
from projections.permissions.following import Following
from projections.permissions.naming import Naming
from projections.permissions.telling import Answer, Teller
from projections.permissions.turning import Asked
from projections.permissions.used import Used
from projections.permissions.who_could import Within, the_account, who_could
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
        self.deeds = Deeds(log)
        self.used = Used(log, sessions)
        self.following = Following(self.past, sessions)

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

    def who_can(
        self,
        action: str,
        resource: str,
        *,
        at: int | None = None,
        since: int | None = None,
        until: int | None = None,
        context: Mapping[str, tuple[str, ...]],
        account: str | None = None,
    ) -> Answer:
        """Who could at a second, or over an interval; without its ends the time of which the account's log tells."""
        account_id = the_account(self.past, account, resource)
        within = Within.of(at) if at is not None else self._within(account_id, since, until)
        return who_could(
            self.past, self.entitlements, self.deeds, account_id, action, resource, context, within
        )

    def _within(self, account_id: str, since: int | None, until: int | None) -> Within:
        first, last = Courses(self.past).extent(account_id)
        return Within(first if since is None else since, last + 1 if until is None else until)

    def first_able(
        self,
        principal: str,
        action: str | None,
        resource: str | None,
        *,
        context: Mapping[str, tuple[str, ...]],
        account: str | None = None,
    ) -> Answer:
        """When the principal became able to do it, and no longer; without an action, when it was an administrator."""
        followed = self.following.follow(principal, account)
        asked = administration(context) if action is None else Asked((action,), resource, context)
        until = Courses(self.past).extent(followed.account_id)[1] + 1
        return first_able(self.past, self.entitlements, self.following, followed, asked, until)

    def exposure(
        self,
        principal: str,
        *,
        since: int | None = None,
        until: int | None = None,
        pattern: str = "*",
        account: str | None = None,
    ) -> Answer:
        """What a principal, or the owner of a key, could do, interval by interval; and what was done."""
        followed = self.following.follow(principal, account)
        within = self._within(followed.account_id, since, until)
        return exposure(self.log, self.entitlements, self.following, followed, self.used, pattern, within)
