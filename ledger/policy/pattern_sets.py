"""Sets of texts that patterns describe: is there a text that is like some patterns and unlike others; which, for example.

Whether one statement's resources are among another's, or whether a denial leaves anything, are questions of this
kind. The answer is exact: every pattern is run as an automaton, all of them over the same text, breadth first, so
that the text found is a shortest one. A text is not empty, and may hold any character.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ledger.policy.patterns import Literal, Part

STATES_MAX = 20_000
EVERY_RESOURCE = "*"
_NEUTRAL = "x0aZ-_~!"  # what stands for a character that no pattern names

Wanted = Callable[[int], bool]
"""Whether a text is wanted that matches just these patterns: bit n stands for the nth."""


class Undecided(Exception):
    """The patterns are too many and too wild to be compared within STATES_MAX states."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern as an automaton. Bit p of a state says that the text so far may have come to place p of the pattern.

    Once a `*` is reached, what led to earlier places can lead to nothing more than it does, so those are dropped.
    """

    places: tuple[str, ...]  # a character, or ONE, or RUN

    def begin(self) -> int:
        return self._settled(1)

    def step(self, state: int, character: str) -> int:
        after, place = 0, 0
        while state:
            if state & 1 and place < len(self.places):
                here = self.places[place]
                if here == RUN:
                    after |= 1 << place
                elif here in (ONE, character):
                    after |= 1 << place + 1
            state >>= 1
            place += 1
        return self._settled(after)

    def ends(self, state: int) -> bool:
        return bool(state >> len(self.places) & 1)

    def characters(self, state: int) -> Iterator[str]:
        """The characters that lead on from a state in a way that others do not."""
        for place, here in enumerate(self.places):
            if state >> place & 1 and here not in (ONE, RUN):
                yield here

    def _settled(self, state: int) -> int:
        """A `*` may stand for nothing; and from the last of them on, the places before it count no more."""
        for place in range(state.bit_length() - 1, -1, -1):
            if state >> place & 1 and place < len(self.places) and self.places[place] == RUN:
                return (state | 1 << place + 1) >> place << place
        return state


ONE, RUN = "?one", "*run"  # longer than a character, and so like none


@lru_cache(maxsize=65_536)
def glob(parts: tuple[Part, ...]) -> Glob:
    """A pattern made ready; text that is a Literal has no wildcards."""
    places: list[str] = []
    for part in parts:
        if isinstance(part, Literal):
            places += part.text
            continue
        for character in part:
            if character == "*":
                if places[-1:] != [RUN]:
                    places.append(RUN)
            else:
                places.append(ONE if character == "?" else character)
    return Glob(tuple(places))


def some_text(globs: Sequence[Glob], wanted: Wanted) -> str | None:
    """A text that matches just such patterns as are wanted; None where there is none. Raises Undecided."""
    if wanted(_matched(globs, EVERY_RESOURCE)):
        return EVERY_RESOURCE
    named = {character for one in globs for character in one.places}
    other = next(character for character in _NEUTRAL + "\N{SNOWMAN}" if character not in named)
    begin = tuple(one.begin() for one in globs)
    seen = {begin}
    waiting: deque[tuple[tuple[int, ...], str]] = deque([(begin, "")])
    while waiting:
        states, text = waiting.popleft()
        characters = {
            character for one, state in zip(globs, states, strict=True) for character in one.characters(state)
        }
        for character in (*sorted(characters), other):
            after = tuple(one.step(state, character) for one, state in zip(globs, states, strict=True))
            if after in seen:
                continue
            if wanted(_ended(globs, after)):
                return text + character
            if len(seen) >= STATES_MAX:
                raise Undecided
            seen.add(after)
            waiting.append((after, text + character))
    return None


def _matched(globs: Sequence[Glob], text: str) -> int:
    states = [one.begin() for one in globs]
    for character in text:
        states = [one.step(state, character) for one, state in zip(globs, states, strict=True)]
    return _ended(globs, states)


def _ended(globs: Sequence[Glob], states: Sequence[int]) -> int:
    found = 0
    for number, (one, state) in enumerate(zip(globs, states, strict=True)):
        if one.ends(state):
            found |= 1 << number
    return found
