"""How a server is run that strangers can reach: what a client may take of time and room, and whose word counts on others.

uvicorn alone waits as long as a client likes for the head and the body of a request, and takes as many connections as come.
Source of the statuses: RFC 9110, 15.5.9 and 15.5.14; RFC 6585, 5.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ledger.vault.attempts import source_of

CONNECTIONS_MAX: Final = 500  # a process may open 1,024 files, if nobody says otherwise
CONNECTIONS_PER_ADDRESS_MAX: Final = 256  # as many as one client of ours opens
TIMEOUT, CONTENT_TOO_LARGE, HEAD_TOO_LARGE = 408, 413, 431


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one connection, and how many there may be, in all and from one address (of IPv6 the /64). A head is a request's
    first line with its headers; bytes are counted beyond the piece that it came with first. `first_seconds` is how long
    a client may take to send anything at all, `answer_seconds` how long to make room for the rest of an answer.
    """

    connections_max: int = CONNECTIONS_MAX
    connections_per_address_max: int = CONNECTIONS_PER_ADDRESS_MAX
    first_seconds: float = 10
    head_seconds: float = 10
    head_bytes_max: int = 65_536
    body_seconds: float = 60
    body_bytes_max: int = 8 << 20
    answer_seconds: float = 60


def server_of(
    app: ASGIApp, *, bounds: Bounds | None = None, trusted_proxies: Sequence[str] = ()
) -> uvicorn.Server:
    """A server within these bounds. Of `trusted_proxies`, addresses or networks, it believes whom a request is from
    (X-Forwarded-For, X-Forwarded-Proto); of others never. How many connections a trusted proxy opens is its own affair.
    """
    opened = partial(Bounded, bounds or Bounds(), Held(trusted_proxies))
    config = uvicorn.Config(
        app,
        http=opened,  # type: ignore[arg-type]
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=[*trusted_proxies],
    )
    return uvicorn.Server(config)


class Stage(Enum):
    """What is awaited of a client: its first byte, the rest of a head, the rest of a body; or nothing."""

    FIRST = 1
    HEAD = 2
    BODY = 3
    WHOLE = 4


@dataclass(slots=True)
class Held:
    """What is known of all connections of a server. `receiving` are those that no whole request has come by, the oldest first."""

    trusted_proxies: Sequence[str]
    receiving: dict[Bounded, None] = field(default_factory=dict)
    by_address: Counter[str] = field(default_factory=Counter)

    def address_of(self, peer: str) -> str | None:
        """By what the connections of a peer are counted; None where they are not."""
        try:
            proxied = any(ip_address(peer) in ip_network(one) for one in self.trusted_proxies)
        except ValueError:  # a socket of this machine
            return None
        return None if proxied else source_of(peer)


class Bounded(HttpToolsProtocol):
    """A connection. Where there are too many, of all or of its address, the one gives way that has waited longest without a
    whole request, so who only holds connections open keeps nobody out. Where all of them are being answered, that is the
    one that came last.
    """

    def __init__(self, bounds: Bounds, held: Held, **told: Any) -> None:
        super().__init__(**told)
        self._bounds = bounds
        self._held = held
        self._address: str | None = None
        self._stage = Stage.FIRST
        self._timed: Stage | None = None  # what the timer is of
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        held = self._held
        peer = transport.get_extra_info("peername")
        self._address = held.address_of(peer[0]) if isinstance(peer, tuple) else None
        held.receiving[self] = None
        self._time()
        if self._address is not None:
            held.by_address[self._address] += 1
            if held.by_address[self._address] > self._bounds.connections_per_address_max:
                next(one for one in held.receiving if one._address == self._address)._give_way()
                return
        if len(self.connections) > self._bounds.connections_max:
            next(iter(held.receiving))._give_way()

    def _give_way(self) -> None:
        del self._held.receiving[self]
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        held = self._held
        held.receiving.pop(self, None)
        if self._address is not None:
            held.by_address[self._address] -= 1
            if not held.by_address[self._address]:
                del held.by_address[self._address]
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A request that comes at once, as most do, needs no timer."""
        super().data_received(data)
        if self._stage is not self._timed:
            self._time()
        elif self._stage is not Stage.WHOLE:
            self._bytes += len(data)
            within_head = self._stage is Stage.HEAD
            if self._bytes > (self._bounds.head_bytes_max if within_head else self._bounds.body_bytes_max):
                self._refuse(HEAD_TOO_LARGE if within_head else CONTENT_TOO_LARGE)

    # ---- told by the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stage, self._timed = Stage.HEAD, None

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stage is Stage.HEAD:  # nobody asks for trailers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stage = Stage.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stage = Stage.WHOLE
        self._held.receiving.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.pipeline:
            self._held.receiving[self] = None
        super().on_response_complete()

    # ---- time

    def _time(self) -> None:
        """Begin to count the time of what is awaited now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timed, self._bytes = self._stage, 0
        match self._stage:
            case Stage.WHOLE:
                return
            case Stage.FIRST:
                seconds = self._bounds.first_seconds
            case Stage.HEAD:
                seconds = self._bounds.head_seconds
            case Stage.BODY:
                seconds = self._bounds.body_seconds
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self.flow.read_paused:  # it is we who do not listen
            self._time()
        else:
            self._refuse(TIMEOUT)

    def _refuse(self, status: int) -> None:
        """Close, and say why where the request has had no answer."""
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete
        unanswered = self._stage is Stage.HEAD
        if answering:
            if self._stage is Stage.HEAD:
                cycle.keep_alive = False  # the request before is still being answered
                return
            unanswered = not cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
        if unanswered:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._bounds.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()
