"""The questions about the account, its keys and its people: shapes for programs, tables for people."""

import csv
import io
from pathlib import Path

import orjson
import pytest

from tests.api.conftest import Command

MAIN = "210987654321"
KEY = "AKIATCH6YDSY5EZ6PFWP"
DAY = ("--from", "2026-03-17T00:00:00Z", "--to", "2026-03-17T23:59:59Z")


def test_the_state_has_the_members_of_authorization_details(ask: Command) -> None:
    told = ask("state", "--at", "2026-03-17T12:00", "--account", MAIN, "--format", "json").json
    assert told["account"] == MAIN
    assert {"users", "groups", "roles", "policies"} <= told.keys()
    user = next(one for one in told["users"] if one["UserName"] == "ci-deploy")
    assert {"UserName", "UserId", "Arn"} <= user.keys()


def test_one_entity_of_the_state(ask: Command) -> None:
    words = ("state", "user", "ci-deploy", "--account", MAIN, "--at", "2026-03-17T12:00")
    assert ask(*words, "--format", "json").json["UserName"] == "ci-deploy"
    assert "ci-deploy" in ask(*words).text


def test_a_difference_says_what_and_which_entry(ask: Command) -> None:
    found = ask("diff", "--account", MAIN, *DAY, "--format", "json").json
    assert found
    for one in found:
        assert {"kind", "name", "change", "before", "after", "entry"} <= one.keys()
        assert one["change"] in ("created", "changed", "deleted")
        assert (one["before"] is None, one["after"] is None) == (
            one["change"] == "created",
            one["change"] == "deleted",
        )
        if one["entry"] is not None:
            assert {"position", "eventID", "eventName", "actor"} <= one["entry"].keys()
    created = {one["name"] for one in found if (one["kind"], one["change"]) == ("user", "created")}
    assert "svc-datasync" in created


def test_nothing_differs_from_itself(ask: Command) -> None:
    at = ("--from", "2026-03-17T12:00", "--to", "2026-03-17T12:00")
    assert ask("diff", "--account", MAIN, *at, "--format", "json").json == []
    assert ask("diff", "--account", MAIN, *at).text.strip() == "nothing differs"


def test_a_history_is_every_version(ask: Command) -> None:
    (told,) = ask("history", "user", "svc-datasync", "--account", MAIN, "--format", "json").json
    assert told["versions"][0]["change"] == "created"
    assert [one["since"] for one in told["versions"]] == sorted(one["since"] for one in told["versions"])


def test_a_key_is_told_whole(ask: Command) -> None:
    told = ask("key", KEY, "--since", "2026-03-17T13:00", "--format", "json").json
    assert told["accessKey"] == KEY
    assert told["owner"]["name"] == "ci-deploy"
    assert told["status"] == "Inactive"
    assert {one["address"] for one in told["addresses"] if one["new"]} == {"203.0.113.66"}


def test_a_lineage_tells_what_is_left(ask: Command) -> None:
    told = ask("lineage", "ci-deploy", "--from", "2026-03-17T13:00", "--format", "json").json
    assert {"root", "made", "changed"} <= told.keys()
    assert "svc-datasync" in {one["name"] for one in told["made"]}


def test_findings_of_one_kind(ask: Command) -> None:
    found = ask("findings", "--format", "json").json
    assert found
    kind = found[0]["kind"]
    only = ask("findings", kind, "--format", "json").json
    assert only == [one for one in found if one["kind"] == kind]


def test_principals_and_accounts(ask: Command) -> None:
    people = ask("principals", "--format", "json").json
    assert {"ci-deploy", "svc-datasync", "nadia.petrov"} <= {one["name"] for one in people}
    accounts = ask("accounts", "--format", "json").json
    assert [one["account"] for one in accounts] == [MAIN, "210987654399"]


@pytest.mark.parametrize(
    "words",
    [
        ("state", "--account", MAIN, "--at", "2026-03-17T12:00"),
        ("diff", "--account", MAIN, *DAY),
        ("history", "user", "svc-datasync", "--account", MAIN),
        ("key", KEY),
        ("lineage", "ci-deploy"),
        ("findings",),
        ("principals",),
        ("accounts",),
        ("activity", "ci-deploy"),
    ],
    ids=lambda words: words[0],
)
def test_every_answer_can_be_read_in_a_hundred_columns(ask: Command, words: tuple[str, ...]) -> None:
    told = ask(*words)
    assert told.code == 0, told.err
    assert told.text.strip()
    assert max(map(len, told.text.splitlines())) <= 100


@pytest.mark.parametrize(
    "words", [("principals",), ("accounts",), ("findings",), ("diff", "--account", MAIN, *DAY)]
)
def test_ndjson_is_the_list_a_line_each(ask: Command, words: tuple[str, ...]) -> None:
    assert ask(*words, "--format", "ndjson").lines == ask(*words, "--format", "json").json


def test_a_rebuild_changes_no_answer(
    command: Command, ask: Command, incident_ledger: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite"
    for part in ("", "-wal"):
        source = incident_ledger.with_name(incident_ledger.name + part)
        if source.exists():
            copy.with_name(copy.name + part).write_bytes(source.read_bytes())
    words = ("diff", "--account", MAIN, *DAY, "--format", "json")
    before = command("--db", copy, *words).out
    assert command("--db", copy, "rebuild").code == 0
    assert command("--db", copy, *words).out == before


# export


def test_an_export_of_lines_is_what_events_prints(ask: Command, tmp_path: Path) -> None:
    to = tmp_path / "denied.ndjson"
    assert ask("export", "--denied", "--format", "ndjson", "--to", to).code == 0
    lines = [orjson.loads(line) for line in to.read_bytes().splitlines()]
    assert lines == ask("events", "--denied", "--oldest", "--all", "--format", "ndjson").lines
    manifest = orjson.loads(to.with_name("denied.ndjson.manifest.json").read_bytes())
    assert manifest["entries"] == len(lines)
    assert manifest["question"] == {"denied": True}


def test_an_export_to_standard_output(ask: Command) -> None:
    told = ask("export", "--service", "iam", "--until", "2026-03-17T13:00", "--format", "csv", "--to", "-")
    assert told.code == 0
    rows = list(csv.DictReader(io.StringIO(told.text)))
    assert rows
    assert all(row["action"].startswith("iam:") and row["time"] < "2026-03-17T13" for row in rows)


def test_an_export_of_one_principals_activity(ask: Command, tmp_path: Path) -> None:
    to = tmp_path / "activity.ndjson"
    assert ask("export", "--principal-activity", "ci-deploy", "--format", "ndjson", "--to", to).code == 0
    lines = [orjson.loads(line)["eventID"] for line in to.read_bytes().splitlines()]
    told = ask("activity", "ci-deploy", "--all", "--format", "ndjson").lines
    assert lines == [line["eventID"] for line in told]


def test_an_export_as_cloudtrail_files_can_be_imported(
    command: Command, ask: Command, tmp_path: Path
) -> None:
    to, copy = tmp_path / "logs", tmp_path / "copy.db"
    assert ask("export", "--principal", "ci-deploy", "--format", "cloudtrail", "--to", to).code == 0
    assert command("--db", copy, "import", to / "AWSLogs").code == 0
    words = ("events", "--principal", "ci-deploy", "--all", "--oldest", "--format", "ndjson")
    there, here = command("--db", copy, *words).lines, ask(*words).lines
    assert sorted(line["eventID"] for line in there) == sorted(line["eventID"] for line in here)


def test_nothing_is_overwritten_unasked(ask: Command, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    to.write_text("mine")
    refused = ask("export", "--denied", "--format", "csv", "--to", to)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert to.read_text() == "mine"
    assert ask("export", "--denied", "--format", "csv", "--to", to, "--overwrite").code == 0


def test_a_policy_of_aws_is_told_as_it_was_in_force(ask: Command) -> None:
    """Its text is in no record: it ships with the product, each version with its date."""
    words = (
        "state",
        "policy",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "--account",
        MAIN,
        "--format",
        "json",
    )
    then = ask(*words, "--at", "2023-07-10").json
    later = ask(*words, "--at", "2025-07-10").json
    assert (then["DefaultVersionId"], then["PolicyVersionList"][0]["CreateDate"]) == (
        "v102",
        "2023-06-15T23:41:22Z",
    )
    assert later["DefaultVersionId"] != then["DefaultVersionId"]
    assert then["PolicyVersionList"][0]["Document"]["Statement"]
