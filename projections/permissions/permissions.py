"""The one door to questions of permission, as `projections.investigation` is to all others.

Answers are plain dicts, lists and texts, ready for JSON. The runner has caught up before they are asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger.entry import Entry
from ledger.log import Log
from ledger.policy.entitlements import Entitlements
from projections.history import History
from projections.permissions.accounts import PastAccounts
from projections.permissions.coverage import Coverage
from projections.permissions.coverage_answers import told_coverage
from projections.permissions.editing import edited
from projections.permissions.explaining import explain, told_explanation
from projections.permissions.naming import Naming
from projections.permissions.replaying import END_OF_TIME
from projections.permissions.suggesting import needed, subject_named
from projections.permissions.suggestion_answers import told_suggestion
from projections.permissions.telling import Answer, Teller
from projections.permissions.what_if import WhatIf
from projections.permissions.what_if_answers import check_effect, told_what_if
from projections.sessions import Sessions


class Permissions:
    """With what permission: the questions that one ledger answers."""

    def __init__(self, log: Log, sessions: Sessions) -> None:
        self.log = log
        self.sessions = sessions
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

    def what_if(
        self,
        without: Sequence[Entry],
        file: Path | None,
        *,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
    ) -> Answer:
        """Which recorded calls would have had another outcome without these entries, and with the file's records."""
        edits = edited(self.log, History(self.log), without, file, account)
        replay = WhatIf(self.past, self.sessions, edits.edits, edits.since)
        found = [
            one
            for one in replay.turned(END_OF_TIME if until is None else until)
            if (since is None or one.entry.time >= since) and account in (None, one.entry.account_id)
        ]
        check_effect(edits, replay.tally)
        return told_what_if(Teller(self.log), edits, found, replay.tally)

    def coverage(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
        unused: bool = False,
    ) -> Answer:
        """Of each statement in force within that time: how often it decided, when last, and who granted it."""
        coverage = Coverage(self.past, self.sessions, since or 0)
        coverage.count(END_OF_TIME if until is None else until, account)
        return told_coverage(Teller(self.log), coverage, since, until, account, unused)

    def suggest(
        self,
        principal: str,
        *,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
        wildcards: bool = False,
    ) -> Answer:
        """The least policy that the principal's allowed calls needed."""
        with self.log.engine.connect() as connection:
            subject = subject_named(connection, principal, account)
        end = END_OF_TIME if until is None else until
        found = needed(self.past, self.sessions, subject, since or 0, end)
        return told_suggestion(subject, found, wildcards=wildcards)
