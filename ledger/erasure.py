"""Erasure of records that the law wants gone: an entry says so, and what proofs rest on stays (docs/erasure.md).

An entry's leaf names its body by a salted hash alone. So body and salt can go, the leaf and every proof stay, and nobody
can tell from the leaf what was there. That it is gone, since when, on whose word and why, is an entry like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa

from ledger.entry import Draft, Entry
from ledger.iam import FOLDED_ACTIONS, SESSION_ACTIONS
from ledger.log import Log
from ledger.log.bodies import UUID
from ledger.log.erasing import ERASE, take_away
from ledger.own_records import SOURCE, own_record
from ledger.record import read_record

RECORDS_MAX: Final = 1_000  # of one erasure: so its own record stays as small as CloudTrail's are

InThatTransaction = Callable[[sa.Connection, int], None]  # is given the account's number


class NotErasable(Exception):
    """Nothing was erased. The message names the first entry that can't be, and says why, in one line."""


def erase(
    log: Log,
    account_id: str,
    positions: Iterable[int],
    *,
    reason: str,
    by: str,
    also: InThatTransaction = lambda connection, account: None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Erase the records at these positions of an account's log, all or none; the position of the entry that says so.

    `reason` and `by` (whoever does it, in their system's words) are kept for ever. `also` takes away what was derived of the
    account's log, in the same transaction. What the database keeps beneath its tables is left to `sweep`. Raises
    NotErasable.
    """
    wanted = sorted(set(positions))
    if not wanted:
        raise NotErasable("no entry was named")
    if len(wanted) > RECORDS_MAX:
        raise NotErasable(f"{len(wanted)} entries are more than the {RECORDS_MAX} that go at once")
    if account_id not in log.account_ids():
        raise NotErasable(f"the ledger has no account {account_id}")
    with log.sole_turn(account_id) as turn:
        found = {entry.position: entry for entry in turn.log.fetch(turn.connection, turn.account, wanted)}
        for position in wanted:
            why = "is none of the log's" if position not in found else _why_not(found[position])
            if why is not None:
                raise NotErasable(f"account {account_id}: entry {position} {why}")
        told = [_told(found[position]) for position in wanted]
        erased_by = turn.size
        turn.append([_draft(account_id, told, reason=reason, by=by, at=turn.second(clock()))])
        take_away(
            turn,
            {position: entry.commitment for position, entry in found.items()},
            erased_by=erased_by,
            named=[one["position"] for one in told if "eventID" in one],
        )
        also(turn.connection, turn.account)
    return erased_by


def _why_not(entry: Entry) -> str | None:
    """Why an entry's record may not go; None where it may."""
    if entry.erased is not None:
        return f"was erased by entry {entry.erased.by}"
    if not entry.intact():
        return "is not what was hashed; `iam-ledger verify` tells more"  # an erasure must not cover that up
    record = entry.record
    if entry.origin.native and record.document.get("eventSource") == SOURCE:
        return f"is the ledger's own: {record.action}"
    if record.succeeded and record.action in SESSION_ACTIONS:
        return f"opened a session, which others rest on: {record.action}"
    if record.succeeded and record.action in FOLDED_ACTIONS:
        return f"is a change that the account's state rests on: {record.action}"
    return None


def _told(entry: Entry) -> dict[str, Any]:
    """An event id of AWS's form is random and names the record to whoever has it elsewhere; another form may tell of somebody."""
    event_id = entry.record.event_id
    named = UUID.fullmatch(event_id) is not None
    return {"position": entry.position} | ({"eventID": event_id} if named else {})


def _draft(account_id: str, records: Sequence[Mapping[str, Any]], *, reason: str, by: str, at: int) -> Draft:
    request = {"records": list(records), "reason": reason, "operator": by}
    document = own_record(account_id, ERASE, request, at=at, event_id=str(uuid4()))
    return Draft.of(read_record(document))
