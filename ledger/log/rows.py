"""Many rows in one go: inserting them, and naming them by a list of numbers, as fast as each database can."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

Row = Sequence[Any]
Key = tuple[int, int]  # the number of an account, and a position of its log

POSITIONS_MAX = 2**40  # of one account, so that a key is one number
TOGETHER = 16
"""Rows a statement inserts into SQLite: for each it opens the table and all its indexes anew, a seventh of the work."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows of plain values, in the order of the table's columns."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        statement, kinds = _copy(table)
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(statement) as target:
            target.set_types(kinds)
            for row in rows:
                target.write_row(row)
    else:
        whole = len(rows) - len(rows) % TOGETHER
        if whole:
            together = [
                tuple(chain.from_iterable(rows[at : at + TOGETHER])) for at in range(0, whole, TOGETHER)
            ]
            connection.exec_driver_sql(_insert(table, TOGETHER), together)
        if whole < len(rows):
            connection.exec_driver_sql(_insert(table, 1), rows[whole:])


def upsert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows of plain values, or put them in the place of those that have the same primary key."""
    connection.exec_driver_sql(_upsert(table, "%s" if connection.dialect.name == "postgresql" else "?"), rows)


def among(
    connection: sa.Connection, column: sa.ColumnElement[int], numbers: Collection[int]
) -> sa.ColumnElement[bool]:
    """The column is one of the numbers: one parameter and one statement, however many they are."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(numbers), ARRAY(sa.BigInteger)))
    listed = sa.func.json_each(orjson.dumps(list(numbers)).decode()).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def among_bound(dialect: str, column: sa.ColumnElement[int], name: str) -> sa.ColumnElement[bool]:
    """As `among`, for a statement that is made once: the numbers are the parameter of this name, as `bound` gives them."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=ARRAY(sa.BigInteger)))
    listed = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def bound(dialect: str, numbers: Collection[int]) -> Any:
    return list(numbers) if dialect == "postgresql" else orjson.dumps(list(numbers)).decode()


def listed_bound(dialect: str, name: str) -> sa.ColumnElement[int]:
    """The numbers of the parameter of this name, a row each."""
    numbers = sa.bindparam(name, type_=sa.Text)
    if dialect == "postgresql":
        array = sa.cast(numbers, ARRAY(sa.BigInteger))
        return sa.func.unnest(array, type_=sa.BigInteger).column_valued()
    listed = sa.func.json_each(numbers)
    return listed.table_valued(sa.column("value", sa.BigInteger)).c.value


def among_keys_bound(
    dialect: str, account: sa.ColumnElement[int], position: sa.ColumnElement[int], name: str
) -> sa.ColumnElement[bool]:
    """As `among_bound`, of entries of any accounts: the parameter is their keys, as `bound_keys` gives them."""
    key = listed_bound(dialect, name)
    return sa.tuple_(account, position).in_(sa.select(key // POSITIONS_MAX, key % POSITIONS_MAX))


def bound_keys(dialect: str, keys: Iterable[Key]) -> str:
    """Written here, for psycopg writes a list of numbers three times as slowly."""
    numbers = orjson.dumps([account * POSITIONS_MAX + position for account, position in keys]).decode()
    return f"{{{numbers[1:-1]}}}" if dialect == "postgresql" else numbers


@lru_cache
def _insert(table: sa.Table, rows: int) -> str:
    """OR FAIL, as the guarding triggers: no journal for each row. What failed is undone with its transaction."""
    columns = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT OR FAIL INTO {table.name} ({columns}) VALUES " + ", ".join([f"({marks})"] * rows)


@lru_cache
def _upsert(table: sa.Table, mark: str) -> str:
    key = {column.name for column in table.primary_key}
    columns = [column.name for column in table.columns]
    moved = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {moved}"
    )


@lru_cache
def _copy(table: sa.Table) -> tuple[str, list[str]]:
    columns = ", ".join(column.name for column in table.columns)
    kinds = [_postgresql_type(column.type) for column in table.columns]
    return f"COPY {table.name} ({columns}) FROM STDIN (FORMAT BINARY)", kinds


def _postgresql_type(kind: sa.types.TypeEngine[Any]) -> str:
    match kind:
        case sa.SmallInteger():
            return "int2"
        case sa.BigInteger():
            return "int8"
        case sa.Integer():
            return "int4"
        case sa.Text():
            return "text"
        case sa.Boolean():
            return "bool"
        case sa.LargeBinary():
            return "bytea"
    raise TypeError(f"no binary COPY for {kind!r}")
