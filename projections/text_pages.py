"""The first entries that hold a text, in order of time, of those that a plan's other filters let through.

A text that may stand in few places is looked for there, by block, those of the newest (or oldest) entries first,
until no other block can have a newer one. For a frequent text, or beside other filters, the plan's own way is taken,
and only such entries are read as are in a place where the text may stand. Either way what is found is looked up in
the entry: requests, responses and messages as JSON, ignoring the case of ASCII letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import orjson
import sqlalchemy as sa

from ledger.log import Log
from ledger.log.schema import entries
from projections import plans
from projections.plans import Plan
from projections.text_segment import BLOCK_ENTRIES
from projections.texts import Block, Places

PLACES_MAX = 20_000  # entries that are sooner looked at than found by other filters
UNREAD_MAX = 2_000  # entries of no segment, of which nothing is known, that are looked at wherever they are
FREQUENT_MAX = 5_000  # entries, by time, among which a frequent text must fill a page
STEP_MIN, STEP_MAX = 500, 20_000  # entries of the plan at a time
BLOCKS_MIN = 16  # at a time

Key = tuple[int, int]  # account, position


def as_in_json(text: str) -> bytes:
    """The text as JSON writes it, in lower case."""
    return orjson.dumps(text)[1:-1].lower()


def keys_holding(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    """The account and position of the first `limit` entries, in order."""
    unknown = places.unread > UNREAD_MAX
    if unknown or len(places) > PLACES_MAX:
        narrow = any(one.column is not entries.c.account for one in plan.filters)
        passed_max = None if narrow or unknown else FREQUENT_MAX
        found = _by_plan(connection, log, plan, text, places, limit, passed_max)
        if found is not None:
            return found
    return _by_place(connection, log, plan, text, places, limit)


def _by_plan(
    connection: sa.Connection,
    log: Log,
    plan: Plan,
    text: bytes,
    places: Places,
    limit: int,
    passed_max: int | None,
) -> list[Key] | None:
    """On the plan's way, in growing steps; None where so many entries did not fill the page."""
    found: list[Key] = []
    step, passed = STEP_MIN, 0
    while passed_max is None or passed < passed_max:
        keys = plans.keys(connection, plan, step)
        looked_at = [key for key in keys if key in places]
        held = set(_holding(connection, log, looked_at, text))
        found += [key for key in looked_at if key in held]
        if len(found) >= limit or len(keys) < step:
            return found[:limit]
        plan = replace(plan, stretch=replace(plan.stretch, beyond=_place(connection, keys[-1])))
        passed += step
        step = min(step * 2, STEP_MAX)
    return None


def _by_place(
    connection: sa.Connection, log: Log, plan: Plan, text: bytes, places: Places, limit: int
) -> list[Key]:
    newest = plan.stretch.order == "newest"
    blocks = _in_order(places, plan)
    unread = [
        (account, position)
        for account, (start, end) in places.beyond.items()
        for position in range(start, end)
    ]
    found = plans.passing(connection, plan, _holding(connection, log, unread, text))
    at, step = 0, max(limit, BLOCKS_MIN)
    while at < len(blocks):
        if len(found) >= limit:
            found.sort(reverse=newest)
            last = found[limit - 1][0]
            if last > blocks[at].newest if newest else last < blocks[at].oldest:
                break
        batch = blocks[at : at + step]
        found += plans.passing(connection, plan, _holding(connection, log, _keys_of(batch), text))
        at += step
        step *= 2  # a statement costs as much as some hundred entries
    found.sort(reverse=newest)
    return [(account, position) for _, account, position in found[:limit]]


def _in_order(places: Places, plan: Plan) -> list[Block]:
    """The blocks that reach into the stretch of time, those first whose entries may come first."""
    stretch = plan.stretch
    since, until = stretch.since, stretch.until
    if stretch.beyond is not None and stretch.order == "newest":
        until = min(until, stretch.beyond[0] + 1)
    elif stretch.beyond is not None:
        since = max(since, stretch.beyond[0])
    reaching = (block for block in places.blocks() if block.newest >= since and block.oldest < until)
    if stretch.order == "newest":
        return sorted(reaching, key=lambda block: block.newest, reverse=True)
    return sorted(reaching)


def _keys_of(blocks: Iterable[Block]) -> list[Key]:
    return [
        (block.account, position)
        for block in blocks
        for position in range(block.start, block.start + BLOCK_ENTRIES)
    ]


def _holding(connection: sa.Connection, log: Log, keys: Sequence[Key], text: bytes) -> list[Key]:
    """Those of the entries that hold the text."""
    by_account: dict[int, list[int]] = {}
    for account, position in keys:
        by_account.setdefault(account, []).append(position)
    return [
        (account, position)
        for account, positions in by_account.items()
        for position, body in log.bodies(connection, account, positions).items()
        if text in body.lower()
    ]


def _place(connection: sa.Connection, key: Key) -> tuple[int, int, int]:
    account, position = key
    query = sa.select(entries.c.time).where(entries.c.account == account, entries.c.position == position)
    return connection.execute(query).scalar_one(), account, position
