"""Patterns tell of each text what the regular expression of the same pattern does."""

import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from ledger.policy.patterns import Literal, any_of, glob_source, glob_test
from ledger.policy.patterns import test_of as like_any_of

TEXTS = st.text(alphabet="ab:*?\n", max_size=8)
PARTS = st.lists(TEXTS | TEXTS.map(Literal), max_size=4)


def matches(parts: list[str | Literal], text: str) -> bool:
    return re.fullmatch(glob_source(parts), text, re.DOTALL) is not None


@given(PARTS, st.lists(TEXTS))
def test_a_pattern_is_its_regular_expression(parts: list[str | Literal], texts: list[str]) -> None:
    assert all(bool(glob_test(parts)(text)) == matches(parts, text) for text in texts)


def test_short_patterns_of_any_kind_on_all_short_texts() -> None:
    texts = ["".join(text) for length in range(5) for text in product("ab", repeat=length)]
    for pattern in map("".join, product("ab*?", repeat=4)):
        test = glob_test([pattern])
        assert [text for text in texts if test(text)] == [text for text in texts if matches([pattern], text)]


@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS))
def test_of_several_patterns_one_is_enough(patterns: list[str], texts: list[str]) -> None:
    test = like_any_of(patterns)
    for text in texts:
        expected = any(matches([pattern], text) for pattern in patterns)
        assert (True if test is None else bool(test(text))) == expected


def test_of_no_patterns_none_matches() -> None:
    assert not any_of([])("")
    none = like_any_of([])
    assert none is not None
    assert not none("")
