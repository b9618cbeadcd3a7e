"""Questions by text: whatever is asked, whichever way is taken, and however the log grew, the plain reading agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from ledger.entry import Draft, Entry, Origin
from ledger.log import Log, open_engine, reading
from ledger.record import format_time, read_record
from projections import activity, text_blocks, text_pages, texts
from projections.activity import Activity, Question, cursor_of
from tests.oracles import plain_questions

ACCOUNTS = ("111111111111", "222222222222")
START = 1_700_000_000
PEOPLE = ("alice", "bob", "carol")
NAMES = ("svc-datasync", "Größe", "corp_data.v2", "prod/db/Main", "naïve café", "a", "日本-bucket")
POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::%s/*"}]}'
)


def record(chance: random.Random, number: int) -> dict[str, Any]:
    account = chance.choice(ACCOUNTS)
    person = chance.choice(PEOPLE)
    name = f"{chance.choice(NAMES)}-{chance.randint(1, 60):03d}"
    request: dict[str, Any] = {"bucketName": name, "maxItems": chance.randint(1, 100_000)}
    if chance.random() < 0.2:
        request["policyDocument"] = POLICY % name
    if chance.random() < 0.5:
        request["clientToken"] = f"{chance.getrandbits(96):024x}"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{person.upper()}",
            "arn": f"arn:aws:iam::{account}:user/{person}",
            "accountId": account,
            "userName": person,
        },
        "eventTime": format_time(START + number * 3 // 4 + chance.randint(-400, 400)),
        "eventSource": "s3.amazonaws.com",
        "eventName": chance.choice(("GetObject", "PutObject")),
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.15",
        "errorMessage": f"User: {person} is not\tauthorized, see \\{name}\\" if chance.random() < 0.1 else "",
        "requestParameters": request,
        "responseElements": {"x-amz-version-id": f"{chance.getrandbits(64):x}"} if number % 3 else None,
        "eventID": f"{number:08x}-0000-4000-8000-000000000000",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": account,
    }


def append(log: Log, chance: random.Random, numbers: range) -> None:
    origin = Origin("some.json", "0" * 64)
    log.append([Draft.of(read_record(record(chance, number)), origin) for number in numbers])


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    log = Log(open_engine(database_url, create=True))
    append(log, random.Random(5), range(1_500))
    yield log
    log.engine.dispose()


def everything(log: Log) -> list[Entry]:
    return [entry for account in log.account_ids() for entry in log.read(account)]


def any_text(chance: random.Random, entries: list[Entry]) -> str:
    """Words that are frequent, rare, nowhere; whole, cut anywhere, and more than one of them."""
    request = chance.choice(entries).document["requestParameters"]
    value = str(chance.choice([*request.values(), *request]))
    start = chance.randrange(len(value))
    match chance.randrange(6):
        case 0:
            return value
        case 1:
            return value[start:]
        case 2:
            return value[: start + 1]
        case 3:
            return chance.choice((value.upper(), value.lower()))
        case 4:
            return chance.choice(
                (
                    "nowhere",
                    "zq",
                    ":",
                    '"',
                    "\\",
                    '":"',
                    "e",
                    "not\tauthorized",
                    "see \\",
                    "GRÖSSE",
                    "größe",
                    " ",
                )
            )
        case _:
            return value[start : start + chance.randint(1, 30)]


def any_question(chance: random.Random, entries: list[Entry]) -> Question:
    choices: dict[str, list[Any]] = {
        "account": [*ACCOUNTS, "333333333333"],
        "principal": ["alice", "nobody"],
        "action": ["s3:Get*"],
        "outcome": ["succeeded"],
        "since": [START + 300, START + 1_000],
        "until": [START + 500, START + 1_100],
    }
    asked = {name: chance.choice(values) for name, values in choices.items() if chance.random() < 0.2}
    return Question(
        **asked,
        text=any_text(chance, entries),
        order=chance.choice(("newest", "newest", "oldest")),
        limit=chance.choice((3, 20, 100)),
    )


def check(log: Log, answers: Activity, chance: random.Random, count: int) -> int:
    """Ask at random, page after page; how many questions were about something."""
    entries, answered = everything(log), 0
    for _ in range(count):
        question = any_question(chance, entries)
        expected = [cursor_of(entry) for entry in plain_questions.answer(entries, question)]
        if len(expected) > 150:
            question = replace(question, limit=200)
        found, asked = [], question
        while True:
            page = answers.page(asked)
            found += [cursor_of(entry) for entry in page.entries]
            if page.next is None:
                break
            asked = replace(asked, after=page.next)
        assert found == expected, question
        answered += bool(expected)
    return answered


WAYS = {
    "as it is": {},
    "step by step": {"BLOCKS_MIN": 1},
    "by the other filters": {"PLACES_MAX": -1, "STEP_MIN": 40},
    "nothing known": {"UNREAD_MAX": -1, "STEP_MIN": 100},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_plain_reading_agrees(log: Log, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 7)
    for name, value in WAYS[way].items():
        monkeypatch.setattr(text_pages, name, value)
    assert check(log, Activity(log), random.Random(way), 50) > 25


@pytest.mark.parametrize(("bytes_max", "at_once"), [(0, 256), (30_000, 256), (2**26, 0), (2**26, 50)])
def test_the_plain_reading_agrees_whatever_is_remembered(
    log: Log, monkeypatch: pytest.MonkeyPatch, bytes_max: int, at_once: int
) -> None:
    monkeypatch.setattr(text_blocks, "READ_BYTES_MAX", bytes_max)
    monkeypatch.setattr(text_blocks, "AT_ONCE_MAX", at_once)
    assert check(log, Activity(log), random.Random(bytes_max + at_once), 30) > 15


def test_what_is_remembered_is_not_read_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the end of the log, which fills no block."""
    answers = Activity(log)
    first = answers.page(Question(text="maxItems", limit=3))
    read: list[object] = []
    monkeypatch.setattr(log, "bodies", lambda *told: read.append(told))
    assert answers.page(Question(text="maxItems", limit=3)) == first
    assert not read


def test_many_threads_ask_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blocks, "READ_BYTES_MAX", 100_000)
    answers = Activity(log)
    answers.page(Question(text="x"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: check(log, answers, random.Random(seed), 6), range(8)))


def test_the_plain_reading_agrees_while_the_log_grows(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late entries, tails of no segment, small segments that become large ones, and others' memories of them."""
    monkeypatch.setattr(texts, "SIZES", (512, 128, 32))
    monkeypatch.setattr(activity, "TEXTS", replace(texts.TEXTS, grain=32, span_max=512))
    chance = random.Random(6)
    answers = Activity(log)
    reached = 1_500
    for more in (1, 30, 100, 400, 700):
        append(log, chance, range(reached, reached + more))
        reached += more
        check(log, answers, chance, 12)


def rows(log: Log) -> list[tuple[Any, ...]]:
    with log.engine.connect() as connection:
        order = (texts.segments.c.account, texts.segments.c.start)
        return [tuple(row) for row in connection.execute(sa.select(texts.segments).order_by(*order))]


def test_the_rows_follow_from_the_log_however_it_grew(log: Log) -> None:
    answers, chance = Activity(log), random.Random(7)
    answers.page(Question(text="x"))
    for start in range(1_500, 2_400, 90):
        append(log, chance, range(start, start + 90))
        answers.page(Question(text="x"))
    grown = rows(log)
    assert sum(row[2] for row in grown) > 2_300 - 2 * 64
    told: list[tuple[int, int]] = []
    answers.runner.rebuild(progress=lambda done, whole: told.append((done, whole)))
    assert rows(log) == grown
    assert told[-1][0] == told[-1][1] == sum(row[2] for row in grown)


def test_one_question_takes_in_so_much_and_no_more(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "SIZES", (128, 32))
    monkeypatch.setattr(activity, "TEXTS", replace(texts.TEXTS, grain=32, span_max=128))
    monkeypatch.setattr(activity, "SPANS_MAX", 1)
    monkeypatch.setattr(text_pages, "UNREAD_MAX", 40)
    answers, chance = Activity(log), random.Random(8)
    entries = everything(log)
    for laid_out in range(128, 5 * 128, 128):
        asked = replace(any_question(chance, entries), account=None, principal=None, limit=2_000)
        expected = [cursor_of(entry) for entry in plain_questions.answer(entries, asked)]
        assert [cursor_of(entry) for entry in answers.page(asked).entries] == expected
        assert sum(row[2] for row in rows(log)) == laid_out
    shown: list[int] = []
    Activity(log, progress=lambda done, whole: shown.append(whole - done)).page(Question(text="x"))
    assert shown[-1] == 0
    assert sum(row[2] for row in rows(log)) > 1_500 - 2 * 32


def test_a_question_without_text_lays_nothing_out(log: Log) -> None:
    Activity(log).page(Question())
    with log.engine.connect() as connection:
        assert not sa.inspect(connection).has_table("text_segments")
