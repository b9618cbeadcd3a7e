"""The account at any time: whatever comes late and in whatever order, it is as if all had come in order."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from api.demo.incident import Incident
from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.fold import fold
from ledger.entry import Draft, Entry, Origin
from ledger.iam import FOLDED_ACTIONS
from ledger.intake.importer import import_paths
from ledger.intake.snapshots import snapshot_record
from ledger.log import Log, open_engine
from ledger.record import Record, parse_time, read_record
from projections.activity import Activity, Question
from projections.export import export
from projections.history import History, entities, versions
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS, sessions

ORIGIN = Origin("some.json", "0" * 64)
Rows = dict[tuple[str, str, str, int], list[Any]]


@pytest.fixture(scope="module")
def incident_records(incident: Incident) -> list[Record]:
    """What concerns the account, and every tenth of the rest; the snapshot too."""
    found = []
    for path in sorted(incident.logs.rglob("*.json.gz")):
        found += [read_record(one) for one in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]]
    unique = {record.event_id: record for record in found}
    kept = [
        record
        for number, record in enumerate(unique.values())
        if record.action in FOLDED_ACTIONS or record.service == "sts" or number % 10 == 0
    ]
    details = orjson.loads(incident.snapshot.read_bytes())
    kept.append(read_record(snapshot_record(details, incident.snapshot_at, incident.main_account)))
    return kept


@pytest.fixture(scope="module")
def invictus_records(real_logs: Path) -> list[Record]:
    folder = real_logs / "invictus-ir_aws_dataset" / "CloudTrail"
    found: list[Record] = []
    for path in sorted(folder.glob("*.json.gz")):
        found += [read_record(one) for one in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]]
    return found


@pytest.fixture
def new_ledger(tmp_path: Path) -> Iterator[Callable[[], Log]]:
    made: list[Log] = []

    def make() -> Log:
        made.append(Log(open_engine(str(tmp_path / f"{len(made)}.sqlite"), create=True)))
        return made[-1]

    yield make
    for log in made:
        log.engine.dispose()


def take_in(log: Log, batches: list[list[Record]]) -> None:
    """Each batch is appended and taken in by the projections before the next comes."""
    runner = Runner(log, [HISTORY, SESSIONS])
    for batch in batches:
        log.append([Draft.of(record, ORIGIN) for record in batch])
        runner.catch_up()


def rows(log: Log) -> Rows:
    """Every version, with event ids in the place of positions: those depend on the order of the import."""
    events = {
        (entry.account_id, entry.position): entry.record.event_id
        for account in log.account_ids()
        for entry in log.read(account)
    }
    found: Rows = {}
    for account_id in log.account_ids():
        with log.engine.connect() as connection:
            query = (
                sa.select(versions, entities.c.kind, entities.c.unique_id)
                .join(entities, entities.c.id == versions.c.entity)
                .join(
                    sa.table("accounts", sa.column("id"), sa.column("account_id")),
                    sa.text("accounts.id = history_entities.account"),
                )
                .where(sa.text("accounts.account_id = :account_id"))
                .order_by(versions.c.entity, versions.c.since, versions.c.step)
            )
            for row in connection.execute(query, {"account_id": account_id}):
                document = None if row.document is None else orjson.loads(row.document)
                told = (events[account_id, row.position], by_event(document, account_id, events))
                found.setdefault((account_id, row.kind, row.unique_id, row.since), []).append(told)
    return found


def by_event(value: Any, account_id: str, events: dict[tuple[str, int], str]) -> Any:
    if isinstance(value, dict):
        return {
            name: events[account_id, part]
            if name.endswith(("MadeBy", "CreatedBy", "DeletedBy")) and isinstance(part, int)
            else by_event(part, account_id, events)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [by_event(part, account_id, events) for part in value]
    return value


def shuffled(records: list[Record], seed: int) -> list[list[Record]]:
    chance = random.Random(seed)
    records = records[:]
    chance.shuffle(records)
    cuts = sorted(chance.sample(range(1, len(records)), 5))
    return [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("source", ["incident_records", "invictus_records"])
def test_late_records_give_what_records_in_order_give(
    source: str, seed: int, request: pytest.FixtureRequest, new_ledger: Callable[[], Log]
) -> None:
    records: list[Record] = request.getfixturevalue(source)
    in_order, late = new_ledger(), new_ledger()
    take_in(in_order, [sorted(records, key=lambda record: (record.time, record.event_id))])
    take_in(late, shuffled(records, seed))
    expected = rows(in_order)
    assert len(expected) > 50
    assert rows(late) == expected


def test_both_databases_hold_the_same_versions(
    invictus_records: list[Record], postgres_url: str, new_ledger: Callable[[], Log]
) -> None:
    sqlite, postgres = new_ledger(), Log(open_engine(postgres_url, create=True))
    take_in(sqlite, [invictus_records])
    take_in(postgres, shuffled(invictus_records, 1))
    assert rows(postgres) == rows(sqlite)
    at = invictus_records[len(invictus_records) // 2].time
    account = sqlite.account_ids()[0]
    assert without_positions(History(postgres).state_bytes(account, at)) == without_positions(
        History(sqlite).state_bytes(account, at)
    )
    postgres.engine.dispose()


def test_a_rebuild_gives_the_same_rows(invictus_records: list[Record], new_ledger: Callable[[], Log]) -> None:
    log = new_ledger()
    take_in(log, shuffled(invictus_records, 2))
    before = dump(log)
    Runner(log, [HISTORY, SESSIONS]).rebuild()
    assert dump(log) == before
    assert len(before) > 50


def dump(log: Log) -> list[tuple[Any, ...]]:
    """All rows of the projections, without the numbers that a database gives."""
    with log.engine.connect() as connection:
        query = (
            sa.select(
                entities.c.kind,
                entities.c.unique_id,
                versions.c.since,
                versions.c.step,
                versions.c.position,
                versions.c.name,
                versions.c.document,
            )
            .join(entities, entities.c.id == versions.c.entity)
            .order_by(entities.c.kind, entities.c.unique_id, versions.c.since, versions.c.step)
        )
        of_history = [tuple(row) for row in connection.execute(query)]
        of_sessions = [
            tuple(row) for row in connection.execute(sa.select(sessions).order_by(sessions.c.access_key))
        ]
    return of_history + of_sessions


def test_the_state_at_a_time_is_the_fold_up_to_then(
    incident: Incident, incident_records: list[Record], new_ledger: Callable[[], Log]
) -> None:
    """The plain way beside it: fold everything up to the time from nothing, and look."""
    log = new_ledger()
    take_in(log, [incident_records])
    account_id = incident.main_account
    everything = list(log.read(account_id))
    for moment in ("00:00:00", "13:26:47", "13:26:48", "14:04:20", "15:30:00", "23:59:59"):
        at = parse_time(f"{incident.snapshot_at[:10]}T{moment}Z")
        account = Account.empty(account_id)
        for step in fold(account, plain_events(everything, at)):
            account = step.account
        told = account.to_document()
        state = orjson.loads(History(log).state_bytes(account_id, at))
        for kept in ("users", "groups", "roles", "policies", "instanceProfiles", "mfaDevices"):
            assert in_order_of_ids(state[kept]) == in_order_of_ids(told[kept]), (moment, kept)


def plain_events(everything: list[Entry], at: int) -> Iterator[Change | Sighting]:
    """Every entry is a change and a sighting."""
    for entry in sorted(everything, key=lambda entry: (entry.time, entry.position)):
        if entry.time <= at:
            yield Change(position=entry.position, record=entry.record, native=False)
            yield Sighting(position=entry.position, time=entry.time, identity=entry.record.identity)


def in_order_of_ids(documents: list[dict[str, Any]]) -> list[Any]:
    read = orjson.loads(orjson.dumps(documents))
    return sorted(
        read, key=lambda document: orjson.dumps([document.get("Arn"), document.get("SerialNumber")])
    )


@pytest.mark.parametrize("source", ["incident_records", "invictus_records"])
def test_an_export_imported_elsewhere_gives_the_same_account_at_every_time(
    source: str, request: pytest.FixtureRequest, new_ledger: Callable[[], Log], tmp_path: Path
) -> None:
    records: list[Record] = request.getfixturevalue(source)
    first, second = new_ledger(), new_ledger()
    take_in(first, shuffled(records, 3))
    every = Activity(first).every(Question(order="oldest"))
    export(every, form="cloudtrail", to=tmp_path / "out", question={})
    assert import_paths(second, [tmp_path / "out"]).rejected == {}
    Runner(second, [HISTORY, SESSIONS]).catch_up()
    assert rows(second) == rows(first)


def without_positions(state: bytes) -> Any:
    def drop(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: drop(v) for k, v in value.items() if not k.endswith(("MadeBy", "CreatedBy"))}
        return [drop(part) for part in value] if isinstance(value, list) else value

    return drop(orjson.loads(state))
