"""Calls take turns: what is decided is decided on all that came before, written once, and durable before it is answered.

Asked of both databases.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from ledger.authority.turns import Closed, Now, Turns, Unavailable, Written
from ledger.entry import NATIVE, Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import format_time, read_record
from tests.ledger.told import ACCOUNT, NOON, call, create_user

QUOTA = 5
FILE = Origin("other.json.gz", "ab" * 32)


class NoSecrets:
    """For calls that leave none."""

    def apply(self, connection: sa.Connection, account_id: str, secrets: Any) -> None:
        raise AssertionError(f"{secrets} were not asked for")


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    engine = open_engine(database_url, create=True)
    yield Log(engine)
    engine.dispose()


@pytest.fixture
def turns(log: Log) -> Iterator[Turns]:
    made = Turns(log, NoSecrets())
    yield made
    made.close()


def creates(name: str) -> Any:
    """Create a user, unless there are as many as the quota allows."""

    def decide(now: Now) -> Written:
        if len([user for user in now.account.users.values() if user.name != "admin"]) >= QUOTA:
            raise ValueError("the quota")
        document = create_user(name, at=now.time, event_id=now.event_id())
        return Written(Draft.of(read_record(document), NATIVE), now.position)

    return decide


def reads(now: Now) -> Written:
    document = call("ListUsers", {}, at=now.time, event_id=now.event_id())
    return Written(Draft.of(read_record(document), NATIVE), now.position)


def broken(now: Now) -> Written:
    record = read_record(call("ListUsers", {}, at=now.time, event_id=now.event_id()))
    return Written(Draft.of(record, NATIVE, b"no authorization"), now.position)


def test_each_call_gets_the_next_position_and_is_there_when_it_is_answered(turns: Turns, log: Log) -> None:
    with ThreadPoolExecutor(16) as callers:
        positions = list(callers.map(lambda _: turns.call(ACCOUNT, reads), range(200)))
    assert sorted(positions) == list(range(200))
    assert log.size(ACCOUNT) == 200


def test_waiting_calls_are_written_in_one_transaction(turns: Turns, log: Log) -> None:
    inserts = []
    sa.event.listen(
        log.engine, "commit", lambda connection: inserts.append(connection.get_execution_options())
    )
    begun, go = threading.Event(), threading.Event()

    def slow(now: Now) -> Written:
        begun.set()
        assert go.wait(10)
        return reads(now)

    with ThreadPoolExecutor(65) as callers:
        first = callers.submit(turns.call, ACCOUNT, slow)
        assert begun.wait(10)
        rest = [callers.submit(turns.call, ACCOUNT, reads) for _ in range(64)]
        while turns._queue.qsize() < 64:
            pass
        before = len(inserts)
        go.set()
        assert sorted(one.result() for one in [first, *rest]) == list(range(65))
    written = [it for it in inserts[before:] if it.get("writes")]
    assert len(written) == 2


def test_a_quota_holds_however_many_ask_at_once(log: Log) -> None:
    """Two authorities on one database, as two processes would be."""
    both = [Turns(Log(log.engine), NoSecrets()) for _ in range(2)]
    refused = []

    def create(number: int) -> None:
        try:
            both[number % 2].call(ACCOUNT, creates(f"user{number}"))
        except ValueError:
            refused.append(number)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(create, range(40)))
    for turns in both:
        turns.close()
    assert log.size(ACCOUNT) == QUOTA
    assert len(refused) == 40 - QUOTA


def test_what_can_not_be_written_has_not_happened(turns: Turns, log: Log) -> None:
    turns.call(ACCOUNT, creates("before"))
    with pytest.raises(Unavailable):
        turns.call(ACCOUNT, broken)
    names: list[str] = []

    def looks(now: Now) -> Written:
        names.extend(user.name for user in now.account.users.values())
        return reads(now)

    assert turns.call(ACCOUNT, looks) == 1
    assert sorted(names) == ["admin", "before"]
    assert log.size(ACCOUNT) == 2


def test_who_is_refused_leaves_nothing_and_stops_nobody(turns: Turns, log: Log) -> None:
    def refuses(now: Now) -> Written:
        raise LookupError("nobody")

    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(turns.call, ACCOUNT, refuses if n % 2 else reads) for n in range(20)]
    assert sum(1 for one in asked if isinstance(one.exception(), LookupError)) == 10
    assert log.size(ACCOUNT) == 10


def test_a_clock_that_is_set_back_does_not_put_later_calls_before_earlier_ones(log: Log) -> None:
    clock = [float(NOON + 100)]
    turns = Turns(log, NoSecrets(), clock=lambda: clock[0])
    turns.call(ACCOUNT, reads)
    clock[0] = float(NOON)
    turns.call(ACCOUNT, reads)
    turns.close()
    again = Turns(log, NoSecrets(), clock=lambda: clock[0])
    again.call(ACCOUNT, reads)
    again.close()
    told = [entry.document for entry in log.read(ACCOUNT)]
    assert [one["eventName"] for one in told] == ["ListUsers", *["ClockSetBack", "ListUsers"] * 2]
    assert [one["eventTime"] for one in told] == [format_time(NOON + 100)] * 5
    assert [one["eventID"] for one in told] == sorted(one["eventID"] for one in told)


def test_a_call_counts_though_something_was_imported_that_happened_later(log: Log) -> None:
    """As where the clock of another machine is ahead of this one's."""
    turns = Turns(log, NoSecrets(), clock=lambda: float(NOON))
    turns.call(ACCOUNT, creates("first"))
    log.append([Draft.of(read_record(create_user("ahead", at=NOON + 9, event_id=str(uuid4()))), FILE)])
    seen: list[str] = []

    def looks(now: Now) -> Written:
        seen[:] = sorted(user.name for user in now.account.users.values() if user.name != "admin")
        return reads(now)

    assert turns.call(ACCOUNT, creates("second")) == 2
    assert turns.call(ACCOUNT, looks) == 3
    turns.close()
    assert seen == ["ahead", "first", "second"]


def test_after_an_import_times_and_ids_still_go_on_from_the_latest_call(log: Log) -> None:
    clock = [float(NOON + 100)]
    turns = Turns(log, NoSecrets(), clock=lambda: clock[0])
    turns.call(ACCOUNT, reads)
    turns.close()
    log.append([Draft.of(read_record(create_user("ahead", at=NOON - 9, event_id=str(uuid4()))), FILE)])
    clock[0] = float(NOON + 99)
    turns = Turns(log, NoSecrets(), clock=lambda: clock[0])
    turns.call(ACCOUNT, reads)
    turns.close()
    native = [entry.document for entry in log.read(ACCOUNT) if entry.origin.native]
    assert [one["eventTime"] for one in native] == [format_time(NOON + 100)] * 2
    assert native[0]["eventID"] < native[1]["eventID"]


def test_who_is_closing_takes_no_more_calls(log: Log) -> None:
    turns = Turns(log, NoSecrets())
    turns.close()
    with pytest.raises(Closed):
        turns.call(ACCOUNT, reads)
