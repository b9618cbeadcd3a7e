"""What is left of entries whose records were erased, and triggers that let a record go where an erasure says so.

What stands in the tables stays as it is. An erased row is of one form that follows from its leaf; no other update of an
entry, or of a name, is let through.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# What a row becomes; the columns that are not named stay as they are. A name's digest would tell of guesses at it.
ERASED: dict[str, dict[str, str]] = {
    "entries": {
        "time": "-1",
        "frame": "0",
        "action": "0",
        "error": "NULL",
        "identity": "0",
        "access_key": "NULL",
        "session_began": "NULL",
        "address": "NULL",
        "agent": "NULL",
        "coding": "0",
        "salt": "{empty}",
        "body": "{empty}",
    },
    "principals": {
        "digest": "OLD.id",
        "kind": "''",
        "account_id": "NULL",
        "unique_id": "NULL",
        "arn": "NULL",
        "name": "NULL",
    },
    "identities": {"digest": "OLD.id", "session_arn": "NULL", "document": "{empty}"},
    "frames": {"digest": "OLD.id", "action": "0", "read_only": "{false}", "document": "{empty}"},
    "strings": {"kind": "0", "digest": "OLD.id", "text": "''"},
    "arrivals": {"origin": "{empty}"},
}
KEPT = {
    "entries": ("account", "position", "principal", "back", "arrival", "lag", "leaf_hash"),
    "principals": ("id", "pseudonym"),
    "identities": ("id", "principal"),
    "frames": ("id",),
    "strings": ("id",),
    "arrivals": ("id", "recorded_at"),
}
OF_ENTRY = "EXISTS (SELECT 1 FROM erasures WHERE account = OLD.account AND position = OLD.position)"
OF_ANY = "EXISTS (SELECT 1 FROM erasures)"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column(
            "erased_by", sa.BigInteger, nullable=False, comment="the position of the entry that says so"
        ),
        sa.Column("commitment", sa.LargeBinary, nullable=False, comment="what the leaf names, 32 bytes"),
        sa.UniqueConstraint("account", "position"),
        comment="what is left of entries whose records were erased",
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgresql()


def _becomes(table: str, *, same: str, empty: str, false: str) -> str:
    """The condition that an update of a row lets it go, and does nothing else."""
    told = [f"NEW.{column} {same} OLD.{column}" for column in KEPT[table]]
    for column, value in ERASED[table].items():
        told.append(f"NEW.{column} {same} {value.format(empty=empty, false=false)}")
    if (
        table == "entries"
    ):  # an event id stays where it is one of AWS's form: random, and in the erasing entry
        unnamed = f"(NEW.event_head = 0 AND NEW.event_tail = {empty})"
        named = "(NEW.event_head = OLD.event_head AND NEW.event_tail = OLD.event_tail)"
        told += [f"({named} OR {unnamed})", f"OLD.body <> {empty}"]
    told.append(OF_ENTRY if table == "entries" else OF_ANY)
    return " AND ".join(told)


def _guard_on_sqlite() -> None:
    execute = op.get_bind().exec_driver_sql
    for table in ERASED:
        execute(f"DROP TRIGGER {table}_no_update")
        lets_go = _becomes(table, same="IS", empty="x''", false="0")
        if table == "entries":  # by another rowid a row could take the place of another
            lets_go += " AND NEW.rowid = OLD.rowid"
        _refuse(f"{table}_no_update", f"UPDATE ON {table} WHEN NOT ({lets_go})", table)
    execute("DROP TRIGGER mentions_no_delete")
    _refuse("mentions_no_delete", f"DELETE ON mentions WHEN NOT {OF_ENTRY}", "mentions")
    for verb in ("UPDATE", "DELETE"):
        _refuse(f"erasures_no_{verb.lower()}", f"{verb} ON erasures", "erasures")
    there = "number = NEW.number OR (account = NEW.account AND position = NEW.position)"
    _refuse(
        "erasures_no_replace",
        f"INSERT ON erasures WHEN EXISTS (SELECT 1 FROM erasures WHERE {there})",
        "erasures",
    )


def _refuse(name: str, occasion: str, table: str) -> None:
    op.get_bind().exec_driver_sql(
        f"CREATE TRIGGER {name} BEFORE {occasion} "
        f"BEGIN SELECT RAISE(ABORT, 'the log is append-only: {table} is never changed'); END"
    )


def _guard_on_postgresql() -> None:
    execute = op.get_bind().exec_driver_sql
    for table in ERASED:
        lets_go = _becomes(table, same="IS NOT DISTINCT FROM", empty="''::bytea", false="false")
        _guard_rows(table, "UPDATE", lets_go, gives="NEW")
        _guard_statements(table, "DELETE OR TRUNCATE")
    _guard_rows("mentions", "DELETE", OF_ENTRY, gives="OLD")
    _guard_statements("mentions", "UPDATE OR TRUNCATE")
    execute(
        "CREATE TRIGGER erasures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )


def _guard_statements(table: str, verbs: str) -> None:
    execute = op.get_bind().exec_driver_sql
    execute(f"DROP TRIGGER {table}_append_only ON {table}")
    execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {verbs} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
    )


def _guard_rows(table: str, verb: str, allowed: str, *, gives: str) -> None:
    """A condition that looks into another table can't stand with the trigger itself."""
    execute = op.get_bind().exec_driver_sql
    execute(
        f"CREATE FUNCTION ledger_{table}_erase() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT ({allowed}) THEN "
        f"RAISE EXCEPTION 'the log is append-only: {table} is never changed' "
        f"USING ERRCODE = 'restrict_violation'; END IF; RETURN {gives}; END $$"
    )
    execute(
        f"CREATE TRIGGER {table}_only_erased BEFORE {verb} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION ledger_{table}_erase()"
    )
