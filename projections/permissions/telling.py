"""Decisions as answers tell them: every statement with the grants behind it, and of each grant who made it, when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.log import Log
from ledger.policy.decision import SEMANTICS, Decision, Grant, Match, Unknown
from ledger.record import format_time

Answer = dict[str, Any]
Place = tuple[str, int]
"""An entry by its account and position."""


class Teller:
    """Tells grants by the entries that made them, each read once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: dict[Place, Answer] = {}

    def learn(self, places: Iterable[Place]) -> None:
        """Read these entries at once, before they are told of one by one."""
        wanted: dict[str, set[int]] = {}
        for account_id, position in places:
            if (account_id, position) not in self._told:
                wanted.setdefault(account_id, set()).add(position)
        for account_id, positions in wanted.items():
            for entry in self._log.entries_at(account_id, sorted(positions)):
                record = entry.record
                self._told[account_id, entry.position] = {
                    "entry": entry.position,
                    "account": account_id,
                    "eventID": record.event_id,
                    "eventName": str(entry.document.get("eventName") or record.action.partition(":")[2]),
                    "actor": record.identity.label,
                    "eventTime": format_time(entry.time),
                    "sourceIP": entry.document.get("sourceIPAddress"),
                }

    def know(self, place: Place, told: Answer) -> None:
        """Tell this of a place that the log does not have."""
        self._told[place] = told

    def entry(self, account_id: str, position: int | None) -> Answer:
        """Who made it, when, from where; nothing but None where no entry is known to have made it."""
        if position is not None:
            self.learn([(account_id, position)])
            if (found := self._told.get((account_id, position))) is not None:
                return dict(found)
        return {
            "entry": None,
            "account": account_id,
            "eventID": None,
            "eventName": None,
            "actor": None,
            "eventTime": None,
            "sourceIP": None,
        }

    def grant(self, grant: Grant) -> Answer:
        return {
            **self.entry(grant.account, grant.made_by),
            "kind": str(grant.kind),
            "about": grant.about,
            "holder": grant.holder,
        }

    def statement(self, match: Match) -> Answer:
        """A statement; `grants` are all that it came through, `ways` the same by way."""
        source = match.source
        ways = [[self.grant(grant) for grant in way] for way in source.ways]
        grants: list[Answer] = []
        for way in ways:
            grants += (grant for grant in way if grant not in grants)
        return {
            "policy": source.name,
            "policyArn": source.arn,
            "layer": str(source.layer),
            "version": source.version,
            "index": match.index,
            "sid": match.sid,
            "effect": str(match.effect),
            "grants": grants,
            "ways": ways,
        }

    def decision(self, decision: Decision, unknown: Iterable[Unknown], *, inferred: bool) -> Answer:
        """A decision whole."""
        self.learn(places_of((*decision.statements, *decision.possible)))
        return {
            "decision": str(decision.verdict),
            "statements": [self.statement(match) for match in decision.statements],
            "missing": list(decision.missing),
            "inferred": inferred,
            "unknown": [told_unknown(one) for one in unknown],
            "possible": [self.statement(match) for match in decision.possible],
            "semantics": SEMANTICS,
        }


def places_of(matches: Iterable[Match]) -> set[Place]:
    """The entries behind these statements."""
    return {
        (grant.account, grant.made_by)
        for match in matches
        for way in match.source.ways
        for grant in way
        if grant.made_by is not None
    }


def told_unknown(unknown: Unknown) -> Answer:
    return {"kind": str(unknown.kind), "about": unknown.about}
