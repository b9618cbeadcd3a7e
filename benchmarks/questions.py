"""How long a newest-first page of any single filter takes, in the library and over HTTP, beside a bare query.

    python benchmarks/questions.py --db URL-OF-A-LEDGER [--pages 40] [--no-http]

The ledger is one that `iam-ledger import` made; `benchmarks/README.md` says how to make one of a million events.
Values of filters are drawn from entries of the ledger, so frequent ones are drawn more often, as people ask.
The peer is the bare indexed query of the same page's rows (bodies fetched, not decoded), in the same run.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log import Log, open_engine
from ledger.log.schema import entries
from projections.activity import Activity, Question
from projections.lines import line

LIMIT = 50
PARAMETERS = {
    "access_key": "accessKey",
    "source_ip": "sourceIP",
    "user_agent": "userAgent",
    "read_only": "readOnly",
    "since": "from",
    "until": "to",
}
TOKEN = "benchmark-of-questions"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--db", required=True)
    options.add_argument("--pages", type=int, default=40, help="pages of each filter")
    options.add_argument("--no-http", action="store_true")
    asked = options.parse_args()
    log = Log(open_engine(asked.db))
    answers = Activity(log)
    began = time.process_time(), time.perf_counter()
    answers.runner.catch_up()  # what the first question by text would do
    spent = time.process_time() - began[0], time.perf_counter() - began[1]
    drawn = random_entries(log, asked.pages)
    bare = timed(lambda entry: bare_page(log, entry), drawn)
    events = sum(log.size(account) for account in log.account_ids())
    print(
        f"{events:,} events on {log.engine.dialect.name}; p50 and p95 of {asked.pages} pages of {LIMIT}, ms"
    )
    print(
        f"text laid out in {spent[1]:.1f} s, {spent[0] / events * 1e6:.1f} us of processor an event; "
        f"{database_bytes(log) / events:.1f} bytes an event in all"
    )
    print(f"{'bare indexed query':24}{p50(bare):8.2f}{p95(bare):8.2f}")
    print(f"{'filter':24}{'library':>8}{'p95':>8}{'/ bare':>8}{'HTTP':>8}{'p95':>8}")
    with no_server() if asked.no_http else server(asked.db) as client:
        for name, values in single_filters(drawn).items():
            own = timed(lambda given: page(answers, given), values)
            told = f"{name:24}{p50(own):8.2f}{p95(own):8.2f}{p50(own) / p50(bare):8.1f}"
            if client is not None:
                over = timed(lambda given: over_http(client, given), values)
                told += f"{p50(over):8.2f}{p95(over):8.2f}"
            print(told, flush=True)


def single_filters(drawn: list[Entry]) -> dict[str, list[dict[str, Any]]]:
    """For each filter, the questions that ask by it alone."""
    lines = [line(entry) for entry in drawn]
    return {
        "none": [{} for _ in lines],
        "principal": [{"principal": told["principal"]} for told in lines],
        "access key": [{"access_key": told["accessKey"]} for told in lines if told["accessKey"]],
        "action": [{"action": told["action"]} for told in lines],
        "action pattern": [
            {"action": told["action"][: told["action"].index(":") + 4] + "*"} for told in lines
        ],
        "service": [{"service": told["action"].split(":")[0]} for told in lines],
        "resource": [{"resource": told["resources"][-1]} for told in lines if told["resources"]],
        "source ip": [{"source_ip": told["sourceIP"]} for told in lines],
        "source network": [{"source_ip": told["sourceIP"].rsplit(".", 1)[0] + ".0/24"} for told in lines],
        "user agent": [{"user_agent": told["userAgent"]} for told in lines],
        "error": [{"error": told["error"]} for told in lines if told["error"]] or [{"error": "AccessDenied"}],
        "denied": [{"outcome": "denied"} for _ in lines],
        "read-only": [{"read_only": True} for _ in lines],
        "changing": [{"read_only": False} for _ in lines],
        "session": [{"session": told["accessKey"]} for told in lines if str(told["accessKey"])[:4] == "ASIA"],
        "account": [{"account": told["account"]} for told in lines],
        "from and to": [{"since": entry.time - 3_600, "until": entry.time} for entry in drawn],
        "text in parameters": [{"text": text} for told in lines if (text := a_word(told))],
    }


def a_word(told: dict[str, Any]) -> str | None:
    """Some text of the request's parameters."""
    parameters = told["record"].get("requestParameters") or {}
    texts = [value for value in parameters.values() if isinstance(value, str) and len(value) > 3]
    return texts[0][:40] if texts else None


def page(answers: Activity, given: dict[str, Any]) -> None:
    for entry in answers.page(Question(**given, limit=LIMIT)).entries:
        line(entry)


def over_http(client: httpx.Client, given: dict[str, Any]) -> None:
    parameters = {
        PARAMETERS.get(name, name): stamp(value) if name in ("since", "until") else value
        for name, value in given.items()
    }
    client.get("/v1/events", params={**parameters, "limit": LIMIT}).raise_for_status()


def stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def bare_page(log: Log, entry: Entry) -> None:
    """The rows of one principal's newest entries, by the database's own driver."""
    with log.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        mark = "%s" if log.engine.dialect.name == "postgresql" else "?"
        cursor = driver.cursor()
        cursor.execute(
            f"SELECT body, salt, leaf_hash FROM entries WHERE principal = {mark} ORDER BY time DESC LIMIT {LIMIT}",
            (PRINCIPAL_OF[entry.account_id, entry.position],),
        )
        cursor.fetchall()
        cursor.close()


def database_bytes(log: Log) -> int:
    """All tables, indexes and projections; what SQLite has not yet written back from its WAL included."""
    with log.engine.connect() as connection:
        if log.engine.dialect.name == "postgresql":
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
        )
        return int(pages * size)


PRINCIPAL_OF: dict[tuple[str, int], int] = {}


def random_entries(log: Log, count: int) -> list[Entry]:
    chance = random.Random(7)
    accounts = log.account_ids()
    drawn = []
    with log.engine.connect() as connection:
        for _ in range(count):
            account = chance.choice(accounts)
            entry = log.entry(account, chance.randrange(log.size(account)))
            assert entry is not None
            query = sa.select(entries.c.principal).where(
                entries.c.position == entry.position, entries.c.time == entry.time
            )
            PRINCIPAL_OF[account, entry.position] = connection.execute(query).scalars().first() or 0
            drawn.append(entry)
    return drawn


def timed(ask: Callable[[Any], None], values: list[Any]) -> list[float]:
    """Milliseconds of each; one round before is not counted."""
    if not values:
        return [float("nan")]
    ask(values[0])
    took = []
    for value in values:
        began = time.perf_counter()
        ask(value)
        took.append((time.perf_counter() - began) * 1_000)
    return took


def p50(took: list[float]) -> float:
    return statistics.median(took)


def p95(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.95) - 1]


class no_server:  # noqa: N801 - used as a word
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class server:  # noqa: N801 - used as a word
    """`iam-ledger serve` on a free port of loopback, ended by its own pid."""

    def __init__(self, url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "--db", url, "serve", "--port", str(self.port)],
            env={**os.environ, "IAM_LEDGER_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> httpx.Client:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60,
        )
        for _ in range(100):
            try:
                client.get("/v1/accounts")
            except httpx.ConnectError:
                time.sleep(0.1)
            else:
                return client
        raise SystemExit("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


if __name__ == "__main__":
    main()
