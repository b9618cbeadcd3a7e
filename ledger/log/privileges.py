"""What a role of PostgreSQL may do that serves a ledger and owns nothing of it: read, append, and change what has to change.

What that is, each table says itself (`schema.CHANGES`); so a table that is new, and says nothing, can be read and added to.
Source: PostgreSQL's documentation, "Privileges".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa

from ledger.log.schema import CHANGES, ROWS, entries, metadata

VERSION_TABLE: Final = "alembic_version"
OF_TABLES: Final = ("UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")  # what nobody gets by itself
INSUFFICIENT: Final = "42501"


class NotAServiceRole(Exception):
    """The role can't be one that owns nothing. The message says why, in one line."""


def grant(connection: sa.Connection, role: str, tables: Iterable[sa.Table]) -> None:
    """Give a role what serving takes, and nothing else, on these tables. Raises NotAServiceRole, where it may do more by another
    way; then roll back.
    """
    tables = [*tables]
    _check_role(connection, role)
    quoted = _quoted(connection, role)
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    for statement in (f"GRANT USAGE ON SCHEMA {schema} TO", f"GRANT SELECT ON {VERSION_TABLE} TO"):
        connection.exec_driver_sql(f"{statement} {quoted}")
    for table in tables:
        _grant(connection, role, table)
    _check_no_more(connection, role, tables)


def grant_again(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Give every role that may append what it needs of tables that were made just now."""
    if connection.dialect.name != "postgresql":
        return
    for role in _service_roles(connection):
        for table in tables:
            _grant(connection, role, table)


def log_tables() -> list[sa.Table]:
    import ledger.vault.tables  # noqa: F401 - they are of the same metadata

    return metadata.sorted_tables


def lacks_privilege(error: sa.exc.ProgrammingError) -> bool:
    """Whether PostgreSQL refused because of who asked."""
    return getattr(error.orig, "sqlstate", None) == INSUFFICIENT


def privileges(table: sa.Table) -> Iterator[str]:
    """What is granted on a table, in SQL's words."""
    changes = table.info.get(CHANGES) or table.metadata.info.get(CHANGES)
    yield "SELECT"
    yield "INSERT"
    if changes == ROWS:
        yield "UPDATE"
        yield "DELETE"
    elif changes:
        yield f"UPDATE ({', '.join(changes)})"


def _grant(connection: sa.Connection, role: str, table: sa.Table) -> None:
    on, to = _quoted(connection, table.name), _quoted(connection, role)
    connection.exec_driver_sql(f"REVOKE ALL ON {on} FROM {to}")
    connection.exec_driver_sql(f"GRANT {', '.join(privileges(table))} ON {on} TO {to}")
    numbered = table.autoincrement_column
    if numbered is not None:
        query = sa.select(sa.func.pg_get_serial_sequence(on, numbered.name))
        sequence = connection.execute(query).scalar()
        if sequence is not None:
            connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE {sequence} TO {to}")


def _check_role(connection: sa.Connection, role: str) -> None:
    owner = connection.execute(
        sa.text("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = CAST(:table AS regclass)"),
        {"table": entries.name},
    ).scalar_one()
    there = sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role")
    if not connection.execute(there, {"role": role}).scalar_one():
        raise NotAServiceRole(f"there is no role {role!r}; CREATE ROLE makes one")
    member = sa.text(
        "SELECT pg_has_role(CAST(:role AS name), CAST(:of AS name), 'MEMBER'), pg_has_role(CAST(:of AS name), 'USAGE')"
    )
    is_owner, may_grant = connection.execute(member, {"role": role, "of": owner}).one()
    if is_owner:
        raise NotAServiceRole(f"{role} is {owner}, who owns the tables, or may become it")
    if not may_grant:
        raise NotAServiceRole(f"only {owner}, who owns the tables, can give anything of them")
    creates = sa.text(
        "SELECT has_schema_privilege(CAST(:role AS name), current_schema(), 'CREATE'), current_schema()"
    )
    may_create, schema = connection.execute(creates, {"role": role}).one()
    if may_create:
        raise NotAServiceRole(
            f"{role} may make tables in the schema {schema}: first REVOKE CREATE ON SCHEMA {schema} FROM it, "
            "or from PUBLIC"
        )


def _check_no_more(connection: sa.Connection, role: str, tables: Iterable[sa.Table]) -> None:
    """By what it is a member of, or by PUBLIC, it may have been given more."""
    asked = sa.text("SELECT has_table_privilege(CAST(:role AS name), CAST(:table AS regclass), :privilege)")
    for table in tables:
        given = set(privileges(table))
        for privilege in OF_TABLES:
            told = {"role": role, "table": _quoted(connection, table.name), "privilege": privilege}
            if privilege not in given and connection.execute(asked, told).scalar_one():
                raise NotAServiceRole(f"{role} has {privilege} on {table.name} by another way")


def _service_roles(connection: sa.Connection) -> list[str]:
    """Whom the owner has let append."""
    query = sa.text(
        "SELECT DISTINCT rolname FROM pg_class, aclexplode(relacl) AS given JOIN pg_roles ON pg_roles.oid = grantee "
        "WHERE pg_class.oid = CAST(:table AS regclass) AND privilege_type = 'INSERT' AND grantee <> relowner"
    )
    return list(connection.scalars(query, {"table": entries.name}))


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
