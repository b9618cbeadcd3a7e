"""Who did it: the recorded calls of one action on one resource, by principal."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import Kind, accounts, entries, mentions, principals, strings
from ledger.record import format_time, is_denial
from projections.permissions.naming import Principal
from projections.vocabulary import Vocabulary, resources

TOLD_MAX = 5  # calls that are told one by one
ANYTHING = "*"


@dataclass(frozen=True, slots=True)
class Call:
    time: int
    account_id: str
    position: int
    denied: bool


@dataclass(slots=True)
class Doer:
    """Who called, as the log names them, and their calls in order of time. A session goes by its role."""

    kind: str
    account_id: str | None
    unique_id: str | None
    arn: str | None
    name: str | None
    calls: list[Call] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.arn or self.name or self.unique_id or self.kind

    def within(self, since: int, until: int) -> list[Call]:
        first, last = (bisect_left(self.calls, bound, key=lambda call: call.time) for bound in (since, until))
        return self.calls[first:last]

    def acts_as(self, principal: Principal, kind: str) -> bool:
        """Whether these are calls of the principal. Whoever the log knows by another account goes by that."""
        if kind == "account":
            return self.kind == "AWSAccount" and self.account_id == principal.account_id
        if kind == "service":
            return self.kind == "AWSService" and self.name == principal.caller.arn
        if kind == "root":
            return self.kind == "Root" and self.account_id == principal.account_id
        if self.unique_id is not None:
            return self.unique_id == principal.caller.unique_id
        return self.arn == principal.caller.arn


class Deeds:
    """The calls that the log has under the action's own name. The runner has caught up before they are asked for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._vocabulary = Vocabulary()

    def of(self, action: str, resource: str, since: int, until: int) -> list[Doer]:
        """Who called the action on the resource (`*`: on any) in that time.

        A call between two accounts that both are here is told once, by the account of the caller.
        """
        e, p, m = entries.c, principals.c, mentions.c
        with self._log.engine.connect() as connection:
            self._vocabulary.refresh(connection)
            actions = self._vocabulary.actions(action)
            if not actions:
                return []
            columns = (p.id, accounts.c.account_id, e.time, e.position, e.error)
            query = (
                sa.select(*columns)
                .join(accounts, accounts.c.id == e.account)
                .join(principals, p.id == e.principal)
                .where(e.time >= since, e.time < until, among(connection, e.action, actions))
            )
            if resource != ANYTHING:
                numbers = resources(connection, resource)
                named = (
                    sa.select(m.account, m.position)
                    .where(m.time >= since, m.time < until, among(connection, m.resource, numbers))
                    .distinct()
                    .subquery()
                )
                query = query.join(
                    named, sa.and_(named.c.account == e.account, named.c.position == e.position)
                )
            rows = connection.execute(query.order_by(e.time, e.account, e.position)).all()
            return _by_doer(connection, rows)


def _by_doer(connection: sa.Connection, rows: Sequence[Any]) -> list[Doer]:
    p = principals.c
    numbers = {row[0] for row in rows}
    found = {
        row.id: Doer(row.kind, row.account_id, row.unique_id, row.arn, row.name)
        for row in connection.execute(sa.select(principals).where(among(connection, p.id, numbers)))
    }
    errors = connection.execute(
        sa.select(strings.c.id, strings.c.text).where(
            strings.c.kind == Kind.ERROR,
            among(connection, strings.c.id, {row[4] for row in rows if row[4] is not None}),
        )
    )
    denials = {number for number, text in errors if is_denial(text)}
    here = set(connection.scalars(sa.select(accounts.c.account_id)))
    for number, account_id, time, position, error in rows:
        doer = found[number]
        if doer.account_id == account_id or doer.account_id not in here:
            doer.calls.append(Call(time, account_id, position, error in denials))
    return [doer for doer in found.values() if doer.calls]


def told_calls(calls: Iterable[Call]) -> dict[str, Any]:
    """How many, how many of them denied, the first and the last, and where the first few are."""
    found = sorted(calls, key=lambda call: (call.time, call.account_id, call.position))
    return {
        "count": len(found),
        "denied": sum(call.denied for call in found),
        "first": format_time(found[0].time) if found else None,
        "last": format_time(found[-1].time) if found else None,
        "entries": [
            {"account": call.account_id, "position": call.position, "time": format_time(call.time)}
            for call in found[:TOLD_MAX]
        ],
    }
