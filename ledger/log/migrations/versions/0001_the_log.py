"""The log: its tables, and the triggers that refuse to change what is written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.log.schema import IMMUTABLE, KEPT, metadata

revision = "0001"
down_revision = None

REFUSAL = "the log is append-only: {table} is never changed"


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection, tables=KEPT)
    if connection.dialect.name == "sqlite":
        _refuse_on_sqlite(connection)
    else:
        _refuse_on_postgresql(connection)


def _refuse_on_sqlite(connection: sa.Connection) -> None:
    """SQLite has no TRUNCATE; its DELETE without WHERE fires the trigger too."""
    for table in IMMUTABLE:
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL.format(table=table)}'); END"
            )


def _refuse_on_postgresql(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the log is append-only: %% is never changed', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in IMMUTABLE:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
