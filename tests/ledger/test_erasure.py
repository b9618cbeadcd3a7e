"""A record can be erased by an entry that says so: nothing tells of it afterwards, and all proofs still hold."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ledger.checkpoint import Checkpoint
from ledger.entry import NATIVE, Draft, Origin
from ledger.erasure import NotErasable, erase
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.copying import copy_to
from ledger.log.erasing import Remains, sweep
from ledger.log.proving import prove_entry, read_bundle
from ledger.log.schema import metadata
from ledger.merkle.tiles import Bundle
from ledger.notes import unverified_text
from ledger.proof import check_proof
from ledger.verification.findings import Found, Kind
from ledger.verification.verification import verify_log
from tests.ledger.test_every_log import ACCOUNT, ALICE, BOB, OTHER, draft, everything
from tests.ledger.test_verification import KEY, spoil, verifiers

CANARY = "zqCanary77Xk"
PERSON = {
    **ALICE,
    "principalId": f"AIDA{CANARY}",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/{CANARY}",
    "accessKeyId": f"AKIA{CANARY}",
    "userName": CANARY,
}


def personal(**members: Any) -> Draft:
    """A record that tells of somebody wherever a record can."""
    told: dict[str, Any] = {
        "userIdentity": PERSON,
        "eventName": f"Get{CANARY}",
        "sourceIPAddress": CANARY,
        "userAgent": CANARY,
        "errorCode": CANARY,
        "requestParameters": {"userName": CANARY},
        "resources": [{"ARN": f"arn:aws:iam::{ACCOUNT}:user/{CANARY}-2"}],
    }
    return draft(**{"origin": Origin(f"logs/{CANARY}.json"), **told, **members})


def read(**members: Any) -> Draft:
    return draft(**{"eventName": "GetUser", "readOnly": True, **members})


def erased(log: Log, *positions: int, account_id: str = ACCOUNT) -> int:
    return erase(log, account_id, positions, reason="case 4711", by="the officer")


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def four(log: Log) -> Log:
    """Alice, somebody, Bob, Alice, each with a read."""
    log.append([read(), personal(), read(userIdentity=BOB), read()])
    return log


def verified(log: Log, **options: Any) -> Found:
    return verify_log(log, log.account_ids(), verifiers=verifiers, **options)


def kinds(found: Found) -> set[tuple[Kind, int | None]]:
    return {(one.kind, one.position) for one in found.listed}


# -- what goes ------------------------------------------------------------------------------------------------------


def test_an_erasure_is_an_entry_that_says_what_why_and_by_whom(four: Log) -> None:
    event_id = everything(four)[1].record.event_id
    by = erased(four, 1)
    said = everything(four)[by]
    assert by == 4 and said.origin.native
    assert said.record.action == "iam-ledger:EraseRecords"
    assert said.record.request == {
        "records": [{"position": 1, "eventID": event_id}],
        "reason": "case 4711",
        "operator": "the officer",
    }


def test_an_erased_entry_says_what_its_leaf_says_and_no_more(four: Log) -> None:
    before = everything(four)[1]
    by = erased(four, 1)
    after = everything(four)[1]
    assert after.erased is not None and after.erased.by == by
    assert after.leaf == before.leaf and after.leaf_hash == before.leaf_hash and after.intact()
    assert after.salt == b"" and after.authorization is None and after.origin.file == ""
    assert after.document == {
        "eventTime": after.document["eventTime"],
        "eventSource": "iam-ledger",
        "eventName": "ErasedRecord",
        "recipientAccountId": ACCOUNT,
        "eventID": before.record.event_id,
    }
    assert [entry.erased is None for entry in everything(four)] == [True, False, True, True, True]


def test_nothing_in_the_tables_tells_of_it(four: Log) -> None:
    erased(four, 1)
    with four.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                assert CANARY not in repr(tuple(row)), table.name
    assert not any(CANARY in repr(entry) for entry in everything(four))


def test_what_others_bear_too_stays(four: Log) -> None:
    shared = read(userIdentity=PERSON, sourceIPAddress=CANARY, userAgent=CANARY)
    four.append([shared])
    erased(four, 1)
    assert four.entry(ACCOUNT, 4) is not None
    assert everything(four)[4].document == shared.record.document
    assert verified(four).differing == 0


def test_an_event_id_that_may_tell_of_somebody_goes_too(log: Log) -> None:
    log.append([read(eventID=f"{CANARY}@example.com")])
    by = erased(log, 0)
    assert everything(log)[by].record.request["records"] == [{"position": 0}]
    assert log.entries_named(f"{CANARY}@example.com") == []
    assert verified(log).differing == 0


@pytest.mark.parametrize("batch", [40, 3_000])
def test_on_sqlite_nothing_in_the_files_tells_of_it(sqlite_url: str, tmp_path: Path, batch: int) -> None:
    """Nor does the dictionary, which is trained on it where the batch is large."""
    log = Log(open_engine(sqlite_url, create=True))
    made = [read(requestParameters={"userName": f"user-{number}"}) for number in range(3_000)]
    made[1_500] = personal()
    for start in range(0, 3_000, batch):
        log.append(made[start : start + batch])
    assert in_files(tmp_path)
    (position,) = [entry.position for entry in everything(log) if CANARY in repr(entry.document)]
    erased(log, position)
    sweep(log.engine)
    assert not in_files(tmp_path)
    copy_to(log.engine, tmp_path / "copy.sqlite")
    assert not in_files(tmp_path)
    log.engine.dispose()


def in_files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if re.search(CANARY.encode(), file.read_bytes())]


# -- what may not go ------------------------------------------------------------------------------------------------

NOT_ERASABLE = {
    "a change": (draft(), "a change that the account's state rests on: iam:CreateUser"),
    "a session": (
        draft(eventSource="sts.amazonaws.com", eventName="AssumeRole"),
        "opened a session, which others rest on: sts:AssumeRole",
    ),
    "a snapshot": (
        draft(eventSource="iam-ledger", eventName="ImportAccountSnapshot"),
        "a change that the account's state rests on: iam-ledger:ImportAccountSnapshot",
    ),
}


@pytest.mark.parametrize("what", NOT_ERASABLE)
def test_what_the_account_rests_on_stays_and_nothing_else_goes_either(four: Log, what: str) -> None:
    one, said = NOT_ERASABLE[what]
    four.append([one])
    before = everything(four)
    with pytest.raises(NotErasable, match=f"entry 4 (is )?{re.escape(said)}"):
        erased(four, 1, 4)
    assert everything(four) == before


def test_what_failed_changed_nothing_and_may_go(log: Log) -> None:
    log.append([draft(errorCode="AccessDenied"), read()])
    erased(log, 0)
    assert everything(log)[0].erased is not None


def test_an_erasure_can_be_neither_erased_nor_done_twice(four: Log) -> None:
    by = erased(four, 1)
    with pytest.raises(NotErasable, match=f"entry {by} is the ledger's own"):
        erased(four, by)
    with pytest.raises(NotErasable, match=f"entry 1 was erased by entry {by}"):
        erased(four, 1)
    for positions in ((), (99,), range(1_001)):
        with pytest.raises(NotErasable):
            erased(four, *positions)
    with pytest.raises(NotErasable, match="no account"):
        erased(four, 0, account_id=OTHER)
    assert four.size(ACCOUNT) == 5


def test_what_was_edited_is_not_covered_up(four: Log) -> None:
    spoil(four, "UPDATE entries SET time = time + 1 WHERE position = 1")
    with pytest.raises(NotErasable, match="not what was hashed"):
        erased(four, 1)


# -- what holds afterwards ------------------------------------------------------------------------------------------


def test_the_tree_its_tiles_and_its_proofs_hold(log: Log) -> None:
    log.append([personal() if number % 9 == 0 else read() for number in range(300)])
    checkpoints = Checkpoints(log, KEY)
    before = checkpoints.publish(ACCOUNT)
    bundle = read_bundle(log, ACCOUNT, Bundle(0, 256))
    erased(log, *range(0, 300, 9))
    assert read_bundle(log, ACCOUNT, Bundle(0, 256)) == bundle
    checkpoints.publish(ACCOUNT)  # which holds the tree against the one before
    entry = log.entry(ACCOUNT, 9)
    assert entry is not None
    proof = prove_entry(log, checkpoints, entry).to_bytes()
    proved = check_proof(proof, verifiers(ACCOUNT))
    assert proved.body is None and proved.leaf is not None and proved.leaf["position"] == 9
    head = Checkpoint.of_text(unverified_text(before))
    found = verified(log, anchors={ACCOUNT: [head]})
    assert found.differing == 0
    assert found.erased == {(ACCOUNT, 300): 34}
    assert found.anchors == {ACCOUNT: 300}
    assert verified(log, since={ACCOUNT: head}).differing == 0


def test_a_copy_is_as_sound(sqlite_url: str, tmp_path: Path) -> None:
    log = Log(open_engine(sqlite_url, create=True))
    log.append([read(), personal()])
    erased(log, 1)
    copy_to(log.engine, tmp_path / "copy.sqlite")
    copied = Log(open_engine(str(tmp_path / "copy.sqlite")))
    assert everything(copied) == everything(log)
    assert verified(copied).erased == {(ACCOUNT, 2): 1}
    for one in (log, copied):
        one.engine.dispose()


def test_it_does_not_come_back_by_an_import(log: Log) -> None:
    one = personal()
    log.append([one, read()])
    erased(log, 0)
    again = log.append([one, read()])
    assert (again.count, again.duplicates) == (1, 1)
    assert everything(log)[0].erased is not None
    assert not any(CANARY in repr(entry) for entry in everything(log))


def test_another_process_that_knew_the_names_writes_on_in_good_order(database_url: str, log: Log) -> None:
    other = Log(open_engine(database_url))
    other.append([personal(origin=Origin("logs/a.json")), read()])
    list(other.read(ACCOUNT))  # what it has read it remembers
    erased(log, 0)
    again = personal(origin=Origin("logs/a.json"))
    for one in (other, log):
        one.append([again if one is other else personal(origin=Origin("logs/a.json")), read()])
    for one in (other, log):
        assert all(entry.intact() for entry in everything(one))
    assert [CANARY in repr(entry.document) for entry in everything(other)] == [
        *(False, False, False),
        *(True, False),
        *(True, False),
    ]
    assert everything(other)[3].document == again.record.document
    pseudonyms = [entry.principal for entry in everything(other)]
    assert pseudonyms[0] != pseudonyms[3] == pseudonyms[5]
    assert verified(log).differing == 0
    other.engine.dispose()


def test_writers_of_the_same_names_and_an_erasure_at_a_time_are_all_in_good_order(
    database_url: str, log: Log
) -> None:
    writers = [Log(open_engine(database_url)) for _ in range(2)]
    log.append([read()])

    def write(writer: Log, account_id: str) -> None:
        for _ in range(15):
            writer.append([personal(recipientAccountId=account_id), read(recipientAccountId=account_id)])

    with ThreadPoolExecutor() as pool:
        written = [pool.submit(write, *one) for one in zip(writers, (ACCOUNT, OTHER), strict=True)]
        while not all(one.done() for one in written):
            erase_some(log)
        for one in written:
            one.result()
    while erase_some(log):
        pass
    found = verified(log)
    assert found.listed == [] and sum(found.erased.values()) == 30
    assert not any(CANARY in repr(entry) for one in (ACCOUNT, OTHER) for entry in everything(log, one))
    for writer in writers:
        writer.engine.dispose()


def erase_some(log: Log) -> int:
    count = 0
    for account_id in log.account_ids():
        found = [entry.position for entry in log.read(account_id) if CANARY in repr(entry.document)]
        if found:
            erased(log, *found, account_id=account_id)
        count += len(found)
    return count


def test_where_the_tables_are_somebody_else_s_that_is_told(postgres_url: str) -> None:
    log = Log(open_engine(postgres_url, create=True))
    log.append([personal()])
    erased(log, 0)
    guest = sa.create_engine(
        log.engine.url, connect_args={"options": "-c role=pg_read_all_data"}, poolclass=sa.pool.NullPool
    )
    with pytest.raises(Remains, match="permission denied"):
        sweep(guest)
    sweep(log.engine)
    log.engine.dispose()


def test_whoever_still_reads_is_told_of_and_what_is_swept_is_a_ledger(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.log.engine.BUSY_SECONDS", 1)
    log = Log(open_engine(database_url, create=True))
    log.append([personal(), read()])
    with log.engine.connect() as reading:
        reading.execute(sa.text("SELECT count(*) FROM entries")).all()
        erased(log, 0)
        if log.engine.dialect.name == "sqlite":
            with pytest.raises(Remains, match="somebody reads the ledger"):
                sweep(log.engine)
    sweep(log.engine)
    log.append([read()])
    assert verified(log).differing == 0
    log.engine.dispose()


def test_times_of_erasures_do_not_go_back(log: Log) -> None:
    log.append([read(origin=NATIVE, eventTime="2099-01-01T00:00:00Z"), read()])
    by = erased(log, 1)
    assert everything(log)[by].document["eventTime"] == "2099-01-01T00:00:00Z"
