"""What a question names: an account, or an event."""

from __future__ import annotations

from ledger.entry import Entry
from ledger.log import Log
from projections.vocabulary import BadFilter, UnknownName


def account_named(log: Log, named: str | None) -> str:
    """The account of that id, or the only one there is; raises UnknownName, or BadFilter where it must be said."""
    known = log.account_ids()
    if named is None and len(known) == 1:
        return known[0]
    if named is None:
        if not known:
            raise UnknownName("the ledger has no account yet")
        raise BadFilter("account", f"the ledger has several; say which: {', '.join(known)}")
    if named not in known:
        raise UnknownName(f"the ledger has no account {named!r}; it has {', '.join(known) or 'none yet'}")
    return named


def events_named(log: Log, named: str) -> list[Entry]:
    """The entries of that event id, or the one at ACCOUNT:POSITION; raises UnknownName where there is none."""
    account_id, colon, position = named.rpartition(":")
    if colon and account_id.isdigit() and position.isdigit() and len(position) < 19:
        entry = log.entry(account_id, int(position))
        found = [] if entry is None else [entry]
    else:
        found = log.entries_named(named)
    if not found:
        raise UnknownName(f"no event {named!r}")
    return found


def records_named(log: Log, named: str) -> list[Entry]:
    """As `events_named`, for whom the record itself matters; raises UnknownName where it was erased, too."""
    found = events_named(log, named)
    for entry in found:
        if entry.erased is not None:
            place = f"{entry.account_id}:{entry.position}"
            raise UnknownName(f"the record of {place} was erased by entry {entry.erased.by}")
    return found
