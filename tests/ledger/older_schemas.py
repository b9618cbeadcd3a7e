"""A ledger taken back to an older schema, as whoever has not upgraded yet has it. Its data stay."""

import sqlalchemy as sa

TABLES = {
    "0003": ("vault_secrets", "vault_keys", "vault_attempts"),
    "0004": ("tiles", "checkpoints"),
    "0005": ("erasures",),
    "0006": ("cosignatures",),
}
ERASABLE = ("entries", "mentions", "frames", "identities", "principals", "strings", "arrivals")


def take_back(connection: sa.Connection, version: str) -> None:
    execute = connection.exec_driver_sql
    for since, tables in TABLES.items():
        for table in tables if since > version else ():
            execute(f"DROP TABLE {table}")
    if connection.dialect.name == "postgresql":
        if version < "0004":
            execute("DROP FUNCTION ledger_checkpoints_grow")
        for table in ERASABLE if version < "0005" else ():
            execute(f"DROP FUNCTION ledger_{table}_erase CASCADE")
    if version < "0002":
        execute("DROP INDEX entries_authorized")
    execute(f"UPDATE alembic_version SET version_num = '{version}'")
