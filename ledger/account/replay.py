"""One account as it was when its log had so many entries: the fold that follows the log, entry by entry.

The account at a position is the fold of all entries before it, in the order of their times. As a rule each entry
is not earlier than those before, and the fold goes on (`latest_second`). One that is late takes it back to an account
that was kept from before its time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.latest_second import LatestSecond, folded
from ledger.account.sightings import SightingKey, sighting_key
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS

KEPT_EVERY = 64  # events: a late one costs at most so many, and those after it
BEFORE_ALL = -1


class Replay:
    """Takes the entries of one account's log in the order of their positions."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.position = 0  # of the next entry
        self._times: list[int] = []
        self._events: list[Change | Sighting] = []  # in the order of their times
        self._seen: dict[SightingKey, Sighting] = {}
        # Accounts at the end of a second, with that second and how many events were folded into them.
        self._kept: list[tuple[int, int, Account]] = [(BEFORE_ALL, 0, Account.empty(account_id))]
        self._latest: LatestSecond | None = LatestSecond(Account.empty(account_id))

    def take(self, entry: Entry) -> None:
        """The next entry of the log."""
        if (entry.account_id, entry.position) != (self.account_id, self.position):
            raise ValueError(
                f"expected entry {self.position} of {self.account_id}, not {entry.position} of {entry.account_id}"
            )
        self.position += 1
        record = entry.record
        if record.action in FOLDED_ACTIONS and record.succeeded:
            self._add(Change(entry.position, record, entry.origin.native))
        key = sighting_key(record.identity, self.account_id)
        if key is None:
            return
        known = self._seen.get(key)
        if known is None or entry.time < known.time:
            if known is not None:
                self._remove(known)
            self._seen[key] = sighting = Sighting(entry.position, entry.time, record.identity)
            self._add(sighting)

    @property
    def account(self) -> Account:
        """The account after all that was taken."""
        if self._latest is None:
            self._latest = self._restored()
        return self._latest.account

    def _restored(self) -> LatestSecond:
        _, start, account = self._kept[-1]
        end = (
            bisect_left(self._times, self._times[-1]) if self._times else 0
        )  # the last second may not be over
        if end > start:
            account = folded(account, self._events[start:end])
            self._keep(end, account)
        latest = LatestSecond(account)
        for event in self._events[end:]:
            latest.take(event)
        return latest

    def _keep(self, end: int, account: Account) -> None:
        """The account after so many events, with which a second ended."""
        if len(self._kept) > 1 and end - self._kept[-2][1] < KEPT_EVERY:
            self._kept.pop()
        self._kept.append((self._times[end - 1], end, account))

    def _add(self, event: Change | Sighting) -> None:
        place = bisect_right(self._times, event.time)
        self._times.insert(place, event.time)
        self._events.insert(place, event)
        latest = self._latest
        if latest is None or event.time < latest.second:
            self._go_back(event.time)
            return
        if event.time > latest.second and place:
            self._keep(place, latest.account)
        latest.take(event)

    def _remove(self, sighting: Sighting) -> None:
        place = self._events.index(sighting, bisect_left(self._times, sighting.time))
        del self._times[place], self._events[place]
        self._go_back(sighting.time)

    def _go_back(self, time: int) -> None:
        """Forget accounts into which something of this second, or after it, was folded."""
        self._latest = None
        while self._kept[-1][0] >= time:
            self._kept.pop()
