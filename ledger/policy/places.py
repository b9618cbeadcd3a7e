"""Where the statements of a policy stand in its text, as IAM's policy simulator tells it.

The examples of the AWS CLI's reference (simulate-custom-policy) show how AWS counts: lines from 1, and the column of
the character behind the brace, from 1.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:]', re.DOTALL)
TEXTS_KEPT_MAX = 64  # a simulation points into the same few again and again
DEPTH_OF_STATEMENTS = (1, 2)  # a statement alone, or in a list


@dataclass(frozen=True, slots=True)
class Place:
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    start: Place
    end: Place


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def statement_spans(text: str) -> tuple[Span, ...]:
    """Of each statement of a policy that is JSON already, in order."""
    spans: list[Span] = []
    depth, member, latest, opened = 0, "", "", 0
    for token in _TOKENS.finditer(text):
        said = token[0]
        if said == ":":
            if depth == 1:
                member = json.loads(latest)
        elif said in "[{":
            if said == "{" and member == "Statement" and depth in DEPTH_OF_STATEMENTS and not opened:
                opened, began = depth, token.end()
            depth += 1
        elif said in "]}":
            depth -= 1
            if opened and depth == opened:
                spans.append(Span(_place(text, began), _place(text, token.end())))
                opened = 0
        else:
            latest = said
    return tuple(spans)


def _place(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
