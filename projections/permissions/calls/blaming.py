"""Blame for permissions: behind a call its statements, behind each the grants, and why whoever made these could.

A grant is an entry, an entry is a call, and a call had its own authorization. So the question can be asked again, down
to root, to AWS, or to the beginning of the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.account.entities import Kind, Settings, User
from ledger.entry import Entry
from ledger.intake.snapshots import EVENT_NAME as SNAPSHOT
from ledger.log import Log
from ledger.policy.callers import holder_of
from projections.lines import outcome, ref
from projections.permissions.accounts import Moment, PastAccounts
from projections.permissions.calls.authorization import Authorization, Authorizations
from projections.permissions.telling import Answer, Teller, told_unknown
from projections.sessions import Sessions

DEPTH_MAX = 32
ROOT = "root may do everything that no control policy forbids"
BASELINE = "as a snapshot of the account tells; who did it is from before the log"
TOLD_ALREADY = "told above"


class Blame:
    """One answer's recursion: every entry is told once."""

    def __init__(
        self,
        log: Log,
        past: PastAccounts,
        sessions: Sessions,
        authorizations: Authorizations,
        teller: Teller,
    ) -> None:
        self._log = log
        self._past = past
        self._sessions = sessions
        self._authorizations = authorizations
        self.teller = teller
        self._told: set[tuple[str, int]] = set()

    def event(self, entry: Entry, depth: int) -> Answer:
        """The call's own question first, those that it implied `besides`; and whose credential it was."""
        self._told.add((entry.account_id, entry.position))
        found = [self._authorization(one, depth) for one in self._authorizations.of(entry)]
        return {
            "event": ref(entry),
            "outcome": outcome(entry.record),
            **found[0],
            "credential": self.credential(entry, depth),
            "besides": found[1:],
        }

    def deepen(self, decision: Answer, depth: int) -> Answer:
        """The decision, in which each grant says `because` of what whoever made it could."""
        if depth <= 0:
            return decision
        for statement in (*decision["statements"], *decision["possible"]):
            because: dict[tuple[str, int], Answer] = {}
            for grant in (*statement["grants"], *(grant for way in statement["ways"] for grant in way)):
                if grant["entry"] is None:
                    continue
                place = (grant["account"], grant["entry"])
                if place not in because:
                    because[place] = self._because(*place, depth)
                grant["because"] = because[place]
        return decision

    def _because(self, account_id: str, position: int, depth: int) -> Answer:
        if self.teller.entry(account_id, position)["eventName"] == SNAPSHOT:
            return {"why": BASELINE}
        if (account_id, position) in self._told:
            return {"why": TOLD_ALREADY}
        self._told.add((account_id, position))
        entry = self._log.entry(account_id, position)
        assert entry is not None, "a grant names an entry of the log"
        if entry.record.identity.kind == "Root":
            return {"why": ROOT, "credential": self.credential(entry, depth - 1)}
        return self.event(entry, depth - 1)

    def _authorization(self, one: Authorization, depth: int) -> Answer:
        told: Answer = {
            "action": None if one.question is None else one.question.action,
            "resource": None,
            "agreement": str(one.agreement),
            "unasked": None if one.unasked is None else str(one.unasked),
            "guesses": [] if one.question is None else [str(guess) for guess in one.question.guess],
        }
        if one.question is not None and one.question.resources:
            told["resource"] = one.question.resources[0]
        if one.judgement is None:
            return told | {
                "decision": None,
                "statements": [],
                "missing": [],
                "inferred": True,
                "unknown": [told_unknown(unknown) for unknown in one.unknown],
                "possible": [],
            }
        told["resource"] = one.judgement.request.resource
        decision = self.teller.decision(one.judgement.decision, one.unknown, inferred=True)
        return told | self.deepen(decision, depth)

    def credential(self, entry: Entry, depth: int) -> list[Answer]:
        """From the credential that made the call back to the first, and of a lasting key who made it.

        Of each session also why whoever opened it could.
        """
        hops: list[Answer] = [
            {
                "credential": hop["credential"],
                "principal": hop["principal"],
                "session": hop["session"],
                "mfa": hop["mfa"],
                "openedBy": hop["openedBy"],
                "assumed": hop["assumed"],
                "madeBy": None,
            }
            for hop in self._sessions.chain_of(entry)
        ]
        for hop in hops:
            opened = hop["openedBy"]
            if depth > 0 and opened is not None:
                hop["because"] = self._because(opened["account"], opened["position"], depth)
        last = hops[-1] if hops else None
        if last is not None and (last["credential"] or "").startswith("AKIA"):
            last["madeBy"] = self._key_made_by(entry, last["principal"], last["credential"])
        return hops

    def _key_made_by(self, entry: Entry, owner_arn: Any, key: str) -> Answer | None:
        account_id = str(owner_arn).split(":")[4] if str(owner_arn).count(":") >= 5 else entry.account_id
        if account_id not in self._past.known():
            return None
        named = (Kind.USER, str(owner_arn))
        account = self._past.about(account_id, [named], Moment(entry.time))
        owner: User | Settings | None = account.key_owner(key)
        if owner is None:
            found = holder_of(account, named)
            owner = found if isinstance(found, User) else None
        made = None if owner is None else owner.access_keys.get(key)
        return None if made is None else self.teller.entry(account_id, made.made_by)


def told_inference(entry: Entry, found: Sequence[Authorization]) -> list[Answer]:
    """How what was inferred of a call stands to what AWS did: a line for each question that it put."""
    return [
        {
            **ref(entry),
            "action": None if one.question is None else one.question.action,
            "resource": None if one.judgement is None else one.judgement.request.resource,
            "outcome": outcome(entry.record),
            "decision": None if one.decision is None else str(one.decision.verdict),
            "agreement": str(one.agreement),
            "missing": [] if one.decision is None else list(one.decision.missing),
            "unknown": [told_unknown(unknown) for unknown in one.unknown],
            "unasked": None if one.unasked is None else str(one.unasked),
            "statements": []
            if one.decision is None
            else [
                {
                    "policy": match.source.name,
                    "version": match.source.version,
                    "index": match.index,
                    "sid": match.sid,
                    "effect": str(match.effect),
                }
                for match in one.decision.statements
            ],
        }
        for one in found
    ]
