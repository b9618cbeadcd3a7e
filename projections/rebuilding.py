"""Whether the projections' rows are those that the log gives: each is built again beside them and compared.

It is built into temporary tables of the same names, which a connection finds before the lasting ones, by the same
functions. So nothing that others read is touched, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.schema import accounts
from ledger.verification.findings import Difference, Kind
from projections.history import entities, versions
from projections.last_uses import LAST_USES
from projections.refolding import HISTORY
from projections.runner import Projection, Span, cursors
from projections.sessions import SESSIONS
from projections.texts import TEXTS

PROJECTIONS = (HISTORY, SESSIONS, LAST_USES, TEXTS)

Progress = Callable[[int, int], None]  # entries taken in, of how many


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The projections that were built again, by name; those that were never built here are not among them."""

    projections: tuple[str, ...]
    differences: tuple[Difference, ...]

    def to_document(self) -> dict[str, Any]:
        return {
            "rebuilt": list(self.projections),
            "differing": len(self.differences),
            "differences": [one.to_document() for one in self.differences],
        }


def verify_projections(log: Log, account_ids: Sequence[str], progress: Progress | None = None) -> Rebuilt:
    """Build every projection again, as far as it had come in these accounts' logs, and compare. Nothing is changed."""
    with log.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin() as transaction:
            rebuilding = _Rebuilding(connection, log, account_ids, progress)
            names, differences = rebuilding.run()
            transaction.rollback()
        connection.detach()  # its temporary tables go with it
    return Rebuilt(tuple(names), tuple(differences))


class _Rebuilding:
    def __init__(
        self, connection: sa.Connection, log: Log, account_ids: Sequence[str], progress: Progress | None
    ) -> None:
        self._connection, self._log, self._progress = connection, log, progress
        on_postgresql = connection.dialect.name == "postgresql"
        self._temporary = "pg_temp" if on_postgresql else "temp"
        self._lasting = (
            connection.exec_driver_sql("SELECT current_schema()").scalar() if on_postgresql else "main"
        )
        query = sa.select(accounts).where(accounts.c.account_id.in_(account_ids))
        self._accounts = connection.execute(query.order_by(accounts.c.account_id)).all()
        self._there = set(sa.inspect(connection).get_table_names())
        self._reached: dict[tuple[str, int], int] = {}
        self._outdated: set[str] = set()  # what is built anew by whoever asks next
        if cursors.name in self._there:
            versions_of = {projection.name: projection.version for projection in PROJECTIONS}
            for row in connection.execute(sa.select(cursors)):
                self._reached[row.projection, row.account] = row.position
                if versions_of.get(row.projection) != row.version:
                    self._outdated.add(row.projection)
        self._whole = sum(
            position
            for (name, account), position in self._reached.items()
            if name not in self._outdated and account in {row.id for row in self._accounts}
        )
        self._done = 0

    def run(self) -> tuple[list[str], list[Difference]]:
        names: list[str] = []
        differences: list[Difference] = []
        for projection in PROJECTIONS:
            if projection.name in self._outdated or not self._there.issuperset(
                table.name for table in projection.tables
            ):
                continue
            for table in projection.tables:
                self._in(self._temporary, table).create(self._connection)
            for head in self._accounts:
                differences += self._build(projection, head)
            if any((projection.name, head.id) in self._reached for head in self._accounts):
                names.append(projection.name)
            for table in projection.tables:
                for head in self._accounts:
                    differences += self._compare(projection, table, head)
        return names, differences

    def _build(self, projection: Projection, head: sa.Row[Any]) -> Iterator[Difference]:
        reached = self._reached.get((projection.name, head.id), 0)  # rows without a cursor are of no entry
        if reached > head.size:
            said = f"{projection.name} has taken in {reached} entries, and the log has {head.size}"
            yield Difference(Kind.PROJECTION_DIFFERS, said, head.account_id)
            reached = head.size
        start = 0
        while start < reached:
            end = reached if projection.span_max is None else min(reached, start + projection.span_max)
            span = Span(account_id=head.account_id, account=head.id, start=start, end=end)
            projection.advance(self._connection, self._log, span)
            self._done += end - start
            start = end
            if self._progress is not None:
                self._progress(self._done, self._whole)

    def _compare(self, projection: Projection, table: sa.Table, head: sa.Row[Any]) -> Iterator[Difference]:
        stored, built = (self._rows(schema, table, head.id) for schema in (self._lasting, self._temporary))
        for rows, others, said in ((stored, built, "too many"), (built, stored, "missing")):
            differing = sa.except_(rows, others).subquery()
            count = self._connection.execute(sa.select(sa.func.count()).select_from(differing)).scalar_one()
            if count:
                detail = (
                    f"{projection.name}: {count} rows of {table.name} are {said} or other than the log gives"
                )
                yield Difference(Kind.PROJECTION_DIFFERS, detail, head.account_id)

    def _rows(self, schema: Any, table: sa.Table, account: int) -> sa.Select[Any]:
        """The rows of one account, with what they are named by in place of numbers that the database gives."""
        kept = self._in(schema, table)
        if table is entities:
            return sa.select(kept.c.kind, kept.c.unique_id).where(kept.c.account == account)
        if table is versions:
            named = self._in(schema, entities)
            columns = [column for column in kept.columns if column.name != "entity"]
            joined = kept.join(named, named.c.id == kept.c.entity)
            query = sa.select(named.c.kind, named.c.unique_id, *columns).select_from(joined)
            return query.where(kept.c.account == account)
        return sa.select(*kept.columns).where(kept.c.account == account)

    def _in(self, schema: Any, table: sa.Table) -> sa.Table:
        return table.to_metadata(sa.MetaData(), schema=schema)
