"""What a principal's policies permit as a whole: for every known action the resources, as sets that can be compared.

The engine answers one question about one resource; here it is asked of all at once. What the answer depends on
besides (a condition whose keys are not told, a variable that nothing fills) is a proviso: a proposition that may be
true or false, and is the same one wherever the same words stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import orjson

from ledger.policy.aws_actions import actions_matching
from ledger.policy.decision import Effect, Match
from ledger.policy.document import Policy, Statement
from ledger.policy.evaluation import PolicySet
from ledger.policy.pattern_sets import Glob, Undecided, glob, some_text
from ledger.policy.patterns import WILD, Literal
from ledger.policy.patterns import Part as Written
from ledger.policy.request import Caller
from ledger.policy.variables import Values, Variable
from projections.permissions.judging import Context

ANYTHING = "*"  # what an open variable may come to
MIXED_MAX = 4  # provisos of which both values are tried; the others are taken as if they were two
SAYINGS_KEPT_MAX = 128  # of who may do everything each takes some megabytes
EVERYTHING = "*"


class Scope(NamedTuple):
    """The resources that a statement speaks of, and what must hold besides for it to count (None: nothing)."""

    globs: tuple[Glob, ...]
    but: bool  # all resources but those
    proviso: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A statement as far as it bears on one principal. Parts with the same words are one, whoever granted them."""

    effect: Effect
    actions: tuple[str, ...]  # in lower case
    all_actions_but: bool
    scope: Scope
    told: Mapping[str, Any] = field(compare=False, hash=False, repr=False)  # the statement's own words
    matches: tuple[Match, ...] = field(compare=False, hash=False, repr=False)

    @property
    def meant(self) -> frozenset[str]:
        """The known actions that it speaks of, and those that it names whole, by name."""
        return meant(self.actions, self.all_actions_but)


class Said(NamedTuple):
    """All that is said about an action: None is a layer that there is not, and that so does not limit."""

    allows: frozenset[Scope]
    boundary: frozenset[Scope] | None
    session: frozenset[Scope] | None
    denies: frozenset[Scope]

    def scopes(self) -> Iterator[Scope]:
        yield from self.allows
        yield from self.boundary or ()
        yield from self.session or ()
        yield from self.denies


NOTHING_SAID = Said(frozenset(), None, None, frozenset())


@dataclass(frozen=True, slots=True)
class Permitted:
    """What somebody's policies permit. `denies` are those of all layers."""

    allows: tuple[Part, ...] = ()
    boundary: tuple[Part, ...] | None = None
    session: tuple[Part, ...] | None = None
    denies: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.allows, *(self.boundary or ()), *(self.session or ()), *self.denies)

    def sayings(self) -> Mapping[str, Said]:
        """What is said about each action that anything allows."""
        return _sayings(self)

    def _sayings(self) -> Mapping[str, Said]:
        parts = self.parts
        speaks: dict[str, int] = {}
        for number, part in enumerate(parts):
            bit = 1 << number
            if number < len(self.allows):
                for action in part.meant:
                    speaks[action] = speaks.get(action, 0) | bit
            else:
                for action in part.meant & speaks.keys():
                    speaks[action] |= bit
        known: dict[int, Said] = {}
        found: dict[str, Said] = {}
        for action, bits in speaks.items():
            if bits not in known:
                known[bits] = self._said([part for number, part in enumerate(parts) if bits >> number & 1])
            found[action] = known[bits]
        return found

    def _said(self, parts: Iterable[Part]) -> Said:
        about = {id(part) for part in parts}

        def scopes(layer: tuple[Part, ...]) -> frozenset[Scope]:
            return frozenset(part.scope for part in layer if id(part) in about)

        return Said(
            scopes(self.allows),
            None if self.boundary is None else scopes(self.boundary),
            None if self.session is None else scopes(self.session),
            scopes(self.denies),
        )


@lru_cache(maxsize=SAYINGS_KEPT_MAX)
def _sayings(what: Permitted) -> Mapping[str, Said]:
    return what._sayings()


def permitted(
    caller: Caller,
    context: Context,
    *,
    identity: PolicySet,
    boundary: PolicySet | None,
    session: PolicySet | None = None,
) -> Permitted:
    """What these policies permit the caller, where of the context is known what `context` tells."""
    values = caller.values | {key.lower(): told for key, told in context.values.items()}
    reading = _Reading(values, context)
    layers = {
        name: None if policies is None else reading.parts(policies)
        for name, policies in (("identity", identity), ("boundary", boundary), ("session", session))
    }

    def of(name: str, effect: Effect) -> tuple[Part, ...] | None:
        parts = layers[name]
        return None if parts is None else tuple(part for part in parts if part.effect is effect)

    denies = _merged(part for parts in layers.values() for part in parts or () if part.effect is Effect.DENY)
    return Permitted(
        of("identity", Effect.ALLOW) or (), of("boundary", Effect.ALLOW), of("session", Effect.ALLOW), denies
    )


ALL_OF_IT = Part(
    Effect.ALLOW, (EVERYTHING,), False, Scope((glob((EVERYTHING,)),), False, None), {"Action": "*"}, ()
)
EVERYTHING_PERMITTED = Permitted((ALL_OF_IT,))
"""What root of an account has, without any statement."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Turns statements into parts for one caller."""

    values: Values
    context: Context

    def parts(self, policies: PolicySet) -> tuple[Part, ...]:
        return _merged(
            part
            for policy, source in policies.entries
            for statement in policy.statements
            if (
                part := self._part(
                    policy, statement, Match(source, statement.index, statement.sid, statement.effect)
                )
            )
        )

    def _part(self, policy: Policy, statement: Statement, match: Match) -> Part | None:
        """None where it can't ever count for this caller."""
        provisos: set[str] = set()
        for clause in statement.clauses:
            if any(self._untold(key) for key in clause.keys):
                provisos.add("condition")
            elif not clause.holds(self.values):
                return None
        globs = []
        for template in statement.templates if statement.resources is not None else ((EVERYTHING,),):
            parts: list[Written] = []
            for one in template:
                if not isinstance(one, Variable):
                    parts.append(one)
                    continue
                filled = self._filled(one)
                if filled is None:
                    return None  # the whole statement then does not match
                if filled == ANYTHING:
                    provisos.add("variable")
                parts.append(filled)
            globs.append(glob(tuple(parts)))
        told = _told(policy, statement.index)
        proviso = _words(told, provisos) if provisos else None
        scope = Scope(tuple(sorted(set(globs), key=str)), statement.all_resources_but, proviso)
        actions = tuple(sorted(set(statement.actions)))
        return Part(statement.effect, actions, statement.all_actions_but, scope, told, (match,))

    def _filled(self, variable: Variable) -> Written | None:
        """What stands in the place of a variable: None where nothing does, ANYTHING where that is not known."""
        found = self.values.get(variable.key)
        if found is not None and len(found) == 1:
            return Literal(found[0])
        if not found and self._untold(variable.key):
            return ANYTHING
        return Literal(variable.default) if not found and variable.default is not None else None

    def _untold(self, key: str) -> bool:
        known = self.context.known
        return key not in self.values and (known is None or not known(key))


def _told(policy: Policy, index: int) -> Mapping[str, Any]:
    statements = policy.document.get("Statement")
    found: Any = statements[index] if isinstance(statements, list) else statements
    return found if isinstance(found, Mapping) else {}


def _words(told: Mapping[str, Any], provisos: set[str]) -> str:
    """What names a proviso: the words of the condition, and those of the resources where variables are open."""
    words = [told.get("Condition") if "condition" in provisos else None]
    if "variable" in provisos:
        words.append(told.get("Resource", told.get("NotResource")))
    return orjson.dumps(words, option=orjson.OPT_SORT_KEYS).decode()


def _merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    found: dict[Part, Part] = {}
    for part in parts:
        earlier = found.get(part)
        found[part] = part if earlier is None else replace(earlier, matches=earlier.matches + part.matches)
    return tuple(found.values())


@lru_cache(maxsize=4_096)
def meant(actions: tuple[str, ...], but: bool) -> frozenset[str]:
    """The known actions that an Action (or NotAction) element means; what it names whole counts as known."""
    named: set[str] = set()
    for pattern in actions:
        found = actions_matching(pattern)
        named.update(found)
        if not found and not WILD.search(pattern):
            named.add(pattern)
    return frozenset(actions_matching(EVERYTHING)) - named if but else frozenset(named)


# ---- sets of resources


def somewhere(said: Said) -> str | None:
    """A resource on which it is allowed, if what is not told is at its best; None where there is none.

    Raises Undecided.
    """
    return _difference(NOTHING_SAID, said, None, False)


def gained(before: Said, after: Said, *, within: Scope | None = None) -> bool | None:
    """Whether `after` allows a resource (`within` a statement's) that `before` does not; None: perhaps."""
    try:
        if _difference(before, after, within, False) is None:
            return False
        return True if _difference(before, after, within, True) is not None else None
    except Undecided:
        return None


def overlap(one: Scope, other: Scope) -> bool:
    """Whether a resource may be meant by both."""
    try:
        return somewhere(Said(frozenset({one}), frozenset({other}), None, frozenset())) is not None
    except Undecided:
        return True


@lru_cache(maxsize=65_536)
def _difference(before: Said, after: Said, within: Scope | None, sure: bool) -> str | None:
    """A resource that `after` allows and `before` does not; if `sure`, however conditions hang together."""
    scopes = {*before.scopes(), *after.scopes(), *(() if within is None else (within,))}
    globs = list({one: None for scope in sorted(scopes, key=str) for one in scope.globs})
    masks = {scope: sum(1 << globs.index(one) for one in scope.globs) for scope in scopes}
    for supposed in _suppositions(before, after, sure=sure):

        def wanted(matched: int, supposed: _Supposed = supposed) -> bool:
            speaks = {scope for scope in scopes if (matched & masks[scope] != 0) is not scope.but}
            if within is not None and within not in speaks:
                return False
            return _allowed(after, speaks, supposed, for_it=True) and not _allowed(
                before, speaks, supposed, for_it=False
            )

        found = some_text(globs, wanted)
        if found is not None:
            return found
    return None


_Supposed = Mapping[tuple[str | None, bool], bool]
"""Whether a proviso holds, by its words and by whether there is a difference if it does: it speaks for one."""


def _allowed(said: Said, speaks: set[Scope], supposed: _Supposed, *, for_it: bool) -> bool:
    """Whether a resource is allowed that these scopes speak of; `for_it`: that it is makes the difference."""

    def any_of(scopes: frozenset[Scope], for_it: bool) -> bool:
        return any(scope in speaks and supposed[scope.proviso, for_it] for scope in scopes)

    return (
        any_of(said.allows, for_it)
        and (said.boundary is None or any_of(said.boundary, for_it))
        and (said.session is None or any_of(said.session, for_it))
        and not any_of(said.denies, not for_it)
    )


def _suppositions(before: Said, after: Said, *, sure: bool) -> Iterator[_Supposed]:
    """What provisos may come to, as far as it matters.

    Each at its best for a difference; one that speaks both for and against is tried both ways. Conditions may imply
    each other, which is not looked into: `sure` is a difference that nothing conditional made (what `after` allows
    under a condition is left out), or that none of the conditions of `before` could have prevented.
    """
    new = _provisos((after.allows, after.boundary, after.session))
    denied = _provisos((after.denies,))
    old = _provisos((before.allows, before.boundary, before.session))
    lifted = _provisos((before.denies,))
    wanted, unwanted = new | lifted, old | denied
    if not sure:
        yield from _tried(wanted, unwanted, {})
        return
    yield from _tried(wanted, unwanted, dict.fromkeys(new, False))
    yield from _tried(wanted, unwanted, {**dict.fromkeys(lifted, False), **dict.fromkeys(old, True)})


def _provisos(layers: Iterable[frozenset[Scope] | None]) -> set[str]:
    return {scope.proviso for layer in layers for scope in layer or () if scope.proviso is not None}


def _tried(wanted: set[str], unwanted: set[str], fixed: Mapping[str, bool]) -> Iterator[_Supposed]:
    """What is wanted true and what is not false, but for what is fixed; what is both is tried both ways."""
    every = wanted | unwanted
    best: dict[tuple[str | None, bool], bool] = {(None, True): True, (None, False): True}
    best |= {(proviso, for_it): fixed.get(proviso, for_it) for proviso in every for for_it in (True, False)}
    mixed = sorted((wanted & unwanted) - fixed.keys())[:MIXED_MAX]
    for values in product((True, False), repeat=len(mixed)):
        tried: dict[tuple[str | None, bool], bool] = {
            (proviso, for_it): value
            for proviso, value in zip(mixed, values, strict=True)
            for for_it in (True, False)
        }
        yield best | tried
