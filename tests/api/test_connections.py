"""Clients on real sockets that are slow, or send without end: each is cut off, and nobody else has to wait for them."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.connections import Bounds, Held, server_of
from tests.api.served import served

SOON = Bounds(
    connections_max=20,
    first_seconds=0.4,
    head_seconds=0.4,
    head_bytes_max=2_000,
    body_seconds=0.4,
    body_bytes_max=20_000,
    answer_seconds=0.4,
)
PATIENCE = 20  # seconds until a test gives up
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 64 << 20


class Told:
    """An application that reads the body and tells its length; what it was told besides is kept."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.ends: list[str] = []
        self.waiting = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/early":
            await self._answer(send, b"early")
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(1)
        length, more = 0, True
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                self.ends.append("disconnected")
                return
            length, more = length + len(message["body"]), message["more_body"]
        self.headers = list(scope["headers"])
        await self._answer(send, bytes(LARGE) if scope["path"] == "/large" else str(length).encode())
        self.ends.append("answered")

    @staticmethod
    async def _answer(send: Send, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for start in range(0, len(body), 1 << 20):
            piece, more = body[start : start + (1 << 20)], start + (1 << 20) < len(body)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


@contextmanager
def running(app: Any, bounds: Bounds, *, proxies: Sequence[str] = ()) -> Iterator[int]:
    ear = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = server_of(app, bounds=bounds, trusted_proxies=proxies)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [ear]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield int(ear.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def app() -> Told:
    return Told()


@pytest.fixture(scope="module")
def port(app: Told) -> Iterator[int]:
    with running(app, SOON) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def all_of(client: socket.socket) -> bytes:
    """What is received until the server closes."""
    found = b""
    try:
        while piece := client.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def drip(client: socket.socket, piece: bytes, *, pause: float = 0.05) -> bytes:
    """Send it again and again until the server closes; what it has said."""
    until = time.monotonic() + PATIENCE
    client.settimeout(pause)
    heard = b""
    while time.monotonic() < until:
        try:
            client.sendall(piece)
            found = client.recv(65_536)
            if not found:
                return heard
            heard += found
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return heard
    raise AssertionError("the server goes on listening")


def is_answered(port: int) -> bool:
    with connected(port) as client:
        client.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return all_of(client).startswith(b"HTTP/1.1 200 ")


# ---- time


def test_who_sends_nothing_is_left(port: int) -> None:
    with connected(port) as client:
        assert all_of(client) == b""


@pytest.mark.parametrize("begun", [b"GET /", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "])
def test_who_does_not_end_the_head_is_left(port: int, begun: bytes) -> None:
    with connected(port) as client:
        client.sendall(begun)
        assert drip(client, b"G").startswith(b"HTTP/1.1 408 ")


def test_nor_by_sending_one_header_after_another(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert drip(client, b"X-A: b\r\n").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("head", "piece"),
    [(b"Content-Length: 100000", b"x"), (b"Transfer-Encoding: chunked", b"1\r\nx\r\n")],
)
def test_who_does_not_end_the_body_is_left_and_the_application_told(
    port: int, app: Told, head: bytes, piece: bytes
) -> None:
    app.ends.clear()
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
        heard = drip(client, piece)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert heard.count(b"HTTP/1.1 ") == 1
    assert app.ends == ["disconnected"]


def test_a_body_that_nobody_waits_for_keeps_no_connection_open(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        heard = drip(client, b"x")
    assert heard.startswith(b"HTTP/1.1 200 ")
    assert heard.count(b"HTTP/1.1 ") == 1


def test_a_second_request_has_a_time_of_its_own(port: int) -> None:
    with connected(port) as client:
        for _ in range(4):
            client.sendall(GET[:20])
            time.sleep(SOON.head_seconds / 2)
            client.sendall(GET[20:])
            assert client.recv(65_536).endswith(b"\r\n\r\n0")
        client.sendall(GET[:20])
        assert all_of(client).startswith(b"HTTP/1.1 408 ")


def test_what_was_asked_before_is_answered_though_the_next_is_never_ended(port: int) -> None:
    with connected(port) as client:
        client.sendall(GET.replace(b"/ ", b"/slow ", 1) + b"GET / HT")
        assert re.fullmatch(rb"HTTP/1.1 200 OK\r\n.*\r\n\r\n0", all_of(client), re.DOTALL)


def test_time_in_which_we_do_not_listen_is_not_the_client_s(port: int) -> None:
    """The application takes a second, and meanwhile no more than 64 KiB are taken in."""
    body = bytes(4_000_000)
    bounds = Bounds(body_seconds=SOON.body_seconds)
    with running(Told(), bounds) as port, connected(port) as client:
        length = str(len(body)).encode()
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n" + body)
        assert client.recv(65_536).endswith(b"\r\n\r\n4000000")


def test_who_does_not_take_in_the_answer_is_left(port: int, app: Told) -> None:
    app.ends.clear()
    with connected(port) as client:
        client.sendall(GET.replace(b"/ ", b"/large ", 1))
        until = time.monotonic() + PATIENCE
        while not app.ends:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(all_of(client)) < LARGE


# ---- room


def test_a_head_has_a_length(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        assert drip(client, b"a" * 500, pause=0.001).startswith(b"HTTP/1.1 431 ")


def test_a_body_has_one_too(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert drip(client, b"3e8\r\n" + b"a" * 1_000 + b"\r\n", pause=0.001).startswith(b"HTTP/1.1 413 ")


def test_trailers_are_not_kept(port: int, app: Told) -> None:
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"2\r\nab\r\n0\r\nHost: elsewhere\r\nX-Trailer: x\r\n\r\n")
        assert client.recv(65_536).endswith(b"\r\n\r\n2")
    assert app.headers == [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]


def test_who_only_holds_connections_open_keeps_nobody_out(app: Told) -> None:
    patient = Bounds(connections_max=20)
    with running(app, patient) as port, ExitStack() as stack:
        busy = stack.enter_context(connected(port))
        busy.sendall(GET.replace(b"/ ", b"/slow ", 1))
        time.sleep(0.2)
        held = [stack.enter_context(connected(port)) for _ in range(60)]
        for client in held[-15:]:
            client.sendall(GET[:20])
        for _ in range(10):
            assert is_answered(port)
        assert all_of(held[0]) == b""
        assert busy.recv(65_536).startswith(b"HTTP/1.1 200 ")  # whoever is being answered stays
        for client in held[-5:]:
            client.sendall(GET[20:])
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def connected_from(stack: ExitStack, address: str, port: int) -> socket.socket:
    return stack.enter_context(
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(address, 0))
    )


def is_open(client: socket.socket) -> bool:
    client.settimeout(0.3)
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def test_one_address_holds_so_many_and_others_do_not_suffer(app: Told) -> None:
    with (
        running(app, Bounds(connections_max=20, connections_per_address_max=5)) as port,
        ExitStack() as stack,
    ):
        others = [connected_from(stack, f"127.0.0.{number}", port) for number in range(2, 7)]
        held = [connected_from(stack, "127.0.0.1", port) for _ in range(30)]
        assert [is_open(client) for client in held] == [False] * 25 + [True] * 5
        assert all(map(is_open, others))
        for client in (*others, *held[-5:]):
            client.sendall(GET)
            client.settimeout(PATIENCE)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        for client in held:
            client.close()
        time.sleep(0.2)
        again = [connected_from(stack, "127.0.0.1", port) for _ in range(5)]  # what was closed counts no more
        assert all(map(is_open, again))


def test_where_all_of_an_address_are_being_answered_the_last_that_came_is_closed(app: Told) -> None:
    with running(app, Bounds(connections_per_address_max=3)) as port, ExitStack() as stack:
        busy = [connected_from(stack, "127.0.0.1", port) for _ in range(3)]
        for client in busy:
            client.sendall(GET.replace(b"/ ", b"/slow ", 1))
        time.sleep(0.3)
        assert not is_open(connected_from(stack, "127.0.0.1", port))
        for client in busy:
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_trusted_proxy_brings_as_many_as_there_may_be(app: Told) -> None:
    few = Bounds(connections_max=20, connections_per_address_max=5)
    with running(app, few, proxies=["127.0.0.0/30"]) as port, ExitStack() as stack:
        held = [connected_from(stack, "127.0.0.2", port) for _ in range(12)]
        assert all(map(is_open, held))
        strange = [connected_from(stack, "127.0.0.9", port) for _ in range(6)]
        assert [is_open(client) for client in strange] == [False] + [True] * 5


def test_addresses_of_one_subscriber_are_one() -> None:
    held = Held(["2001:db8:1::/48", "10.0.0.0/8"])
    assert held.address_of("2001:db8:2:3:4::5") == held.address_of("2001:db8:2:3:6::7") == "2001:db8:2:3::/64"
    assert held.address_of("192.0.2.1") == "192.0.2.1"
    assert (held.address_of("2001:db8:1::9"), held.address_of("10.9.9.9"), held.address_of("")) == (None,) * 3


# ---- as it is started


def test_serve_has_these_bounds(tmp_path: Path) -> None:
    few = {"IAM_LEDGER_CONNECTIONS": "20", "IAM_LEDGER_CONNECTIONS_PER_ADDRESS": "10"}
    with served(tmp_path, **few) as server, ExitStack() as stack:
        others = [connected_from(stack, "127.0.0.2", server.port) for _ in range(10)]
        held = [stack.enter_context(connected(server.port)) for _ in range(30)]
        with connected(server.port) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\n")
            assert server.client("sts").get_caller_identity()["Account"] == server.account
            assert all(map(is_open, others))
            begun = time.monotonic()
            assert all_of(slow).startswith(b"HTTP/1.1 408 ")
            assert time.monotonic() - begun < PATIENCE
        assert all_of(held[0]) == b""


def test_who_goes_away_is_no_mistake_of_ours(tmp_path: Path) -> None:
    rest = b"""Host: x\r
Content-Type: application/json\r
Authorization: AWS4-HMAC-SHA256 Credential=x\r
Content-Length: 99\r
\r
{"""
    with served(tmp_path) as server:
        for path in (b"/", b"/v1/sign-in", b"/v1/authorize", b"/v1/outcomes", b"/v1/events"):
            with connected(server.port) as gone:
                gone.sendall(b"POST " + path + b" HTTP/1.1\r\n" + rest)
        time.sleep(0.5)
        server.client("sts").get_caller_identity()
    assert "Traceback" not in server.said.read_text()
