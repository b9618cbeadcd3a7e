"""Who did what: the entries that a question asks for, a page at a time, in order of time.

The order is (eventTime, account, position); a cursor names the last entry of a page, so that pages stay put while
the log grows. Each filter but text becomes a set of numbers in an indexed column (see `plans`); for text there is a
projection that tells where to look (see `texts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.engine import reading
from ledger.log.rows import among
from ledger.log.schema import accounts, entries, frames, mentions
from projections import plans, vocabulary
from projections.plans import Filter, Order, Plan, Stretch
from projections.runner import Progress, Runner
from projections.text_blocks import Blocks
from projections.text_pages import as_in_json, keys_holding
from projections.texts import TEXTS, Texts
from projections.vocabulary import BadFilter, Vocabulary

SPANS_MAX = 4  # that one question takes in: some 260,000 entries, in as many seconds as there are spans
END_OF_TIME = 2**32
BY_WORDS = (
    "action",
    "service",
    "source_ip",
    "user_agent",
    "error",
    "outcome",
)  # which the vocabulary is asked for

Outcome = Literal["succeeded", "failed", "denied"]


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


class Activity:
    """The questions about entries that one ledger answers.

    A question by text first lays out the text of what was appended. Where `progress` is told of the work, that is
    all; else at most SPANS_MAX spans, and what is left is read through, as correct and much slower.
    """

    def __init__(self, log: Log, progress: Progress | None = None) -> None:
        self.log = log
        self.runner = Runner(log, [TEXTS])
        self._progress = progress
        self._texts = Texts()
        self._blocks = Blocks(log)
        self._vocabulary = Vocabulary()

    def page(self, question: Question) -> Page:
        """One page of what was asked for; raises BadFilter."""
        if question.text:
            self.runner.prepare()
        with reading(self.log.engine) as connection:
            page = self._page(connection, question, may_wait=True)
        if page is None:
            spans_max = SPANS_MAX if self._progress is None else None
            self.runner.catch_up(spans_max=spans_max, progress=self._progress)
            with reading(self.log.engine) as connection:
                page = self._page(connection, question, may_wait=False)
        assert page is not None
        return page

    def every(self, question: Question) -> Iterator[Entry]:
        """All that was asked for, streamed a page at a time."""
        question = replace(question, limit=1_000)
        while True:
            page = self.page(question)
            yield from page.entries
            if page.next is None:
                return
            question = replace(question, after=page.next)

    def _page(self, connection: sa.Connection, question: Question, *, may_wait: bool) -> Page | None:
        """None where it had better wait until text is laid out."""
        plan = self._plan(connection, question)
        if plan is None:
            return Page([], None)
        if not question.text:
            keys = plans.keys(connection, plan, question.limit + 1)
            found = self.log.fetch_all(connection, keys[: question.limit])
            return _page_of(found, more=len(keys) > question.limit)
        text = as_in_json(question.text)
        places = self._texts.places(connection, text, _account_of(plan))
        if may_wait and places.to_lay_out:
            return None
        while True:
            keys = keys_holding(connection, self._blocks, plan, text, places, question.limit + 1)
            found = self.log.fetch_all(connection, keys)
            if not any(entry.erased for entry in found):
                return _page_of(found[: question.limit], more=len(found) > question.limit)
            self._blocks.forget()  # nothing is found by what an erased entry held

    def _plan(self, connection: sa.Connection, question: Question) -> Plan | None:
        """None where nothing can match."""
        filters = self._filters(connection, question)
        conditions: list[sa.ColumnElement[bool]] = []
        e = entries.c
        if question.account is not None:
            number = connection.execute(
                sa.select(accounts.c.id).where(accounts.c.account_id == question.account)
            ).scalar()
            filters.append(Filter(e.account, set() if number is None else {number}))
        if question.session is not None and not question.session.startswith(("ASIA", "AKIA")):
            found = vocabulary.identities_of_session(connection, question.session)
            filters.append(Filter(e.principal, set(found.values())))
            conditions.append(among(connection, e.identity, found))
        if any(not one.numbers for one in filters):
            return None
        if question.outcome == "succeeded":
            conditions.append(e.error.is_(None))
        if question.read_only is not None:
            conditions.append(
                e.frame.in_(sa.select(frames.c.id).where(frames.c.read_only == question.read_only))
            )
        stretch = Stretch(
            since=question.since or 0,
            until=END_OF_TIME if question.until is None else question.until,
            order=question.order,
            beyond=None if question.after is None else self._place(connection, question.after),
        )
        return Plan(filters, conditions, stretch)

    def _filters(self, connection: sa.Connection, question: Question) -> list[Filter]:
        words, e = self._vocabulary, entries.c
        if any(getattr(question, name) is not None for name in BY_WORDS):
            words.refresh(connection)
        filters = []
        if question.principal is not None:
            filters.append(Filter(e.principal, vocabulary.principals_named(connection, question.principal)))
        if question.access_key is not None:
            filters.append(Filter(e.access_key, vocabulary.keys(connection, question.access_key)))
        if question.session is not None and question.session.startswith(("ASIA", "AKIA")):
            filters.append(Filter(e.access_key, vocabulary.keys(connection, question.session)))
        if question.action is not None:
            filters.append(Filter(e.action, words.actions(question.action)))
        if question.service is not None:
            filters.append(Filter(e.action, words.actions_of_service(question.service)))
        if question.resource is not None:
            filters.append(Filter(mentions.c.resource, vocabulary.resources(connection, question.resource)))
        if question.source_ip is not None:
            addresses = words.addresses(question.source_ip)
            if not addresses:  # logs hold what is no address, too
                vocabulary.check_address(question.source_ip)
            filters.append(Filter(e.address, addresses))
        if question.user_agent is not None:
            filters.append(Filter(e.agent, words.agents(question.user_agent)))
        if question.error is not None:
            filters.append(Filter(e.error, words.errors(question.error)))
        if question.outcome == "denied":
            filters.append(Filter(e.error, words.denials()))
        if question.outcome == "failed":
            filters.append(Filter(e.error, words.all_errors()))
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


def _page_of(found: list[Entry], *, more: bool) -> Page:
    return Page(found, cursor_of(found[-1]) if more else None)


def cursor_of(entry: Entry) -> str:
    return f"{entry.account_id}:{entry.position}"


def _account_of(plan: Plan) -> int | None:
    """The one account that is asked for."""
    return next((min(one.numbers) for one in plan.filters if one.column is entries.c.account), None)
