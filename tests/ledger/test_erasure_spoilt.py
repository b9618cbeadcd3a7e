"""What the database lets through beside an erasure is nothing; and what is done to one, or without one, is found."""

import pytest
import sqlalchemy as sa

from ledger.checkpoint import Checkpoint
from ledger.log import Log
from ledger.log.checkpoints import Checkpoints
from ledger.notes import unverified_text
from ledger.verification.findings import Kind
from tests.ledger.test_erasure import erased, four, kinds, log, verified
from tests.ledger.test_every_log import ACCOUNT, FILE, draft
from tests.ledger.test_verification import KEY, spoil

__all__ = ["four", "log"]  # the fixtures

ERASED_ROW = (
    "time = -1, frame = 0, action = 0, error = NULL, identity = 0, access_key = NULL, session_began = NULL, "
    "address = NULL, agent = NULL, coding = 0, salt = {empty}, body = {empty}"
)


def empty(log: Log) -> str:
    return "''::bytea" if log.engine.dialect.name == "postgresql" else "x''"


def test_the_database_lets_a_record_go_only_where_an_erasure_says_so(four: Log) -> None:
    whole = f"UPDATE entries SET {ERASED_ROW.format(empty=empty(four))}"
    refused(four, f"{whole} WHERE position = 0")
    erased(four, 1)
    refused(four, f"{whole} WHERE position = 0")
    refused(four, f"{whole} WHERE position = 1")  # a second time
    for change in (
        "UPDATE entries SET time = 5 WHERE position = 1",
        "UPDATE erasures SET erased_by = 3",
        "DELETE FROM erasures",
        "DELETE FROM entries WHERE position = 1",
        "DELETE FROM mentions",
        "UPDATE strings SET text = 'x'",
        "UPDATE identities SET session_arn = 'x'",
    ):
        refused(four, change)
    if four.engine.dialect.name == "sqlite":
        refused(four, "INSERT OR REPLACE INTO erasures SELECT * FROM erasures")
        refused(four, "UPDATE OR REPLACE entries SET rowid = rowid + 1 WHERE position = 1")
    else:
        refused(four, "TRUNCATE erasures")
    assert verified(four).differing == 0


@pytest.mark.parametrize(
    "column", ["back = 1", "leaf_hash = {empty}", "arrival = 7", "principal = 7", "lag = 7"]
)
def test_no_update_but_that_one_is_let_through(four: Log, column: str) -> None:
    """Between the row of erasures and the update that it allows."""
    spoilt = f"{ERASED_ROW}, {column}".format(empty=empty(four))
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), four.engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO erasures VALUES (1, 1, 1, 9, {empty(four)})")
        connection.exec_driver_sql(f"UPDATE entries SET {spoilt} WHERE position = 1")


def refused(log: Log, change: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), log.engine.begin() as connection:
        connection.exec_driver_sql(change)


def test_a_body_that_is_missing_without_an_erasure_is_told(four: Log) -> None:
    spoil(four, f"UPDATE entries SET {ERASED_ROW.format(empty=empty(four))} WHERE position = 1")
    found = verified(four)
    assert found.first is not None and (found.first.kind, found.first.position) == (Kind.BODY_MISSING, 1)


def test_a_salt_that_is_missing_is_told(four: Log) -> None:
    spoil(four, f"UPDATE entries SET salt = {empty(four)} WHERE position = 1")
    assert (Kind.EDITED_BODY, 1) in kinds(verified(four))


SPOILT = {
    "another commitment": (
        "UPDATE erasures SET commitment = leaf_hash FROM entries WHERE entries.position = 2",
    ),
    "an entry that is no erasure": ("UPDATE erasures SET erased_by = 3",),
    "an erasure before it": ("UPDATE erasures SET erased_by = 0",),
    "an erasure that is not there": ("UPDATE erasures SET erased_by = 77",),
    "nothing left of it": ("DELETE FROM erasures",),
    "another salt": ("UPDATE entries SET salt = leaf_hash WHERE position = 1",),
    "another time": ("UPDATE entries SET time = 1 WHERE position = 1",),
    "another event id": ("UPDATE entries SET event_head = event_head + 1 WHERE position = 1",),
    "another principal": (
        "UPDATE entries SET principal = (SELECT principal FROM entries WHERE position = 2) WHERE position = 1",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_left_of_it_has_to_be_what_was_written(four: Log, what: str) -> None:
    erased(four, 1)
    spoil(four, *SPOILT[what])
    found = verified(four)
    assert found.first is not None and found.first.position == 1, found.listed


def test_an_erasure_that_was_undone_is_told(four: Log) -> None:
    with four.engine.connect() as connection:
        before = connection.execute(sa.text("SELECT * FROM entries WHERE position = 1")).mappings().one()
    erased(four, 1)
    columns = ", ".join(f"{name} = :{name}" for name in before)
    spoil(four, f"UPDATE entries SET {columns} WHERE position = 1", **before)
    assert (Kind.ERASURE_UNDONE, 1) in kinds(verified(four))


def test_an_erasure_of_another_record_does_not_cover_for_it(four: Log) -> None:
    erased(four, 1)
    spoil(
        four,
        "INSERT INTO erasures SELECT 9, account, 0, 4, leaf_hash FROM entries WHERE position = 0",
        f"UPDATE entries SET {ERASED_ROW.format(empty=empty(four))} WHERE position = 0",
    )
    assert (Kind.BODY_MISSING, 0) in kinds(verified(four))


def test_an_erasure_that_came_from_elsewhere_says_nothing_of_this_log(four: Log) -> None:
    elsewhere = draft(
        FILE,
        eventSource="iam-ledger",
        eventName="EraseRecords",
        requestParameters={"records": [{"position": 0}], "reason": "theirs"},
    )
    four.append([elsewhere])
    assert verified(four).differing == 0


def test_a_name_that_went_blank_without_an_erasure_is_told(four: Log) -> None:
    spoil(four, "UPDATE strings SET kind = 0, digest = id, text = '' WHERE kind = 4")
    assert verified(four).differing > 0


def test_an_erasure_found_after_a_checkpoint_is_looked_back_upon(four: Log) -> None:
    head = Checkpoint.of_text(unverified_text(Checkpoints(four, KEY).publish(ACCOUNT)))
    by = erased(four, 1)
    assert verified(four, since={ACCOUNT: head}).erased == {(ACCOUNT, by): 1}
    spoil(four, "UPDATE erasures SET commitment = leaf_hash FROM entries WHERE entries.position = 2")
    assert kinds(verified(four, since={ACCOUNT: head})) == {(Kind.EDITED_BODY, 1)}
