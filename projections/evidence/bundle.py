"""A bundle: the files that a stranger checks with nothing but Python. What they mean is told in docs/evidence.md.

The same log of the same size gives the same bytes: nothing here asks the clock, and Ed25519 signs without chance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import sqlalchemy as sa

from ledger.entry import Entry, body_bytes
from ledger.log import Log
from ledger.log.erasing import erasing_entries
from ledger.log.tiles import TreeDamaged, tree_of
from ledger.merkle.proofs import prove_inclusion
from ledger.merkle.trees import Subtrees
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
    told: list[dict[str, Any]] = []
    rests: dict[str, Any] = {}
    logs = sorted({account_id for account_id, _ in places})
    for account_id in logs:
        files[f"checkpoints/{account_id}.txt"] = heads.note(account_id)
        if (verifier := heads.verifier(account_id)) is not None:
            files[f"keys/{account_id}.txt"] = f"{verifier}\n".encode()
        here = [place for place in places if place[0] == account_id]
        size = heads.size(account_id)
        with log.engine.connect() as connection:
            tree = tree_of(connection, account_id)
            for entry in _entries(log, connection, here):
                told.append(_told(entry, tree, size, files, with_body=_place(entry) in shown))
            if account_id in chosen.rests:
                rests[account_id] = _rest(log, tree, account_id, chosen.rests[account_id], size, files)
    files["evidence.json"] = _document(chosen, question, told, rests)
    for name, source in (("README.txt", "readme.txt"), ("verify_evidence.py", "verify_evidence.py")):
        files[name] = Path(__file__).with_name(source).read_bytes()
    if all(f"keys/{account_id}.txt" in files for account_id in logs):
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


def _entries(log: Log, connection: sa.Connection, places: Sequence[Place]) -> Iterator[Entry]:
    """Raises TreeDamaged where one is not there, or is not what was hashed."""
    for start in range(0, len(places), PAGE):
        page = places[start : start + PAGE]
        found = log.entries_at(page[0][0], [position for _, position in page])
        if [_place(entry) for entry in found] != page:
            raise TreeDamaged(f"account {page[0][0]}: entries are missing")
        for entry in found:
            if not entry.intact():
                raise TreeDamaged(
                    f"account {entry.account_id}: the entry at {entry.position} is not what was hashed"
                )
            yield entry


def _place(entry: Entry) -> Place:
    return entry.account_id, entry.position


def _told(entry: Entry, tree: Subtrees, size: int, files: Files, *, with_body: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "account": entry.account_id,
        "position": entry.position,
        "leaf": entry.leaf.to_bytes().decode(),
        "proof": [one.hex() for one in prove_inclusion(tree, index=entry.position, size=size)],
    }
    if entry.erased is not None:
        told["erasedBy"] = entry.erased.by
    elif with_body:
        body = body_bytes(canonical(entry.document), entry.origin.to_bytes(), entry.authorization)
        files[f"records/{entry.account_id}-{entry.position}.json"] = body
        told["salt"] = entry.salt.hex()
    return told


def _rest(log: Log, tree: Subtrees, account_id: str, start: int, size: int, files: Files) -> dict[str, Any]:
    """All leaves from `start` on, and the complete subtrees before."""
    leaves: list[bytes] = []
    for entry in log.read(account_id, start):
        if entry.position == size:
            break
        if not entry.intact():
            raise TreeDamaged(f"account {account_id}: the entry at {entry.position} is not what was hashed")
        leaves.append(entry.leaf.to_bytes())
    files[f"leaves/{account_id}.txt"] = b"\n".join(leaves)
    return {"start": start, "cover": [one.hex() for one in _cover(tree, start)]}


def _cover(tree: Subtrees, stop: int) -> Iterator[bytes]:
    """The complete subtrees over the first `stop` leaves, the largest first."""
    start = 0
    while start < stop:
        height = (stop - start).bit_length() - 1
        yield tree.subtree(height=height, index=start >> height)
        start += 1 << height


def _document(
    chosen: Chosen, question: dict[str, Any], told: list[dict[str, Any]], rests: dict[str, Any]
) -> bytes:
    claims = [
        {
            "account": claim.account_id,
            "principal": None if claim.principal is None else claim.principal.hex(),
            "start": claim.start,
            "stop": claim.stop,
        }
        for claim in chosen.claims
    ]
    document = {
        "format": FORMAT,
        "question": dict(sorted(question.items())),
        "complete": claims,
        "entries": told,
        "rest": rests,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _check(files: Files) -> None:
    """With the program that the stranger uses."""
    _, wrong = verify(files, [])
    if wrong:
        raise TreeDamaged(f"the evidence would not hold: {wrong[0]}")
