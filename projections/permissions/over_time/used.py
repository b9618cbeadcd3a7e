"""What was done with a key, or by a principal, within intervals: calls counted by action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import entries, principals, strings
from ledger.record import format_time, is_denial
from projections.attribution import key_numbers
from projections.permissions.over_time.following import Followed
from projections.permissions.telling import Answer
from projections.sessions import Sessions
from projections.vocabulary import Vocabulary

AS_THE_USER = ("sts:GetSessionToken", "sts:GetFederationToken")
"""What opens sessions that act with the policies of the user whose key opened them."""


class Used:
    """The calls of keys and principals. The runner has caught up before they are asked for."""

    def __init__(self, log: Log, sessions: Sessions) -> None:
        self._log = log
        self._sessions = sessions
        self._vocabulary = Vocabulary()

    def calls(
        self, followed: Followed, pattern: str, bounds: Iterable[tuple[int, int]]
    ) -> list[dict[str, list[Answer]]]:
        """For each interval the calls of the key, and those of sessions it opened that act as its user; without a
        key all that the principal made.
        """
        e = entries.c
        with self._log.engine.connect() as connection:
            self._vocabulary.refresh(connection)
            actions = None if pattern == "*" else self._vocabulary.actions(pattern)
            if followed.access_key is None:
                own = among(connection, e.principal, self._numbers(connection, followed))
                by_session = None
            else:
                opened = self._sessions.opened_by_keys([followed.access_key])
                keys = [one.access_key for one in opened if one.action in AS_THE_USER]
                number = key_numbers(connection, [followed.access_key]).values()
                own = among(connection, e.access_key, list(number))
                by_session = among(connection, e.access_key, list(key_numbers(connection, keys).values()))
            told = []
            for since, until in bounds:
                within = [e.time >= since, e.time < until]
                if actions is not None:
                    within.append(among(connection, e.action, actions))
                made = {"calls": _counted(connection, [own, *within])}
                if by_session is not None:
                    made["sessionCalls"] = _counted(connection, [by_session, *within])
                told.append(made)
        return told

    @staticmethod
    def _numbers(connection: sa.Connection, followed: Followed) -> list[int]:
        """The principals of the log that are the followed one, by id where that is known."""
        p = principals.c
        if not followed.named:
            root = sa.and_(p.kind == "Root", p.account_id == followed.account_id)
            return list(connection.scalars(sa.select(p.id).where(root)))
        _, name = followed.named[0]
        same = sa.or_(p.unique_id == name, p.arn == name, p.name == name.rsplit("/", 1)[-1])
        of_account = sa.and_(same, p.account_id == followed.account_id)
        ids = sa.select(p.unique_id).where(of_account, p.unique_id.isnot(None))
        query = sa.select(p.id).where(sa.or_(of_account, p.unique_id.in_(ids)))
        return list(connection.scalars(query))


def _counted(connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]) -> list[Answer]:
    """Each action with how often it was called, refused and failed otherwise; the most frequent first."""
    e = entries.c
    query = (
        sa.select(e.action, e.error, sa.func.count(), sa.func.min(e.time), sa.func.max(e.time))
        .where(*conditions)
        .group_by(e.action, e.error)
    )
    rows = connection.execute(query).all()
    numbers = {number for row in rows for number in row[:2] if number is not None}
    s = strings.c
    named = sa.select(s.id, s.text).where(among(connection, s.id, numbers))
    texts: dict[int, str] = dict(connection.execute(named).all())
    found: dict[str, dict[str, Any]] = {}
    for action, error, count, first, last in rows:
        told = found.setdefault(
            texts[action],
            {
                "action": texts[action],
                "count": 0,
                "denied": 0,
                "failed": 0,
                "first": first,
                "last": last,
            },
        )
        told["count"] += count
        if error is not None:
            told["denied" if is_denial(texts[error]) else "failed"] += count
        told["first"], told["last"] = min(told["first"], first), max(told["last"], last)
    for told in found.values():
        told["first"], told["last"] = format_time(told["first"]), format_time(told["last"])
    return sorted(found.values(), key=lambda one: (-one["count"], one["action"]))
