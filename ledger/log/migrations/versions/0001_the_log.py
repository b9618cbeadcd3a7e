"""The log: its tables, and the triggers that refuse to change what is written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

IMMUTABLE = (
    "entries",
    "mentions",
    "frames",
    "identities",
    "principals",
    "strings",
    "arrivals",
    "dictionaries",
)
# The columns by which INSERT OR REPLACE could take an older row away.
UNIQUE = {
    "accounts": ("id", "account_id"),
    "frames": ("id", "digest"),
    "identities": ("id", "digest"),
    "principals": ("id", "digest"),
    "arrivals": ("id",),
    "dictionaries": ("id",),
}


def upgrade() -> None:
    _make_names()
    _make_entries()
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def _make_names() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.String(12), nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False, comment="the head: how many entries the log has"),
    )
    op.create_table(
        "principals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("unique_id", sa.Text, index=True),
        sa.Column("arn", sa.Text, index=True),
        sa.Column("name", sa.Text, index=True),
        sa.Column("pseudonym", sa.LargeBinary, nullable=False, comment="16 random bytes, for the leaves"),
        comment="the lasting principals: users, roles (not their sessions), root, services, other accounts",
    )
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
        sa.Column("principal", sa.Integer, sa.ForeignKey("principals.id"), nullable=False, index=True),
        sa.Column("session_arn", sa.Text, index=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
        comment="userIdentity elements, less the access key id and the time at which the session began",
    )
    op.create_table(
        "frames",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
        sa.Column("action", sa.Integer, nullable=False, index=True),
        sa.Column("read_only", sa.Boolean, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        comment="the members of a record that say which call it was, where, and how it ended",
    )
    op.create_table(
        "strings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("digest", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "digest"),
    )
    op.create_table(
        "dictionaries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        comment="zstd dictionaries that bodies are compressed with",
    )
    op.create_table(
        "arrivals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("recorded_at", sa.BigInteger, nullable=False, comment="milliseconds since 1970"),
        sa.Column(
            "origin",
            sa.LargeBinary,
            nullable=False,
            comment="canonical JSON: native, or a file and its digest",
        ),
        comment="whence entries came: a file, or this ledger itself, from a moment on",
    )


def _make_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False, comment="eventTime, seconds since 1970"),
        sa.Column("event_head", sa.Integer, nullable=False, comment="the event id's first 32 bits"),
        sa.Column("event_tail", sa.LargeBinary, nullable=False),
        sa.Column("frame", sa.Integer, nullable=False),
        sa.Column("action", sa.Integer, nullable=False),
        sa.Column("error", sa.Integer),
        sa.Column("identity", sa.Integer, nullable=False),
        sa.Column("principal", sa.Integer, nullable=False),
        sa.Column("back", sa.BigInteger, comment="how many positions back the principal's previous entry is"),
        sa.Column("access_key", sa.Integer),
        sa.Column("session_began", sa.BigInteger),
        sa.Column("address", sa.Integer),
        sa.Column("agent", sa.Integer),
        sa.Column("arrival", sa.Integer, nullable=False),
        sa.Column("lag", sa.Integer, nullable=False, comment="milliseconds from the arrival to the entry"),
        sa.Column("coding", sa.Integer, nullable=False, comment="16 x dictionary + layout of the body"),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("entries_event", "entries", ["event_head"])
    op.create_index("entries_time", "entries", ["time"])
    for name in ("principal", "action", "address", "agent"):
        op.create_index(f"entries_{name}", "entries", [name, "time"])
    for name in ("access_key", "error"):
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"entries_{name}", "entries", [name, "time"], sqlite_where=known, postgresql_where=known
        )
    op.create_table(
        "tails",
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("principal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        comment="the last entry of each principal, which its next entry points back to",
    )
    op.create_table(
        "mentions",
        sa.Column("resource", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
        comment="which entry names which resource",
    )


def _guard_on_sqlite() -> None:
    """SQLite has no TRUNCATE; its DELETE without WHERE fires the trigger too.

    INSERT OR REPLACE takes the row away that is in its way without firing a trigger, unless the connection has
    asked for it. So no row may be inserted where one is, and an entry only at the head of an account that exists
    (which is why `entries` needs no foreign key).
    """
    for table in IMMUTABLE:
        for verb in ("UPDATE", "DELETE"):
            _refuse(f"{table}_no_{verb.lower()}", f"{verb} ON {table}", table)
    _refuse("accounts_no_delete", "DELETE ON accounts", "accounts")
    _refuse(
        "accounts_only_grow",
        "UPDATE ON accounts WHEN NEW.size < OLD.size OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id",
        "accounts",
    )
    _refuse_insert(
        "entries",
        "NOT coalesce(NEW.position >= (SELECT size FROM accounts WHERE id = NEW.account), 0) "
        "OR EXISTS (SELECT 1 FROM entries WHERE rowid = NEW.rowid)",
    )
    _refuse_insert(
        "strings",
        "EXISTS (SELECT 1 FROM strings WHERE id = NEW.id) "
        "OR EXISTS (SELECT 1 FROM strings WHERE kind = NEW.kind AND digest = NEW.digest)",
    )
    for table, columns in UNIQUE.items():
        taken = " OR ".join(f"{column} = NEW.{column}" for column in columns)
        _refuse_insert(table, f"EXISTS (SELECT 1 FROM {table} WHERE {taken})")


def _refuse(name: str, occasion: str, table: str, how: str = "ABORT") -> None:
    op.get_bind().exec_driver_sql(
        f"CREATE TRIGGER {name} BEFORE {occasion} "
        f"BEGIN SELECT RAISE({how}, 'the log is append-only: {table} is never changed'); END"
    )


def _refuse_insert(table: str, condition: str) -> None:
    """FAIL, not ABORT: to be able to abort, SQLite keeps a journal for each row, which doubles the insert's cost."""
    _refuse(f"{table}_no_replace", f"INSERT ON {table} WHEN {condition}", table, how="FAIL")


def _guard_on_postgresql() -> None:
    execute = op.get_bind().exec_driver_sql
    execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the log is append-only: %% is never changed', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in IMMUTABLE:
        execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
    execute(
        "CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )
    execute(
        "CREATE TRIGGER accounts_only_grow BEFORE UPDATE ON accounts FOR EACH ROW "
        "WHEN (NEW.size < OLD.size OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id) "
        "EXECUTE FUNCTION ledger_refuse()"
    )
