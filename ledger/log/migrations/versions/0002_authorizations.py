"""Entries with an authorization are found at once; an index that leaves out all others takes no place for them.

No row changes. A program of before, which would take such an entry for damaged, now knows the ledger for newer.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CODING = "16 x dictionary + layout of the body"


def upgrade() -> None:
    authorized = sa.text("coding >= 1073741824")
    op.create_index(
        "entries_authorized",
        "entries",
        ["account", "position"],
        sqlite_where=authorized,
        postgresql_where=authorized,
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column(
            "entries",
            "coding",
            comment=f"{CODING}; 2^30 more with an authorization",
            existing_comment=CODING,
            existing_type=sa.Integer,
            existing_nullable=False,
        )
