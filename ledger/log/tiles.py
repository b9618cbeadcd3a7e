"""The tree of each account's log, kept as its entries are appended.

Of level 0 nothing is kept but the leaf hashes that the entries have; a row is a tile of a level above. So an entry costs
the tree nothing, and 256 of them a row that grows by 32 bytes. See docs/decisions/0007-tree.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ledger.log.rows import insert_rows
from ledger.log.schema import accounts, entries, tiles
from ledger.merkle.tiles import TILE_BYTES, TILE_WIDTH, Tile, TiledTree, roots_of_full
from ledger.merkle.trees import HASH_BYTES


class TreeDamaged(Exception):
    """What the database holds of a tree is not what was written; the message says where."""


class Growing:
    """The trees that a writer lets grow. The leaf hashes since a log's last full tile are remembered, for to read them back
    takes longer than to hash them.

    What was remembered in a transaction that failed has to be forgotten.
    """

    def __init__(self) -> None:
        self._begun: dict[int, tuple[int, bytes]] = {}  # account → size of the log, hashes

    def forget(self) -> None:
        self._begun.clear()

    def grow(
        self,
        connection: sa.Connection,
        account: int,
        account_id: str,
        size: int,
        leaf_hashes: Sequence[bytes],
    ) -> None:
        """Take the leaf hashes from position `size` on into the tree, in the transaction that appends them."""
        begun, after = size % TILE_WIDTH, size + len(leaf_hashes)
        known, earlier = self._begun.pop(account, (0, b""))
        fills = begun + len(leaf_hashes) >= TILE_WIDTH
        if known != size:
            if not fills:
                return  # no tile becomes full, so none above changes
            earlier = _Stored(connection, account, account_id).leaf_hashes(size - begun, size)
        hashes = b"".join((earlier, *leaf_hashes))
        if fills:
            _grow(connection, account, account_id, size // TILE_WIDTH, hashes)
        self._begun[account] = after, hashes[len(hashes) - after % TILE_WIDTH * HASH_BYTES :]


def _grow(connection: sa.Connection, account: int, account_id: str, first: int, hashes: bytes) -> None:
    """Take what stands in level 0 from the beginning of tile `first` on into the levels above."""
    tree, roots, level = _Stored(connection, account, account_id), roots_of_full(hashes), 1
    while roots:
        index, begun = divmod(first, TILE_WIDTH)
        hashes = tree.hashes(Tile(level, index, begun)) + roots if begun else roots
        _write(connection, account, level, index, hashes, replaces=begun > 0)
        roots, first, level = roots_of_full(hashes), index, level + 1


def _write(
    connection: sa.Connection, account: int, level: int, index: int, hashes: bytes, *, replaces: bool
) -> None:
    """A row for each tile that the hashes fill or begin, from the tile `index` on."""
    cut = [hashes[start : start + TILE_BYTES] for start in range(0, len(hashes), TILE_BYTES)]
    if replaces:
        connection.execute(_FILLED, {**_place(account, level, index), "to": cut[0]})
    new = enumerate(cut[1:], index + 1) if replaces else enumerate(cut, index)
    insert_rows(connection, tiles, [(account, level, number, content) for number, content in new])


def tree_of(connection: sa.Connection, account_id: str) -> TiledTree:
    """The account's tree as large as it is now, read by the connection; of no leaves where there is no such account."""
    row = connection.execute(_HEAD, {"account_id": account_id}).first()
    if row is None:
        return TiledTree(0, lambda tile: b"")
    return TiledTree(row.size, _Stored(connection, row.id, account_id).hashes)


def read_tile(connection: sa.Connection, account_id: str, tile: Tile) -> bytes | None:
    """The hashes of a tile; None where the log is not as large yet."""
    row = connection.execute(_HEAD, {"account_id": account_id}).first()
    if row is None or (tile.index * TILE_WIDTH + tile.width) * TILE_WIDTH**tile.level > row.size:
        return None
    return _Stored(connection, row.id, account_id).hashes(tile)


class _Stored:
    """One account's tiles in the database. A partial tile is the beginning of what is kept, for that only grows."""

    def __init__(self, connection: sa.Connection, account: int, account_id: str) -> None:
        self._connection = connection
        self._account = account
        self._account_id = account_id

    def hashes(self, tile: Tile) -> bytes:
        """Raises TreeDamaged."""
        if tile.level == 0:
            start = tile.index * TILE_WIDTH
            return self.leaf_hashes(start, start + tile.width)
        place = _place(self._account, tile.level, tile.index)
        found = bytes(self._connection.execute(_KEPT, place).scalar() or b"")[: tile.width * HASH_BYTES]
        if len(found) != tile.width * HASH_BYTES:
            raise TreeDamaged(
                f"account {self._account_id}: {tile.path} has {len(found) // HASH_BYTES} hashes, not {tile.width}"
            )
        return found

    def leaf_hashes(self, start: int, stop: int) -> bytes:
        """Of the entries from `start` up to and without `stop`, one after the other. Raises TreeDamaged."""
        if start == stop:
            return b""
        stretch = {"account": self._account, "start": start, "stop": stop}
        rows = self._connection.execute(_LEAVES, stretch).all()
        if [position for position, _ in rows] != list(range(start, stop)):
            raise TreeDamaged(
                f"account {self._account_id}: positions {start} to {stop - 1} are not all there"
            )
        for position, leaf_hash in rows:
            if len(leaf_hash) != HASH_BYTES:
                raise TreeDamaged(f"account {self._account_id}: the leaf hash at {position} is cut short")
        return b"".join([leaf_hash for _, leaf_hash in rows])


# ---- statements made once, for to make one takes longer than to run it

_HEAD = sa.select(accounts.c.id, accounts.c.size).where(accounts.c.account_id == sa.bindparam("account_id"))
_LEAVES = (
    sa.select(entries.c.position, entries.c.leaf_hash)
    .where(
        entries.c.account == sa.bindparam("account"),
        entries.c.position >= sa.bindparam("start"),
        entries.c.position < sa.bindparam("stop"),
    )
    .order_by(entries.c.position)
)
_THERE = (
    tiles.c.account == sa.bindparam("in_account"),
    tiles.c.level == sa.bindparam("at_level"),
    tiles.c.number == sa.bindparam("at_number"),
)
_KEPT = sa.select(tiles.c.hashes).where(*_THERE)
_FILLED = sa.update(tiles).where(*_THERE).values(hashes=sa.bindparam("to"))


def _place(account: int, level: int, index: int) -> dict[str, int]:
    return {"in_account": account, "at_level": level, "at_number": index}
