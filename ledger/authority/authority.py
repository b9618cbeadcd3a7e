"""The one door for live calls: authenticate, authorize, decide, append. Nothing takes effect that is not written down.

Whatever the outcome, allowed, denied or refused, exactly one entry is written once the caller is known; whoever presents
nothing that works is not recorded, lest strangers fill the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ledger.account.account import Account
from ledger.authority.asking import ServiceCalls
from ledger.authority.context import Contexts
from ledger.authority.credentials import Presented, Sessions, unknown_key
from ledger.authority.decided import Asking, Decided
from ledger.authority.denials import denial
from ledger.authority.facts import FACTS, IN_TURN
from ledger.authority.hiding import kept
from ledger.authority.recording import Surroundings, as_told_to, record_of, recorded
from ledger.authority.turns import Done, Now, Turns, Written
from ledger.authorization import Authorization
from ledger.entry import NATIVE, Draft
from ledger.iam import SESSION_ACTIONS
from ledger.iam.deciding import DECISIONS, EVERYTHING, Answer, Bearer, Call, Decision, Moment, Question
from ledger.iam.federation import Vouched
from ledger.iam.refusals import AccessDenied, InternalFailure, InvalidAction, Refusal, Throttling, TokenBarred
from ledger.iam.targets import in_words
from ledger.log import Log
from ledger.policy.request import caller_of
from ledger.policy.session_limits import LIMITING
from ledger.record import READ_ONLY_VERBS, Record, action_of, read_record
from ledger.redaction import without_secrets
from ledger.vault.attempts import TooManyAttempts
from ledger.vault.store import Vault
from ledger.vault.tokens import NotAToken, SessionToken, open_token, seal_token

LOG: Final = logging.getLogger(__name__)
READS: Final = (*READ_ONLY_VERBS, "Generate", "Simulate")
ANYBODY: Final = Bearer(caller_of(EVERYTHING))


@dataclass(slots=True)  # not frozen: to make one would take three times as long, and there is one a call
class Request:
    """A call as it came. `parameters` are named as in botocore's model; `invalid` is what is wrong with them, if anything.

    `presented` is None where the operation asks for no credential, as AssumeRoleWithWebIdentity, and where it is known
    `by` other means who calls.
    """

    account_id: str
    action: str
    parameters: Mapping[str, Any]
    surroundings: Surroundings
    presented: Presented | None
    invalid: Refusal | None = None
    by: Bearer = ANYBODY


class Reply(NamedTuple):
    """What the caller gets: the output, or the refusal; and which event tells of it. `worded_by`: see `Answer`."""

    output: Mapping[str, Any]
    refusal: Refusal | None
    event_id: str
    decided: Authorization | None = None
    worded_by: int | None = None


class _Judged(NamedTuple):
    """A call that was authenticated and authorized, and its record as far as no outcome stands in it.

    `decided`, and `told`, the same as canonical JSON, are None where no permission is needed.
    """

    record: Record
    call: Call
    refusal: Refusal | None
    decided: Authorization | None = None
    told: bytes | None = None


class Authority:
    """`submit` answers later, in another thread; `call` waits. `decisions` are all operations there are."""

    def __init__(
        self,
        log: Log,
        vault: Vault,
        *,
        decisions: Mapping[str, Decision] = DECISIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.vault = vault
        self.turns = Turns(log, vault, clock=clock)
        self._decisions = decisions
        self._clock = clock
        self._sessions = Sessions()
        self._contexts = Contexts()
        self._decided = Decided(self._contexts)
        self.services = ServiceCalls(self.turns, self._sessions, self._decided)

    def close(self) -> None:
        self.services.close()
        self.turns.close()

    def presented(self, access_key_id: str, session_token: str | None) -> Presented:
        """What is known of a credential by its id or token; raises Unauthenticated. Whether it works is told later."""
        if session_token is not None:
            borne = self.borne(session_token)
            if borne.access_key_id != access_key_id:
                raise unknown_key()
            return borne
        found = self.vault.access_key(access_key_id)
        if found is None:
            raise unknown_key()
        return Presented(found[0], access_key_id, found[1])

    def borne(self, session_token: str) -> Presented:
        """The credential that is sealed in a session token, which proves it; raises Unauthenticated."""
        try:
            token = open_token(self.vault.keyring, session_token)
        except NotAToken as error:
            raise unknown_key() from error
        return Presented(
            token.account_id, token.access_key_id, token.secret, token.position, token.expiration
        )

    # ---- calls

    def waits(self, action: str) -> bool:
        """Whether a call of this operation has to look something up first, and should not be made where nobody may wait."""
        decision = self._decisions.get(action)
        return decision is not None and bool(decision.facts or decision.outside)

    def call(self, request: Request) -> Reply:
        """Make the call and wait. Raises Unauthenticated, or Unavailable where nothing could be written."""
        decision = self._decisions.get(request.action)
        if request.presented is None and request.by is ANYBODY and not self.turns.knows(request.account_id):
            return self._nowhere(request, decision)
        if decision is not None and decision.outside:
            return self._outside(request, decision)
        there = self._there(request, decision)
        facts: Mapping[str, Any] = {}
        if decision is not None and decision.facts and request.invalid is None:
            try:
                facts = self._facts(request, decision, there)
            except TooManyAttempts as error:
                request = replace(request, invalid=Throttling(f"Rate exceeded: {error}"))
        return self._told(
            self.turns.call(request.account_id, lambda now: self._inside(request, now, facts), there=there)
        )

    def submit(self, request: Request, done: Done) -> None:
        """Make a call for which `waits` is false; `done` is called with the Reply in another thread."""
        self.turns.submit(request.account_id, lambda now: self._inside(request, now, {}), done)

    def look(self, account_id: str) -> tuple[Account, int]:
        """The account as it stands, and at which position."""
        found: tuple[Account, int] = self.turns.call(
            account_id, lambda now: Written(None, (now.account, now.position))
        )
        return found

    @staticmethod
    def _told(reply: Any) -> Reply:
        assert isinstance(reply, Reply)
        return reply

    def _there(self, request: Request, decision: Decision | None) -> str | None:
        """The other account that the call is about, if this ledger has it."""
        if decision is None or decision.across is None or request.invalid is not None:
            return None
        named = decision.across(request.parameters)
        return named if named not in (None, request.account_id) and self.turns.knows(named) else None

    def _inside(self, request: Request, now: Now, facts: Mapping[str, Any]) -> Written:
        """Judge and decide on the account as it stands, with nobody in between."""
        judged = self._judge(request, now, facts)
        answer, refusal = Answer(), judged.refusal
        if refusal is None:
            call = judged.call
            if asked := self._decisions[request.action].in_turn:
                found = {name: IN_TURN[name](now.turn, call) for name in asked}
                call = replace(call, facts={**facts, **found})
            answer, refusal = self._decide(request.action, call, now.account, now.time)
        return self._written(request, now, judged, answer, refusal)

    def _outside(self, request: Request, decision: Decision) -> Reply:
        """Judge first; decide where nobody is kept waiting; judge again, and write down what came of it.

        What stands in the entry is the second judgement, on the account that the entry follows: the first one may be
        of a second before, or of somebody who has lost the permission since.
        """

        def judge(now: Now) -> Written:
            judged = self._judge(request, now, {})
            if judged.refusal is not None:
                return self._written(request, now, judged, Answer(), judged.refusal)
            return Written(None, (judged.call, now.account, now.time))

        told = self.turns.call(request.account_id, judge)
        if isinstance(told, Reply):
            return told
        call, account, at = told
        answer, refusal = self._decide(request.action, call, account, at)

        def write(now: Now) -> Written:
            judged = self._judge(request, now, {})
            if judged.refusal is not None:
                return self._written(request, now, judged, Answer(), judged.refusal)
            return self._written(request, now, judged, answer, refusal)

        return self._told(self.turns.call(request.account_id, write))

    def _nowhere(self, request: Request, decision: Decision | None) -> Reply:
        """A stranger's call of an account that does not exist: answered as by an account in which nothing is, and not
        written down, for strangers make no accounts.
        """
        refusal = request.invalid
        if refusal is None and decision is not None:
            account, call = (
                Account.empty(request.account_id),
                Call(request.action, request.parameters, ANYBODY),
            )
            facts = {
                name: FACTS[name](self.vault, account, call, int(self._clock())) for name in decision.facts
            }
            try:
                decision.on(account, replace(call, facts=facts))
            except Refusal as about_nothing:
                refusal = about_nothing
        return Reply({}, refusal or AccessDenied(f"Not authorized to perform {request.action}"), "")

    def _facts(self, request: Request, decision: Decision, there: str | None) -> Mapping[str, Any]:
        """What the decision needs to know from elsewhere. Not for those who may not make the call."""

        def judge(now: Now) -> Written:
            judged = self._judge(request, now, {})
            return Written(None, (judged, now.account, now.time))

        vault = self.vault.asked_from(request.surroundings.source_ip)
        if request.presented is None and request.by is ANYBODY:  # whoever it is, the facts are to tell
            account, at = self.turns.call(
                request.account_id, lambda now: Written(None, (now.account, now.time))
            )
            call = Call(request.action, request.parameters, ANYBODY)
            return {name: FACTS[name](vault, account, call, at) for name in decision.facts}
        judged, account, at = self.turns.call(request.account_id, judge, there=there)
        if judged.refusal is not None:
            return {}
        return {name: FACTS[name](vault, account, judged.call, at) for name in decision.facts}

    def _judge(self, request: Request, now: Now, facts: Mapping[str, Any]) -> _Judged:
        presented, account = request.presented, now.account
        by = request.by
        if presented is not None:
            by = self._sessions.bearer(now.turn, account, presented, now.time)
        vouched = None
        if facts:
            vouched = next((fact for fact in facts.values() if isinstance(fact, Vouched)), None)
        if vouched is not None:
            by = replace(by, federated=vouched.bearer)
        there = None if now.there is None else now.there.account
        call = Call(request.action, request.parameters, by, facts, there)
        record = self._record(request, now, by)
        decision = self._decisions.get(request.action)
        if decision is not None and not decision.permission_needed:
            return _Judged(record, call, request.invalid)
        if by is ANYBODY and request.invalid is not None:  # what nobody asks needs no permission
            return _Judged(record, call, request.invalid)
        try:
            questions = self._questions(decision, account, call, request)
        except Refusal as about_nothing:
            return _Judged(record, call, about_nothing)
        asking = Asking(by, record.document, request.surroundings)
        decided, told = None, None
        for nth, (action, named) in enumerate(questions):  # the entry keeps what was asked about
            resource = without_secrets(named)
            own = self._contexts.of_question(record, action, resource, there or account)
            if vouched is not None:
                own = {**own, **vouched.values}
            found, found_told = self._decided.on(asking, action, resource, own, now)
            if decided is None or not found.allowed:
                decided, told = found, found_told
            if not found.allowed:
                on = None if nth or decision is None else in_words(decision.on, call, found.resource)
                return _Judged(record, call, _denied(request.action, found, vouched, on), found, told)
        refusal = request.invalid
        if refusal is None and decision is None:
            refusal = InvalidAction(
                f"The action {request.action.partition(':')[2]} is not valid for this endpoint."
            )
        return _Judged(record, call, refusal, decided, told)

    @staticmethod
    def _questions(
        decision: Decision | None, account: Account, call: Call, request: Request
    ) -> list[Question]:
        """What IAM is asked: may the caller do this, and what belongs to it? Raises the Refusal of a call about nothing."""
        if decision is None:
            return [(call.action, EVERYTHING)]
        permission = decision.permission or call.action
        if request.invalid is not None:
            return [(permission, _on(decision, account, call))]
        more = () if decision.also is None else decision.also(account, call)
        return [(permission, decision.on(account, call)), *more]

    def _decide(self, action: str, call: Call, account: Account, at: int) -> tuple[Answer, Refusal | None]:
        try:
            return self._decisions[action].decide(account, call, Moment(at)), None
        except Refusal as refusal:
            return Answer(), refusal
        except Exception:
            LOG.exception("%s could not be decided", action)
            return Answer(), InternalFailure("The request processing has failed because of an unknown error.")

    # ---- the record

    def _written(
        self,
        request: Request,
        now: Now,
        judged: _Judged,
        answer: Answer,
        refusal: Refusal | None,
    ) -> Written:
        output: Mapping[str, Any] = answer.output if refusal is None else {}
        document = judged.record.document
        if refusal is not None:
            refusal.message = without_secrets(refusal.message)
            document["errorCode"], document["errorMessage"] = refusal.recorded, refusal.message
        elif not document["readOnly"] or request.action in SESSION_ACTIONS:
            document["responseElements"] = recorded(output, comma=request.action.startswith("sts:")) or None
        if answer.request_told:
            document["requestParameters"] = {**(document["requestParameters"] or {}), **answer.request_told}
        if answer.extra:
            document |= answer.extra
        there = None
        if now.there is not None and refusal is None:
            document["sharedEventID"] = now.event_id()
            there = Draft.of(read_record(as_told_to(now.there.account.id, document, now.there.event_id())))
        record, clean = judged.record, kept(document, request.action)
        if clean is not document:
            record = read_record(clean)
        elif refusal is not None:
            record.error_code = refusal.recorded
        draft = Draft.of(record, NATIVE, judged.told)
        if refusal is None and "Credentials" in output:
            output = self._with_token(output, now.there or now)
        reply = Reply(output, refusal, document["eventID"], judged.decided, answer.worded_by)
        return Written(draft, reply, answer.secrets, there)

    def _with_token(self, output: Mapping[str, Any], whose: Now) -> Mapping[str, Any]:
        """A session token names the entry that opened the session, in the log of the account that it acts in; all else is
        told by that entry.
        """
        given = output["Credentials"]
        key = given["AccessKeyId"], given["SecretAccessKey"], given["Expiration"]
        token = SessionToken(whose.account.id, whose.position, *key)
        sealed = seal_token(self.vault.keyring, token)
        return {**output, "Credentials": {**given, "SessionToken": sealed}}

    @staticmethod
    def _record(request: Request, now: Now, by: Bearer) -> Record:
        document = record_of(
            now.account,
            by,
            request.action,
            at=now.time,
            event_id=now.event_id(),
            surroundings=request.surroundings,
            read_only=_reads_only(request.action),
            request=recorded(request.parameters),
        )
        action = action_of(document["eventSource"], document["eventName"])
        return Record(document, now.account.id, document["eventID"], now.time, action, None)


def _denied(action: str, found: Authorization, vouched: Vouched | None, on: str | None) -> Refusal:
    if vouched is not None:
        return AccessDenied(f"Not authorized to perform {action}")
    barred = action.startswith("iam:") and any(match.source in LIMITING for match in found.statements)
    return (TokenBarred if barred else AccessDenied)(denial(found, on))


@lru_cache(maxsize=1_024)
def _reads_only(action: str) -> bool:
    service, _, name = action.partition(":")
    return service == "sts" or name.startswith(READS)


def _on(decision: Decision, account: Account, call: Call) -> str:
    """On what a call is that is not valid, as far as that can be told."""
    try:
        return decision.on(account, call)
    except Exception:
        return EVERYTHING
