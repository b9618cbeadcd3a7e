"""The question of CloudTrail's LookupEvents: entries of one account by exact attributes, the newest first.

Source: the CloudTrail API reference, "LookupEvents" and "LookupAttribute". Each attribute becomes a set of numbers in an
indexed column, as the filters of `projections.activity` do; but values are compared whole and by case, as AWS does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.names import digest
from ledger.log.rows import Key, among, bound_keys
from ledger.log.schema import Kind, accounts, entries, frames, identities, mentions, principals, strings
from ledger.record import API_DATE, INSIGHT, Identity, action_of
from projections import plans, vocabulary
from projections.activity import END_OF_TIME
from projections.plans import Filter, Plan, Stretch
from projections.resource_types import BY_NAME, Type, arns_of_name, resources_told, type_of

RARE_MAX = 3_000  # resources of a type, and entries that name them: to be found by an index and sorted
READ_ENTRIES = 256  # at a time

Place = tuple[int, int]
"""Time and position of an entry, in the account that is asked about."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """All `attributes` must hold; `since` is included, `until` is not. `insights`: nothing but insight events."""

    account_id: str
    attributes: tuple[tuple[str, str], ...] = ()
    since: int = 0
    until: int = END_OF_TIME
    insights: bool = False
    limit: int = 50
    beyond: Place | None = None  # the last entry of the page before


def look_up(log: Log, lookup: Lookup) -> tuple[list[Entry], bool]:
    """The page, and whether more follows."""
    with log.engine.connect() as connection:
        account = connection.execute(
            sa.select(accounts.c.id).where(accounts.c.account_id == lookup.account_id)
        ).scalar()
        if account is None:
            return [], False
        reading = _Reading(log, connection, lookup, account)
        keys = reading.keys()
        return log.fetch_all(connection, keys[: lookup.limit]), len(keys) > lookup.limit


class _Reading:
    """One look-up in one transaction."""

    def __init__(self, log: Log, connection: sa.Connection, lookup: Lookup, account: int) -> None:
        self._log = log
        self._connection = connection
        self._lookup = lookup
        self._account = account
        self._filters = [Filter(entries.c.account, {account})]
        self._conditions: list[sa.ColumnElement[bool]] = []
        self._event_ids: list[str] = []
        self._types: set[str] = set()  # that so many entries name that reading them finds a page soonest

    def keys(self) -> list[Key]:
        """One key more than the page takes, where there are so many."""
        for name, value in self._lookup.attributes:
            _ATTRIBUTES[name](self, value)
        self._category()
        if any(not one.numbers for one in self._filters):
            return []
        plan = Plan(self._filters, self._conditions, self._stretch())
        if self._event_ids:
            return self._named(plan)
        if self._types:
            return list(islice(self._naming_types(plan), self._lookup.limit + 1))
        return plans.keys(self._connection, plan, self._lookup.limit + 1)

    def _naming_types(self, plan: Plan) -> Iterator[Key]:
        """What else is asked for, read in order, as far as it names resources of the types."""
        while True:
            keys = plans.keys(self._connection, plan, READ_ENTRIES)
            found = self._log.fetch_all(self._connection, keys)
            yield from (key for key, entry in zip(keys, found, strict=True) if self._names_types(entry))
            if len(keys) < READ_ENTRIES:
                return
            beyond = (found[-1].time, *keys[-1])
            plan = replace(plan, stretch=replace(plan.stretch, beyond=beyond))

    def _names_types(self, entry: Entry) -> bool:
        resources = resources_told(entry.document, entry.account_id)
        return self._types <= {one.get("ResourceType") for one in resources}

    def _stretch(self) -> Stretch:
        lookup = self._lookup
        beyond = None if lookup.beyond is None else (lookup.beyond[0], self._account, lookup.beyond[1])
        return Stretch(lookup.since, lookup.until, "newest", beyond)

    def _named(self, plan: Plan) -> list[Key]:
        """Entries by their ids, as far as all else holds of them."""
        found: set[Key] = set()
        for number, event_id in enumerate(self._event_ids):
            of_id = {
                (self._account, one.position)
                for one in self._log.entries_named(event_id)
                if one.account_id == self._lookup.account_id
            }
            found = of_id if number == 0 else found & of_id
        if not found:
            return []
        e = entries.c
        query = plans.at(self._connection, plan, e.time, e.account, e.position)
        told = {"keys": bound_keys(self._connection.dialect.name, found)}
        rows = self._connection.execute(query, told)
        places = sorted((tuple(row) for row in rows if plan.stretch.holds(tuple(row))), reverse=True)
        keys = [(account, position) for _, account, position in places]
        named = zip(keys, self._log.fetch_all(self._connection, keys), strict=True)
        return [key for key, entry in named if self._names_types(entry)][: self._lookup.limit + 1]

    def _category(self) -> None:
        """Insights only where they are asked for, and then nothing else."""
        insights = self._strings(Kind.ACTION, [INSIGHT])
        if self._lookup.insights:
            self._filters.append(Filter(entries.c.action, insights))
        elif insights:
            self._conditions.append(entries.c.action.not_in(sorted(insights)))

    # ---- a filter for each attribute

    def event_id(self, value: str) -> None:
        self._event_ids.append(value)

    def event_name(self, value: str) -> None:
        """Not of insight events: the call that they are about stands within, where no index reaches."""
        s = strings.c
        plain = API_DATE.sub("", value)
        actions = self._scanned(Kind.ACTION, s.text.like(f"%:{_like(plain)}", escape="\\"))
        self._frames(
            {number for number, text in actions.items() if text.partition(":")[2] == plain}, eventName=value
        )

    def event_source(self, value: str) -> None:
        prefix = action_of(value, "").partition(":")[0]
        actions = self._scanned(Kind.ACTION, strings.c.text.like(f"{_like(prefix)}:%", escape="\\"))
        self._frames(set(actions), eventSource=value)

    def read_only(self, value: str) -> None:
        """`true` or `false`, and no other word."""
        if value not in ("true", "false"):
            self._nothing()
            return
        frame = sa.select(frames.c.id).where(frames.c.read_only == (value == "true"))
        self._conditions.append(entries.c.frame.in_(frame))

    def access_key_id(self, value: str) -> None:
        self._filters.append(Filter(entries.c.access_key, vocabulary.keys(self._connection, value)))

    def username(self, value: str) -> None:
        """A user's name, the name of a session, or `root`."""
        i, p = identities.c, principals.c
        named = sa.select(i.id, i.principal, i.session_arn).join(principals, p.id == i.principal)
        found = self._connection.execute(
            named.where(sa.or_(p.name == value, i.session_arn.like(f"%/{_like(value)}", escape="\\")))
        )
        told = {
            row.id: row.principal
            for row in found
            if row.session_arn is None or row.session_arn.rpartition("/")[2] == value
        }
        self._filters.append(Filter(entries.c.principal, set(told.values())))
        self._conditions.append(among(self._connection, entries.c.identity, told))

    def resource_name(self, value: str) -> None:
        """An ARN; or the bare name of what IAM or S3 has, or that an ARN ends in."""
        arns = [value] if value.startswith("arn:") else arns_of_name(value, self._lookup.account_id)
        found = self._strings(Kind.RESOURCE, arns)
        if not value.startswith("arn:"):
            ending = sa.or_(
                *(strings.c.text.like(f"%{mark}{_like(value)}", escape="\\") for mark in ("/", ":"))
            )
            ends = self._scanned(Kind.RESOURCE, ending)
            found |= {number for number, text in ends.items() if type_of(text)[1] == value}
        self._filters.append(Filter(mentions.c.resource, found))

    def resource_type(self, value: str) -> None:
        """Of the types that `projections.resource_types` knows: by index where few entries name such a resource."""
        kind = BY_NAME.get(value)
        if kind is None:
            self._nothing()
            return
        numbers = self._of_type(kind)
        if numbers is None:
            self._types.add(value)
        else:
            self._filters.append(Filter(mentions.c.resource, numbers))

    def _of_type(self, kind: Type) -> set[int] | None:
        """The resources of a type; None where more than RARE_MAX are known, or entries that name them."""
        s, m = strings.c, mentions.c
        found: set[int] = set()
        query = sa.select(s.id, s.text).where(s.kind == Kind.RESOURCE, s.text.like(kind.like))
        with self._connection.execute(query) as rows:
            for number, text in rows:
                if type_of(text)[0] == kind.name:
                    found.add(number)
                if len(found) > RARE_MAX:
                    return None
        few = sa.select(sa.literal(1)).where(among(self._connection, m.resource, found)).limit(RARE_MAX + 1)
        count = self._connection.execute(sa.select(sa.func.count()).select_from(few.subquery())).scalar_one()
        return None if count > RARE_MAX else found

    # ---- numbers

    def _nothing(self) -> None:
        self._filters.append(Filter(entries.c.action, set()))

    def _frames(self, actions: set[int], **members: str) -> None:
        """The calls of these actions whose records have these very members."""
        f = frames.c
        query = sa.select(f.id, f.document).where(among(self._connection, f.action, actions))
        found = {
            number
            for number, document in self._connection.execute(query)
            if _has(orjson.loads(document), members)
        }
        self._filters.append(Filter(entries.c.action, actions if found else set()))
        self._conditions.append(among(self._connection, entries.c.frame, found))

    def _strings(self, kind: Kind, texts: Iterable[str]) -> set[int]:
        digests = {digest(text.encode("utf-8", "replace")): text for text in texts}
        query = sa.select(strings.c.id, strings.c.text).where(
            strings.c.kind == kind, strings.c.digest.in_(sorted(digests))
        )
        wanted: Collection[str] = digests.values()
        return {number for number, text in self._connection.execute(query) if text in wanted}

    def _scanned(self, kind: Kind, condition: sa.ColumnElement[bool]) -> dict[int, str]:
        """The strings of a kind that meet a condition: each is there once, however often it occurs in the log."""
        query = sa.select(strings.c.id, strings.c.text).where(strings.c.kind == kind, condition)
        return dict(self._connection.execute(query).all())


_ATTRIBUTES = {
    "EventId": _Reading.event_id,
    "EventName": _Reading.event_name,
    "ReadOnly": _Reading.read_only,
    "Username": _Reading.username,
    "ResourceType": _Reading.resource_type,
    "ResourceName": _Reading.resource_name,
    "EventSource": _Reading.event_source,
    "AccessKeyId": _Reading.access_key_id,
}
ATTRIBUTES = frozenset(_ATTRIBUTES)


def username_of(identity: Identity) -> str | None:
    """The Username of a caller as LookupEvents gives it: of a role session or federated user that session's name."""
    if identity.session_arn is not None:
        return identity.session_arn.rpartition("/")[2]
    return identity.name


def _has(document: Mapping[str, Any], members: Mapping[str, str]) -> bool:
    return all(document.get(name) == value for name, value in members.items())


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
