"""The tree that a log keeps of itself: the same whatever the batches, the processes, the database."""

import subprocess
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.log import Log, open_engine
from ledger.log.schema import entries, metadata, tiles
from ledger.log.tiles import TreeDamaged, read_tile, tree_of
from ledger.merkle.proofs import (
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
)
from ledger.merkle.tiles import Tile, tiles_of
from ledger.merkle.trees import EMPTY_ROOT, root_at
from tests.ledger.older_schemas import take_back
from tests.ledger.test_every_log import ACCOUNT, OTHER, draft, drafts, writer
from tests.oracles import plain_tree


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


def leaf_hashes(log: Log, account_id: str = ACCOUNT) -> list[bytes]:
    return [entry.leaf_hash for entry in log.read(account_id)]


def root(log: Log, account_id: str = ACCOUNT, size: int | None = None) -> bytes:
    with log.engine.connect() as connection:
        tree = tree_of(connection, account_id)
        return root_at(tree, tree.size if size is None else size)


def check_tree(log: Log, account_id: str = ACCOUNT) -> None:
    """Every tile is the one that the leaves give, and nothing else is kept."""
    hashes = leaf_hashes(log, account_id)
    assert log.size(account_id) == len(hashes)
    with log.engine.connect() as connection:
        tree = tree_of(connection, account_id)
        assert root_at(tree, len(hashes)) == plain_tree.mth(hashes)
        wanted = list(tiles_of(len(hashes)))
        for tile in wanted:
            width = 256**tile.level
            first = tile.index * 256
            told = read_tile(connection, account_id, tile)
            assert told == b"".join(
                plain_tree.mth(hashes[number * width : (number + 1) * width])
                for number in range(first, first + tile.width)
            )
        kept = connection.execute(
            sa.select(tiles.c.level, tiles.c.number, sa.func.length(tiles.c.hashes)).where(
                tiles.c.account == number_of(connection, account_id)
            )
        )
        assert sorted(map(tuple, kept)) == [
            (tile.level, tile.index, tile.width * 32) for tile in wanted if tile.level
        ]


def number_of(connection: sa.Connection, account_id: str) -> int:
    accounts = metadata.tables["accounts"]
    return int(connection.scalars(sa.select(accounts.c.id).where(accounts.c.account_id == account_id)).one())


def test_an_empty_log_has_the_empty_tree(log: Log) -> None:
    assert root(log) == EMPTY_ROOT
    log.append(drafts(1))
    assert root(log, size=0) == EMPTY_ROOT
    assert root(log) == leaf_hashes(log)[0]


def test_appends_in_any_batches_give_the_same_tiles(log: Log) -> None:
    """Batches around the width of a tile, and one account's entries between another's."""

    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(1, 300) | st.sampled_from([1, 255, 256, 257, 512]), min_size=1, max_size=6))
    def same(batches: list[int]) -> None:
        for count in batches:
            log.append([*drafts(count), *drafts(count // 3, recipientAccountId=OTHER)])
        for account_id in log.account_ids():
            check_tree(log, account_id)

    same()


def test_a_tree_of_three_levels(log: Log) -> None:
    """65,536 leaves and some: what is written above a full tile of level 1 is the tile of level 2."""
    batch = [draft(eventID=f"{number:032x}") for number in range(256)]
    prepared = log.prepare(batch)
    with log.turn(ACCOUNT) as turn:
        for _ in range(257):  # the event ids repeat, which a turn does not look at
            log._writer.write(turn.connection, ACCOUNT, turn.account, turn.size, prepared)
            turn.size += len(batch)
    assert log.size(ACCOUNT) == 65_792
    with log.engine.connect() as connection:
        tree = tree_of(connection, ACCOUNT)
        query = sa.select(entries.c.leaf_hash).order_by(entries.c.position)
        hashes = [bytes(one) for one in connection.scalars(query)]
        assert root_at(tree, 65_792) == plain_tree.mth(hashes)
        assert read_tile(connection, ACCOUNT, Tile(2, 0, 1)) == plain_tree.mth(hashes[:65_536])
        assert read_tile(connection, ACCOUNT, Tile(1, 1, 1)) == plain_tree.mth(hashes[65_536:])
        for index in (0, 65_535, 65_536, 65_791):
            proof = prove_inclusion(tree, index=index, size=65_792)
            check_inclusion(hashes[index], proof, plain_tree.mth(hashes), index=index, size=65_792)
        steps = prove_consistency(tree, old=1_000, new=65_700)
        check_consistency(
            steps, plain_tree.mth(hashes[:1_000]), plain_tree.mth(hashes[:65_700]), old=1_000, new=65_700
        )


def test_a_tree_tells_what_it_was(log: Log) -> None:
    log.append(drafts(700))
    early = [root(log, size=size) for size in (1, 255, 256, 257, 512, 700)]
    log.append(drafts(400))
    assert [root(log, size=size) for size in (1, 255, 256, 257, 512, 700)] == early


def test_a_partial_tile_is_the_beginning_of_what_it_became(log: Log) -> None:
    log.append(drafts(600))
    hashes = leaf_hashes(log)
    with log.engine.connect() as connection:
        assert read_tile(connection, ACCOUNT, Tile(0, 0, 17)) == b"".join(hashes[:17])
        assert read_tile(connection, ACCOUNT, Tile(1, 0, 1)) == plain_tree.mth(hashes[:256])
        for tile in (Tile(0, 2), Tile(0, 2, 89), Tile(1, 0, 3), Tile(1, 0), Tile(2, 0, 1), Tile(63, 0, 1)):
            assert read_tile(connection, ACCOUNT, tile) is None
        assert read_tile(connection, OTHER, Tile(0, 0, 1)) is None


def test_four_processes_that_append_at_once_keep_one_tree(log: Log, database_url: str) -> None:
    writers: list[subprocess.Popen[str]] = [
        writer(database_url, "x" * number, batches=30, size=17) for number in range(4)
    ]
    for process in writers:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert sum(map(log.size, log.account_ids())) == 4 * 30 * 17
    for account_id in log.account_ids():
        check_tree(log, account_id)


def test_an_append_that_fails_leaves_the_tree_as_it_was(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(drafts(250))

    def fails(*_: object) -> None:
        raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr("ledger.log.appending.upsert_rows", fails)
        with pytest.raises(RuntimeError):
            log.append(drafts(20))
    check_tree(log)
    log.append(drafts(20))
    check_tree(log)


def test_a_ledger_from_before_gets_its_tree_when_it_is_opened(database_url: str) -> None:
    opened = Log(open_engine(database_url, create=True))
    opened.append([*drafts(1_300), *drafts(256, recipientAccountId=OTHER), *drafts(3)])
    before = root(opened)
    with opened.engine.begin() as connection:
        take_back(connection, "0003")
    opened.engine.dispose()
    again = Log(open_engine(database_url))
    assert root(again) == before
    for account_id in (ACCOUNT, OTHER):
        check_tree(again, account_id)
    again.append(drafts(600))
    check_tree(again)
    again.engine.dispose()


# -- never changed ------------------------------------------------------------------------------------------------


def test_the_database_lets_a_tile_grow_and_do_nothing_else(log: Log) -> None:
    log.append(drafts(700))
    nothing = "zeroblob(32)" if log.engine.dialect.name == "sqlite" else "decode(repeat('00', 32), 'hex')"
    some = "zeroblob(8224)" if log.engine.dialect.name == "sqlite" else "decode(repeat('00', 8224), 'hex')"
    changes = [
        "DELETE FROM tiles",
        "UPDATE tiles SET hashes = hashes",
        f"UPDATE tiles SET hashes = {nothing}",
        f"UPDATE tiles SET hashes = {nothing} || hashes",
        f"UPDATE tiles SET hashes = hashes || {some}",
        f"UPDATE tiles SET number = 7, hashes = hashes || {nothing}",
        f"UPDATE tiles SET level = 2, hashes = hashes || {nothing}",
        f"UPDATE tiles SET account = 7, hashes = hashes || {nothing}",
    ]
    if log.engine.dialect.name == "sqlite":
        changes.append("INSERT OR REPLACE INTO tiles SELECT * FROM tiles")
    else:
        changes.append("TRUNCATE tiles")
    for change in changes:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), log.engine.begin() as connection:
            connection.exec_driver_sql(change)
    check_tree(log)


def unguarded(log: Log) -> sa.Connection:
    """A connection of somebody who has the database and no scruples."""
    connection = log.engine.connect()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET session_replication_role = replica")
    else:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for name in names.scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    return connection


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM tiles", "tile/1/000.p/2 has 0 hashes, not 2"),
        ("UPDATE tiles SET hashes = substr(hashes, 1, 40)", "has 1 hashes, not 2"),
        ("DELETE FROM entries WHERE position = 650", "positions 512 to 699 are not all there"),
        ("UPDATE entries SET leaf_hash = substr(leaf_hash, 1, 31)", "the leaf hash at 512 is cut short"),
    ],
)
def test_what_is_missing_is_told_and_not_hashed(log: Log, harm: str, said: str) -> None:
    log.append(drafts(700))
    with unguarded(log) as connection:
        connection.exec_driver_sql(harm)
        connection.commit()
    with pytest.raises(TreeDamaged, match=said):
        root(log)


def test_a_tree_that_is_damaged_takes_nothing_more(log: Log) -> None:
    """The append that would write over the damage fails as a whole."""
    log.append(drafts(700))
    with unguarded(log) as connection:
        connection.exec_driver_sql("DELETE FROM tiles")
        connection.commit()
    log.append(drafts(10))
    with pytest.raises(TreeDamaged):
        log.append(drafts(100))
    assert log.size(ACCOUNT) == 710


def test_no_tile_below_level_one_is_kept(sqlite_url: str) -> None:
    """So that an entry takes no 32 bytes more."""
    opened = Log(open_engine(sqlite_url, create=True))
    opened.append(drafts(255))
    with opened.engine.connect() as connection:
        assert connection.execute(sa.select(tiles)).all() == []
    opened.append(drafts(1))
    with opened.engine.connect() as connection:
        assert [tuple(row)[:3] for row in connection.execute(sa.select(tiles))] == [(1, 1, 0)]
    opened.engine.dispose()
