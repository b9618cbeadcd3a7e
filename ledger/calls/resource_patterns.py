"""Fills the ARN patterns of the Service Authorization Reference from what a request names.

The reference names the places of a pattern (`secret:${SecretId}`), requests name their members (`secretId`), and
nothing says which belongs to which. Here they are matched by name. An ARN that the record itself holds goes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ledger.calls.question import EVERYTHING, NOT_TOLD, Guess, Target
from ledger.calls.requested import Requested, plain
from ledger.policy.aws_actions import AccessLevel, AwsAction, ResourceType

TARGETS_MAX = 64  # of one kind of resource
SURE = 4  # a match of names of at least this weight names an optional resource too

_PLACE = re.compile(r"\$\{(\w+)\}")
_CREATES: Final = re.compile(r"(?:Create|Run|Allocate|Copy|Register|Import|Restore|Upload)[A-Z]")
_PAGING: Final = frozenset({"marker", "nexttoken", "maxresults", "maxitems"})
_OF_EVERY_ARN: Final = ("Partition", "Region", "Account")
_ENDINGS: Final = ("withoutleadingslash", "withpath", "identifier", "name", "uuid", "arn", "id")


def targets_by_pattern(requested: Requested, action: AwsAction) -> tuple[Target, ...]:
    """What the action was asked on; several targets, where it must be allowed on each."""
    if not action.resource_types:
        return (EVERYTHING,)
    required = [it for it in action.resource_types if it.required]
    found = [target for it in required for target in _targets(requested, action, it)]
    if found and any(target.resources for target in found):
        return tuple(found)
    if required:
        return (_all(requested, required[0]),) if _lists_all(requested, action) else tuple(found)
    optional = action.resource_types
    named = [target for it in optional for target in _named(requested, it, SURE)]
    if named:
        return tuple(named) if len(named) == 1 else tuple(_with(it, Guess.OPTIONAL_RESOURCE) for it in named)
    reads = action.level in (AccessLevel.LIST, AccessLevel.READ)
    return (_all(requested, optional[0]),) if requested.told and reads else (NOT_TOLD,)


def filled(requested: Requested, pattern: str, values: dict[str, str]) -> str:
    """The pattern's ARN; a place without a value stands as `*`."""
    known = {
        "Partition": requested.partition,
        "Region": requested.region,
        "Account": requested.account_id,
        **values,
    }
    parts = []
    rest = 0
    for place in _PLACE.finditer(pattern):
        before = pattern[rest : place.start()]
        value = known.get(place[1], "*")
        parts += [before, value.lstrip("/") if before.endswith("/") else value]
        rest = place.end()
    return "".join(parts) + pattern[rest:]


def matching(pattern: str, arns: Sequence[str]) -> list[str]:
    """Those of the ARNs that the pattern can mean, in their order."""
    for wide in (False, True):
        matches = _arn(pattern, wide=wide).fullmatch
        if found := list(dict.fromkeys(arn for arn in arns if matches(arn))):
            return found[:TARGETS_MAX]
    return []


def _lists_all(requested: Requested, action: AwsAction) -> bool:
    lists = action.level is AccessLevel.LIST or action.name.partition(":")[2].startswith(("Describe", "List"))
    return lists and requested.told and requested.members.keys() <= _PAGING


def _all(requested: Requested, kind: ResourceType) -> Target:
    return Target((filled(requested, kind.pattern, {}), "*"), (Guess.ALL_OF_THEM,))


def _targets(requested: Requested, action: AwsAction, kind: ResourceType) -> list[Target]:
    named = _named(requested, kind, 1)
    if named:
        return named
    if not _open(kind.pattern):
        return [Target((filled(requested, kind.pattern, {}),))]
    if requested.told and _CREATES.match(action.name.partition(":")[2]):
        # What is made by the call has no id yet when IAM is asked.
        return [Target((filled(requested, kind.pattern, {}),), (Guess.PART_NOT_TOLD,))]
    return [NOT_TOLD]


def _named(requested: Requested, kind: ResourceType, weight_min: int) -> list[Target]:
    """The resources of that kind that the record names."""
    for arns in (requested.listed, requested.named):
        if found := matching(kind.pattern, arns):
            return [Target((arn,)) for arn in found]
    places = _open(kind.pattern)
    values = [_values(requested, place, kind, weight_min) for place in places]
    if not any(values):
        return []
    guess: tuple[Guess, ...] = (Guess.RESOURCE_BUILT,)
    if not all(values):
        if not values[0]:
            return []
        guess = (Guess.RESOURCE_BUILT, Guess.PART_NOT_TOLD)
    if len(places) == 1:
        return [
            Target((filled(requested, kind.pattern, {places[0]: value}),), guess)
            for value in values[0][:TARGETS_MAX]
        ]
    first = {place: told[0] for place, told in zip(places, values, strict=True) if told}
    return [Target((filled(requested, kind.pattern, first),), guess)]


def _values(requested: Requested, place: str, kind: ResourceType, weight_min: int) -> list[str]:
    """The values of the member that best fits the place."""
    names = [
        name for name, texts in requested.members.items() if any(not it.startswith("arn:") for it in texts)
    ]
    weights = {name: _weight(name, place, kind.name, last=_open(kind.pattern)[-1] == place) for name in names}
    best = max(weights, key=lambda name: weights[name], default=None)
    if best is None or weights[best] < weight_min:
        return []
    return [it for it in requested.members[best] if not it.startswith("arn:")]


@lru_cache(maxsize=16_384)
def _weight(member: str, place: str, kind: str, *, last: bool) -> int:
    """How well a member's name fits a place of the pattern of a kind of resource; 0: not at all."""
    place = plain(place)
    if member == place:
        return 6
    spellings = {member, member.removesuffix("s"), member.removesuffix("set")}
    stems, of_place, of_kind = {_stem(it) for it in spellings}, _stem(place), _stem(plain(kind))
    if of_place and of_place in stems:
        return 5
    if not last:
        return 0
    if of_kind in stems:
        return 4
    if len(of_place) > 4 and any(it.endswith(of_place) for it in stems):
        return 4
    if any(len(it) > 2 and (it.endswith(of_kind) or of_kind.endswith(it)) for it in stems if it):
        return 2
    return 1 if "" in stems else 0


@lru_cache(maxsize=16_384)
def _stem(name: str) -> str:
    """Without what says no more than that this is a name: `dbinstanceidentifier` → `dbinstance`."""
    for ending in _ENDINGS:
        if name.endswith(ending):
            return _stem(name.removesuffix(ending))
    return name


@lru_cache(maxsize=4096)
def _open(pattern: str) -> tuple[str, ...]:
    """The places that the request must fill."""
    places = (place[1] for place in _PLACE.finditer(pattern))
    return tuple(it for it in places if it not in _OF_EVERY_ARN)


@lru_cache(maxsize=4096)
def _arn(pattern: str, *, wide: bool) -> re.Pattern[str]:
    """`wide`: the last place may hold slashes and colons, as a path or the name of a log group does."""
    parts, rest = [], 0
    places = list(_PLACE.finditer(pattern))
    for place in places:
        parts.append(re.escape(pattern[rest : place.start()]))
        parts.append(
            ".+" if wide and place is places[-1] else "[^:]*" if place[1] in _OF_EVERY_ARN else "[^:/]+"
        )
        rest = place.end()
    return re.compile("".join(parts) + re.escape(pattern[rest:]))


def _with(target: Target, guess: Guess) -> Target:
    return Target(target.resources, (*target.guess, guess))
