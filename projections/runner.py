"""Keeps projections up with the log: cursors, catch-up, rebuild.

A projection is a name, a version, its tables and one function that takes it further. Rows and cursor move in one
transaction, so a span of the log counts once, whatever breaks. It never asks the clock, never calls out and never
writes to the log. It can always be thrown away and built again; raising `version` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger.log import LedgerUnavailable, Log
from ledger.log.privileges import grant_again, lacks_privilege
from ledger.log.schema import CHANGES, ROWS, accounts

metadata = sa.MetaData(info={CHANGES: ROWS})

cursors = sa.Table(
    "projection_cursors",
    metadata,
    sa.Column("projection", sa.String(40), primary_key=True),
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, comment="the first position not yet taken in"),
)
LOCK = 7240016703  # PostgreSQL advisory locks: of the tables, and with an account of a catch-up
ACCOUNT_LOCK = 16703


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one account's log: the positions from `start` up to and without `end`."""

    account_id: str
    account: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Projection:
    """`advance` takes in a span in the transaction it is given; it may read the log as it likes.

    It takes a span and not an entry, for few entries concern a projection and those can be found by an index.
    Where each entry is work, `span_max` bounds what one transaction takes in: a span ends at a multiple of it. One
    that takes entries by the `grain` leaves those that do not make a whole one for later.
    """

    name: str
    version: int
    tables: tuple[sa.Table, ...]
    advance: Callable[[sa.Connection, Log, Span], None]
    grain: int = 1
    span_max: int | None = None


Progress = Callable[[int, int], None]  # is told after each span: entries taken in, of how many


class Runner:
    """Runs projections over a ledger."""

    def __init__(self, log: Log, projections: Sequence[Projection]) -> None:
        self.log = log
        self.projections = tuple(projections)
        self._ready = False

    def catch_up(self, *, spans_max: int | None = None, progress: Progress | None = None) -> None:
        """Take in all that the log holds now, or so many spans of it. Who reads afterwards reads their own writes."""
        self.prepare()
        with self.log.engine.connect() as connection:
            heads = connection.execute(sa.select(accounts)).all()
            reached = {
                (row.projection, row.account): row.position for row in connection.execute(sa.select(cursors))
            }
        waiting = [
            (projection, head.id, new)
            for projection in self.projections
            for head in heads
            if (new := _ripe(projection, head.size) - reached.get((projection.name, head.id), 0)) > 0
        ]
        whole, done, spans = sum(new for _, _, new in waiting), 0, 0
        for projection, account, new in waiting:
            while new > 0 and (spans_max is None or spans < spans_max):
                taken = self._advance(projection, account)
                new, done, spans = new - (taken or new), done + taken, spans + 1
                if progress is not None:
                    progress(done, max(done, whole))

    def rebuild(self, *, progress: Progress | None = None) -> None:
        """Throw every projection away and build it again from the log."""
        with _by_owner(), self.log.engine.execution_options(writes=True).begin() as connection:
            metadata.create_all(connection, [cursors])
            for projection in self.projections:
                _drop(connection, projection)
        self._ready = False
        self.catch_up(progress=progress)

    def prepare(self) -> None:
        """Make missing tables; drop those that another version of the projection made. Raises LedgerUnavailable where it
        takes the owner of the ledger to do that.
        """
        if self._ready:
            return
        with _by_owner(), self.log.engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            metadata.create_all(connection, [cursors])
            for projection in self.projections:
                built = connection.scalars(
                    sa.select(cursors.c.version).where(cursors.c.projection == projection.name)
                )
                if set(built) - {projection.version}:
                    _drop(connection, projection)
                there = sa.inspect(connection).get_table_names()
                made = [table for table in projection.tables if table.name not in there]
                for table in made:
                    table.create(connection)
                grant_again(connection, made)
        self._ready = True

    def _advance(self, projection: Projection, account: int) -> int:
        """Take in one span; how many entries it has, 0 where another has taken them in."""
        with self.log.engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK}, {account})")
            row = connection.execute(sa.select(accounts).where(accounts.c.id == account)).one()
            mine = sa.and_(cursors.c.projection == projection.name, cursors.c.account == account)
            reached = connection.execute(sa.select(cursors.c.position).where(mine)).scalar()
            start, end = reached or 0, _ripe(projection, row.size)
            if start >= end:
                return 0
            if projection.span_max is not None:
                end = min(end, start - start % projection.span_max + projection.span_max)
            span = Span(account_id=row.account_id, account=account, start=start, end=end)
            projection.advance(connection, self.log, span)
            if reached is None:
                connection.execute(
                    cursors.insert().values(
                        projection=projection.name,
                        account=account,
                        version=projection.version,
                        position=end,
                    )
                )
            else:
                connection.execute(sa.update(cursors).where(mine).values(position=end))
        return end - start


def forget(connection: sa.Connection, projections: Sequence[Projection], account: int) -> None:
    """Throw away what was derived of an account's log, in a transaction of somebody else's; who asks next derives it anew."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ACCOUNT_LOCK}, {account})")
    there = set(sa.inspect(connection).get_table_names())
    for table in (cursors, *(table for one in projections for table in reversed(one.tables))):
        if table.name in there:
            connection.execute(sa.delete(table).where(table.c.account == account))


@contextmanager
def _by_owner() -> Iterator[None]:
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if not lacks_privilege(error):
            raise
        raise LedgerUnavailable(
            "tables of projections have to be made, which takes the ledger's owner: `iam-ledger database grant`"
        ) from error


def _ripe(projection: Projection, size: int) -> int:
    return size - size % projection.grain


def _drop(connection: sa.Connection, projection: Projection) -> None:
    for table in reversed(projection.tables):
        table.drop(connection, checkfirst=True)
    connection.execute(sa.delete(cursors).where(cursors.c.projection == projection.name))
