"""The layout of text: it may send one to look in vain, but never past a place where the text stands."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import text_segment
from projections.text_pages import as_in_json
from projections.text_segment import Segment, decode, encode, pack

SIGNS = 'abCZ019-_./:#"\\ é€\n{},=*'
texts = st.text(alphabet=SIGNS, max_size=24)
bodies = st.dictionaries(texts, texts | st.integers(0, 10**6) | st.lists(texts, max_size=3), max_size=4)


@given(st.sets(st.integers(0, 20_000)))
def test_a_posting_comes_back(numbers: set[int]) -> None:
    assert list(decode(encode(sorted(numbers)))) == sorted(numbers)


@given(st.sets(st.integers(0, 3_000)))
def test_a_posting_never_holds_the_sign_that_ends_it(numbers: set[int]) -> None:
    assert b"\xff" not in encode(sorted(numbers))


def laid_out(blocks: list[list[bytes]]) -> Segment:
    return Segment(pack([[body.lower() for body in block] for block in blocks]), len(blocks))


@given(st.lists(st.lists(bodies, max_size=3), min_size=1, max_size=20), st.data())
def test_no_part_of_a_body_is_missed(blocks: list[list[dict[str, object]]], data: st.DataObject) -> None:
    written = [[orjson.dumps(body) for body in block] for block in blocks]
    segment = laid_out(written)
    for number, block in enumerate(blocks):
        for body in block:
            for value in [*body, *body.values()]:
                if isinstance(value, str) and value:
                    start = data.draw(st.integers(0, len(value) - 1))
                    end = data.draw(st.integers(start + 1, len(value)))
                    asked = value[start:end]
                    where = segment.blocks_with(as_in_json(asked))
                    assert number in where, asked


def ids(chance: random.Random, count: int) -> list[str]:
    return [f"{chance.getrandbits(64):016x}" for _ in range(count)]


@pytest.fixture(scope="module")
def many() -> tuple[list[list[bytes]], list[list[str]]]:
    """Blocks of bodies with a name that comes again and again, and an id that comes once."""
    chance = random.Random(3)
    written, random_ids = [], []
    for _ in range(600):
        block, of_block = [], ids(chance, 8)
        for one in of_block:
            name = f"bucket-{chance.randint(0, 3_000):04d}"
            block.append(orjson.dumps({"bucketName": name, "token": one, "note": 'Grüße, "so"'}))
        written.append(block)
        random_ids.append(of_block)
    return written, random_ids


def test_few_places_are_named_in_vain(many: tuple[list[list[bytes]], list[list[str]]]) -> None:
    written, random_ids = many
    segment = laid_out(written)
    in_vain = 0
    for number in range(0, 600, 7):
        found = segment.blocks_with(random_ids[number][0].encode())
        assert number in found
        assert len(list(found)) <= len(found)
        in_vain += len(found) - 1
    assert in_vain < 86 * 40  # of 599: each mark asked for is there by chance in somewhat more than half


@pytest.mark.parametrize("text", ["nowhere-to-be-seen", "Grüßen", "bucketName:nothing", "administrator"])
def test_a_text_that_is_nowhere_is_hardly_looked_for(
    many: tuple[list[list[bytes]], list[list[str]]], text: str
) -> None:
    assert len(laid_out(many[0]).blocks_with(as_in_json(text))) < 60


@pytest.mark.parametrize("text", ["token", "UCKETNAM", "grü", 'so"', ', "so', "e", ":", '""'])
def test_a_frequent_text_is_everywhere(many: tuple[list[list[bytes]], list[list[str]]], text: str) -> None:
    written, _ = many
    assert len(laid_out(written).blocks_with(as_in_json(text))) == 600


def test_a_name_that_comes_again_is_found_where_it_is(
    many: tuple[list[list[bytes]], list[list[str]]],
) -> None:
    written, _ = many
    segment = laid_out(written)
    for name in (b"bucket-0007", b"bucket-1234", b"bucket-2999"):
        there = {number for number, block in enumerate(written) if any(name in body for body in block)}
        assert there <= set(segment.blocks_with(name))


def test_memory_is_bounded_and_nothing_is_missed_for_it(
    many: tuple[list[list[bytes]], list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written, random_ids = many
    monkeypatch.setattr(text_segment, "HELD_BYTES_MAX", 5_000)
    segment = laid_out(written)
    for number, block in enumerate(written):
        assert number in segment.blocks_with(random_ids[number][3].encode())
        name = orjson.loads(block[0])["bucketName"].encode()
        assert number in segment.blocks_with(name)


def test_a_block_of_very_much_text_is_looked_at_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_segment, "_SATURATED", 500)
    monkeypatch.setattr(text_segment, "_KINDS_MAX", 255)
    chance = random.Random(4)
    blocks = [[" ".join(ids(chance, 400)).encode()], *([one.encode()] for one in ids(chance, 30))]
    segment = laid_out(blocks)
    for text in (b"nowhere", blocks[0][0][100:140], blocks[9][0]):
        assert 0 in segment.blocks_with(text)


def test_the_same_bodies_are_laid_out_the_same(many: tuple[list[list[bytes]], list[list[str]]]) -> None:
    assert pack(many[0]) == pack(many[0])
