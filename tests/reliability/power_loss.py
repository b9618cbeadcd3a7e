"""R7: the power goes. Every write, sync, truncation and removal of a real ledger's files is recorded; then, for many
moments, the files are made that a disk might hold that lost its power then, and the ledger is opened on them.

What was written and not yet synced is there, or not, or in part, sector by sector, at random; a file that was removed is
gone for good only when its folder was synced. The ledger runs as shipped, only that its SQLite is the one of apsw, whose
VFS can be put between, and that it moves its write-ahead log into the file every few pages, so that these moves are met
too. `NORMAL` is the negative control: a log that is not synced at each commit must be seen to lose what it acknowledged.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.log import Log, open_engine
from ledger.log import engine as opening
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, HERE, ROOT
from tests.reliability.soundness import looked_through, runner

SECTOR = 512
CHECKPOINT_PAGES = 24
NAME = "ledger.sqlite"
SHIPPED: tuple[str, ...] = ()
NORMAL = ("PRAGMA synchronous = NORMAL",)


@dataclass(frozen=True, slots=True)
class Act:
    """What was done to a file: `write`, `truncate`, `sync`, `remove`, or `remove-synced`."""

    what: str
    file: str
    offset: int = 0
    content: bytes = b""


@dataclass(slots=True)
class Recording:
    """`acknowledged`: after so many acts, so many entries had been acknowledged."""

    acts: list[Act] = field(default_factory=list)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)

    def owed(self, moment: int) -> int:
        return max((entries for acts, entries in self.acknowledged if acts <= moment), default=0)


def recording_driver(recording: Recording) -> Any:
    """A driver such as SQLAlchemy takes, over apsw, whose every file writes down what is done to it."""
    apsw = import_module("apsw")

    class File(apsw.VFSFile):  # type: ignore[misc, name-defined]
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__("unix", name, flags)
            path = name.filename() if hasattr(name, "filename") else name
            self._name = Path(path).name if path else None

        def _note(self, what: str, offset: int = 0, content: bytes = b"") -> None:
            if self._name is not None:
                recording.acts.append(Act(what, self._name, offset, content))

        def xWrite(self, data: bytes, offset: int) -> None:
            super().xWrite(data, offset)
            self._note("write", offset, bytes(data))

        def xTruncate(self, size: int) -> None:
            super().xTruncate(size)
            self._note("truncate", size)

        def xSync(self, flags: int) -> None:
            super().xSync(flags)
            self._note("sync")

    class Recorder(apsw.VFS):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__("recorder", "unix")

        def xOpen(self, name: Any, flags: list[int]) -> Any:
            return File(name, flags)

        def xDelete(self, name: str, synced: bool) -> None:
            super().xDelete(name, synced)
            recording.acts.append(Act("remove-synced" if synced else "remove", Path(name).name))

    class Cursor:
        arraysize = 1
        lastrowid: int | None = None
        rowcount = -1
        description: Any = None

        def __init__(self, connection: Any) -> None:
            self._connection = connection
            self._cursor = connection.cursor()
            self._cursor.exec_trace = self._described

        def _described(self, cursor: Any, statement: str, bindings: Any) -> bool:
            self.description = [(one[0], *[None] * 6) for one in cursor.get_description()] or None
            return True

        def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
            self._cursor.execute(statement, values)
            self.lastrowid, self.rowcount = self._connection.last_insert_rowid(), self._connection.changes()
            return self

        def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> Cursor:
            self._cursor.executemany(statement, rows)
            return self

        def fetchone(self) -> Any:
            return self._cursor.fetchone()

        def fetchall(self) -> list[Any]:
            return list(self._cursor.fetchall())

        def fetchmany(self, size: int = 1) -> list[Any]:
            return [row for _, row in zip(range(size), self._cursor, strict=False)]

        def close(self) -> None:
            self._cursor.close()

    class Connection:
        isolation_level: str | None = ""

        def __init__(self, path: str, **_: Any) -> None:
            self._connection = apsw.Connection(path, vfs=recorder.vfs_name)

        def cursor(self) -> Cursor:
            return Cursor(self._connection)

        def create_function(self, *_: Any, **__: Any) -> None:
            """SQLAlchemy's own, which the ledger does not use."""

        def commit(self) -> None:
            self._end("COMMIT")

        def rollback(self) -> None:
            self._end("ROLLBACK")

        def _end(self, how: str) -> None:
            if self._connection.in_transaction:
                self._connection.execute(how)

        def close(self) -> None:
            self._connection.close()

    recorder = Recorder()
    recorder.vfs_name = "recorder"

    class Driver:
        paramstyle = "qmark"
        apilevel = "2.0"
        threadsafety = 1
        sqlite_version = apsw.sqlite_lib_version()
        sqlite_version_info = tuple(int(part) for part in sqlite_version.split("."))
        Binary = bytes
        Error = DatabaseError = OperationalError = InterfaceError = apsw.Error
        IntegrityError = ProgrammingError = DataError = InternalError = NotSupportedError = apsw.Error
        connect = Connection
        kept = recorder  # an apsw VFS is there as long as its object

    return Driver


@contextmanager
def _driven_by(driver: Any) -> Iterator[None]:
    shipped = opening._driver
    opening._driver = lambda: driver
    try:
        yield
    finally:
        opening._driver = shipped


def record(folder: Path, calls: int, settings: Sequence[str]) -> Recording:
    """A ledger that makes calls, and brings its projections up between them; what became of its files."""
    recording = Recording()
    with _driven_by(recording_driver(recording)):
        made: list[sa.Engine] = []
        engine = open_engine(str(folder / NAME), create=True)
        made.append(engine)

        @sa.event.listens_for(engine, "connect")
        def configure(connection: Any, _: object) -> None:
            for statement in (*settings, f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"):
                connection.cursor().execute(statement)

        engine.dispose()  # the connection that opened it was not told
        log = Log(engine)
        authority = Authority(log, Vault(engine, Keyring(new_key())))
        begin(authority.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)
        recording.acknowledged.append((len(recording.acts), 1))
        projections = runner(log)
        for number in range(calls):
            name = f"user{number // 2}"
            action = "iam:CreateAccessKey" if number % 2 else "iam:CreateUser"
            authority.call(Request(ACCOUNT, action, {"UserName": name}, HERE, None, by=ROOT))
            recording.acknowledged.append((len(recording.acts), number + 2))
            if number % 8 == 7:
                projections.catch_up()
        authority.close()
        engine.dispose()
    return recording


class Disk:
    """What is on the disk for good, and what is on its way there."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._waiting: list[Act] = []

    def take(self, act: Act) -> None:
        match act.what:
            case "sync":
                self._settle(lambda waiting: waiting.file == act.file or waiting.what == "remove")
            case "remove-synced":
                self._settle(lambda waiting: waiting.file == act.file)
                self._files.pop(act.file, None)
            case _:
                self._waiting.append(act)

    def _settle(self, durable: Any) -> None:
        for act in self._waiting:
            if durable(act):
                _apply(self._files, act)
        self._waiting = [act for act in self._waiting if not durable(act)]

    @property
    def settled(self) -> bool:
        return not self._waiting

    def without_power(self, random_: random.Random) -> dict[str, bytearray]:
        """The files after a power cut now."""
        files = {name: bytearray(content) for name, content in self._files.items()}
        share = random_.choice((0.0, 0.5, 0.9, 1.0))
        for act in self._waiting:
            kept = random_.random()
            if kept < share:
                _apply(files, act)
            elif act.what == "write" and kept < share + 0.3 and len(act.content) > SECTOR:
                for start in range(0, len(act.content), SECTOR):
                    if random_.random() < 0.5:
                        part = act.content[start : start + SECTOR]
                        _apply(files, Act("write", act.file, act.offset + start, part))
        return files


def _apply(files: dict[str, bytearray], act: Act) -> None:
    if act.what == "remove":
        files.pop(act.file, None)
        return
    content = files.setdefault(act.file, bytearray())
    if act.what == "truncate":
        del content[act.offset :]
        return
    end = act.offset + len(act.content)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[act.offset : end] = act.content


def power_lost(calls: int, moments: int, settings: Sequence[str] = SHIPPED, seed: int = 7) -> Outcome:
    """A trial is a power cut; a hit one with something written that was not yet synced."""
    outcome, random_ = Outcome(), random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        recording = record(Path(name), calls, settings)
    began = recording.acknowledged[0][0]  # before that there is no account to lose
    chosen = sorted(
        random_.sample(range(began, len(recording.acts)), min(moments, len(recording.acts) - began))
    )
    disk, done = Disk(), 0
    with tempfile.TemporaryDirectory(dir=_quick_folder()) as name:
        for moment in chosen:
            for act in recording.acts[done:moment]:
                disk.take(act)
            done = moment
            outcome.trials += 1
            outcome.hit += not disk.settled
            kind = _after_the_cut(Path(name), disk.without_power(random_), recording.owed(moment))
            if kind is not None:
                outcome.counts[kind] += 1
                outcome.wrong.append(f"power cut after {moment} acts: {kind}")
    outcome.counts["writes, syncs and removals"] = len(recording.acts)
    return outcome


def _after_the_cut(folder: Path, files: dict[str, bytearray], owed: int) -> str | None:
    """None where all is there that was acknowledged, and whole."""
    for old in folder.iterdir():
        old.unlink()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    try:
        engine = open_engine(str(folder / NAME))
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        engine.dispose()
        if found != "ok":
            return "corrupt"
        log = looked_through(str(folder / NAME), ACCOUNT)
    except Exception as error:
        return f"corrupt ({type(error).__name__})"
    if log.wrong:
        return f"unsound ({log.wrong[0]})"
    return "lost" if len(log.leaves) < owed else None


def _quick_folder() -> str | None:
    """In memory, where there is such a place: what is written there is to be read once."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
