"""The vault's tables, beside the log's and migrated with them. Unlike those, their rows change and go."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ledger.log.schema import CHANGES, ROWS, metadata

vault_keys = sa.Table(
    "vault_keys",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("check", sa.LargeBinary, nullable=False, comment="a known value, sealed with the key"),
    comment="the key-encryption keys in use, by id; the keys themselves are never in the database",
    info={CHANGES: ROWS},
)

vault_secrets = sa.Table(
    "vault_secrets",
    metadata,
    sa.Column("account_id", sa.String(12), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(16), sa.ForeignKey("vault_keys.id"), nullable=False, index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False, comment="the data key, sealed with `key`"),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="the secret, sealed with the data key"),
    sa.Column("step", sa.BigInteger, comment="of a TOTP seed: the last time step whose code was accepted"),
    comment="secrets; of a password also those before, for it may not come again",
    info={CHANGES: ROWS},
)
sa.Index("vault_secrets_by_id", vault_secrets.c.kind, vault_secrets.c.id)

vault_attempts = sa.Table(
    "vault_attempts",
    metadata,
    sa.Column("account_id", sa.String(12), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False, comment="in a row"),
    sa.Column(
        "until", sa.BigInteger, nullable=False, index=True, comment="no attempt before, seconds since 1970"
    ),
    comment="failed attempts at passwords and codes",
    info={CHANGES: ROWS},
)


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """Both databases' INSERT … ON CONFLICT, which SQLAlchemy keeps apart."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
