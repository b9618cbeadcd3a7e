"""The questions that responders ask, each through the command that answers it, held to the truth of the incident.

The numbers are those of `docs/investigations.md`; its own commands and what it shows of their output are held here
too. The finer points of findings, keys and activities have their own modules; here each question is asked once,
by the door that a responder uses.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import orjson
import pytest

from api.demo.incident import Incident
from tests.api.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "investigations.md"
README = ROOT / "README.md"

EVERY = ("--oldest", "--all", "--format", "ndjson")
SINCE = ("--from", "2026-03-17T13:00")
HOURS = ("--from", "2026-03-17T13:00", "--to", "2026-03-17T17:00")
WINDOW = ("--from", "2026-03-17T13:00:00Z", "--to", "2026-03-17T16:30:01Z")  # the truth counts 16:30:00 in

Truth = dict[str, Any]


@pytest.fixture(scope="module")
def truth(incident: Incident) -> Truth:
    found: Truth = orjson.loads(incident.ground_truth.read_bytes())
    return found


# -- who did what -----------------------------------------------------------------------------------------------


def test_01_whose_a_key_is_and_what_became_of_it(ask: Command, truth: Truth) -> None:
    for key in truth["q1"]:
        told = ask("key", key["key"], "--format", "json").json
        made = told["createdBy"]
        changes = [one for one in told["statusHistory"] if "assumed" not in one and one["entry"] != made]
        assert told["owner"]["name"] == key["owner"]
        assert event_id(made) == (key["created"] or {"event_id": None})["event_id"]
        assert [(one["status"], one["entry"]["eventID"], one["entry"]["actor"]) for one in changes] == [
            (one["status"], one["event_id"], one["by"]) for one in key["changes"]
        ]
        assert (told["firstUsed"], told["lastUsed"]) == (key["first_use"]["at"], key["last_use"]["at"])


def test_02_everything_that_a_key_did(ask: Command, truth: Truth) -> None:
    told = ask("events", "--access-key", truth["q2"]["key"], *WINDOW, *EVERY).lines
    assert ids(told) == set(truth["q2"]["events"])
    assert [one["time"] for one in told] == sorted(one["time"] for one in told)


def test_03_everything_that_a_user_did_over_all_credentials(ask: Command, truth: Truth) -> None:
    assert ids(ask("activity", truth["q3"]["user"], *WINDOW, *EVERY).lines) == set(truth["q3"]["events"])


def test_04_where_a_key_was_used_from_and_what_is_new(ask: Command, truth: Truth) -> None:
    asked = truth["q4"]
    told = ask("key", asked["key"], "--since", asked["leaked_at"], "--format", "json").json
    by_address_and_agent = {(one["address"], one["agent"]): one for one in told["origins"]}
    assert by_address_and_agent == {(one["address"], one["agent"]): one for one in asked["rows"]}


def test_05_everything_that_came_from_an_address(ask: Command, truth: Truth) -> None:
    told = ask("events", "--source-ip", truth["q5"]["address"], *EVERY).lines
    assert ids(told) == set(truth["q5"]["events"])
    # The other account's record of a call from here names its caller by unique id alone.
    named = {one["actor"] for one in told if one["actor"].startswith("arn:")}
    assert named == set(truth["q5"]["principals"])


def test_12_which_human_is_behind_a_session(ask: Command, truth: Truth) -> None:
    for session in truth["q12"]:
        chain = event_of(ask, session["hops"][-1]["key"])["who"]["chain"]
        if not session["provable"]:  # it was opened while nothing was logged
            assert [one["assumed"] for one in chain] == [["no record shows who opened this session"]]
            continue
        hops = list(reversed(session["hops"]))
        assert [one["credential"] for one in chain] == [hop["key"] for hop in hops]
        for one, hop in zip(chain, hops, strict=True):
            if hop["kind"] == "outsider":  # AWS tells of another account's caller no more than their id
                assert one["openedBy"] is None
                continue
            assert (one["session"] or one["principal"], bool(one["mfa"])) == (hop["arn"], hop["mfa"])
            if hop["kind"] == "console":  # the truth names the sign-in; the token's record names the key
                assert one["openedBy"]["eventName"] == "GetSigninToken"
            elif one["openedBy"] is not None:
                assert one["openedBy"]["eventID"] == hop["made_by"]


# -- what is left of it -----------------------------------------------------------------------------------------


def test_14_what_a_principal_made_to_come_back_by(ask: Command, truth: Truth) -> None:
    told = ask("lineage", truth["q14"]["user"], *SINCE, "--format", "json").json
    made = {one["entry"]["eventID"] for one in told["made"]}
    device = set(
        truth["q22"]["by_intruders"]
    )  # made by one call, given to the user by the next: we tell both
    assert made == {one["event_id"] for one in truth["q14"]["made"]} | device


def test_15_what_of_it_still_exists_and_what_made_an_end_of_the_rest(ask: Command, truth: Truth) -> None:
    told = ask("lineage", truth["q14"]["user"], *SINCE, "--format", "json").json
    ends: dict[str, set[str | None]] = {}
    for one in flat(told["made"]):
        ends.setdefault(one["entry"]["eventID"], set()).add(event_id(one["endedBy"]))
    device = set(truth["q22"]["by_intruders"])
    removed = {"boundary_removal", "mfa_removal"}  # nothing was made: they stand under `changed`
    expected = [one for one in truth["q15"]["left"] + truth["q15"]["ended"] if one["event_id"] not in device]
    for one in expected:
        if one["kind"] not in removed:
            assert one["ended_by"] in ends[one["event_id"]], one
    left = {made for made, ended in ends.items() if None in ended}
    assert left - device == {
        one["event_id"] for one in expected if one["ended_by"] is None and one["kind"] not in removed
    }
    assert left & device, "the device is still with the user"
    (machine,) = (
        one for one in flat(told["made"]) if one["kind"] == "workload"
    )  # the truth tells of IAM alone
    assert event_id(machine["endedBy"]) is not None
    made = ends.keys() - device - {machine["entry"]["eventID"]}
    assert made == {one["event_id"] for one in expected if one["kind"] not in removed}
    assert {one["event_id"] for one in expected if one["kind"] in removed} <= {
        one["entry"]["eventID"] for one in told["changed"]
    }


@pytest.mark.parametrize("name", ["svc-datasync", "tmp-migrate", "LarkspurVendorSupport"])
def test_15_what_that_did_since(ask: Command, truth: Truth, name: str) -> None:
    done = ids(ask("activity", name, *EVERY).lines)
    signed_in = set(truth["q20"]["without_mfa"])  # the truth tells of calls, the activity of sign-ins too
    assert done - signed_in == set(truth["q15"]["done_since"][name])


# -- how they came in, and came back ----------------------------------------------------------------------------


def test_16_keys_made_for_another(ask: Command, truth: Truth) -> None:
    assert begun(ask, "key-created-for-another") == {one["event_id"] for one in truth["q16"]}


def test_17_keys_made_for_oneself_and_used(ask: Command, truth: Truth) -> None:
    assert [entries_of(one) for one in findings(ask, "key-created-for-oneself")] == [
        [one["event_id"], one["first_use"]["event_id"]] for one in truth["q17"]
    ]


def test_18_passwords_set_for_another(ask: Command, truth: Truth) -> None:
    assert begun(ask, "password-set-for-another") == {one["event_id"] for one in truth["q18"]}


def test_19_what_was_done_as_root(ask: Command, truth: Truth) -> None:
    for account, root in truth["q19"].items():
        used = findings(ask, "root-used", "--account", account)
        assert {name for one in used for name in entries_of(one)} == set(root["events"])
        by_aws = [one for one in used if one["severity"] == "info"]
        assert {name for one in by_aws for name in entries_of(one)} == set(root["by_aws"])


def test_19_how_root_signed_in(ask: Command, truth: Truth) -> None:
    for account, root in truth["q19"].items():
        told: dict[tuple[bool, bool], set[str]] = {}
        for one in findings(ask, "root-signed-in", "--account", account):
            kind = one["detail"]["succeeded"], one["detail"]["mfaUsed"]
            told.setdefault(kind, set()).update(entries_of(one))
        assert told.get((True, True), set()) == set(root["signed_in_with_mfa"])
        assert told.get((True, False), set()) == set(root["signed_in_without_mfa"])
        assert told.get((False, False), set()) == set(root["failed"])


def test_19_whether_root_ever_had_a_key(ask: Command, truth: Truth) -> None:
    had = {account: root["access_key"] for account, root in truth["q19"].items() if root.get("access_key")}
    told = {one["account"]: one["detail"] for one in findings(ask, "root-has-key")}
    assert {account: key_of_root(detail) for account, detail in told.items()} == {
        account: (key["key"], key["created"]["event_id"], key["deleted"]["event_id"], set(key["used"]))
        for account, key in had.items()
    }


def test_20_sign_ins_without_mfa(ask: Command, truth: Truth) -> None:
    assert begun(ask, "sign-in-without-mfa") == set(truth["q20"]["without_mfa"])


def test_20_failed_sign_ins_by_address(ask: Command, truth: Truth) -> None:
    told = {one["subject"]: entries_of(one) for one in findings(ask, "sign-ins-failed")}
    assert {address: set(names) for address, names in told.items()} == {
        address: set(names) for address, names in truth["q20"]["failed_by_address"].items()
    }


def test_20_password_spraying(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "password-spraying")
    assert {name: told["detail"][name] for name in truth["q20"]["spraying"]} == truth["q20"]["spraying"]


def test_21_mfa_taken_away_and_sign_ins_without_it(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "mfa-removed")
    detail, removed = told["detail"], truth["q21"]
    later = [one for one in removed["sign_ins"] if one["at"] > removed["deactivated"]["at"]]
    assert (detail["user"], detail["serialNumber"], detail["by"]) == (
        removed["user"],
        removed["serial"],
        removed["by"],
    )
    assert (detail["deactivated"]["eventID"], detail["deleted"]["eventID"]) == (
        removed["deactivated"]["event_id"],
        removed["deleted"]["event_id"],
    )
    assert [(one["eventID"], one["mfaUsed"]) for one in detail["signIns"]] == [
        (one["event_id"], one["mfa_used"] == "Yes") for one in later
    ]
    assert (detail["hadMfaBefore"], detail["signIns"][0]["hadMfa"], detail["signIns"][-1]["hadMfa"]) == (
        tuple(removed["had_mfa_at"].values())
    )


def test_22_new_mfa_devices(ask: Command, truth: Truth) -> None:
    told = findings(ask, "mfa-added", "--account", truth["accounts"]["main"])
    assert {name for one in told for name in entries_of(one)} == set(truth["q22"]["all"])


def test_22_what_the_new_device_opened(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "new-mfa-used")
    assert told["subject"] == truth["q22"]["serial"]
    assert [one["eventID"] for one in told["detail"]["usedIn"]] == [
        one["event_id"] for one in truth["q22"]["used_in"]
    ]


# -- power ------------------------------------------------------------------------------------------------------


def test_08_which_statement_of_which_version_allowed_a_call(ask: Command) -> None:
    """The intruder's own version of the deployment's policy, and before it what the company had written."""
    for at, expected in (
        ("2026-03-17T13:27:30Z", [("LarkspurDeploy", "v8", 0, "Temp", "Allow")]),
        ("2026-03-17T13:26:48Z", [("LarkspurDeploy", "v7", 7, "KeepOwnPolicy", "Allow")]),
    ):
        told = blamed(ask, principal="ci-deploy", at=at)
        assert told["decision"] == "allowed"
        assert told["agreement"] == "agrees"
        assert told["inferred"] is True
        assert told["unknown"] == []
        assert statements(told) == expected


def test_09_who_put_a_statement_there_and_why_they_could(ask: Command, truth: Truth) -> None:
    """From the planted user's key back to the policy that could write its own next version."""
    planted = next(one for one in truth["q1"] if one["owner"] == "svc-datasync" and one["created"])
    told = ask("blame", planted["created"]["event_id"], "--recursive", "--format", "json").json
    assert statements(told) == [("AdministratorAccess", "v1", 0, None, "Allow")]
    session, key = told["credential"]
    assert session["openedBy"]["actor"].endswith("user/ci-deploy")
    assert key["credential"] == "AKIATCH6YDSY5EZ6PFWP"

    opening = session["because"]
    assert [name for name, *_ in statements(opening)] == ["LarkspurDeploy", "trust"]
    written = next(one for one in opening["statements"][0]["grants"] if one["kind"] == "policyVersion")
    assert (written["eventName"], written["eventTime"], written["sourceIP"]) == (
        "CreatePolicyVersion",
        "2026-03-17T13:26:48Z",
        "203.0.113.66",
    )
    assert statements(written["because"]) == [("LarkspurDeploy", "v7", 7, "KeepOwnPolicy", "Allow")]
    beginning = written["because"]["statements"][0]["grants"]
    assert {one["eventName"] for one in beginning} == {"ImportAccountSnapshot"}


def test_26_what_was_refused_first_and_what_then_allowed_it(ask: Command) -> None:
    lines = ask(
        "decisions", "--principal", "ci-deploy", "--action", "iam:ListUsers", "--format", "ndjson"
    ).lines
    assert [(one["outcome"], one["decision"], one["agreement"]) for one in lines] == [
        ("denied", "implicitDeny", "agrees"),
        ("succeeded", "allowed", "agrees"),
        ("denied", "explicitDeny", "agrees"),
        ("succeeded", "allowed", "agrees"),
    ]
    assert lines[0]["missing"] == ["identity"]
    deciding = [{(it["policy"], it["effect"]) for it in one["statements"]} for one in lines]
    assert deciding == [
        set(),
        {("LarkspurDeploy", "Allow")},
        {("AWSCompromisedKeyQuarantineV3", "Deny"), ("LarkspurDeploy", "Allow")},
        {("LarkspurDeploy", "Allow")},
    ]


def test_27_why_a_call_was_denied(ask: Command) -> None:
    denied = ask("decisions", "--denied", "--account", "210987654321", *EVERY[1:]).lines
    assert denied
    assert {one["agreement"] for one in denied} == {"agrees", "eventualConsistency"}
    deploying = [
        one for one in denied if one["resource"] == "arn:aws:s3:::larkspur-tfstate/network/terraform.tfstate"
    ]
    quarantined, revoked = deploying[:-1], deploying[-1]
    for one in quarantined:
        assert {it["policy"] for it in one["statements"] if it["effect"] == "Deny"} == {
            "AWSCompromisedKeyQuarantineV3"
        }
    assert {it["policy"] for it in revoked["statements"] if it["effect"] == "Deny"} == {"RevokeOlderSessions"}
    without_mfa = [one for one in denied if one["resource"].endswith("role/LarkspurBreakGlass")]
    assert [one["missing"] for one in without_mfa] == [["trust"], ["trust"]]


def test_23_trust_policies_that_let_more_in(ask: Command, truth: Truth) -> None:
    """What deployed a role for a service, and what narrowed a trust again, is no widening."""
    widened = {one["event_id"]: one["role"] for one in truth["q23"] if one["side"] == "attack"}
    told = findings(ask, "trust-widened")
    assert {entries_of(one)[0]: one["subject"] for one in told} == widened


def test_24_boundaries_removed(ask: Command, truth: Truth) -> None:
    told = findings(ask, "boundary-removed")
    assert [(*entries_of(one), one["subject"], one["detail"]["was"]) for one in told] == [
        (one["event_id"], one["for"], one["was"]) for one in truth["q24"]
    ]


def test_26_refused_first_and_allowed_later(ask: Command, truth: Truth) -> None:
    for turn in truth["q26"]:
        asked = ask("events", "--principal", "ci-deploy", "--action", turn["action"], *EVERY).lines
        outcomes = {one["eventID"]: one["outcome"] for one in asked}
        assert (outcomes[turn["refused"]], outcomes[turn["granted"]]) == ("denied", "succeeded")


def test_26_what_changed_in_between(ask: Command, truth: Truth) -> None:
    (event,) = {turn["changed_by"] for turn in truth["q26"]}
    (changed,) = ask("event", event, "--format", "json").json["changed"]
    assert (changed["kind"], changed["name"]) == ("policy", "LarkspurDeploy")
    assert changed["before"]["DefaultVersionId"] != changed["after"]["DefaultVersionId"]


def test_28_principals_guessed_by_malformed_trust_policies(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "principals-guessed")
    assert (told["subject"], set(entries_of(told))) == (truth["q28"]["role"], set(truth["q28"]["events"]))
    assert set(told["detail"]["guessed"]) == set(truth["q28"]["guessed"])


def test_29_sessions_that_a_user_opened_and_what_came_of_them(ask: Command, truth: Truth) -> None:
    told = {one["subject"]: one["detail"] for one in findings(ask, "session-opened-by-user")}
    assert told.keys() == {one["key"] for one in truth["q29"]}
    for session in truth["q29"]:
        detail = told[session["key"]]
        assert detail["byKey"] == session["by_key"]
        assert detail["keyEnded"]["eventID"] == session["key_closed"]["event_id"]
        assert ids(detail["events"]) == set(session["events_with_all_that_came_of_it"])
        assert ids(detail["afterKeyEnded"]) == set(session["after_the_key_was_closed"])


def test_30_keys_used_from_several_addresses(ask: Command, truth: Truth) -> None:
    told = {
        key["accessKey"]: sorted(one["address"] for one in key["addresses"])
        for one in findings(ask, "key-from-several-addresses")
        for key in one["detail"]["keys"]
    }
    assert told == truth["q30"]["keys_from_several_addresses"]


def test_30_instance_credentials_used_elsewhere(ask: Command, truth: Truth) -> None:
    told = findings(ask, "instance-credential-outside")
    assert {one["subject"]: set(entries_of(one)) for one in told} == {
        one["key"]: set(one["events"]) for one in truth["q30"]["instance_credentials_outside"]
    }


def test_31_a_services_role_taken_by_a_person(ask: Command, truth: Truth) -> None:
    told = findings(ask, "service-role-taken")
    assert [(one["subject"], *entries_of(one)) for one in told] == [
        (one["role"], one["service"]["event_id"], one["person"]["event_id"]) for one in truth["q31"]
    ]


def test_32_who_put_which_role_into_which_profile(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "role-put-into-profile")
    asked = truth["q32"]
    assert entries_of(told) == [asked["put_there"]["event_id"], asked["run"]["event_id"]]
    assert told["detail"] | {"behind": None} == {
        "by": asked["by"],
        "behind": None,
        "profile": asked["profile"],
        "role": asked["role"],
        "instances": [asked["instance"]],
    }


# -- watched and unwatched --------------------------------------------------------------------------------------


def test_33_users_made_outside_the_usual_path(ask: Command, truth: Truth) -> None:
    assert begun(ask, "user-created-unusually") == {
        one["event_id"] for one in truth["q33"]["created"] if not one["usual_path"]
    }


def test_33_users_that_did_not_live_long(ask: Command, truth: Truth) -> None:
    told = {one["subject"] for one in findings(ask, "user-short-lived")}
    assert told == set(truth["q33"]["short_lived"])


def test_34_the_quarantine_by_aws_and_who_lifted_it(ask: Command, truth: Truth) -> None:
    (told,) = findings(ask, "keys-quarantined")
    detail, asked = told["detail"], truth["q34"]
    assert (detail["user"], detail["policy"]) == (asked["user"], asked["policy"])
    assert entries_of(told) == [asked["attached"]["event_id"], asked["detached"]["event_id"]]
    assert detail["detachedBy"]["by"] == asked["detached"]["by"]
    key = next(one for one in detail["keys"] if one["accessKey"] == truth["q2"]["key"])
    assert (key["before"], key["after"]) == (asked["events_before"], asked["events_after"])
    assert ids(key["during"]) == set(asked["events_during"])
    assert ids(key["refusedDuring"]) == set(asked["refused_during"])


def test_35_who_changed_what_is_logged(ask: Command, truth: Truth) -> None:
    told = findings(ask, "trail-changed")
    assert {entries_of(one)[0]: one["detail"]["succeeded"] for one in told} == {
        one["event_id"]: not one["refused"] for one in truth["q35"]["events"]
    }


def test_35_from_when_to_when_was_what_not_logged(ask: Command, truth: Truth) -> None:
    gaps = {
        (one["detail"]["from"], one["detail"]["to"], one["account"]) for one in findings(ask, "logging-gap")
    }
    assert gaps == {(one["from"], one["to"], one["account"]) for one in truth["q35"]["gaps"]}


def test_36_roles_assumed_across_accounts(ask: Command, truth: Truth) -> None:
    told = findings(ask, "account-crossed")
    assert [(one["detail"]["role"], one["detail"]["events"]) for one in told] == [
        (one["role"], one["events"]) for one in truth["q36"]
    ]


def test_39_the_changes_of_iam_in_order_of_time(ask: Command, truth: Truth) -> None:
    """In those hours nobody but intruders and responders changed IAM, so the list is the truth itself."""
    told = ask("events", "--action", "iam:*", "--changing", "--succeeded", *HOURS, *EVERY).lines
    expected = [one for one in truth["q39"] if one["event"].startswith("iam:")]
    assert ids(told) == {one["event_id"] for one in expected}
    assert [one["time"] for one in told] == [one["at"] for one in expected]


def test_39_every_change_is_among_the_changing_calls(ask: Command, truth: Truth) -> None:
    """Without a service, the day's ordinary writes (objects, rows) stand between the changes of the incident."""
    told = ask("events", "--changing", "--succeeded", *HOURS, *EVERY).lines
    assert {one["event_id"] for one in truth["q39"]} <= ids(told)


def test_39_whether_deactivating_the_key_stopped_it(ask: Command, truth: Truth) -> None:
    late = {name for session in truth["q29"] for name in session["after_the_key_was_closed"]}
    (told,) = findings(ask, "key-outlived")
    assert told["subject"] == truth["q2"]["key"]
    assert set(entries_of(told)[1:]) == late


# -- the document -----------------------------------------------------------------------------------------------


def blamed(ask: Command, *, principal: str, at: str) -> Any:
    """The blame of the one call of a principal in a second."""
    asked = ("--principal", principal, "--from", at, "--to", at[:-1] + ".5Z")
    (found,) = ask("events", *asked, *EVERY).lines
    return ask("blame", found["eventID"], "--format", "json").json


def statements(told: Any) -> list[tuple[Any, ...]]:
    return [
        (one["policy"], one["version"], one["index"], one["sid"], one["effect"]) for one in told["statements"]
    ]


def test_40_what_a_stranger_can_check(command: Command, incident_ledger: Path, tmp_path: Path) -> None:
    """With the commands of the document, and the program that the bundle brings along."""
    ledger = tmp_path / "case.db"
    shutil.copyfile(incident_ledger, ledger)
    section = DOCUMENT.read_text().partition("\n### 40.")[2].partition("\n## ")[0]
    for words in re.findall(r"^    iam-ledger (.*)$", section, re.M):
        words, _, output = words.partition(" > ")
        ran = command(
            "--db", ledger, *shlex.split(words.replace("svc-datasync.zip", str(tmp_path / "b.zip")))
        )
        assert ran.code == 0, ran.err
        if output:
            (tmp_path / output).write_text(ran.text)
    key = (tmp_path / "published.key").read_text().strip()
    with ZipFile(tmp_path / "b.zip") as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}

    def looked_at(files: dict[str, bytes]) -> str:
        given = tmp_path / "given.zip"
        with ZipFile(given, "w") as bundle:
            for name, content in files.items():
                bundle.writestr(name, content)
        program = tmp_path / "verify_evidence.py"
        program.write_bytes(files["verify_evidence.py"])
        looks = [sys.executable, "-I", str(program), str(given), key]
        return subprocess.run(looks, capture_output=True, text=True, timeout=120).stdout

    (block,) = re.findall(r"^```console\n\$ python3 .*?\n(.*?)^```$", section, re.M | re.S)
    shows(block.splitlines(), looked_at(files))
    record = next(name for name in files if name.startswith("records/"))
    changed = {**files, record: files[record].replace(b"203.0.113.66", b"203.0.113.67")}
    assert changed[record] != files[record]
    assert looked_at(changed).endswith("NOT VERIFIED\n")
    left_out = {name: content for name, content in files.items() if name != record}
    assert looked_at(left_out).endswith("NOT VERIFIED\n")


class Shown(NamedTuple):
    """A command of the document, and what it shows of its output."""

    words: list[str]
    lines: list[str]


def shown() -> list[Shown]:
    blocks = re.findall(r"^```console\n\$ iam-ledger (.*?)\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    return [Shown(shlex.split(words), text.splitlines()) for words, text in blocks]


@pytest.mark.parametrize("block", shown(), ids=lambda block: " ".join(block.words))
def test_the_document_shows_what_the_command_prints(ask: Command, block: Shown) -> None:
    ran = ask(*block.words)
    assert ran.code == 0, ran.err
    shows(block.lines, ran.text)


def test_the_document_answers_every_question() -> None:
    asked = {int(number) for number in re.findall(r"^### (\d+)\.", DOCUMENT.read_text(), re.M)}
    assert asked == set(range(1, 41))


def test_the_readme_begins_with_what_the_demo_prints(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    screen = re.findall(r"^    (.*)$|^()$", README.read_text().partition("\nPoint it")[0], re.M)
    words, *lines = [line for line, _ in screen if line]
    assert words == "$ python3 dev.py demo"
    shows(lines, command("demo").text, gaps=True)


def everyday() -> list[str]:
    """The commands of the README that ask a ledger which is not named; where it begins an account, it asks nothing."""
    questions, _, rest = README.read_text().partition("\n## Be the IAM of your own services\n")
    text = questions + rest.partition("\n## ")[2]
    commands: list[str] = re.findall(r"^    iam-ledger ((?!--db)\S.*)$", text, re.M)
    return commands


@pytest.mark.parametrize("words", everyday())
def test_the_commands_of_the_readme_answer(ask: Command, words: str) -> None:
    ran = ask(*shlex.split(words))
    assert (ran.code, ran.err) == (0, "")
    assert ran.text.strip()


def shows(shown_lines: list[str], printed_text: str, *, gaps: bool = False) -> None:
    """Every line shown is printed, in order; lines are left out only where a `…` says so, or `gaps` may be."""
    printed = [spaced(line) for line in printed_text.splitlines()]
    place, anywhere = 0, gaps
    for line in map(spaced, shown_lines):
        if line == "…":
            anywhere = True
            continue
        places = range(place, len(printed)) if anywhere else range(place, place + 1)
        found = next((at for at in places if at < len(printed) and looks_like(line, printed[at])), None)
        assert found is not None, f"{line!r} is not printed here: {printed[place : place + 3]}"
        place, anywhere = found + 1, gaps
    assert anywhere or place == len(printed), f"not shown: {printed[place:][:3]}"


def spaced(line: str) -> str:
    """The line with each run of spaces as one, for columns may grow."""
    return " ".join(line.split())


def looks_like(shown_line: str, printed: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown_line.split("…"))), printed) is not None


# -- reading answers --------------------------------------------------------------------------------------------


def findings(ask: Command, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask("findings", *words, "--format", "json").json
    return sorted(found, key=lambda one: one["time"])


def entries_of(finding: dict[str, Any]) -> list[str]:
    return [entry["eventID"] for entry in finding["entries"]]


def begun(ask: Command, kind: str) -> set[str]:
    """The events with which the findings of a kind begin."""
    return {entries_of(one)[0] for one in findings(ask, kind)}


def key_of_root(detail: dict[str, Any]) -> tuple[str, str | None, str | None, set[str]]:
    return (
        detail["accessKey"],
        event_id(detail["created"]),
        event_id(detail["deleted"]),
        ids(detail["used"]),
    )


def event_of(ask: Command, key: str) -> dict[str, Any]:
    """The last event that was called with a key, whole."""
    (last,) = ask("events", "--access-key", key, "-n", "1", "--format", "ndjson").lines
    told: dict[str, Any] = ask("event", last["eventID"], "--format", "json").json
    return told


def event_id(entry: dict[str, Any] | None) -> str | None:
    return None if entry is None else str(entry["eventID"])


def ids(lines: list[dict[str, Any]]) -> set[str]:
    return {one["eventID"] for one in lines}


def flat(made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in made:
        yield one
        yield from flat(one["made"])
