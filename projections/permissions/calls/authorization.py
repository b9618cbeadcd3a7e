"""The authorization of a recorded call: what its caller's policies said of it, held against what AWS did.

Imported records tell what AWS decided, never why. So the decision is inferred: the same question is put to the
account as the log shows it at that moment. Where the two differ, or where the answer rests on what no record tells,
the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Kind
from ledger.calls.called import asked
from ledger.calls.denials import PolicyKind, denial_words
from ledger.calls.question import Asked, Guess, Question, Unasked
from ledger.calls.requested import ArnOf
from ledger.entry import Entry
from ledger.iam.sessions import Session, session_opened
from ledger.policy.callers import caller_of_identity, holder_named, holder_of
from ledger.policy.decision import Decision, Unknown, UnknownKind, Verdict, Way
from ledger.policy.entitlements import Entitlements, session_policies
from ledger.policy.evaluation import PolicySet
from ledger.policy.request import Caller, CallerKind, caller_of
from ledger.policy.session_limits import with_limits
from ledger.record import Identity, Record, is_denial
from projections.permissions.accounts import PastAccounts
from projections.permissions.calls.contexts import RecordedContexts
from projections.permissions.judging import Judgement, Named, Told, World, judge, tags_of
from projections.permissions.worlds import PastWorld
from projections.sessions import Sessions

ELSEWHERE = {
    PolicyKind.SERVICE_CONTROL: UnknownKind.CONTROL_POLICY,
    PolicyKind.RESOURCE_CONTROL: UnknownKind.CONTROL_POLICY,
    PolicyKind.VPC_ENDPOINT: UnknownKind.RESOURCE_POLICY,
    PolicyKind.RESOURCE: UnknownKind.RESOURCE_POLICY,
}
UNTOLD_GRANTS = frozenset(
    {UnknownKind.EARLIER_GRANTS, UnknownKind.POLICY_TEXT, UnknownKind.OTHER_ACCOUNT, UnknownKind.PRINCIPAL}
)
KEYS_AT_ONCE = 5_000
Judging = Callable[..., Judgement]
"""`judge`, or what remembers its answers."""

SETTLING_SECONDS = 30  # in which a change of IAM may not be seen everywhere


class Agreement(StrEnum):
    """How the inferred decision stands to what AWS did."""

    AGREES = "agrees"
    UNKNOWN = "unknown"  # it rests on what no record tells, which `unknown` names
    SETTLING = "eventualConsistency"  # a change of the last seconds explains it
    DIFFERS = "differs"
    NOT_TOLD = "notTold"  # an error that is no denial tells nothing about permission


@dataclass(frozen=True, slots=True)
class Authorization:
    """One question that a call put, and the answer. A call may have put several."""

    entry: Entry
    question: Question | None
    judgement: Judgement | None
    agreement: Agreement
    unknown: tuple[Unknown, ...] = ()
    unasked: Unasked | None = None

    @property
    def decision(self) -> Decision | None:
        return None if self.judgement is None else self.judgement.decision


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and where the record of its opening stands."""

    session: Session
    account_id: str


class OpenedSessions:
    """What was passed to sessions when they were opened, by their access key."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._kept: dict[str, Opened | None] = {}

    def learn(self, access_keys: Iterable[str]) -> None:
        """Look up these sessions at once, before they are asked for one by one."""
        fresh = sorted({key for key in access_keys if key not in self._kept})
        for start in range(0, len(fresh), KEYS_AT_ONCE):
            keys = fresh[start : start + KEYS_AT_ONCE]
            openings = self._sessions.opened(keys)
            entries = self._sessions.entries_of(openings.values())
            for key in keys:
                opening = openings.get(key)
                entry = None if opening is None else entries.get((opening.account, opening.position))
                self._kept[key] = None if entry is None else _opened(entry)

    def of(self, access_key: str) -> Opened | None:
        """The opening of a session, where the log has it."""
        if access_key not in self._kept:
            opening = self._sessions.opened([access_key]).get(access_key)
            entry = None if opening is None else self._sessions.entry_of(opening)
            self._kept[access_key] = None if entry is None else _opened(entry)
        return self._kept[access_key]


def _opened(entry: Entry) -> Opened | None:
    session = session_opened(Change(entry.position, entry.record, entry.origin.native))
    return None if session is None else Opened(session, entry.account_id)


class Authorizations:
    """Infers the authorization of recorded calls. One is made for one look at a ledger."""

    def __init__(self, past: PastAccounts, sessions: Sessions, judging: Judging = judge) -> None:
        self.past = past
        self.entitlements = Entitlements()
        self.opened = OpenedSessions(sessions)
        self.contexts = RecordedContexts()
        self._judge = judging
        self._session_policies: dict[str, tuple[PolicySet | None, tuple[Unknown, ...]]] = {}

    def of(self, entry: Entry) -> tuple[Authorization, ...]:
        """What the call asked of IAM, each with its decision, by the accounts just before it."""
        world = PastWorld(self.past, entry.time, {entry.account_id: self.past.before(entry)})
        return self.judged(world, entry)

    def judged(self, world: World, entry: Entry) -> tuple[Authorization, ...]:
        """The same in a world that is the accounts just before the call."""
        found = self.within(world, entry)
        if all(map(_is_settled, found)):
            return found
        earlier = PastWorld(self.past, entry.time - SETTLING_SECONDS)
        return tuple(map(_settling, found, self.within(earlier, entry)))

    def within(self, world: World, entry: Entry, told: Asked | None = None) -> tuple[Authorization, ...]:
        """What the call asked of IAM, each with its decision, by the accounts of that world.

        `told` is what it asked, where that is known already.
        """
        record = entry.record
        if told is None:
            told = self.asked(world, record)
        if told.unasked is not None or not told.questions:
            return (Authorization(entry, None, None, Agreement.AGREES, unasked=told.unasked),)
        outcome = outcome_of(entry)
        identity = record.identity
        caller = caller_of_identity(identity) or _from_abroad(world, identity)
        if caller is None:
            unknown = (Unknown(UnknownKind.PRINCIPAL, identity.label),)
            return tuple(
                Authorization(entry, question, None, Agreement.UNKNOWN, unknown)
                for question in told.questions
            )
        holder = holder_named(caller, identity)
        session, untold = self._session(world, caller, identity)
        tags = self._tags(world, identity, caller, holder)
        return tuple(
            self._authorization(
                entry,
                outcome,
                question,
                _Asking(world, caller, holder, self.contexts.of(record, question.action, tags), session),
                untold,
            )
            for question in told.questions
        )

    @staticmethod
    def asked(world: World, record: Record) -> Asked:
        """What the call asked. Only calls of IAM name what the world has to tell the ARN of."""
        return asked(record, _arn_of(world, record.account_id))

    def _authorization(
        self,
        entry: Entry,
        outcome: bool | None,
        question: Question,
        asking: _Asking,
        untold: tuple[Unknown, ...],
    ) -> Authorization:
        """Of several spellings of the resource the first that is allowed, else the first."""
        judgements: list[Judgement] = []
        for resource in question.resources or (None,):
            judgements.append(
                self._judge(
                    asking.world,
                    self.entitlements,
                    asking.caller,
                    asking.holder,
                    question.action,
                    resource,
                    asking.context,
                    session=asking.session,
                )
            )
            if judgements[-1].decision.allowed:
                break
        judgement = judgements[-1] if judgements[-1].decision.allowed else judgements[0]
        unknown = tuple(dict.fromkeys((*judgement.unknown, *untold)))
        agreement, unknown = _compared(entry, outcome, judgement, question, unknown)
        return Authorization(entry, question, judgement, agreement, unknown)

    def _session(
        self, world: World, caller: Caller, identity: Identity
    ) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
        """The policies that limit the session which called; none for a key that lasts, or a console session."""
        if not identity.temporary or identity.access_key_id is None or caller.account_id is None:
            return None, ()
        opened = self.opened.of(identity.access_key_id)
        if opened is None:
            if caller.kind is CallerKind.USER:
                return None, ()  # of the console
            return None, (Unknown(UnknownKind.SESSION_POLICY, caller.arn),)
        session = opened.session
        if not session.policy_arns and identity.access_key_id in self._session_policies:
            return self._session_policies[identity.access_key_id]
        account = None
        if session.policy_arns:
            passed_arns = [(Kind.POLICY, arn) for arn in session.policy_arns]
            account = world.account(caller.account_id, *passed_arns)
        passed, untold = session_policies(
            session.policy,
            session.policy_arns,
            account if account is not None else Account.empty(caller.account_id),
            world.at,
            session=session.session_arn or caller.arn,
            made_by=(opened.account_id, session.position),
        )
        limited = with_limits(passed, session.action)
        self._session_policies[identity.access_key_id] = limited, untold
        return limited, untold

    def _tags(
        self, world: World, identity: Identity, caller: Caller, holder: Named | None
    ) -> Mapping[str, str] | None:
        """The caller's own tags and those of the session; None where they are not known."""
        if holder is None or caller.account_id is None:
            return None
        account = world.account(caller.account_id, holder)
        tags = tags_of(None if account is None else holder_of(account, holder))
        if tags is None or not identity.temporary or identity.access_key_id is None:
            return tags
        opened = self.opened.of(identity.access_key_id)
        return tags if opened is None else {**tags, **dict(opened.session.tags)}


def _from_abroad(world: World, identity: Identity) -> Caller | None:
    """Another account's log names a caller by unique id alone; their own account's log, if it is here, tells who."""
    kind = {"AIDA": Kind.USER, "AROA": Kind.ROLE}.get((identity.unique_id or "")[:4])
    if kind is None or identity.unique_id is None or identity.account_id is None:
        return None
    account = world.account(identity.account_id, (kind, identity.unique_id))
    found = None if account is None else holder_of(account, (kind, identity.unique_id))
    if found is None:
        return None
    if kind is Kind.USER:
        return caller_of(found.arn, None, found.id)
    name = identity.session_name
    return caller_of(
        found.arn if name is None else f"arn:aws:sts::{identity.account_id}:assumed-role/{found.name}/{name}",
        found.arn,
        found.id,
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, in which world, with what context and session policies."""

    world: World
    caller: Caller
    holder: Named | None
    context: Told
    session: PolicySet | None


def outcome_of(entry: Entry) -> bool | None:
    """Whether AWS allowed the call; None where it failed for another reason."""
    error = entry.document.get("errorCode")
    if not isinstance(error, str) or not error:
        return True
    return False if is_denial(error) else None


def _compared(
    entry: Entry,
    outcome: bool | None,
    judgement: Judgement,
    question: Question,
    unknown: tuple[Unknown, ...],
) -> tuple[Agreement, tuple[Unknown, ...]]:
    """How the decision stands to the outcome, and what is unknown that matters to it."""
    if outcome is None:
        return Agreement.NOT_TOLD, unknown
    if judgement.decision.allowed is outcome:
        return Agreement.AGREES, ()
    found = dict.fromkeys(unknown)
    if not outcome:
        found |= dict.fromkeys(_elsewhere(entry, judgement))
    if not found and Guess.NAMED_AS_EVENT in question.guess:
        found[Unknown(UnknownKind.ACTION, question.action)] = None
    elif not found and question.guess:
        found[Unknown(UnknownKind.RESOURCE, (*question.resources, "?")[0])] = None
    return (Agreement.UNKNOWN if found else Agreement.DIFFERS), tuple(found)


def _elsewhere(entry: Entry, judgement: Judgement) -> Iterator[Unknown]:
    """What AWS refused by that is in no IAM log; all such policies where its message does not say which."""
    words = denial_words(entry.record)
    kind = None if words is None else words.policy_kind
    if kind is None:
        yield Unknown(UnknownKind.CONTROL_POLICY, judgement.request.caller.account_id or "")
    elif kind in ELSEWHERE:
        assert words is not None
        yield Unknown(ELSEWHERE[kind], words.policy_arn or judgement.request.resource or "")


def _is_settled(found: Authorization) -> bool:
    """Whether a change of the last seconds could explain nothing more of it."""
    if found.judgement is None or found.agreement is Agreement.NOT_TOLD:
        return True
    if found.agreement is not Agreement.AGREES:
        return False
    untold = any(one.kind in UNTOLD_GRANTS for one in found.judgement.unknown)
    return found.judgement.decision.verdict is not Verdict.IMPLICIT_DENY or not untold


def _settling(found: Authorization, earlier: Authorization) -> Authorization:
    """Whether what AWS did agrees with the account as it had been some seconds before, and it has changed since.

    A denial that nothing here allows may have had that reason too, where what allowed it is from before the log.
    """
    if _is_settled(found) or found.judgement is None or earlier.judgement is None:
        return found
    if _grants(found.judgement) == _grants(earlier.judgement):
        return found
    outcome = outcome_of(found.entry)
    if earlier.judgement.decision.allowed is not outcome:
        return found
    return replace(found, agreement=Agreement.SETTLING)


def _grants(judgement: Judgement) -> frozenset[Way]:
    """All ways by which any policy came to bear on the question."""
    sets = (judgement.entitlement.identity, judgement.entitlement.boundary, judgement.trust)
    return frozenset(
        way for one in sets if one is not None for _, source in one.entries for way in source.ways
    )


def _arn_of(world: World, account_id: str) -> ArnOf:
    """The ARN, with its path, of an entity that a request names, as it was in that world."""

    def arn_of(kind: str, name: str) -> str | None:
        account = world.account(account_id, (Kind(kind), name))
        return None if account is None else account.arn_named(Kind(kind), name)

    return arn_of
