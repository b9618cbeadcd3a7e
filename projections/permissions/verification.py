"""Whether every stored decision comes out the same when it is made again from the log alone.

For each entry with an authorization the account is folded up to the position that the authorization names, and the
same engine is asked again. No projection takes part: they are derived, and may be wrong with what they derive from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.replay import Replay
from ledger.authorization import Authorization, NotAnAuthorization, authorize, semantics_of
from ledger.entry import Entry
from ledger.iam.sessions import Session, session_opened
from ledger.log import EntryDamaged, Log
from ledger.policy.callers import caller_of_identity, holder_named, holder_of
from ledger.policy.decision import SEMANTICS
from ledger.policy.entitlements import Entitlements
from projections.lines import ref
from projections.permissions.of_the_call import is_of_the_call

PAGE = 1_000  # entries

Progress = Callable[["Verified"], None]


class Reason(StrEnum):
    """Why a stored decision is reported."""

    DIFFERS = "differs"
    NOT_OF_THE_CALL = (
        "notOfTheCall"  # it is about another principal, time, action or resource, or rests on what came later
    )
    NOT_AS_HASHED = "notAsHashed"  # the entry is not what its leaf commits to, or can't be read
    UNREADABLE = "unreadable"
    NO_STATE = "noState"  # what it was made against can't be folded from this ledger
    UNKNOWN_SEMANTICS = "unknownSemantics"  # it was made by rules that are not known here


@dataclass(frozen=True, slots=True)
class Divergence:
    """A stored decision that could not be made again, or came out otherwise; `differs` are the members that do."""

    account_id: str
    position: int
    reason: Reason
    detail: str
    entry: Entry | None = None
    stored: Mapping[str, Any] | None = None
    recomputed: Mapping[str, Any] | None = None
    differs: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        place = {"account": self.account_id, "position": self.position}
        return {
            "entry": place if self.entry is None else ref(self.entry),
            "reason": str(self.reason),
            "detail": self.detail,
            "differs": list(self.differs),
            "stored": self.stored,
            "recomputed": self.recomputed,
        }


@dataclass(slots=True)
class Verified:
    """What was found so far. Every stored decision is recomputed or among the divergences, or both."""

    stored: int = 0
    recomputed: int = 0
    divergences: list[Divergence] = field(default_factory=list)

    @property
    def unknown_semantics(self) -> int:
        return sum(one.reason is Reason.UNKNOWN_SEMANTICS for one in self.divergences)

    def to_document(self) -> dict[str, Any]:
        return {
            "stored": self.stored,
            "recomputed": self.recomputed,
            "diverging": len(self.divergences) - self.unknown_semantics,
            "unknownSemantics": self.unknown_semantics,
            "divergences": [one.to_document() for one in self.divergences],
        }


@dataclass(frozen=True, slots=True)
class _Due:
    """A decision that is to be made again, by the state of an account at a position."""

    state: int
    account_id: str
    position: int


def verify_decisions(log: Log, account_ids: Sequence[str], progress: Progress | None = None) -> Verified:
    """Make every stored decision in these accounts' logs again. `progress` is called now and then."""
    positions = {account_id: log.authorized(account_id) for account_id in account_ids}
    verified = Verified(stored=sum(map(len, positions.values())))
    due: dict[str, list[_Due]] = {}
    for account_id, stored in positions.items():
        for entry in _readable(log, account_id, stored, verified):
            found = _read(entry)
            if isinstance(found, Divergence):
                verified.divergences.append(found)
                continue
            state_of = account_id if account_id in found.positions else next(iter(found.positions))
            due.setdefault(state_of, []).append(_Due(found.positions[state_of], account_id, entry.position))
    for state_of, decisions in due.items():
        decisions.sort(key=lambda one: (one.state, one.account_id, one.position))
        _Verifying(log, state_of, verified).run(decisions, progress)
    verified.divergences.sort(key=lambda one: (one.account_id, one.position))
    return verified


def _readable(log: Log, account_id: str, positions: Sequence[int], verified: Verified) -> Iterator[Entry]:
    """The entries at these positions; those that can't be put together are reported."""
    for start in range(0, len(positions), PAGE):
        page = positions[start : start + PAGE]
        try:
            yield from log.entries_at(account_id, page)
        except EntryDamaged:
            for position in page:
                try:
                    yield from log.entries_at(account_id, [position])
                except EntryDamaged as error:
                    verified.divergences.append(
                        Divergence(account_id, position, Reason.NOT_AS_HASHED, str(error))
                    )


def _read(entry: Entry) -> Authorization | Divergence:
    """The authorization of an entry, if it is one that can be made again."""

    def diverging(reason: Reason, detail: str, stored: Authorization | None = None) -> Divergence:
        told = None if stored is None else stored.to_document()
        return Divergence(entry.account_id, entry.position, reason, detail, entry, told)

    assert entry.authorization is not None
    if not entry.intact():
        return diverging(Reason.NOT_AS_HASHED, "the entry is not what its leaf hash commits to")
    semantics = semantics_of(entry.authorization)
    if semantics is not None and semantics != SEMANTICS:
        detail = f"made by version {semantics} of the rules; here is version {SEMANTICS}"
        return diverging(Reason.UNKNOWN_SEMANTICS, detail)
    try:
        found = Authorization.from_bytes(entry.authorization)
    except NotAnAuthorization as error:
        return diverging(Reason.UNREADABLE, str(error))
    caller = caller_of_identity(entry.record.identity)
    if caller is None or (caller.arn, caller.role_arn) != (found.principal.arn, found.principal.role_arn):
        said = f"it speaks of {found.principal.arn}, and the call is of {entry.record.identity.label}"
        return diverging(Reason.NOT_OF_THE_CALL, said, found)
    if found.at != entry.time:
        return diverging(Reason.NOT_OF_THE_CALL, "it was made for another time than that of the call", found)
    if not found.positions:
        return diverging(Reason.NO_STATE, "it names no account that it was made against", found)
    if found.positions.get(entry.account_id, 0) > entry.position:
        return diverging(Reason.NOT_OF_THE_CALL, "it rests on entries that came after it", found)
    return found


class _Verifying:
    """Makes decisions again that were made against one account, in the order of its states."""

    def __init__(self, log: Log, account_id: str, verified: Verified) -> None:
        self._log = log
        self._verified = verified
        self._account_id = account_id
        self._folding = _Folding(log, account_id)
        self._elsewhere: dict[str, _Folding] = {}
        self._entitlements = Entitlements()
        self._sessions: dict[int, Session | None] = {}

    def run(self, decisions: Sequence[_Due], progress: Progress | None) -> None:
        for start in range(0, len(decisions), PAGE):
            page = decisions[start : start + PAGE]
            entries = self._fetched(page)
            for one in page:
                found = self._again(entries[one.account_id, one.position], one.state)
                if found is not None:
                    self._verified.divergences.append(found)
            if progress is not None:
                progress(self._verified)

    def _fetched(self, page: Sequence[_Due]) -> dict[tuple[str, int], Entry]:
        wanted: dict[str, list[int]] = {}
        for one in page:
            wanted.setdefault(one.account_id, []).append(one.position)
        return {
            (account_id, entry.position): entry
            for account_id, positions in wanted.items()
            for entry in self._log.entries_at(account_id, positions)
        }

    def _again(self, entry: Entry, state: int) -> Divergence | None:
        assert entry.authorization is not None
        stored = Authorization.from_bytes(entry.authorization)
        told = stored.to_document()
        place = (entry.account_id, entry.position)
        account = self._folding.account_at(state)
        session = None if stored.session is None or account is None else self._session(stored.session)
        if account is None or (stored.session is not None and session is None):
            detail = self._folding.damage or f"entry {stored.session} opened no session"
            return Divergence(*place, Reason.NO_STATE, detail, entry, told)
        if not _is_holder(account, stored, entry):
            detail = f"it goes by the policies of {stored.holder}, and the call is of {stored.principal.arn}"
            return Divergence(*place, Reason.NOT_OF_THE_CALL, detail, entry, told)
        if not is_of_the_call(stored, entry.record, account):
            detail = f"it is about {stored.action} on {stored.resource}, and the call is not"
            return Divergence(*place, Reason.NOT_OF_THE_CALL, detail, entry, told)
        there, missing = self._there(stored)
        if missing is not None:
            return Divergence(*place, Reason.NO_STATE, missing, entry, told)
        recomputed = authorize(
            account,
            stored.principal,
            stored.holder,
            stored.action,
            stored.resource,
            stored.context,
            state,
            at=entry.time,
            session=session,
            entitlements=self._entitlements,
            there=there,
        )
        self._verified.recomputed += 1
        if recomputed == stored:
            return None
        again = recomputed.to_document()
        differs = tuple(member for member in told if told[member] != again[member])
        detail = f"{stored.verdict} was stored, and it comes out {recomputed.verdict}"
        if stored.verdict is recomputed.verdict:
            detail = f"{stored.verdict} as stored, but not for the same reason"
        return Divergence(*place, Reason.DIFFERS, detail, entry, told, again, differs)

    def _there(self, stored: Authorization) -> tuple[tuple[Account, int] | None, str | None]:
        """The state of the other account that was asked, where one was; and why there is none.

        Calls are decided with both heads held, so that in the order of the one account the other only grows.
        """
        others = [it for it in stored.positions.items() if it[0] != self._account_id]
        if not others:
            return None, None
        account_id, state = others[0]
        folding = self._elsewhere.get(account_id)
        if folding is None or folding.position > state:
            folding = self._elsewhere[account_id] = _Folding(self._log, account_id)
        account = folding.account_at(state)
        return (None, folding.damage) if account is None else ((account, state), None)

    def _session(self, position: int) -> Session | None:
        if position not in self._sessions:
            entry = self._log.entry(self._account_id, position) if position < self._folding.position else None
            change = None if entry is None else Change(entry.position, entry.record, entry.origin.native)
            self._sessions[position] = None if change is None else session_opened(change)
        return self._sessions[position]


class _Folding:
    """One account, folded up to one position after the other; `damage` tells why it can't be."""

    def __init__(self, log: Log, account_id: str) -> None:
        self._replay = Replay(account_id)
        self._entries = _in_order(log, account_id)
        self.damage: str | None = None

    @property
    def position(self) -> int:
        return self._replay.position

    def account_at(self, state: int) -> Account | None:
        """The fold of the entries before this position."""
        try:
            while self.damage is None and self.position < state:
                self._replay.take(next(self._entries))
        except StopIteration:
            self.damage = (
                f"the log of account {self._replay.account_id} has only {self.position} entries here"
            )
        except EntryDamaged as error:
            self.damage = str(error)
        return self._replay.account if self.position >= state else None


def _is_holder(account: Account, stored: Authorization, entry: Entry) -> bool:
    """Whether the decision went by the policies of who called."""
    identity = entry.record.identity
    named = holder_named(stored.principal, identity)
    if stored.holder is None or named is None:
        return stored.holder is named
    return holder_of(account, stored.holder) == holder_of(account, named)


def _in_order(log: Log, account_id: str) -> Iterator[Entry]:
    """The entries from the first on, up to one that is damaged or missing; then raises EntryDamaged."""
    position = 0
    try:
        for entry in log.read(account_id):
            if entry.position != position:
                raise EntryDamaged(account_id, position, "it is missing")
            yield entry
            position += 1
    except EntryDamaged as error:  # it is of a page of which all before it can be read
        for before in range(position, error.position):
            found = log.entry(account_id, before)
            if found is None:
                raise EntryDamaged(account_id, before, "it is missing") from error
            yield found
        raise
