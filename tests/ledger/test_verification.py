"""What is done to a ledger behind its back is found, wherever it is done."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from ledger.checkpoint import Checkpoint, account_key, new_ledger_key, open_checkpoint
from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.schema import checkpoints, entries
from ledger.merkle.frontier import Frontier
from ledger.notes import Verifier
from ledger.record import read_record
from ledger.verification.findings import Found, Kind
from ledger.verification.verification import NotTheBeginning, verify_log
from tests.ledger.test_every_log import ACCOUNT, BOB, FILE, OTHER, draft
from tests.oracles import plain_tree

KEY = new_ledger_key("tested")
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROADEPLOY:run-7",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run-7",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIADEPLOY",
    "sessionContext": {
        "attributes": {"creationDate": "2026-01-02T03:00:00Z", "mfaAuthenticated": "false"},
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROADEPLOY",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "accountId": ACCOUNT,
            "userName": "deploy",
        },
    },
}
TABLES = (
    "accounts",
    "principals",
    "identities",
    "frames",
    "strings",
    "dictionaries",
    "arrivals",
    "entries",
    "tails",
    "mentions",
    "tiles",
    "checkpoints",
    "cosignatures",
)


def verifiers(account_id: str) -> list[Verifier]:
    return [account_key(KEY, account_id).verifier]


def various(count: int) -> list[Draft]:
    """Two callers, sessions, errors, unusual records that are kept whole, decisions, resources, two accounts."""
    made = []
    for number in range(count):
        members: dict[str, Any] = {"eventTime": f"2026-01-02T03:{number // 60 % 60:02}:{number % 60:02}Z"}
        match number % 7:
            case 1:
                members |= {"userIdentity": BOB, "errorCode": "AccessDenied", "sourceIPAddress": "192.0.2.7"}
            case 2:
                members |= {"userIdentity": SESSION}
            case 3:
                members |= {"eventID": f"no-uuid-{number}"}
            case 4:
                members |= {"recipientAccountId": OTHER, "userAgent": ...}
            case 5:
                made.append(draft(NATIVE, b'{"decision":"allowed"}', **members))
                continue
        made.append(draft(FILE if number % 2 else NATIVE, **members))
    return made


def fill(log: Log) -> None:
    log.append(various(300))
    Checkpoints(log, KEY).publish(ACCOUNT)
    log.append(various(400))
    for account_id in log.account_ids():
        Checkpoints(log, KEY).publish(account_id)
    log.append(various(30))


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    fill(opened)
    yield opened
    opened.engine.dispose()


def verified(log: Log, **options: Any) -> Found:
    return verify_log(log, log.account_ids(), verifiers=verifiers, **options)


def kinds(found: Found) -> set[Kind]:
    return {one.kind for one in found.listed}


def first(found: Found) -> tuple[Kind, int | None]:
    assert found.first is not None
    return found.first.kind, found.first.position


def spoil(log: Log, *statements: str, **parameters: Any) -> None:
    """As somebody does who has the database and no scruples: the guards are gone while it is done."""
    with log.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
        else:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in names.scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(sa.text(statement), parameters)
        connection.commit()
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = origin")
            connection.commit()


def number(log: Log, account_id: str = ACCOUNT) -> int:
    with log.engine.connect() as connection:
        query = sa.text("SELECT id FROM accounts WHERE account_id = :account")
        return int(connection.execute(query, {"account": account_id}).scalar_one())


def test_what_nobody_touched_is_as_it_was_written(log: Log) -> None:
    told: list[int] = []
    found = verified(log, progress=lambda so_far: told.append(so_far.entries))
    assert (found.listed, found.differing) == ([], 0)
    assert found.entries == found.whole == told[-1] == 730
    assert found.checkpoints == found.signatures == 3
    assert found.accounts == {ACCOUNT: log.size(ACCOUNT), OTHER: log.size(OTHER)}


def test_an_empty_ledger_differs_in_nothing(database_url: str) -> None:
    opened = Log(open_engine(database_url, create=True))
    assert verified(opened).to_document()["differing"] == 0
    opened.engine.dispose()


def test_a_frontier_has_the_root_of_every_size() -> None:
    leaves = [number.to_bytes(32) for number in range(600)]
    tree = Frontier()
    told: list[tuple[int, int, bytes]] = []
    for size, leaf in enumerate(leaves):
        assert tree.root == plain_tree.mth(leaves[:size])
        told += tree.add(leaf)
    assert told == [
        (1, 0, plain_tree.mth(leaves[:256])),
        (1, 1, plain_tree.mth(leaves[256:512])),
    ]


# -- one change at a time (R2) ------------------------------------------------------------------------------------

ROWS = "account = :account AND position"


@pytest.mark.parametrize(
    ("statements", "kind", "position"),
    [
        (
            ["UPDATE entries SET salt = (SELECT salt FROM entries WHERE {at} = 9) WHERE {at} = 8"],
            Kind.EDITED_BODY,
            8,
        ),
        (["UPDATE entries SET action = action + 1 WHERE {at} = 8"], Kind.EDITED_COLUMN, 8),
        (["UPDATE entries SET error = NULL WHERE {at} = 1"], Kind.EDITED_COLUMN, 1),
        (["UPDATE entries SET time = time + 1 WHERE {at} = 3"], Kind.EDITED_COLUMN, 3),
        (["UPDATE entries SET back = back + 1 WHERE {at} = 8"], Kind.EDITED_COLUMN, 8),
        (["DELETE FROM mentions WHERE {at} = 8"], Kind.EDITED_COLUMN, 8),
        (["DELETE FROM entries WHERE {at} = 8"], Kind.DELETED, 8),
        (
            ["DELETE FROM entries WHERE {at} = 8", "DELETE FROM mentions WHERE {at} = 8", *["{moved}"]],
            Kind.DELETED,
            8,
        ),
        (["{swapped}"], Kind.REORDERED, 8),
        (["DELETE FROM entries WHERE {at} >= 400"], Kind.TRUNCATED, 400),
        (["UPDATE accounts SET size = size - 1 WHERE id = :account"], Kind.INSERTED, -1),
        (["UPDATE tails SET position = position - 1 WHERE account = :account"], Kind.EDITED_COLUMN, None),
        (["DELETE FROM tails WHERE account = :account"], Kind.EDITED_COLUMN, None),
        (["UPDATE tiles SET hashes = (SELECT min(leaf_hash) FROM entries)"], Kind.TREE_SPOILT, None),
        (["DELETE FROM tiles"], Kind.TREE_SPOILT, None),
        (["UPDATE checkpoints SET note = substr(note, 1, length(note) - 9)"], Kind.SIGNATURE_WRONG, None),
        (["UPDATE checkpoints SET size = size + 1"], Kind.EDITED_COLUMN, None),
        (["DELETE FROM accounts WHERE id = :account"], Kind.DELETED, None),
    ],
)
def test_each_change_is_told_by_its_kind_and_place(
    log: Log, statements: list[str], kind: Kind, position: int | None
) -> None:
    words = {
        "{at}": ROWS,
        "{moved}": f"UPDATE entries SET position = position - 1000 WHERE {ROWS} > 8;"
        f"UPDATE entries SET position = position + 999 WHERE {ROWS} < 0;"
        f"UPDATE mentions SET position = position - 1 WHERE {ROWS} > 8;"
        f"UPDATE tails SET position = position - 1 WHERE account = :account;"
        "UPDATE accounts SET size = size - 1 WHERE id = :account",
        "{swapped}": f"UPDATE entries SET position = -1 WHERE {ROWS} = 8;"
        f"UPDATE entries SET position = 8 WHERE {ROWS} = 13;"
        f"UPDATE entries SET position = 13 WHERE {ROWS} = -1",
    }
    whole = ";".join(statements)
    for word, said in words.items():
        whole = whole.replace(word, said)
    size = log.size(ACCOUNT)
    spoil(log, *whole.split(";"), account=number(log))
    found = verify_log(log, [ACCOUNT, OTHER], verifiers=verifiers)
    assert first(found) == (kind, size - 1 if position == -1 else position)


def test_what_was_put_in_between_is_told(log: Log) -> None:
    """The rows behind moved down, and a copy of another entry stands in the gap."""
    moved = [
        "UPDATE entries SET position = position - 1000 WHERE account = :account AND position >= 8",
        "UPDATE entries SET position = position + 1001 WHERE account = :account AND position < 0",
        "UPDATE accounts SET size = size + 1 WHERE id = :account",
    ]
    columns = ", ".join(column.name for column in entries.columns if column.name != "position")
    copied = (
        f"INSERT INTO entries (position, {columns}) SELECT 8, {columns} FROM entries "
        "WHERE account = :account AND position = 5"
    )
    spoil(log, *moved, copied, account=number(log))
    assert first(verified(log))[1] == 8
    assert Kind.INSERTED in kinds(verified(log))


def test_an_entry_that_says_again_what_another_says_was_put_in(log: Log) -> None:
    """Even where all hashes were made anew."""
    again = list(log.read(ACCOUNT))[3]
    with log.turn(ACCOUNT) as turn:  # which does not look for duplicates
        turn.append([Draft.of(read_record(again.document), again.origin)])
    found = verified(log)
    assert (first(found), found.differing) == ((Kind.INSERTED, log.size(ACCOUNT) - 1), 1)


# -- somebody who knows how it is made (R2, R3) -------------------------------------------------------------------


def rebuilt(log: Log, *, leave: int | None = None, rename: str | None = None) -> Log:
    """Another history in place of the log, which fits together: an entry left out, or another call in its place."""
    kept = list(log.read(ACCOUNT))
    others = list(log.read(OTHER))
    url = log.engine.url.render_as_string(hide_password=False)
    told = []
    for entry in [*kept, *others]:
        if entry.account_id == ACCOUNT and entry.position == leave:
            continue
        document = entry.document
        if rename is not None and entry.account_id == ACCOUNT and entry.position == 8:
            document = {**document, "requestParameters": {"userName": rename}}
        told.append(Draft.of(read_record(document), entry.origin, entry.authorization))
    with log.engine.connect() as connection:
        notes = connection.execute(sa.select(checkpoints)).all()
    spoil(log, *[f"DELETE FROM {table}" for table in reversed(TABLES)])
    if log.engine.dialect.name == "postgresql":
        spoil(log, "ALTER SEQUENCE accounts_id_seq RESTART")
    log.engine.dispose()
    again = Log(open_engine(url))
    again.append(told)
    with again.engine.begin() as connection:
        for row in notes:
            connection.execute(checkpoints.insert().values(tuple(row)))
    return again


def anchor(log: Log, account_id: str = ACCOUNT) -> Checkpoint:
    return open_checkpoint(Checkpoints(log, KEY).publish(account_id), verifiers(account_id))


@pytest.mark.parametrize("change", [{"leave": 8}, {"rename": "mallory"}])
def test_a_history_that_fits_together_is_found_by_what_was_signed(log: Log, change: dict[str, Any]) -> None:
    again = rebuilt(log, **change)
    found = verified(again)
    assert kinds(found) <= {Kind.REWRITTEN, Kind.TRUNCATED, Kind.EDITED_COLUMN} and Kind.REWRITTEN in kinds(
        found
    )
    again.engine.dispose()


@pytest.mark.parametrize("change", [{"leave": 8}, {"rename": "mallory"}])
def test_a_history_signed_anew_is_found_by_an_anchor_and_by_nothing_else(
    log: Log, change: dict[str, Any]
) -> None:
    """The attacker has the key."""
    kept = anchor(log)
    again = rebuilt(log, **change)
    spoil(again, "DELETE FROM checkpoints")
    for account_id in again.account_ids():
        Checkpoints(again, KEY).publish(account_id)
    without = verified(again)
    assert (without.listed, without.anchors) == ([], {})
    found = verified(again, anchors={ACCOUNT: [kept]})
    assert kinds(found) <= {Kind.REWRITTEN, Kind.TRUNCATED} and found.differing == 1
    assert found.anchors == {}
    again.engine.dispose()


def test_a_tail_that_was_cut_off_with_care_is_found_by_an_anchor(log: Log) -> None:
    before = [
        (entry.document, entry.origin, entry.authorization)
        for entry in log.read(ACCOUNT)
        if entry.position < 500
    ]
    kept = anchor(log)
    url = log.engine.url.render_as_string(hide_password=False)
    spoil(log, *[f"DELETE FROM {table}" for table in reversed(TABLES)])
    log.engine.dispose()
    again = Log(open_engine(url))
    again.append([Draft.of(read_record(told), origin, decided) for told, origin, decided in before])
    assert verified(again).listed == []
    found = verified(again, anchors={ACCOUNT: [kept]})
    assert kinds(found) == {Kind.TRUNCATED}
    again.engine.dispose()


def test_an_anchor_says_how_far_it_reaches(log: Log) -> None:
    kept = [anchor(log), anchor(log, OTHER)]
    log.append(various(20))
    found = verified(log, anchors={ACCOUNT: [kept[0]], OTHER: [replace(kept[1], root=bytes(32))]})
    assert found.anchors == {ACCOUNT: kept[0].size}
    assert [(one.kind, one.account_id) for one in found.listed] == [(Kind.REWRITTEN, OTHER)]


def test_an_entry_left_out_next_to_the_end_is_told_as_deleted(log: Log) -> None:
    last = log.size(ACCOUNT) - 1
    spoil(
        log,
        f"DELETE FROM entries WHERE {ROWS} = {last - 1}",
        f"UPDATE entries SET position = position - 1 WHERE {ROWS} = {last}",
        f"UPDATE accounts SET size = {last} WHERE id = :account",
        account=number(log),
    )
    assert first(verified(log)) == (Kind.DELETED, last - 1)


# -- from a checkpoint on -----------------------------------------------------------------------------------------


def test_from_a_checkpoint_on_only_what_is_new_is_looked_at(log: Log) -> None:
    kept = anchor(log)
    log.append(various(50))
    found = verified(log, since={ACCOUNT: kept})
    assert (found.listed, found.anchors) == ([], {ACCOUNT: kept.size})
    assert found.entries == log.size(ACCOUNT) - kept.size + log.size(OTHER)


def test_from_a_checkpoint_on_what_was_done_is_found(log: Log) -> None:
    kept = anchor(log)
    log.append(various(50))
    spoil(
        log,
        f"UPDATE entries SET action = action + 1 WHERE {ROWS} = :place",
        account=number(log),
        place=kept.size + 3,
    )
    assert first(verified(log, since={ACCOUNT: kept})) == (Kind.EDITED_COLUMN, kept.size + 3)


def test_a_log_that_does_not_begin_so_is_not_verified_from_there_on(log: Log) -> None:
    kept = anchor(log)
    for wrong in (replace(kept, root=bytes(32)), replace(kept, size=kept.size + 1)):
        with pytest.raises(NotTheBeginning):
            verified(log, since={ACCOUNT: wrong})
