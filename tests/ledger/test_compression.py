"""How bodies are compressed: whatever their size and content, they come back, and so do those of whole zstd frames."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.log.bodies import LEVEL, OF_DECIDED, OF_RECORDS, PARAMETERS, Coding, Compression
from ledger.log.schema import entries
from ledger.log.store import TRAINING_RECORDS_MIN
from ledger.log.training import DICTIONARY_BYTES, train_dictionary
from ledger.record import canonical
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


@given(st.lists(st.tuples(st.binary(max_size=9_000), st.sampled_from([b"", b"8 or 16 bytes"]))))
def test_many_come_back_together(told: list[tuple[bytes, bytes]]) -> None:
    compression, earlier = Compression(), zstandard.ZstdCompressor(compression_params=PARAMETERS)
    bodies = [
        (prefix + (compression.compress(raw) if number % 2 else earlier.compress(raw)), len(prefix))
        for number, (raw, prefix) in enumerate(told)
    ]
    assert compression.decompress_all(0, bodies) == [raw for raw, _ in told]


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
    assert all(compression.decompress(1, compression.compress(one, 1)) == one for one in samples)


def test_what_was_kept_as_a_whole_frame_is_read(trained: Compression) -> None:
    compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS)
    for size in (0, 10, 300, 9_000):
        raw = (b"written by an earlier version " * 400)[:size]
        assert trained.decompress(0, compressor.compress(raw)) == raw


def test_the_head_of_a_frame_is_not_kept(trained: Compression) -> None:
    raw = body(random.Random(2))
    assert trained.decompress(1, trained.compress(raw, 1)) == raw
    assert len(trained.compress(raw, 1)) == len(trained._compressors[1](raw)) - 3
    longer = raw[:-1] + b',"more":"' + raw.hex().encode() * 3 + b'"}'
    assert trained.decompress(1, trained.compress(longer, 1)) == longer
    assert len(trained.compress(longer, 1)) == len(trained._compressors[1](longer)) - 4


def test_a_spoilt_head_is_noticed(trained: Compression) -> None:
    packed = trained.compress(body(random.Random(3)), 1)
    with pytest.raises(zstandard.ZstdError):
        trained.decompress(1, bytes((packed[0], packed[1] ^ 4)) + packed[2:])


def test_many_threads_share_it(trained: Compression) -> None:
    chance = random.Random(5)
    raws = [body(chance) for _ in range(2_000)]

    def there_and_back(_: int) -> list[bytes]:
        return [trained.decompress(1, trained.compress(raw, 1)) for raw in raws]

    with ThreadPoolExecutor(4) as threads:
        assert all(found == raws for found in threads.map(there_and_back, range(8)))


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


def test_records_with_decisions_get_a_dictionary_of_their_own(database_url: str) -> None:
    engine = open_engine(database_url, create=True)
    log, other = Log(engine), Log(engine)
    told = [decided(number) for number in range(TRAINING_RECORDS_MIN)]
    for start in range(0, len(told), 500):
        log.train_on_decided()
        assert log.dictionaries() == {}
        write(log, told[start : start + 500])
    log.train_on_decided()
    assert [*log.dictionaries()] == [OF_DECIDED]
    write(other, told[:1])  # by who has not heard of it
    write(log, told[:1])
    assert len([*other.read(ACCOUNT)]) == 2_002
    write(other, told[:1])
    log.append([draft()])
    other.append(drafts(TRAINING_RECORDS_MIN))
    assert log.dictionaries().keys() == {OF_RECORDS, OF_DECIDED}
    with engine.connect() as connection:
        rows = connection.execute(sa.select(entries.c.coding, entries.c.body).order_by(entries.c.position))
        by = [(Coding.of(coding).dictionary, len(body)) for coding, body in rows]
    assert [number for number, _ in by[1_999:2_004]] == [0, 0, OF_DECIDED, OF_DECIDED, 0]
    assert {number for number, _ in by[2_004:]} == {OF_RECORDS}
    assert by[2_001][1] < by[2_000][1] / 3
    read = [entry.authorization for entry in log.read(ACCOUNT)]
    assert read[:2_003] == [one.authorization for one in (*told, *told[:1] * 3)]
    assert all(entry.intact() for entry in Log(engine).read(ACCOUNT))
    engine.dispose()


def decided(number: int) -> Draft:
    """A record with a decision as long as most are, of which little is its own."""
    user = f"arn:aws:iam::{ACCOUNT}:user/user-{number % 90}"
    authorization = canonical(
        {"resource": user, "positions": {ACCOUNT: number}, "why": body(random.Random(7)).decode() * 5}
    )
    return draft(
        NATIVE, authorization, eventID=str(uuid4()), requestParameters={"userName": f"user-{number}"}
    )


def write(log: Log, told: list[Draft]) -> None:
    with log.turn(ACCOUNT) as turn:
        turn.append(told)
