"""The tree and its proofs, beside the definition, others' known answers, and probes that must fail."""

import base64
import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import leaf_hash
from ledger.merkle.proofs import (
    NotProved,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
)
from ledger.merkle.tiles import (
    Bundle,
    NoSuchTile,
    Tile,
    TiledTree,
    roots_of_full,
    split,
    tile_at,
    tile_in,
    tiles_of,
)
from ledger.merkle.trees import EMPTY_ROOT, LeafHashes, node_hash, root_at, root_of
from tests.oracles import plain_tree

SIZE_MAX = 3_000
LEAVES = [leaf_hash(str(number).encode()) for number in range(SIZE_MAX)]
sizes = st.integers(0, SIZE_MAX)


def tiled(size: int) -> TiledTree:
    """The tree over tiles that were cut from the leaves level by level."""
    return TiledTree(size, lambda tile: hashes_of(size, tile))


def hashes_of(size: int, tile: Tile) -> bytes:
    level = b"".join(LEAVES[:size])
    for _ in range(tile.level):
        level = roots_of_full(level)
    start = tile.index * 256 * 32
    return level[start : start + tile.width * 32]


# -- beside the definition ----------------------------------------------------------------------------------------


@given(sizes)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    wanted = plain_tree.mth(LEAVES[:size])
    assert root_of(LEAVES[:size]) == wanted
    assert root_at(LeafHashes(LEAVES), size) == wanted
    assert root_at(tiled(SIZE_MAX), size) == wanted
    assert root_at(tiled(size), size) == wanted


@given(st.data())
def test_inclusion_is_proved_as_defined_and_checks(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(tiled(SIZE_MAX), index=index, size=size)
    assert proof == plain_tree.path(index, LEAVES[:size])
    check_inclusion(LEAVES[index], proof, plain_tree.mth(LEAVES[:size]), index=index, size=size)


@given(st.data())
def test_consistency_is_proved_as_defined_and_checks(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, SIZE_MAX))
    old = data.draw(st.integers(1, new))
    proof = prove_consistency(tiled(SIZE_MAX), old=old, new=new)
    assert proof == plain_tree.proof(old, LEAVES[:new])
    check_consistency(proof, plain_tree.mth(LEAVES[:old]), plain_tree.mth(LEAVES[:new]), old=old, new=new)


def test_every_small_tree() -> None:
    tree = LeafHashes(LEAVES)
    for size in range(1, 40):
        root = root_at(tree, size)
        for index in range(size):
            proof = prove_inclusion(tree, index=index, size=size)
            assert proof == plain_tree.path(index, LEAVES[:size])
            check_inclusion(LEAVES[index], proof, root, index=index, size=size)
        for old in range(1, size + 1):
            steps = prove_consistency(tree, old=old, new=size)
            check_consistency(steps, root_at(tree, old), root, old=old, new=size)


# -- spoiling -----------------------------------------------------------------------------------------------------


@given(st.data())
def test_a_spoilt_proof_of_inclusion_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(LeafHashes(LEAVES), index=index, size=size)
    root = root_of(LEAVES[:size])
    parts = [LEAVES[index], root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(NotProved):
        check_inclusion(parts[0], parts[2:], parts[1], index=index, size=size)
    with pytest.raises(NotProved):
        check_inclusion(LEAVES[index], spoilt_list(data, proof), root, index=index, size=size)
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))
    with pytest.raises(NotProved):
        check_inclusion(LEAVES[index], proof, root, index=other, size=size)


@given(st.data())
def test_a_spoilt_proof_of_consistency_proves_nothing(data: st.DataObject) -> None:
    new = data.draw(st.integers(3, 300))
    old = data.draw(st.integers(1, new - 1))
    proof = prove_consistency(LeafHashes(LEAVES), old=old, new=new)
    begun, root = root_of(LEAVES[:old]), root_of(LEAVES[:new])
    parts = [begun, root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    with pytest.raises(NotProved):
        check_consistency(parts[2:], parts[0], parts[1], old=old, new=new)
    with pytest.raises(NotProved):
        check_consistency(spoilt_list(data, proof), begun, root, old=old, new=new)


def flipped(told: bytes, bit: int) -> bytes:
    spoilt = bytearray(told)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def spoilt_list(data: st.DataObject, proof: list[bytes]) -> list[bytes]:
    """One hash more, fewer, or of another length."""
    at = data.draw(st.integers(0, len(proof) - 1))
    how = data.draw(st.sampled_from(["more", "fewer", "cut", "moved"]))
    if how == "more":
        return [*proof[:at], LEAVES[0], *proof[at:]]
    if how == "fewer":
        return proof[:at] + proof[at + 1 :]
    if how == "cut" or len(proof) == 1:
        return [*proof[:at], proof[at][:-1], *proof[at + 1 :]]
    return [*proof[1:], proof[0]]


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (7, 7)])
def test_what_is_not_in_the_tree_can_neither_be_proved_nor_checked(index: int, size: int) -> None:
    with pytest.raises(ValueError):
        prove_inclusion(LeafHashes(LEAVES), index=index, size=size)
    with pytest.raises(NotProved):
        check_inclusion(LEAVES[0], [], LEAVES[0], index=index, size=size)


@pytest.mark.parametrize(("old", "new"), [(-1, 4), (0, 4), (0, 0), (5, 4)])
def test_of_no_tree_and_of_a_larger_one_nothing_is_proved(old: int, new: int) -> None:
    with pytest.raises(ValueError):
        prove_consistency(LeafHashes(LEAVES), old=old, new=new)
    with pytest.raises(NotProved):
        check_consistency([], LEAVES[0], LEAVES[1], old=old, new=new)


def test_a_stretch_that_is_not_there_has_no_hash() -> None:
    with pytest.raises(IndexError):
        LeafHashes(LEAVES[:3]).subtree(height=1, index=1)
    with pytest.raises(IndexError):
        tiled(3).subtree(height=0, index=256)


# -- others' answers ----------------------------------------------------------------------------------------------


def probes(vectors: Path, name: str) -> list[dict[str, Any]]:
    found = json.loads((vectors / "transparency-dev-merkle" / f"{name}.json").read_text())
    assert len(found) == 98
    return list(found)


def decoded(told: str | None) -> bytes:
    return base64.b64decode(told or "")


def test_the_probes_of_inclusion(vectors: Path) -> None:
    for probe in probes(vectors, "inclusion"):
        try:
            check_inclusion(
                decoded(probe["leafHash"]),
                list(map(decoded, probe["proof"] or [])),
                decoded(probe["root"]),
                index=probe["leafIdx"],
                size=probe["treeSize"],
            )
            refused = False
        except NotProved:
            refused = True
        assert refused is probe["wantErr"], (probe["_file"], probe["desc"])


def test_the_probes_of_consistency(vectors: Path) -> None:
    for probe in probes(vectors, "consistency"):
        try:
            check_consistency(
                list(map(decoded, probe["proof"] or [])),
                decoded(probe["root1"]),
                decoded(probe["root2"]),
                old=probe["size1"],
                new=probe["size2"],
            )
            refused = False
        except NotProved:
            refused = True
        assert refused is probe["wantErr"], (probe["_file"], probe["desc"])


@pytest.fixture(scope="module")
def known(vectors: Path) -> Any:
    """The answers that the first Certificate Transparency log was tested by."""
    return json.loads((vectors / "google-ct" / "known-answers.json").read_text())


def unhex(told: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in told]


def test_known_hashes_and_roots(known: Any) -> None:
    assert bytes.fromhex(known["empty_root"]) == EMPTY_ROOT == root_of([])
    for leaf, wanted in known["leaf_hash"]:
        assert leaf_hash(bytes.fromhex(leaf)).hex() == wanted
    for left, right, wanted in known["node_hash"]:
        assert node_hash(bytes.fromhex(left), bytes.fromhex(right)).hex() == wanted
    leaves = list(map(leaf_hash, unhex(known["leaves_hex"])))
    assert [root_of(leaves[:size]).hex() for size in range(1, 9)] == known["roots_1_to_8"]


def test_known_proofs(known: Any) -> None:
    leaves = list(map(leaf_hash, unhex(known["leaves_hex"])))
    tree = LeafHashes(leaves)
    proved = 0
    for one in known["inclusion_paths"]:
        if one["leaf_1based"]:
            found = prove_inclusion(tree, index=one["leaf_1based"] - 1, size=one["tree_size"])
            assert found == unhex(one["path"])
            proved += 1
    for one in known["consistency"]:
        assert prove_consistency(tree, old=one["size1"], new=one["size2"]) == unhex(one["proof"])
        check_consistency(
            unhex(one["proof"]),
            bytes.fromhex(one["root1"]),
            bytes.fromhex(one["root2"]),
            old=one["size1"],
            new=one["size2"],
        )
        proved += 1
    assert proved == 9
    real = known["real_ct_log_inclusion"]
    leaf, root = bytes.fromhex(real["leaf_hex"]), bytes.fromhex(real["root"])
    place = {"index": real["leaf_index"], "size": real["tree_size"]}
    assert (place["size"], len(real["path"])) == (3_630_887, 22)
    check_inclusion(leaf_hash(leaf), unhex(real["path"]), root, **place)
    with pytest.raises(NotProved):
        check_inclusion(leaf_hash(leaf + b"\0"), unhex(real["path"]), root, **place)


# -- tiles --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 300_000_000))
def test_the_tiles_of_a_size_hold_every_complete_hash(size: int) -> None:
    by_level: dict[int, int] = {}
    if size > 100_000:
        size %= 100_000
    for tile in tiles_of(size):
        assert tile == tile_in(size, tile.level, tile.index)
        by_level[tile.level] = by_level.get(tile.level, 0) + tile.width
    assert by_level == {level: size >> 8 * level for level in range(8) if size >> 8 * level}


def test_the_example_of_the_specification() -> None:
    found = list(tiles_of(70_000))
    assert [tile for tile in found if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert len(found) == 273 + 1 + 1 + 1 + 1
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert Tile(3, 1_234_067).path == "tile/3/x001/x234/067"
    assert Tile(0, 0, 5).path == "tile/0/000.p/5"
    assert Bundle(1_000, 255).path == "tile/entries/x001/000.p/255"


@given(st.integers(0, 63), st.integers(0, 2**62), st.integers(1, 256))
def test_a_path_names_its_tile(level: int, index: int, width: int) -> None:
    for one in (Tile(level, index, width), Bundle(index, width)):
        assert tile_at(one.path.removeprefix("tile/")) == one


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "00/000",
        "64/000",
        "-1/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/x000/001",
        "0/001/002",
        "0/x001",
        "0/x001/x002",
        "0/X001/002",
        "0/٠٠٠",
        "entries/1",
        "entries/000.p/300",
        "entry/000",
        "0/000/",
        "0//000",
        "0/000\n",
        "0/" + "x001/" * 9 + "000",
    ],
)
def test_a_path_that_names_no_tile_is_refused(path: str) -> None:
    with pytest.raises(NoSuchTile):
        tile_at(path)


@given(st.text())
def test_no_path_does_anything_but_name_or_be_refused(path: str) -> None:
    with suppress(NoSuchTile):
        assert tile_at(path).path == f"tile/{path}"


def test_the_leaves_are_hashed_as_rfc_6962_says() -> None:
    assert LEAVES[7] == sha256(b"\x007").digest()
    assert split(b"".join(LEAVES[:3])) == LEAVES[:3]
