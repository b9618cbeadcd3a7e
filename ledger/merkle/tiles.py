"""The tree in tiles: up to 256 hashes in a row, of the leaves at level 0, of full tiles above. Source: C2SP tlog-tiles.

Only whole levels of eight are kept; what lies between is hashed again when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.merkle.trees import HASH_BYTES, root_of

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
LEVEL_MAX: Final = 63
_PATH = re.compile(
    r"(?P<level>0|[1-9][0-9]?|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class NoSuchTile(Exception):
    """The path names no tile."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Where a tile is. `width` is how many hashes it has; fewer than TILE_WIDTH in a partial one."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return f"tile/{self.level}/{_numbered(self.index)}{_suffix(self.width)}"


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """Where the leaves themselves are, as many as the tile of level 0 has hashes."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        return f"tile/entries/{_numbered(self.index)}{_suffix(self.width)}"


def tile_at(path: str) -> Tile | Bundle:
    """The tile or bundle that is at `tile/` and the path; raises NoSuchTile."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise NoSuchTile(f"{path[:60]!r} is not the path of a tile")
    level, index, width = found["level"], _index(found["index"]), int(found["width"] or TILE_WIDTH)
    partial = found["width"] is not None
    if (partial and width == TILE_WIDTH) or width > TILE_WIDTH or found["index"] != _numbered(index):
        raise NoSuchTile(f"{path[:60]!r} is not the path of a tile")
    if level == "entries":
        return Bundle(index, width)
    if int(level) > LEVEL_MAX:
        raise NoSuchTile(f"there is no level {level}")
    return Tile(int(level), index, width)


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile that a tree of so many leaves has."""
    level = 0
    while count := size >> TILE_HEIGHT * level:
        full, rest = divmod(count, TILE_WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level += 1


def tile_in(size: int, level: int, index: int) -> Tile | None:
    """The tile as it is in a tree of so many leaves; None where it has none there yet."""
    width = min((size >> TILE_HEIGHT * level) - index * TILE_WIDTH, TILE_WIDTH)
    return Tile(level, index, width) if width > 0 else None


def roots_of_full(hashes: bytes) -> bytes:
    """The hashes that these, which begin where a tile begins, give to the level above: of each full tile, its root."""
    full = range(0, len(hashes) - TILE_BYTES + 1, TILE_BYTES)
    return b"".join(root_of(split(hashes[start : start + TILE_BYTES])) for start in full)


def split(hashes: bytes) -> list[bytes]:
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


class TiledTree:
    """The subtrees of a tree of `size` leaves, from tiles that `read` gives; each is read once."""

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def subtree(self, *, height: int, index: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        number, start = divmod(index << within, TILE_WIDTH)
        hashes = self._tile(level, number)[start * HASH_BYTES : (start + (1 << within)) * HASH_BYTES]
        return root_of(split(hashes))

    def _tile(self, level: int, index: int) -> bytes:
        known = self._tiles.get((level, index))
        if known is None:
            tile = tile_in(self.size, level, index)
            if tile is None:
                raise IndexError(f"a tree of {self.size} leaves has no tile {index} at level {level}")
            known = self._tiles[level, index] = self._read(tile)
        return known


def _numbered(index: int) -> str:
    """1234067 → x001/x234/067."""
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _index(text: str) -> int:
    return int(text.replace("/", "").replace("x", ""))


def _suffix(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
