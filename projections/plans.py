"""The way through the log's indexes to the entries that a question asks for, in its order.

Each filter is a set of numbers in an indexed column. The filter with the fewest entries leads, the others are checked
on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from ledger.log.rows import Key, among, among_keys_bound
from ledger.log.schema import entries, mentions

PROBE_MAX = 3_000  # rows that are cheaper to fetch and sort than to find on the way through the log
MERGE_MAX = 40  # numbers whose newest entries are merged, each from its own place in the index

Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch of time that is asked for, in which order, and beyond which entry a page begins."""

    since: int
    until: int
    order: Order
    beyond: tuple[int, int, int] | None = None  # time, account, position

    @property
    def bounds(self) -> tuple[int, int]:
        """The times that the page can be of: the first, and the first that is none of them."""
        if self.beyond is None:
            return self.since, self.until
        if self.order == "newest":
            return self.since, min(self.until, self.beyond[0] + 1)
        return max(self.since, self.beyond[0]), self.until

    def holds(self, place: tuple[int, int, int]) -> bool:
        """Whether an entry of this time, account and position belongs to the page or what follows it."""
        if not self.since <= place[0] < self.until:
            return False
        if self.beyond is None:
            return True
        return place < self.beyond if self.order == "newest" else place > self.beyond

    def conditions(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """Always a range of time: it is what makes SQLite walk an index by time instead of sorting everything."""
        c = table.c
        found = [c.time >= self.since, c.time < self.until]
        if self.beyond is not None:
            place = sa.tuple_(*(sa.literal(part, sa.BigInteger) for part in self.beyond))
            here = sa.tuple_(c.time, c.account, c.position)
            newest = self.order == "newest"
            found.append(c.time <= self.beyond[0] if newest else c.time >= self.beyond[0])
            found.append(here < place if newest else here > place)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """Filters that an index serves, conditions on entries that none does, and the stretch of time."""

    filters: list[Filter]
    conditions: list[sa.ColumnElement[bool]]
    stretch: Stretch


@dataclass(slots=True)
class Filter:
    """The entries whose `column` is one of `numbers`."""

    column: sa.ColumnElement[int]
    numbers: set[int]

    def condition(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        return among(connection, self.column, self.numbers)


def keys(connection: sa.Connection, plan: Plan, limit: int) -> list[Key]:
    """The account and position of the first `limit` entries, in order."""
    order = plan.stretch.order
    leader, sparse = _leader(connection, plan.filters)
    if leader is None or (not sparse and len(leader.numbers) > MERGE_MAX):
        return _run(connection, _select(connection, plan), order, limit)
    if sparse:
        return _run(connection, _select(connection, plan, leader), order, limit)
    branches = [
        _ordered(_select(connection, plan, leader, number), order, limit) for number in sorted(leader.numbers)
    ]
    if len(branches) == 1:
        return [(row.account, row.position) for row in connection.execute(branches[0])]
    merged: Any = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
    every = sa.select(merged.c.time, merged.c.account, merged.c.position).distinct()
    return _run(connection, every, order, limit, of=merged)


def at(connection: sa.Connection, plan: Plan, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The entries whose keys the parameter `keys` tells, as far as the plan's filters let them through, in whatever order
    and at whatever time.
    """
    these = among_keys_bound(connection.dialect.name, entries.c.account, entries.c.position, "keys")
    return narrowed(connection, sa.select(*columns).where(these), plan, plan.filters)


def _leader(connection: sa.Connection, filters: list[Filter]) -> tuple[Filter | None, bool]:
    """The filter with the fewest entries, and whether they are few enough to sort."""
    if not filters:
        return None, False
    if len(filters) == 1 and len(filters[0].numbers) == 1 and filters[0].column is not entries.c.account:
        return filters[0], False
    fewest: tuple[int, int] | None = None
    for index, one in enumerate(filters):
        table = one.column.table
        few = (
            sa.select(sa.literal(1)).select_from(table).where(one.condition(connection)).limit(PROBE_MAX + 1)
        )
        count = connection.execute(sa.select(sa.func.count()).select_from(few.subquery())).scalar_one()
        if fewest is None or count < fewest[0]:
            fewest = (count, index)
    assert fewest is not None
    leader = filters[fewest[1]]
    if fewest[0] > PROBE_MAX and leader.column is entries.c.account:
        return None, False  # no index has an account's entries in order of time; the log nearly is
    return leader, fewest[0] <= PROBE_MAX


def _select(
    connection: sa.Connection, plan: Plan, leader: Filter | None = None, number: int | None = None
) -> sa.Select[Any]:
    """Time, account and position of what is asked for, led by one filter, or by one number of it."""
    e, m = entries.c, mentions.c
    others = [one for one in plan.filters if one is not leader]
    if leader is not None and leader.column is m.resource:
        query = sa.select(m.time, m.account, m.position).where(*plan.stretch.conditions(mentions))
        if others or plan.conditions:
            query = query.join(
                entries, sa.and_(e.account == m.account, e.position == m.position, e.time == m.time)
            )
        if number is None and len(leader.numbers) > 1:
            query = query.distinct()
    else:
        query = sa.select(e.time, e.account, e.position).where(*plan.stretch.conditions(entries))
    if leader is not None:
        led = leader.condition(connection) if number is None else leader.column == number
        query = query.where(led)
    return narrowed(connection, query, plan, others)


def narrowed(
    connection: sa.Connection, query: sa.Select[Any], plan: Plan, filters: Iterable[Filter]
) -> sa.Select[Any]:
    """What of a query the filters and the plan's conditions let through."""
    e, m = entries.c, mentions.c
    for one in filters:
        if one.column is m.resource:
            of_resource = sa.select(sa.literal(1)).where(
                one.condition(connection),
                m.time == e.time,
                m.account == e.account,
                m.position == e.position,
            )
            query = query.where(of_resource.exists())
        else:
            # `+ 0` keeps the planner from leading with an index of its own choice
            query = query.where(among(connection, one.column + 0, one.numbers))
    return query.where(*plan.conditions)


def _ordered(
    query: sa.Select[Any], order: Order, limit: int, of: sa.FromClause | None = None
) -> sa.Select[Any]:
    columns = list((of.c if of is not None else query.selected_columns)[:3])
    if order == "newest":
        columns = [column.desc() for column in columns]
    return query.order_by(*columns).limit(limit)


def _run(
    connection: sa.Connection,
    query: sa.Select[Any],
    order: Order,
    limit: int,
    of: sa.FromClause | None = None,
) -> list[tuple[int, int]]:
    rows = connection.execute(_ordered(query, order, limit, of))
    return [(row.account, row.position) for row in rows]
