"""How bodies are compressed: whatever their size and content, they come back, and so do those of whole zstd frames."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ledger.log import Log, open_engine
from ledger.log.bodies import LEVEL, PARAMETERS, Compression
from ledger.log.store import TRAINING_RECORDS_MIN
from ledger.log.training import DICTIONARY_BYTES, train_dictionary
from tests.ledger.test_every_log import ACCOUNT, draft, drafts


def body(chance: random.Random) -> bytes:
    token = f"{chance.getrandbits(128):032x}"
    name = f"bucket-{chance.randint(1, 99)}"
    return orjson.dumps({"requestParameters": {"bucketName": name, "token": token}, "responseElements": None})


@pytest.fixture(scope="module")
def trained() -> Compression:
    chance = random.Random(1)
    content = train_dictionary([body(chance) for _ in range(20_000)])
    assert content is not None
    return Compression({1: content})


@given(st.binary(max_size=600) | st.binary(min_size=1, max_size=9).map(lambda part: part * 1_200))
def test_anything_comes_back(raw: bytes) -> None:
    compression = Compression()
    assert compression.decompress(0, compression.compress(raw)) == raw


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 8_191, 8_192, 8_193, 131_072, 400_000])
def test_a_body_of_any_size_comes_back(size: int) -> None:
    compression, chance = Compression(), random.Random(size)
    for raw in (b"a" * size, chance.randbytes(size), (b"abc%d" % size * size)[:size]):
        assert compression.decompress(0, compression.compress(raw)) == raw


def test_a_dictionary_keeps_nothing_that_only_three_records_say() -> None:
    chance = random.Random(4)
    said = [orjson.dumps({"userName": "zqCanary77Xk", "path": "/staff/zqCanary77Xk/"}) for _ in range(3)]
    samples = said + [orjson.dumps({"userName": f"user-{number}"}) + body(chance) for number in range(3_000)]
    whole = zstandard.train_dictionary(DICTIONARY_BYTES, [*samples], level=LEVEL).as_bytes()
    content = train_dictionary(samples)
    assert content is not None
    assert (b"zqCanary" in whole, b"zqCanary" in content) == (True, False)
    assert all(piece in content for piece in (b"requestParameters", b"bucketName", b"responseElements"))
    compression = Compression({1: content})
    assert all(compression.decompress(1, compression.compress(one)) == one for one in samples)


def test_what_was_kept_as_a_whole_frame_is_read(trained: Compression) -> None:
    compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS)
    for size in (0, 10, 300, 9_000):
        raw = (b"written by an earlier version " * 400)[:size]
        assert trained.decompress(0, compressor.compress(raw)) == raw


def test_the_head_of_a_frame_is_not_kept(trained: Compression) -> None:
    raw = body(random.Random(2))
    assert trained.decompress(1, trained.compress(raw)) == raw
    assert len(trained.compress(raw)) == len(trained._compress(raw)) - 3
    longer = raw[:-1] + b',"more":"' + raw.hex().encode() * 3 + b'"}'
    assert trained.decompress(1, trained.compress(longer)) == longer
    assert len(trained.compress(longer)) == len(trained._compress(longer)) - 4


def test_a_spoilt_head_is_noticed(trained: Compression) -> None:
    packed = trained.compress(body(random.Random(3)))
    with pytest.raises(zstandard.ZstdError):
        trained.decompress(1, bytes((packed[0], packed[1] ^ 4)) + packed[2:])


def test_of_two_who_train_at_once_one_does_and_both_go_by_it(database_url: str) -> None:
    engines = [open_engine(database_url, create=True) for _ in range(2)]
    logs = [Log(engine) for engine in engines]
    told = drafts(TRAINING_RECORDS_MIN)
    together = Barrier(2)

    def train(log: Log) -> dict[int, bytes]:
        together.wait()
        log.train(told)
        return log.dictionaries()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(train, logs)
    assert [*first] == [1]
    assert first == second
    for log in logs:
        log.append([draft()])
    assert len([*logs[0].read(ACCOUNT)]) == 2
    for engine in engines:
        engine.dispose()
