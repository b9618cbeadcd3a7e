"""A whole copy of a ledger that lives in an SQLite file, while others write to it.

Copying the file as such loses what is in the log beside it (`-wal`), or tears a write in two. SQLite's VACUUM INTO reads
one committed state and stops no writer; unlike a copy by pages it leaves out what the vault has forgotten and what is
otherwise only remains. SQLite does not make its result durable, so that is done here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from ledger.log.schema import accounts


class NotCopied(Exception):
    """No copy was made. The message says why, in one line."""


def copy_to(engine: sa.Engine, target: Path) -> dict[str, int]:
    """Copy the ledger into a new file; durable, whole and looked through when this returns, or there is no file.

    Answers how many entries each account has in the copy: at least those whose append had returned before. Raises
    NotCopied, also where the ledger is no SQLite file.
    """
    if engine.dialect.name != "sqlite":
        raise NotCopied("only an SQLite ledger is copied so; for PostgreSQL use pg_dump or pg_basebackup")
    if target.exists():
        raise NotCopied(f"{target} is there already")
    part = target.with_name(f"{target.name}.part")
    try:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise NotCopied(f"{part} is there: another copy is being made, or was broken off") from None
        try:
            _vacuum_into(engine, part)
            sizes = _looked_through(engine, part)
            _make_durable(part)
            os.link(part, target)  # unlike a rename it never takes the place of a file
            _make_durable(target.parent)
        finally:
            part.unlink()
    except FileExistsError:
        raise NotCopied(f"{target} is there already") from None
    except OSError as error:
        raise NotCopied(f"cannot write {target}: {error.strerror}") from error
    return sizes


def _vacuum_into(engine: sa.Engine, part: Path) -> None:
    # By the driver itself, for SQLAlchemy begins a transaction, and in one there is no VACUUM.
    with _errors_of(engine), closing(engine.raw_connection()) as borrowed:
        borrowed.cursor().execute("VACUUM INTO ?", (str(part),))


def _looked_through(engine: sa.Engine, part: Path) -> dict[str, int]:
    """The accounts' sizes; raises NotCopied where SQLite finds a fault."""
    assert engine.dialect.dbapi is not None
    with _errors_of(engine), closing(engine.dialect.dbapi.connect(str(part))) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise NotCopied(f"the ledger is damaged: {found}")
        query = str(sa.select(accounts.c.account_id, accounts.c.size).order_by(accounts.c.account_id))
        return dict(connection.execute(query).fetchall())


@contextmanager
def _errors_of(engine: sa.Engine) -> Iterator[None]:
    """What the driver raises, as NotCopied."""
    assert engine.dialect.dbapi is not None
    try:
        yield
    except engine.dialect.dbapi.Error as error:
        raise NotCopied(f"the copy failed: {error}") from error


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
