"""Opening the database that a ledger lives in: SQLite or PostgreSQL, its settings, its tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError, SQLAlchemyError

from ledger.log.privileges import grant_again, lacks_privilege, log_tables
from ledger.log.schema import accounts

SQLITE_SOUND = (3, 51, 3)  # earlier ones have the WAL-reset bug: sqlite.org/wal.html#walresetbug
BUSY_SECONDS = 60
CACHE_KIB = 65_536
MAPPED_BYTES = 16 << 30
PAGE_BYTES = 8192
WAL_PAGES = 40_960  # before they are copied into the file; whoever commits waits for it, and most come again
UNASKED_SECONDS = 30  # that a connection may lie in the pool; load balancers drop those of which they hear nothing for minutes
SCHEMA = "0006"  # the newest migration


class LedgerUnavailable(Exception):
    """There is no ledger at the URL, or it can't be reached. The message says which, in one line."""


def open_engine(url: str, *, create: bool = False) -> sa.Engine:
    """Connect to the ledger at a database URL; make its tables where `create` allows it.

    `url` is a SQLAlchemy URL, `sqlite:///file` or `postgresql://…`, or simply the path of a SQLite file.
    Raises LedgerUnavailable.
    """
    parsed = _parse(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        engine = _sqlite(parsed, create=create)
    elif backend == "postgresql":
        engine = _postgresql(parsed)
    else:
        raise LedgerUnavailable(f"{backend!r} is not supported; use sqlite:///FILE or postgresql://…")
    shown = parsed.render_as_string(hide_password=True)
    try:
        version = _schema_version(engine)
        if version is None and not create:
            raise LedgerUnavailable(f"there is no ledger at {shown}; `iam-ledger import` makes one")
        if version is not None and version > SCHEMA:
            raise LedgerUnavailable(
                f"{shown} was made by a newer iam-ledger (schema {version}, not {SCHEMA})"
            )
        if version != SCHEMA:
            migrate(engine)
    except ProgrammingError as error:
        if not lacks_privilege(error):
            raise LedgerUnavailable(f"{shown} is not a ledger: {str(error).splitlines()[0]}") from error
        raise LedgerUnavailable(
            f"this role may not use {shown}: its owner has to open it with this iam-ledger (schema {SCHEMA}), "
            "and to run `iam-ledger database grant`"
        ) from error
    except OperationalError as error:
        raise LedgerUnavailable(f"cannot open {shown}: {str(error.orig).splitlines()[0]}") from error
    except SQLAlchemyError as error:
        raise LedgerUnavailable(f"{shown} is not a ledger: {str(error).splitlines()[0]}") from error
    except UnicodeDecodeError as error:  # of what SQLite quotes from a file that is damaged
        raise LedgerUnavailable(f"{shown} is damaged: its schema can't be read") from error
    return engine


@contextmanager
def writing(engine: sa.Engine, *, remaps: bool = True) -> Iterator[sa.Connection]:
    """A transaction that writes, so that SQLite takes the lock at its beginning.

    Without `remaps` the file stays mapped if it was: for short ones that come between reads. An engine of its own with
    these options would do as well, but whatever is asked of that costs a quarter more.
    """
    with engine.connect().execution_options(writes=True, remaps=remaps) as connection, connection.begin():
        yield connection


def reading(engine: sa.Engine) -> sa.Connection:
    """For a question of few statements. On PostgreSQL each of them sees the newest rows, in a transaction or without; so it
    is spared the two messages that begin and end one.
    """
    connection = engine.connect()
    if connection.dialect.name == "postgresql":
        connection.execution_options(isolation_level="AUTOCOMMIT")
    return connection


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to the newest schema."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7240016701)"))
        upgrade(connection)
        grant_again(connection, log_tables())


def upgrade(connection: sa.Connection) -> None:
    """Likewise, in the transaction of the connection. Raises LedgerUnavailable."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerUnavailable(f"the ledger's schema is of no version that there was: {error}") from error


def _parse(url: str) -> sa.URL:
    if "://" not in url:
        url = f"sqlite:///{url}"
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        kind = url.partition("://")[0]  # the rest may hold a password
        raise LedgerUnavailable(f"{kind}://… is not a database URL") from error


def _sqlite(url: sa.URL, *, create: bool) -> sa.Engine:
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise LedgerUnavailable("a ledger needs a file: sqlite:///FILE")
    if not path.exists() and not create:
        raise LedgerUnavailable(f"there is no ledger at {path}; `iam-ledger import` makes one")
    if not path.parent.is_dir():
        raise LedgerUnavailable(f"there is no folder {path.parent} for the ledger {path.name}")
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        module=_driver(),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below, never by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get("writes", False)
        # Reads through the mapped file stay fast however large it is; a writer would only fill its memory with it.
        mapped = 0 if writes else MAPPED_BYTES
        if connection.info.get("mapped") != mapped and options.get("remaps", True):
            connection.exec_driver_sql(f"PRAGMA mmap_size = {mapped}")
            connection.info["mapped"] = mapped
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: sa.URL) -> sa.Engine:
    from sqlalchemy.dialects.postgresql.psycopg import PGExecutionContext_psycopg

    class Context(PGExecutionContext_psycopg):
        def create_default_cursor(self) -> Any:
            return self._dbapi_connection.cursor(binary="binary" in self.execution_options)

    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    dialect: Any = engine.dialect
    dialect.execution_ctx_cls = Context  # an event would cost each statement a sixth more
    dialect.do_ping = _ping(dialect.do_ping)
    return engine


def _ping(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a connection of the pool is still there, for a hundredth of what it takes to ask the server: if that has ended
    it, this stands in the socket. What is between the two may drop it and say nothing, but not soon.
    """
    asked: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def ping(connection: Any) -> bool:
        now, before = monotonic(), asked.get(connection)
        asked[connection] = now
        if before is None or now - before > UNASKED_SECONDS:
            return ask(connection)
        for _ in range(2):  # what the server said at its end comes first
            connection.pgconn.consume_input()
        return True

    return ping


def _driver() -> Any:
    driver = _sound_driver()
    # What the driver does not take for a plain value, and these are among it, it asks how to be adapted, which costs
    # more than to write it. With an answer of its own (itself) a row of an entry is bound in a fourth of the time.
    driver.register_adapter(bytes, bytes)
    driver.register_adapter(type(None), {}.get)
    return driver


def _sound_driver() -> Any:
    try:
        import pysqlite3 as driver

        if driver.sqlite_version_info >= SQLITE_SOUND:
            return driver
    except ImportError:
        pass
    import sqlite3 as driver

    if driver.sqlite_version_info < SQLITE_SOUND:
        warnings.warn(
            f"SQLite {driver.sqlite_version} has a fault that can corrupt a WAL database; "
            "install the package pysqlite3",
            stacklevel=2,
        )
    return driver


def _schema_version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            if sa.inspect(connection).has_table(accounts.name):
                raise LedgerUnavailable("the database holds tables of something else")
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        if found is None:
            raise LedgerUnavailable("the database does not say which schema it has: alembic_version is empty")
        return str(found)
