"""The report of one access key: whose it is, what became of it, and how it was used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.account.dates import read_date
from ledger.entry import Entry
from ledger.log import Log
from ledger.log.schema import Kind, entries, identities, mentions, principals, strings
from ledger.record import format_time, is_denial
from projections.attribution import key_numbers
from projections.history import History
from projections.lineage import lineage
from projections.lines import Reference, ref
from projections.sessions import Session, Sessions
from projections.vocabulary import UnknownName

Answer = dict[str, Any]

CHANGES = ("iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey")
SEEN_IN_USE = "in use before any record made it"
FETCH_PAGE = 5_000


def key_report(
    log: Log, history: History, sessions: Sessions, access_key_id: str, *, since: int | None = None
) -> Answer:
    """All that is known of one access key, of a user, of root, or of a session; raises UnknownName.

    Addresses and agents are `new` where the key is first seen with them at `since` or later. Without `since` it is
    the middle of the time over which the key was used: what came in the second half is new against the first,
    however long the key lived. `newSince` tells it.
    """
    with log.engine.connect() as connection:
        numbers = key_numbers(connection, [access_key_id])
        calls = _calls(connection, numbers.get(access_key_id, 0))
        owner = _owner(connection, numbers.get(access_key_id, 0))
        opening = sessions.opened([access_key_id]).get(access_key_id)
        changes = [] if opening else _changes(log, connection, access_key_id, owner)
        if not calls and not changes and opening is None:
            raise UnknownName(f"no record made or used an access key {access_key_id!r}")
        opened_by = _entry(log, connection, opening) if opening else None
        first_use = _first_use(log, connection, numbers.get(access_key_id, 0))
        end_of_log = 0 if opening is None else _end_of_log(connection, opening.account)
        opened = _opened(log, connection, sessions, access_key_id)
    made = opened_by or next((entry for entry in changes if entry.record.action == CHANGES[0]), None)
    owner = owner or _owner_told(history, made or changes[0], opening)
    history_of_status = _statuses(changes, opened_by, first_use, end_of_log)
    first = min((one.first for one in calls), default=None)
    last = max((one.last for one in calls), default=None)
    middle = since if since is not None or first is None or last is None else (first + last + 1) // 2
    return {
        "accessKey": access_key_id,
        "account": owner.pop("account"),
        "owner": owner,
        "createdBy": _ref(made),
        "createdAt": None if made is None else format_time(made.time),
        "status": history_of_status[-1]["status"] if history_of_status else "Unknown",
        "statusHistory": history_of_status,
        "chain": sessions.chain(access_key_id) if opening else [],
        "firstUsed": _time(first),
        "lastUsed": _time(last),
        "calls": sum(one.count for one in calls),
        "denied": sum(one.count for one in calls if is_denial(one.error)),
        "failed": sum(one.count for one in calls if one.error and not is_denial(one.error)),
        "newSince": _time(middle),
        "addresses": _seen(calls, middle, address=lambda one: one.address),
        "agents": _seen(calls, middle, agent=lambda one: one.agent),
        "origins": _seen(calls, middle, address=lambda one: one.address, agent=lambda one: one.agent),
        "services": _services(calls),
        "actions": _actions(calls),
        "deniedCalls": _denied(calls),
        "sessions": opened,
        "created": lineage(log, history, sessions, access_key_id)["made"] if calls else [],
    }


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a key made one call from one address with one agent and one outcome."""

    account: int
    action: str
    error: str | None
    address: str | None
    agent: str | None
    count: int
    first: int
    last: int


def _calls(connection: sa.Connection, key: int) -> list[Calls]:
    """One pass over the key's entries; no body is read."""
    e = entries.c
    what = (e.account, e.action, e.error, e.address, e.agent)
    query = (
        sa.select(*what, sa.func.count(), sa.func.min(e.time), sa.func.max(e.time))
        .where(e.access_key == key)
        .group_by(*what)
    )
    rows = connection.execute(query).all()
    numbers = {number for row in rows for number in row[1:5] if number is not None}
    texts = _texts(connection, sorted(numbers))
    return [
        Calls(row[0], texts[row[1]], texts.get(row[2]), texts.get(row[3]), texts.get(row[4]), *row[5:8])
        for row in rows
    ]


def _texts(connection: sa.Connection, numbers: Sequence[int]) -> dict[int | None, str]:
    found: dict[int | None, str] = {}
    for start in range(0, len(numbers), FETCH_PAGE):
        page = numbers[start : start + FETCH_PAGE]
        query = sa.select(strings.c.id, strings.c.text).where(strings.c.id.in_(page))
        found |= dict(connection.execute(query).all())
    return found


def _owner(connection: sa.Connection, key: int) -> Answer | None:
    """Whose key it is, told by its use."""
    e, p = entries.c, principals.c
    query = (
        sa.select(principals, identities.c.session_arn)
        .join(identities, identities.c.principal == p.id)
        .join(entries, e.identity == identities.c.id)
        .where(e.access_key == key)
        .order_by(e.time, e.account, e.position)
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return {
        "type": row.kind,
        "arn": row.arn,
        "name": row.name,
        "id": row.unique_id,
        "session": row.session_arn,
        "account": row.account_id,
    }


def _owner_told(history: History, made: Entry, opening: Session | None) -> Answer:
    """Whose key it is, told by what made it: it was never used."""
    identity = made.record.identity
    if opening is not None:
        arn = opening.principal_arn
        kind = {"sts:GetSessionToken": identity.kind, "sts:GetFederationToken": "FederatedUser"}
        return {
            "type": kind.get(opening.action, "AssumedRole"),
            "arn": arn,
            "name": arn.rsplit("/", 1)[-1] if arn else None,
            "id": identity.unique_id if arn == identity.arn else None,
            "session": opening.session_arn,
            "account": arn.split(":")[4] if arn else made.account_id,
        }
    name = _user_of(made)
    user = history.entity(made.account_id, "user", name, made.time) if name else None
    root = name is None and identity.kind == "Root"
    return {
        "type": "Root" if root else "IAMUser",
        "arn": identity.arn if root else (user or {}).get("Arn"),
        "name": "root" if root else name,
        "id": made.account_id if root else (user or {}).get("UserId"),
        "session": None,
        "account": made.account_id,
    }


def _user_of(entry: Entry) -> str | None:
    """The user whose key a record is about: the caller where it names none."""
    record = entry.record
    made = record.response.get("accessKey")
    for told in (record.request, made if isinstance(made, Mapping) else {}):
        if isinstance(name := told.get("userName"), str) and name:
            return name
    return record.identity.name if record.identity.kind == "IAMUser" else None


# -- what became of it ------------------------------------------------------------------------------------------


def _changes(log: Log, connection: sa.Connection, access_key_id: str, owner: Answer | None) -> list[Entry]:
    """The successful records that made, changed or deleted a lasting key, in order of time."""
    e, m, k = entries.c, mentions.c, strings.c
    actions = sa.select(k.id).where(k.kind == Kind.ACTION, k.text.in_(CHANGES))
    query = sa.select(e.account, e.position).where(e.action.in_(actions), e.error.is_(None))
    if owner is not None and owner["name"] and owner["type"] == "IAMUser":
        named = f"arn:aws:iam::{owner['account']}:user/{owner['name']}"
        user = sa.select(k.id).where(k.kind == Kind.RESOURCE, k.text == named).scalar_subquery()
        about = sa.exists().where(
            m.resource == user, m.time == e.time, m.account == e.account, m.position == e.position
        )
        himself = sa.select(principals.c.id).where(principals.c.unique_id == owner["id"])
        query = query.where(sa.or_(about, e.principal.in_(himself)))
    places = connection.execute(query.order_by(e.time, e.account, e.position)).all()
    found = _entries(log, connection, [(account, position) for account, position in places])
    return [
        found[account, position]
        for account, position in places
        if _key_of(found[account, position]) == access_key_id
    ]


def _key_of(entry: Entry) -> Any:
    """The access key that a record made, changed or deleted."""
    made = entry.record.response.get("accessKey")
    told = made if isinstance(made, Mapping) else entry.record.request
    return told.get("accessKeyId")


def _statuses(
    changes: Sequence[Entry], opened_by: Entry | None, first_use: Entry | None, end_of_log: int
) -> list[Answer]:
    """Status over time. A key in use that nothing made was there before; a session ends by itself."""
    if opened_by is not None:
        told = [_status(opened_by, "Active")]
        ends = _expiration(opened_by)
        if ends is not None and ends <= end_of_log:
            told.append({"time": format_time(ends), "status": "Expired", "entry": None})
        return told
    told = []
    if first_use is not None and (not changes or first_use.time < changes[0].time):
        told.append({**_status(first_use, "Active"), "assumed": [SEEN_IN_USE]})
    for entry in changes:
        if entry.record.action == "iam:DeleteAccessKey":
            told.append(_status(entry, "Deleted"))
        else:
            made = entry.record.response.get("accessKey")
            status = (made if isinstance(made, Mapping) else entry.record.request).get("status", "Active")
            told.append(_status(entry, str(status)))
    return told


def _status(entry: Entry, status: str) -> Answer:
    return {"time": format_time(entry.time), "status": status, "entry": ref(entry)}


def _expiration(opened_by: Entry) -> int | None:
    credentials = opened_by.record.response.get("credentials")
    return read_date(credentials.get("expiration")) if isinstance(credentials, Mapping) else None


def _first_use(log: Log, connection: sa.Connection, key: int) -> Entry | None:
    e = entries.c
    query = sa.select(e.account, e.position).where(e.access_key == key, e.error.is_(None))
    row = connection.execute(query.order_by(e.time, e.account, e.position).limit(1)).first()
    return None if row is None else log.fetch(connection, row.account, [row.position])[0]


def _end_of_log(connection: sa.Connection, account: int) -> int:
    """The latest time in an account's log: as far as anything can be told."""
    e = entries.c
    newest = sa.select(e.time).where(e.account == account).order_by(e.time.desc()).limit(1)
    return connection.execute(newest).scalar() or 0


def _opened(log: Log, connection: sa.Connection, sessions: Sessions, access_key_id: str) -> list[Answer]:
    """The sessions that were opened with the key, and how much they were used."""
    found = sessions.opened_by_keys([access_key_id])
    numbers = key_numbers(connection, [one.access_key for one in found])
    e = entries.c
    used = {
        row[0]: row[1:]
        for row in connection.execute(
            sa.select(e.access_key, sa.func.count(), sa.func.max(e.time))
            .where(e.access_key.in_(list(numbers.values())))
            .group_by(e.access_key)
        )
    }
    openings = _entries(log, connection, [(one.account, one.position) for one in found])
    told = []
    for one in found:
        calls, last = used.get(numbers.get(one.access_key, 0), (0, None))
        told.append(
            {
                "accessKey": one.access_key,
                "session": one.session_arn,
                "openedBy": ref(openings[one.account, one.position]),
                "calls": calls,
                "lastUsed": _time(last),
            }
        )
    return told


def _entries(
    log: Log, connection: sa.Connection, places: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Entry]:
    by_account: dict[int, list[int]] = {}
    for account, position in places:
        by_account.setdefault(account, []).append(position)
    return {
        (account, entry.position): entry
        for account, positions in by_account.items()
        for entry in log.fetch(connection, account, positions)
    }


def _entry(log: Log, connection: sa.Connection, opening: Session) -> Entry:
    return log.fetch(connection, opening.account, [opening.position])[0]


# -- how it was used --------------------------------------------------------------------------------------------


def _seen(calls: Iterable[Calls], since: int | None, **parts: Callable[[Calls], str | None]) -> list[Answer]:
    """First, last and count of each value, in the order in which they were first seen."""
    seen: dict[tuple[str | None, ...], Answer] = {}
    for one in calls:
        values = tuple(part(one) for part in parts.values())
        told = seen.setdefault(
            values,
            {**dict(zip(parts, values, strict=True)), "first": one.first, "last": one.last, "count": 0},
        )
        told["first"], told["last"] = min(told["first"], one.first), max(told["last"], one.last)
        told["count"] += one.count
    found = sorted(seen.values(), key=lambda told: (told["first"], -told["count"]))
    for told in found:
        told["new"] = since is not None and told["first"] >= since
        told["first"], told["last"] = format_time(told["first"]), format_time(told["last"])
    return found


def _services(calls: Iterable[Calls]) -> list[Answer]:
    counted: dict[str, int] = {}
    for one in calls:
        service = one.action.partition(":")[0]
        counted[service] = counted.get(service, 0) + one.count
    busiest = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"service": service, "count": count} for service, count in busiest]


def _actions(calls: Iterable[Calls]) -> list[Answer]:
    calls = list(calls)
    refused: dict[str, int] = {}
    for one in calls:
        refused[one.action] = refused.get(one.action, 0) + (one.count if is_denial(one.error) else 0)
    told = _seen(calls, None, action=lambda one: one.action)
    return _busiest({**one, "denied": refused[one["action"]]} for one in told)


def _denied(calls: Iterable[Calls]) -> list[Answer]:
    return _busiest(
        _seen((one for one in calls if is_denial(one.error)), None, action=lambda one: one.action)
    )


def _busiest(told: Iterable[Answer]) -> list[Answer]:
    kept = [{name: value for name, value in one.items() if name != "new"} for one in told]
    return sorted(kept, key=lambda one: (-one["count"], one["action"]))


def _ref(entry: Entry | None) -> Reference | None:
    return None if entry is None else ref(entry)


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else format_time(seconds)
