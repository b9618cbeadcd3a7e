"""What a replay against an edited history comes to, as JSON has it: the calls, the statements, and the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ledger.account.change import Change
from ledger.entry import Entry
from ledger.policy.decision import Match, Unknown
from ledger.record import format_time
from projections.lines import ref
from projections.permissions.authorization import Authorization
from projections.permissions.editing import Edited
from projections.permissions.telling import Answer, Place, Teller, places_of, told_unknown
from projections.permissions.what_if import Tally, Turned
from projections.vocabulary import BadFilter

StatementKey = tuple[object, ...]


def told_what_if(teller: Teller, edited: Edited, found: Sequence[Turned], tally: Tally) -> Answer:
    for change in edited.added:
        teller.know((change.record.account_id, change.position), told_change(change))
    teller.learn(places_of(match for one in found for match in _matches(one)))
    teller.learn({one.because for one in found if one.because is not None})
    statements = _Statements(teller)
    calls = [_told(teller, statements, one) for one in found]
    return {
        "without": [ref(entry) for entry in edited.without],
        "with": [
            {
                **told_change(change),
                "changed": (change.record.account_id, change.position) not in tally.idle,
            }
            for change in edited.added
        ],
        "ignored": edited.ignored,
        "since": format_time(edited.since),
        "replayed": tally.replayed,
        "judged": tally.judged,
        "calls": calls,
        "statements": statements.told,
        "totals": _totals(found),
    }


def check_effect(edited: Edited, tally: Tally) -> None:
    """Refuse records that were put in and mean nothing there; raises BadFilter."""
    for change in edited.added:
        place = (change.record.account_id, change.position)
        name = change.record.document.get("eventName")
        when = format_time(change.time)
        if place in tally.unnamed:
            raise BadFilter("with", f"{name} at {when}: there was no {tally.unnamed[place]}")
    idle = [one for one in edited.added if (one.record.account_id, one.position) in tally.idle]
    if idle and len(idle) == len(edited.added) and not edited.without:
        name, when = idle[0].record.document.get("eventName"), format_time(idle[0].time)
        raise BadFilter("with", f"{name} at {when} would have changed nothing: all is as it was")


def told_change(change: Change) -> Answer:
    """A record that was put in, as entries are told: it has no entry."""
    record = change.record
    return {
        "entry": None,
        "account": record.account_id,
        "eventID": record.event_id,
        "eventName": str(record.document.get("eventName")),
        "actor": record.identity.label,
        "eventTime": format_time(record.time),
        "sourceIP": record.document.get("sourceIPAddress"),
    }


class _Statements:
    """Each statement once, with a number by which calls name it."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._numbers: dict[StatementKey, int] = {}
        self.told: list[Answer] = []

    def number(self, match: Match) -> int:
        key = statement_key(match)
        if key not in self._numbers:
            self._numbers[key] = len(self.told)
            self.told.append(self._teller.statement(match))
        return self._numbers[key]


def statement_key(match: Match) -> StatementKey:
    """What makes a statement the same before and after: where it stands, and by whose writing."""
    source = match.source
    first = source.ways[0][0] if source.ways and source.ways[0] else None
    place = None if first is None else (first.holder, first.account, first.made_by)
    return (source.layer, source.name, source.arn, source.version, match.index, match.effect, place)


def _matches(turned: Turned) -> Iterable[Match]:
    for pair in turned.pairs:
        for one in pair:
            if one is not None and one.decision is not None:
                yield from one.decision.statements


def _told(teller: Teller, statements: _Statements, turned: Turned) -> Answer:
    entry = turned.entry
    questions = [_told_pair(statements, before, after) for before, after in turned.pairs]
    first = questions[0] if questions else {}
    because: Place | None = turned.because
    return {
        "entry": ref(entry),
        "actor": entry.record.identity.label,
        "principal": _principal(entry),
        "action": first.get("action") or entry.record.action,
        "resource": first.get("resource"),
        "before": first.get("before"),
        "after": first.get("after"),
        "why": str(turned.why),
        "about": turned.about,
        "because": None if because is None else teller.entry(*because),
        "transitive": turned.transitive,
        "questions": questions,
    }


def _told_pair(statements: _Statements, before: Authorization, after: Authorization | None) -> Answer:
    question = before.question
    had = _by_key(before)
    has = {} if after is None else _by_key(after)
    unknown: tuple[Unknown, ...] = ()
    if after is not None and after.judgement is not None:
        unknown = after.judgement.unknown
    return {
        "action": None if question is None else question.action,
        "resource": _resource(before),
        "guess": [] if question is None else [str(one) for one in question.guess],
        "before": None if before.decision is None else str(before.decision.verdict),
        "after": None if after is None or after.decision is None else str(after.decision.verdict),
        "noLonger": [] if after is None else [statements.number(had[key]) for key in had if key not in has],
        "newly": [statements.number(has[key]) for key in has if key not in had],
        "missing": [] if after is None or after.decision is None else list(after.decision.missing),
        "unknown": [told_unknown(one) for one in unknown],
    }


def _by_key(one: Authorization) -> dict[StatementKey, Match]:
    if one.decision is None:
        return {}
    return {statement_key(match): match for match in one.decision.statements}


def _resource(one: Authorization) -> str | None:
    if one.judgement is not None:
        return one.judgement.request.resource
    if one.question is not None and one.question.resources:
        return one.question.resources[0]
    return None


def _principal(entry: Entry) -> str:
    identity = entry.record.identity
    return identity.arn or identity.label


def _totals(found: Sequence[Turned]) -> Answer:
    principals: dict[str, Counter[str]] = {}
    actions: dict[str, Counter[str]] = {}
    sums: Counter[str] = Counter()
    for one in found:
        kind = ("transitive" if one.transitive else "lost") if one.lost else "allowed"
        sums[kind] += 1
        principals.setdefault(_principal(one.entry), Counter())[kind] += 1
        actions.setdefault(one.entry.record.action, Counter())[kind] += 1
    return {
        **_sums(sums),
        "principals": _sorted("principal", principals),
        "actions": _sorted("action", actions),
    }


def _sums(counted: Counter[str]) -> Answer:
    """`lost` counts all that would not have been done, `transitive` those of them that hang on another lost call."""
    return {
        "lost": counted["lost"] + counted["transitive"],
        "transitive": counted["transitive"],
        "allowed": counted["allowed"],
    }


def _sorted(name: str, counted: dict[str, Counter[str]]) -> list[Answer]:
    told = [{name: key, **_sums(one)} for key, one in counted.items()]
    return sorted(told, key=lambda one: (-one["lost"] - one["allowed"], one[name]))
