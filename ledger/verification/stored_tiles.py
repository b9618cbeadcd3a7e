"""The tiles that the database holds of a tree, compared with those that the leaves give."""

from __future__ import annotations

import sqlalchemy as sa

from ledger.log.schema import tiles
from ledger.merkle.tiles import TILE_WIDTH, tiles_of
from ledger.merkle.trees import HASH_BYTES
from ledger.verification.findings import Difference, Found, Kind


class StoredTiles:
    """One account's; of each level the tile is held that is being compared."""

    def __init__(self, connection: sa.Connection, found: Found, account: int, account_id: str) -> None:
        self._connection, self._found = connection, found
        self._account, self._account_id = account, account_id
        self._at: dict[int, tuple[int, bytes]] = {}

    def compare(self, level: int, number: int, wanted: bytes) -> None:
        index, within = divmod(number, TILE_WIDTH)
        if self._at.get(level, (-1, b""))[0] != index:
            query = sa.select(tiles.c.hashes).where(
                tiles.c.account == self._account, tiles.c.level == level, tiles.c.number == index
            )
            kept = self._connection.execute(query).scalar()
            self._at[level] = index, kept if type(kept) is bytes else b""
        if self._at[level][1][within * HASH_BYTES : (within + 1) * HASH_BYTES] != wanted:
            width = TILE_WIDTH**level
            first, last = number * width, (number + 1) * width - 1
            said = f"the tree has another hash over the entries {first} to {last} (level {level}, number {number})"
            self._found.add(Difference(Kind.TREE_SPOILT, said, self._account_id))

    def end(self, size: int) -> None:
        """That there is no tile, and no hash in a tile, beyond what a tree of this size has."""
        query = (
            sa.select(tiles.c.level, tiles.c.number, sa.func.length(tiles.c.hashes))
            .where(tiles.c.account == self._account)
            .order_by(tiles.c.level, tiles.c.number)
        )
        wanted = ((tile.level, tile.index, tile.width * HASH_BYTES) for tile in tiles_of(size) if tile.level)
        for level, number, length in self._connection.execute(query):
            expected = next(wanted, None)
            if (level, number, length) != expected:
                said = f"the tree of {size} entries has not the tiles that are kept (level {level}, number {number})"
                self._found.add(Difference(Kind.TREE_SPOILT, said, self._account_id))
                return
        if (missing := next(wanted, None)) is not None:
            said = f"a tile is missing (level {missing[0]}, number {missing[1]})"
            self._found.add(Difference(Kind.TREE_SPOILT, said, self._account_id))
