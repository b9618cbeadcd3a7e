"""The fold of each account written down: a row for every state that an entity was ever in.

Records that arrive late take the fold back to their time: the versions since then are dropped, the account is
restored from those before, and folded anew. `projections.history` asks of what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.fold import fold
from ledger.iam import FOLDED_ACTIONS
from ledger.log import Log
from ledger.log.schema import HAS_RECORD, Kind, entries, principals, strings
from projections.history import LOAD_PAGE, documents_at, entities, sightings, versions
from projections.runner import Projection, Span


def advance(connection: sa.Connection, log: Log, span: Span) -> None:
    """Fold what the span brings, from the earliest time on that it concerns."""
    actions = action_numbers(connection)
    e = entries.c
    earliest = connection.execute(
        sa.select(sa.func.min(e.time)).where(
            e.account == span.account,
            e.position >= span.start,
            e.position < span.end,
            e.action.in_(actions),
            e.error.is_(None),
        )
    ).scalar()
    seen = _sight(connection, span)
    times = [time for time in (earliest, seen) if time is not None]
    if not times:
        return
    since = min(times)
    v = versions.c
    connection.execute(sa.delete(versions).where(v.account == span.account, v.since >= since))
    account = _restore(connection, span, since - 1)
    ids = {
        (row.kind, row.unique_id): row.id
        for row in connection.execute(sa.select(entities).where(entities.c.account == span.account))
    }
    names = {
        ids[entity.kind, entity.id]: getattr(entity, "name", entity.id)
        for entity in account.entities()
        if (entity.kind, entity.id) in ids
    }
    rows: list[dict[str, Any]] = []
    second, step = -1, 0
    items = _items(connection, log, span, since, actions)
    for made in fold(account, items):
        cause, current = made.cause, made.account
        if cause.time != second:
            second, step = cause.time, 0
        for kind, unique_id in sorted(current.touched):  # a set's own order differs from process to process
            entity = current.get(kind, unique_id)
            document = current.document(entity) if entity is not None else None
            number = ids.get((kind, unique_id))
            if number is None:
                number = _new_entity(connection, span.account, kind, unique_id)
                ids[kind, unique_id] = number
            if document is not None:
                names[number] = getattr(entity, "name", unique_id)
            rows.append(
                {
                    "entity": number,
                    "since": cause.time,
                    "step": step,
                    "account": span.account,
                    "position": cause.position,
                    "name": (name := names.get(number, unique_id)),
                    "folded_name": name.casefold(),
                    "document": orjson.dumps(document) if document is not None else None,
                }
            )
            step += 1
        if len(rows) >= LOAD_PAGE:
            connection.execute(versions.insert(), rows)
            rows.clear()
    if rows:
        connection.execute(versions.insert(), rows)


def _items(
    connection: sa.Connection, log: Log, span: Span, since: int, actions: Sequence[int]
) -> Iterator[Change | Sighting]:
    """What is to be folded from a time on, in order of time."""
    e, s = entries.c, sightings.c
    changes = sa.select(e.time, e.position, sa.literal(0).label("sighted")).where(
        e.account == span.account,
        e.action.in_(actions),
        e.error.is_(None),
        e.time >= since,
        e.position < span.end,
    )
    seen = sa.select(s.time, s.position, sa.literal(1).label("sighted")).where(
        s.account == span.account, s.time >= since
    )
    both = sa.union_all(changes, seen).subquery()
    places = connection.execute(sa.select(both).order_by(both.c.time, both.c.sighted, both.c.position)).all()
    for start in range(0, len(places), LOAD_PAGE):
        page = places[start : start + LOAD_PAGE]
        positions = list({place.position for place in page})
        found = {entry.position: entry for entry in log.fetch(connection, span.account, positions)}
        for place in page:
            entry = found[place.position]
            if place.sighted:
                yield Sighting(position=entry.position, time=entry.time, identity=entry.record.identity)
            else:
                yield Change(
                    position=entry.position,
                    record=entry.record,
                    native=entry.origin.native,
                )


def _sight(connection: sa.Connection, span: Span) -> int | None:
    """Keep the first time at which principals and keys are seen; the earliest that is news."""
    e, p, k = entries.c, principals.c, strings.c
    own = sa.select(p.id).where(
        p.account_id == span.account_id, p.kind.in_(("IAMUser", "AssumedRole", "Root"))
    )
    lasting = sa.select(k.id).where(k.kind == Kind.KEY, k.text.like("AKIA%"))
    key = sa.case((e.access_key.in_(lasting), e.access_key), else_=0)
    found = connection.execute(
        sa.select(e.principal, key.label("access_key"), sa.func.min(e.time).label("time"))
        .where(
            e.account == span.account,
            e.position >= span.start,
            e.position < span.end,
            e.principal.in_(own),
            HAS_RECORD,
        )
        .group_by(e.principal, key)
    ).all()
    s = sightings.c
    known = {
        (row.principal, row.access_key): row.time
        for row in connection.execute(sa.select(sightings).where(s.account == span.account))
    }
    news = [row for row in found if row.time < known.get((row.principal, row.access_key), row.time + 1)]
    for row in news:
        first = sa.select(sa.func.min(e.position)).where(
            e.account == span.account, e.principal == row.principal, e.time == row.time
        )
        if row.access_key:
            first = first.where(e.access_key == row.access_key)
        else:
            first = first.where(e.access_key.is_(None) | e.access_key.not_in(lasting))
        position = connection.execute(first).scalar_one()
        place = {"account": span.account, "principal": row.principal, "access_key": row.access_key}
        connection.execute(sa.delete(sightings).filter_by(**place))
        connection.execute(sightings.insert().values(**place, time=row.time, position=position))
    return min((row.time for row in news), default=None)


def _restore(connection: sa.Connection, span: Span, at: int) -> Account:
    return Account.from_documents(
        span.account_id,
        (
            (kind, unique_id, orjson.loads(document))
            for kind, unique_id, document in documents_at(connection, span.account, at)
        ),
    )


def _new_entity(connection: sa.Connection, account: int, kind: str, unique_id: str) -> int:
    made = connection.execute(
        entities.insert()
        .values(account=account, kind=str(kind), unique_id=unique_id)
        .returning(entities.c.id)
    )
    return int(made.scalar_one())


def action_numbers(connection: sa.Connection) -> list[int]:
    """The numbers of the actions that change an account."""
    query = sa.select(strings.c.id, strings.c.text).where(strings.c.kind == Kind.ACTION)
    return [number for number, action in connection.execute(query) if action in FOLDED_ACTIONS]


HISTORY = Projection("history", version=5, tables=(entities, versions, sightings), advance=advance)
