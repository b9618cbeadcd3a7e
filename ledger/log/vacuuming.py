"""PostgreSQL's VACUUM of a ledger's tables: it frees what is deleted, and learns what questions are planned by."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress

import sqlalchemy as sa

from ledger.log.schema import metadata


def settle(engine: sa.Engine) -> None:
    """Let PostgreSQL see at once how much it holds after a large import: until it has, in a minute or more, it plans
    questions as if that were nothing, and they take up to a hundred times as long. Nothing else rests on it.
    """
    if engine.dialect.name == "postgresql":
        with suppress(engine.dialect.loaded_dbapi.Error):
            vacuum(engine, metadata.sorted_tables)


def vacuum(engine: sa.Engine, tables: Iterable[sa.Table]) -> list[str]:
    """Vacuum and analyze the tables. What PostgreSQL warned of: tables of somebody else it leaves as they are.

    Raises the driver's errors.
    """
    warned: list[str] = []
    with closing(engine.raw_connection()) as borrowed:
        connection = borrowed.driver_connection
        assert connection is not None
        borrowed.detach()  # with settings of its own, nobody else is given it
        connection.autocommit = True
        connection.add_notice_handler(lambda notice: warned.append(str(notice.message_primary)))
        borrowed.cursor().execute(f"VACUUM (ANALYZE) {', '.join(table.name for table in tables)}")
    return warned
