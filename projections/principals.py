"""Who acted: the principals of a ledger, and everything that one of them did over all their credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.schema import HAS_RECORD, Kind, accounts, entries, strings
from ledger.log.schema import principals as people
from ledger.record import format_time, is_denial
from projections.activity import cursor_of
from projections.attribution import PERSONS, Place, Whole, bounds_of, find_whole, place_of, walk
from projections.lines import line, ref
from projections.sessions import HOPS_MAX, Hop, Session, Sessions
from projections.vocabulary import BadFilter, UnknownName

KINDS = {
    "sts:GetSessionToken": "sessionToken",
    "sts:GetFederationToken": "federation",
    "signin:GetSigninToken": "console",
}
TYPES = {"sts:GetSessionToken": "IAMUser", "sts:GetFederationToken": "FederatedUser"}
Answer = dict[str, Any]


def principals(log: Log, account: str | None = None) -> list[Answer]:
    """Everyone who called, by the account in whose log they stand, the busiest first."""
    with log.engine.connect() as connection:
        scope = [] if account is None else [entries.c.account == _account_number(connection, account)]
        return _summaries(connection, scope)


def principal_activity(
    log: Log,
    sessions: Sessions,
    principal: str,
    *,
    account: str | None = None,
    since: int | None = None,
    until: int | None = None,
    order: str = "oldest",
    after: str | None = None,
    limit: int = 100,
) -> Answer:
    """A page of everything a principal did over all their credentials, the roles they went on to assume included.

    Each line says `as` whom. `account` keeps to a principal of that account, not to what was done there. The
    first page also tells the credentials, each with its chain back to the principal.
    """
    if order not in ("newest", "oldest"):
        raise BadFilter("order", f"{order!r} is neither newest nor oldest")
    if limit < 1:
        raise BadFilter("limit", f"{limit} is less than 1")
    with log.engine.connect() as connection:
        whole = find_whole(connection, sessions, principal, account)
        bounds = bounds_of(connection, whole, since, until)
        cursor = None if after is None else place_of(connection, after)
        places = list(
            walk(connection, whole, bounds, "newest" if order == "newest" else "oldest", cursor, limit + 1)
        )
        found = _fetch(log, connection, places[:limit])
        told: Answer = {
            "principal": _principal(connection, whole),
            "credentials": _credentials(log, connection, sessions, whole) if after is None else [],
            "events": [{**line(entry), "as": entry.record.identity.label} for entry in found],
            "next": cursor_of(found[-1]) if len(places) > limit else None,
        }
    return told


def _fetch(log: Log, connection: sa.Connection, places: Sequence[Place]) -> list[Entry]:
    by_account: dict[int, list[int]] = {}
    for _, account, position in places:
        by_account.setdefault(account, []).append(position)
    found = {
        (account, entry.position): entry
        for account, positions in by_account.items()
        for entry in log.fetch(connection, account, positions)
    }
    return [found[account, position] for _, account, position in places]


# -- who it is --------------------------------------------------------------------------------------------------


def _credentials(log: Log, connection: sa.Connection, sessions: Sessions, whole: Whole) -> list[Answer]:
    """Each credential and its chain: the principal's own keys first, then sessions in order of their opening."""
    used = sa.select(entries.c.access_key).where(entries.c.principal.in_(whole.rows)).distinct()
    own = connection.scalars(sa.select(strings.c.text).where(strings.c.id.in_(used)).order_by(strings.c.text))
    opened = {one.access_key: one for one in whole.sessions}
    chains = {key: sessions.chain(key) for key in own if key not in opened}
    told = [{"accessKey": key, "kind": _kind_of(key, via), "via": via} for key, via in chains.items()]
    places = [(one.time, one.account, one.position) for one in whole.sessions]
    for one, entry in zip(whole.sessions, _fetch(log, connection, places), strict=True):
        chains[one.access_key] = [_hop(one, entry)]
    for one in whole.sessions:
        via = _joined(one, opened, chains)
        told.append({"accessKey": one.access_key, "kind": KINDS.get(one.action, "role"), "via": via})
    return told


def _joined(one: Session, opened: Mapping[str, Session], hops: Mapping[str, list[Hop]]) -> list[Hop]:
    """From a session back to the principal, by the keys that opened each."""
    via, parent = list(hops[one.access_key]), one.parent_key
    while parent is not None and parent in hops and len(via) < HOPS_MAX:
        via.extend(hops[parent])
        parent = opened[parent].parent_key if parent in opened else None
    return via


def _hop(one: Session, entry: Entry) -> Hop:
    """A hop as `Sessions.chain` tells it, but read off the opening alone, for there may be thousands."""
    return {
        "credential": one.access_key,
        "session": one.session_arn,
        "principal": one.principal_arn,
        "type": TYPES.get(one.action, "FederatedUser" if one.action.startswith("signin:") else "AssumedRole"),
        "openedBy": ref(entry),
        "time": format_time(one.time),
        "sourceIP": entry.document.get("sourceIPAddress"),
        "userAgent": entry.document.get("userAgent"),
        "mfa": bool(entry.record.request.get("serialNumber")),
        "assumed": [],
    }


def _kind_of(key: str, via: Sequence[Hop]) -> str:
    """Of a key that no record opened: accessKey, console, or `temporary` where nothing tells what it is."""
    if not key.startswith("ASIA"):
        return "accessKey"
    return "console" if any(hop["type"] == "Console" for hop in via) else "temporary"


def _principal(connection: sa.Connection, whole: Whole) -> Answer:
    told = _summaries(connection, [entries.c.principal.in_(whole.rows)])
    if len(told) > 1:  # who calls in one account and is seen in another's log too
        told[0]["firstSeen"] = min(one["firstSeen"] for one in told)
        told[0]["lastSeen"] = max(one["lastSeen"] for one in told)
        told[0]["calls"] = sum(one["calls"] for one in told)
        told[0]["denied"] = sum(one["denied"] for one in told)
        told[0]["keys"] = sorted({key for one in told for key in one["keys"]})
    return told[0]


def _summaries(connection: sa.Connection, scope: Sequence[sa.ColumnElement[bool]]) -> list[Answer]:
    """One line a principal and log: what their rows in it add up to."""
    e, p, k = entries.c, people.c, strings.c
    errors = connection.execute(sa.select(k.id, k.text).where(k.kind == Kind.ERROR))
    denials = [number for number, text in errors if is_denial(text)]
    lasting = sa.select(k.id).where(k.kind == Kind.KEY, k.text.like("AKIA%"))
    counted = (
        sa.select(
            e.account,
            e.principal,
            sa.func.min(e.time).label("first"),
            sa.func.max(e.time).label("last"),
            sa.func.count().label("calls"),
            sa.func.sum(sa.case((e.error.in_(denials), 1), else_=0)).label("denied"),
        )
        .where(HAS_RECORD, *scope)
        .group_by(e.account, e.principal)
        .subquery()
    )
    query = (
        sa.select(accounts.c.account_id.label("log"), people, counted)
        .join(people, p.id == counted.c.principal)
        .join(accounts, accounts.c.id == counted.c.account)
    )
    used = sa.select(e.account, e.principal, k.text).join(strings, k.id == e.access_key)
    used = used.where(e.access_key.in_(lasting), *scope).distinct()
    keys: dict[tuple[int, int], set[str]] = {}
    for account, principal, text in connection.execute(used):
        keys.setdefault((account, principal), set()).add(text)
    merged: dict[tuple[Any, ...], Answer] = {}
    for row in connection.execute(query.order_by(counted.c.first, p.id)):
        whose = row.unique_id or row.arn or row.name or row.kind
        told = merged.setdefault(
            (row.log, whose), {"type": row.kind, "name": None, "arn": None, "first": row.first}
        )
        merged[row.log, whose] = {
            "account": row.log,
            "type": min(told["type"], row.kind, key=_rank),
            "name": told["name"] or row.name,
            "arn": told["arn"] or row.arn,
            "id": row.unique_id,
            "first": min(told["first"], row.first),
            "last": max(told.get("last", 0), row.last),
            "calls": told.get("calls", 0) + row.calls,
            "denied": told.get("denied", 0) + row.denied,
            "keys": told.get("keys", set()) | keys.get((row.account, row.principal), set()),
        }
    found = sorted(merged.values(), key=lambda one: (-one["calls"], one["arn"] or one["name"] or ""))
    for one in found:
        one["firstSeen"], one["lastSeen"] = format_time(one.pop("first")), format_time(one.pop("last"))
        one["keys"] = sorted(one["keys"])
    return found


def _rank(kind: str) -> int:
    """A federated user goes by the user who opened the session."""
    return PERSONS.index(kind) if kind in PERSONS else len(PERSONS)


def _account_number(connection: sa.Connection, account_id: str) -> int:
    query = sa.select(accounts.c.id).where(accounts.c.account_id == account_id)
    number = connection.execute(query).scalar()
    if number is None:
        raise UnknownName(f"the ledger has no account {account_id!r}")
    return int(number)
