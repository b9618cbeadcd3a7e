"""The Condition element: what must hold of a request's context for a statement to count.

Source: IAM user guide, "IAM JSON policy elements: Condition" and "Multivalued context keys". All keys of all
operators must hold; a key that is absent makes a positive operator false and a negated one true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.policy.operators import NULL, OPERATORS, BadValue, Operator, Written
from ledger.policy.patterns import Test
from ledger.policy.variables import Template, Values, fill, keys_of, read_template

Holds = Callable[[Values], bool]
_SPOKEN = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")
_EVERY, _ANY = "ForAllValues", "ForAnyValue"


class BadCondition(ValueError):
    """A condition that has no meaning: an unknown operator, or values that it can't compare."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One key under one operator. `keys` are the condition keys it asks for, those of its variables included."""

    keys: frozenset[str]
    holds: Holds


def read_conditions(block: Any, *, variables: bool) -> tuple[Clause, ...]:
    """The clauses of a Condition element; raises BadCondition."""
    if not isinstance(block, Mapping):
        raise BadCondition(f"a condition is an object, not {type(block).__name__}")
    clauses = []
    for name, keys in block.items():
        if not isinstance(keys, Mapping):
            raise BadCondition(f"{name}: an operator holds an object of keys")
        for key, values in keys.items():
            try:
                clauses.append(_clause(str(name), str(key).lower(), texts_of(values), variables))
            except BadValue as error:
                raise BadCondition(f"{name} {key}: {error}") from None
    return tuple(clauses)


def texts_of(values: Any) -> list[str]:
    """What JSON has as text, number, truth or a list of these, as a list of texts; raises BadValue."""
    found = []
    for value in values if isinstance(values, list | tuple) else (values,):
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            found.append(str(value))
        else:
            raise BadValue(f"a value is a text, not {type(value).__name__}")
    return found


def _clause(name: str, key: str, texts: list[str], variables: bool) -> Clause:
    spoken = _SPOKEN.fullmatch(name)
    if spoken is None:
        raise BadCondition(f"there is no operator {name!r}")
    quantifier, plain_name, if_exists = spoken.groups()
    if plain_name == NULL and quantifier is None and if_exists is None:
        return Clause(frozenset({key}), _null(key, texts))
    operator = OPERATORS.get(plain_name)
    if operator is None:
        raise BadCondition(f"there is no operator {name!r}")
    templates = [read_template(text, variables=variables and operator.textual) for text in texts]
    asked = frozenset({key}).union(*map(keys_of, templates))
    if len(asked) == 1 and not any(map(keys_of, templates)):
        test = operator.tests([_filled(template, {}) for template in templates])
        return Clause(asked, _fixed(key, test, quantifier, operator.negated, if_exists is not None))
    return Clause(asked, _variable(key, templates, operator, quantifier, if_exists is not None))


def _filled(template: Template, values: Values) -> Written:
    parts = fill(template, values)
    assert parts is not None, "a template without variables is always full"
    return parts


def _null(key: str, texts: list[str]) -> Holds:
    wanted = {text.lower() for text in texts}
    if not wanted <= {"true", "false"}:
        raise BadValue("the value of Null is true or false")
    absent, present = "true" in wanted, "false" in wanted
    return lambda values: present if values.get(key) else absent


def _fixed(key: str, test: Test, quantifier: str | None, negated: bool, if_exists: bool) -> Holds:
    """A clause whose values are the same for every request."""
    if quantifier == _EVERY:
        if negated:
            return lambda values: not any(map(test, values.get(key, ())))
        return lambda values: all(map(test, values.get(key, ())))
    if quantifier == _ANY:
        if negated:

            def some_unlike(values: Values) -> bool:
                found = values.get(key)
                return if_exists if not found else not all(map(test, found))

            return some_unlike
        absent = if_exists
    else:
        absent = negated or if_exists

    def some_like(values: Values) -> bool:
        found = values.get(key)
        if not found:
            return absent
        for value in found:
            if test(value):
                return not negated
        return negated

    return some_like


def _variable(
    key: str, templates: Sequence[Template], operator: Operator, quantifier: str | None, if_exists: bool
) -> Holds:
    """A clause whose values depend on the request: a value that can't be filled in is like nothing."""

    def holds(values: Values) -> bool:
        written = [parts for template in templates if (parts := fill(template, values)) is not None]
        test: Test = operator.tests(written) if written else _never
        return _fixed(key, test, quantifier, operator.negated, if_exists)(values)

    return holds


def _never(_: str) -> bool:
    return False
