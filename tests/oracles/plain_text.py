"""Wildcards and variables in the texts of a policy, straight from the documentation.

Source: IAM user guide, "IAM JSON policy elements: Resource", "Policy elements: Variables and tags".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

# A wildcard that came out of a variable is an ordinary character. Until the comparison it is one of these two,
# which no policy text holds.
LITERAL_STAR, LITERAL_QUESTION_MARK = "\ue000", "\ue001"

Context = Mapping[str, list[str]]
"""The values of each context key; the keys are in lower case."""


class Unresolved(Exception):
    """A variable whose key is absent or has several values, without a default."""


@functools.cache
def wildcards(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """`*` is any run of characters, colons and slashes too; `?` is exactly one character."""
    pieces = {"*": ".*", "?": ".", LITERAL_STAR: r"\*", LITERAL_QUESTION_MARK: r"\?"}
    expression = "".join(pieces.get(character) or re.escape(character) for character in pattern)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


VARIABLE = re.compile(r"\$\{([^{}]*)\}")
WITH_DEFAULT = re.compile(r"([^,]+), *'(.*)'", re.DOTALL)


def resolve(text: str, version: str | None, context: Context) -> str:
    """The text with its variables replaced; raises Unresolved.

    "If you don't include the Version element and set it to an appropriate version date, variables like
    ${aws:username} are treated as literal strings in the policy."
    """
    if version != "2012-10-17" or "${" not in text:
        return text
    return VARIABLE.sub(lambda found: value_of(found[1], context), text)


def value_of(variable: str, context: Context) -> str:
    # "Special characters": ${*}, ${?} and ${$} have fixed values.
    if variable in ("*", "?", "$"):
        return without_wildcards(variable)
    # "Specifying default values": ${key, 'default'}
    with_default = WITH_DEFAULT.fullmatch(variable)
    key = with_default[1] if with_default else variable
    values = context.get(key.strip().lower(), [])
    if len(values) == 1:
        return without_wildcards(values[0])
    if with_default:
        return without_wildcards(with_default[2])
    raise Unresolved(variable)


def without_wildcards(text: str) -> str:
    return text.replace("*", LITERAL_STAR).replace("?", LITERAL_QUESTION_MARK)


def literally(text: str) -> str:
    """For comparisons that know no wildcards."""
    return text.replace(LITERAL_STAR, "*").replace(LITERAL_QUESTION_MARK, "?")
