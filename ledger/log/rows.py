"""Many rows in one go: inserting them, and naming them by a list of numbers, as fast as each database can."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

Row = Sequence[Any]
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


@lru_cache
def _insert(table: sa.Table, rows: int) -> str:
    """OR FAIL, as the guarding triggers: no journal for each row. What failed is undone with its transaction."""
    columns = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT OR FAIL INTO {table.name} ({columns}) VALUES " + ", ".join([f"({marks})"] * rows)


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
