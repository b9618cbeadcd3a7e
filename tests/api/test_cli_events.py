"""`iam-ledger events`, `event` and `activity` on the incident."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.demo.incident import Incident
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import read_record
from projections.activity import Question
from projections.investigation import Investigation
from tests.api.conftest import Command

EVENT = "706846f8-33c3-4e14-9ab3-3d88dbf7524d"


@pytest.fixture(scope="module")
def everything(incident_ledger: Path) -> list[Any]:
    """Every line of the incident."""
    log = Log(open_engine(str(incident_ledger)))
    return list(Investigation(log).every_event(Question()))


def test_a_page_is_a_hundred_newest_first_and_says_where_the_next_begins(ask: Command) -> None:
    page = ask("events", "--format", "json").json
    times = [line["time"] for line in page["events"]]
    assert len(times) == 100
    assert times == sorted(times, reverse=True)
    following = ask("events", "--format", "json", "--after", page["next"]).json["events"]
    assert following[0]["time"] <= times[-1]
    assert not {line["eventID"] for line in following} & {line["eventID"] for line in page["events"]}


def test_a_line_is_the_entry_and_its_record(ask: Command) -> None:
    (line,) = ask("events", "--limit", 1, "--format", "ndjson").lines
    assert {"account", "position", "recordedAt", "record"} <= line.keys()
    assert line["record"]["eventID"] == line["eventID"]


def test_all_is_every_record_of_the_incident_once(ask: Command, incident: Incident) -> None:
    lines = ask("events", "--all", "--format", "ndjson").lines
    places = {(line["account"], line["position"]) for line in lines}
    assert len(places) == len(lines)
    counted = dict.fromkeys(incident.records, 0)
    for line in lines:
        counted[line["account"]] += not line["record"]["eventSource"].startswith("iam-ledger")
    assert counted == incident.records


def test_oldest_is_newest_backwards(ask: Command) -> None:
    words = ("events", "--service", "iam", "--changing", "--all", "--format", "ndjson")
    newest, oldest = ask(*words, "--newest").lines, ask(*words, "--oldest").lines
    assert newest == oldest[::-1]
    assert len(newest) > 50


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        (("--principal", "ci-deploy"), lambda line: "ci-deploy" in line["principal"]),
        (("--access-key", "AKIATCH6YDSY5EZ6PFWP"), lambda line: line["accessKey"] == "AKIATCH6YDSY5EZ6PFWP"),
        (("--action", "iam:Create*"), lambda line: line["action"].startswith("iam:Create")),
        (("--service", "sts"), lambda line: line["action"].startswith("sts:")),
        (
            ("--resource", "svc-datasync"),
            lambda line: any("svc-datasync" in one for one in line["resources"]),
        ),
        (("--source-ip", "203.0.113.0/24"), lambda line: line["sourceIP"].startswith("203.0.113.")),
        (("--user-agent", "aws-cli"), lambda line: "aws-cli" in line["userAgent"]),
        (("--error", "*Denied*"), lambda line: "Denied" in line["error"]),
        (("--denied",), lambda line: line["outcome"] == "denied"),
        (("--failed",), lambda line: line["outcome"] != "succeeded"),
        (("--succeeded",), lambda line: line["outcome"] == "succeeded"),
        (("--read-only",), lambda line: line["readOnly"]),
        (("--changing",), lambda line: not line["readOnly"]),
        (
            ("--session", "LarkspurBreakGlass/ops-review"),
            lambda line: line["actor"].endswith("LarkspurBreakGlass/ops-review"),
        ),
        (("--account", "210987654399"), lambda line: line["account"] == "210987654399"),
        (
            ("--from", "2026-03-17T13:00", "--to", "2026-03-17T14:00"),
            lambda line: "2026-03-17T13:" in line["time"],
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_filter_keeps_what_it_says_and_nothing_else(
    ask: Command, everything: list[Any], filters: tuple[str, ...], holds: Callable[[Any], bool]
) -> None:
    lines = ask("events", *filters, "--all", "--format", "ndjson").lines
    assert lines
    assert all(holds(line) for line in lines)
    rest = {line["eventID"] for line in everything} - {line["eventID"] for line in lines}
    assert rest, "a filter that keeps everything proves nothing"
    missed = [line for line in everything if line["eventID"] in rest and _safely(holds, line)]
    assert not missed


def _safely(holds: Callable[[Any], bool], line: Any) -> bool:
    try:
        return bool(holds(line))
    except (TypeError, AttributeError):
        return False


def test_filters_together_mean_all_of_them(ask: Command) -> None:
    words = ("--principal", "ci-deploy", "--denied", "--service", "iam", "--source-ip", "203.0.113.66")
    lines = ask("events", *words, "--all", "--format", "ndjson").lines
    assert lines
    assert {(line["outcome"], line["action"][:4]) for line in lines} == {("denied", "iam:")}


def test_json_of_all_is_a_page_without_a_next(ask: Command) -> None:
    page = ask("events", "--denied", "--all", "--format", "json").json
    assert page["next"] is None
    assert page["events"] == ask("events", "--denied", "--all", "--format", "ndjson").lines


def test_csv_has_a_row_for_each_line(ask: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("events", "--denied", "--all", "--format", "csv").text)))
    lines = ask("events", "--denied", "--all", "--format", "ndjson").lines
    assert [row["eventID"] for row in rows] == [line["eventID"] for line in lines]


def test_the_table_fits_in_a_hundred_columns(ask: Command) -> None:
    told = ask("events", "--principal", "ci-deploy", "--denied", "--oldest").text
    assert "iam:ListUsers" in told
    assert "denied" in told
    assert max(map(len, told.splitlines())) <= 100


def test_nothing_found_says_so(ask: Command) -> None:
    found = ask("events", "--principal", "nobody-at-all")
    assert (found.code, found.text.strip()) == (0, "no event matches")
    assert ask("events", "--principal", "nobody-at-all", "--format", "json").json == {
        "events": [],
        "next": None,
    }


def test_one_event_is_told_whole(ask: Command) -> None:
    told = ask("event", EVENT).text
    assert "iam:CreatePolicyVersion" in told
    assert "LarkspurDeploy" in told
    assert "ci-deploy" in told
    by_id = ask("event", EVENT, "--format", "json").json
    place = f"{by_id['entry']['account']}:{by_id['entry']['position']}"
    assert ask("event", place, "--format", "json").json == by_id


def test_an_activity_takes_in_the_sessions_that_go_back_to_the_principal(ask: Command) -> None:
    lines = ask("activity", "ci-deploy", "--all", "--format", "ndjson").lines
    assert {"ci-deploy", "ops-review"} <= {re.split("[/:]", line["as"])[-1] for line in lines}
    page = ask("activity", "ci-deploy", "--format", "json", "-n", 10).json
    assert page["events"] == lines[:10]
    more = ask("activity", "ci-deploy", "--format", "json", "-n", 10, "--after", page["next"]).json
    assert more["events"] == lines[10:20]


# What an attacker may put into a record


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.sqlite"
    record = {
        "eventVersion": "1.11",
        "eventTime": "2026-03-17T12:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "eventID": "11111111-2222-4333-8444-555555555555",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "\x1b[2J203.0.113.9",
        "userAgent": "=cmd|' /C calc'!A0",
        "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser",
            "userName": "[red]\x1b]0;owned\x07eve",
            "accountId": "111122223333",
        },
        "requestParameters": {"userName": "\x1b[31m\u202eevil[/red]"},
    }
    log = Log(open_engine(str(path), create=True))
    log.append([Draft.of(read_record(record))])
    log.engine.dispose()
    return path


@pytest.mark.parametrize("words", [("events",), ("event", "111122223333:0"), ("principals",)])
def test_a_record_can_not_steer_the_terminal(command: Command, hostile: Path, words: tuple[str, ...]) -> None:
    told = command("--db", hostile, *words)
    assert told.code == 0
    assert not set("\x1b\x07\u202e") & set(told.text)


def test_markup_in_a_record_is_only_text(command: Command, hostile: Path) -> None:
    assert "[red]" in command("--db", hostile, "events").text


def test_a_cell_of_csv_can_not_become_a_formula(command: Command, hostile: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(command("--db", hostile, "events", "--format", "csv").text))
    assert row["userAgent"] == "'=cmd|' /C calc'!A0"


def test_programs_get_the_record_as_it_was(command: Command, hostile: Path) -> None:
    told = command("--db", hostile, "events", "--format", "json")
    assert orjson.loads(told.out)["events"][0]["record"]["sourceIPAddress"] == "\x1b[2J203.0.113.9"
