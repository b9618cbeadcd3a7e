"""Which entries of a log can move its account: successful calls of certain actions, and the first signs of callers."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ledger.log.schema import HAS_RECORD, Kind, entries, principals, strings

OWN_KINDS = ("IAMUser", "AssumedRole", "Root")


def moving(connection: sa.Connection, account: int, account_id: str, actions: Collection[str]) -> list[int]:
    """The positions of these entries, in the order of their times: for an account of which nothing is known yet.

    A caller is first seen once for each lasting principal and each long-term key of theirs.
    """
    e, p, k = entries.c, principals.c, strings.c
    told = connection.execute(sa.select(k.id, k.text).where(k.kind == Kind.ACTION))
    numbers = [number for number, action in told if action in actions]
    changes = sa.select(e.time, e.position).where(
        e.account == account, e.action.in_(numbers), e.error.is_(None)
    )
    own = sa.select(p.id).where(p.account_id == account_id, p.kind.in_(OWN_KINDS))
    lasting = sa.select(k.id).where(k.kind == Kind.KEY, k.text.like("AKIA%"))
    key = sa.case((e.access_key.in_(lasting), e.access_key), else_=0)
    first = sa.func.row_number().over(partition_by=(e.principal, key), order_by=(e.time, e.position))
    calls = sa.select(e.time, e.position, first.label("place")).where(
        e.account == account, e.principal.in_(own), HAS_RECORD
    )
    calls_by_place = calls.subquery()
    seen = sa.select(calls_by_place.c.time, calls_by_place.c.position).where(calls_by_place.c.place == 1)
    both = sa.union(changes, seen).subquery()
    return list(connection.scalars(sa.select(both.c.position).order_by(both.c.time, both.c.position)))
