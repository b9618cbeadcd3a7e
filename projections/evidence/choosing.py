"""Which entries a bundle holds, and of which stretches it claims to hold all.

The entries of each principal are a chain: a leaf names the position of the principal's entry before. So that none is
missing between two of them is seen from the leaves alone, and takes no look at what others did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import NO_TIME, accounts, entries, principals
from projections.evidence.heads import Heads
from projections.vocabulary import BadFilter, UnknownName, principals_named

REST_LEAVES_MAX: Final = 100_000  # of some 200 bytes
Place = tuple[str, int]  # account, position


class NothingThere(UnknownName):
    """There is no entry to give evidence of."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That a bundle holds all entries of a principal from position `start` up to and without `stop`.

    `principal` is the pseudonym in the leaves; None means everybody.
    """

    account_id: str
    principal: bytes | None
    start: int
    stop: int

    def told(self) -> dict[str, str | int | None]:
        whose = None if self.principal is None else self.principal.hex()
        return {"principal": whose, "start": self.start, "stop": self.stop}


@dataclass(slots=True)
class Chosen:
    """`bare` are entries of which only the leaf is told; `rests` from where on all leaves of an account's log are told."""

    shown: set[Place] = field(default_factory=set)
    bare: set[Place] = field(default_factory=set)
    claims: list[Claim] = field(default_factory=list)
    rests: dict[str, int] = field(default_factory=dict)
    open_ended: bool = (
        False  # whether something later was left out, because too much lies behind the last entry
    )


def chosen_entries(heads: Heads, found: Iterable[Entry]) -> Chosen:
    """These, and no claim. Raises as Heads."""
    chosen = Chosen(shown={(entry.account_id, entry.position) for entry in found})
    for account_id, position in sorted(chosen.shown):
        heads.check_covered(account_id, position)
    return chosen


def chosen_stretch(heads: Heads, account_id: str, *, first: int, last: int) -> Chosen:
    """Everybody's entries from one position to another, both included. Raises NothingThere, and as Heads."""
    size = heads.size(account_id)
    if not 0 <= first <= last < size:
        raise NothingThere(f"account {account_id}: no positions {first}-{last}; the log has {size} entries")
    return Chosen(
        shown={(account_id, position) for position in range(first, last + 1)},
        claims=[Claim(account_id, None, first, last + 1)],
    )


def chosen_activity(
    log: Log,
    heads: Heads,
    principal: str,
    *,
    account: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Chosen:
    """All that a principal did, or the shortest stretch of it that holds all of these times (seconds since 1970).

    Each log has its own chain, and so has each principal of that name. Within a stretch nothing is left out, though it be
    of other times. Raises NothingThere, and as Heads.
    """
    with log.engine.connect() as connection:
        people = principals_named(connection, principal)
        if not people:
            raise NothingThere(f"the ledger knows no principal {principal!r}")
        met = _accounts_of(connection, people, account)
    chosen = Chosen()
    for account_id in met:
        size = heads.size(account_id)  # before the entries are looked up: those may become more
        with log.engine.connect() as connection:
            for pseudonym, chain in _chains(connection, people, account_id, size):
                _take(chosen, account_id, pseudonym, chain, size, since, until)
    if not chosen.shown:
        raise NothingThere(f"there is nothing that {principal!r} did, where and when you ask")
    return chosen


def _take(
    chosen: Chosen,
    account_id: str,
    pseudonym: bytes,
    chain: list[tuple[int, int]],
    size: int,
    since: int | None,
    until: int | None,
) -> None:
    """`chain` are positions and times."""
    wanted = [
        index
        for index, (_, at) in enumerate(chain)
        if (since is None or at >= since) and (until is None or NO_TIME < at < until)
    ]
    if not wanted:
        return
    first, last = wanted[0], wanted[-1]
    chosen.shown |= {(account_id, position) for position, _ in chain[first : last + 1]}
    start = 0
    if first:
        start = chain[first - 1][0] + 1
        chosen.bare.add((account_id, start - 1))
    if last + 1 < len(chain):
        stop = chain[last + 1][0]
        chosen.bare.add((account_id, stop))
    else:
        stop = _end_of_chain(chosen, account_id, chain[last][0] + 1, size)
    chosen.claims.append(Claim(account_id, pseudonym, start, stop))


def _end_of_chain(chosen: Chosen, account_id: str, unseen: int, size: int) -> int:
    """That nothing came after the last entry is seen from all leaves behind it, where those are not too many."""
    if unseen == size:
        return size
    if size - unseen > REST_LEAVES_MAX:
        chosen.open_ended = True
        return unseen
    chosen.rests[account_id] = min(unseen, chosen.rests.get(account_id, unseen))
    return size


def _accounts_of(connection: sa.Connection, people: set[int], account: str | None) -> list[str]:
    query = (
        sa.select(accounts.c.account_id)
        .join(entries, entries.c.account == accounts.c.id)
        .where(among(connection, entries.c.principal, people))
        .distinct()
    )
    if account is not None:
        query = query.where(accounts.c.account_id == account)
    return sorted(connection.scalars(query))


def _chains(
    connection: sa.Connection, people: set[int], account_id: str, size: int
) -> list[tuple[bytes, list[tuple[int, int]]]]:
    """Of each pseudonym the positions and times of its entries, in the order of the log."""
    query = (
        sa.select(principals.c.pseudonym, entries.c.position, entries.c.time)
        .join(accounts, accounts.c.id == entries.c.account)
        .join(principals, principals.c.id == entries.c.principal)
        .where(
            accounts.c.account_id == account_id,
            among(connection, entries.c.principal, people),
            entries.c.position < size,
        )
    )
    rows = sorted((bytes(row.pseudonym), row.position, row.time) for row in connection.execute(query))
    return [
        (pseudonym, [(position, at) for _, position, at in group])
        for pseudonym, group in groupby(rows, key=lambda row: row[0])
    ]


def positions_of(words: str) -> tuple[int, int]:
    """`A-B`, or `A`. Raises BadFilter."""
    first, dash, last = words.partition("-")
    told = [first, last if dash else first]
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in told):
        raise BadFilter("positions", f"{words!r} is not A-B, two positions of a log")
    return int(told[0]), int(told[1])
