"""Whether the database still refuses to change a log, and hides nothing of it: its triggers against those that the
migrations make, and on PostgreSQL rules and row security, of which they make none.

The migrations are run once more, in a place that is thrown away, so nothing lists a second time what they make.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from ledger.log import Log
from ledger.log.engine import upgrade

ON_SQLITE: Final = "SELECT tbl_name, 'trigger ' || name, sql, 'O' FROM sqlite_master WHERE type = 'trigger'"
ON_POSTGRESQL: Final = """
    SELECT c.relname, 'trigger ' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || p.prosrc, t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
    UNION ALL SELECT tablename, 'rule ' || rulename, definition, 'O' FROM pg_rules WHERE schemaname = current_schema()
    UNION ALL SELECT relname, 'row security', '', 'O' FROM pg_class
    WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace
"""
FIRES: Final = ("O", "A")  # pg_trigger.tgenabled: as ever, and even while it replicates


class CantTell(Exception):
    """There is no place to run the migrations in: a replica, or a role that may make no schema. The message says which."""


class Guard(NamedTuple):
    """What a trigger is made of, its function with it, or a rule, whatever the schema is called."""

    definition: str
    fires: bool


Guards = dict[tuple[str, str], Guard]  # by table, and kind and name


def altered_guards(log: Log) -> list[str]:
    """A line for each that is missing, switched off, another, or not the ledger's. Raises CantTell."""
    with log.engine.connect() as connection:
        there, _ = _read(connection)
    made, own = _made_on_postgresql(log) if log.engine.dialect.name == "postgresql" else _made_on_sqlite()
    told = []
    for (table, name), guard in sorted(made.items()):
        found = there.get((table, name))
        if found is None:
            told.append(f"the {name} on {table} is missing")
        elif found.definition != guard.definition:
            told.append(f"the {name} on {table} is not the one that the ledger made")
        elif not found.fires:
            told.append(f"the {name} on {table} is switched off")
    for table, name in sorted(there.keys() - made.keys()):
        if table in own:
            told.append(f"the {name} on {table} is none of the ledger's")
    return told


def _read(connection: sa.Connection) -> tuple[Guards, set[str]]:
    """The triggers, and the tables there are."""
    postgresql = connection.dialect.name == "postgresql"
    schema = f"{connection.scalar(sa.text('SELECT current_schema()'))}." if postgresql else ""
    rows = connection.execute(sa.text(ON_POSTGRESQL if postgresql else ON_SQLITE)).all()
    guards = {
        (table, name): Guard(definition.replace(schema, ""), fires in FIRES)
        for table, name, definition, fires in rows
    }
    return guards, set(sa.inspect(connection).get_table_names())


def _made_on_sqlite() -> tuple[Guards, set[str]]:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            upgrade(connection)
            return _read(connection)
    finally:
        engine.dispose()


def _made_on_postgresql(log: Log) -> tuple[Guards, set[str]]:
    """In a schema of its own, in a transaction that is not committed."""
    schema = f"iam_ledger_{secrets.token_hex(8)}"
    with log.engine.connect() as connection:
        try:
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        except sa.exc.DBAPIError as error:
            raise CantTell(str(error.orig).partition("\n")[0]) from error
        connection.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
        upgrade(connection)
        found = _read(connection)
        connection.rollback()
        return found
