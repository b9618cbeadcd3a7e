"""A policy document made ready to be asked: its statements, sorted by the services that they speak of.

Reading is lenient, for what recorded logs hold AWS has taken already: a statement that has no meaning here counts
for nothing, and its number is kept in `unreadable`. `ledger.policy.grammar` is strict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import orjson

from ledger.policy.conditions import BadCondition, Clause, read_conditions
from ledger.policy.decision import Effect, Through
from ledger.policy.patterns import Test, compiled, glob_source, test_of
from ledger.policy.principals import BadPrincipal, Principals, read_principals
from ledger.policy.request import Caller
from ledger.policy.variables import Template, Values, fill, keys_of, read_template

VERSION_WITH_VARIABLES = "2012-10-17"
POLICIES_KEPT_MAX = 32_768
_SERVICE = re.compile(r"[^*?:]+(?=:)")

DynamicTest = Callable[[str, Values], bool]


class Unreadable(ValueError):
    """A statement that has no meaning here."""


class Statement:
    """One statement. `index` counts from 0; patterns of actions are in lower case."""

    def __init__(self, index: int, told: Any, *, variables: bool) -> None:
        if not isinstance(told, Mapping):
            raise Unreadable(f"a statement is an object, not {type(told).__name__}")
        self.index = index
        sid = told.get("Sid")
        self.sid: str | None = sid if isinstance(sid, str) else None
        effect = told.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise Unreadable(f"{effect!r} is neither Allow nor Deny")
        self.effect = Effect(effect)
        actions, self.all_actions_but = _either(told, "Action", "NotAction")
        if actions is None:
            raise Unreadable("there is neither Action nor NotAction")
        self.actions = tuple(action.lower() for action in actions)
        self.resources, self.all_resources_but = _either(told, "Resource", "NotResource")
        principals = told.get("Principal", told.get("NotPrincipal"))
        self.all_principals_but = "NotPrincipal" in told
        try:
            self.principals: Principals | None = None if principals is None else read_principals(principals)
            block = told.get("Condition")
            self.clauses: tuple[Clause, ...] = (
                read_conditions(block, variables=variables) if block is not None else ()
            )
        except (BadPrincipal, BadCondition) as error:
            raise Unreadable(str(error)) from error
        self.holds = tuple(clause.holds for clause in self.clauses)
        self._variables = variables

    @cached_property
    def patterns(self) -> dict[str | None, list[str]]:
        """Patterns of actions by service; under None those in which the service is a pattern too."""
        found: dict[str | None, list[str]] = {}
        for action in self.actions:
            service = _SERVICE.match(action)
            found.setdefault(service[0] if service else None, []).append(action)
        return found

    def tested_for(self, service: str) -> Test | bool:
        """How to test actions of a service: by a function, or True for all of them, or False for none."""
        if self.all_actions_but:
            test = test_of(self.actions)
            return False if test is None else lambda action: not test(action)
        patterns = self.patterns.get(service, [])
        if (broad := self.patterns.get(None)) is not None:
            patterns = patterns + broad
        if not patterns:
            return False
        if f"{service}:*" in patterns:
            return True
        return test_of(patterns) or True

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        return tuple(read_template(text, variables=self._variables) for text in self.resources or ())

    @cached_property
    def resource_keys(self) -> frozenset[str]:
        """The condition keys that the resources' variables ask for."""
        return frozenset().union(*map(keys_of, self.templates))

    @cached_property
    def resource_test(self) -> Test | None:
        """Whether a resource is meant; None where each is, or where it depends on the request."""
        if self.resources is None or self.resource_keys:
            return None
        if any(len(template) > 1 or not isinstance(template[0], str) for template in self.templates):
            source = "|".join(glob_source(_full(template, {})) for template in self.templates)
            test: Test | None = compiled(source).fullmatch
        else:
            test = test_of(self.resources)
        if not self.all_resources_but:
            return test
        return (lambda resource: not test(resource)) if test is not None else _never

    @cached_property
    def dynamic_test(self) -> DynamicTest | None:
        """Whether a resource is meant, where that depends on the request."""
        if not self.resource_keys:
            return None
        templates, but = self.templates, self.all_resources_but

        def test(resource: str, values: Values) -> bool:
            filled = [fill(template, values) for template in templates]
            if None in filled:
                return False  # an unknown variable: the statement does not match
            source = "|".join(glob_source(parts) for parts in filled if parts is not None)
            return (compiled(source).fullmatch(resource) is not None) is not but

        return test

    def through(self, caller: Caller, values: Values) -> Through:
        """Whether the statement speaks of the caller, and by which of its names; only where it names anyone."""
        assert self.principals is not None
        if not self.all_principals_but:
            return self.principals.through(caller, values)
        if self.effect is Effect.DENY:
            spared = self.principals.spares(caller, values)
        else:
            spared = self.principals.through(caller, values) is not Through.NOBODY
        return Through.NOBODY if spared else Through.ANYONE


class Policy:
    """A document. The statements about an action are looked up once for each action and document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        variables = document.get("Version") == VERSION_WITH_VARIABLES
        told = document.get("Statement")
        self.statements: list[Statement] = []
        self.unreadable: list[int] = []
        for index, one in enumerate(told if isinstance(told, list) else [told]):
            try:
                self.statements.append(Statement(index, one, variables=variables))
            except Unreadable:
                self.unreadable.append(index)
        self._of_service: dict[str, list[tuple[Statement, Test | None]]] = {}
        self._about: dict[str, tuple[Statement, ...]] = {}

    @cached_property
    def services(self) -> frozenset[str] | None:
        """The services that the document speaks of; None where it may speak of any."""
        found: set[str] = set()
        for statement in self.statements:
            if statement.all_actions_but or None in statement.patterns:
                return None
            found.update(service for service in statement.patterns if service is not None)
        return frozenset(found)

    def about(self, action: str) -> Sequence[Statement]:
        """The statements whose actions include this one (in lower case)."""
        found = self._about.get(action)
        if found is None:
            service = action.partition(":")[0]
            tests = self._of_service.get(service)
            if tests is None:
                tests = self._of_service[service] = self._tests(service)
            found = tuple(statement for statement, test in tests if test is None or test(action))
            if found or len(self._about) < POLICIES_KEPT_MAX:
                self._about[action] = found
        return found

    def _tests(self, service: str) -> list[tuple[Statement, Test | None]]:
        found: list[tuple[Statement, Test | None]] = []
        for statement in self.statements:
            test = statement.tested_for(service)
            if test is True:
                found.append((statement, None))
            elif callable(test):
                found.append((statement, test))
        return found


def compile_policy(document: Mapping[str, Any]) -> Policy:
    """The document made ready; equal documents are made ready once."""
    return _compiled(orjson.dumps(document))


@lru_cache(maxsize=POLICIES_KEPT_MAX)
def _compiled(text: bytes) -> Policy:
    return Policy(orjson.loads(text))


def _either(told: Mapping[str, Any], name: str, negated: str) -> tuple[list[str] | None, bool]:
    """The texts of an element that is there as it is, or negated, or not at all."""
    if name in told and negated in told:
        raise Unreadable(f"there are both {name} and {negated}")
    found = told.get(name, told.get(negated))
    if found is None:
        return None, False
    texts = found if isinstance(found, list) else [found]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{name} is a text or a list of texts")
    return texts, negated in told


def _full(template: Template, values: Values) -> Any:
    parts = fill(template, values)
    assert parts is not None, "a template without variables is always full"
    return parts


def _never(_: str) -> bool:
    return False
