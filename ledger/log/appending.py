"""Puts a batch of records that were made ready into the tables, at the head of an account's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from ledger.log.names import Names
from ledger.log.preparation import Prepared
from ledger.log.rows import among_bound, bound, insert_columns, insert_rows, upsert_rows
from ledger.log.schema import Kind, accounts, arrivals, entries, mentions, tails
from ledger.log.tiles import Growing

LAG_MAX: Final = 2**23  # milliseconds: two hours and a third, in three bytes


class Writer:
    """Writes entries, and remembers from one transaction to the next what numbers stand for; `clock` tells seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._names = Names()
        self._arrived: dict[bytes, tuple[int, int]] = {}  # origin → number, milliseconds
        self._growing = Growing()

    @contextmanager
    def in_transaction(self) -> Iterator[None]:
        """To be written in; where it fails, what was remembered in it is forgotten."""
        try:
            with self._names.in_transaction():
                yield
        except BaseException:
            self._arrived.clear()
            self._growing.forget()
            raise

    def as_of(self, erasures: int) -> None:
        """Before anything is written in a transaction: how many erasures there were. With a record its names go."""
        if self._names.as_of(erasures):
            self._arrived.clear()

    def write(
        self,
        connection: sa.Connection,
        account_id: str,
        account: int,
        size: int,
        batch: Prepared,
    ) -> None:
        """Append to an account (by its id and its number) whose log has this size, and whose head is held.

        Rows are put together column by column: half the time.
        """
        now = int(self._clock() * 1000)
        self._names.learn(connection, batch)
        known = self._names.strings
        arrived_of = {
            origin: self._arrival(connection, origin, now) for origin in dict.fromkeys(batch.origin)
        }
        arrived, since = zip(*map(arrived_of.__getitem__, batch.origin), strict=True)
        frame_ids, actions = zip(*map(self._names.frames.__getitem__, batch.frame), strict=True)
        identity_ids, people, pseudonyms = zip(
            *map(self._names.identities.__getitem__, batch.identity), strict=True
        )
        positions = range(size, size + batch.size)
        last = _tails(connection, account, set(people))
        backs, leaves = _chained(account_id, now, positions, people, pseudonyms, batch.commitment, last)
        columns = (
            [account] * batch.size,
            positions,
            batch.time,
            batch.event_head,
            batch.event_tail,
            frame_ids,
            actions,
            list(map(known[Kind.ERROR].__getitem__, batch.error)),
            identity_ids,
            people,
            backs,
            list(map(known[Kind.KEY].__getitem__, batch.key)),
            batch.began,
            list(map(known[Kind.ADDRESS].__getitem__, batch.address)),
            list(map(known[Kind.AGENT].__getitem__, batch.agent)),
            arrived,
            [now - moment for moment in since],
            batch.coding,
            leaves,
            batch.salt,
            batch.body,
        )
        resources = known[Kind.RESOURCE]
        named = [
            (resources[resource], moment, account, position)
            for position, moment, mentioned in zip(positions, batch.time, batch.resources, strict=True)
            for resource in mentioned
        ]
        named.sort()  # in the order of the table, which is that of its key
        insert_columns(connection, entries, columns)
        insert_rows(connection, mentions, named)
        self._growing.grow(connection, account, account_id, size, leaves)
        moved = [(account, person, position) for person, position in sorted(last.items())]
        upsert_rows(connection, tails, moved)
        connection.execute(_MOVED_HEAD, {"account": account, "to": size + batch.size})

    def _arrival(self, connection: sa.Connection, origin: bytes, now: int) -> tuple[int, int]:
        """The number and the time of the arrival that entries of this origin count from."""
        known = self._arrived.get(origin)
        if known is None or not 0 <= now - known[1] < LAG_MAX:
            made = connection.execute(arrivals.insert().values(recorded_at=now, origin=origin))
            assert made.inserted_primary_key is not None
            known = self._arrived[origin] = (made.inserted_primary_key[0], now)
        return known


def _tails(connection: sa.Connection, account: int, people: set[int]) -> dict[int, int]:
    dialect = connection.dialect.name
    told = {"account": account, "people": bound(dialect, people)}
    return dict(map(tuple, connection.execute(_tails_of(dialect), told).all()))


def _chained(
    account_id: str,
    now: int,
    positions: Iterable[int],
    people: Sequence[int],
    pseudonyms: Sequence[bytes],
    commitments: Sequence[bytes],
    last: dict[int, int],
) -> tuple[list[int | None], list[bytes]]:
    """How far back each principal's previous entry is, and the leaf hashes; `last` is moved on.

    The bytes are Leaf.to_bytes'; a test holds the two together.
    """
    backs: list[int | None] = []
    leaves = []
    begin = f'\0{{"account":"{account_id}","commitment":"'
    end = f'","recordedAt":{now}}}'
    for position, person, pseudonym, commitment in zip(
        positions, people, pseudonyms, commitments, strict=True
    ):
        previous = last.get(person)
        last[person] = position
        backs.append(None if previous is None else position - previous)
        leaf = (
            f'{begin}{commitment.hex()}","position":{position},"previous":'
            f'{"null" if previous is None else previous},"principal":"{pseudonym.hex()}{end}'
        )
        leaves.append(sha256(leaf.encode()).digest())
    return backs, leaves


# ---- statements made once, for to make one takes longer than to run it

_MOVED_HEAD = (
    sa.update(accounts).where(accounts.c.id == sa.bindparam("account")).values(size=sa.bindparam("to"))
)


@cache
def _tails_of(dialect: str) -> sa.Select[Any]:
    return sa.select(tails.c.principal, tails.c.position).where(
        tails.c.account == sa.bindparam("account"), among_bound(dialect, tails.c.principal, "people")
    )
