"""A database that does not refuse any more what it should is told, trigger by trigger, on both engines."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger.log import Log, open_engine
from ledger.log.schema import IMMUTABLE
from ledger.verification.guards import CantTell, altered_guards
from tests.ledger.test_every_log import drafts


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    opened.append(drafts(3))
    yield opened
    opened.engine.dispose()


def of_sqlite(log: Log) -> bool:
    return log.engine.dialect.name == "sqlite"


def run(log: Log, *statements: str) -> None:
    with log.engine.execution_options(writes=True).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def triggers(log: Log) -> list[tuple[str, str]]:
    """Table and name of each."""
    query = (
        "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
        if of_sqlite(log)
        else "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with log.engine.connect() as connection:
        return [(table, name) for table, name in connection.execute(sa.text(query))]


def test_as_it_was_made_nothing_is_told_and_nothing_is_left_behind(log: Log) -> None:
    schemas = sa.inspect(log.engine).get_schema_names()
    assert altered_guards(log) == []
    assert sa.inspect(log.engine).get_schema_names() == schemas


def test_each_trigger_that_is_gone_is_told(log: Log) -> None:
    there = triggers(log)
    assert {table for table, _ in there} >= {*IMMUTABLE, "accounts", "tiles", "checkpoints"}
    for at, (table, name) in enumerate(there):
        run(log, f"DROP TRIGGER {name}" if of_sqlite(log) else f"DROP TRIGGER {name} ON {table}")
        told = altered_guards(log)
        assert len(told) == at + 1 and f"the trigger {name} on {table} is missing" in told


def test_one_that_refuses_less_is_told(log: Log) -> None:
    another = "is not the one that the ledger made"
    if of_sqlite(log):
        refuse = "BEGIN SELECT RAISE(ABORT, 'the log is append-only: entries is never changed'); END"
        run(
            log,
            "DROP TRIGGER entries_no_update",
            f"CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries WHEN NEW.position < 0 {refuse}",
        )
        assert altered_guards(log) == [f"the trigger entries_no_update on entries {another}"]
        return
    run(
        log,
        "DROP TRIGGER entries_append_only ON entries",
        "CREATE TRIGGER entries_append_only BEFORE TRUNCATE ON entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
    )
    assert altered_guards(log) == [f"the trigger entries_append_only on entries {another}"]
    body = "BEGIN RETURN NULL; END"
    run(log, f"CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    others = ("checkpoints_only_grow", "_only_erased")  # have functions of their own
    by_it = [table for table, name in triggers(log) if not name.endswith(others)]
    assert len(altered_guards(log)) == len(by_it)


def test_one_that_somebody_put_there_is_told(log: Log) -> None:
    if of_sqlite(log):
        run(log, "CREATE TRIGGER quietly BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END")
    else:
        run(
            log,
            "CREATE TRIGGER quietly BEFORE UPDATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
        )
    assert altered_guards(log) == ["the trigger quietly on entries is none of the ledger's"]


def test_what_makes_postgresql_hide_or_drop_rows_is_told(postgres_url: str) -> None:
    """From one who owns the tables row security hides nothing, so verification would find every entry."""
    log = Log(open_engine(postgres_url, create=True))
    run(
        log,
        "ALTER TABLE entries ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY by_day ON entries USING (position <> 1)",
        "CREATE RULE quietly AS ON INSERT TO mentions DO INSTEAD NOTHING",
    )
    assert altered_guards(log) == [
        "the row security on entries is none of the ledger's",
        "the rule quietly on mentions is none of the ledger's",
    ]
    log.engine.dispose()


def test_one_that_is_switched_off_is_told(log: Log) -> None:
    if of_sqlite(log):
        pytest.skip("SQLite's triggers can't be switched off")
    run(log, "ALTER TABLE entries DISABLE TRIGGER entries_append_only")
    assert altered_guards(log) == ["the trigger entries_append_only on entries is switched off"]


def test_where_no_schema_may_be_made_it_is_said_that_nothing_can_be_told(log: Log) -> None:
    if of_sqlite(log):
        pytest.skip("in memory there is always room")
    run(log, f"ALTER DATABASE {log.engine.url.database} SET default_transaction_read_only = on")
    log.engine.dispose()
    with pytest.raises(CantTell, match="read-only"):
        altered_guards(log)
