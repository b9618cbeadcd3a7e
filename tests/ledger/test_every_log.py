"""What every log promises, asked of both databases."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.entry import Draft, Entry, Origin, body_bytes
from ledger.log import EntryDamaged, HeadMoved, LedgerUnavailable, Log, open_engine
from ledger.log.bodies import (
    AUTHORIZED,
    LAYOUT_BITS,
    SPLIT,
    Compression,
    prefix_bytes,
    split,
    with_authorization,
    without_authorization,
)
from ledger.log.schema import IMMUTABLE, entries, metadata
from ledger.record import canonical, read_record
from ledger.vault.tables import vault_secrets
from tests.ledger.older_schemas import take_back

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, OTHER = "111122223333", "444455556666"
ALICE = {
    "type": "IAMUser",
    "principalId": "AIDAALICE",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAALICE",
    "userName": "alice",
}
BOB = {**ALICE, "principalId": "AIDABOB", "arn": f"arn:aws:iam::{ACCOUNT}:user/bob", "userName": "bob"}
FILE = Origin("logs/a.json.gz", "ab" * 32)


def document(**members: Any) -> dict[str, Any]:
    """A record of the usual form; `...` takes a member away."""
    usual = {
        "eventVersion": "1.11",
        "userIdentity": ALICE,
        "eventTime": "2026-01-02T03:04:05Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.15.30",
        "requestParameters": {"userName": "carol"},
        "responseElements": {"user": {"arn": f"arn:aws:iam::{ACCOUNT}:user/carol"}},
        "requestID": str(uuid4()),
        "eventID": str(uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "iam.us-east-1.amazonaws.com"},
    }
    return {name: value for name, value in {**usual, **members}.items() if value is not ...}


def draft(origin: Origin = FILE, authorization: bytes | None = None, **members: Any) -> Draft:
    return Draft.of(read_record(document(**members)), origin, authorization)


def drafts(count: int, **members: Any) -> list[Draft]:
    return [draft(**members) for _ in range(count)]


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


def everything(log: Log, account_id: str = ACCOUNT) -> list[Entry]:
    return list(log.read(account_id))


# -- positions ----------------------------------------------------------------------------------------------------


def test_positions_count_from_zero_without_gaps(log: Log) -> None:
    first = log.append(drafts(3))
    second = log.append([*drafts(2), draft(recipientAccountId=OTHER)])
    assert first.spans == {ACCOUNT: (0, 3)}
    assert second.spans == {ACCOUNT: (3, 2), OTHER: (0, 1)}
    assert [entry.position for entry in everything(log)] == [0, 1, 2, 3, 4]
    assert (log.size(ACCOUNT), log.size(OTHER), log.size("999999999999")) == (5, 1, 0)
    assert log.account_ids() == [ACCOUNT, OTHER]


def test_entries_come_back_in_the_order_of_their_drafts(log: Log) -> None:
    wanted = drafts(5)
    log.append(wanted[:2])
    log.append(wanted[2:])
    assert [entry.document for entry in everything(log)] == [one.record.document for one in wanted]
    assert [entry.document for entry in log.read(ACCOUNT, start=3)] == [
        one.record.document for one in wanted[3:]
    ]
    assert log.entry(ACCOUNT, 4) == everything(log)[4]
    assert log.entry(ACCOUNT, 5) is None


def test_nothing_to_append_appends_nothing(log: Log) -> None:
    assert log.append([]).count == 0
    assert log.account_ids() == []


def test_a_head_that_moved_is_told_and_nothing_written(log: Log) -> None:
    log.append(drafts(2), head=0)
    log.append(drafts(1), head=2)
    with pytest.raises(HeadMoved) as moved:
        log.append(drafts(1), head=2)
    assert (moved.value.expected, moved.value.found) == (2, 3)
    assert log.size(ACCOUNT) == 3
    log.append(drafts(1), head=3)


def test_an_expected_head_is_of_one_account(log: Log) -> None:
    with pytest.raises(ValueError, match="one account"):
        log.append([draft(), draft(recipientAccountId=OTHER)], head=0)


def test_an_entry_tells_when_and_whence_it_came(database_url: str) -> None:
    clock = iter([1_800_000_000.123, 1_800_000_001.5, 1_800_090_000.0, 1_700_000_000.0])
    log = Log(open_engine(database_url, create=True), clock=lambda: next(clock))
    for origin in (FILE, FILE, FILE, Origin()):
        log.append([draft(origin)])
    assert [entry.recorded_at for entry in everything(log)] == [
        1_800_000_000_123,
        1_800_000_001_500,
        1_800_090_000_000,
        1_700_000_000_000,
    ]
    assert [entry.origin for entry in everything(log)] == [FILE, FILE, FILE, Origin()]
    assert all(entry.intact() for entry in everything(log))
    log.engine.dispose()


# -- duplicates ---------------------------------------------------------------------------------------------------


def test_what_is_there_already_is_skipped_and_counted(log: Log) -> None:
    once = drafts(3)
    log.append(once)
    again = log.append([once[1], *drafts(1), once[0]])
    assert (again.count, again.duplicates) == (1, 2)
    assert again.spans == {ACCOUNT: (3, 1)}


def test_a_batch_may_repeat_itself(log: Log) -> None:
    one = draft()
    appended = log.append([one, one, one])
    assert (appended.count, appended.duplicates) == (1, 2)


def test_another_origin_makes_no_other_event(log: Log) -> None:
    told = document()
    log.append([Draft.of(read_record(told), FILE)])
    assert log.append([Draft.of(read_record(told), Origin("logs/b.json.gz", "cd" * 32))]).duplicates == 1


def test_the_same_id_with_other_content_is_kept(log: Log) -> None:
    event_id = str(uuid4())
    log.append([draft(eventID=event_id), draft(eventID=event_id, eventName="DeleteUser")])
    assert log.append([draft(eventID=event_id, eventName="GetUser")]).count == 1
    assert [entry.document["eventName"] for entry in log.entries_named(event_id)] == [
        "CreateUser",
        "DeleteUser",
        "GetUser",
    ]


def test_the_same_event_in_another_account_is_kept(log: Log) -> None:
    event_id = str(uuid4())
    log.append([draft(eventID=event_id)])
    assert log.append([draft(eventID=event_id, recipientAccountId=OTHER)]).count == 1
    assert [entry.account_id for entry in log.entries_named(event_id)] == [ACCOUNT, OTHER]


def test_ids_that_share_their_first_digits_are_two(log: Log) -> None:
    ids = [str(UUID(int=(0xDEADBEEF << 96) + n)) for n in range(3)]
    log.append([draft(eventID=ids[0])])
    assert log.append([draft(eventID=ids[1]), draft(eventID=ids[2])]).count == 2
    assert len(log.entries_named(ids[1])) == 1


def test_a_record_without_an_id_is_known_by_its_content(log: Log) -> None:
    told = document(eventID=...)
    log.append([Draft.of(read_record(told))])
    assert log.append([Draft.of(read_record(told))]).duplicates == 1
    assert everything(log)[0].document == told


DECIDED, OTHERWISE = b'{"decision":"allowed"}', b'{"decision":"explicitDeny"}'


def test_the_same_record_with_another_authorization_is_kept(log: Log) -> None:
    """Two decisions on one call: whatever it means, neither may be lost."""
    told = read_record(document())
    log.append([Draft.of(told, Origin(), DECIDED), Draft.of(told, Origin(), OTHERWISE)])
    assert (
        log.append([Draft.of(told, Origin(), OTHERWISE), Draft.of(told, Origin(), DECIDED)]).duplicates == 2
    )
    assert [entry.authorization for entry in everything(log)] == [DECIDED, OTHERWISE]


def test_a_record_that_is_read_back_without_its_authorization_is_a_duplicate(log: Log) -> None:
    """As from an export of this very log."""
    told = read_record(document())
    log.append([Draft.of(told, Origin(), DECIDED), Draft.of(told, FILE)])
    assert log.append([Draft.of(told, FILE)]).duplicates == 1
    assert [entry.authorization for entry in everything(log)] == [DECIDED]


def test_an_authorization_of_what_was_there_without_one_is_kept(log: Log) -> None:
    told = read_record(document())
    log.append([Draft.of(told)])
    assert log.append([Draft.of(told, Origin(), DECIDED)]).count == 1
    assert [entry.authorization for entry in everything(log)] == [None, DECIDED]


# -- leaves -------------------------------------------------------------------------------------------------------


def test_the_leaf_hash_is_that_of_rfc_6962_over_a_commitment_to_the_body(log: Log) -> None:
    log.append(drafts(2))
    entry = everything(log)[1]
    body = (
        b'{"authorization":null,"origin":{"file":"logs/a.json.gz","kind":"imported","sha256":"'
        + b"ab" * 32
        + b'"},"record":'
        + orjson.dumps(entry.document, option=orjson.OPT_SORT_KEYS)
        + b"}"
    )
    commitment = hashlib.sha256(entry.salt + body).hexdigest()
    leaf = (
        f'{{"account":"{ACCOUNT}","commitment":"{commitment}","position":1,"previous":0,'
        f'"principal":"{entry.principal.hex()}","recordedAt":{entry.recorded_at}}}'
    )
    assert entry.leaf_hash == hashlib.sha256(b"\x00" + leaf.encode()).digest()
    assert entry.leaf_hash == entry.leaf.hash()
    assert entry.leaf.to_bytes() == canonical(orjson.loads(leaf))
    assert entry.intact()
    assert (len(entry.salt), len(entry.principal)) == (32, 16)


def test_the_leaf_commits_to_the_authorization(log: Log) -> None:
    log.append([draft(Origin(), DECIDED)])
    (entry,) = everything(log)
    record = orjson.dumps(entry.document, option=orjson.OPT_SORT_KEYS)
    body = b'{"authorization":' + DECIDED + b',"origin":{"kind":"native"},"record":' + record + b"}"
    assert body == canonical(orjson.loads(body))
    assert entry.commitment == hashlib.sha256(entry.salt + body).digest()
    assert entry.intact()
    assert not replace(entry, authorization=OTHERWISE).intact()
    assert not replace(entry, authorization=None).intact()


def test_no_two_salts_are_alike(log: Log) -> None:
    log.append(drafts(50))
    assert len({entry.salt for entry in everything(log)}) == 50


def test_the_entries_of_each_principal_are_a_chain(log: Log) -> None:
    callers = [ALICE, BOB, ALICE, ALICE, BOB, {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, ALICE]
    log.append([draft(userIdentity=caller) for caller in callers[:3]])
    log.append([draft(userIdentity=caller) for caller in callers[3:]])
    found = everything(log)
    assert [entry.previous for entry in found] == [None, None, 0, 2, 1, None, 3]
    assert len({entry.principal for entry in found}) == 3
    assert all(entry.intact() for entry in found)


def test_a_role_is_one_principal_in_all_its_sessions(log: Log) -> None:
    def session(name: str) -> dict[str, Any]:
        return {
            "type": "AssumedRole",
            "principalId": f"AROAX:{name}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{name}",
            "accessKeyId": f"ASIA{name}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAX",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/app",
                },
                "attributes": {"creationDate": "2026-01-02T00:00:00Z", "mfaAuthenticated": "false"},
            },
        }

    log.append([draft(userIdentity=session("one")), draft(userIdentity=session("two"))])
    assert [entry.previous for entry in everything(log)] == [None, 0]


def test_a_principal_has_other_pseudonyms_in_other_ledgers(database_url: str, tmp_path: Path) -> None:
    logs = [Log(open_engine(url, create=True)) for url in (database_url, str(tmp_path / "other.sqlite"))]
    for one in logs:
        one.append(drafts(1))
    first, second = (everything(one)[0].principal for one in logs)
    assert first != second
    for one in logs:
        one.engine.dispose()


# -- exactness ----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
stamps = st.sampled_from(
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123Z", "2026-01-02 03:04:05+01:00", "20260102T030405Z"]
)
creation_dates = (
    stamps | st.sampled_from(["2026-01-02T24:00:00Z", "1969-12-31T23:59:59Z", "", "\x00"]) | values
)
identities = (
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["IAMUser", "AssumedRole", "Root", "AWSService"]) | values,
            "principalId": st.sampled_from(["AROAX:s", "AIDAX", "\x00", ""]) | values,
            "arn": st.sampled_from([f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", "x" * 5_000]) | values,
            "userName": st.just("\x00bob") | values,
            "accountId": st.just(ACCOUNT) | values,
            "accessKeyId": st.sampled_from(["ASIAX", "", "A\x00"]) | values,
            "invokedBy": values,
            "sessionContext": values
            | st.fixed_dictionaries(
                {},
                optional={
                    "sessionIssuer": values,
                    "attributes": values
                    | st.fixed_dictionaries({"creationDate": creation_dates}, optional={"x": values}),
                },
            ),
        },
    )
    | values
)
hosts = st.sampled_from(["iam.us-east-1.amazonaws.com", "iam..amazonaws.com", None, "x"]) | values
members: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(
    ("awsRegion", "eventVersion", "eventType", "eventCategory", "additionalEventData", "Überraschung"), values
) | {
    "userIdentity": identities,
    "sourceIPAddress": st.sampled_from(["192.0.2.1", "", "\x00", "ec2.amazonaws.com"]) | values,
    "userAgent": st.sampled_from(["aws-cli", "", "a\x00b"]) | values,
    "errorCode": st.sampled_from(["AccessDenied", "", "\x00"]) | values,
    "readOnly": st.sampled_from([1, True, 0, False, 1.0, "true"]) | values,
    "managementEvent": st.sampled_from([1, True, 0, False]) | values,
    "requestParameters": st.just({"roleArn": "arn:\x00", "userName": "x" * 2_000}) | values,
    "responseElements": st.just({"ConsoleLogin": "Failure"}) | values,
    "resources": st.just([{"ARN": "arn:aws:s3:::b"}, {"ARN": "arn:aws:s3:::b"}, 5]) | values,
    "requestID": st.sampled_from([str(UUID(int=7)), "0123456789ABCDEF", "0" * 16, "0123456789abcdef", ""])
    | values,
    "tlsDetails": st.fixed_dictionaries({}, optional={"clientProvidedHostHeader": hosts}) | values,
}
records = st.fixed_dictionaries(
    {
        "eventSource": st.sampled_from(["iam.amazonaws.com", "iam\x00", "x"]),
        "eventName": st.sampled_from(["CreateUser", "ListFunctions20150331", "\x00"]),
        "eventTime": stamps,
        "recipientAccountId": st.just(ACCOUNT),
    },
    optional={
        **members,
        "eventID": st.uuids().map(str) | st.uuids().map(lambda u: str(u).upper()) | st.just("x\x00") | values,
    },
)
# Nearly usual ones, so that one odd member stands among parts that are kept apart.
nearly_usual = st.builds(
    lambda odd, event_id: document(**odd, eventID=str(event_id)),
    st.sampled_from(sorted(members)).flatmap(
        lambda name: st.fixed_dictionaries({name: st.just(...) | members[name]})
    ),
    st.uuids(),
)


def test_every_record_comes_back_exactly(log: Log) -> None:
    log.append(
        drafts(2_000, requestParameters={"policyDocument": "x" * 300})
    )  # so that there is a dictionary

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(
                records | nearly_usual, st.none() | st.dictionaries(texts, values, max_size=3).map(canonical)
            ),
            min_size=1,
            max_size=3,
        )
    )
    def comes_back(asked: list[tuple[dict[str, Any], bytes | None]]) -> None:
        batch = [
            Draft.of(read_record(orjson.loads(canonical(one))), FILE, authorization)
            for one, authorization in asked
        ]
        log.append(batch)
        for one in batch:
            found = {
                (canonical(entry.document), entry.authorization): entry
                for entry in log.entries_named(one.record.event_id)
            }
            if one.authorization is None and (one.canonical_record, None) not in found:
                assert one.canonical_record in {record for record, _ in found}  # it is there with a decision
                continue
            entry = found[one.canonical_record, one.authorization]
            body = body_bytes(one.canonical_record, FILE.to_bytes(), one.authorization)
            assert entry.commitment == hashlib.sha256(entry.salt + body).digest()
            assert entry.intact()
            assert entry.time == one.record.time

    comes_back()


def test_one_and_true_are_two_things(log: Log) -> None:
    told = [
        document(readOnly=value, managementEvent=other)
        for value in (True, 1, False, 0)
        for other in (1, True)
    ]
    log.append([Draft.of(read_record(one)) for one in told])
    assert [canonical(entry.document) for entry in everything(log)] == [canonical(one) for one in told]


def test_deep_and_long_records_come_back(log: Log) -> None:
    deep: Any = "deep"
    for _ in range(200):
        deep = [deep]
    told = [
        document(requestParameters={"deep": deep}),
        document(requestParameters={"long": "ab\u2028" * 300_000}),
    ]
    log.append([Draft.of(read_record(one)) for one in told])
    assert [entry.document for entry in everything(log)] == told
    assert all(entry.intact() for entry in everything(log))


def test_a_usual_record_is_kept_in_parts(log: Log) -> None:
    log.append([draft(), draft(eventID=str(uuid4()).upper())])
    with log.engine.connect() as connection:
        codings = list(connection.scalars(sa.select(entries.c.coding).order_by(entries.c.position)))
    assert [bool(coding & SPLIT) for coding in codings] == [True, False]
    assert {coding >> LAYOUT_BITS for coding in codings} == {0}


def test_what_has_no_authorization_takes_no_byte_for_one(log: Log) -> None:
    one = draft()
    log.append([one])
    with log.engine.connect() as connection:
        (row,) = connection.execute(sa.select(entries.c.coding, entries.c.body))
    parts = split(one.record, one.canonical_record)
    assert row.coding == parts.layout
    assert bytes(row.body) == parts.prefix + Compression().compress(parts.rest)
    assert log.authorized(ACCOUNT) == []


def test_those_with_an_authorization_are_found(log: Log) -> None:
    log.append(
        [
            draft(),
            draft(Origin(), DECIDED),
            draft(),
            draft(Origin(), b"{}"),
            draft(recipientAccountId=OTHER),
        ]
    )
    assert log.authorized(ACCOUNT) == [1, 3]
    assert (log.authorized(OTHER), log.authorized("999999999999")) == ([], [])
    assert [entry.authorization for entry in everything(log)] == [None, DECIDED, None, b"{}"]


def test_an_authorization_is_no_part_of_the_text_of_a_record(log: Log) -> None:
    log.append([draft(Origin(), b'{"resource":"arn:aws:s3:::needle"}', requestParameters={"hay": "stack"})])
    with log.engine.connect() as connection:
        query = sa.select(entries.c.position, entries.c.coding, entries.c.body)
        ((_, told),) = log.bodies(connection, query)
        assert [tuple(row) for row in log.holding(connection, query, {}, b"stack")] == [(0,)]
        assert log.holding(connection, query, {}, b"needle") == []
    assert b"stack" in told and b"needle" not in told


@pytest.mark.parametrize("authorization", [b'{"b":1,"a":2}', b'{"a": 1}', b"{", b"", b"null", b"[]"])
def test_an_authorization_that_is_no_canonical_object_is_refused(log: Log, authorization: bytes) -> None:
    with pytest.raises(ValueError):
        log.append([draft(Origin(), authorization)])
    assert log.size(ACCOUNT) == 0


# -- never changed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [*IMMUTABLE, "accounts"])
def test_the_database_refuses_to_change_what_is_written(log: Log, table: str) -> None:
    log.append(drafts(2_000, requestParameters={"policyDocument": "x" * 300}))
    column = {"accounts": "account_id", "mentions": "resource", "entries": "time"}.get(table, "id")
    changes = [f"UPDATE {table} SET {column} = {column} || '1'", f"DELETE FROM {table}"]
    changes[0] = (
        f"UPDATE {table} SET account_id = '1'" if table == "accounts" else f"UPDATE {table} SET {column} = 7"
    )
    if log.engine.dialect.name == "postgresql":
        changes.append(f"TRUNCATE {table} CASCADE")
    else:
        changes.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        changes.append(f"REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")
    if table == "mentions":
        changes = [change for change in changes if "REPLACE" not in change]  # by the very same row
    before = dump(log)
    for change in changes:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), log.engine.begin() as connection:
            connection.exec_driver_sql(change)
    assert dump(log) == before
    log.append(drafts(1))


def test_sqlite_refuses_an_entry_in_the_place_of_another(sqlite_url: str) -> None:
    log = Log(open_engine(sqlite_url, create=True))
    log.append(drafts(3))
    columns = ", ".join(column.name for column in entries.columns)
    moved = columns.replace("position", "position + 100", 1)
    for change in (
        f"INSERT OR REPLACE INTO entries (rowid, {columns}) SELECT rowid, {moved} FROM entries LIMIT 1",
        f"INSERT OR REPLACE INTO entries ({columns}) SELECT {columns} FROM entries LIMIT 1",
        f"INSERT INTO entries ({columns}) SELECT {columns} FROM entries LIMIT 1 "
        "ON CONFLICT (account, position) DO UPDATE SET time = 0",
        f"INSERT INTO entries ({columns}) SELECT {columns.replace('account', '77', 1)} FROM entries LIMIT 1",
        "UPDATE accounts SET size = size - 1",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), log.engine.begin() as connection:
            connection.exec_driver_sql(change)
    assert [entry.position for entry in everything(log)] == [0, 1, 2]
    log.engine.dispose()


def dump(log: Log) -> dict[str, Counter[Any]]:
    with log.engine.connect() as connection:
        return {
            table.name: Counter(map(tuple, connection.execute(sa.select(table))))
            for table in metadata.sorted_tables
        }


# -- all or nothing -----------------------------------------------------------------------------------------------


def test_an_append_that_fails_leaves_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(drafts(2))
    before = dump(log)
    batch = [
        draft(userIdentity=BOB, sourceIPAddress="198.51.100.9", eventName="DeleteUser"),
        draft(recipientAccountId=OTHER, userAgent="new"),
    ]

    def fails(*_: object) -> None:
        raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr("ledger.log.appending.upsert_rows", fails)
        with pytest.raises(RuntimeError):
            log.append(batch)
    assert dump(log) == before
    # names that were learned in vain are not remembered
    assert log.append(batch).count == 2
    assert all(entry.intact() for account_id in log.account_ids() for entry in log.read(account_id))
    fresh = Log(log.engine)
    assert [entry.document for entry in everything(fresh)][2:] == [batch[0].record.document]
    assert [entry.document for entry in everything(fresh, OTHER)] == [batch[1].record.document]


def test_a_commit_that_fails_leaves_nothing(log: Log) -> None:
    log.append(drafts(1))
    before = dump(log)

    def fails(_: sa.Connection) -> None:
        raise RuntimeError("pulled the plug")

    sa.event.listen(log.engine, "commit", fails)
    with pytest.raises(RuntimeError):
        log.append(drafts(1, userAgent="never seen"))
    sa.event.remove(log.engine, "commit", fails)
    assert dump(log) == before
    log.append(drafts(1, userAgent="seen at last"))
    assert everything(log)[-1].document["userAgent"] == "seen at last"


# -- opening ------------------------------------------------------------------------------------------------------


def test_opening_creates_nothing(database_url: str) -> None:
    with pytest.raises(LedgerUnavailable, match="there is no ledger at") as told:
        open_engine(database_url)
    assert "\n" not in str(told.value)
    if database_url.startswith("sqlite"):
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
    else:
        with sa.create_engine(database_url).connect() as connection:
            assert sa.inspect(connection).get_table_names() == []


def test_what_was_made_can_be_opened(database_url: str) -> None:
    first = Log(open_engine(database_url, create=True))
    first.append(drafts(1))
    again = Log(open_engine(database_url))
    assert again.size(ACCOUNT) == 1
    Log(open_engine(database_url, create=True)).append(drafts(1))
    assert again.size(ACCOUNT) == 2
    for log in (first, again):
        log.engine.dispose()


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "not supported"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", "cannot open"),
        ("sqlite://", "needs a file"),
        (":memory:", "needs a file"),
        ("postgresql://me:secret@localhost:port/x", "not a database URL"),
        ("://secret", "not a database URL"),
        (".", "cannot open"),
        ("nosuchfolder/ledger.sqlite", "there is no"),
        ("postgresql+nosuch://localhost/x", "."),
    ],
)
def test_a_wrong_address_is_told_in_one_line(
    url: str, said: str, create: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerUnavailable, match=said) as told:
        open_engine(url, create=create)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [-1, 60])
def test_a_connection_that_the_server_ended_is_not_used_again(
    postgres_url: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.log.engine.UNASKED_SECONDS", seconds)
    engine, other = (open_engine(postgres_url, create=True) for _ in range(2))
    mine = sa.select(sa.func.pg_backend_pid())

    def asked() -> int:
        with engine.connect() as connection:
            return connection.execute(mine).scalar_one()

    first = asked()
    assert asked() == first
    with other.connect() as connection:
        ended = sa.select(sa.func.pg_terminate_backend(first, sa.literal(10_000, sa.BigInteger)))
        assert connection.execute(ended).scalar_one()
    assert asked() != first
    engine.dispose()
    other.dispose()


@pytest.mark.parametrize("create", [True, False])
def test_somebody_elses_database_is_left_alone(database_url: str, create: bool) -> None:
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE accounts (id integer)")
    with pytest.raises(LedgerUnavailable, match="something else"):
        open_engine(database_url, create=create)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["accounts"]
    engine.dispose()


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 1_000)
    with pytest.raises(LedgerUnavailable) as told:
        open_engine(str(path), create=create)
    assert "\n" not in str(told.value)
    assert path.read_text() == "buy milk\n" * 1_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_ledger_of_before_the_authorizations_and_the_vault_goes_on(database_url: str) -> None:
    engine = open_engine(database_url, create=True)
    Log(engine).append(drafts(2))
    before = everything(Log(engine))
    with engine.begin() as connection:
        take_back(connection, "0001")
    engine.dispose()
    log = Log(open_engine(database_url))
    log.append([draft(Origin(), DECIDED)])
    assert everything(log)[:2] == before
    assert all(entry.intact() for entry in everything(log))
    assert log.authorized(ACCOUNT) == [2]
    with log.engine.connect() as connection:
        assert connection.execute(sa.select(vault_secrets)).all() == []
    log.engine.dispose()


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer"),
        ("DELETE FROM alembic_version", "alembic_version is empty"),
    ],
    ids=["newer", "of no schema"],
)
def test_a_ledger_of_another_schema_is_left_alone(database_url: str, spoilt: str, said: str) -> None:
    engine = open_engine(database_url, create=True)
    with engine.begin() as connection:
        connection.exec_driver_sql(spoilt)
    engine.dispose()
    for create in (True, False):
        with pytest.raises(LedgerUnavailable, match=said):
            open_engine(database_url, create=create)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerUnavailable, match="cannot open"):
        open_engine(str(tmp_path / "ledger.sqlite"), create=True)
    tmp_path.chmod(0o700)


# -- the schema ---------------------------------------------------------------------------------------------------


def test_the_migrations_make_what_the_schema_says(log: Log) -> None:
    with log.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert vault_secrets.metadata is metadata
        assert compare_metadata(context, metadata) == []
        indexes = {index["name"]: index for index in sa.inspect(connection).get_indexes("entries")}
    where = f"{log.engine.dialect.name}_where"
    partial = {
        name for name, index in indexes.items() if index.get("dialect_options", {}).get(where) is not None
    }
    assert partial == {"entries_access_key", "entries_error", "entries_authorized"}


# -- spoiling -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["body", "salt", "leaf_hash", "event_tail"])
def test_one_changed_byte_is_noticed(log: Log, column: str) -> None:
    log.append(drafts(1))
    (good,) = everything(log)
    disarm(log)
    with log.engine.connect() as connection:
        stored = bytes(connection.execute(sa.select(entries.c[column])).scalar_one())
    for place in range(0, len(stored), max(1, len(stored) // 24)):
        spoilt = bytearray(stored)
        spoilt[place] ^= 1 << place % 8
        with log.engine.execution_options(writes=True).begin() as connection:
            connection.execute(sa.update(entries).values({column: bytes(spoilt)}))
        assert noticed(log, good), f"bit {place % 8} of byte {place}"


@pytest.mark.parametrize(
    "column",
    [
        "time",
        "event_head",
        "frame",
        "identity",
        "back",
        "access_key",
        "address",
        "agent",
        "arrival",
        "lag",
        "coding",
    ],
)
def test_one_changed_number_is_noticed(log: Log, column: str) -> None:
    log.append(drafts(1))
    log.append([draft(Origin(), userIdentity=BOB, userAgent="x", sourceIPAddress="y", eventName="z")])
    good = everything(log)[0]
    disarm(log)
    with log.engine.execution_options(writes=True).begin() as connection:
        changed = sa.func.coalesce(entries.c[column], 0) + 1
        connection.execute(sa.update(entries).where(entries.c.position == 0).values({column: changed}))
    assert noticed(log, good)


def test_one_changed_byte_of_an_authorization_is_noticed(log: Log) -> None:
    log.append([draft(Origin(), DECIDED)])
    (good,) = everything(log)
    disarm(log)
    with log.engine.connect() as connection:
        row = connection.execute(sa.select(entries.c.body, entries.c.coding)).one()
    layout = row.coding - AUTHORIZED
    stored = bytes(row.body)
    forged = Compression().compress(
        with_authorization(OTHERWISE, without_authorization(_unpacked(stored, layout))[1])
    )
    changes: list[tuple[bytes, int]] = [
        (stored[: prefix_bytes(layout)] + forged, row.coding),
        (stored, layout),  # as if there were none
        *(
            (stored[:place] + bytes([stored[place] ^ 4]) + stored[place + 1 :], row.coding)
            for place in range(0, len(stored), 5)
        ),
    ]
    for body, coding in changes:
        with log.engine.execution_options(writes=True).begin() as connection:
            connection.execute(sa.update(entries).values(body=body, coding=coding))
        assert noticed(log, good)


def _unpacked(body: bytes, layout: int) -> bytes:
    return Compression().decompress(0, body[prefix_bytes(layout) :])


def noticed(log: Log, good: Entry) -> bool:
    try:
        found = Log(log.engine).entry(ACCOUNT, 0)
    except EntryDamaged:
        return True
    return found is None or not found.intact() or found == good


def disarm(log: Log) -> None:
    """As somebody who owns the database could."""
    with log.engine.execution_options(writes=True).begin() as connection:
        if log.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE entries DISABLE TRIGGER ALL")
        else:
            connection.exec_driver_sql("DROP TRIGGER entries_no_update")


# -- several writers ----------------------------------------------------------------------------------------------

WRITER = """
import sys
from uuid import uuid4
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import read_record
from tests.ledger.older_schemas import take_back

url, name, batches, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
log = Log(open_engine(url))
for number in range(batches):
    ids = [str(uuid4()) for _ in range(size)]
    log.append([
        Draft.of(read_record({
            "eventSource": "s3.amazonaws.com", "eventName": f"Get{index % 5}", "eventTime": "2026-01-02T03:04:05Z",
            "eventID": event_id, "recipientAccountId": f"{111 * (1 + (index + len(name)) % 3):012}",
            "sourceIPAddress": f"10.0.{number % 200}.{index % 7}", "awsRegion": "us-east-1",
            "userIdentity": {"type": "IAMUser", "userName": f"user{(number + index) % 11}", "accountId": "1"},
            "requestParameters": {"bucketName": f"bucket{(number * index) % 50}"},
        }))
        for index, event_id in enumerate(ids)
    ])
    print(" ".join(ids), flush=True)
"""


def writer(url: str, name: str, batches: int, size: int) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", WRITER, url, name, str(batches), str(size)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def check_sound(log: Log, acknowledged: list[str]) -> int:
    """No gap, no doubled position or event, nothing lost; the number of entries."""
    found: Counter[str] = Counter()
    for account_id in log.account_ids():
        last: dict[bytes, int] = {}
        position = -1
        for position, entry in enumerate(log.read(account_id)):
            assert entry.position == position
            assert entry.previous == last.get(entry.principal)
            assert entry.intact()
            last[entry.principal] = position
            found[entry.document["eventID"]] += 1
        assert log.size(account_id) == position + 1
    assert max(found.values()) == 1
    assert not set(acknowledged) - found.keys()
    return found.total()


def test_four_processes_append_at_once(log: Log, database_url: str) -> None:
    writers = [writer(database_url, "x" * number, batches=40, size=10) for number in range(4)]
    acknowledged = []
    for process in writers:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        acknowledged += out.split()
    assert len(acknowledged) == 1_600
    assert check_sound(log, acknowledged) == 1_600
    with log.engine.connect() as connection:
        for table in ("strings", "frames", "identities", "principals"):
            named = metadata.tables[table]
            columns = [column for column in named.columns if column.name not in ("id", "digest", "pseudonym")]
            doubled = sa.select(*columns).group_by(*columns).having(sa.func.count() > 1)
            assert connection.execute(doubled).all() == []


def test_readers_see_a_beginning_of_the_log_while_it_grows(log: Log, database_url: str) -> None:
    process = writer(database_url, "x", batches=60, size=20)
    sizes = [0]
    while process.poll() is None:
        for account_id in log.account_ids():
            positions = [entry.position for entry in log.read(account_id)]
            assert positions == list(range(len(positions)))
        sizes.append(sum(map(log.size, log.account_ids())))
    assert process.communicate()[0] and sizes == sorted(sizes)


def test_a_writer_killed_in_the_middle_loses_nothing_it_acknowledged(log: Log, database_url: str) -> None:
    acknowledged: list[str] = []
    for round_ in range(6):
        process = writer(database_url, "x" * round_, batches=10_000, size=12)
        assert process.stdout is not None
        for _ in range(2 + 3 * round_):
            acknowledged += process.stdout.readline().split()
        time.sleep(0.0007 * round_)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        for line in rest.splitlines(keepends=True):
            acknowledged += line.split() if line.endswith("\n") else []
        assert process.returncode == -signal.SIGKILL
        total = check_sound(log, acknowledged)
        assert total % 12 == 0  # a batch is there as a whole or not at all
