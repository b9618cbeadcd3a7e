"""Patterns of actions, resources and strings: `*` is any run of characters, `?` exactly one.

Source: IAM user guide, "IAM JSON policy elements: Resource" and "Action". Nothing is ever tried twice: the first place
where the text between two wildcards fits is as good as any later one. A hostile pattern costs no more than its length
times that of the text. Only patterns with `?` become regular expressions, in which each such text is held atomically:
to make one costs more than to match a text some hundred times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

Test = Callable[[str], object]
"""Whether a text matches: true or false in an `if`."""

NO_TEXT = "(?!)"  # the regular expression that nothing matches
WILD = re.compile(r"[*?]")
COMPILED_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Literal:
    """Text in a pattern whose `*` and `?` mean themselves, for it came out of a variable."""

    text: str


Part = str | Literal
"""Text with wildcards, or text without."""


def test_of(patterns: Iterable[str]) -> Test | None:
    """Whether a text matches any of the patterns; None where every text does.

    Most patterns are a whole text or its beginning, and of these all are looked for at once.
    """
    exact: set[str] = set()
    beginnings: list[str] = []
    others: list[Test] = []
    for pattern in patterns:
        if pattern == "*":
            return None
        if not WILD.search(pattern):
            exact.add(pattern)
        elif not WILD.search(pattern[:-1]) and pattern[-1] == "*":
            beginnings.append(pattern[:-1])
        else:
            others.append(glob_test([pattern]))
    begins = tuple(beginnings)
    if others:
        if exact:
            others.append(exact.__contains__)
        if begins:
            others.append(lambda text: text.startswith(begins))
        return any_of(others)
    if not begins:
        return exact.__contains__
    if not exact:
        return lambda text: text.startswith(begins)
    return lambda text: text in exact or text.startswith(begins)


def any_of(tests: Sequence[Test]) -> Test:
    """Whether any of the tests holds of a text; of none, none does."""
    if len(tests) == 1:
        return tests[0]

    def test(text: str) -> bool:
        for one in tests:  # noqa: SIM110 - a generator costs more than most of the tests
            if one(text):
                return True
        return False

    return test


def glob_test(parts: Sequence[Part]) -> Test:
    """Whether a text matches the pattern."""
    segments: list[str] = [""]  # what stands between runs of `*`
    for part in parts:
        if isinstance(part, Literal):
            segments[-1] += part.text
            continue
        if "?" in part:
            return compiled(glob_source(parts)).fullmatch
        first, *rest = part.split("*")
        segments[-1] += first
        segments += rest
    if len(segments) == 1:
        return {segments[0]}.__contains__
    first, *middle, last = segments
    held = [segment for segment in middle if segment]
    least = len(first) + len(last)

    def test(text: str) -> bool:
        if not text.startswith(first) or not text.endswith(last) or len(text) < least:
            return False
        if held:
            place, end = len(first), len(text) - len(last)
            for segment in held:
                found = text.find(segment, place, end)
                if found < 0:
                    return False
                place = found + len(segment)
        return True

    return test


def glob_source(parts: Sequence[Part], *, within: str = ".") -> str:
    """The regular expression of a pattern; `within` is what a wildcard may stand for."""
    segments: list[str] = [""]  # what stands between runs of `*`
    for part in parts:
        if isinstance(part, Literal):
            segments[-1] += re.escape(part.text)
            continue
        for number, text in enumerate(part.split("*")):
            if number:
                segments.append("")
            segments[-1] += within.join(map(re.escape, text.split("?")))
    if len(segments) == 1:
        return segments[0]
    first, *middle, last = segments
    held = "".join(f"(?>{within}*?{segment})" for segment in middle if segment)
    return f"{first}{held}{within}*{last}"


def arn_source(parts: Sequence[Part]) -> str:
    """The regular expression of an ARN's pattern: each of its six parts by itself, the last may hold colons.

    Source: IAM user guide, "Amazon Resource Name (ARN) condition operators".
    """
    split: list[list[Part]] = [[]]
    for part in parts:
        text = part.text if isinstance(part, Literal) else part
        for number, piece in enumerate(text.split(":", 6 - len(split))):
            if number:
                split.append([])
            split[-1].append(Literal(piece) if isinstance(part, Literal) else piece)
    if len(split) < 6:
        return NO_TEXT  # no ARN, and so like none
    return ":".join(
        [*(glob_source(part, within="[^:]") for part in split[:5]), glob_source(split[5])],
    )


@lru_cache(maxsize=COMPILED_MAX)
def compiled(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)
