"""What one principal may do and another may not, or the same one at another time: by statement, and as a whole.

A statement that came is a gain only where it allows what was not allowed before; one that denied and went likewise.
For each it is counted for how many known actions that is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ledger.policy.decision import Effect
from projections.permissions.reach.permitted import (
    NOTHING_SAID,
    Part,
    Permitted,
    Said,
    Scope,
    gained,
)


@dataclass(frozen=True)
class Gain:
    """Actions that are allowed on some resource where they were not: surely, or perhaps, for it can't be told."""

    surely: frozenset[str]
    perhaps: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.surely or self.perhaps)

    @property
    def verdict(self) -> str:
        return "yes" if self.surely else "perhaps" if self.perhaps else "no"


@dataclass(frozen=True)
class Shift:
    """A statement that came or went, and what of it makes a difference."""

    part: Part
    came: bool
    effect: Gain

    @property
    def raises(self) -> bool:
        """Whether it is of the kind that can raise: an Allow that came, a Deny that went."""
        return (self.part.effect is Effect.ALLOW) is self.came


@dataclass(frozen=True)
class Comparison:
    gained: Gain
    lost: Gain
    shifts: tuple[Shift, ...]
    boundary_gained: Gain  # by the boundary's change alone
    boundary_lost: Gain


NO_GAIN = Gain(frozenset(), frozenset())


def compare(before: Permitted, after: Permitted) -> Comparison:
    """What `after` permits more than `before`, and less."""
    old, new = before.sayings(), after.sayings()
    shifts = []
    for came, parts, others in ((True, after, before), (False, before, after)):
        there = {*others.allows, *others.denies}
        shifts += [
            Shift(part, came, _effect(part, came, old, new))
            for part in (*parts.allows, *parts.denies)
            if part not in there
        ]
    bound_gained = bound_lost = NO_GAIN
    if before.boundary != after.boundary:
        otherwise = replace(before, boundary=after.boundary).sayings()
        bound_gained = difference(old, otherwise, otherwise)
        bound_lost = difference(otherwise, old, old)
    return Comparison(
        difference(old, new, new), difference(new, old, old), tuple(shifts), bound_gained, bound_lost
    )


def difference(
    before: Mapping[str, Said], after: Mapping[str, Said], actions: Iterable[str], within: Scope | None = None
) -> Gain:
    """The actions that `after` allows somewhere (`within` a statement's resources) where `before` does not."""
    surely, perhaps = set(), set()
    for action in actions:
        now = after.get(action)
        if now is None:
            continue
        then = before.get(action, NOTHING_SAID)
        if then == now:
            continue
        found = gained(then, now, within=within)
        if found:
            surely.add(action)
        elif found is None:
            perhaps.add(action)
    return Gain(frozenset(surely), frozenset(perhaps))


def _effect(part: Part, came: bool, old: Mapping[str, Said], new: Mapping[str, Said]) -> Gain:
    """Where the statement makes the difference: an Allow allows what was not, a Deny takes what was."""
    raises = (part.effect is Effect.ALLOW) is came
    before, after = (old, new) if raises else (new, old)
    return difference(before, after, part.meant, part.scope)
