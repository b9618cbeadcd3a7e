"""Two accounts side by side: as it was, and as it would have been with some entries left out and others put in.

Both are folded by the one fold. In the other account nothing is done to what is not there: the fold assumes what a
record presupposes, for logs have holes; but where the account as it was knows of the creation, there is no hole, and
such a change could not have been made. It is left out, and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import Entity, Kind, LoginProfile, Ref
from ledger.account.fold import Event, Step
from ledger.iam.login_profiles import THE_LOGIN_PROFILE_OF
from ledger.policy.callers import holder_of
from ledger.policy.entitlements import rests_on
from projections.permissions.accounts import PastAccounts
from projections.permissions.judging import Named
from projections.permissions.replaying import Moved, Second, Stepped, Walk, step_through
from projections.permissions.telling import Place

NAMED_KINDS = {
    "user": Kind.USER,
    "group": Kind.GROUP,
    "role": Kind.ROLE,
    "instance-profile": Kind.INSTANCE_PROFILE,
}
NOTHING: frozenset[Ref] = frozenset()


@dataclass(frozen=True, slots=True)
class Edits:
    """What is left out of the log, and what is put in, by account. Added changes have positions beyond the log."""

    without: frozenset[Place] = frozenset()
    added: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    def added_at(self, time: int) -> Iterator[tuple[str, Change]]:
        for account_id, changes in self.added.items():
            for change in changes:
                if change.time == time:
                    yield account_id, change


@dataclass(frozen=True, slots=True)
class Forked:
    """Both at the end of a second. `impossible` are changes that presuppose what would not be there, with what."""

    was: Moved
    would: Moved
    differing: Mapping[str, frozenset[Ref]]  # entities that are not the same, by account
    impossible: Mapping[Place, str]
    apart: bool  # within the second they were led differently, be it to the same end

    @property
    def same(self) -> bool:
        return not self.apart and not any(self.differing.values())


class Fork:
    """Moves both accounts on. What would not have been done for want of permission, the asker names as `lost`."""

    def __init__(self, past: PastAccounts, edits: Edits, since: int) -> None:
        self._edits = edits
        self._was = Walk(past, since)
        self._would: Mapping[str, Account] = self._was.ends
        self._differing: Mapping[str, frozenset[Ref]] = {}

    def was(self, second: Second) -> Moved:
        return self._was.through(second)

    def forked(self, second: Second, was: Moved, lost: Set[Place]) -> Forked:
        """The second without what is left out and what is lost. It may be asked again with more that is lost."""
        stepped: dict[str, Stepped] = {}
        impossible: dict[Place, str] = {}
        differing = dict(self._differing)
        apart = False
        added = list(self._edits.added_at(second.time))
        for account_id in sorted({*second.events, *(account_id for account_id, _ in added)}):
            real = was.stepped.get(account_id)
            events = [
                event
                for event in second.events.get(account_id, ())
                if not isinstance(event, Change) or not self._gone(account_id, event, lost)
            ]
            fresh = [change for at, change in added if at == account_id]
            untouched = len(events) == len(second.events.get(account_id, ())) and not fresh
            if untouched and real is not None and not self._differing.get(account_id):
                stepped[account_id] = real
                continue
            apart = True
            after = was.ends[account_id]
            other, found = _possible(self._would[account_id], [*events, *fresh], after)
            stepped[account_id] = other
            impossible |= {(account_id, position): what for position, what in found.items()}
            differing[account_id] = _differing(
                after, other.after, self._differing.get(account_id, NOTHING), real, other
            )
        ends = {**self._would, **{account_id: one.after for account_id, one in stepped.items()}}
        return Forked(was, Moved(second.time, ends, stepped), differing, impossible, apart)

    def settle(self, forked: Forked) -> None:
        """Go on from there."""
        self._would = forked.would.ends
        self._differing = forked.differing

    def _gone(self, account_id: str, change: Change, lost: Set[Place]) -> bool:
        place = (account_id, change.position)
        return place in self._edits.without or place in lost


def entitled_alike(forked: Forked, account_id: str, holder: Named) -> bool:
    """Whether a user or role has, at the end of the second, the same policies (and keys and tags) in both."""
    if not forked.differing.get(account_id):
        return True
    was, would = forked.was.ends[account_id], forked.would.ends[account_id]
    one, other = holder_of(was, holder), holder_of(would, holder)
    if one is None or other is None:
        return one is other
    at = forked.was.time
    return tuple(rests_on(was, one, at)) == tuple(rests_on(would, other, at))


def _possible(account: Account, events: list[Event], real: Account) -> tuple[Stepped, dict[int, str]]:
    """The events of a second less those that presuppose what is not there, one after the other."""
    impossible: dict[int, str] = {}
    while True:
        stepped = step_through(account, events)
        for step in stepped.steps:
            what = _presupposed(step, real)
            if what is not None:
                events = [event for event in events if event is not step.cause]
                if isinstance(step.cause, Change):
                    impossible[step.cause.position] = what
                break
        else:
            return stepped, impossible


def _presupposed(step: Step, real: Account) -> str | None:
    """What the step had to assume although the account as it was knows how it came to be there."""
    for assumption in step.account.noted:
        if assumption.reason is Reason.UNSEEN_CREATION and _was_created(real, assumption.about):
            return assumption.about
    return None


def _was_created(account: Account, about: str) -> bool:
    """Whether the account has, or had, what an assumption is about, and a record or snapshot shows it made."""
    owner = account.key_owner(about)
    if owner is not None:
        return Reason.UNSEEN_CREATION not in owner.access_keys[about].assumed
    arn = about.removeprefix(THE_LOGIN_PROFILE_OF)
    kind, _, named = arn.split(":", 5)[-1].partition("/")
    found: Entity | LoginProfile | None = None
    if arn != about:
        user = account.user_named(named.rpartition("/")[2])
        found = None if user is None else user.login_profile
    elif kind == "policy":
        found = account.policy(about)
    elif kind in NAMED_KINDS:
        entity_id = account.names.get((NAMED_KINDS[kind], named.rpartition("/")[2].casefold()))
        found = None if entity_id is None else account.get(NAMED_KINDS[kind], entity_id)
    elif kind == "mfa":
        found = account.mfa_devices.get(about)
    return found is not None and Reason.UNSEEN_CREATION not in getattr(found, "assumed", ())


def _differing(
    was: Account, would: Account, before: frozenset[Ref], real: Stepped | None, other: Stepped
) -> frozenset[Ref]:
    moved = set(before)
    for stepped in (real, other):
        for step in stepped.steps if stepped is not None else ():
            moved.update(step.account.touched)
    return frozenset(ref for ref in moved if was.get(*ref) != would.get(*ref))
