"""Everything that one principal did: on the bundled incident, whose truth is known, and on a real log."""

from __future__ import annotations

import gzip
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
from projections.principals import principal_activity, principals
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS, Sessions
from projections.vocabulary import BadFilter, UnknownName

KINDS = {
    "access_key": "accessKey",
    "session_token": "sessionToken",
    "role": "role",
    "federation": "federation",
    "console": "console",
}


@pytest.fixture(scope="module")
def log(incident_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    path = shutil.copy(incident_ledger, tmp_path_factory.mktemp("principals") / "ledger.sqlite")
    log = Log(open_engine(str(path)))
    Runner(log, [HISTORY, SESSIONS]).catch_up()
    yield log
    log.engine.dispose()


@pytest.fixture(scope="module")
def truth(incident: Incident) -> dict[str, Any]:
    return orjson.loads(incident.ground_truth.read_bytes())


def everything(log: Log, name: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages together."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = principal_activity(log, Sessions(log), name, after=after, **asked)
        found.extend(page["events"])
        after = page["next"]
        if after is None:
            return found
        assert len(page["events"]) == asked.get("limit", 100)


def window(true: dict[str, Any]) -> dict[str, int]:
    return {"since": parse_time(true["from"]), "until": parse_time(true["to"]) + 1}


def test_it_is_all_that_goes_back_to_the_user_and_nothing_else(log: Log, truth: dict[str, Any]) -> None:
    """Question 3: both keys, session tokens, a federated session with its console, roles, another account too."""
    true = truth["q3"]
    told = everything(log, true["user"], **window(true))
    assert sorted(one["eventID"] for one in told) == sorted(true["events"])
    assert {one["account"] for one in told} == set(truth["accounts"].values())


def test_what_no_record_proves_is_not_attributed(log: Log, truth: dict[str, Any]) -> None:
    true = truth["q3"]
    told = {one["eventID"] for one in everything(log, true["user"], **window(true))}
    assert true["also_his_but_not_provable_from_the_log"]
    assert told.isdisjoint(true["also_his_but_not_provable_from_the_log"])


def test_each_line_says_as_whom(log: Log, truth: dict[str, Any]) -> None:
    true = truth["q3"]
    arns = {one["arn"] for one in true["credentials"] if one["provable"]}
    told = {one["as"] for one in everything(log, true["user"], **window(true))}
    assert arns <= told


def test_it_tells_every_credential_and_how_it_goes_back(log: Log, truth: dict[str, Any]) -> None:
    true = truth["q3"]
    told = principal_activity(log, Sessions(log), true["user"])
    found = {one["accessKey"]: one for one in told["credentials"]}
    proved = {one["key"]: one for one in true["credentials"] if one["provable"]}
    assert {key: one["kind"] for key, one in found.items()} == {
        key: KINDS[one["kind"]] for key, one in proved.items()
    }
    for key in proved:
        via = [hop["credential"] for hop in found[key]["via"]]
        expected = [key]
        while (parent := proved[expected[-1]]["from_key"]) is not None:
            expected.append(parent)
        assert via == expected


@pytest.mark.parametrize("limit", [1, 7, 100, 1_000])
def test_pages_together_are_the_whole_in_either_order(log: Log, truth: dict[str, Any], limit: int) -> None:
    true = truth["q3"]
    times = {"since": parse_time("2026-03-17T13:05:00Z"), "until": parse_time("2026-03-17T13:50:00Z")}
    oldest = everything(log, true["user"], **times, limit=limit)
    newest = everything(log, true["user"], **times, limit=limit, order="newest")
    places = [(one["time"], one["account"], one["position"]) for one in oldest]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert [(one["time"], one["account"], one["position"]) for one in reversed(newest)] == places
    true_ids = set(true["events"])
    assert {one["eventID"] for one in oldest} <= true_ids


def test_a_principal_may_be_named_in_three_ways(log: Log) -> None:
    by_name = principal_activity(log, Sessions(log), "ci-deploy", limit=5)
    for name in (by_name["principal"]["arn"], by_name["principal"]["id"], "CI-Deploy"):
        again = principal_activity(log, Sessions(log), name, limit=5)
        assert again["principal"] == by_name["principal"]
        assert again["events"] == by_name["events"]


def test_nobody_and_several_are_refused(log: Log, truth: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="nobody called"):
        principal_activity(log, Sessions(log), "no.such.body")
    with pytest.raises(UnknownName, match="of account"):
        principal_activity(log, Sessions(log), "ci-deploy", account=truth["accounts"]["other"])
    with pytest.raises(UnknownName, match=r"several.*arn:aws:iam::210987654321:root"):
        principal_activity(log, Sessions(log), "root")
    with pytest.raises(BadFilter, match="after"):
        principal_activity(log, Sessions(log), "ci-deploy", after="elsewhere")


def test_the_list_tells_everyone_once_an_account(log: Log, truth: dict[str, Any]) -> None:
    told = principals(log)
    assert sum(one["calls"] for one in told) == sum(log.size(account) for account in log.account_ids())
    main = principals(log, truth["accounts"]["main"])
    assert main == [one for one in told if one["account"] == truth["accounts"]["main"]]
    named = [one for one in main if one["name"] == "ci-deploy"]
    assert len(named) == 1
    assert set(named[0]["keys"]) == {
        one["key"] for one in truth["q3"]["credentials"] if one["kind"] == "access_key"
    }
    with pytest.raises(UnknownName):
        principals(log, "999999999999")


def test_a_real_user_on_either_database(real_logs: Path, database_url: str) -> None:
    """The same set as a plain reading of the recorded files finds."""
    folder = real_logs / "invictus-ir_aws_dataset" / "CloudTrail"
    records = [
        record
        for file in folder.rglob("*.json.gz")
        for record in orjson.loads(gzip.decompress(file.read_bytes()))["Records"]
    ]
    log = Log(open_engine(database_url, create=True))
    import_paths(log, [folder])
    Runner(log, [HISTORY, SESSIONS]).catch_up()
    told = {one["eventID"] for one in everything(log, "bert-jan", limit=1_000)}
    assert told == plainly("bert-jan", records)
    assert len(told) == 2_689  # 2,642 that name him, 47 by the roles he assumed
    newest = everything(log, "bert-jan", limit=333, order="newest")
    assert {one["eventID"] for one in newest} == told
    log.engine.dispose()


def plainly(user: str, records: list[dict[str, Any]]) -> set[str]:
    keys: set[str] = set()
    theirs: dict[str, dict[str, Any]] = {}
    while True:
        before = len(theirs)
        for record in records:
            who = record["userIdentity"]
            if who.get("userName") == user or who.get("accessKeyId") in keys:
                theirs[record["eventID"]] = record
                response = record.get("responseElements") or {}
                if record["eventSource"] == "sts.amazonaws.com" and response.get("credentials"):
                    keys.add(response["credentials"]["accessKeyId"])
        if len(theirs) == before:
            return set(theirs)
