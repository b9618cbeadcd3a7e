"""R13: the same files imported again, in another order, in other batches, and broken off by kill -9."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.log.schema import accounts
from projections.history import entities, versions
from tests.reliability.kills import import_broken_off
from tests.reliability.logs import ACCOUNTS, contents, write_logs
from tests.reliability.outcome import Outcome
from tests.reliability.soundness import looked_through, runner


def imported_again(url: str, other_url: str, folder: Path, imports: int, seed: int = 13) -> Outcome:
    """A trial is one more import into a ledger that has it all: nothing is added, so no root can change. Then a second
    ledger takes the files in another order, and comes to the same accounts.
    """
    outcome, random_ = Outcome(), random.Random(seed)
    write_logs(folder, files=20, each=60)
    log, other = Log(open_engine(url, create=True)), Log(open_engine(other_url, create=True))
    import_paths(log, [folder])
    leaves = {account_id: looked_through(url, account_id).leaves for account_id in ACCOUNTS}
    files = sorted(folder.iterdir())
    for trial in range(imports):
        random_.shuffle(files)
        batch_max = random_.choice((1, 7, 100, None)) if trial else 1
        if trial % 3 == 2:
            added, going = import_broken_off(url, folder, random_)
            outcome.check(added == 0, f"import {trial} added {added} records")
            outcome.hit += going
        else:
            again = import_paths(log, files, batch_max=batch_max)
            outcome.check(again.appended == 0, f"import {trial} added {again.appended} records")
            outcome.hit += again.duplicates > 0
        outcome.trials += 1
    for start in range(0, len(files), 3):  # in pieces, each of which the projections take in at once
        import_paths(other, files[start : start + 3], batch_max=random_.choice((5, 60, None)))
        runner(other).catch_up()
    runner(log).catch_up()
    outcome.check(contents(log) == contents(other), "another order has other contents")
    for account_id in ACCOUNTS:
        found = looked_through(url, account_id, leaves[account_id])
        outcome.found(found.wrong, account_id)
        outcome.check(found.leaves == leaves[account_id], f"the log of {account_id} has changed")
        outcome.counts["entries"] += len(found.leaves)
        one, two = _history(log, account_id), _history(other, account_id)
        outcome.check(one == two, f"another order makes another history of {account_id}")
        outcome.counts["versions of entities"] += len(one)
    log.engine.dispose()
    other.engine.dispose()
    return outcome


def _history(log: Log, account_id: str) -> list[tuple[Any, ...]]:
    """Every version of every entity of the account, with event ids in the place of positions."""
    event_ids = [entry.record.event_id for entry in log.read(account_id)]
    query = (
        sa.select(entities.c.kind, entities.c.unique_id, versions)
        .join(entities, entities.c.id == versions.c.entity)
        .join(accounts, accounts.c.id == versions.c.account)
        .where(accounts.c.account_id == account_id)
    )
    with log.engine.connect() as connection:
        rows = connection.execute(query).all()
    return sorted(
        (
            *(row.kind, row.unique_id, row.since, row.step, row.name, event_ids[row.position]),
            orjson.dumps(_by_event(orjson.loads(row.document or b"null"), event_ids)),
        )
        for row in rows
    )


def _by_event(told: Any, event_ids: list[str]) -> Any:
    """Grants and entities name the entry that made them, under members that end with `By`."""
    if isinstance(told, dict):
        return {
            name: event_ids[value]
            if name.endswith("By") and isinstance(value, int)
            else _by_event(value, event_ids)
            for name, value in told.items()
        }
    return [_by_event(one, event_ids) for one in told] if isinstance(told, list) else told
