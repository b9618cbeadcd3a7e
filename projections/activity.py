"""Who did what: the entries that a question asks for, a page at a time, in order of time.

The order is (eventTime, account, position); a cursor names the last entry of a page, so that pages stay put while
the log grows. Each filter becomes a set of numbers in an indexed column. The filter with the fewest entries leads,
the others are checked on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import accounts, entries, frames, mentions
from projections import vocabulary
from projections.vocabulary import BadFilter, Vocabulary

PROBE_MAX = 3_000  # rows that are cheaper to fetch and sort than to find on the way through the log
MERGE_MAX = 40  # numbers whose newest entries are merged, each from its own place in the index
TEXT_STEP_MIN, TEXT_STEP_MAX = 500, 20_000  # entries read at a time
END_OF_TIME = 2**32

Outcome = Literal["succeeded", "failed", "denied"]
Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which entries are asked for. Times are seconds since 1970; `since` is included, `until` is not."""

    account: str | None = None
    principal: str | None = None
    access_key: str | None = None
    action: str | None = None
    service: str | None = None
    resource: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    error: str | None = None
    outcome: Outcome | None = None
    read_only: bool | None = None
    session: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    order: Order = "newest"
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry]
    next: str | None  # the cursor of the page after this one


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The stretch of time that is asked for, in which order, and beyond which entry a page begins."""

    since: int
    until: int
    order: Order
    beyond: tuple[int, int, int] | None = None  # time, account, position

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
class _Plan:
    """Filters that an index serves, conditions on entries that none does, and the stretch of time."""

    filters: list[_Filter]
    conditions: list[sa.ColumnElement[bool]]
    stretch: _Stretch


@dataclass(slots=True)
class _Filter:
    """The entries whose `column` is one of `numbers`."""

    column: sa.ColumnElement[int]
    numbers: set[int]

    def condition(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        return among(connection, self.column, self.numbers)


class Activity:
    """The questions about entries that one ledger answers."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._vocabulary = Vocabulary()

    def page(self, question: Question) -> Page:
        """One page of what was asked for; raises BadFilter."""
        with self.log.engine.connect() as connection:
            return self._page(connection, question)

    def every(self, question: Question) -> Iterator[Entry]:
        """All that was asked for, streamed a page at a time."""
        question = replace(question, limit=1_000)
        while True:
            page = self.page(question)
            yield from page.entries
            if page.next is None:
                return
            question = replace(question, after=page.next)

    def _page(self, connection: sa.Connection, question: Question) -> Page:
        self._vocabulary.refresh(connection)
        plan = self._plan(connection, question)
        if plan is None:
            return Page([], None)
        if question.text is not None:
            return self._page_with_text(connection, question, plan)
        keys = _keys(connection, plan, question.limit + 1)
        found = self.log.fetch_all(connection, keys[: question.limit])
        return Page(found, cursor_of(found[-1]) if len(keys) > question.limit else None)

    def _page_with_text(self, connection: sa.Connection, question: Question, plan: _Plan) -> Page:
        """Text is not indexed: read on, in order and in growing steps, until the page is full."""
        needle = _as_in_json(question.text or "")
        found: list[tuple[int, int]] = []
        step = TEXT_STEP_MIN
        while True:
            keys = _keys(connection, plan, step)
            found += self._holding(connection, keys, needle)
            if len(found) > question.limit:
                page = self.log.fetch_all(connection, found[: question.limit])
                return Page(page, cursor_of(page[-1]))
            if len(keys) < step:
                return Page(self.log.fetch_all(connection, found), None)
            last = self.log.fetch_all(connection, keys[-1:])[0]
            beyond = self._place(connection, cursor_of(last))
            plan = replace(plan, stretch=replace(plan.stretch, beyond=beyond))
            step = min(step * 4, TEXT_STEP_MAX)

    def _holding(
        self, connection: sa.Connection, keys: Sequence[tuple[int, int]], needle: bytes
    ) -> list[tuple[int, int]]:
        """Those of the entries whose request, response or message holds the text, ignoring case."""
        held: set[tuple[int, int]] = set()
        for account, positions in _by_account(keys).items():
            bodies = self.log.bodies(connection, account, positions)
            held |= {(account, position) for position, body in bodies.items() if needle in body.lower()}
        return [key for key in keys if key in held]

    def _plan(self, connection: sa.Connection, question: Question) -> _Plan | None:
        """None where nothing can match."""
        filters = self._filters(connection, question)
        conditions: list[sa.ColumnElement[bool]] = []
        e = entries.c
        if question.account is not None:
            number = connection.execute(
                sa.select(accounts.c.id).where(accounts.c.account_id == question.account)
            ).scalar()
            filters.append(_Filter(e.account, set() if number is None else {number}))
        if question.session is not None and not question.session.startswith(("ASIA", "AKIA")):
            found = vocabulary.identities_of_session(connection, question.session)
            filters.append(_Filter(e.principal, set(found.values())))
            conditions.append(among(connection, e.identity, found))
        if any(not one.numbers for one in filters):
            return None
        if question.outcome == "succeeded":
            conditions.append(e.error.is_(None))
        if question.read_only is not None:
            conditions.append(
                e.frame.in_(sa.select(frames.c.id).where(frames.c.read_only == question.read_only))
            )
        stretch = _Stretch(
            since=question.since or 0,
            until=END_OF_TIME if question.until is None else question.until,
            order=question.order,
            beyond=None if question.after is None else self._place(connection, question.after),
        )
        return _Plan(filters, conditions, stretch)

    def _filters(self, connection: sa.Connection, question: Question) -> list[_Filter]:
        words, e = self._vocabulary, entries.c
        filters = []
        if question.principal is not None:
            filters.append(_Filter(e.principal, vocabulary.principals_named(connection, question.principal)))
        if question.access_key is not None:
            filters.append(_Filter(e.access_key, vocabulary.keys(connection, question.access_key)))
        if question.session is not None and question.session.startswith(("ASIA", "AKIA")):
            filters.append(_Filter(e.access_key, vocabulary.keys(connection, question.session)))
        if question.action is not None:
            filters.append(_Filter(e.action, words.actions(question.action)))
        if question.service is not None:
            filters.append(_Filter(e.action, words.actions_of_service(question.service)))
        if question.resource is not None:
            filters.append(_Filter(mentions.c.resource, vocabulary.resources(connection, question.resource)))
        if question.source_ip is not None:
            filters.append(_Filter(e.address, words.addresses(question.source_ip)))
        if question.user_agent is not None:
            filters.append(_Filter(e.agent, words.agents(question.user_agent)))
        if question.error is not None:
            filters.append(_Filter(e.error, words.errors(question.error)))
        if question.outcome == "denied":
            filters.append(_Filter(e.error, words.denials()))
        if question.outcome == "failed":
            filters.append(_Filter(e.error, words.all_errors()))
        return filters

    def _place(self, connection: sa.Connection, cursor: str) -> tuple[int, int, int]:
        account_id, _, position = cursor.rpartition(":")
        e = entries.c
        row = None
        if position.isascii() and position.isdigit() and len(position) < 19:
            row = connection.execute(
                sa.select(e.time, e.account, e.position)
                .join(accounts, accounts.c.id == e.account)
                .where(accounts.c.account_id == account_id, e.position == int(position))
            ).first()
        if row is None:
            raise BadFilter("after", f"{cursor!r} is no cursor; use the `next` of a page")
        return row.time, row.account, row.position


def cursor_of(entry: Entry) -> str:
    return f"{entry.account_id}:{entry.position}"


def _keys(connection: sa.Connection, plan: _Plan, limit: int) -> list[tuple[int, int]]:
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


def _leader(connection: sa.Connection, filters: list[_Filter]) -> tuple[_Filter | None, bool]:
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
    connection: sa.Connection, plan: _Plan, leader: _Filter | None = None, number: int | None = None
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
    for one in others:
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


def _by_account(keys: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for account, position in keys:
        found.setdefault(account, []).append(position)
    return found


def _as_in_json(text: str) -> bytes:
    """The text as JSON writes it, in lower case."""
    return orjson.dumps(text)[1:-1].lower()
