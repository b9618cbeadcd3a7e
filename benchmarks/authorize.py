"""Recorded decisions a second over HTTP, against the same server answering the same requests without deciding or recording.

    python benchmarks/authorize.py [--seconds 5] [--callers 64] [--db URL]

The server is one process on loopback, as `serve` runs it, over a ledger of its own with 64 users, each with a policy of
ten statements. The client is another process, which keeps `--callers` requests under way, one question each, on as many
connections. The peer is that server with a route that reads the request, parses its JSON and answers as many bytes. Prints
both rates, their ratio, the time of an answer, and whether every answered question is an entry.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the packages

from api.app import make_guarded_app  # noqa: E402
from ledger.authority.authority import Authority, Request  # noqa: E402
from ledger.authority.beginning import begin  # noqa: E402
from ledger.authority.recording import Surroundings  # noqa: E402
from ledger.iam.deciding import Bearer  # noqa: E402
from ledger.log import Log, open_engine  # noqa: E402
from ledger.policy.request import caller_of  # noqa: E402
from ledger.vault.keys import Keyring, new_key  # noqa: E402
from ledger.vault.passwords import hash_password  # noqa: E402
from ledger.vault.store import Vault  # noqa: E402
from projections.investigation import Investigation  # noqa: E402

ACCOUNT = "111122223333"
USERS = 64
HERE = Surroundings("127.0.0.1", "benchmark", "00000000-0000-4000-8000-000000000000")
WARM_SECONDS = 1.0
BARE = "/bare"
ANSWER_BYTES = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--db", help="an empty database; else an SQLite file that is thrown away")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_engine(told.db or f"sqlite:///{folder}/ledger.sqlite", create=True))
        authority = Authority(log, Vault(log.engine, Keyring(new_key())))
        questions = _questions(authority)
        ear = socket.create_server(("127.0.0.1", 0), backlog=512)
        app = Bare(make_guarded_app(Investigation(log), authority))
        results: Any = multiprocessing.get_context("spawn").Queue()
        arguments = (ear.getsockname()[1], questions, told.callers, told.seconds, results)
        client = multiprocessing.get_context("spawn").Process(target=_client, args=arguments)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False)
        )
        before = log.size(ACCOUNT)
        client.start()
        bare, decided = _serve(server, ear, client, results)
        authority.close()
        entries = log.size(ACCOUNT) - before
    for name, (rate, times, _) in (("answered only", bare), ("decided and recorded", decided)):
        p99 = statistics.quantiles(times, n=100)[98] * 1000
        print(f"{name}: {rate:,.0f} a second, p50 {statistics.median(times) * 1000:.1f} ms, p99 {p99:.1f} ms")
    print(f"ratio {decided[0] / bare[0]:.2f}; {entries:,} entries of {decided[2]:,} answers")


def _serve(server: uvicorn.Server, ear: socket.socket, client: Any, results: Any) -> list[Any]:
    """Serve until the client has measured both."""
    measured: list[Any] = []

    async def serve() -> None:
        serving = asyncio.create_task(server.serve(sockets=[ear]))
        while len(measured) < 2 and (client.is_alive() or not results.empty()):
            await asyncio.sleep(0.2)
            while not results.empty():
                measured.append(results.get())
        server.should_exit = True
        await serving

    uvloop.run(serve())
    client.join()
    return measured


def _questions(authority: Authority) -> list[bytes]:
    begin(authority.turns, ACCOUNT, email="root@example.com", password_hash=hash_password("-"), around=HERE)
    root = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))

    def call(action: str, **parameters: Any) -> Any:
        told = authority.call(Request(ACCOUNT, f"iam:{action}", parameters, HERE, None, by=root))
        assert told.refusal is None, told.refusal
        return told.output

    statements = [
        {"Effect": "Allow", "Action": f"orders:{verb}Order", "Resource": f"arn:aws:orders:::order/{place}*"}
        for verb in ("Get", "Put", "Delete", "List", "Copy")
        for place in (1, 2)
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    questions = []
    for number in range(USERS):
        name = f"user-{number}"
        call("CreateUser", UserName=name)
        call("PutUserPolicy", UserName=name, PolicyName="orders", PolicyDocument=document)
        key = call("CreateAccessKey", UserName=name)["AccessKey"]
        question = {
            "credential": {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]},
            "action": "orders:GetOrder",
            "resource": f"arn:aws:orders:::order/{number % 3 + 1}{number}",
            "context": {"aws:SourceIp": "192.0.2.7", "orders:Amount": number},
            "requestParameters": {"id": f"{number}"},
        }
        questions.append(json.dumps(question).encode())
    return questions


class Bare:
    """The app, and beside it a route that reads JSON and answers as a decision is answered, with as many bytes."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._answer = orjson.dumps({"decision": "allowed", "authorization": "x" * ANSWER_BYTES})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != BARE:
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        assert orjson.loads(body)["action"]
        length = (b"content-length", str(len(self._answer)).encode())
        headers = [(b"content-type", b"application/json"), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._answer})


def _client(port: int, questions: list[bytes], callers: int, seconds: float, results: Any) -> None:
    for path in (BARE, "/v1/authorize"):
        results.put(uvloop.run(_measure(port, path, questions, callers, seconds)))


async def _measure(
    port: int, path: str, questions: list[bytes], callers: int, seconds: float
) -> tuple[float, list[float], int]:
    """Answers a second, the seconds each took, and all answers, those while warming up too."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.1)
    began = time.perf_counter() + WARM_SECONDS
    times: list[float] = []
    total = 0

    async def caller(number: int) -> None:
        nonlocal total
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = questions[number % len(questions)]
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"user-agent: orders/1\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        while (start := time.perf_counter()) < began + seconds:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            told = orjson.loads(await reader.readexactly(length))
            assert "decision" in told
            total += 1
            if start >= began:
                times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return len(times) / seconds, times, total


if __name__ == "__main__":
    main()
