"""The tree over each account's log, and its signed heads. The trees of logs that are there are built here."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from ledger.merkle.tiles import TILE_BYTES, TILE_WIDTH, roots_of_full

revision = "0004"
down_revision = "0003"

PAGE = 64 * TILE_WIDTH

CHANGED = "NEW.account <> OLD.account OR NEW.level <> OLD.level OR NEW.number <> OLD.number"


def upgrade() -> None:
    op.create_table(
        "tiles",
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False, comment="up to 256, of 32 bytes"),
        comment="the tree of each log from level 1 on; of level 0 the tiles are the entries' leaf hashes",
    )
    op.create_table(
        "checkpoints",
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False, comment="the signed note, as it was given out"),
        comment="what was signed of each log",
    )
    _build()
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def _build() -> None:
    connection = op.get_bind()
    for account, size in connection.execute(sa.text("SELECT id, size FROM accounts")).all():
        level, hashes = 1, b"".join(_roots_of_leaves(connection, account, size))
        while hashes:
            rows = [
                {"account": account, "level": level, "number": start // TILE_BYTES, "hashes": content}
                for start in range(0, len(hashes), TILE_BYTES)
                if (content := hashes[start : start + TILE_BYTES])
            ]
            connection.execute(sa.text("INSERT INTO tiles VALUES (:account, :level, :number, :hashes)"), rows)
            level, hashes = level + 1, roots_of_full(hashes)


def _roots_of_leaves(connection: sa.Connection, account: int, size: int) -> Iterator[bytes]:
    """A page of the log at a time: of a million entries, what is held are 128 KB of roots."""
    leaves = sa.text(
        "SELECT leaf_hash FROM entries WHERE account = :account AND position >= :start AND position < :stop "
        "ORDER BY position"
    )
    whole = size - size % TILE_WIDTH
    for start in range(0, whole, PAGE):
        stop = min(start + PAGE, whole)
        found = connection.execute(leaves, {"account": account, "start": start, "stop": stop})
        yield roots_of_full(b"".join(map(bytes, found.scalars())))


def _guard_on_sqlite() -> None:
    longer = (
        "substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes OR length(NEW.hashes) <= length(OLD.hashes)"
    )
    there = "account = NEW.account AND level = NEW.level AND number = NEW.number"
    _refuse("tiles_no_delete", "DELETE ON tiles", "tiles")
    _refuse(
        "tiles_only_grow",
        f"UPDATE ON tiles WHEN {CHANGED} OR {longer} OR length(NEW.hashes) > {TILE_BYTES}",
        "tiles",
    )
    _refuse("tiles_no_replace", f"INSERT ON tiles WHEN EXISTS (SELECT 1 FROM tiles WHERE {there})", "tiles")
    for verb in ("UPDATE", "DELETE"):
        _refuse(f"checkpoints_no_{verb.lower()}", f"{verb} ON checkpoints", "checkpoints")
    later = "account = NEW.account AND size >= NEW.size"
    _refuse(
        "checkpoints_only_grow",
        f"INSERT ON checkpoints WHEN EXISTS (SELECT 1 FROM checkpoints WHERE {later})",
        "checkpoints",
    )


def _refuse(name: str, occasion: str, table: str) -> None:
    op.get_bind().exec_driver_sql(
        f"CREATE TRIGGER {name} BEFORE {occasion} "
        f"BEGIN SELECT RAISE(ABORT, 'the log is append-only: {table} is never changed'); END"
    )


def _guard_on_postgresql() -> None:
    execute = op.get_bind().exec_driver_sql
    longer = (
        "substring(NEW.hashes FROM 1 FOR length(OLD.hashes)) <> OLD.hashes "
        "OR length(NEW.hashes) <= length(OLD.hashes)"
    )
    execute(
        "CREATE TRIGGER tiles_stay BEFORE DELETE OR TRUNCATE ON tiles "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )
    execute(
        f"CREATE TRIGGER tiles_only_grow BEFORE UPDATE ON tiles FOR EACH ROW "
        f"WHEN ({CHANGED} OR {longer} OR length(NEW.hashes) > {TILE_BYTES}) EXECUTE FUNCTION ledger_refuse()"
    )
    execute(
        "CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )
    execute(
        "CREATE FUNCTION ledger_checkpoints_grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT 1 FROM checkpoints WHERE account = NEW.account AND size >= NEW.size) THEN "
        "RAISE EXCEPTION 'the log is append-only: checkpoints is never changed' "
        "USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
    )
    execute(
        "CREATE TRIGGER checkpoints_only_grow BEFORE INSERT ON checkpoints "
        "FOR EACH ROW EXECUTE FUNCTION ledger_checkpoints_grow()"
    )
