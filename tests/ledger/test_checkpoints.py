"""What is signed of a log only grows, and never contradicts itself, whatever fails or whoever interferes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger.checkpoint import (
    Checkpoint,
    NoCheckpointKey,
    account_key,
    ledger_key_of,
    new_ledger_key,
    open_checkpoint,
)
from ledger.key_files import write_key_file
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints, HistoryContradicted
from ledger.log.schema import checkpoints
from ledger.log.tiles import TreeDamaged
from ledger.merkle.trees import EMPTY_ROOT, root_of
from ledger.notes import Signer, unverified_text
from ledger.vault.keys import new_key
from tests.ledger.test_every_log import ACCOUNT, OTHER, drafts
from tests.ledger.test_tiles import leaf_hashes, unguarded

KEY = new_ledger_key("tested")
SIGNER = account_key(KEY, ACCOUNT)


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


def sizes(log: Log) -> list[int]:
    """Of what is stored, in the order in which it was written."""
    with log.engine.connect() as connection:
        return list(connection.scalars(sa.select(checkpoints.c.size).order_by(checkpoints.c.size)))


def opened(note: bytes, signer: Signer = SIGNER) -> Checkpoint:
    return open_checkpoint(note, [signer.verifier])


# -- what is signed -----------------------------------------------------------------------------------------------


def test_the_head_is_signed_and_stored(log: Log) -> None:
    log.append(drafts(300))
    made = Checkpoints(log, KEY)
    note = made.publish(ACCOUNT)
    assert opened(note) == Checkpoint(f"iam-ledger/tested/{ACCOUNT}", 300, root_of(leaf_hashes(log)))
    assert made.latest(ACCOUNT) == note
    assert made.publish(ACCOUNT) == note
    log.append(drafts(1))
    assert opened(made.publish(ACCOUNT)).size == 301
    assert sizes(log) == [300, 301]


def test_who_asks_for_what_was_signed_waits_for_no_writer(sqlite_url: str) -> None:
    """And keeps none waiting: nothing is written where nothing was added."""
    log = Log(open_engine(sqlite_url, create=True))
    log.append(drafts(3))
    note = Checkpoints(log, KEY).publish(ACCOUNT)
    with log.turn(ACCOUNT):
        assert Checkpoints(log, KEY).publish(ACCOUNT) == note
    log.engine.dispose()


def test_of_an_account_that_nobody_has_met_the_empty_log_is_signed(log: Log) -> None:
    assert opened(Checkpoints(log, KEY).publish(ACCOUNT)).root == EMPTY_ROOT
    assert Checkpoints(log, KEY).latest(ACCOUNT) is None


def test_those_who_ask_often_are_told_the_same_for_a_second(log: Log) -> None:
    now = [100.0]
    made = Checkpoints(log, KEY, clock=lambda: now[0])
    log.append(drafts(1))
    first = made.fresh(ACCOUNT)
    log.append(drafts(1))
    now[0] += 0.99
    assert made.fresh(ACCOUNT) == first
    now[0] += 0.01
    assert opened(made.fresh(ACCOUNT)).size == 2


def test_a_size_of_before_is_signed_for_a_proof_and_not_stored(log: Log) -> None:
    log.append(drafts(700))
    made = Checkpoints(log, KEY)
    made.publish(ACCOUNT)
    assert opened(made.at(ACCOUNT, 513)).root == root_of(leaf_hashes(log)[:513])
    assert made.at(ACCOUNT, 700) == made.latest(ACCOUNT)
    assert sizes(log) == [700]
    for size in (701, -1):
        with pytest.raises(ValueError):
            made.at(ACCOUNT, size)


def test_logs_that_have_grown_are_due(log: Log) -> None:
    made = Checkpoints(log, KEY)
    assert made.due() == []
    log.append([*drafts(2), *drafts(1, recipientAccountId=OTHER)])
    assert made.due() == [ACCOUNT, OTHER]
    made.publish(ACCOUNT)
    assert made.due() == [OTHER]


def test_without_a_key_nothing_is_signed(log: Log) -> None:
    log.append(drafts(1))
    bare = Checkpoints(log, None)
    for ask in (bare.publish, bare.current, bare.fresh, lambda account: bare.at(account, 1)):
        with pytest.raises(NoCheckpointKey):
            ask(ACCOUNT)
    signed = Checkpoints(log, KEY).publish(ACCOUNT)
    assert bare.current(ACCOUNT) == bare.fresh(ACCOUNT) == bare.at(ACCOUNT, 1) == signed


def test_a_new_key_goes_on_where_the_old_one_ended(log: Log) -> None:
    log.append(drafts(5))
    before = Checkpoints(log, KEY).publish(ACCOUNT)
    other = new_ledger_key("tested")
    renewed = Checkpoints(log, other)
    assert opened(renewed.publish(ACCOUNT), account_key(other, ACCOUNT)).size == 5
    assert renewed.latest(ACCOUNT) == before  # nothing new was said of the log
    log.append(drafts(1))
    assert opened(renewed.publish(ACCOUNT), account_key(other, ACCOUNT)).size == 6
    assert opened(renewed.at(ACCOUNT, 5), account_key(other, ACCOUNT)).size == 5


# -- what is not signed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            ["UPDATE tiles SET hashes = CAST(substr(hashes, 33, 32) || substr(hashes, 1, 32) AS BLOB)"],
            "first 600 entries are not those that were signed",
        ),
        (
            ["DELETE FROM entries WHERE position > 550", "UPDATE accounts SET size = 551"],
            "600 entries were signed, and the log has 551",
        ),
        (["UPDATE checkpoints SET note = CAST('x' AS BLOB)"], "the checkpoint before is spoilt"),
    ],
)
def test_a_history_that_was_rewritten_is_not_signed_again(log: Log, harm: list[str], said: str) -> None:
    log.append(drafts(600))
    made = Checkpoints(log, KEY)
    made.publish(ACCOUNT)
    with unguarded(log) as connection:
        for change in harm:
            binary = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
            connection.exec_driver_sql(change.replace("BLOB", binary))
        connection.commit()
    with pytest.raises(HistoryContradicted, match=said):
        made.publish(ACCOUNT)
    with pytest.raises((HistoryContradicted, ValueError)):
        made.at(ACCOUNT, 590)


def test_a_leaf_that_was_exchanged_is_not_signed_again(log: Log) -> None:
    """In the last tile, of which nothing but the leaves is kept."""
    log.append(drafts(600))
    made = Checkpoints(log, KEY)
    made.publish(ACCOUNT)
    with unguarded(log) as connection:
        connection.exec_driver_sql(
            "UPDATE entries SET leaf_hash = (SELECT leaf_hash FROM entries WHERE position = 1) WHERE position = 599"
        )
        connection.commit()
    log.append(drafts(1))
    with pytest.raises(HistoryContradicted):
        made.publish(ACCOUNT)
    assert sizes(log) == [600]


def test_a_tree_with_a_hole_is_not_signed(log: Log) -> None:
    log.append(drafts(600))
    with unguarded(log) as connection:
        connection.exec_driver_sql("DELETE FROM entries WHERE position = 599")
        connection.commit()
    with pytest.raises(TreeDamaged):
        Checkpoints(log, KEY).publish(ACCOUNT)


def test_the_database_refuses_to_change_or_to_go_back(log: Log) -> None:
    log.append(drafts(5))
    Checkpoints(log, KEY).publish(ACCOUNT)
    changes = [
        "UPDATE checkpoints SET size = 9",
        "DELETE FROM checkpoints",
        "INSERT INTO checkpoints SELECT account, size - 1, note FROM checkpoints",
        "INSERT INTO checkpoints SELECT account, size, note FROM checkpoints",
    ]
    if log.engine.dialect.name == "sqlite":
        changes.append("REPLACE INTO checkpoints SELECT * FROM checkpoints")
    else:
        changes.append("TRUNCATE checkpoints")
    for change in changes:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), log.engine.begin() as connection:
            connection.exec_driver_sql(change)
    assert sizes(log) == [5]


# -- many at once, and faults -------------------------------------------------------------------------------------


def test_many_sign_while_the_log_grows_and_sizes_only_grow(log: Log) -> None:
    log.append(drafts(1))
    told: list[list[bytes]] = [[] for _ in range(3)]
    ended = threading.Event()

    def sign(mine: list[bytes]) -> None:
        made = Checkpoints(log, KEY)
        while not ended.is_set():
            mine.append(made.publish(ACCOUNT))

    signers = [threading.Thread(target=sign, args=(mine,)) for mine in told]
    for one in signers:
        one.start()
    for count in range(2_000):
        log.append(drafts(1 + count % 17))
        if count >= 40 and len(sizes(log)) > 1:  # those who sign have had their turn
            break
    ended.set()
    for one in signers:
        one.join()
    hashes = leaf_hashes(log)
    for mine in told:
        heads = list(map(opened, mine))
        assert [head.size for head in heads] == sorted(head.size for head in heads)
        for head in heads:
            assert head.root == root_of(hashes[: head.size])
    stored = sizes(log)
    assert len(stored) == len(set(stored)) > 1


@pytest.mark.parametrize("persisted", [False, True])
def test_a_fault_while_it_is_stored_is_made_good_by_the_next(log: Log, persisted: bool) -> None:
    log.append(drafts(5))
    made = Checkpoints(log, KEY)
    made.publish(ACCOUNT)
    log.append(drafts(5))

    def fails(connection: sa.Connection) -> None:
        if persisted:
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
        raise RuntimeError("pulled the plug")

    sa.event.listen(log.engine, "commit", fails)
    with pytest.raises(RuntimeError):
        made.publish(ACCOUNT)
    sa.event.remove(log.engine, "commit", fails)
    assert sizes(log) == ([5, 10] if persisted else [5])
    assert opened(Checkpoints(log, KEY).publish(ACCOUNT)).size == 10
    assert sizes(log) == [5, 10]


# -- the key ------------------------------------------------------------------------------------------------------


def test_the_key_is_in_a_file_of_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_key_file(file, KEY.secret_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert ledger_key_of(file) == KEY
    with pytest.raises(FileExistsError):
        write_key_file(file, KEY.secret_text())
    file.chmod(0o640)
    with pytest.raises(NoCheckpointKey, match="others than its owner"):
        ledger_key_of(file)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", new_key(), SIGNER.secret_text(), Signer.new("elsewhere/x").secret_text()],
    ids=["empty", "nonsense", "of the vault", "of an account", "of another ledger"],
)
def test_what_is_no_key_of_a_ledger_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    """A key of the vault, and one under the name of an account, are such."""
    file = tmp_path / "key"
    write_key_file(file, text)
    with pytest.raises(NoCheckpointKey) as refused:
        ledger_key_of(file)
    assert not text or text.split("+", 4)[-1] not in str(refused.value)
    with pytest.raises(NoCheckpointKey, match="No such file"):
        ledger_key_of(tmp_path / "nothing")


def test_what_is_stored_is_what_was_told(log: Log) -> None:
    log.append(drafts(2))
    note = Checkpoints(log, KEY).publish(ACCOUNT)
    with log.engine.connect() as connection:
        (row,) = connection.execute(sa.select(checkpoints))
    assert (row.size, bytes(row.note)) == (2, note)
    assert unverified_text(note).startswith(f"iam-ledger/tested/{ACCOUNT}\n2\n")
