"""Where a server of the command line listens, and how it is told to go."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from api.cli.exits import Exit, Failed


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket to serve on. Ctrl-C and SIGTERM end the block, in order, and then no more is said of it. Raises Failed.

    uvicorn raises the signal that stopped it once more: SIGTERM would end the process there, before what was begun is
    finished.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _bound(host, port) as ear:
            yield ear
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        ear = socket.socket(family, kind, protocol)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(address)
        ear.listen(128)
    except (OSError, UnicodeError) as error:
        raise Failed(f"cannot listen on {host} port {port}: {error}", Exit.UNAVAILABLE) from error
    return ear
