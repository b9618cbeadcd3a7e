"""What principals may do at one time and could not at another, and the reverse, with the entries responsible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ledger.account.entities import Role, User
from ledger.policy.decision import Effect
from projections.permissions.reach.access import (
    ORDER,
    Access,
    Risk,
    access,
    told_escalation,
    told_levels,
    told_part,
    told_risk,
)
from projections.permissions.reach.causes import Causes
from projections.permissions.reach.comparing import Comparison, Gain, Shift, compare
from projections.permissions.reach.permitted import Permitted
from projections.permissions.reach.reached import Roles
from projections.permissions.reach.standing import Standing, WholeWorld
from projections.permissions.telling import Answer, Teller, places_of, told_unknown

EXAMPLES_MAX = 5
GAINS_KEPT_MAX = 64  # of who came to everything each takes some megabytes


@dataclass(frozen=True)
class Changed:
    """A principal at both times; None where it was not there."""

    arn: str
    before: Standing | None
    after: Standing | None
    comparison: Comparison


class Comparing:
    """Compares what principals may do; what two of them share is compared once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Permitted, Permitted], Comparison] = {}

    def of(self, before: Permitted, after: Permitted) -> Comparison:
        key = (before, after)
        found = self._known.get(key)
        if found is None:
            return self._known.setdefault(key, compare(before, after))
        # The same words, but this one's own statements, which came by its own ways.
        own = {part: part for part in (*before.parts, *after.parts)}
        shifts = tuple(replace(shift, part=own[shift.part]) for shift in found.shifts)
        return replace(found, shifts=shifts)


def changed(
    before: WholeWorld, after: WholeWorld, account_id: str, *, only: str | None = None
) -> Iterator[Changed]:
    """The account's principals (`only` the one of that unique id) whose permission is not the same at both times."""
    comparing = Comparing()
    old, new = _holders(before, account_id), _holders(after, account_id)
    for unique_id in sorted({*old, *new}, key=lambda one: (new.get(one) or old[one]).arn):
        if only is not None and unique_id != only:
            continue
        then, now = old.get(unique_id), new.get(unique_id)
        one = None if then is None else before.standing_of(then, account_id)
        other = None if now is None else after.standing_of(now, account_id)
        what = Permitted() if one is None else one.permitted
        instead = Permitted() if other is None else other.permitted
        if _same(what, instead) and _bounded(then) == _bounded(now):
            continue
        holder = now or then
        assert holder is not None
        yield Changed(holder.arn, one, other, comparing.of(what, instead))


def told_change(
    teller: Teller, causes: Causes, one: Changed, roles_before: Roles, roles_after: Roles
) -> Answer:
    """A principal's change, as an answer."""
    shifts = one.comparison.shifts
    teller.learn(places_of(match for shift in shifts for match in shift.part.matches))
    before = None if one.before is None else access(one.before, roles_before)
    after = None if one.after is None else access(one.after, roles_after)
    standing = one.after or one.before
    assert standing is not None
    return {
        "kind": "principal",
        "account": standing.principal.account_id,
        "principal": one.arn,
        "change": "created" if one.before is None else "deleted" if one.after is None else "changed",
        **told_comparison(teller, causes, one.comparison, before, after),
        "boundary": _told_boundary(causes, one),
        "unknown": [
            told_unknown(doubt)
            for doubt in dict.fromkeys(
                doubt for side in (one.before, one.after) if side is not None for doubt in side.unknown
            )
        ],
    }


def told_comparison(
    teller: Teller, causes: Causes | None, found: Comparison, before: Access | None, after: Access | None
) -> Answer:
    """What is gained and lost, by statement, and whether it is a raise; `causes` where time lies between."""
    risks = [Risk.NOTHING if side is None else side.risk for side in (before, after)]
    ways_before = {way.way.name: way for way in (() if before is None else before.escalations)}
    ways_after = {way.way.name: way for way in (() if after is None else after.escalations)}
    return {
        "raised": _raised(found, before, after),
        "risk": {"before": _told_risk(before), "after": _told_risk(after)},
        "graver": ORDER[risks[1]] < ORDER[risks[0]],
        "gainedActions": told_gain(found.gained),
        "lostActions": told_gain(found.lost),
        "gained": [_told_shift(teller, causes, one) for one in found.shifts if one.raises],
        "lost": [_told_shift(teller, causes, one) for one in found.shifts if not one.raises],
        # Who may do everything has nothing left to raise, and so neither lost nor gained a way.
        "escalationsGained": [
            told_escalation(teller, way)
            for name, way in ways_after.items()
            if name not in ways_before and risks[0] is not Risk.ADMINISTRATOR
        ],
        "escalationsLost": [
            told_escalation(teller, way)
            for name, way in ways_before.items()
            if name not in ways_after and risks[1] is not Risk.ADMINISTRATOR
        ],
    }


def _told_risk(side: Access | None) -> str | None:
    return str(Risk.NOTHING) if side is None else told_risk(side.risk, side.standing)


def _raised(found: Comparison, before: Access | None, after: Access | None) -> str:
    """`yes`, `no`; or `perhaps`, where it can't be told or what came is not known."""
    verdict = found.gained.verdict
    known = set() if before is None else set(before.standing.unknown)
    unknown = set() if after is None else set(after.standing.unknown)
    return "perhaps" if verdict == "no" and unknown - known else verdict


@lru_cache(maxsize=GAINS_KEPT_MAX)
def told_gain(gain: Gain) -> Answer:
    """How many actions, by access level, and a few of them; of those who share a gain it is counted once."""
    return {
        "surely": told_levels(gain.surely),
        "perhaps": told_levels(gain.perhaps),
        "examples": sorted(gain.surely or gain.perhaps)[:EXAMPLES_MAX],
    }


def _told_shift(teller: Teller, causes: Causes | None, shift: Shift) -> Answer:
    matches = shift.part.matches
    told: Answer = {
        "what": f"{'allow' if shift.part.effect is Effect.ALLOW else 'deny'} {'came' if shift.came else 'went'}",
        "matters": shift.effect.verdict,
        **told_part(teller, shift.part),
        "actionsConcerned": told_gain(shift.effect),
    }
    if causes is not None:
        told["entry"] = causes.came(matches) if shift.came else causes.went(matches)
    return told


def _told_boundary(causes: Causes, one: Changed) -> Answer | None:
    """What became of the boundary, and what that alone allows or takes; None where nothing did."""
    sides = [None if side is None else _boundary_arn(side) for side in (one.before, one.after)]
    parts = [None if side is None else side.permitted.boundary for side in (one.before, one.after)]
    if one.before is None or one.after is None or (sides[0] == sides[1] and parts[0] == parts[1]):
        return None
    change = "set" if sides[0] is None else "removed" if sides[1] is None else "replaced"
    return {
        "change": change if sides[0] != sides[1] else "rewritten",
        "before": sides[0],
        "after": sides[1],
        "gainedActions": told_gain(one.comparison.boundary_gained),
        "lostActions": told_gain(one.comparison.boundary_lost),
        "entry": causes.boundary(
            one.arn, [side for side in sides if side is not None] if sides[0] == sides[1] else ()
        ),
    }


def _boundary_arn(standing: Standing) -> str | None:
    return _bounded(standing.principal.entity)


def _bounded(holder: User | Role | None) -> str | None:
    return None if holder is None or holder.boundary is None else holder.boundary.policy_arn


def _holders(world: WholeWorld, account_id: str) -> dict[str, User | Role]:
    account = world.whole(account_id)
    if account is None:
        return {}
    return {**account.users, **account.roles}


def _same(one: Permitted, other: Permitted) -> bool:
    return one == other or (
        set(one.allows) == set(other.allows)
        and set(one.denies) == set(other.denies)
        and one.boundary == other.boundary
    )
