"""The one door to questions of permission, as `projections.investigation` is to all others.

Answers are plain dicts, lists and texts, ready for JSON. The runner has caught up before they are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ledger.collector import collecting_seldom
from ledger.entry import Entry
from ledger.log import Log
from ledger.policy.entitlements import Entitlements
from ledger.record import format_time
from projections.history import History
from projections.naming import account_named, records_named
from projections.permissions.accounts import PastAccounts
from projections.permissions.calls.authorization import Authorizations
from projections.permissions.calls.blaming import Blame, told_inference
from projections.permissions.calls.inferring import authorizations_of
from projections.permissions.calls.replaying import END_OF_TIME
from projections.permissions.edited.editing import edited
from projections.permissions.edited.what_if import WhatIf
from projections.permissions.edited.what_if_answers import check_effect, told_what_if
from projections.permissions.explaining import UNLIMITED, explain, told_explanation
from projections.permissions.limited import TEMPORARY, Session, session_by_key
from projections.permissions.naming import Naming
from projections.permissions.needed.coverage import Coverage
from projections.permissions.needed.coverage_answers import told_coverage
from projections.permissions.needed.suggesting import needed, subject_named
from projections.permissions.needed.suggestion_answers import told_suggestion
from projections.permissions.over_time.courses import Courses
from projections.permissions.over_time.deeds import Deeds
from projections.permissions.over_time.exposure import exposure
from projections.permissions.over_time.first_able import administration, first_able
from projections.permissions.over_time.following import Following
from projections.permissions.over_time.turning import Asked
from projections.permissions.over_time.used import Used
from projections.permissions.over_time.who_could import Within, the_account, who_could
from projections.permissions.reach.access import access, told_access
from projections.permissions.reach.admissions import profile_changes, trust_changes
from projections.permissions.reach.causes import Causes
from projections.permissions.reach.changes import changed, told_change, told_comparison
from projections.permissions.reach.comparing import compare
from projections.permissions.reach.reached import Roles
from projections.permissions.reach.standing import Standing, WholeWorld
from projections.permissions.telling import Answer, Teller, places_of, told_unknown
from projections.sessions import Sessions
from projections.vocabulary import BadFilter, UnknownName


class Permissions:
    """With what permission: the questions that one ledger answers."""

    def __init__(self, log: Log, sessions: Sessions) -> None:
        self.log = log
        self.past = PastAccounts(log)
        self.sessions = sessions
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
        depth: int = 0,
    ) -> Answer:
        """Whether the principal would have been allowed to do it then, and why; reasons of grants `depth` grants deep."""
        account = self._checked(account)
        found = self.naming.principal(principal, at, account)
        judgement = explain(
            self.past, self.entitlements, found, action, resource, context, at, self._session(principal, at)
        )
        told = told_explanation(self.teller, found, judgement, action, resource, at)
        return self._blame().deepen(told, depth)

    def blame_event(self, named: str, *, depth: int) -> Answer:
        """With what permission a call was made: statements, grants, and who made these, `depth` grants deep."""
        told = [self._blame().event(entry, depth) for entry in records_named(self.log, named)]
        return told[0] if len(told) == 1 else {"events": told}

    def decisions(self, entries: Iterable[Entry], agreements: frozenset[str]) -> Iterator[Answer]:
        """What was inferred of each call, in order of time, beside what AWS did; only with these agreements, if any."""
        for entry, found in authorizations_of(self.past, self.sessions, entries):
            for line in told_inference(entry, found):
                if not agreements or line["agreement"] in agreements:
                    yield line

    def _checked(self, account: str | None) -> str | None:
        """The account, if one is named and it is here; raises UnknownName."""
        return None if account is None else account_named(self.log, account)

    def _blame(self) -> Blame:
        return Blame(
            self.log,
            self.past,
            self.sessions,
            Authorizations(self.past, self.sessions),
            self.teller,
        )

    @collecting_seldom()
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
        account = self._checked(account)
        account_id = the_account(self.past, account, resource)
        within = Within.of(at) if at is not None else self._within(account_id, since, until)
        return who_could(
            self.past, self.entitlements, self.deeds, account_id, action, resource, context, within
        )

    def _within(self, account_id: str, since: int | None, until: int | None) -> Within:
        first, last = Courses(self.past).extent(account_id)
        return Within(first if since is None else since, last + 1 if until is None else until)

    @collecting_seldom()
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
        account = self._checked(account)
        followed = self.following.follow(principal, account)
        asked = administration(context) if action is None else Asked((action,), resource, context)
        until = Courses(self.past).extent(followed.account_id)[1] + 1
        return first_able(self.past, self.entitlements, self.following, followed, asked, until)

    @collecting_seldom()
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
        account = self._checked(account)
        followed = self.following.follow(principal, account)
        within = self._within(followed.account_id, since, until)
        return exposure(self.log, self.entitlements, self.following, followed, self.used, pattern, within)

    def access(self, principal: str, *, at: int, account: str | None = None) -> Answer:
        """Everything that the principal could have done then, in order of risk, and the roles it could have reached."""
        account = self._checked(account)
        standing = self._standing(principal, at, account)
        roles = Roles(standing.world)
        return told_access(self.teller, access(standing, roles), roles)

    def differences(
        self, account: str | None, since: int, until: int, *, principal: str | None = None
    ) -> list[Answer]:
        """What the account's principals may do at `until` and could not at `since`, and the reverse; whom roles let in."""
        account_id = account_named(self.log, account)
        before, after = (WholeWorld(self.past, self.entitlements, at) for at in (since, until))
        roles_before, roles_after = Roles(before), Roles(after)
        teller = self.teller
        causes = Causes(History(self.log), teller, account_id, since, until)
        only = None if principal is None else self._at_either(principal, account_id, since, until)
        return [
            *(
                told_change(teller, causes, one, roles_before, roles_after)
                for one in changed(before, after, account_id, only=only)
            ),
            *trust_changes(teller, causes, roles_before, roles_after, account_id, only=only),
            *profile_changes(causes, roles_before, roles_after, account_id, only=only),
        ]

    def _at_either(self, principal: str, account_id: str, since: int, until: int) -> str:
        """The unique id of a user or role that was there at the later time, or at the earlier."""
        try:
            found = self.naming.principal(principal, until, account_id)
        except UnknownName:
            found = self.naming.principal(principal, since, account_id)
        if found.entity is None:
            raise BadFilter("principal", f"{principal!r} is no user and no role; root has no policies")
        if found.account_id != account_id:
            raise BadFilter("principal", f"{principal!r} is not of account {account_id}")
        return found.entity.id

    def comparison(self, principal: str, against: str, *, at: int, account: str | None = None) -> Answer:
        """What one principal could have done then that another could not, and the reverse."""
        account = self._checked(account)
        standing = self._standing(principal, at, account)
        other = self._standing(against, at, account)
        return self._compared(other, standing)

    def chain(self, access_key: str, *, at: int) -> list[Answer]:
        """The sessions between a temporary key and the first credential: what each could do that the one before couldn't."""
        hops = [hop for hop in reversed(self.sessions.chain(access_key)) if hop["credential"]]
        if not hops:
            raise UnknownName(f"no record shows the session of {access_key!r}")
        standings = [self._standing(hop["credential"], at, None) for hop in hops]
        return [
            {
                "credential": hops[number]["credential"],
                **self._compared(standings[number - 1], standings[number]),
            }
            for number in range(1, len(hops))
        ]

    def _compared(self, before: Standing, after: Standing) -> Answer:
        teller = self.teller
        found = compare(before.permitted, after.permitted)
        teller.learn(places_of(match for shift in found.shifts for match in shift.part.matches))
        return {
            "principal": after.caller.arn,
            "against": before.caller.arn,
            "at": format_time(after.world.at),
            **told_comparison(
                teller,
                None,
                found,
                access(before, Roles(before.world)),
                access(after, Roles(after.world)),
            ),
            "unknown": [told_unknown(one) for one in dict.fromkeys((*before.unknown, *after.unknown))],
        }

    def _standing(self, principal: str, at: int, account: str | None) -> Standing:
        found = self.naming.principal(principal, at, account)
        world = WholeWorld(self.past, self.entitlements, at)
        return world.standing(found, self._session(principal, at))

    def _session(self, principal: str, at: int) -> Session:
        """What limits the session, if it is a temporary key that is named."""
        if not principal.startswith(TEMPORARY):
            return UNLIMITED
        return session_by_key(self.past, self.sessions, principal, at)

    @collecting_seldom()
    def what_if(
        self,
        without: Sequence[str] = (),
        file: Path | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
    ) -> Answer:
        """Which recorded calls would have had another outcome without these events, and with the file's records."""
        account = self._checked(account)
        named = [entry for name in without for entry in records_named(self.log, name)]
        left_out = {(entry.account_id, entry.position): entry for entry in named}
        edits = edited(self.log, History(self.log), list(left_out.values()), file, account)
        replay = WhatIf(self.past, self.sessions, edits.edits, edits.since)
        found = [
            one
            for one in replay.turned(END_OF_TIME if until is None else until)
            if (since is None or one.entry.time >= since) and account in (None, one.entry.account_id)
        ]
        check_effect(edits, replay.tally)
        return told_what_if(self.teller, edits, found, replay.tally)

    @collecting_seldom()
    def coverage(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
        unused: bool = False,
    ) -> Answer:
        """Of each statement in force within that time: how often it decided, when last, and who granted it."""
        account = self._checked(account)
        coverage = Coverage(self.past, self.sessions, since or 0)
        coverage.count(END_OF_TIME if until is None else until, account)
        return told_coverage(self.teller, coverage, since, until, account, unused)

    @collecting_seldom()
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
        account = self._checked(account)
        with self.log.engine.connect() as connection:
            subject = subject_named(connection, principal, account)
        end = END_OF_TIME if until is None else until
        found = needed(self.past, self.sessions, subject, since or 0, end)
        return told_suggestion(subject, found, wildcards=wildcards)
