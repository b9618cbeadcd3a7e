"""What would have become of the recorded calls, had some entries not been there, or others been there besides.

Every call is judged twice: by the accounts as they were, and as they would have been. What could not have been done
does not take effect either: a key that would not have been made opens nothing, a policy that nobody could have
attached grants nothing. So the consequences of a call that is lost are lost with it, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Members
from ledger.account.entities import Kind, Ref, Role, Settings, User
from ledger.account.fold import Step
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS, SESSION_ACTIONS
from ledger.iam.sessions import session_opened
from ledger.policy.callers import caller_of_identity, holder_named, holder_of
from ledger.policy.decision import Verdict
from ledger.policy.request import Caller, CallerKind
from ledger.record import Identity, Record, is_denial
from projections.permissions.accounts import PastAccounts
from projections.permissions.calls.authorization import Authorization, Authorizations
from projections.permissions.calls.remembering import RememberedJudging
from projections.permissions.calls.replaying import Second, access_keys, seconds
from projections.permissions.edited.forking import Edits, Fork, Forked, entitled_alike
from projections.permissions.edited.session_ends import LostSessions
from projections.permissions.judging import TRUSTING, Named
from projections.permissions.telling import Place
from projections.permissions.worlds import WalkedWorld
from projections.sessions import Sessions

ACTIVE = "Active"
SIGN_IN = "signin:ConsoleLogin"
PASSWORDS = frozenset(
    {"iam:CreateLoginProfile", "iam:UpdateLoginProfile", "iam:DeleteLoginProfile", "iam:ChangePassword"}
)


class Why(StrEnum):
    """Why a call has another outcome."""

    DENIED = "denied"
    ALLOWED = "allowed"
    NO_USER = "noUser"
    NO_ROLE = "noRole"
    NO_KEY = "noKey"
    KEY_INACTIVE = "keyInactive"
    NO_PASSWORD = "noPassword"
    NO_SESSION = "noSession"
    NO_ENTITY = "noEntity"  # what it changes would not be there


@dataclass(frozen=True, slots=True)
class Turned:
    """A call with another outcome. `pairs` are its questions that are answered otherwise, before and after.

    `because` is the entry on which it hangs, where it hangs on one: what is left out or put in, or another call
    that is lost; then it is `transitive`. `about` is what would not have been there.
    """

    entry: Entry
    why: Why
    pairs: tuple[tuple[Authorization, Authorization | None], ...] = ()
    because: Place | None = None
    transitive: bool = False
    about: str | None = None

    @property
    def lost(self) -> bool:
        return self.why is not Why.ALLOWED

    @property
    def place(self) -> Place:
        return self.entry.account_id, self.entry.position


@dataclass(slots=True)
class Tally:
    """What was looked at on the way."""

    replayed: int = 0
    judged: int = 0
    idle: set[Place] = field(default_factory=set)  # changes that were put in and changed nothing
    unnamed: dict[Place, str] = field(default_factory=dict)  # and such as name what was not there


class WhatIf:
    """One replay against an edited history."""

    def __init__(self, past: PastAccounts, sessions: Sessions, edits: Edits, since: int) -> None:
        self.tally = Tally()
        self._past = past
        self._edits = edits
        self._since = since
        self._fork = Fork(past, edits, since)
        judging = RememberedJudging()
        self._was = Authorizations(past, sessions, judging)
        self._would = Authorizations(past, sessions, judging)
        self._would.opened, self._would.contexts = self._was.opened, self._was.contexts
        self._lost_sessions = LostSessions()
        self._causes: dict[Ref | str, Place] = {}  # by what is not there any more, the entry that it hangs on
        self._alike: dict[tuple[str, Named], bool] = {}
        self._ends: Mapping[str, Account] = {}

    def turned(self, until: int) -> Iterator[Turned]:
        """The calls with another outcome, in order of time."""
        for second in self._seconds(until):
            was = self._fork.was(second)
            lost: set[Place] = set()
            while True:
                forked = self._fork.forked(second, was, lost)
                found = self._in(second, forked)
                more = {one.place for one in found if one.lost and _has_effect(one.entry.record)}
                more -= lost | forked.impossible.keys()  # these have had no effect already
                if not more:
                    break
                lost.add(_first(more, forked))
            self._fork.settle(forked)
            self.tally.replayed += len(second.calls)
            yield from found

    def _seconds(self, until: int) -> Iterator[Second]:
        """The log's seconds, and those of what is put in."""
        times = sorted({change.time for changes in self._edits.added.values() for change in changes})
        for second in seconds(self._past.log, since=self._since, until=until):
            while times and times[0] <= second.time:
                if (time := times.pop(0)) < second.time:
                    yield Second(time, (), {})
            self._was.opened.learn(access_keys(second.calls))
            yield second
        yield from (Second(time, (), {}) for time in times if time < until)

    # ---- one second

    def _in(self, second: Second, forked: Forked) -> list[Turned]:
        self._note(second, forked)
        if forked.same and not self._lost_sessions and not self._edited_in(second):
            self._lost_sessions.note_openings(second.calls, {})
            return []
        self._alike.clear()
        found: dict[Place, Turned] = {}
        for entry in second.calls:
            if (place := (entry.account_id, entry.position)) in self._edits.without:
                self._lost_sessions.lose(entry, place)
        for entry in second.calls:
            place = (entry.account_id, entry.position)
            if place not in self._edits.without and (turned := self._turned(entry, forked)) is not None:
                found[place] = turned
        self._lost_sessions.note_openings(second.calls, found)
        return list(found.values())

    def _edited_in(self, second: Second) -> bool:
        return any((entry.account_id, entry.position) in self._edits.without for entry in second.calls)

    def _turned(self, entry: Entry, forked: Forked) -> Turned | None:
        record = entry.record
        if record.error_code is None and not record.succeeded:
            return None  # a sign-in that failed
        denied = is_denial(record.error_code)
        if record.error_code is not None and not denied:
            return None  # it failed for another reason, and would have
        identity = record.identity
        if not denied:
            turned = self._impossible(entry, record, identity, forked)
            if turned is not None:
                return turned
        if not self._may_differ(record, identity, forked):
            return None
        self.tally.judged += 1
        was = forked.was.world(entry)
        told = self._was.asked(was, record)
        before = self._was.within(was, entry, told)
        again = None if record.service == "iam" else told
        after = self._would.within(forked.would.world(entry), entry, again)
        pairs = tuple(zip(before, after, strict=False))
        if denied:
            if not _allowed(before) and _allowed(after):
                return Turned(entry, Why.ALLOWED, tuple(filter(_differ, pairs)))
            return None
        lost = tuple(pair for pair in pairs if _is_lost(*pair))
        return Turned(entry, Why.DENIED, lost) if lost else None

    def _may_differ(self, record: Record, identity: Identity, forked: Forked) -> bool:
        """Whether the two accounts may answer otherwise: told by what the answer rests on, not by judging."""
        if forked.same:
            return False
        if record.service in ("iam", "sts") or record.action.lower() in TRUSTING:
            return True  # it may rest on what is named, too
        caller = caller_of_identity(identity)
        if caller is None or caller.account_id is None:
            return False
        holder = holder_named(caller, identity)
        if holder is None:
            return False
        alike = self._alike.get((caller.account_id, holder))
        if alike is None:
            alike = entitled_alike(forked, caller.account_id, holder)
            self._alike[caller.account_id, holder] = alike
        return not alike or self._passed_policies(identity)

    def _passed_policies(self, identity: Identity) -> bool:
        """Whether policies of the account were passed to the session: these may differ."""
        if not identity.temporary or identity.access_key_id is None:
            return False
        opened = self._was.opened.of(identity.access_key_id)
        return opened is not None and bool(opened.session.policy_arns)

    # ---- what could not have been made at all

    def _impossible(self, entry: Entry, record: Record, identity: Identity, forked: Forked) -> Turned | None:
        place = (entry.account_id, entry.position)
        session = self._lost_sessions.of(record, identity)
        if session is not None:
            return self._lost(entry, forked, Why.NO_SESSION, session, identity.access_key_id)
        if forked.same:
            return None
        if place in forked.impossible:
            about = forked.impossible[place]
            return self._lost(entry, forked, Why.NO_ENTITY, self._cause_of(entry.account_id, about), about)
        caller = caller_of_identity(identity)
        if caller is not None and caller.account_id is not None:
            missing = _missing(caller, identity, record, forked.was.world(entry), forked.would.world(entry))
            if missing is not None:
                why, about, ref = missing
                return self._lost(entry, forked, why, self._causes.get(ref), about)
        return self._no_target(entry, record, forked)

    def _no_target(self, entry: Entry, record: Record, forked: Forked) -> Turned | None:
        """A session of a role that would not be there."""
        if record.action not in SESSION_ACTIONS:
            return None
        session = session_opened(Change(entry.position, record, entry.origin.native))
        if session is None or session.arn is None or ":role/" not in session.arn:
            return None
        account_id = session.account_id or entry.account_id
        holder = (Kind.ROLE, session.unique_id or session.arn)
        was, would = forked.was.ends.get(account_id), forked.would.ends.get(account_id)
        if was is None or would is None:
            return None
        role = holder_of(was, holder)
        if role is None or holder_of(would, holder) is not None:
            return None
        return self._lost(entry, forked, Why.NO_ROLE, self._causes.get((Kind.ROLE, role.id)), role.arn)

    def _lost(
        self, entry: Entry, forked: Forked, why: Why, because: Place | None, about: str | None
    ) -> Turned:
        self.tally.judged += 1
        before = self._was.within(forked.was.world(entry), entry)
        transitive = because is not None and not self._is_edit(because)
        pairs = tuple((one, None) for one in before)
        return Turned(entry, why, pairs, because, transitive, about)

    def _is_edit(self, place: Place) -> bool:
        if place in self._edits.without:
            return True
        return any(change.position == place[1] for change in self._edits.added.get(place[0], ()))

    def _cause_of(self, account_id: str, about: str) -> Place | None:
        """The entry because of which what an assumption is about would not be there."""
        account = self._ends[account_id]
        kind, _, named = about.split(":", 5)[-1].partition("/")
        if kind == "policy" and (policy := account.policy(about)) is not None:
            return self._causes.get((Kind.POLICY, policy.id))
        for one in (Kind.USER, Kind.GROUP, Kind.ROLE, Kind.INSTANCE_PROFILE):
            found = account.names.get((one, named.rpartition("/")[2].casefold()))
            if kind == one and found is not None:
                return self._causes.get((one, found))
        return self._causes.get(about)

    def _note(self, second: Second, forked: Forked) -> None:
        """Remember which entries take away what: those that are left out or lost, and those that are put in."""
        self._ends = forked.was.ends
        for account_id, stepped in forked.was.stepped.items():
            other = forked.would.stepped.get(account_id)
            if other is None or other is stepped:
                continue
            kept = {step.cause.position for step in other.steps}
            for step in stepped.steps:
                if isinstance(step.cause, Change) and step.cause.position not in kept:
                    before = stepped.before.get(step.cause.position)
                    self._blame(step, (account_id, step.cause.position), before)
        for account_id, change in self._edits.added_at(second.time):
            place = (account_id, change.position)
            steps = forked.would.stepped[account_id].steps
            made = next((one for one in steps if one.cause is change), None)
            if made is None or not made.account.touched:
                self.tally.idle.add(place)
            else:
                stepped = forked.would.stepped[account_id]
                self._blame(made, place, stepped.before.get(change.position))
            for assumption in made.account.noted if made is not None else ():
                if assumption.reason is Reason.UNSEEN_CREATION:
                    self.tally.unnamed[place] = assumption.about

    def _blame(self, step: Step, place: Place, before: Account | None) -> None:
        """Who made it, or took it away, stands above those who only changed it."""
        assert isinstance(step.cause, Change)
        for ref in step.account.touched:
            had = None if before is None else before.get(*ref)
            if had is None or step.account.get(*ref) is None:
                self._causes[ref] = place
            else:
                self._causes.setdefault(ref, place)
            if step.cause.record.action in PASSWORDS:
                self._causes[_password_of(ref[1])] = place
        key = _key_named(step.cause)
        if key is not None:
            self._causes[key] = place


def _missing(
    caller: Caller, identity: Identity, record: Record, was: WalkedWorld, would: WalkedWorld
) -> tuple[Why, str, Ref | str] | None:
    """What the caller had and would not have: its own existence, its key, its password; and what that hangs on."""
    assert caller.account_id is not None
    one, other = was.account(caller.account_id), would.account(caller.account_id)
    if one is None or other is None:
        return None
    holder = holder_named(caller, identity)
    mine: User | Role | Settings | None
    theirs: User | Role | Settings | None
    if holder is not None:
        mine, theirs = holder_of(one, holder), holder_of(other, holder)
    elif caller.kind is CallerKind.ROOT:
        mine, theirs = one.settings, other.settings
    else:
        return None
    if mine is None or mine == theirs:
        return None
    if theirs is None or theirs.id != mine.id:
        assert isinstance(mine, User | Role)
        why = Why.NO_USER if isinstance(mine, User) else Why.NO_ROLE
        return why, mine.arn, (mine.kind, mine.id)
    if isinstance(mine, Role) or isinstance(theirs, Role):
        return None
    key_id = identity.access_key_id or ""
    key, kept = mine.access_keys.get(key_id), theirs.access_keys.get(key_id)
    if key is not None and key.status == ACTIVE and (kept is None or kept.status != ACTIVE):
        return (Why.NO_KEY if kept is None else Why.KEY_INACTIVE), key_id, key_id
    if isinstance(mine, Settings) or isinstance(theirs, Settings) or record.action != SIGN_IN:
        return None
    if _password(mine) is not None and _password(mine) != _password(theirs):
        return Why.NO_PASSWORD, mine.arn, _password_of(mine.id)
    return None


def _password_of(user_id: str) -> str:
    return f"the password of {user_id}"


def _password(owner: User | Settings) -> int | None:
    """The entry that set the password, where one is known to have."""
    return None if owner.login_profile is None else owner.login_profile.password_made_by


def _key_named(change: Change) -> str | None:
    """The access key that a change makes, or changes."""
    made: Members = change.response.within("AccessKey")
    return made.text("AccessKeyId") or change.request.text("AccessKeyId")


def _allowed(asked: tuple[Authorization, ...]) -> bool:
    return all(one.decision is not None and one.decision.allowed for one in asked)


def _differ(pair: tuple[Authorization, Authorization | None]) -> bool:
    before, after = pair
    return (
        before.decision is not None
        and after is not None
        and after.decision is not None
        and before.decision.allowed is not after.decision.allowed
    )


def _is_lost(before: Authorization, after: Authorization) -> bool:
    """AWS allowed it, so what is denied now must have been allowed by what is known, or be denied in so many words."""
    if before.decision is None or after.decision is None or after.decision.allowed:
        return False
    verdicts = (before.decision.verdict, after.decision.verdict)
    return before.decision.allowed or verdicts == (Verdict.IMPLICIT_DENY, Verdict.EXPLICIT_DENY)


def _has_effect(record: Record) -> bool:
    """Whether others may hang on it."""
    return record.action in FOLDED_ACTIONS or record.action in SESSION_ACTIONS


def _first(more: set[Place], forked: Forked) -> Place:
    """The first of them as the accounts were led through the second: what comes later may hang on it."""
    order: dict[Place, int] = {}
    for account_id, stepped in sorted(forked.was.stepped.items()):
        for number, step in enumerate(stepped.steps):
            order.setdefault((account_id, step.cause.position), number)
    return min(more, key=lambda place: (place not in order, order.get(place, 0), place))
