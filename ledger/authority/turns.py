"""Group commit: whoever holds the head of an account writes everybody's waiting calls in one transaction.

One thread decides the calls one after another, each on the account as all calls before it have left it, appends their
entries together, and answers nobody before they are durable. While the database makes them so, the next calls gather.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa

from ledger.account.account import Account
from ledger.authority.clocks import is_set_back, noted
from ledger.authority.identifiers import EventIds
from ledger.authority.standing import Standing
from ledger.entry import Draft
from ledger.iam.deciding import Forget, Keep
from ledger.log import Log, NotToBeWritten
from ledger.log.store import Turn

BATCH_MAX: Final = 512
LOG: Final = logging.getLogger(__name__)


class Unavailable(Exception):
    """The entry could not be written, so nothing has happened; the cause is the exception's."""


class Closed(Exception):
    """The authority takes no more calls."""


@dataclass(slots=True)
class Now:
    """What a call is decided on: the account after all calls before, and the second of the decision.

    `there` is the same of another account that takes part, where one does.
    """

    account: Account
    position: int  # of the entry that the call is to become
    time: int
    event_id: Callable[[], str]
    turn: Turn
    there: Now | None = None


class Written(NamedTuple):
    """What a call comes to: its entry, what the vault has to do with it, and what is answered once it is durable.

    `there` is the entry that tells of it in the log of the other account that takes part.
    """

    draft: Draft | None
    reply: Any
    secrets: tuple[Keep | Forget, ...] = ()
    there: Draft | None = None


class Vault(Protocol):
    def apply(self, connection: sa.Connection, account_id: str, secrets: Iterable[Keep | Forget]) -> None:
        """Keep and forget, in the transaction of the connection."""


Decide = Callable[[Now], Written]
Done = Callable[[Any, BaseException | None], None]


@dataclass(slots=True)
class _Waiting:
    account_id: str
    decide: Decide
    done: Done
    there: str | None = None  # another account that takes part
    reply: Any = None
    failure: BaseException | None = None


@dataclass(slots=True)
class _Books:
    """What is kept of an account between turns."""

    standing: Standing
    event_ids: EventIds = field(default_factory=EventIds)
    latest: int = 0  # second of the latest native entry
    behind: int | None = None  # the latest second that the clock was found behind, which is told once


@dataclass(slots=True)
class _Opened:
    """The books of an account whose head is held, and what is to be appended."""

    books: _Books
    turn: Turn
    drafts: list[Draft] = field(default_factory=list)

    def now(self, clock: float, at: int) -> Now:
        books, standing = self.books, self.books.standing
        if is_set_back(clock, books.latest) and books.behind != books.latest:
            books.behind = books.latest
            event_id = books.event_ids.next(clock)
            told = noted(standing.account_id, clock=clock, latest=at, event_id=event_id)
            self.drafts.append(told)
            standing.take(standing.position, told.record, native=True)
        return Now(standing.account, standing.position, at, lambda: books.event_ids.next(clock), self.turn)

    def write(self, draft: Draft, at: int) -> None:
        standing = self.books.standing
        self.books.latest = at
        self.drafts.append(draft)
        if not standing.take(standing.position, draft.record, native=True):
            # Something was imported that happened, by its time, after this call.
            self.append()
            standing.read_anew(self.turn)

    def append(self) -> None:
        if self.drafts:
            self.turn.append(self.drafts)
            self.drafts.clear()


class Turns:
    """`submit` from any thread. `done` is called in the writer's thread, and must not take long."""

    def __init__(
        self,
        log: Log,
        vault: Vault,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._vault = vault
        self._clock = clock
        self._books: dict[str, _Books] = {}
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="iam-ledger turns", daemon=True)
        self._thread.start()

    def knows(self, account_id: str) -> bool:
        """Whether there is such an account. Whoever takes a turn of another makes it."""
        return self._log.size(account_id) > 0

    def submit(self, account_id: str, decide: Decide, done: Done, *, there: str | None = None) -> None:
        """`there` is another account that takes part, whose head is then held too."""
        if self._closed:
            raise Closed("the authority is closing")
        self._queue.put(_Waiting(account_id, decide, done, there))

    def call(self, account_id: str, decide: Decide, *, there: str | None = None) -> Any:
        """Submit, and wait for the reply; raises what the decision raised."""
        future: Future[Any] = Future()

        def done(reply: Any, failure: BaseException | None) -> None:
            if failure is None:
                future.set_result(reply)
            else:
                future.set_exception(failure)

        self.submit(account_id, decide, done, there=there)
        return future.result()

    def close(self) -> None:
        """Take no more calls, and finish those that wait."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch: list[_Waiting] = []
            found = self._queue.get()
            while found is not None:
                batch.append(found)
                if len(batch) >= BATCH_MAX:
                    break
                try:
                    found = self._queue.get_nowait()
                except queue.Empty:
                    break
            else:
                going = False
            by_accounts: dict[tuple[str, ...], list[_Waiting]] = {}
            for waiting in batch:
                accounts: tuple[str, ...] = (waiting.account_id,)
                if waiting.there is not None:
                    accounts = (waiting.account_id, waiting.there)
                by_accounts.setdefault(accounts, []).append(waiting)
            for accounts, calls in by_accounts.items():
                self._take_turn(accounts, calls)
            self._train()

    def _take_turn(self, account_ids: tuple[str, ...], calls: list[_Waiting]) -> None:
        try:
            with self._log.turns(account_ids) as turns:
                self._decide([self._opened(turns[account_id]) for account_id in account_ids], calls)
        except NotToBeWritten as error:
            for waiting in calls:
                waiting.failure = Unavailable(f"nothing was done: {error}")
        except Exception as error:
            for account_id in account_ids:
                self._books.pop(account_id, None)  # they hold what has not happened
            _tell(error, account_ids[0], len(calls))
            unavailable = Unavailable("the call could not be written down, so nothing was done")
            unavailable.__cause__ = error
            for waiting in calls:
                waiting.failure = unavailable
        for waiting in calls:
            waiting.done(waiting.reply, waiting.failure)

    def _train(self) -> None:
        try:
            self._log.train_on_decided()
        except Exception:  # nobody's call depends on it
            LOG.exception("no dictionary could be trained")

    def _opened(self, turn: Turn) -> _Opened:
        books = self._books.get(turn.account_id)
        if books is None:
            books = self._books[turn.account_id] = _Books(Standing(turn.account_id))
        self._follow(books, turn)
        return _Opened(books, turn)

    def _decide(self, opened: list[_Opened], calls: list[_Waiting]) -> None:
        here, *others = opened
        for waiting in calls:
            clock = self._clock()
            # A clock that is set back does not put later calls before earlier ones.
            at = max(int(clock), here.books.latest, *[one.books.latest for one in others])
            given = here.now(clock, at)
            for one in others:
                if one.books.latest:  # what is only imported is not for this ledger to go on writing
                    given.there = one.now(clock, at)
            try:
                written = waiting.decide(given)
            except Exception as error:
                waiting.failure = error
                continue
            waiting.reply = written.reply
            if written.draft is None:
                continue
            if written.secrets:
                self._vault.apply(here.turn.connection, waiting.account_id, written.secrets)
            here.write(written.draft, at)
            if written.there is not None:
                others[0].write(written.there, at)
        for one in opened:
            one.append()

    def _follow(self, books: _Books, turn: Turn) -> None:
        """Take in what other processes have written, and go on from their clock and their ids."""
        if books.standing.position == turn.size:
            return
        for entry in books.standing.catch_up(turn) or turn.latest_native():
            if entry.origin.native:
                books.latest = max(books.latest, entry.time)
                books.event_ids.saw(entry.record.event_id)


def _tell(error: Exception, account_id: str, calls: int) -> None:
    """A database that is full or away is told in a line, for it may be so for hours and many calls."""
    said = "%d calls of account %s could not be written"
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        LOG.error(f"{said}: %s", calls, account_id, str(error.orig).partition("\n")[0])
    else:
        LOG.exception(said, calls, account_id)
