"""Policy variables: `${aws:username}` and `${aws:PrincipalTag/team, 'none'}` in resources and condition values.

Source: IAM user guide, "IAM policy elements: Variables and tags". Only documents of version 2012-10-17 have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.policy.patterns import Literal, Part

Values = Mapping[str, tuple[str, ...]]
"""The values of each condition key of a request, by the key in lower case."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_SPOKEN = re.compile(r"\s*([^\s,']+)\s*(?:,\s*'([^']*)'\s*)?")
_ITSELF = ("*", "?", "$")


@dataclass(frozen=True, slots=True)
class Variable:
    key: str  # in lower case
    default: str | None


Template = tuple[Part | Variable, ...]


def read_template(text: str, *, variables: bool) -> Template:
    """The text taken apart: what is written, and what a request fills in. What is no variable is text."""
    if not variables or "${" not in text:
        return (text,)
    parts: list[Part | Variable] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        said = found[1]
        if said in _ITSELF:
            part: Part | Variable = Literal(said)
        elif spoken := _SPOKEN.fullmatch(said):
            part = Variable(spoken[1].lower(), spoken[2])
        else:
            continue
        if found.start() > end:
            parts.append(text[end : found.start()])
        parts.append(part)
        end = found.end()
    if end < len(text) or not parts:
        parts.append(text[end:])
    return tuple(parts)


def keys_of(template: Template) -> frozenset[str]:
    """The condition keys that the template asks for."""
    return frozenset(part.key for part in template if isinstance(part, Variable))


def keys_spelt(text: str) -> tuple[str, ...]:
    """The condition keys of the variables in a text, as they are written there."""
    said = (found[1] for found in _VARIABLE.finditer(text) if found[1] not in _ITSELF)
    return tuple(spoken[1] for it in said if (spoken := _SPOKEN.fullmatch(it)))


def fill(template: Template, values: Values) -> Sequence[Part] | None:
    """The template with the values of a request; None where one that has no default is not a single value."""
    parts: list[Part] = []
    for part in template:
        if not isinstance(part, Variable):
            parts.append(part)
            continue
        found = values.get(part.key)
        if found is not None and len(found) == 1:
            parts.append(Literal(found[0]))
        elif part.default is not None:
            parts.append(Literal(part.default))
        else:
            return None
    return parts


def plain(parts: Sequence[Part]) -> str:
    """The text, in which no character is a wildcard."""
    return "".join(part.text if isinstance(part, Literal) else part for part in parts)
