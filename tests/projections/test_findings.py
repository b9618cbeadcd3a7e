"""What should be looked at: on the bundled incident every finding is the truth, no more and no less."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.demo.incident import Incident
from ledger.entry import Draft
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.record import parse_time, read_record
from projections.findings import KINDS, findings
from projections.findings.evidence import is_public
from projections.findings.roles import trusted
from projections.history import History
from projections.refolding import HISTORY
from projections.runner import Runner
from projections.sessions import SESSIONS, Sessions
from projections.vocabulary import BadFilter

Told = dict[str, Any]
Ask = Callable[..., list[Told]]


def asking(log: Log) -> Ask:
    Runner(log, [HISTORY, SESSIONS]).catch_up()

    def ask(kind: str | None = None, **bounds: Any) -> list[Told]:
        return findings(log, History(log), Sessions(log), kind=kind, **bounds)

    return ask


@pytest.fixture(scope="module")
def ask(incident_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    path = shutil.copy(incident_ledger, tmp_path_factory.mktemp("findings") / "ledger.sqlite")
    log = Log(open_engine(str(path)))
    yield asking(log)
    log.engine.dispose()


@pytest.fixture(scope="module")
def truth(incident: Incident) -> Told:
    return orjson.loads(incident.ground_truth.read_bytes())


def firsts(found: list[Told]) -> set[str]:
    """The entry each finding begins with."""
    return {one["entries"][0]["eventID"] for one in found}


def all_of(found: list[Told]) -> set[str]:
    return {entry["eventID"] for one in found for entry in one["entries"]}


def ids(entries: list[Told]) -> list[str]:
    return sorted(entry["eventID"] for entry in entries)


def test_question_16_keys_for_others(ask: Ask, truth: Told) -> None:
    found = ask("key-created-for-another")
    assert {(one["entries"][0]["eventID"], one["detail"]["by"], one["detail"]["user"]) for one in found} == {
        (one["event_id"], one["by"], one["for"]) for one in truth["q16"]
    }


def test_question_17_keys_for_oneself_that_were_used(ask: Ask, truth: Told) -> None:
    found = ask("key-created-for-oneself")
    assert {
        (one["entries"][0]["eventID"], one["detail"]["accessKey"], one["detail"]["firstUse"]["eventID"])
        for one in found
    } == {(one["event_id"], one["key"], one["first_use"]["event_id"]) for one in truth["q17"]}


def test_question_18_passwords_of_others(ask: Ask, truth: Told) -> None:
    found = ask("password-set-for-another")
    assert {(one["entries"][0]["eventID"], one["detail"]["by"], one["detail"]["user"]) for one in found} == {
        (one["event_id"], one["by"], one["for"]) for one in truth["q18"]
    }


def test_question_19_root(ask: Ask, truth: Told) -> None:
    for account, true in truth["q19"].items():
        used = ask("root-used", account=account)
        assert all_of(used) == set(true["events"])
        by_aws = [one for one in used if one["detail"]["credential"] == "AWS on root's behalf"]
        assert all_of(by_aws) == set(true["by_aws"])
        told: dict[str, list[Told]] = {"signed_in_with_mfa": [], "signed_in_without_mfa": [], "failed": []}
        for one in ask("root-signed-in", account=account):
            mfa = "signed_in_with_mfa" if one["detail"]["mfaUsed"] else "signed_in_without_mfa"
            told[mfa if one["detail"]["succeeded"] else "failed"].append(one)
        assert {name: all_of(found) for name, found in told.items()} == {
            name: set(true[name]) for name in told
        }


def test_question_19_roots_key(ask: Ask, truth: Told) -> None:
    (one,) = ask("root-has-key")
    true = truth["q19"][truth["accounts"]["other"]]["access_key"]
    assert one["detail"]["accessKey"] == true["key"]
    assert one["detail"]["created"]["eventID"] == true["created"]["event_id"]
    assert one["detail"]["deleted"]["eventID"] == true["deleted"]["event_id"]
    assert ids(one["detail"]["used"]) == sorted(true["used"])


def test_question_20_sign_ins(ask: Ask, truth: Told) -> None:
    true = truth["q20"]
    assert all_of(ask("sign-in-without-mfa")) == set(true["without_mfa"])
    by_address: dict[str, set[str]] = defaultdict(set)
    for one in ask("sign-ins-failed"):
        by_address[one["subject"]] |= all_of([one])
    assert by_address == {address: set(found) for address, found in true["failed_by_address"].items()}


def test_question_20_spraying(ask: Ask, truth: Told) -> None:
    (one,) = ask("password-spraying")
    true = truth["q20"]["spraying"]
    assert {name: one["detail"][name] for name in true} == true
    assert all_of([one]) == set(truth["q20"]["failed_by_address"][true["address"]])


def test_question_21_mfa_removed_and_signed_in_without(ask: Ask, truth: Told) -> None:
    true = truth["q21"]
    (one,) = ask("mfa-removed")
    told = one["detail"]
    assert (told["user"], told["serialNumber"], told["by"]) == (true["user"], true["serial"], true["by"])
    assert told["deactivated"]["eventID"] == true["deactivated"]["event_id"]
    assert told["deleted"]["eventID"] == true["deleted"]["event_id"]
    assert [(entry["eventID"], entry["mfaUsed"]) for entry in told["signIns"]] == [
        (sign_in["event_id"], sign_in["mfa_used"] == "Yes")
        for sign_in in true["sign_ins"]
        if sign_in["at"] > true["deactivated"]["at"]
    ]
    assert (told["hadMfaBefore"], told["hadMfaAfter"]) == (True, False)
    had = {entry["time"]: entry["hadMfa"] for entry in told["signIns"]}
    assert had["2026-03-17T14:05:40Z"] is true["had_mfa_at"]["2026-03-17T14:05:40Z"] is False
    assert had["2026-03-17T16:24:02Z"] is true["had_mfa_at"]["2026-03-17T16:30:00Z"] is True


def test_question_22_new_devices_and_their_use(ask: Ask, truth: Told) -> None:
    true = truth["q22"]
    added = ask("mfa-added", account=truth["accounts"]["main"])
    assert all_of(added) == set(true["all"])
    assert all_of([one for one in added if one["subject"] == true["serial"]]) == set(true["by_intruders"])
    (used,) = ask("new-mfa-used")
    assert used["subject"] == true["serial"]
    assert ids(used["entries"]) == sorted(one["event_id"] for one in true["used_in"])


def test_questions_23_and_24_trust_and_boundaries(ask: Ask, truth: Told) -> None:
    widened = ask("trust-widened")
    assert firsts(widened) == {one["event_id"] for one in truth["q23"] if one["side"] == "attack"}
    before = {one["subject"]: one["detail"]["before"] for one in widened}
    assert before["LarkspurInvoiceLambda"] == ["lambda.amazonaws.com"]
    (removed,) = ask("boundary-removed")
    (true,) = truth["q24"]
    assert (removed["entries"][0]["eventID"], removed["detail"]["was"]) == (true["event_id"], true["was"])


def test_question_28_principals_guessed(ask: Ask, truth: Told) -> None:
    (one,) = ask("principals-guessed")
    true = truth["q28"]
    assert one["subject"] == true["role"]
    assert ids(one["entries"]) == sorted(true["events"])
    assert one["detail"]["guessed"] == sorted(true["guessed"])


def test_question_29_sessions_that_outlive_the_key(ask: Ask, truth: Told) -> None:
    found = {one["subject"]: one for one in ask("session-opened-by-user")}
    assert found.keys() == {true["key"] for true in truth["q29"]}
    for true in truth["q29"]:
        told = found[true["key"]]["detail"]
        assert told["byKey"] == true["by_key"]
        assert told["keyEnded"]["eventID"] == true["key_closed"]["event_id"]
        assert told["ownCalls"] == len(true["own_events"])
        assert ids(told["events"]) == sorted(true["events_with_all_that_came_of_it"])
        assert ids(told["afterKeyEnded"]) == sorted(true["after_the_key_was_closed"])
    (outlived,) = ask("key-outlived")
    assert ids(outlived["entries"][1:]) == sorted(
        event for true in truth["q29"] for event in true["after_the_key_was_closed"]
    )


def test_question_30_several_addresses(ask: Ask, truth: Told) -> None:
    told = {
        key["accessKey"]: sorted(one["address"] for one in key["addresses"])
        for one in ask("key-from-several-addresses")
        for key in one["detail"]["keys"]
    }
    assert told == truth["q30"]["keys_from_several_addresses"]


def test_question_30_instance_credentials_outside(ask: Ask, truth: Told) -> None:
    assert {one["subject"]: ids(one["entries"]) for one in ask("instance-credential-outside")} == {
        true["key"]: sorted(true["events"]) for true in truth["q30"]["instance_credentials_outside"]
    }


def test_question_31_a_services_role_taken_by_a_person(ask: Ask, truth: Told) -> None:
    assert [
        (one["subject"], [entry["eventID"] for entry in one["entries"]]) for one in ask("service-role-taken")
    ] == [(true["role"], [true["service"]["event_id"], true["person"]["event_id"]]) for true in truth["q31"]]


def test_question_32_a_role_put_into_a_profile(ask: Ask, truth: Told) -> None:
    (one,) = ask("role-put-into-profile")
    true = truth["q32"]
    assert (one["detail"]["profile"], one["detail"]["role"]) == (true["profile"], true["role"])
    assert [entry["eventID"] for entry in one["entries"]] == [
        true["put_there"]["event_id"],
        true["run"]["event_id"],
    ]
    assert one["detail"]["instances"] == [true["instance"]]


def test_question_33_users_made_by_hand_and_short_lived(ask: Ask, truth: Told) -> None:
    by_hand = [true for true in truth["q33"]["created"] if not true["usual_path"]]
    found = {one["entries"][0]["eventID"]: one["detail"] for one in ask("user-created-unusually")}
    assert found.keys() == {true["event_id"] for true in by_hand}
    for true in by_hand:
        told = found[true["event_id"]]
        assert (told["user"], told["userId"], told["by"]) == (true["user"], true["user_id"], true["by"])
        assert (told["deleted"] or {}).get("eventID") == (true["deleted"] or {}).get("event_id")
        assert told["calls"] == true["events"]
    assert [one["subject"] for one in ask("user-short-lived")] == truth["q33"]["short_lived"]


def test_question_34_the_quarantine(ask: Ask, truth: Told) -> None:
    true = truth["q34"]
    (one,) = ask("keys-quarantined")
    told = one["detail"]
    assert (told["user"], told["policy"]) == (true["user"], true["policy"])
    assert told["attached"]["eventID"] == true["attached"]["event_id"]
    assert (told["detached"]["eventID"], told["detachedBy"]["by"]) == (
        true["detached"]["event_id"],
        true["detached"]["by"],
    )
    (key,) = [key for key in told["keys"] if key["accessKey"] == truth["q2"]["key"]]
    assert (key["before"], key["after"]) == (true["events_before"], true["events_after"])
    assert ids(key["during"]) == sorted(true["events_during"])
    assert ids(key["refusedDuring"]) == sorted(true["refused_during"])


def test_question_35_the_trail_and_its_gaps(ask: Ask, truth: Told) -> None:
    true = truth["q35"]
    assert [(one["entries"][0]["eventID"], one["detail"]["succeeded"]) for one in ask("trail-changed")] == [
        (event["event_id"], not event["refused"]) for event in true["events"]
    ]
    gaps = ask("logging-gap")
    assert {(one["account"], one["detail"]["from"], one["detail"]["to"]) for one in gaps} == {
        (gap["account"], gap["from"], gap["to"]) for gap in true["gaps"]
    }
    told = {one["detail"]["what"]: one["detail"]["entriesMeanwhile"] for one in gaps}
    assert told["everything"] == 0
    assert told.keys() == {"everything", "regions other than us-east-1", "data events"}


def test_question_36_into_other_accounts(ask: Ask, truth: Told) -> None:
    found = ask("account-crossed")
    assert {one["detail"]["sharedEventID"]: (one["detail"]["events"], one["subject"]) for one in found} == {
        true["shared_event_id"]: (true["events"], true["role"]) for true in truth["q36"]
    }
    for one in found:
        (true,) = [x for x in truth["q36"] if x["shared_event_id"] == one["detail"]["sharedEventID"]]
        if true["owner"] != true["caller"].rpartition("/")[2] and true["owner"] in ("ci-deploy",):
            assert one["detail"]["behind"].endswith(f"user/{true['owner']}")


def test_every_finding_has_the_same_form_and_they_stand_in_order(ask: Ask) -> None:
    found = ask()
    assert {one["kind"] for one in found} <= KINDS.keys()
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    for one in found:
        assert list(one) == ["kind", "severity", "title", "account", "time", "subject", "detail", "entries"]
        assert one["severity"] in ("high", "medium", "low", "info")
        assert one["entries"]
        assert one["subject"]
    assert orjson.loads(orjson.dumps(found)) == found


def test_account_and_times_bound_where_findings_begin(ask: Ask, truth: Told) -> None:
    since, until = parse_time("2026-03-17T13:00:00Z"), parse_time("2026-03-17T14:00:00Z")
    everywhere = [one for one in ask("key-created-for-another") if "T13:" in one["time"]]
    assert ask("key-created-for-another", since=since, until=until) == everywhere
    assert len(everywhere) == 2
    other = truth["accounts"]["other"]
    assert {one["account"] for one in ask(account=other)} == {other}


def test_an_unknown_kind_is_refused_with_those_there_are(ask: Ask) -> None:
    with pytest.raises(BadFilter, match="root-used"):
        ask("no-such-kind")


def test_every_kind_names_its_question() -> None:
    assert all("Question" in (find.__doc__ or "") for find in KINDS.values())


def test_an_empty_ledger_has_none(sqlite_url: str) -> None:
    assert asking(Log(open_engine(sqlite_url, create=True)))() == []


def test_a_real_log_on_either_database(real_logs: Path, database_url: str) -> None:
    """Read by hand in the recorded files: 32 attacks run and cleaned up within 55 minutes."""
    log = Log(open_engine(database_url, create=True))
    import_paths(log, [real_logs / "invictus-ir_aws_dataset" / "CloudTrail"])
    ask = asking(log)
    assert firsts(ask("key-created-for-another")) == {
        "64b7de64-bf53-47ae-b7e3-d30cb1b5136e",
        "8c282c0b-00d1-4369-95b7-cb50b6eee620",
    }
    assert firsts(ask("password-set-for-another")) == {
        "f0d7bb15-75c8-4770-a500-92d1f71b948c",
        "1170c908-ce8d-4c6f-bc65-cf43aae5235b",
    }
    assert [one["subject"] for one in ask("user-created-unusually")] == ["malicious-iam-user"]
    assert {one["subject"]: one["detail"]["seconds"] for one in ask("user-short-lived")} == {
        "stratus-red-team-nmfalu-gfjyeaypjt": 329,
        "stratus-red-team-backdoor-u-user": 247,
        "malicious-iam-user": 215,
        "stratus-red-team-login-profile-user": 212,
    }
    assert firsts(ask("sign-in-without-mfa")) == {"70e5932e-9022-4b38-837e-ca10dad94eb7"}
    (trust,) = ask("trust-widened")
    assert trust["entries"][0]["eventID"] == "d96d75c7-e715-44ff-9735-9dc51afbd774"
    assert trust["detail"]["added"] == ["arn:aws:iam::193672423079:root"]
    assert trust["detail"]["before"] == ["ec2.amazonaws.com"]
    trails = ask("trail-changed")
    assert len(trails) == 15
    assert sum(one["detail"]["succeeded"] for one in trails) == 8
    assert len(ask("role-put-into-profile")) == 3
    quiet = ("root-used", "mfa-removed", "keys-quarantined", "account-crossed", "service-role-taken")
    assert not any(ask(kind) for kind in quiet)
    log.engine.dispose()


def test_whoever_does_it_to_themselves_does_it_to_nobody_else(sqlite_url: str) -> None:
    log = Log(open_engine(sqlite_url, create=True))
    log.append(
        [
            Draft.of(read_record(call("CreateAccessKey", "alice", {"userName": "Alice"}, key="AKIA1"))),
            Draft.of(read_record(call("CreateAccessKey", "alice", None, key="AKIA2"))),
            Draft.of(read_record(call("CreateAccessKey", "alice", {"userName": "bob"}, key="AKIA3"))),
            Draft.of(read_record(call("UpdateLoginProfile", "alice", {"userName": "alice"}))),
        ]
    )
    ask = asking(log)
    assert [one["subject"] for one in ask("key-created-for-another")] == ["bob/AKIA3"]
    assert ask("password-set-for-another") == []
    assert ask("key-created-for-oneself") == []  # none was used


def call(name: str, user: str, request: Told | None, key: str | None = None) -> Told:
    return {
        "eventVersion": "1.09",
        "eventTime": "2026-01-05T10:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.15",
        "requestParameters": request,
        "responseElements": key and {"accessKey": {"accessKeyId": key, "status": "Active", "userName": user}},
        "recipientAccountId": "111111111111",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper()}",
            "arn": f"arn:aws:iam::111111111111:user/{user}",
            "accountId": "111111111111",
            "userName": user,
            "accessKeyId": "AKIAALICE",
        },
    }


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ('{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}', {"*"}),
        ({"Statement": [{"Effect": "Deny", "Principal": "*"}]}, set()),
        (
            {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["1", "2"], "Service": "s"}}]},
            {"1", "2", "s"},
        ),
        ("no JSON", set()),
        (None, set()),
    ],
)
def test_whom_a_trust_policy_names(document: object, names: set[str]) -> None:
    assert trusted(document) == names


def test_private_addresses_and_services_are_no_public_ones() -> None:
    assert is_public("203.0.113.66")
    assert is_public("2001:db8::1")
    for address in ("10.0.0.1", "172.31.255.255", "fd00::1", "lambda.amazonaws.com", "", None):
        assert not is_public(address)


def test_what_stands_at_the_end_of_the_incident(ask: Ask, truth: Told) -> None:
    doors = ask("trust-open", until=parse_time("2026-03-17T14:00:00Z"))
    named = {opening["principal"] for one in doors for opening in one["detail"]["openTo"]}
    assert named == {"arn:aws:iam::998877665544:root"}
    assert firsts(doors) <= firsts(ask("trust-widened"))
    assert ask("key-unused") == ask("permissions-unused") == []  # one day tells nothing of ninety
    assert ask("log-silent") == []
    other = truth["accounts"]["other"]
    (root,) = ask("root-without-mfa", account=other, until=parse_time("2026-03-17T15:00:00Z"))
    assert all_of([root]) <= set(truth["q19"][other]["signed_in_without_mfa"])
    assert all(one["account"] != truth["accounts"]["main"] for one in ask("root-without-mfa"))
