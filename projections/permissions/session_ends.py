"""Sessions that would not have been opened, and the calls that were made with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ledger.account.change import Change
from ledger.entry import Entry
from ledger.iam import SESSION_ACTIONS
from ledger.iam.sessions import session_opened
from ledger.record import Identity, Record, RecordRejected, parse_time
from projections.permissions.telling import Place
from projections.sessions import SIGN_IN_SECONDS

OPENING = frozenset(action.partition(":")[2] for action in SESSION_ACTIONS)
"""The names of events that may open a session."""


class Lost(Protocol):
    @property
    def lost(self) -> bool: ...


class LostSessions:
    """By access key; those of the console by the name of the session, or the user's unique id, and their beginning."""

    def __init__(self) -> None:
        self._keys: dict[str, Place] = {}
        self._opened: set[str] = set()
        self._named: dict[str, list[tuple[int, Place | None]]] = {}  # every opening, and whether it is lost

    def __bool__(self) -> bool:
        return bool(self._keys) or any(place for openings in self._named.values() for _, place in openings)

    def note_openings(self, calls: Iterable[Entry], turned: Mapping[Place, Lost]) -> None:
        """Take in a second: which sessions it opened, and which of them are lost. It may be said again."""
        for entry in calls:
            place = (entry.account_id, entry.position)
            told = turned.get(place)
            if told is not None and told.lost:
                self.lose(entry, place)
            else:
                self._open(entry, None)

    def lose(self, entry: Entry, place: Place) -> None:
        """The session, if this entry opened one, would not have been."""
        self._open(entry, place)

    def of(self, record: Record, identity: Identity) -> Place | None:
        """The entry that would not have opened the session with which the call was made."""
        key = identity.access_key_id
        if key is not None and key in self._keys:
            return self._keys[key]
        if not identity.temporary or key in self._opened or identity.session_began is None:
            return None
        try:
            began = parse_time(identity.session_began)
        except RecordRejected:
            return None
        name = identity.session_arn or identity.unique_id or ""
        for time, place in reversed(self._named.get(name, ())):
            if time <= began + 1:
                of_sign_in = identity.session_arn is None
                return None if of_sign_in and time < began - SIGN_IN_SECONDS else place
        return None

    def _open(self, entry: Entry, place: Place | None) -> None:
        if entry.document.get("eventName") not in OPENING:
            return
        session = session_opened(Change(entry.position, entry.record, entry.origin.native))
        if session is None:
            return
        if session.access_key_id is not None:
            self._opened.add(session.access_key_id)
            if place is not None:
                self._keys[session.access_key_id] = place
        name = session.session_arn or session.unique_id
        if name is None:
            return
        openings = self._named.setdefault(name, [])
        known = [at for at, (time, _) in enumerate(openings) if time == entry.time]
        if known:
            openings[known[-1]] = (entry.time, place or openings[known[-1]][1])
        else:
            openings.append((entry.time, place))
