"""The account as its log has it now, for whoever appends to it.

It follows the log entry by entry, and keeps no more of it than the events of the latest second, whose order may still
change. An entry that comes later than those after it (an import into a living account) has it read anew.
"""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.latest_second import LatestSecond, folded
from ledger.account.sightings import SightingKey, sighting_key
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS
from ledger.log.moving import moving
from ledger.log.store import Turn
from ledger.record import Record

READ_ANEW_FROM = 20_000  # entries that are missing: from here on only those that move the account are read
PAGE = 2_000
CALLED_MAX = 65_536


class Standing:
    """The account of `account_id` at `position`: the fold of all entries before."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.position = 0
        self._seen: dict[SightingKey, int] = {}  # when, for the first time
        # Who made native calls. Their credential showed that they are there, so that once is enough to be seen.
        self._called: set[tuple[str | None, ...]] = set()
        self._latest = LatestSecond(Account.empty(account_id))

    @property
    def account(self) -> Account:
        return self._latest.account

    def catch_up(self, turn: Turn) -> list[Entry]:
        """Take in what others have written; answers the entries that were read, if there were few."""
        missing = turn.size - self.position
        if missing <= 0:
            return []
        if self.position == 0 or missing >= READ_ANEW_FROM:
            self.read_anew(turn)
            return []
        entries = turn.read(self.position)
        for entry in entries:
            if not self.take(entry.position, entry.record, native=entry.origin.native):
                self.read_anew(turn)
                return []
        return entries

    def take(self, position: int, record: Record, *, native: bool) -> bool:
        """The next entry of the log; False where it is too late for what has been folded, and must be read anew."""
        assert position == self.position, f"expected entry {self.position}, not {position}"
        self.position += 1
        change = None
        if record.action in FOLDED_ACTIONS and record.succeeded:
            change = Change(position, record, native)
        sighting = None if native and self._calls_again(record) else self._sighting(position, record)
        if change is None and sighting is None:
            return True
        if record.time < self._latest.second:
            return False
        for event in (change, sighting):
            if event is not None:
                self._latest.take(event)
        return True

    def _calls_again(self, record: Record) -> bool:
        who = record.document["userIdentity"]
        place = who.get("arn"), who.get("principalId"), who.get("accessKeyId")
        if place in self._called:
            return True
        if len(self._called) >= CALLED_MAX:
            self._called.clear()
        self._called.add(place)
        return False

    def _sighting(self, position: int, record: Record) -> Sighting | None:
        """The first sign of the caller so far, if this is one."""
        identity = record.identity
        key = sighting_key(identity, self.account_id)
        if key is None or record.time >= self._seen.get(key, record.time + 1):
            return None
        self._seen[key] = record.time
        return Sighting(position, record.time, identity)

    def read_anew(self, turn: Turn) -> None:
        """The account from the beginning, whatever the order in which its entries came."""
        self._seen = {}
        positions = moving(turn.connection, turn.account, self.account_id, FOLDED_ACTIONS)
        events: list[Change | Sighting] = []
        for start in range(0, len(positions), PAGE):
            for entry in turn.log.fetch(turn.connection, turn.account, positions[start : start + PAGE]):
                record = entry.record
                if record.action in FOLDED_ACTIONS and record.succeeded:
                    events.append(Change(entry.position, record, entry.origin.native))
                sighting = self._sighting(entry.position, record)
                if sighting is not None:
                    events.append(sighting)
        self.position = turn.size
        last = events[-1].time if events else 0
        early = [event for event in events if event.time < last]
        self._latest = LatestSecond(folded(Account.empty(self.account_id), early))
        for event in events[len(early) :]:
            self._latest.take(event)
