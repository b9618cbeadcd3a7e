"""The report of one access key: on the bundled incident, whose truth is known, and on a real log."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.demo.incident import Incident
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.record import parse_time
from projections.credentials import key_report
from projections.history import History
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS, Sessions
from projections.vocabulary import UnknownName

BENJAMINS = "AKIATFQZ7NSC8Q4X21BJ"


@pytest.fixture(scope="module")
def log(incident_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    path = shutil.copy(incident_ledger, tmp_path_factory.mktemp("keys") / "ledger.sqlite")
    log = Log(open_engine(str(path)))
    Runner(log, [HISTORY, SESSIONS]).catch_up()
    yield log
    log.engine.dispose()


@pytest.fixture(scope="module")
def truth(incident: Incident) -> dict[str, Any]:
    return orjson.loads(incident.ground_truth.read_bytes())


def report(log: Log, key: str, since: int | None = None) -> dict[str, Any]:
    return key_report(log, History(log), Sessions(log), key, since=since)


def test_it_tells_owner_maker_changes_and_first_and_last_use(log: Log, truth: dict[str, Any]) -> None:
    """Question 1."""
    assert len(truth["q1"]) == 7
    for true in truth["q1"]:
        told = report(log, true["key"])
        made, changes = told["createdBy"], [one for one in told["statusHistory"] if "assumed" not in one]
        assert told["owner"]["name"] == true["owner"]
        assert (made and made["eventID"], made and made["actor"]) == (
            (true["created"]["event_id"], true["created"]["by"]) if true["created"] else (None, None)
        )
        assert [
            (one["time"], one["status"], one["entry"]["eventID"], one["entry"]["actor"])
            for one in changes[1 if made else 0 :]
        ] == [(one["at"], one["status"], one["event_id"], one["by"]) for one in true["changes"]]
        assert told["firstUsed"] == (true["first_use"] or {}).get("at")
        assert told["lastUsed"] == (true["last_use"] or {}).get("at")


def test_a_key_from_before_the_log_is_assumed_to_have_been_active(log: Log, truth: dict[str, Any]) -> None:
    told = report(log, truth["q4"]["key"])
    assert told["createdBy"] is None
    assert [one["status"] for one in told["statusHistory"]] == ["Active", "Inactive"]
    assert told["statusHistory"][0]["assumed"]
    assert told["status"] == "Inactive"


def test_it_tells_addresses_and_agents_and_which_are_new(log: Log, truth: dict[str, Any]) -> None:
    """Question 4."""
    true = truth["q4"]
    told = report(log, true["key"], since=parse_time(true["leaked_at"]))
    members = ("address", "agent", "first", "last", "count", "new")
    assert {tuple(one[name] for name in members) for one in told["origins"]} == {
        tuple(one[name] for name in members) for one in true["rows"]
    }
    assert {one["address"] for one in told["addresses"] if one["new"]} == {"203.0.113.66"}
    assert told["calls"] == sum(one["count"] for one in true["rows"])
    assert told["calls"] == sum(one["count"] for one in told["services"])
    assert told["denied"] == sum(one["count"] for one in told["deniedCalls"])


def test_without_a_time_the_second_half_of_its_use_is_new(log: Log, truth: dict[str, Any]) -> None:
    told = report(log, truth["q4"]["key"])
    assert told["newSince"] == "2026-03-17T10:32:43Z"  # half-way from 06:42:05 to 14:23:21
    assert {one["address"] for one in told["addresses"] if one["new"]} == {"203.0.113.66"}


def test_it_tells_the_sessions_it_opened(log: Log, truth: dict[str, Any]) -> None:
    told = report(log, truth["q4"]["key"])
    opened = {one["accessKey"]: one for one in told["sessions"]}
    for true in truth["q29"]:
        mine = opened[true["key"]]
        assert mine["openedBy"]["eventID"] == true["made"]["event_id"]
        assert mine["calls"] == len(true["own_events"])
    of_key = [one for one in truth["q3"]["credentials"] if one["from_key"] == truth["q4"]["key"]]
    assert set(opened) == {one["key"] for one in of_key}


def test_it_tells_what_came_of_it(log: Log, truth: dict[str, Any]) -> None:
    told = report(log, truth["q4"]["key"])
    assert ("user", "svc-datasync") in {(one["kind"], one["name"]) for one in told["created"]}


def test_a_sessions_key_is_opened_and_expires(log: Log, truth: dict[str, Any]) -> None:
    hop = truth["q12"][0]["hops"][-1]
    told = report(log, hop["key"])
    assert told["owner"]["type"] == "AssumedRole"
    assert told["owner"]["session"] == hop["arn"]
    assert told["createdBy"]["eventID"] == hop["made_by"]
    assert [one["status"] for one in told["statusHistory"]] == ["Active", "Expired"]
    assert [one["principal"] for one in told["chain"]][-1] == truth["q12"][0]["hops"][0]["arn"]


def test_roots_key_is_roots(log: Log, truth: dict[str, Any]) -> None:
    true = truth["q19"][truth["accounts"]["other"]]["access_key"]
    told = report(log, true["key"])
    assert told["owner"]["type"] == "Root"
    assert told["account"] == truth["accounts"]["other"]
    assert [one["entry"]["eventID"] for one in told["statusHistory"]] == [
        true["created"]["event_id"],
        true["deleted"]["event_id"],
    ]
    assert told["status"] == "Deleted"
    assert told["calls"] == len(true["used"])


def test_a_key_nobody_knows_is_refused(log: Log) -> None:
    with pytest.raises(UnknownName, match="AKIANOBODY"):
        report(log, "AKIANOBODY")


def test_a_real_key_on_either_database(real_logs: Path, database_url: str) -> None:
    """Counted by hand in the recorded files: 35 calls in ten seconds, one of them from a second address."""
    log = Log(open_engine(database_url, create=True))
    import_paths(log, [real_logs / "invictus-ir_aws_dataset" / "CloudTrail"])
    Runner(log, [HISTORY, SESSIONS]).catch_up()
    told = report(log, BENJAMINS)
    assert (told["calls"], told["denied"], told["failed"]) == (35, 0, 10)
    assert (told["firstUsed"], told["lastUsed"]) == ("2023-07-10T11:42:34Z", "2023-07-10T11:42:44Z")
    assert {one["address"]: one["count"] for one in told["addresses"]} == {
        "10.248.16.43": 34,
        "10.107.112.14": 1,
    }
    assert told["owner"]["name"] == "benjamin"
    unused = report(log, "AKIATFQR7NSCQLA2F4OD")
    assert (unused["owner"]["name"], unused["calls"]) == ("malicious-iam-user", 0)
    assert unused["statusHistory"][0]["entry"]["time"] == "2023-07-10T12:24:50Z"
    log.engine.dispose()
