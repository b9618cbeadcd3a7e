"""Alembic's environment: the connection comes from the ledger that is being opened."""

from __future__ import annotations

from alembic import context

from ledger.log.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
