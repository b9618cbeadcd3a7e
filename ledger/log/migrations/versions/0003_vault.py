"""The vault: keys in use, sealed secrets, failed attempts. The log's own tables stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("check", sa.LargeBinary, nullable=False, comment="a known value, sealed with the key"),
        comment="the key-encryption keys in use, by id; the keys themselves are never in the database",
    )
    op.create_table(
        "vault_secrets",
        sa.Column("account_id", sa.String(12), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(16), sa.ForeignKey("vault_keys.id"), nullable=False, index=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False, comment="the data key, sealed with `key`"),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="the secret, sealed with the data key"),
        sa.Column(
            "step", sa.BigInteger, comment="of a TOTP seed: the last time step whose code was accepted"
        ),
        comment="secrets; of a password also those before, for it may not come again",
    )
    op.create_index("vault_secrets_by_id", "vault_secrets", ["kind", "id"])
    op.create_table(
        "vault_attempts",
        sa.Column("account_id", sa.String(12), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False, comment="in a row"),
        sa.Column(
            "until",
            sa.BigInteger,
            nullable=False,
            index=True,
            comment="no attempt before, seconds since 1970",
        ),
        comment="failed attempts at passwords and codes",
    )
