"""Whether some text is like these patterns and unlike those, held to trying every short text."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.policy import patterns as plainly
from ledger.policy.pattern_sets import Undecided, glob, some_text
from ledger.policy.patterns import Literal

PATTERNS = st.lists(st.text("ab*?", min_size=1, max_size=4), min_size=1, max_size=4)
SHORT = ["".join(text) for length in range(1, 7) for text in product("abc", repeat=length)]


def matched(patterns: list[str], text: str) -> int:
    tests = [plainly.test_of([pattern]) for pattern in patterns]
    return sum(1 << number for number, test in enumerate(tests) if test is None or test(text))


@given(PATTERNS, st.integers(0, 15))
def test_it_finds_a_text_where_there_is_one_and_only_there(patterns: list[str], which: int) -> None:
    wanted = which % (1 << len(patterns))
    found = some_text([glob((pattern,)) for pattern in patterns], lambda now: now == wanted)
    if found is None:
        assert not any(matched(patterns, text) == wanted for text in SHORT)
    else:
        assert found
        assert matched(patterns, found) == wanted


def test_a_bucket_is_among_the_buckets_of_its_prefix() -> None:
    narrow, wide = glob(("arn:aws:s3:::logs/2026/*",)), glob(("arn:aws:s3:::logs/*",))
    assert some_text([narrow, wide], lambda now: now == 0b01) is None
    assert some_text([narrow, wide], lambda now: now == 0b10) == "arn:aws:s3:::logs/"


def test_a_wildcard_that_came_out_of_a_variable_is_a_character() -> None:
    literal, star = glob(("user/", Literal("*"))), glob(("user/*",))
    assert some_text([literal, star], lambda now: now == 0b01) is None
    assert some_text([literal, star], lambda now: now == 0b11) == "user/*"


def test_what_is_too_wild_to_decide_says_so() -> None:
    patterns = [
        glob((f"*{'?' * number}{character}*{'?' * number}x*y",))
        for number, character in enumerate("abcdefgh", 8)
    ]
    with pytest.raises(Undecided):
        some_text(patterns, lambda now: False)
