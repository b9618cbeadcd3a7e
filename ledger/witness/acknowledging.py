"""That a log is not what a witness has seen, and that somebody knows it: an entry of the log, like everything else.

The entry says what was seen, what there is instead, and why it is to go on. It can't be made of a log that nobody
contradicts, and it holds for what it names only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid4

from ledger.entry import Draft
from ledger.log.reading import places_of
from ledger.log.store import Log
from ledger.own_records import SOURCE, own_record
from ledger.record import read_record
from ledger.witness.sending import Finding

ACKNOWLEDGE: Final = f"{SOURCE}:AcknowledgeWitness"


def acknowledge(log: Log, account_id: str, findings: Iterable[Finding], *, reason: str, by: str) -> None:
    """Write down what contradicts the log, each in an entry. `by` is whoever says so, in their system's words."""
    for finding in findings:
        if may_be_acknowledged(finding):
            log.append([_draft(account_id, finding, reason=reason, by=by)])


def may_be_acknowledged(finding: Finding) -> bool:
    """Not where the log contradicts itself, and it is not known what was seen: such a log has to be restored."""
    return finding.verdict.contradicts and finding.seen is not None


def is_acknowledged(log: Log, finding: Finding) -> bool:
    """Whether the log has an entry of its own that names just this."""
    if not may_be_acknowledged(finding):
        return False
    wanted = _told(finding)
    with log.engine.connect() as connection:
        positions = list(connection.scalars(places_of(finding.account_id, {ACKNOWLEDGE})))
    for entry in log.entries_at(finding.account_id, positions):
        if not entry.origin.native:
            continue  # what another ledger acknowledged
        told = entry.document.get("requestParameters") or {}
        if all(told.get(name) == value for name, value in wanted.items()):
            return True
    return False


def _told(finding: Finding) -> dict[str, Any]:
    return {
        "witness": finding.witness,
        "seenSize": finding.seen,
        "seenRoot": None if finding.root is None else finding.root.hex(),
    }


def _draft(account_id: str, finding: Finding, *, reason: str, by: str) -> Draft:
    request = {
        **_told(finding),
        "verdict": finding.verdict.value,
        "size": finding.size,
        "reason": reason,
        "operator": by,
    }
    document = own_record(account_id, ACKNOWLEDGE, request, at=int(time.time()), event_id=str(uuid4()))
    return Draft.of(read_record(document))
