"""Which entries of a log can move its account: successful calls of certain actions, and the first signs of callers."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ledger.log.schema import HAS_RECORD, Kind, entries, principals, strings

OWN_KINDS = ("IAMUser", "AssumedRole", "Root")


def moving(connection: sa.Connection, account: int, account_id: str, actions: Collection[str]) -> list[int]:
    """The positions of these entries, in the order of their times: for an account of which nothing is known yet.

    Of each lasting principal, and of each long-term key, that is the first call: one seek in an index, however many more
    there are. A key that was seen with somebody else before says nothing new.
    """
    e, p, k = entries.c, principals.c, strings.c
    told = connection.execute(sa.select(k.id, k.text).where(k.kind == Kind.ACTION))
    numbers = [number for number, action in told if action in actions]
    changes = sa.select(e.time, e.position).where(
        e.account == account, e.action.in_(numbers), e.error.is_(None)
    )
    own = sa.select(p.id).where(p.account_id == account_id, p.kind.in_(OWN_KINDS))
    of_account = sa.select(e.position).where(e.account == account, HAS_RECORD)
    of_account = of_account.order_by(e.time, e.position).limit(1)
    of_principal = of_account.where(e.principal == p.id).correlate(principals).scalar_subquery()
    of_key = of_account.where(e.access_key == k.id, e.principal.in_(own)).correlate(strings).scalar_subquery()
    first = sa.union(
        own.with_only_columns(of_principal),
        sa.select(of_key).where(k.kind == Kind.KEY, k.text.like("AKIA%")),
    )
    seen = sa.select(e.time, e.position).where(e.account == account, e.position.in_(first))
    both = sa.union(changes, seen).subquery()
    return list(connection.scalars(sa.select(both.c.position).order_by(both.c.time, both.c.position)))
