"""The way through the log's indexes to the entries that a question asks for, in its order.

Each filter is a set of numbers in an indexed column. The filter with the fewest entries leads, the others are checked
on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from ledger.log.rows import Key, among, among_bound, among_keys_bound, bound
from ledger.log.schema import entries, mentions

PROBE_MAX = 3_000  # rows that are cheaper to fetch and sort than to find on the way through the log
MERGE_MAX = 40  # numbers whose newest entries are merged, each from its own place in the index

Order = Literal["newest", "oldest"]

_BEYOND = ("beyond_time", "beyond_account", "beyond_position")


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

    @property
    def told(self) -> dict[str, int]:
        """The values of the parameters that a statement names the stretch by."""
        beyond = {} if self.beyond is None else dict(zip(_BEYOND, self.beyond, strict=True))
        return {"since": self.since, "until": self.until, **beyond}


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


def keys(connection: sa.Connection, plan: Plan, limit: int) -> list[Key]:
    """The account and position of the first `limit` entries, in order."""
    dialect, stretch = connection.dialect.name, plan.stretch
    leader, sparse = _leader(connection, plan.filters)
    if leader is not None and not sparse and len(leader.numbers) > MERGE_MAX:
        leader = None
    others = [one for one in plan.filters if one is not leader]
    column, branches = None, None
    told: dict[str, Any] = {**stretch.told, "limit": limit}
    if leader is not None:
        column = leader.column
        if sparse:
            told["numbers"] = bound(dialect, leader.numbers)
        else:
            branches = len(leader.numbers)
            told |= {_number(place): number for place, number in enumerate(sorted(leader.numbers))}
    way = _Way(dialect, stretch.order, stretch.beyond is not None, column, branches)
    if others or plan.conditions:
        query = _first(way, lambda query: narrowed(connection, query, others, plan.conditions))
    else:
        query = _first_of_all(way)
    return [(account, position) for _, account, position in connection.execute(query, told)]


def at(connection: sa.Connection, plan: Plan, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The entries whose keys the parameter `keys` tells, as far as the plan's filters let them through, in whatever order
    and at whatever time.
    """
    these = among_keys_bound(connection.dialect.name, entries.c.account, entries.c.position, "keys")
    return narrowed(connection, sa.select(*columns).where(these), plan.filters, plan.conditions)


def _leader(connection: sa.Connection, filters: list[Filter]) -> tuple[Filter | None, bool]:
    """The filter with the fewest entries, and whether they are few enough to sort."""
    if not filters:
        return None, False
    if len(filters) == 1 and len(filters[0].numbers) == 1 and filters[0].column is not entries.c.account:
        return filters[0], False
    dialect = connection.dialect.name
    fewest: tuple[int, int] | None = None
    for index, one in enumerate(filters):
        told = {"numbers": bound(dialect, one.numbers), "most": PROBE_MAX + 1}
        count = connection.execute(_count(dialect, one.column), told).scalar_one()
        if fewest is None or count < fewest[0]:
            fewest = (count, index)
    assert fewest is not None
    leader = filters[fewest[1]]
    if fewest[0] > PROBE_MAX and leader.column is entries.c.account:
        return None, False  # no index has an account's entries in order of time; the log nearly is
    return leader, fewest[0] <= PROBE_MAX


@cache
def _count(dialect: str, column: sa.ColumnElement[int]) -> sa.Select[int]:
    """How many rows have one of the `numbers`, as far as `most`."""
    one = sa.select(sa.literal(1)).select_from(column.table).where(among_bound(dialect, column, "numbers"))
    return sa.select(sa.func.count()).select_from(one.limit(sa.bindparam("most")).subquery())


@dataclass(frozen=True, slots=True)
class _Way:
    """Through which index, led by the `numbers` of its column together, or each by itself in so many branches."""

    dialect: str
    order: Order
    beyond: bool
    column: sa.ColumnElement[int] | None = None
    branches: int | None = None


_Narrow = Callable[[sa.Select[Any]], sa.Select[Any]]


def _first(way: _Way, narrow: _Narrow | None = None) -> sa.Select[Any]:
    """Time, account and position of the first entries, with the stretch, the numbers and the `limit` as parameters."""
    if way.branches is None:
        led = None if way.column is None else among_bound(way.dialect, way.column, "numbers")
        return _ordered(_led(way, led, narrow), way.order)
    assert way.column is not None
    branches = [
        _ordered(_led(way, way.column == sa.bindparam(_number(place)), narrow), way.order)
        for place in range(way.branches)
    ]
    if len(branches) == 1:
        return branches[0]
    merged: Any = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
    return _ordered(sa.select(*merged.c).distinct(), way.order)


_first_of_all = cache(_first)
"""Of one filter alone: to put the statement together takes longer than to run it."""


def _led(way: _Way, led: sa.ColumnElement[bool] | None, narrow: _Narrow | None) -> sa.Select[Any]:
    e, m = entries.c, mentions.c
    table = mentions if way.column is m.resource else entries
    query = sa.select(table.c.time, table.c.account, table.c.position).where(*_in_stretch(way, table))
    if led is not None:
        query = query.where(led)
    if table is mentions and narrow is not None:
        query = query.join(
            entries, sa.and_(e.account == m.account, e.position == m.position, e.time == m.time)
        )
    if table is mentions and way.branches is None:
        query = query.distinct()
    return query if narrow is None else narrow(query)


def _in_stretch(way: _Way, table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """Always a range of time: it is what makes SQLite walk an index by time instead of sorting everything."""
    c = table.c
    found = [c.time >= sa.bindparam("since"), c.time < sa.bindparam("until")]
    if way.beyond:
        beyond = [sa.bindparam(name, type_=sa.BigInteger) for name in _BEYOND]
        here, there = sa.tuple_(c.time, c.account, c.position), sa.tuple_(*beyond)
        newest = way.order == "newest"
        found.append(c.time <= beyond[0] if newest else c.time >= beyond[0])
        found.append(here < there if newest else here > there)
    return found


def _number(place: int) -> str:
    return f"number_{place}"


def narrowed(
    connection: sa.Connection,
    query: sa.Select[Any],
    filters: Iterable[Filter],
    conditions: Iterable[sa.ColumnElement[bool]],
) -> sa.Select[Any]:
    """What of a query the filters and conditions of a plan let through."""
    e, m = entries.c, mentions.c
    for one in filters:
        if one.column is m.resource:
            of_resource = sa.select(sa.literal(1)).where(
                among(connection, one.column, one.numbers),
                m.time == e.time,
                m.account == e.account,
                m.position == e.position,
            )
            query = query.where(of_resource.exists())
        else:
            # `+ 0` keeps the planner from leading with an index of its own choice
            query = query.where(among(connection, one.column + 0, one.numbers))
    return query.where(*conditions)


def _ordered(query: sa.Select[Any], order: Order) -> sa.Select[Any]:
    columns = list(query.selected_columns)
    if order == "newest":
        columns = [column.desc() for column in columns]
    return query.order_by(*columns).limit(sa.bindparam("limit"))
