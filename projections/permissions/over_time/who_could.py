"""Who could do something to a resource, from when until when, by what; and whether they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.account.entities import Kind, Role
from ledger.policy.decision import SEMANTICS, Match, Unknown, UnknownKind
from ledger.policy.entitlements import Entitlements
from ledger.policy.request import account_in
from ledger.record import format_time
from projections.findings.roles import trusted
from projections.permissions.accounts import PastAccounts
from projections.permissions.judging import KEY_SERVICE, TRUSTING, WITH_RESOURCE_POLICIES, Judgement
from projections.permissions.over_time.candidates import Candidates, named_by_trust
from projections.permissions.over_time.concerning import Concerning
from projections.permissions.over_time.courses import Course, Courses
from projections.permissions.over_time.deeds import Deeds, Doer, told_calls
from projections.permissions.over_time.turned_by import places_of_causes, told_cause
from projections.permissions.over_time.turning import Asked, Spell, Subject, Walk, spells, unknown_of
from projections.permissions.telling import Answer, Teller, places_of, told_unknown
from projections.vocabulary import BadFilter, UnknownName

ORDER = ("root", "user", "role", "session", "account", "outsider", "anyone", "federated", "service")
EVER = (0, 2**32)


@dataclass(frozen=True, slots=True)
class Within:
    """The interval that is asked about, the end not included; a single second where `at` is asked."""

    since: int
    until: int
    single: bool = False

    @classmethod
    def of(cls, at: int) -> Within:
        return cls(at, at + 1, single=True)


def the_account(past: PastAccounts, account_id: str | None, resource: str) -> str:
    """The account whose principals are asked about; raises BadFilter or UnknownName."""
    known = past.known()
    if account_id is None:
        named = account_in(resource)
        if named is None and len(known) != 1:
            raise BadFilter(
                "account", f"the resource names none, and the ledger has {', '.join(sorted(known)) or 'none'}"
            )
        account_id = named or next(iter(known))
    if account_id not in known:
        raise UnknownName(f"the ledger has no account {account_id!r}")
    return account_id


def who_could(
    past: PastAccounts,
    entitlements: Entitlements,
    deeds: Deeds,
    account_id: str,
    action: str,
    resource: str,
    context: Mapping[str, tuple[str, ...]],
    within: Within,
) -> Answer:
    """Every principal that could, or perhaps could, with the intervals and the calls in them."""
    asked = Asked((action,), resource, context)
    candidates, courses = _gather(past, account_id, Concerning(asked), action, resource, within)
    walk = Walk(entitlements, asked, courses)
    for course in courses.values():
        candidates.take(course.start)
    # What turned in the first second of an interval is known from the second before it.
    begin = within.since if within.single else within.since - 1
    for subject in candidates:
        walk.begin(subject, begin, within.until)
    if not within.single:
        walk.go(within.until, candidates.concerned)
    doers = deeds.of(action, resource, *(EVER if within.single else (within.since, within.until)))
    found = [
        (subject, told) for subject in candidates if (told := spells(subject, within.since, within.until))
    ]
    return {
        "action": action,
        "resource": resource,
        "account": account_id,
        "from": format_time(within.since),
        "to": format_time(within.until),
        **_told(Teller(past.log), found, doers, single=within.single),
        "unknown": [told_unknown(one) for one in _untold(action, resource)],
        "semantics": SEMANTICS,
    }


def _gather(
    past: PastAccounts, account_id: str, concerning: Concerning, action: str, resource: str, within: Within
) -> tuple[Candidates, dict[str, Course]]:
    """Who may be meant besides the users and roles of the accounts, and the courses of these accounts."""
    courses = Courses(past)
    since = within.until if within.single else within.since
    trusting = action.lower() in TRUSTING
    partition = resource.split(":", 2)[1] if resource.startswith("arn:") else "aws"
    candidates = Candidates(concerning, resource if trusting else None)
    candidates.take_root(account_id, partition)
    walked = {account_id}
    if trusting:
        known = past.known()
        named, unknown = named_by_trust(
            courses.about(account_id, [(Kind.ROLE, resource)], since, within.until), resource
        )
        candidates.take_named(named, known, partition)
        accounts = {name if name.isdigit() else account_in(name) or name for name in named}
        walked |= known if unknown or "*" in named else known & accounts
    return candidates, {one: courses.whole(one, since, within.until) for one in sorted(walked)}


def _told(
    teller: Teller, found: list[tuple[Subject, list[Spell]]], doers: list[Doer], *, single: bool
) -> Answer:
    teller.learn(
        places_of(match for _, told in found for spell in told for match in matches_of(spell.judged))
        | places_of_causes(
            cause for _, told in found for spell in told for cause in (spell.opened, spell.closed)
        )
    )
    claimed: set[tuple[str, int]] = set()
    rows: list[Answer] = []
    for subject, told in found:
        principal = told[-1].principal
        own = [doer for doer in doers if doer.acts_as(principal, subject.kind)]
        intervals = []
        for spell in told:
            bounds = EVER if single else (spell.since, spell.until)
            calls = [call for doer in own for call in doer.within(*bounds)]
            claimed |= {(call.account_id, call.position) for call in calls}
            intervals.append(told_spell(teller, subject, spell) | {"calls": told_calls(calls)})
        rows.append(
            {
                "principal": subject.name or principal.caller.arn,
                "kind": subject.kind,
                "id": principal.caller.unique_id,
                "account": principal.account_id or None,
                "intervals": intervals,
            }
        )
    rows.sort(key=lambda row: (ORDER.index(row["kind"]), row["principal"]))
    others = [
        (doer.label, [call for call in doer.calls if (call.account_id, call.position) not in claimed])
        for doer in doers
    ]
    return {
        "principals": rows,
        "otherCalls": [{"principal": label, **told_calls(calls)} for label, calls in sorted(others) if calls],
    }


def told_spell(teller: Teller, subject: Subject, spell: Spell) -> Answer:
    """An interval: what opened and closed it, and by what they could at its beginning."""
    unknown = unknown_of(spell.judged)
    if subject.untold:
        unknown.append(Unknown(UnknownKind.OTHER_ACCOUNT, subject.account_id or "*"))
    told = {
        "from": format_time(spell.since),
        "to": format_time(spell.until),
        "able": str(spell.able),
        "opened": told_cause(teller, spell.opened),
        "closed": told_cause(teller, spell.closed),
        **told_judged(teller, spell.judged),
        "unknown": [told_unknown(one) for one in dict.fromkeys(unknown)],
    }
    role = spell.principal.entity
    if isinstance(role, Role):
        told["assumableBy"] = None if role.trust is None else sorted(trusted(role.trust.document))
    return told


def told_judged(teller: Teller, judged: Iterable[Judgement]) -> Answer:
    """The statements of judgements, each told once."""
    judged = tuple(judged)
    statements = dict.fromkeys(match for one in judged for match in one.decision.statements)
    possible = dict.fromkeys(match for one in judged for match in one.decision.possible)
    return {
        "statements": [teller.statement(match) for match in statements],
        "possible": [teller.statement(match) for match in possible if match not in statements],
        "missing": list(dict.fromkeys(layer for one in judged for layer in one.decision.missing)),
    }


def matches_of(judged: Iterable[Judgement]) -> Iterator[Match]:
    for one in judged:
        yield from one.decision.statements
        yield from one.decision.possible


def _untold(action: str, resource: str) -> Iterator[Unknown]:
    """A resource's own policy may let in others, and is in no IAM log."""
    service = action.partition(":")[0].lower()
    if service == KEY_SERVICE or service in WITH_RESOURCE_POLICIES:
        yield Unknown(UnknownKind.RESOURCE_POLICY, resource)
