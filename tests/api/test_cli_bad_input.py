"""Whatever is wrong with the input: one line on standard error, the right status, no traceback."""

import os
import sqlite3
from pathlib import Path

import pytest

from tests.api.conftest import Command, Ran

USAGE, NOT_ALL, UNAVAILABLE = 2, 1, 3
FAR = "x" * 3_000


def one_line(ran: Ran, code: int) -> str:
    assert ran.code == code, (ran.code, ran.err)
    assert "Traceback" not in ran.err
    assert ran.err.startswith("iam-ledger: ")
    assert ran.err.count("\n") == 1, ran.err
    assert ran.out == b""
    return ran.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), USAGE, "command"),
        (("event",), USAGE, "ID"),
        (("evnets",), USAGE, "evnets"),
        (("events", "--principle", "alice"), USAGE, "--principle"),
        (("events", "alice"), USAGE, "alice"),
        (("events", "--db", "x"), USAGE, "before the command"),
        (("events", "--format", "yaml"), USAGE, "yaml"),
        (("events", "--from", "yesterday"), USAGE, "'yesterday' is not a time"),
        (("events", "--to", "2026-02-30"), USAGE, "2026-02-30"),
        (("events", "--from", ""), USAGE, "from"),
        (("events", "--from", "2026-03-18", "--to", "2026-03-17"), USAGE, "is after"),
        (("events", "--source-ip", "10.0.0.0/99"), USAGE, "10.0.0.0/99"),
        (("events", "--account", "twelve"), USAGE, "not an account id"),
        (("events", "--account", "٢١٠٩٨٧٦٥٤٣٢١"), USAGE, "not an account id"),
        (("events", "--limit", "0"), USAGE, "between 1 and 1000"),
        (("events", "--limit", "1001"), USAGE, "between 1 and 1000"),
        (("events", "--limit", "many"), USAGE, "--limit"),
        (("events", "--after", "rubbish"), USAGE, "no cursor"),
        (("events", "--after", "210987654321:99999999999999999999"), USAGE, "no cursor"),
        (("events", "--principal", ""), USAGE, "empty"),
        (("events", "--principal", "a\x00b"), USAGE, "not text"),
        (("events", "--text", "\udcff"), USAGE, "not text"),
        (("events", "--text", FAR), USAGE, "3000 characters"),
        (("events", "--denied", "--succeeded"), USAGE, "--denied and --succeeded exclude"),
        (("events", "--read-only", "--changing"), USAGE, "exclude"),
        (("events", "--newest", "--oldest"), USAGE, "exclude"),
        (("event", "no-such-event"), NOT_ALL, "no-such-event"),
        (("event", "210987654321:99999999"), NOT_ALL, "99999999"),
        (("event", "\x1b[31m"), NOT_ALL, "x1b"),
        (("activity", "nobody"), NOT_ALL, "nobody"),
        (("activity", "ci-deploy", "--limit", "0"), USAGE, "between 1 and 1000"),
        (("activity", "ci-deploy", "--after", "rubbish"), USAGE, "no cursor"),
        (("key", "AKIANOBODY"), NOT_ALL, "AKIANOBODY"),
        (("key", "AKIATCH6YDSY5EZ6PFWP", "--since", "soon"), USAGE, "since"),
        (("lineage", "nobody"), NOT_ALL, "nobody"),
        (("lineage", "ci-deploy", "--from", "x"), USAGE, "from"),
        (("state", "--account", "210987654321", "--at", "noon"), USAGE, "noon"),
        (("state", "--account", "999999999999"), NOT_ALL, "999999999999"),
        (("state",), USAGE, "210987654321, 210987654399"),
        (("state", "user"), USAGE, "which user"),
        (("state", "user", "nobody", "--account", "210987654321"), NOT_ALL, "nobody"),
        (("diff", "--from", "2026-03-17"), USAGE, "--to"),
        (("diff", "--from", "2026-03-18", "--to", "2026-03-17"), USAGE, "is after"),
        (("history", "user", "nobody", "--account", "210987654321"), NOT_ALL, "nobody"),
        (("findings", "--from", "x"), USAGE, "from"),
        (("principals", "--account", "999999999999"), NOT_ALL, "999999999999"),
        (("export", "--format", "ndjson"), USAGE, "--to"),
        (("export", "--format", "parquet", "--to", "-"), USAGE, "parquet"),
        (("export", "--format", "csv", "--to", "/no/such/folder/x.csv"), UNAVAILABLE, "/no/such/folder"),
        (
            ("export", "--format", "csv", "--to", "-", "--principal-activity", "a", "--denied"),
            USAGE,
            "no other filter",
        ),
        (("import",), USAGE, "import what"),
        (("import", ""), USAGE, "no path"),
        (("import", "x", "--taken-at", "2026-03-17"), USAGE, "--snapshot"),
        (("import", "--snapshot", "x"), USAGE, "--taken-at"),
        (("import", "--snapshot", "x", "--taken-at", "noon"), USAGE, "noon"),
        (("import", "x", "--rejects", "/no/such/folder/r.ndjson"), USAGE, "/no/such/folder"),
        (("serve", "--port", "99999"), USAGE, "65535"),
        (("serve", "--host", "no.such.host.invalid"), UNAVAILABLE, "no.such.host.invalid"),
    ],
    ids=lambda value: (
        " ".join(value)[:40].encode("ascii", "backslashreplace").decode() if isinstance(value, tuple) else ""
    ),
)
def test_bad_input_ends_in_one_line(ask: Command, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in one_line(ask(*words), code)


@pytest.mark.parametrize("kind", ["wizard", "", "users", "User"])
def test_an_unknown_kind_is_refused(ask: Command, kind: str) -> None:
    ran = ask("history", kind, "ci-deploy", "--account", "210987654321")
    one_line(ran, ran.code)
    assert ran.code in (USAGE, NOT_ALL)


# The ledger itself


def test_a_ledger_that_is_not_there(command: Command, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    assert "there is no ledger" in one_line(command("--db", missing, "events"), UNAVAILABLE)
    assert not missing.exists()


def test_a_folder_that_is_not_there(command: Command, tmp_path: Path) -> None:
    one_line(command("--db", tmp_path / "no" / "ledger.db", "import", "-"), UNAVAILABLE)


def test_a_file_that_is_no_database(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear database, " * 1_000)
    one_line(command("--db", path, "events"), UNAVAILABLE)


def test_a_database_of_somebody_else(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY)")
    one_line(command("--db", path, "events"), UNAVAILABLE)
    one_line(command("--db", path, "import", "-"), UNAVAILABLE)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/x",
        "postgresql://nobody:secret@127.0.0.1:1/x",
        "://",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://[broken/x",
    ],
)
def test_a_url_that_leads_nowhere(command: Command, url: str) -> None:
    assert "secret" not in one_line(command("--db", url, "events"), UNAVAILABLE)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_ledger_that_may_not_be_read(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "closed.db"
    path.touch(mode=0)
    one_line(command("--db", path, "events"), UNAVAILABLE)


# The settings of `serve`


def test_others_are_let_in_only_by_an_explicit_word(ask: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_LEDGER_HOST", "0.0.0.0")
    assert "--host" in one_line(ask("serve"), USAGE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IAM_LEDGER_PORT", "http"),
        ("IAM_LEDGER_PORT", "70000"),
        ("IAM_LEDGER_TOKEN", "short"),
        ("IAM_LEDGER_SIGNATURE_WINDOW", "0"),
        ("IAM_LEDGER_SIGNATURE_WINDOW", "61"),
        ("IAM_LEDGER_SIGNATURE_WINDOW", "a quarter"),
        ("IAM_LEDGER_CONNECTIONS", "0"),
        ("IAM_LEDGER_TRUSTED_PROXIES", "*"),
        ("IAM_LEDGER_TRUSTED_PROXIES", "10.0.0.1,proxy.example.com"),
    ],
)
def test_a_setting_that_makes_no_sense(
    ask: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name in one_line(ask("serve"), USAGE)
