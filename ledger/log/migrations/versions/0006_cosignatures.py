"""What witnesses have signed under the checkpoints of each log: kept, and never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "cosignatures",
        sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column(
            "signer", sa.Text, primary_key=True, comment="the witness's name and the number of its key"
        ),
        sa.Column("line", sa.LargeBinary, nullable=False, comment="as it stands under the note"),
        comment="what witnesses signed of checkpoints",
    )
    execute = op.get_bind().exec_driver_sql
    if op.get_bind().dialect.name == "postgresql":
        execute(
            "CREATE TRIGGER cosignatures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cosignatures "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
        return
    there = "account = NEW.account AND size = NEW.size AND signer = NEW.signer"
    for name, occasion in (
        ("no_update", "UPDATE ON cosignatures"),
        ("no_delete", "DELETE ON cosignatures"),
        ("no_replace", f"INSERT ON cosignatures WHEN EXISTS (SELECT 1 FROM cosignatures WHERE {there})"),
    ):
        execute(
            f"CREATE TRIGGER cosignatures_{name} BEFORE {occasion} "
            "BEGIN SELECT RAISE(ABORT, 'the log is append-only: cosignatures is never changed'); END"
        )
