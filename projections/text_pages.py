"""The first entries that hold a text, in order of time, of those that a plan's other filters let through.

A text is looked for where it may stand, by block, those of the newest (or oldest) entries first, until no other block
can have a newer one. Where other filters leave less to look at, their way is taken, and only such entries are read as
are in a place where the text may stand. Either way what is found is looked up in the entry: requests, responses and
messages as JSON, ignoring the case of ASCII letters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import Key, bound_keys
from ledger.log.schema import entries
from projections import plans
from projections.plans import Order, Plan
from projections.text_blocks import LOOKED_AT, Blocks, Extent, Place, in_blocks
from projections.text_segment import BLOCK_ENTRIES
from projections.texts import Block, Places

PLACES_MAX = 20_000  # entries that are sooner looked at than found by another filter
UNREAD_MAX = 2_000  # entries of no segment, of which nothing is known, that are looked at wherever they are
STEP_MIN, STEP_MAX = 500, 20_000  # entries of the plan at a time
BLOCKS_MIN, BLOCKS_MAX = 32, 5_000  # at a time; a statement costs as much as a hundred entries


def as_in_json(text: str) -> bytes:
    """The text as JSON writes it, in lower case."""
    return orjson.dumps(text)[1:-1].lower()


def keys_holding(
    connection: sa.Connection, blocks: Blocks, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    """The account and position of the first `limit` entries, in order; of one that was erased meanwhile, too."""
    if places.unread > UNREAD_MAX or (_narrow(plan) and len(places) > PLACES_MAX):
        return _by_plan(connection, blocks.log, plan, text, places, limit)
    return _by_place(connection, blocks, plan, text, places, limit)


def _by_plan(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    query = plans.at(connection, plan, *LOOKED_AT)
    found: list[Key] = []
    step = STEP_MIN
    while True:
        keys = plans.keys(connection, plan, step)
        looked_at = [key for key in keys if key in places]
        told = {"keys": bound_keys(connection.dialect.name, looked_at)}
        held = {place[1:] for place in log.holding(connection, query, told, text)}
        found += [key for key in looked_at if key in held]
        if len(found) >= limit or len(keys) < step:
            return found[:limit]
        plan = replace(plan, stretch=replace(plan.stretch, beyond=_place(connection, keys[-1])))
        step = min(step * 4, STEP_MAX)


def _by_place(
    connection: sa.Connection, blocks: Blocks, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    order, holds = plan.stretch.order, plan.stretch.holds
    narrowed: sa.Select[Any] | None = None
    if plan.conditions or _narrow(plan):
        query = in_blocks(connection.dialect.name)
        narrowed = plans.narrowed(connection, query, plan.filters, plan.conditions)

    def held(extents: Collection[Extent]) -> list[Place]:
        found = blocks.holding(connection, extents, text, narrowed)
        return [place for place in found if holds(place)]

    ahead = _Ahead(places.in_order(order, *plan.stretch.bounds), order)
    batch = ahead.take(max(BLOCKS_MIN, limit * 5 // 4))
    looked_at = len(batch)
    found = held([*_extents(batch), *places.unread_blocks()])
    while batch:
        if len(found) < limit:
            wanted = (limit - len(found)) * looked_at * 5 // (4 * max(len(found), 1))  # at the rate so far
            batch = ahead.take(max(BLOCKS_MIN, min(wanted, 2 * looked_at, BLOCKS_MAX)))
        else:
            found.sort(reverse=order == "newest")
            batch = ahead.take(looked_at // 3 + 1, found[limit - 1][0])
        if batch:
            found += held(_extents(batch))
            looked_at += len(batch)
    found.sort(reverse=order == "newest")
    return [(account, position) for _, account, position in found[:limit]]


def _narrow(plan: Plan) -> bool:
    """Whether other filters let only some of an account's entries through."""
    return any(one.column is not entries.c.account for one in plan.filters)


class _Ahead:
    """The blocks that were not yet looked at, in order."""

    def __init__(self, blocks: Iterator[Block], order: Order) -> None:
        self._blocks, self._newest = blocks, order == "newest"
        self._next = next(blocks, None)

    def take(self, most: int, last: int | None = None) -> list[Block]:
        """The next ones, as far as they may have an entry before a `last` one, by its time, or beside it."""
        taken: list[Block] = []
        while self._next is not None and len(taken) < most:
            if last is not None and (self._next[0] < last if self._newest else self._next[0] > last):
                break
            taken.append(self._next)
            self._next = next(self._blocks, None)
        return taken


def _extents(blocks: Iterable[Block]) -> list[Extent]:
    return [(account, start, BLOCK_ENTRIES) for _, account, start in blocks]


def _place(connection: sa.Connection, key: Key) -> Place:
    account, position = key
    query = sa.select(entries.c.time).where(entries.c.account == account, entries.c.position == position)
    return connection.execute(query).scalar_one(), account, position
