"""Where a witness keeps the newest checkpoint of each log that it has seen: a folder, or a table of another database.

Looking at what is there and replacing it is one step, whatever the number of processes, and durable before it is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from ledger.log.engine import BUSY_SECONDS

Replace = Callable[[bytes | None], bytes]


class StoreUnusable(Exception):
    """It can't be read or written; the message says why, in one line."""


class Store(Protocol):
    """What is there of a log is replaced, or set aside, and never lost. All raise StoreUnusable."""

    def newest(self, origin: str) -> bytes | None:
        """The note that was kept last."""

    def replace(self, origin: str, decide: Replace) -> None:
        """Keep what `decide` makes of what is there, with nobody in between; where it raises, nothing is changed."""

    def set_aside(self, origin: str) -> None:
        """Keep what is there as evidence, and begin anew."""


class FolderStore:
    """A file for each log, replaced as a whole. The folder has to be there: a disk that is not mounted is no empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, origin: str) -> bytes | None:
        with self._usable():
            return self._read(self._file(origin))

    def replace(self, origin: str, decide: Replace) -> None:
        with self._usable():
            lock = self._lock()
        try:
            with self._usable():
                before = self._read(self._file(origin))
            note = decide(before)
            if note != before:
                with self._usable():
                    self._write(self._file(origin), note)
        finally:
            os.close(lock)

    def set_aside(self, origin: str) -> None:
        with self._usable():
            lock = self._lock()
            try:
                file = self._file(origin)
                if not file.exists():
                    return
                number = 1
                while (aside := file.with_suffix(f".superseded-{number}")).exists():
                    number += 1
                file.rename(aside)
                self._sync_folder()
            finally:
                os.close(lock)

    def _file(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()}.checkpoint"

    def _lock(self) -> int:
        import fcntl

        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _read(self, file: Path) -> bytes | None:
        if not self._folder.is_dir():
            raise StoreUnusable(f"there is no folder {self._folder}")
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, file: Path, note: bytes) -> None:
        made = file.with_suffix(".new")  # whoever holds the lock is alone with it
        with made.open("wb") as opened:
            opened.write(note)
            opened.flush()
            os.fsync(opened.fileno())
        made.replace(file)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnusable(f"{self._folder}: {error.strerror}") from error


metadata = sa.MetaData()

witnessed: Final = sa.Table(
    "iam_ledger_witnessed",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("note", sa.LargeBinary, nullable=True, comment="none, where what was seen was set aside"),
)


class DatabaseStore:
    """A table in a database, which is made where it is not there; better not in that of the ledger."""

    def __init__(self, url: sa.URL) -> None:
        self._shown = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            self._engine = _sqlite(url)
        else:
            self._engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)

    def newest(self, origin: str) -> bytes | None:
        with self._usable(), self._engine.begin() as connection:
            self._prepare(connection)
            return self._newest(connection, origin)[1]

    def replace(self, origin: str, decide: Replace) -> None:
        with self._usable(), self._engine.begin() as connection:
            self._prepare(connection)
            generation, before = self._newest(connection, origin)
            note = decide(before)
            if note == before:
                return
            if generation == 0:
                self._insert(connection, origin, 1, note)
                return
            row = (witnessed.c.origin == origin, witnessed.c.generation == generation)
            connection.execute(witnessed.update().where(*row).values(note=note))

    def set_aside(self, origin: str) -> None:
        with self._usable(), self._engine.begin() as connection:
            self._prepare(connection)
            generation, before = self._newest(connection, origin)
            if before is not None:
                self._insert(connection, origin, generation + 1, None)

    @staticmethod
    def _insert(connection: sa.Connection, origin: str, generation: int, note: bytes | None) -> None:
        connection.execute(witnessed.insert().values(origin=origin, generation=generation, note=note))

    @staticmethod
    def _newest(connection: sa.Connection, origin: str) -> tuple[int, bytes | None]:
        query = sa.select(witnessed.c.generation, witnessed.c.note).where(witnessed.c.origin == origin)
        row = connection.execute(query.order_by(witnessed.c.generation.desc()).limit(1)).first()
        if row is None:
            return 0, None
        return row.generation, None if row.note is None else bytes(row.note)

    @staticmethod
    def _prepare(connection: sa.Connection) -> None:
        """One at a time from here on: a log that nobody has seen has no row that could be locked."""
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7240016702)"))
        metadata.create_all(connection)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            told = str(getattr(error, "orig", None) or error).splitlines()
            raise StoreUnusable(f"{self._shown}: {told[0] if told else type(error).__name__}") from error


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
