"""A bundle: the files that a stranger checks with nothing but Python. What they mean is told in docs/evidence.md.

The same log of the same size gives the same bytes: nothing here asks the clock, and Ed25519 signs without chance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.entry import Entry, body_bytes
from ledger.log import Log
from ledger.log.erasing import erasing_entries
from ledger.log.tiles import TreeDamaged, tree_of
from ledger.merkle.trees import Subtrees, stretch_hash
from ledger.record import canonical
from projections.evidence.choosing import Chosen, Place
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import FORMAT, verify

ENTRIES_MAX: Final = 50_000  # of a few KiB each, which are all in memory at once
PAGE: Final = 1_000
Files = dict[str, bytes]


class TooMuch(Exception):
    """It would be more than a bundle holds."""


def make_bundle(
    log: Log, heads: Heads, chosen: Chosen, *, question: dict[str, Any], entries_max: int = ENTRIES_MAX
) -> Files:
    """The files of a bundle by their names. `question` says in words of the face what was asked for.

    Raises TooMuch; TreeDamaged where the result would not check: what does not is no evidence but of damage.
    """
    shown = chosen.shown | _erasures(log, heads, chosen.shown)
    places = sorted(shown | chosen.bare)
    if len(places) > entries_max:
        raise TooMuch(f"{len(places)} entries are more than the {entries_max} that a bundle holds")
    files: Files = {}
    logs = {
        account_id: _log(log, heads, replace(chosen, shown=shown), account_id, files)
        for account_id in sorted({account_id for account_id, _ in places})
    }
    document = {"format": FORMAT, "question": dict(sorted(question.items())), "logs": logs}
    files["evidence.json"] = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    for name, source in (("README.txt", "readme.txt"), ("verify_evidence.py", "verify_evidence.py")):
        files[name] = Path(__file__).with_name(source).read_bytes()
    if all(told["key"] for told in logs.values()):
        _check(files)
    return files


def _erasures(log: Log, heads: Heads, places: Collection[Place]) -> set[Place]:
    """The entries that say of any of these that its record was erased. Raises as Heads."""
    found: set[Place] = set()
    with log.engine.connect() as connection:
        for account_id in {account_id for account_id, _ in places}:
            positions = [position for whose, position in places if whose == account_id]
            found |= {(account_id, by) for by in erasing_entries(connection, account_id, positions)}
    for account_id, position in sorted(found):
        heads.check_covered(account_id, position)
    return found


def _log(log: Log, heads: Heads, chosen: Chosen, account_id: str, files: Files) -> dict[str, Any]:
    """What is told of one account's log; the records go into `files`."""
    size, verifier = heads.size(account_id), heads.verifier(account_id)
    leaves: dict[int, str] = {}
    salts: dict[str, str] = {}
    erased: dict[str, int] = {}
    with log.engine.connect() as connection:
        tree = tree_of(connection, account_id)
        for entry in _chosen(log, chosen, account_id, size):
            if not entry.intact():
                raise TreeDamaged(
                    f"account {account_id}: the entry at {entry.position} is not what was hashed"
                )
            leaves[entry.position] = entry.leaf.to_bytes().decode()
            if (account_id, entry.position) not in chosen.shown:
                continue
            if entry.erased is not None:
                erased[str(entry.position)] = entry.erased.by
            else:
                body = body_bytes(canonical(entry.document), entry.origin.to_bytes(), entry.authorization)
                files[f"records/{account_id}-{entry.position}.json"] = body
                salts[str(entry.position)] = entry.salt.hex()
        hashes = dict(_hashes(tree, sorted(leaves), 0, size))
    return {
        "checkpoint": heads.note(account_id).decode(),
        "key": None if verifier is None else str(verifier),
        "complete": [claim.told() for claim in chosen.claims if claim.account_id == account_id],
        "leaves": {str(position): leaf for position, leaf in leaves.items()},
        "hashes": hashes,
        "salts": salts,
        "erased": erased,
    }


def _hashes(tree: Subtrees, told: Sequence[int], start: int, stop: int) -> Iterator[tuple[str, str]]:
    """Over all parts of the tree of which no leaf is told, the largest; named as `hash_of` looks for them."""
    following = bisect_left(told, start)
    if following == len(told) or told[following] >= stop:
        yield f"{start}+{stop - start}", stretch_hash(tree, start, stop).hex()
    elif stop - start > 1:
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        yield from _hashes(tree, told, start, middle)
        yield from _hashes(tree, told, middle, stop)


def _chosen(log: Log, chosen: Chosen, account_id: str, size: int) -> Iterator[Entry]:
    """Those that were chosen, and where the end of a chain is to be seen, all behind it."""
    rest = chosen.rests.get(account_id, size)
    places = chosen.shown | chosen.bare
    positions = sorted(position for of, position in places if of == account_id and position < rest)
    yield from _entries(log, account_id, positions)
    yield from islice(log.read(account_id, rest), size - rest)


def _entries(log: Log, account_id: str, positions: Sequence[int]) -> Iterator[Entry]:
    """Raises TreeDamaged where one is not there."""
    for start in range(0, len(positions), PAGE):
        page = positions[start : start + PAGE]
        found = log.entries_at(account_id, page)
        if [entry.position for entry in found] != page:
            raise TreeDamaged(f"account {account_id}: entries are missing")
        yield from found


def _check(files: Files) -> None:
    """With the program that the stranger uses."""
    try:
        for _ in verify(files, []):
            pass
    except Exception as error:
        raise TreeDamaged(f"the evidence would not hold: {error}") from error
