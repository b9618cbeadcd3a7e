"""When somebody was last at work: an access key, a password, a role, and each principal's use of each action.

Keys and roles are answered by the log's own indexes. For who used which action last there is a projection: one row for
a principal's calls of one action in one account's log, those that ended well apart from those that did not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ledger.entry import Entry
from ledger.log import Log
from ledger.log.names import digest
from ledger.log.rows import among
from ledger.log.schema import HAS_RECORD, Kind, entries, principals, strings
from projections.activity import END_OF_TIME
from projections.attribution import key_numbers
from projections.runner import Projection, Runner, Span, metadata

SIGN_IN: Final = "signin:ConsoleLogin"
SPAN_MAX = 262_144  # entries that are summed up in one transaction, in about a second
PLACE_BITS = 31  # of a position, below the time: the newest place is then the greatest number

last_uses = sa.Table(
    "last_uses",
    metadata,
    sa.Column("principal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("action", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("failed", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "place", sa.BigInteger, nullable=False, comment="of the newest such entry: time x 2^31 + position"
    ),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Use:
    """The newest entry in which a principal, by its unique id, used an action; `time` in seconds since 1970."""

    unique_id: str
    action: str
    time: int
    account: int  # number of the account in whose log it stands
    position: int

    @property
    def place(self) -> tuple[int, int, int]:
        return self.time, self.account, self.position


class LastUses:
    """The questions about last use that one ledger answers. Whatever was appended is taken in first."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.runner = Runner(log, [LAST_USES])

    def of_key(self, access_key_id: str, *, until: int = END_OF_TIME) -> Entry | None:
        """The newest entry that the key made before `until`, however it ended."""
        with self.log.engine.connect() as connection:
            number = key_numbers(connection, [access_key_id]).get(access_key_id)
            return None if number is None else self._newest(connection, entries.c.access_key == number, until)

    def of_role(self, unique_id: str) -> Entry | None:
        """The newest entry that a session of the role made, however it ended."""
        with self.log.engine.connect() as connection:
            found = (
                self._newest(connection, entries.c.principal == number, END_OF_TIME)
                for number in _numbers(connection, [unique_id])
            )
            return max((one for one in found if one is not None), key=lambda one: one.time, default=None)

    def sign_ins(self, unique_ids: Collection[str], *, until: int = END_OF_TIME) -> dict[str, int]:
        """When each of these (users, or root by the account's number) last signed in to the console with success."""
        told = {"unique_ids": list(unique_ids), "until": until}
        with self.log.engine.connect() as connection:
            return {row.unique_id: row.time for row in connection.execute(_SIGN_INS, told)}

    def uses(self, unique_ids: Collection[str]) -> list[Use]:
        """The last use of each action by each of these principals, however it ended; the newest first."""
        self.runner.catch_up()
        with self.log.engine.connect() as connection:
            found = list(self._uses(connection, unique_ids))
        return sorted(found, key=lambda one: (one.place, one.action), reverse=True)

    def entries(self, uses: Sequence[Use]) -> list[Entry]:
        """The entries of these uses, in their order."""
        with self.log.engine.connect() as connection:
            return self.log.fetch_all(connection, [(one.account, one.position) for one in uses])

    def _uses(self, connection: sa.Connection, unique_ids: Collection[str]) -> Iterator[Use]:
        u, s = last_uses.c, strings.c
        numbers = _numbers(connection, unique_ids)
        query = (
            sa.select(u.principal, s.text, u.account, u.place)
            .join(strings, s.id == u.action)
            .where(among(connection, u.principal, numbers))
        )
        for principal, action, account, place in connection.execute(query):
            position = place & ((1 << PLACE_BITS) - 1)
            yield Use(numbers[principal], action, place >> PLACE_BITS, account, position)

    def _newest(
        self, connection: sa.Connection, condition: sa.ColumnElement[bool], until: int
    ) -> Entry | None:
        e = entries.c
        query = (
            sa.select(e.account, e.position)
            .where(condition, HAS_RECORD, e.time < until)
            .order_by(e.time.desc(), e.account.desc(), e.position.desc())
            .limit(1)
        )
        row = connection.execute(query).first()
        return None if row is None else self.log.fetch(connection, row.account, [row.position])[0]


def _numbers(connection: sa.Connection, unique_ids: Collection[str]) -> dict[int, str]:
    p = principals.c
    query = sa.select(p.id, p.unique_id).where(p.unique_id.in_(sorted(unique_ids)))
    return {row.id: row.unique_id for row in connection.execute(query)}


_ACTION = sa.select(strings.c.id).where(
    strings.c.kind == Kind.ACTION, strings.c.digest == digest(SIGN_IN.encode()), strings.c.text == SIGN_IN
)
# Made once, for it is asked with each GetUser. `+ 0` has the few sign-ins looked through, and not all that somebody ever
# did.
_SIGN_INS = (
    sa.select(principals.c.unique_id, sa.func.max(entries.c.time).label("time"))
    .join(entries, principals.c.id == entries.c.principal + 0)
    .where(
        entries.c.action == _ACTION.scalar_subquery(),
        entries.c.error.is_(None),
        entries.c.time < sa.bindparam("until"),
        principals.c.unique_id.in_(sa.bindparam("unique_ids", expanding=True)),
    )
    .group_by(principals.c.unique_id)
)


def _advance(connection: sa.Connection, log: Log, span: Span) -> None:
    e = entries.c
    failed = sa.case((e.error.is_(None), 0), else_=1)
    newest = (
        sa.select(
            e.principal, e.action, failed, e.account, sa.func.max(e.time * (1 << PLACE_BITS) + e.position)
        )
        .where(e.account == span.account, e.position >= span.start, e.position < span.end)
        .group_by(e.principal, e.action, failed, e.account)
    )
    on_postgresql = connection.dialect.name == "postgresql"
    insert: Any = (postgresql.insert if on_postgresql else sqlite.insert)(last_uses).from_select(
        ["principal", "action", "failed", "account", "place"], newest
    )
    greater = (sa.func.greatest if on_postgresql else sa.func.max)(last_uses.c.place, insert.excluded.place)
    key = [column.name for column in last_uses.primary_key]
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_={"place": greater}))


LAST_USES = Projection("last_uses", version=1, tables=(last_uses,), advance=_advance, span_max=SPAN_MAX)
