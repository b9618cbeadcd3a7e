"""The text of a stretch of the log, laid out so that the few entries which may hold a text are found.

A body is cut into words wherever JSON or a name in AWS has a sign that parts it. Wherever a text stands, each of its
own words stands in a word: as a whole between two such signs, at its beginning or end where the text has but one of
them, or anywhere.

- A word that is in several blocks of four entries is kept, with the blocks that have it (its *posting*). What is
  asked for is looked for in all these words, so that any part of one finds it.
- A word that is in one block only, as ids are that are random, would cost too much to keep. Of its *grams*, three
  bytes in a row, the block has marks. All grams that are asked for must be marked.

What is found is where to look, never an answer: blocks too many, but none too few.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, compress
from typing import Final, NamedTuple

import zstandard

BLOCK_ENTRIES: Final = 4
LEVEL: Final = 19  # of compression: written once, and a third of a byte an entry smaller than at level 3
EVERYWHERE: Final = 8  # a word in more than an eighth of the blocks has no posting: it stands everywhere
TOLD_MAX: Final = 4  # answers that a segment remembers: after a page, the next one is asked for
HELD_BYTES_MAX: Final = 64 << 20  # of words, while a segment is made

_PARTING: Final = b"\"\\/:,;=#%+@!?&*$~^|`'<>(){}[] "
_BETWEEN: Final = b"\n"  # JSON text holds no such byte
_CUT: Final = bytes.maketrans(_PARTING, _BETWEEN * len(_PARTING))
_END_OF_POSTING: Final = b"\xff"
_SKIP: Final = 0xFE
_STEPS: Final = bytes(min(byte + 1, _SKIP) for byte in range(256))
_ARRIVES: Final = bytes(byte != _SKIP for byte in range(256))
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_YES: Final = ord("1")
_FLAGS: Final = bytes(byte & 1 for byte in range(256))  # of binary digits

_HEXADECIMAL: Final = bytes(0 if byte in b"0123456789abcdef" else 1 for byte in range(256))
_GRAM: Final = 0xFFFFFF
_KINDS_PER_MARK: Final = 1.3  # of a block; with 1.44 half of the bits are set, which tells most for the space
_SMALL: Final = 256  # blocks; a segment of no more has marks of twice as many kinds: it has few words kept, and is soon gone
_KINDS_MIN, _KINDS_MAX = 15, 4_095  # odd, as all numbers of kinds are: grams are spread by the remainder
_SATURATED: Final = 8 * _KINDS_MAX  # marks of one block


class Packed(NamedTuple):
    """A segment as it is kept."""

    words: bytes
    postings: bytes
    marks: bytes


def pack(blocks: Iterable[Sequence[bytes]]) -> Packed:
    """Lay out the bodies of a segment, given by blocks, in lower case."""
    where: dict[bytes, list[int]] = {}
    marked: list[array[int]] = []
    held = 0
    for number, bodies in enumerate(blocks):
        marked.append(array("I"))
        for word in _words(bodies):
            known = where.get(word)
            if known is None:
                where[word] = [number]
                held += len(word)
            else:
                known.append(number)
        if held > HELD_BYTES_MAX:
            held -= _mark_single(where, marked)
    _mark_single(where, marked)
    kept = sorted(where)
    few = len(marked) // EVERYWHERE
    postings = (encode(where[word]) if len(where[word]) <= few else b"" for word in kept)
    zstd = zstandard.ZstdCompressor(level=LEVEL)
    return Packed(
        zstd.compress(_BETWEEN.join(kept)),
        zstd.compress(_END_OF_POSTING.join(postings)),
        _marks(marked),
    )


class Segment:
    """A segment unpacked, to be asked."""

    def __init__(self, packed: Packed, blocks: int) -> None:
        unpack = zstandard.ZstdDecompressor().decompress
        words, postings = unpack(packed.words).split(_BETWEEN), unpack(packed.postings).split(_END_OF_POSTING)
        # By length: what is asked for is looked for in those only that are long enough to hold it.
        kept = sorted(zip(words, postings, strict=True), key=lambda one: len(one[0]))
        self.blocks = blocks
        self._words = _BETWEEN.join([b"", *(word for word, _ in kept), b""])
        self._lengths = array("I", [len(word) for word, _ in kept])
        self._starts = array("I", accumulate((length + 1 for length in self._lengths), initial=1))
        self._postings = [posting for _, posting in kept]
        self._everywhere = _BETWEEN.join([b"", *(word for word, posting in kept if not posting), b""])
        width = (blocks + 7) // 8
        marks = packed.marks.translate(_REVERSED)
        self._marks = [int.from_bytes(marks[first : first + width]) for first in range(0, len(marks), width)]
        self._all = (1 << 8 * width) - 1
        self._told: dict[bytes, Collection[int]] = {}
        kept_bytes = len(self._words) + sum(map(len, postings)) + 48 * len(postings)
        self.bytes = kept_bytes + len(marks) + TOLD_MAX * blocks  # of memory, about

    def blocks_with(self, text: bytes) -> Collection[int]:
        """The numbers of the blocks that may hold a text, given as JSON writes it and in lower case."""
        told = self._told.get(text)
        if told is None:
            told = self._blocks_with(text)
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            self._told[text] = told
        return told

    def _blocks_with(self, text: bytes) -> Collection[int]:
        found, asked = None, _asked(text)
        for word, grams in asked:
            postings = self._postings_of(word)
            if postings is None:
                continue
            posted, marked = chain.from_iterable(map(decode, postings)), self._marked(grams)
            if not marked and (not postings or len(asked) == 1):  # mostly so, and sooner told by name
                return frozenset(posted)
            flags = bytearray(format(marked | self._all + 1, "b").encode()[1 : self.blocks + 1])
            for number in posted:
                flags[number] = _YES
            found = bytes(flags) if found is None else _both(found, flags)
        return range(self.blocks) if found is None else Flagged(found)

    def _postings_of(self, word: bytes) -> list[bytes] | None:
        """Those of the kept words that hold this one; None where they are of so many blocks that they tell little."""
        if word in self._everywhere:
            return None
        words, starts, inward = self._words, self._starts, word.startswith(_BETWEEN)
        found, count = [], 0
        at = words.find(word, starts[bisect_left(self._lengths, len(word.strip(_BETWEEN)))] - 1)
        while at >= 0:
            number = bisect_right(starts, at + inward) - 1
            posting = self._postings[number]
            count += len(posting) - posting.count(_SKIP)
            if EVERYWHERE * count > self.blocks:
                return None
            found.append(posting)
            at = words.find(word, starts[number + 1] - 1)
        return found

    def _marked(self, grams: Iterable[int]) -> int:
        """The blocks with all marks of some grams, as binary digits, which may be more than the blocks."""
        bits = self._all
        for gram in grams:
            bits &= self._marks[gram % len(self._marks)]
            if not bits:
                break
        return bits


@dataclass(frozen=True, slots=True)
class Flagged(Collection[int]):
    """Some of the blocks of a segment, of which most are never named: who looks has soon found enough."""

    flags: bytes  # for each block of the segment the digit 1 or 0

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)
        return self.flags[number] == _YES

    def __len__(self) -> int:
        return self.flags.count(_YES)

    def __iter__(self) -> Iterator[int]:
        number = self.flags.find(_YES)
        while number >= 0:
            yield number
            number = self.flags.find(_YES, number + 1)

    def among(self, numbers: Iterable[int]) -> Iterator[int]:
        """Those of some numbers, in their order."""
        return compress(numbers, map(self.flags.translate(_FLAGS).__getitem__, numbers))


def _both(some: bytes, others: bytes | bytearray) -> bytes:
    bits = int.from_bytes(some) & int.from_bytes(others)
    return bits.to_bytes(len(some))


def encode(numbers: Iterable[int]) -> bytes:
    """Rising numbers as the gaps between them, a byte each; a byte more for each 254 that a gap is wide."""
    coded = bytearray()
    next_one = 0
    for number in numbers:
        wide, gap = divmod(number - next_one, _SKIP)
        if wide:
            coded += bytes((_SKIP,)) * wide
        coded.append(gap)
        next_one = number + 1
    return bytes(coded)


def decode(posting: bytes) -> Iterator[int]:
    """The numbers that were encoded."""
    reached = accumulate(posting.translate(_STEPS), initial=-1)
    next(reached)
    return compress(reached, posting.translate(_ARRIVES))


def _words(bodies: Sequence[bytes]) -> set[bytes]:
    return set(_BETWEEN.join(bodies).translate(_CUT).split(_BETWEEN))


@lru_cache(maxsize=64)
def _asked(text: bytes) -> list[tuple[bytes, set[int]]]:
    """The words of a text, the longest first, each with a sign where the text parts it from others; and its grams."""
    cut = text.translate(_CUT).split(_BETWEEN)
    last = len(cut) - 1
    asked = {
        (_BETWEEN if place > 0 else b"") + word + (_BETWEEN if place < last else b""): _grams(word)
        for place, word in enumerate(cut)
        if word
    }
    return sorted(asked.items(), key=lambda one: (-len(one[0]), one[0]))


def _mark_single(where: dict[bytes, list[int]], marked: list[array[int]]) -> int:
    """Take out the words of one block only and mark their grams there; how many bytes of words went."""
    single: dict[int, list[bytes]] = {}
    for word, numbers in where.items():
        if len(numbers) == 1:
            single.setdefault(numbers[0], []).append(word)
    gone = 0
    for number, words in single.items():
        marks = set(marked[number])
        for word in words:
            marks |= _grams(word)
            gone += len(word)
            del where[word]
        if len(marks) > _SATURATED:
            marks = set(range(_SATURATED))  # all there are: a block that is looked at always
        marked[number] = array("I", sorted(marks))
    return gone


def _grams(word: bytes) -> set[int]:
    """The grams that are marked and asked for, the same of a word wherever it stands.

    All that hold more than hexadecimal digits, and of the others those that begin with a rising pair, nearly every
    second one: most of what is random is made of these, and of a long id each gram tells little that the next does not.
    """
    # Read as whole numbers of four bytes, of which three count.
    more = word + b"\n"
    kinds = more.translate(_HEXADECIMAL)
    chosen: set[int] = set()
    for start in range(min(4, len(word) - 2)):
        form = f"<{(len(more) - start) // 4}I"
        chosen.update(
            four & _GRAM
            for four, kind in zip(
                struct.unpack_from(form, more, start), struct.unpack_from(form, kinds, start), strict=True
            )
            if four & 0xFF < four >> 8 & 0xFF or kind & _GRAM
        )
    return chosen


def _marks(marked: Sequence[array[int]]) -> bytes:
    """For each kind of mark, which is a remainder of the gram, the blocks that have it as bits."""
    marks_of_one = sum(map(len, marked)) / len(marked)
    wanted = marks_of_one * _KINDS_PER_MARK * (2 if len(marked) <= _SMALL else 1)
    kinds = min(max(int(wanted) | 1, _KINDS_MIN), _KINDS_MAX)
    width = (len(marked) + 7) // 8
    bits = bytearray(kinds * width)
    for number, grams in enumerate(marked):
        byte, bit = number >> 3, 1 << (number & 7)
        for gram in grams:
            bits[gram % kinds * width + byte] |= bit
    return bytes(bits)
