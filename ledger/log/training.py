"""The dictionaries that bodies are compressed with: each trained once on early records, and kept as long as the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
import zstandard

from ledger.log.bodies import AUTHORIZED, LEVEL, Coding, Compression, prefix_bytes
from ledger.log.schema import entries

DICTIONARY_BYTES: Final = 112_640
SAMPLES_MAX: Final = 10_000  # more make it no better
PIECE_BYTES: Final = 8  # as many as a number of 64 bits has
SHARED_MIN: Final = 4  # records, or a piece of text is left out


def train_dictionary(samples: Sequence[bytes]) -> bytes | None:
    """A zstd dictionary for bodies like these, or None where they are too few or too alike to train on.

    It outlives them, for others are compressed with it. So it keeps nothing that only a few of them say, which would be
    there still when they are erased, and is of no use to the others.
    """
    samples = samples[:: len(samples) // SAMPLES_MAX + 1]
    try:
        trained = zstandard.train_dictionary(DICTIONARY_BYTES, list(samples), level=LEVEL).as_bytes()
    except zstandard.ZstdError:
        return None
    return _without_rare_pieces(trained, samples)


def decided_samples(connection: sa.Connection, compression: Compression, count: int) -> list[bytes]:
    """What was compressed of the latest entries that a decision is stored with, no more than so many."""
    e = entries.c
    query = (
        sa.select(e.coding, e.body)
        .where(e.coding >= sa.literal_column(str(AUTHORIZED)))
        .order_by(e.account.desc(), e.position.desc())
        .limit(count)
    )
    samples = []
    for number, body in connection.execute(query):
        if body:  # an erased record has none
            coding = Coding.of(number)
            samples.append(compression.decompress(coding.dictionary, body, prefix_bytes(coding.layout)))
    return samples


def _without_rare_pieces(trained: bytes, samples: Sequence[bytes]) -> bytes:
    """The dictionary, in which blanks stand for what fewer than SHARED_MIN of the samples have.

    Its tables, which no sample has, and the seams between the pieces that it was put together from stay as they are.
    """
    pieces = _pieces(trained)
    counts = dict.fromkeys(pieces, 0)
    undecided = set(counts)
    for sample in samples:
        for piece in undecided.intersection(_pieces(sample)):
            counts[piece] += 1
            if counts[piece] == SHARED_MIN:
                undecided.remove(piece)
    rare, shared = bytearray(len(trained)), bytearray(len(trained))
    for at, piece in enumerate(pieces):
        if count := counts[piece]:
            marked = shared if count >= SHARED_MIN else rare
            marked[at : at + PIECE_BYTES] = b"\1" * PIECE_BYTES
    return bytes(
        ord(" ") if few and not many else byte for byte, few, many in zip(trained, rare, shared, strict=True)
    )


def _pieces(text: bytes) -> list[int]:
    """Each run of PIECE_BYTES in a text, wherever it begins, as a number: cut out as bytes it takes twice as long, while calls
    wait.
    """
    view, found = memoryview(text), [0] * max(0, len(text) - PIECE_BYTES + 1)
    for first in range(min(PIECE_BYTES, len(found))):
        stop = len(text) - (len(text) - first) % PIECE_BYTES
        found[first::PIECE_BYTES] = view[first:stop].cast("Q").tolist()
    return found
