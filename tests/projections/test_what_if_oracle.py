"""What-if beside its plain twin, on random small histories: the same calls, with the same outcome."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import orjson
import pytest

from ledger.entry import Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import read_record
from projections.investigation import Investigation
from tests.oracles.plain_what_if import plain_what_if
from tests.oracles.random_histories import Document, RandomHistory

SEEDS = range(int(os.environ.get("IAM_LEDGER_TEST_HISTORIES", "12")))


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator["Shelf"]:
    yield Shelf(tmp_path)


class Shelf:
    """New ledgers, as many as are wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def __call__(self) -> Log:
        return Log(open_engine(str(self._folder / f"{next(self._numbers)}.sqlite"), create=True))

    def file(self, records: list[Document]) -> Path:
        path = self._folder / f"added-{next(self._numbers)}.json"
        path.write_bytes(orjson.dumps({"Records": records}))
        return path


def told(log: Log, without: list[str], file: Path | None) -> dict[str, str]:
    answer = Investigation(log).what_if(without, file)
    kinds = {"denied": "lost", "allowed": "allowed"}
    return {one["entry"]["eventID"]: kinds.get(one["why"], "impossible") for one in answer["calls"]}


def ledger_of(ledgers: Shelf, records: list[Document]) -> Log:
    log = ledgers()
    log.append([Draft.of(read_record(one), Origin("records.json")) for one in records])
    return log


@pytest.mark.parametrize("seed", SEEDS)
def test_without_some_events_the_same_calls_have_another_outcome(ledgers: Shelf, seed: int) -> None:
    history = RandomHistory(seed)
    without = history.random.sample(history.changes(), history.random.randint(1, 2))
    log = ledger_of(ledgers, history.records)
    idle = [
        name for name in without if not Investigation(log).event(name)["changed"] and not opens(history, name)
    ]
    without = [name for name in without if name not in idle] or history.changes()[:1]
    assert told(log, without, None) == plain_what_if(ledgers, history.records, without, [])


@pytest.mark.parametrize("seed", SEEDS)
def test_with_records_put_in_the_same_calls_have_another_outcome(ledgers: Shelf, seed: int) -> None:
    history = RandomHistory(seed + 1_000)
    added = history.clean_up()
    log = ledger_of(ledgers, history.records)
    assert told(log, [], ledgers.file(added)) == plain_what_if(ledgers, history.records, [], added)


def test_the_histories_hold_all_outcomes(ledgers: Shelf) -> None:
    """Else the twins would agree on nothing."""
    found: set[str] = set()
    for seed in SEEDS:
        history = RandomHistory(seed)
        log = ledger_of(ledgers, history.records)
        found |= set(told(log, history.changes()[:1], None).values())
        added = ledgers.file(history.clean_up())
        found |= set(told(log, [], added).values())
    assert found >= {"lost", "impossible"}


def opens(history: RandomHistory, name: str) -> bool:
    return any(one["eventID"] == name and one["eventName"] == "AssumeRole" for one in history.records)
