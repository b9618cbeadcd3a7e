"""R2 and R3: entries deleted, moved, put in, exchanged, cut off; and whole histories written anew and signed with the true key.

Somebody has the database, knows how it is made, and has dropped its triggers; for R3 the ledger's key as well. Outside is
one checkpoint, which was kept.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from ledger.checkpoint import Checkpoint, account_key, new_ledger_key
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.schema import entries
from ledger.notes import unverified_text
from ledger.record import read_record
from ledger.verification.findings import Found
from ledger.verification.verification import verify_log
from tests.ledger.test_every_log import ACCOUNT, drafts
from tests.reliability.outcome import Outcome

KEY: Final = new_ledger_key("tested")
SIZE: Final = 300
FAR: Final = 100_000
COLUMNS: Final = ", ".join(column.name for column in entries.c if column.name != "position")

Change = Callable[[sqlite3.Connection, int, int], None]  # at this position, and with that one


def changed(folder: Path, each: int, seed: int = 2) -> Outcome:
    """Each kind of change, so many times, somewhere in a log of 300 entries."""
    outcome, chance = Outcome(), random.Random(seed)
    whole = folder / "whole.sqlite"
    anchor = _written(whole)
    for name, change in CHANGES.items():
        for _ in range(each):
            here, there = sorted(chance.sample(range(SIZE), 2))
            spoilt = folder / "spoilt.sqlite"
            shutil.copyfile(whole, spoilt)
            with closing(sqlite3.connect(spoilt)) as connection, connection:
                _unguard(connection)
                change(connection, here, there)
            if change is _edited:
                _hash_again(spoilt, here)
            outcome.trials += 1
            found = _verified(spoilt, anchor)
            outcome.hit += found.differing > 0
            outcome.check(found.differing > 0, f"{name} at {here} with {there} is not found")
    return outcome


def rewritten(folder: Path, histories: int, seed: int = 3) -> Outcome:
    """Without the checkpoint that was kept such a history is sound, and is told not to be anchored."""
    outcome, chance = Outcome(), random.Random(seed)
    told = drafts(SIZE)
    anchor = _written(folder / "true.sqlite", told)
    for number in range(histories):
        path, at = folder / f"{number}.sqlite", chance.randrange(SIZE)
        other = list(told)
        if chance.random() < 0.5:
            del other[at]
            other.append(drafts(1)[0])
        else:
            document = told[at].record.document | {"sourceIPAddress": "203.0.113.66"}
            other[at] = Draft.of(read_record(document), told[at].origin)
        _written(path, other)
        outcome.trials += 1
        alone, anchored = _verified(path), _verified(path, anchor)
        outcome.hit += anchored.differing > 0
        outcome.check(
            anchored.differing > 0, f"a history that is other at {at} passes for the one that was kept"
        )
        outcome.check(not alone.differing and not alone.anchors, f"without an anchor, {at}: {alone.first}")
    return outcome


def _written(path: Path, told: list[Draft] | None = None) -> Checkpoint:
    log = Log(open_engine(str(path), create=True))
    log.append(drafts(SIZE) if told is None else told)
    note = Checkpoints(log, KEY).publish(ACCOUNT)
    log.engine.dispose()
    return Checkpoint.of_text(unverified_text(note))


def _verified(path: Path, anchor: Checkpoint | None = None) -> Found:
    engine = open_engine(str(path))
    try:
        return verify_log(
            Log(engine),
            [ACCOUNT],
            verifiers=lambda account_id: [account_key(KEY, account_id).verifier],
            anchors={} if anchor is None else {ACCOUNT: [anchor]},
        )
    finally:
        engine.dispose()


def _unguard(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DELETE FROM checkpoints")  # nothing within the database shall show it


def _deleted(connection: sqlite3.Connection, here: int, there: int) -> None:
    connection.execute("DELETE FROM entries WHERE position = ?", (here,))


def _deleted_and_renumbered(connection: sqlite3.Connection, here: int, there: int) -> None:
    _deleted(connection, here, there)
    connection.execute(f"UPDATE entries SET position = position + {FAR} WHERE position > ?", (here,))
    connection.execute(f"UPDATE entries SET position = position - {FAR + 1} WHERE position >= {FAR}")
    connection.execute("UPDATE accounts SET size = size - 1")


def _swapped(connection: sqlite3.Connection, here: int, there: int) -> None:
    for was, becomes in ((here, FAR), (there, here), (FAR, there)):
        connection.execute("UPDATE entries SET position = ? WHERE position = ?", (becomes, was))


def _inserted(connection: sqlite3.Connection, here: int, there: int) -> None:
    connection.execute(f"UPDATE entries SET position = position + {FAR} WHERE position >= ?", (here,))
    connection.execute(f"UPDATE entries SET position = position - {FAR - 1} WHERE position >= {FAR}")
    connection.execute(
        f"INSERT INTO entries (position, {COLUMNS}) SELECT ?, {COLUMNS} FROM entries WHERE position = ?",
        (here, there + 1),
    )
    connection.execute("UPDATE accounts SET size = size + 1")


def _edited(connection: sqlite3.Connection, here: int, there: int) -> None:
    connection.execute(
        "UPDATE entries SET salt = randomblob(32), time = time + 1 WHERE position = ?", (here,)
    )


def _truncated(connection: sqlite3.Connection, here: int, there: int) -> None:
    connection.execute("DELETE FROM entries WHERE position >= ?", (there,))
    connection.execute("UPDATE accounts SET size = ?", (there,))


def _hash_again(path: Path, position: int) -> None:
    """The leaf hash that belongs to what stands there now."""
    engine = open_engine(str(path))
    entry = Log(engine).entry(ACCOUNT, position)
    assert entry is not None
    with engine.execution_options(writes=True).begin() as connection:
        at = entries.c.position == position
        connection.execute(entries.update().where(at).values(leaf_hash=entry.leaf.hash()))
    engine.dispose()


CHANGES: Final[dict[str, Change]] = {
    "deleted": _deleted,
    "deleted and renumbered": _deleted_and_renumbered,
    "swapped": _swapped,
    "inserted": _inserted,
    "edited, with its leaf hash": _edited,
    "truncated": _truncated,
}
