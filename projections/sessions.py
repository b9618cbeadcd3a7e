"""Which temporary key belongs to which session of whom: from a session back to the first human or service.

A session is known by the record that opened it, where the log has that; or only by its use, and then who opened it
is told by the session's own words where there are any (source identity, issuer), and marked as assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.account.change import Change
from ledger.entry import Entry
from ledger.iam import SESSION_ACTIONS
from ledger.iam.sessions import session_opened
from ledger.log import Log
from ledger.log.schema import Kind, accounts, entries, strings
from ledger.record import Identity, Record, format_time, parse_time
from projections.lines import ref
from projections.runner import Projection, Span, metadata
from projections.vocabulary import keys

HOPS_MAX = 32
SIGN_IN = "signin:ConsoleLogin"
SIGN_IN_SECONDS = 60  # between ConsoleLogin and the console session that it opens

UNSEEN_OPENING = "no record shows who opened this session"
BY_ARN = "told by the session's ARN and time, not by a key"
BY_TIME = "told by the time of the sign-in, not by a key"

Hop = dict[str, Any]

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("access_key", sa.String(128), primary_key=True),
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False, comment="of the entry that opened the session"),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("session_arn", sa.Text),
    sa.Column("principal_arn", sa.Text, comment="whom the session acts as"),
    sa.Column("parent_key", sa.String(128), comment="the key that opened it"),
    sa.Column("opener_arn", sa.Text),
    sa.Column("opener_id", sa.Text, comment="the unique id of the principal that opened it"),
)
sa.Index("sessions_parent", sessions.c.parent_key)
sa.Index("sessions_opener", sessions.c.opener_id)
sa.Index("sessions_arn", sessions.c.session_arn, sessions.c.time)
sa.Index("sessions_position", sessions.c.account, sessions.c.position)


@dataclass(frozen=True, slots=True)
class Session:
    """A temporary credential and the entry that opened it."""

    access_key: str
    account: int
    position: int
    time: int
    action: str
    session_arn: str | None
    principal_arn: str | None
    parent_key: str | None
    opener_arn: str | None
    opener_id: str | None


class Sessions:
    """The questions about sessions. The runner has caught up before they are asked."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def opened(self, access_keys: Sequence[str]) -> dict[str, Session]:
        """The session of each key whose opening the log shows."""
        if not access_keys:
            return {}
        s = sessions.c
        # Both accounts record a cross-account call; the caller's record, which names the key, comes last and stays.
        query = (
            sa.select(sessions)
            .where(s.access_key.in_(list(access_keys)))
            .order_by(s.parent_key.is_(None).desc(), s.account)
        )
        with self.log.engine.connect() as connection:
            return {row.access_key: _session(row) for row in connection.execute(query)}

    def opened_by_keys(self, access_keys: Sequence[str]) -> list[Session]:
        """The sessions that were opened with these keys, in order of time."""
        return self._where(sessions.c.parent_key.in_(list(access_keys)))

    def opened_by_principal(self, unique_id: str) -> list[Session]:
        """The sessions that a principal opened, by whatever credential."""
        return self._where(sessions.c.opener_id == unique_id)

    def descendants(self, access_keys: Sequence[str]) -> list[Session]:
        """Every session that goes back to these keys, however many hops, in order of time."""
        known = set(access_keys)
        found: list[Session] = []
        latest = list(known)
        while latest:
            fresh = [one for one in self.opened_by_keys(latest) if one.access_key not in known]
            found.extend(fresh)
            latest = list({one.access_key for one in fresh})
            known.update(latest)
        return sorted(found, key=lambda one: (one.time, one.position))

    def chain_of(self, entry: Entry) -> list[Hop]:
        """From the credential that made a call back to the first human or service."""
        return self._chain(entry.record)

    def chain(self, access_key: str) -> list[Hop]:
        """From a key back to the first human or service; empty where the log does not know the key."""
        used = self._first_use(access_key)
        if used is not None:
            return self._chain(used.record)
        opening = self.opened([access_key]).get(access_key)
        if opening is None:
            return []
        return self._opened_hops(opening, access_key)

    def _chain(self, record: Record) -> list[Hop]:
        identity = record.identity
        hop = _hop(identity, record)
        key = identity.access_key_id
        if key is None or not identity.temporary:
            return [hop]
        opening = self.opened([key]).get(key)
        if opening is not None:
            return self._opened_hops(opening, key, hop)
        if identity.kind == "IAMUser":
            return [hop, *self._sign_in(identity, record)]
        opening = self._opened_as(identity)
        if opening is None:
            hop["assumed"] = [UNSEEN_OPENING]
            return [hop]
        hop["assumed"] = [BY_ARN]
        return [hop, *self._opened_hops(opening, opening.access_key)]

    def _opened_as(self, identity: Identity) -> Session | None:
        """The latest opening of a session of that ARN before this one began: a console session has a key of its own."""
        if identity.session_arn is None or identity.session_began is None:
            return None
        s = sessions.c
        query = (
            sa.select(sessions)
            .where(s.session_arn == identity.session_arn, s.time <= parse_time(identity.session_began) + 1)
            .order_by(s.time.desc(), s.parent_key.is_(None))
            .limit(1)
        )
        with self.log.engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _session(row)

    def _opened_hops(self, opening: Session, key: str, hop: Hop | None = None) -> list[Hop]:
        hops: list[Hop] = []
        for _ in range(HOPS_MAX):
            entry = self.entry_of(opening)
            told: Hop = hop or {
                "credential": key,
                "session": opening.session_arn,
                "principal": opening.principal_arn,
                "type": _type_of(opening),
                "mfa": None,
                "assumed": [],
            }
            told["openedBy"] = ref(entry)
            told["time"] = format_time(opening.time)
            told["sourceIP"] = entry.document.get("sourceIPAddress")
            told["userAgent"] = entry.document.get("userAgent")
            hops.append(told)
            identity = entry.record.identity
            hop = _console_hop(entry) if opening.action == SIGN_IN else _hop(identity, entry.record)
            key = identity.access_key_id or ""
            if not identity.temporary:
                return [*hops, hop]
            earlier = self.opened([key]).get(key)
            if earlier is None:
                return [*hops, *self._chain(entry.record)]
            opening = earlier
        return hops

    def _sign_in(self, identity: Identity, record: Record) -> list[Hop]:
        """The sign-in that a console session began with: the user's last one before the session's time."""
        if identity.session_began is None or identity.arn is None:
            return []
        began = parse_time(identity.session_began)
        e, k = entries.c, strings.c
        action = sa.select(k.id).where(k.kind == Kind.ACTION, k.text == SIGN_IN).scalar_subquery()
        query = (
            sa.select(e.account, e.position)
            .join(accounts, accounts.c.id == e.account)
            .where(
                accounts.c.account_id == record.account_id,
                e.action == action,
                e.time <= began + 1,
                e.time >= began - SIGN_IN_SECONDS,
                e.error.is_(None),
            )
            .order_by(e.time.desc())
        )
        with self.log.engine.connect() as connection:
            for account, position in connection.execute(query).all():
                for entry in self.log.fetch(connection, account, [position]):
                    if entry.record.identity.unique_id == identity.unique_id:
                        return [{**_console_hop(entry), "openedBy": ref(entry), "assumed": [BY_TIME]}]
        return []

    def _first_use(self, access_key: str) -> Entry | None:
        e = entries.c
        with self.log.engine.connect() as connection:
            numbers = keys(connection, access_key)
            row = connection.execute(
                sa.select(e.account, e.position).where(e.access_key.in_(numbers)).order_by(e.time).limit(1)
            ).first()
            if row is None:
                return None
            return self.log.fetch(connection, row.account, [row.position])[0]

    def entry_of(self, opening: Session) -> Entry:
        """The entry in which the session was opened."""
        with self.log.engine.connect() as connection:
            return self.log.fetch(connection, opening.account, [opening.position])[0]

    def entries_of(self, openings: Iterable[Session]) -> dict[tuple[int, int], Entry]:
        """The entries in which sessions were opened, by the account's number and the position."""
        by_account: dict[int, list[int]] = {}
        for opening in openings:
            by_account.setdefault(opening.account, []).append(opening.position)
        with self.log.engine.connect() as connection:
            return {
                (account, entry.position): entry
                for account, positions in by_account.items()
                for entry in self.log.fetch(connection, account, positions)
            }

    def _where(self, condition: sa.ColumnElement[bool]) -> list[Session]:
        query = sa.select(sessions).where(condition).order_by(sessions.c.time, sessions.c.position)
        with self.log.engine.connect() as connection:
            seen: dict[str, Session] = {}
            for row in connection.execute(query):
                seen.setdefault(row.access_key, _session(row))
        return list(seen.values())


def advance(connection: sa.Connection, log: Log, span: Span) -> None:
    """Take in the records of a span that opened sessions."""
    k, e = strings.c, entries.c
    openers = list(
        connection.scalars(sa.select(k.id).where(k.kind == Kind.ACTION, k.text.in_(SESSION_ACTIONS)))
    )
    positions = list(
        connection.scalars(
            sa.select(e.position)
            .where(
                e.account == span.account,
                e.position >= span.start,
                e.position < span.end,
                e.action.in_(openers),
                e.error.is_(None),
            )
            .order_by(e.position)
        )
    )
    for start in range(0, len(positions), 5_000):
        rows = {
            row["access_key"]: row
            for entry in log.fetch(connection, span.account, positions[start : start + 5_000])
            if (row := _row(entry, span.account)) is not None
        }
        if not rows:
            continue
        known = sa.select(sessions.c.access_key).where(
            sessions.c.account == span.account, sessions.c.access_key.in_(list(rows))
        )
        for access_key in connection.scalars(known).all():
            del rows[access_key]
        if rows:
            connection.execute(sessions.insert(), list(rows.values()))


def _row(entry: Entry, account: int) -> dict[str, Any] | None:
    change = Change(position=entry.position, record=entry.record, native=entry.origin.native)
    session = session_opened(change)
    if session is None or session.access_key_id is None:
        return None
    return {
        "access_key": session.access_key_id,
        "account": account,
        "position": entry.position,
        "time": entry.time,
        "action": session.action,
        "session_arn": session.session_arn,
        "principal_arn": session.arn,
        "parent_key": session.parent_access_key_id,
        "opener_arn": session.opener_arn,
        "opener_id": session.opened_by.unique_id,
    }


def _hop(identity: Identity, record: Record) -> Hop:
    return {
        "credential": identity.access_key_id,
        "session": identity.session_arn,
        "principal": identity.arn or identity.label,
        "type": identity.kind,
        "openedBy": None,
        "time": format_time(record.time),
        "sourceIP": record.document.get("sourceIPAddress"),
        "userAgent": record.document.get("userAgent"),
        "mfa": identity.mfa,
        "assumed": [],
    }


def _console_hop(entry: Entry) -> Hop:
    """The human at the console, with whether they used MFA."""
    hop = {**_hop(entry.record.identity, entry.record), "type": "Console"}
    extra = entry.document.get("additionalEventData")
    if isinstance(extra, Mapping) and isinstance(extra.get("MFAUsed"), str):
        hop["mfa"] = extra["MFAUsed"].lower() == "yes"
    return hop


def _type_of(opening: Session) -> str:
    if opening.action in ("sts:GetSessionToken", SIGN_IN):
        return "Root" if (opening.principal_arn or "").endswith(":root") else "IAMUser"
    return "FederatedUser" if ":federated-user/" in (opening.session_arn or "") else "AssumedRole"


def _session(row: sa.Row[Any]) -> Session:
    return Session(**{column.name: getattr(row, column.name) for column in sessions.columns})


SESSIONS = Projection("sessions", version=1, tables=(sessions,), advance=advance)
