"""What the kinds of finding look at: the log by its indexes, the account's history, and the sessions."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from ledger.account.account import Account
from ledger.entry import Entry
from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import HAS_RECORD, accounts, entries, principals, strings
from ledger.record import Identity, format_time
from projections.attribution import key_numbers
from projections.history import History
from projections.lines import Reference, ref
from projections.sessions import Sessions
from projections.vocabulary import Vocabulary

REFERENCES_MAX = 200  # of one finding; its detail tells the full count
FETCH_PAGE = 5_000
PERSONS = ("IAMUser", "FederatedUser")  # a federated user is named by the user who opened the session
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at, with the entries it rests on. The first entry is where it stands in time."""

    severity: str  # high, medium, low, info
    title: str
    subject: str
    entries: Sequence[Entry]
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Use:
    """How a key was used."""

    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class End:
    """An account at the end of the interval. `told_from` and `told_until`: the first and last second of its log."""

    account: Account
    number: int
    at: int
    told_from: int
    told_until: int

    @property
    def silent_from(self) -> int:
        """Up to when it is known what was not used: nothing tells of what came after the end of the log."""
        return min(self.at, self.told_until)

    @property
    def arn_of_root(self) -> str:
        return f"arn:aws:iam::{self.account.id}:root"


class Evidence:
    """One look at a ledger. `account`, `since` and `until` bound where findings begin, not what they lead to."""

    def __init__(
        self,
        log: Log,
        history: History,
        sessions: Sessions,
        connection: sa.Connection,
        *,
        account: str | None = None,
        since: int | None = None,
        until: int | None = None,
        now: int | None = None,
    ) -> None:
        self.log = log
        self.history = history
        self.sessions = sessions
        self.connection = connection
        self.words = Vocabulary()
        self.words.refresh(connection)
        self.account, self.since, self.until = account, since, until
        self.now = now
        self.ends: list[End] | None = None  # `standing.ends` reads them when they are first asked for
        query = sa.select(accounts.c.id, accounts.c.account_id)
        self.account_numbers = {name: number for number, name in connection.execute(query)}
        self._calls: dict[tuple[tuple[str, ...], str], list[Entry]] = {}
        self._scope: list[sa.ColumnElement[bool]] = []
        if account is not None:
            self._scope.append(entries.c.account == self.account_numbers.get(account, 0))
        if since is not None:
            self._scope.append(entries.c.time >= since)
        if until is not None:
            self._scope.append(entries.c.time < until)

    # -- entries ------------------------------------------------------------------------------------------------

    def calls(self, *actions: str, succeeded: bool | None = True) -> list[Entry]:
        """The calls of these actions within the bounds, in order of time; None: whatever their outcome."""
        return self.entries(*self._scope, *self._of(actions, succeeded))

    def later_calls(self, *actions: str, account: str, since: int = 0) -> list[Entry]:
        """The successful calls in one account from a time on, whatever the bounds."""
        known = self._calls.get((actions, account))
        if known is None:
            known = self.entries(
                entries.c.account == self.account_numbers[account], *self._of(actions, succeeded=True)
            )
            self._calls[actions, account] = known
        return known[bisect_left(known, since, key=lambda entry: entry.time) :]

    def within(self, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
        """The entries for which the conditions hold, within the bounds."""
        return self.entries(*self._scope, *conditions)

    def entries(self, *conditions: sa.ColumnElement[bool], limit: int | None = None) -> list[Entry]:
        """The entries for which the conditions hold, or the first of them, in order of time."""
        e = entries.c
        query = sa.select(e.time, e.account, e.position).where(HAS_RECORD, *conditions)
        query = query.order_by(e.time, e.account, e.position).limit(limit)
        return self.at([(row.account, row.position) for row in self.connection.execute(query)])

    def at(self, places: Sequence[tuple[int, int]]) -> list[Entry]:
        """The entries at these places, by account number and position, in the order asked for."""
        found: dict[tuple[int, int], Entry] = {}
        by_account: dict[int, list[int]] = {}
        for account, position in places:
            by_account.setdefault(account, []).append(position)
        for account, positions in by_account.items():
            for start in range(0, len(positions), FETCH_PAGE):
                page = self.log.fetch(self.connection, account, positions[start : start + FETCH_PAGE])
                found |= {(account, entry.position): entry for entry in page}
        return [found[place] for place in places]

    def scoped(self, query: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
        """A query over entries, kept within the bounds."""
        return query.where(HAS_RECORD, *self._scope)

    def action(self, *actions: str) -> sa.ColumnElement[bool]:
        return entries.c.action.in_(sorted(self.words.action_names(actions)))

    def by_kind(self, *kinds: str) -> sa.ColumnElement[bool]:
        """The caller is a principal of one of these kinds."""
        return entries.c.principal.in_(sa.select(principals.c.id).where(principals.c.kind.in_(kinds)))

    def without_error(self) -> sa.ColumnElement[bool]:
        return entries.c.error.is_(None)

    def coming_from(self, *addresses: str) -> sa.ColumnElement[bool]:
        """The call came from one of these addresses."""
        numbers = {number for address in addresses for number in self.words.addresses(address)}
        return entries.c.address.in_(sorted(numbers))

    def _of(self, actions: Sequence[str], succeeded: bool | None) -> list[sa.ColumnElement[bool]]:
        if succeeded is None:
            return [self.action(*actions)]
        error = entries.c.error
        return [self.action(*actions), error.is_(None) if succeeded else error.isnot(None)]

    # -- keys ---------------------------------------------------------------------------------------------------

    def uses(self, keys: Collection[str]) -> dict[str, Use]:
        """First and last use, and how many, of those keys that were used."""
        e = entries.c
        names = {number: key for key, number in key_numbers(self.connection, keys).items()}
        query = (
            sa.select(e.access_key, sa.func.min(e.time), sa.func.max(e.time), sa.func.count())
            .where(among(self.connection, e.access_key, names))
            .group_by(e.access_key)
        )
        return {
            names[number]: Use(first, last, count)
            for number, first, last, count in self.connection.execute(query)
        }

    def with_keys(self, keys: Collection[str]) -> sa.ColumnElement[bool]:
        """The call was made with one of these access keys."""
        return among(self.connection, entries.c.access_key, key_numbers(self.connection, keys).values())

    def actions_of(self, *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
        """How often each action was called, the most frequent first."""
        e, k = entries.c, strings.c
        count = sa.func.count().label("count")
        query = sa.select(k.text, count).join(strings, k.id == e.action).where(*conditions).group_by(k.text)
        rows = self.connection.execute(query.order_by(count.desc(), k.text))
        return dict(rows.all())

    def first_use(self, key: str) -> Entry | None:
        use = self.uses([key]).get(key)
        if use is None:
            return None
        return self.entries(self.with_keys([key]), entries.c.time == use.first, limit=1)[0]

    # -- people -------------------------------------------------------------------------------------------------

    def behind(self, entry: Entry) -> str | None:
        """The principal whom the caller's sessions go back to, where that is somebody else."""
        chain = self.sessions.chain_of(entry)
        person: str | None = chain[-1]["principal"] if chain else None
        return person if person != entry.record.identity.arn else None

    @cached_property
    def role_openings(self) -> list[Entry]:
        """The calls within the bounds by which somebody other than an AWS service opened a role session."""
        return self.within(
            self.action("sts:AssumeRole"), entries.c.error.is_(None), sa.not_(self.by_kind("AWSService"))
        )


def finding(kind: str, found: Finding) -> dict[str, Any]:
    """A finding as answers show it."""
    first = found.entries[0]
    return {
        "kind": kind,
        "severity": found.severity,
        "title": found.title,
        "account": first.account_id,
        "time": format_time(first.time),
        "subject": found.subject,
        "detail": found.detail,
        "entries": refs(found.entries),
    }


def refs(found: Iterable[Entry]) -> list[Reference]:
    return [ref(entry) for entry, _ in zip(found, range(REFERENCES_MAX), strict=False)]


def one(entry: Entry | None) -> Reference | None:
    return None if entry is None else ref(entry)


def by(evidence: Evidence, entry: Entry) -> dict[str, Any]:
    """Who made a call, and who stands behind that session."""
    return {"by": entry.record.identity.label, "behind": evidence.behind(entry)}


def target_user(entry: Entry) -> str | None:
    """The name of the user whom an IAM call is about: the caller, where it names none; None for root."""
    named, identity = entry.record.request.get("userName"), entry.record.identity
    if isinstance(named, str) and named:
        of_root = named == "AWS ROOT USER" or (named == "root" and identity.kind == "Root")
        return (
            None if of_root else named
        )  # the console says the first for root, the aws CLI must say something
    return identity.name if identity.kind in PERSONS else None


def is_own(identity: Identity, user_name: str | None) -> bool:
    """Whether the caller is that user, or root where there is no name."""
    if user_name is None:
        return identity.kind == "Root"
    return identity.kind in PERSONS and (identity.name or "").lower() == user_name.lower()


def is_public(address: str | None) -> bool:
    """Whether it is an address of the internet: neither a private one nor a service's name.

    Networks that are kept for examples (RFC 5737, RFC 3849) are not the internet's, and yet no private ones.
    """
    found = as_address(address)
    return found is not None and not any(
        found in network for network in INTERNAL if network.version == found.version
    )


def as_address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text or "")
    except ValueError:
        return None


INTERNAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598
        "127.0.0.0/8",
        "169.254.0.0/16",  # RFC 3927
        "fc00::/7",  # RFC 4193
        "fe80::/10",
        "::1/128",
    )
)
