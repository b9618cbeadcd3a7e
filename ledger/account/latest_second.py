"""The fold where it grows: an account, and the events of the latest second, whose order may still change.

Calls of one second are many where an authority writes them, so the account is moved on by each, and the second is folded
anew only where something that was imported, or the first sign of a caller, may come between them.
"""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.fold import fold
from ledger.account.sightings import sighted
from ledger.iam import evolve


class LatestSecond:
    """`account` is the fold of `before`, which is the account at the end of a second, and of all that was taken since."""

    __slots__ = ("_changes", "_orderly", "_sightings", "account", "before", "second")

    def __init__(self, before: Account) -> None:
        self.second = -1  # since 1970; nothing was taken yet
        self.account = before
        self._begin()

    def _begin(self) -> None:
        self.before = self.account
        self._changes: list[Change] = []
        self._sightings: list[Sighting] = []
        self._orderly = True  # whether the events of the second count in the order in which they came

    def take(self, event: Change | Sighting) -> None:
        """An event of the latest second, or of a later one."""
        assert event.time >= self.second, f"an event of second {event.time} came after one of {self.second}"
        if event.time > self.second:
            self.second = event.time
            self._begin()
        after = self.account
        if isinstance(event, Change):
            self._changes.append(event)
            self._orderly = self._orderly and event.native
            after = evolve(after.settled(), event)
        else:
            self._sightings.append(event)
        # Native changes of a second are in the order of their positions; sightings come last in it, and mostly tell
        # nothing new. Where that is not so, it stays so until the second is over.
        news = any(sighted(after.settled(), it).touched for it in self._sightings)
        self._orderly = self._orderly and not news
        if self._orderly:
            self.account = after
            return
        self.account = folded(self.before, [*self._changes, *self._sightings])


def folded(account: Account, events: list[Change | Sighting]) -> Account:
    """The account after the events, which are in the order of their times."""
    for step in fold(account, events):
        account = step.account
    return account
