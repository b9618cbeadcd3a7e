"""What goes back to a principal: their own calls, and those of every session that provably came of them.

A call is a principal's by two proofs: the record names them, or it was made with a key that goes back to them by
the records in which each session was opened. A role session that no such record connects to the principal is not
attributed to them, whatever its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from ledger.log.names import digest
from ledger.log.rows import among
from ledger.log.schema import HAS_RECORD, Kind, accounts, entries, strings
from ledger.log.schema import principals as people
from projections.activity import END_OF_TIME
from projections.sessions import Session, Sessions
from projections.sessions import sessions as openings
from projections.vocabulary import BadFilter, UnknownName, principals_named

HOUR = 3_600
SESSION_HOURS_MAX = 36 + 1  # GetSessionToken, GetFederationToken: 129,600 s at most; clocks differ
KEYS_PAGE = 500
PERSONS = ("Root", "IAMUser", "AssumedRole", "FederatedUser")
ABROAD = "AWSAccount"  # what a caller is in the log of another account, which tells just the unique id
Order = Literal["newest", "oldest"]
Place = tuple[int, int, int]  # time, account, position


@dataclass(frozen=True, slots=True)
class Whole:
    """A principal with all that goes back to them."""

    rows: tuple[int, ...]  # of the table of principals
    sessions: tuple[Session, ...]  # that they opened, and all that came of those, in order of time
    keys: dict[str, int]  # of those sessions, as far as they were used, and their numbers
    openings: tuple[Place, ...]  # of those sessions, also as another account's log tells them


def find_whole(
    connection: sa.Connection, sessions: Sessions, principal: str, account: str | None = None
) -> Whole:
    """The principal of an ARN, unique id or name, and every session that provably goes back to them."""
    rows = _rows_of(connection, principal, account)
    opened: dict[str, Session] = {}
    for unique_id in sorted({row.unique_id for row in rows if row.unique_id}):
        opened |= {one.access_key: one for one in sessions.opened_by_principal(unique_id)}
    opened |= {one.access_key: one for one in sessions.descendants(sorted(opened))}
    return Whole(
        rows=tuple(sorted(row.id for row in rows)),
        sessions=tuple(sorted(opened.values(), key=lambda one: (one.time, one.account, one.position))),
        keys=key_numbers(connection, opened),
        openings=tuple(_openings(connection, sorted(opened))),
    )


def _openings(connection: sa.Connection, keys: Sequence[str]) -> Iterator[Place]:
    """Where the records stand that opened the sessions of these keys: two where roles cross accounts."""
    s = openings.c
    for start in range(0, len(keys), KEYS_PAGE):
        query = sa.select(s.time, s.account, s.position).where(
            s.access_key.in_(keys[start : start + KEYS_PAGE])
        )
        yield from connection.execute(query)


def key_numbers(connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
    """The numbers of those access keys that ever called."""
    found: dict[str, int] = {}
    wanted = {digest(key.encode("utf-8", "replace")): key for key in keys}
    digests = sorted(wanted)
    for start in range(0, len(digests), KEYS_PAGE):
        query = sa.select(strings.c.text, strings.c.id).where(
            strings.c.kind == Kind.KEY, strings.c.digest.in_(digests[start : start + KEYS_PAGE])
        )
        found |= dict(connection.execute(query).all())
    return {text: number for text, number in found.items() if text in keys}


def calls_of(connection: sa.Connection, whole: Whole) -> int:
    """How many calls go back to the principal, but for signing in, which is no call of theirs."""
    e, k = entries.c, strings.c
    signing = sa.select(k.id).where(k.kind == Kind.ACTION, k.text.like("signin:%"))
    query = sa.select(sa.func.count()).where(_theirs(connection, whole), e.action.not_in(signing), HAS_RECORD)
    return int(connection.execute(query).scalar_one())


def _rows_of(connection: sa.Connection, principal: str, account: str | None) -> list[sa.Row[Any]]:
    """The rows of one principal: with the name that was asked for, and others of the same unique id."""
    p = people.c
    numbers = principals_named(connection, principal)
    rows = list(connection.execute(sa.select(people).where(p.id.in_(sorted(numbers)))))
    if account is not None:
        rows = [row for row in rows if row.account_id == account]
    if not rows:
        where = "" if account is None else f" of account {account}"
        raise UnknownName(f"nobody{where} called as {principal!r}; see the list of principals")
    arns = sorted({row.arn for row in rows if row.arn})
    if len(arns) > 1:
        raise UnknownName(f"{principal!r} is the name of several; say which: {', '.join(arns)}")
    ids = {row.unique_id for row in rows if row.unique_id and not row.unique_id.isdigit()}
    if principal not in ids:
        rows.extend(
            connection.execute(
                sa.select(people).where(
                    p.unique_id.in_(sorted(ids)),
                    p.kind.in_((*PERSONS, ABROAD)),
                    p.id.not_in([row.id for row in rows]),
                )
            )
        )
    return rows


def _theirs(connection: sa.Connection, whole: Whole) -> sa.ColumnElement[bool]:
    e = entries.c
    of_keys = among(connection, e.access_key, list(whole.keys.values()))
    return sa.or_(e.principal.in_(whole.rows), of_keys)


def bounds_of(
    connection: sa.Connection, whole: Whole, since: int | None, until: int | None
) -> tuple[int, int]:
    """The times between which there can be anything, the second not included."""
    e = entries.c
    times = [time for one in _used(whole) for time in (one.time - HOUR, one.time + SESSION_HOURS_MAX * HOUR)]
    for number in whole.rows:
        edges = sa.select(sa.func.min(e.time), sa.func.max(e.time)).where(e.principal == number)
        times.extend(time for time in connection.execute(edges).one() if time is not None)
    return max(min(times, default=0), since or 0), min(
        max(times, default=-1) + 1, END_OF_TIME if until is None else until
    )


def _used(whole: Whole) -> Iterator[Session]:
    return (one for one in whole.sessions if one.access_key in whole.keys)


def walk(
    connection: sa.Connection,
    whole: Whole,
    bounds: tuple[int, int],
    order: Order,
    cursor: Place | None,
    limit: int,
) -> Iterator[Place]:
    """The places of the first `limit` entries, in order, from ever wider windows of time.

    A window needs only the keys of sessions that can have lived in it, and what it holds is sorted there: so a
    page costs the same however many sessions there are.
    """
    first, last = bounds
    if cursor is not None:
        first, last = (
            (first, min(last, cursor[0] + 1)) if order == "newest" else (max(first, cursor[0]), last)
        )
    width = HOUR
    while first < last and limit > 0:
        if order == "newest":
            start, end = max(first, last - width), last
            last = start
        else:
            start, end = first, min(last, first + width)
            first = end
        found = _window(connection, whole, start, end, order, cursor, limit)
        yield from found
        limit -= len(found)
        width *= 2


def _window(
    connection: sa.Connection,
    whole: Whole,
    start: int,
    end: int,
    order: Order,
    cursor: Place | None,
    limit: int,
) -> list[Place]:
    e = entries.c
    living = [
        whole.keys[one.access_key]
        for one in _used(whole)
        if one.time - HOUR < end and one.time + SESSION_HOURS_MAX * HOUR > start
    ]
    within = (e.time >= start, e.time < end)
    columns = (e.time, e.account, e.position)
    parts = [sa.select(*columns).where(e.principal.in_(whole.rows), *within)]
    if living:
        parts.append(sa.select(*columns).where(among(connection, e.access_key, living), *within))
    both = sa.union(*parts).subquery()
    place = sa.tuple_(both.c.time, both.c.account, both.c.position)
    query = sa.select(both)
    if cursor is not None:
        edge = sa.tuple_(*(sa.literal(part, sa.BigInteger) for part in cursor))
        query = query.where(place < edge if order == "newest" else place > edge)
    ordered = [column.desc() if order == "newest" else column.asc() for column in both.c]
    found = {
        (row.time, row.account, row.position)
        for row in connection.execute(query.order_by(*ordered).limit(limit))
    }
    for opening in whole.openings:
        if start <= opening[0] < end and (
            cursor is None or (opening < cursor if order == "newest" else opening > cursor)
        ):
            found.add(opening)
    return sorted(found, reverse=order == "newest")[:limit]


def place_of(connection: sa.Connection, cursor: str) -> Place:
    account_id, _, position = cursor.rpartition(":")
    e = entries.c
    if position.isascii() and position.isdigit() and len(position) < 19:
        row = connection.execute(
            sa.select(e.time, e.account, e.position)
            .join(accounts, accounts.c.id == e.account)
            .where(accounts.c.account_id == account_id, e.position == int(position))
        ).first()
        if row is not None:
            return row.time, row.account, row.position
    raise BadFilter("after", f"{cursor!r} is no cursor; use the `next` of a page")
