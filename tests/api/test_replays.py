"""`what-if`, `coverage` and `suggest` on the bundled incident, against its truth; and bad input to them."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from api.demo.incident import Incident
from ledger.record import parse_time
from tests.api.conftest import Command
from tests.api.test_cli_bad_input import NOT_ALL, USAGE, one_line

ESCALATION = "706846f8-33c3-4e14-9ab3-3d88dbf7524d"
"""ci-deploy writes v8 of LarkspurDeploy, the policy that it is under itself."""

Truth = dict[str, Any]


@pytest.fixture(scope="module")
def truth(incident: Incident) -> Truth:
    found: Truth = orjson.loads(incident.ground_truth.read_bytes())
    return found


@pytest.fixture
def lost(ask: Command) -> dict[str, Any]:
    told = ask("what-if", "--without", ESCALATION, "--format", "json").json
    return {one["entry"]["eventID"]: one for one in told["calls"]}


def test_without_the_escalation_no_later_change_of_the_intruder(lost: dict[str, Any], truth: Truth) -> None:
    """But for a session that needs no permission, and for the key that root, whose password they had, made."""
    began = parse_time(next(one["at"] for one in truth["q39"] if one["event_id"] == ESCALATION))
    later = [one for one in truth["q39"] if one["side"] == "attack" and parse_time(one["at"]) > began]
    left = [one for one in later if one["event_id"] not in lost]
    assert len(later) > 30
    assert [(one["event"], one["owner"]) for one in left] == [
        ("sts:GetSessionToken", "ci-deploy"),
        ("iam:CreateAccessKey", "root"),
    ]


def test_of_the_response_only_what_would_have_had_nothing_to_clean_up(
    lost: dict[str, Any], truth: Truth
) -> None:
    response = {one["event_id"] for one in truth["q39"] if one["side"] == "response"}
    assert {lost[name]["why"] for name in response & lost.keys()} == {"noEntity"}


def test_nobody_else_lost_anything(ask: Command, lost: dict[str, Any]) -> None:
    """Every other lost call came from an address of the intruder's or with what they had made."""
    began = {one["entry"]["time"] for one in lost.values()}
    assert min(began) > "2026-03-17T13:26:48Z"
    assert all(one["transitive"] or one["why"] in ("denied", "noEntity") for one in lost.values())


def test_what_was_granted_by_it(ask: Command, truth: Truth) -> None:
    told = ask("what-if", "--without", ESCALATION, "--format", "ndjson").lines
    denied = {one["entry"]["eventID"] for one in told if one["why"] == "denied"}
    assert {turn["granted"] for turn in truth["q26"]} <= denied


def test_a_clean_up_before_the_leak(ask: Command, tmp_path: Path) -> None:
    record = {
        "eventTime": "2026-03-17T13:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "UpdateAccessKey",
        "requestParameters": {
            "userName": "ci-deploy",
            "accessKeyId": "AKIATCH6YDSY5EZ6PFWP",
            "status": "Inactive",
        },
    }
    file = tmp_path / "clean-up.json"
    file.write_bytes(orjson.dumps({"Records": [record]}))
    told = ask("what-if", "--with", file, "--account", "210987654321", "--format", "json").json
    inactive = {one["entry"]["eventID"] for one in told["calls"] if one["why"] == "keyInactive"}
    used = ask(
        "events",
        "--access-key",
        "AKIATCH6YDSY5EZ6PFWP",
        "--succeeded",
        "--from",
        "2026-03-17T13:00",
        "--to",
        "2026-03-17T15:12:30",
        "--oldest",
        "--all",
        "--format",
        "ndjson",
    ).lines
    assert inactive == {one["eventID"] for one in used}


@pytest.mark.parametrize("principal", ["svc-backup", "LarkspurInvoiceLambda", "ci-deploy"])
def test_suggestions_are_policies(ask: Command, principal: str) -> None:
    text = ask("suggest", principal, "--from", "2026-03-17", "--to", "2026-03-17T13:00").text
    document = orjson.loads(text[: text.index("\n}\n") + 3])
    assert all(one["Effect"] == "Allow" for one in document["Statement"])
    assert "\n# " in text


def test_unused_is_what_coverage_never_saw_used(ask: Command) -> None:
    every = ask("coverage", "--account", "210987654321", "--format", "ndjson").lines
    unused = ask("coverage", "--account", "210987654321", "--unused", "--format", "ndjson").lines
    assert unused == [one for one in every if one["use"] == "never"]
    assert {(one["policy"], one["version"], one["index"]) for one in unused} >= {("LarkspurDeploy", "v7", 6)}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("what-if",), USAGE, "without"),
        (("what-if", "--without", "rubbish"), NOT_ALL, "no event 'rubbish'"),
        (("what-if", "--without", "210987654321:999999999"), NOT_ALL, "no event"),
        (("what-if", "--without", ""), USAGE, "without"),
        (("what-if", "--with", "/nowhere/at/all.json"), USAGE, "with"),
        (("what-if", "--with", __file__), USAGE, "with"),
        (("what-if", "--without", ESCALATION, "--account", "twelve"), USAGE, "not an account id"),
        (("coverage", "--account", "111111111111"), NOT_ALL, "111111111111"),
        (("coverage", "--from", "yesterday"), USAGE, "yesterday"),
        (("suggest", "nobody-at-all"), NOT_ALL, "nobody-at-all"),
        (("suggest", ""), USAGE, "principal"),
        (("suggest",), USAGE, "PRINCIPAL"),
    ],
)
def test_bad_input_is_told_in_one_line(ask: Command, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in one_line(ask(*words), code)
