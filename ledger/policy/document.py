"""A policy document made ready to be asked: its statements, sorted by the services that they speak of.

Reading is lenient, for what recorded logs hold AWS has taken already: a statement that has no meaning here counts
for nothing, and its number is kept in `unreadable`. `ledger.policy.grammar` is strict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import orjson

from ledger.policy.conditions import BadCondition, Clause, read_conditions
from ledger.policy.decision import Effect, Through
from ledger.policy.patterns import Test, any_of, glob_test, test_of
from ledger.policy.principals import BadPrincipal, Principals, read_principals
from ledger.policy.request import Caller
from ledger.policy.variables import Template, Values, fill, keys_of, read_template

VERSION_WITH_VARIABLES = "2012-10-17"
POLICIES_KEPT_MAX = 32_768

DynamicTest = Callable[[str, Values], bool]


_EFFECTS = {str(effect): effect for effect in Effect}


class Unreadable(ValueError):
    """A statement that has no meaning here."""


class Statement:
    """One statement. `index` counts from 0; patterns of actions are in lower case.

    `patterns` are those of actions by service; under None those in which the service is a pattern too.
    `resource_keys` are the condition keys that the resources' variables ask for. `conditional` says that more of a
    request matters than its action and resource.
    """

    def __init__(self, index: int, told: Any, *, variables: bool) -> None:
        if not isinstance(told, dict):
            raise Unreadable(f"a statement is an object, not {type(told).__name__}")
        self.index = index
        sid = told.get("Sid")
        self.sid: str | None = sid if isinstance(sid, str) else None
        effect = told.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise Unreadable(f"{effect!r} is neither Allow nor Deny")
        self.effect = _EFFECTS[effect]
        actions, self.all_actions_but = _either(told, "Action", "NotAction")
        if actions is None:
            raise Unreadable("there is neither Action nor NotAction")
        self.actions = tuple([action.lower() for action in actions])
        self.patterns: dict[str | None, list[str]] = {}
        for action in self.actions:
            self.patterns.setdefault(_service_of(action), []).append(action)
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
        self._variables = variables and any("${" in text for text in self.resources or ())
        self.resource_keys: frozenset[str] = (
            frozenset().union(*map(keys_of, self.templates)) if self._variables else frozenset()
        )
        self.conditional = bool(self.clauses or self.resource_keys or principals is not None)

    def tested_for(self, service: str) -> Test | bool:
        """How to test actions of a service: by a function, or True for all of them, or False for none."""
        if self.all_actions_but:
            test = test_of(self.actions)
            return False if test is None else lambda action: not test(action)
        patterns = self.patterns.get(service, []) + self.patterns.get(None, [])
        if not patterns:
            return False
        if f"{service}:*" in patterns:
            return True
        return test_of(patterns) or True

    @property
    def templates(self) -> tuple[Template, ...]:
        return tuple(read_template(text, variables=self._variables) for text in self.resources or ())

    @cached_property
    def resource_test(self) -> Test | None:
        """Whether a resource is meant; None where each is, or where it depends on the request."""
        if self.resources is None or self.resource_keys:
            return None
        if self._variables:
            test: Test | None = any_of([glob_test(_filled(template, {})) for template in self.templates])
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
            return any(glob_test(parts)(resource) for parts in filled if parts is not None) is not but

        return test

    def holds(self, resource: str, values: Values) -> bool:
        """Whether what depends on the context is so; the principal is another matter."""
        if self.dynamic_test is not None and not self.dynamic_test(resource, values):
            return False
        for clause in self.clauses:  # noqa: SIM110 - the generator of an `all` costs more than most clauses
            if not clause.holds(values):
                return False
        return True

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
    """A document. `services` are those that it names; `broad` says that it may speak of others too."""

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
        self.services: set[str | None] = set()
        self.broad = False
        for statement in self.statements:
            self.broad |= statement.all_actions_but
            self.services.update(statement.patterns)
        self.broad |= None in self.services
        self._of_service: dict[str, list[tuple[Statement, Test | None]]] = {}

    def of_service(self, service: str) -> Sequence[tuple[Statement, Test | None]]:
        """The statements that speak of a service's actions; the test, where there is one, tells of which."""
        if service not in self.services:
            service = ""  # all that the document does not name are one to it
        found = self._of_service.get(service)
        if found is None:
            found = self._of_service[service] = self._tests(service)
        return found

    def about(self, action: str) -> Iterator[Statement]:
        """The statements whose actions include this one (in lower case)."""
        for statement, test in self.of_service(action.partition(":")[0]):
            if test is None or test(action):
                yield statement

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


def _service_of(action: str) -> str | None:
    """The service that a pattern of actions names; None where that is a pattern itself."""
    service, colon, _ = action.partition(":")
    return service if colon and service and "*" not in service and "?" not in service else None


def _either(told: dict[str, Any], name: str, negated: str) -> tuple[list[str] | None, bool]:
    """The texts of an element that is there as it is, or negated, or not at all."""
    if name in told and negated in told:
        raise Unreadable(f"there are both {name} and {negated}")
    found = told.get(name, told.get(negated))
    if found is None:
        return None, False
    texts = found if isinstance(found, list) else [found]
    for text in texts:
        if not isinstance(text, str):
            raise Unreadable(f"{name} is a text or a list of texts")
    if not texts:
        raise Unreadable(f"{name} is empty")
    return texts, negated in told


def _filled(template: Template, values: Values) -> Any:
    parts = fill(template, values)
    assert parts is not None, "a template without variables is always full"
    return parts


def _never(_: str) -> bool:
    return False
