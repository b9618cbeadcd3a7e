"""The first entries that hold a text, in order of time, of those that a plan's other filters let through.

A text is looked for where it may stand, by block, those of the newest (or oldest) entries first, until no other block
can have a newer one. Where other filters leave less to look at, their way is taken, and only such entries are read as
are in a place where the text may stand. Either way what is found is looked up in the entry: requests, responses and
messages as JSON, ignoring the case of ASCII letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import among_bound, bound
from ledger.log.schema import entries
from projections import plans
from projections.plans import Key, Order, Plan
from projections.text_segment import BLOCK_ENTRIES
from projections.texts import Block, Places

PLACES_MAX = 20_000  # entries that are sooner looked at than found by another filter
UNREAD_MAX = 2_000  # entries of no segment, of which nothing is known, that are looked at wherever they are
STEP_MIN, STEP_MAX = 500, 20_000  # entries of the plan at a time
BLOCKS_FIRST, BLOCKS_MIN = 80, 32  # at a time; a statement costs as much as a hundred entries

Place = tuple[int, int, int]  # time, account, position


def as_in_json(text: str) -> bytes:
    """The text as JSON writes it, in lower case."""
    return orjson.dumps(text)[1:-1].lower()


def keys_holding(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    """The account and position of the first `limit` entries, in order."""
    narrow = any(one.column is not entries.c.account for one in plan.filters)
    if places.unread > UNREAD_MAX or (narrow and len(places) > PLACES_MAX):
        return _by_plan(connection, log, plan, text, places, limit)
    return _by_place(connection, log, plan, text, places, limit)


def _by_plan(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    found: list[Key] = []
    step = STEP_MIN
    while True:
        keys = plans.keys(connection, plan, step)
        looked_at = [key for key in keys if key in places]
        held = {place[1:] for place in _holding(connection, log, plan, looked_at, text)}
        found += [key for key in looked_at if key in held]
        if len(found) >= limit or len(keys) < step:
            return found[:limit]
        plan = replace(plan, stretch=replace(plan.stretch, beyond=_place(connection, keys[-1])))
        step = min(step * 4, STEP_MAX)


def _by_place(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    order = plan.stretch.order
    blocks = _Ahead(places.in_order(order, *plan.stretch.bounds), order)
    batch, looked_at = blocks.take(BLOCKS_FIRST), BLOCKS_FIRST
    found = _holding(connection, log, plan, [*_keys_of(batch), *places.unread_keys()], text)
    while True:
        if len(found) < limit:
            wanted = (limit - len(found)) * looked_at * 5 // (4 * max(len(found), 1))  # at the rate so far
            batch = blocks.take(max(BLOCKS_MIN, min(wanted, 2 * looked_at)))
        else:
            found.sort(reverse=order == "newest")
            batch = blocks.take(looked_at // 3 + 1, found[limit - 1][0])
        if not batch:
            break
        found += _holding(connection, log, plan, _keys_of(batch), text)
        looked_at += len(batch)
    found.sort(reverse=order == "newest")
    return [(account, position) for _, account, position in found[:limit]]


class _Ahead:
    """The blocks that were not yet looked at, in order."""

    def __init__(self, blocks: Iterator[Block], order: Order) -> None:
        self._blocks, self._newest = blocks, order == "newest"
        self._next = next(blocks, None)

    def take(self, most: int, last: int | None = None) -> list[Block]:
        """The next ones, as far as they may have an entry before a `last` one, by its time, or beside it."""
        taken: list[Block] = []
        while self._next is not None and len(taken) < most:
            if last is not None and (self._next.newest < last if self._newest else self._next.oldest > last):
                break
            taken.append(self._next)
            self._next = next(self._blocks, None)
        return taken


def _keys_of(blocks: Iterable[Block]) -> list[Key]:
    return [
        (block.account, position)
        for block in blocks
        for position in range(block.start, block.start + BLOCK_ENTRIES)
    ]


def _holding(
    connection: sa.Connection, log: Log, plan: Plan, keys: Sequence[Key], text: bytes
) -> list[Place]:
    """Those of the entries that the plan asks for and that hold the text."""
    holds = plan.stretch.holds
    return [
        (time, account, position)
        for query, told in _queries(connection, plan, keys)
        for time, account, position, body in log.bodies(connection, query, told)
        if text in body.lower() and holds((time, account, position))
    ]


def _queries(
    connection: sa.Connection, plan: Plan, keys: Sequence[Key]
) -> Iterator[tuple[sa.Select[Any], dict[str, Any]]]:
    """What to ask for time, account, position and body of these entries, as far as the plan lets them through."""
    e = entries.c
    if plan.conditions or any(one.column is not e.account for one in plan.filters):
        if keys:
            yield plans.at(connection, plan, keys, e.time, e.account, e.position, e.coding, e.body), {}
        return
    dialect = connection.dialect.name
    by_account: dict[int, list[int]] = {}
    for account, position in keys:
        by_account.setdefault(account, []).append(position)
    for account, positions in by_account.items():
        yield _bodies_at(dialect), {"account": account, "positions": bound(dialect, positions)}


@cache
def _bodies_at(dialect: str) -> sa.Select[Any]:
    """Made once, for to make it takes as long as to look at a hundred entries."""
    e = entries.c
    return sa.select(e.time, e.account, e.position, e.coding, e.body).where(
        e.account == sa.bindparam("account"), among_bound(dialect, e.position, "positions")
    )


def _place(connection: sa.Connection, key: Key) -> Place:
    account, position = key
    query = sa.select(entries.c.time).where(entries.c.account == account, entries.c.position == position)
    return connection.execute(query).scalar_one(), account, position
