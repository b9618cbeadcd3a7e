"""A history that is not the recorded one: entries left out of it, and records put into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ledger.account.change import Change
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS
from ledger.iam.sessions import session_opened
from ledger.intake.drafting import read_drafts
from ledger.intake.sources import Source, find_sources
from ledger.log import Log
from ledger.record import Record
from projections.history import History
from projections.permissions.forking import Edits
from projections.vocabulary import BadFilter

ADDED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Edited:
    """The edits, and what they were told from. `ignored` counts records of the file that change no account."""

    edits: Edits
    without: tuple[Entry, ...]
    added: tuple[Change, ...]
    ignored: int

    @property
    def since(self) -> int:
        """The first second that may be another."""
        return min(chain((entry.time for entry in self.without), (change.time for change in self.added)))


def edited(
    log: Log, history: History, without: Sequence[Entry], file: Path | None, account: str | None
) -> Edited:
    """The edits that leave these entries out and put the file's records in; raises BadFilter.

    `account` is that of records which name none themselves.
    """
    if not without and file is None:
        raise BadFilter("without", "say what is to be left out, or with --with what is to be put in")
    for entry in without:
        if not _counts(history, entry):
            name = entry.document.get("eventName")
            raise BadFilter(
                "without",
                f"{entry.record.event_id} ({name}) changed no account and opened no session: "
                "without it all is as it was",
            )
    records = [] if file is None else _records(file, account)
    counting = [record for record in records if record.action in FOLDED_ACTIONS and record.succeeded]
    if file is not None and not counting:
        raise BadFilter("with", f"{file}: none of its {len(records):,} records changes an account")
    added = tuple(_changes(log, file, counting))
    by_account: dict[str, list[Change]] = {}
    for change in added:
        by_account.setdefault(change.record.account_id, []).append(change)
    places = frozenset((entry.account_id, entry.position) for entry in without)
    edits = Edits(places, {account_id: tuple(changes) for account_id, changes in by_account.items()})
    return Edited(edits, tuple(without), added, len(records) - len(counting))


def _counts(history: History, entry: Entry) -> bool:
    if not entry.record.succeeded:
        return False
    if session_opened(Change(entry.position, entry.record, entry.origin.native)) is not None:
        return True
    return entry.record.action in FOLDED_ACTIONS and bool(history.made_by(entry.account_id, [entry.position]))


def _records(file: Path, account: str | None) -> list[Record]:
    """Every record of the file, which must be a log from its beginning to its end."""
    found: list[Record] = []
    for source in find_sources([str(file)]):
        if not isinstance(source, Source):
            raise BadFilter("with", str(source))
        source.account_hint = source.account_hint or account
        for outcome in read_drafts(source):
            if not isinstance(outcome, list):
                raise BadFilter("with", str(outcome))
            found += (draft.record for draft in outcome)
            if len(found) > ADDED_MAX:
                raise BadFilter("with", f"{file} has more than {ADDED_MAX:,} records")
    return found


def _changes(log: Log, file: Path | None, records: Iterable[Record]) -> Iterable[Change]:
    """The records at positions beyond the log, as if they had just been imported."""
    sizes: dict[str, int] = {}
    for record in records:
        account_id = record.account_id
        position = sizes.setdefault(account_id, log.size(account_id))
        if not position:
            raise BadFilter("with", f"{file}: the ledger has no account {account_id}")
        sizes[account_id] += 1
        yield Change(position, record, native=False)
