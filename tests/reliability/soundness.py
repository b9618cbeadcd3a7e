"""What must hold of a ledger after any fault, read from the database alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.account.account import Account
from ledger.account.replay import Replay
from ledger.log import Log, open_engine
from ledger.verification.verification import verify_log
from projections.history import entities, sightings, versions
from projections.last_uses import LAST_USES
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS


@dataclass(slots=True)
class Found:
    """`leaves` are the leaf hashes of the log by position; `wrong` is empty where all is well."""

    leaves: list[bytes] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def looked_through(url: str, account_id: str, before: Sequence[bytes] = ()) -> Found:
    """An account's log: gapless, each event once, each entry as it was hashed, and still beginning with `before`.

    `verify`, too, finds nothing; what it does is not what is done here.
    """
    engine = open_engine(url)
    try:
        return _looked_through(Log(engine), account_id, before)
    finally:
        engine.dispose()


def _looked_through(log: Log, account_id: str, before: Sequence[bytes]) -> Found:
    found = Found()
    last: dict[bytes, int] = {}
    for position, entry in enumerate(log.read(account_id)):
        if entry.position != position:
            found.wrong.append(f"entry {entry.position} where {position} was to be")
        if not entry.intact():
            found.wrong.append(f"entry {position} is not what was hashed")
        if entry.previous != last.get(entry.principal):
            found.wrong.append(f"entry {position} does not follow its principal's entry before")
        last[entry.principal] = position
        found.leaves.append(entry.leaf_hash)
        found.documents.append(entry.document)
    if log.size(account_id) != len(found.leaves):
        found.wrong.append(
            f"the head is at {log.size(account_id)}, and there are {len(found.leaves)} entries"
        )
    twice = [name for name, times in Counter(one["eventID"] for one in found.documents).items() if times > 1]
    if twice:
        found.wrong.append(f"{len(twice)} event ids came twice, as {twice[0]}")
    if found.leaves[: len(before)] != list(before):
        found.wrong.append(f"the first {len(before)} entries are not what they were")
    found.wrong += [f"verify: {one.detail}" for one in verify_log(log, [account_id]).in_order]
    return found


def state_of(account: Account) -> bytes:
    """Everything that an account is, in an order of its own."""
    documents = [(str(one.kind), one.id, account.document(one)) for one in account.entities()]
    return orjson.dumps(sorted(documents, key=lambda told: told[:2]), option=orjson.OPT_SORT_KEYS)


def replayed(log: Log, account_id: str) -> Account:
    """The account by the plain fold, entry by entry."""
    replay = Replay(account_id)
    for entry in log.read(account_id):
        replay.take(entry)
    return replay.account


def runner(log: Log) -> Runner:
    return Runner(log, [HISTORY, SESSIONS, LAST_USES])


def projected(log: Log) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of the projections, but for numbers that they gave to entities themselves."""
    v = versions.c
    told = sa.select(
        entities.c.account,
        entities.c.kind,
        entities.c.unique_id,
        v.since,
        v.step,
        v.position,
        v.name,
        v.document,
    ).join(entities, entities.c.id == v.entity)
    plain = [sightings, *SESSIONS.tables, *LAST_USES.tables]
    with log.engine.connect() as connection:
        rows = {"versions": [tuple(row) for row in connection.execute(told)]}
        for table in plain:
            rows[table.name] = [tuple(row) for row in connection.execute(sa.select(table))]
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def rebuilt_alike(url: str) -> list[str]:
    """Whether projections that were brought up step by step are those that are built at once."""
    engine = open_engine(url)
    try:
        log = Log(engine)
        runner(log).catch_up()
        before = projected(log)
        runner(log).rebuild()
        after = projected(log)
    finally:
        engine.dispose()
    return [
        f"the rows of {name} differ from those built anew" for name in before if before[name] != after[name]
    ]
