"""The questions of what principals could do, asked of the bundled incident; the truth is what its script wrote.

The script (`api/demo`) holds the policies of the company and what was done to them; nothing here is read off answers.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.demo.company import ADMIN
from api.demo.company_policies import COMPANY_POLICIES, DEPLOY_VERSIONS, MANAGED_POLICIES
from api.demo.incident import Incident
from tests.api.conftest import Command, Ran

MAIN, OTHER, INTRUDERS = "210987654321", "210987654399", "998877665544"
LEAKED = "AKIATCH6YDSY5EZ6PFWP"
OF_MAIN = ("--account", MAIN)
JSON = ("--format", "json")


@pytest.fixture(scope="module")
def truth(incident: Incident) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(incident.ground_truth.read_bytes())
    return found


def user(name: str) -> str:
    return f"arn:aws:iam::{MAIN}:user/{name}"


def role(name: str, account: str = MAIN) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def words(statement: Any) -> str:
    """A statement by what it says, however it is written."""

    def listed(value: Any) -> Any:
        return value if isinstance(value, list) or value is None else [value]

    told = (listed(statement["Action"]), listed(statement["Resource"]), statement.get("Condition"))
    return orjson.dumps(told).decode()


def told_words(one: Any) -> str:
    return orjson.dumps((one["actions"], one["resources"], one["condition"])).decode()


def changes(ask: Command, second: str, *more: str) -> list[Any]:
    """What differs between a second of the day and the one before."""
    hours, minutes, seconds = map(int, second.split(":"))
    before = hours * 3600 + minutes * 60 + seconds - 1
    since = f"2026-03-17T{before // 3600:02}:{before // 60 % 60:02}:{before % 60:02}"
    times = ("--from", since, "--to", f"2026-03-17T{second}")
    found: list[Any] = ask("diff", "--permissions", *times, *OF_MAIN, *more, *JSON).json
    return found


# -- 6, 7


def test_06_everything_that_the_leaked_key_could_do(ask: Command, truth: dict[str, Any]) -> None:
    told = ask("access", LEAKED, "--at", truth["key_leaked_at"], *JSON).json
    assert told["principal"] == user("ci-deploy")
    lines = {told_words(one): one for one in told["permissions"]}
    assert lines.keys() == {words(one) for one in DEPLOY_VERSIONS["v7"]["Statement"]}
    for statement in DEPLOY_VERSIONS["v7"]["Statement"]:
        (source,) = lines[words(statement)]["statements"]
        assert (source["policy"], source["version"], source["sid"]) == (
            "LarkspurDeploy",
            "v7",
            statement["Sid"],
        )
        assert {grant["kind"] for grant in source["grants"]} >= {"membership", "attachment", "policyVersion"}
    risks = {one["statements"][0]["sid"]: one["risk"] for one in told["permissions"]}
    assert risks == {
        "KeepOwnPolicy": "escalates",
        "Deploy": "escalates",  # functions run as roles, and it may replace their code
        "State": "secrets",
        "Lock": "secrets",
        "PassFunctionRoles": "write",
        "ReadIdentities": "read",
        "ReadForPlan": "list",
        "Logs": "list",
    }
    assert {way["name"]: {short(one["arn"]) for one in way["targets"]} for way in told["escalations"]} == {
        "CreatePolicyVersion": {"LarkspurDeploy"},
        "UpdateFunctionCode": {"LarkspurInvoiceLambda", "LarkspurTrackingLambda", "LarkspurThumbnailer"},
    }


def test_06_what_a_boundary_keeps_from_it(ask: Command) -> None:
    told = ask("access", "svc-backup", "--at", "2026-03-17T13:00", *OF_MAIN, *JSON).json
    (line,) = told["permissions"]
    (allowed,) = COMPANY_POLICIES["LarkspurBackupBoundary"]["Statement"]
    assert (line["actions"], line["risk"]) == (["*"], "permissions")  # s3:PutBucketPolicy, backup:…
    assert line["withheld"].keys() == {"boundary"}
    assert line["boundedBy"][0]["policyArn"] == f"arn:aws:iam::{MAIN}:policy/LarkspurBackupBoundary"
    assert sum(line["knownActions"].values()) < 400 < line["withheld"]["boundary"]
    assert "ec2:CreateSnapshot" in allowed["Action"]


def test_07_which_roles_it_could_reach(ask: Command, truth: dict[str, Any]) -> None:
    assert ask("access", LEAKED, "--at", truth["key_leaked_at"], *JSON).json["roles"] == []
    told = ask("access", LEAKED, "--at", "2026-03-17T13:28", *JSON).json
    found = {one["role"]: one for one in told["roles"]}
    chain = [role("LarkspurBreakGlass"), role("LarkspurDataPipeline"), role("LarkspurBackupOperator", OTHER)]
    assert found.keys() >= set(chain)
    assert role("LarkspurOps") not in found  # of ec2 alone
    assert role("LarkspurAuditReader") not in found  # of the auditors' account alone
    last = found[chain[-1]]
    assert [(hop["from"], hop["to"]) for hop in last["hops"]] == list(
        zip([user("ci-deploy"), *chain[:-1]], chain, strict=True)
    )
    first, second, third = last["hops"]
    assert first["unknown"] == [{"kind": "conditionKey", "about": "aws:multifactorauthpresent"}]
    assert second["certain"]
    assert {one["kind"] for one in third["unknown"]} >= {"trustPolicy"}
    assert ({one["layer"] for one in second["statements"]}) == {"identity", "trust"}


# -- 10, 11, 13


def test_10_whether_it_really_raised_privileges(ask: Command, truth: dict[str, Any]) -> None:
    (made,) = [one for one in truth["q33"]["created"] if one["user"] == "svc-datasync"]
    (attached,) = changes(ask, made["at"][11:19])
    assert (attached["raised"], attached["risk"]) == ("yes", {"before": "nothing", "after": "administrator"})
    assert [one["entry"]["eventName"] for one in attached["gained"]] == ["AttachUserPolicy"]
    (joined,) = changes(ask, "13:47:40")  # an administrator joins the administrators
    assert (joined["principal"], joined["raised"]) == (user("svc-datasync"), "no")
    assert [one["effect"] for one in joined["lost"]] == ["Deny"]  # the group's guardrail


def test_11_what_the_new_default_version_changed_and_for_whom(ask: Command, truth: dict[str, Any]) -> None:
    found = changes(ask, "13:26:48")
    (event,) = {turn["changed_by"] for turn in truth["q26"]}
    assert {one["principal"] for one in found} == {user("ci-deploy"), user("ci-artifacts")}
    for one in found:
        assert (one["raised"], one["risk"]) == ("yes", {"before": "escalates", "after": "administrator"})
        (came,) = one["gained"]
        assert (came["actions"], came["resources"], came["entry"]["eventID"]) == (["*"], ["*"], event)
        gone = {told_words(shift): shift["matters"] for shift in one["lost"]}
        assert gone == dict.fromkeys(map(words, DEPLOY_VERSIONS["v7"]["Statement"]), "no")


def test_13_whether_chaining_raised_anything(ask: Command, truth: dict[str, Any]) -> None:
    chain = next(
        one for one in truth["q12"] if one["hops"][-1]["arn"].endswith("LarkspurBackupOperator/restore-test")
    )
    key = chain["hops"][-1]["key"]
    told = ask("access", key, "--chain", "--at", "2026-03-17T13:34:30", *JSON).json
    assert [one["credential"] for one in told] == [hop["key"] for hop in chain["hops"][1:]]
    # An administrator by then took an administrators' role, from there a lesser one, and then one that is not known.
    assert [one["raised"] for one in told] == ["no", "no", "perhaps"]
    assert [one["risk"]["after"] for one in told] == ["administrator", "permissions", None]


def test_13_one_beside_another(ask: Command) -> None:
    """Before the policy was rewritten, the break-glass role would have been a raise."""
    words = ("--against", "ci-deploy", "--at", "2026-03-17T13:07", *OF_MAIN)
    told = ask("access", "LarkspurBreakGlass", *words, *JSON).json
    assert (told["raised"], told["graver"]) == ("yes", True)


# -- 23, 24, 25, 32


def test_23_who_may_assume_the_role_that_could_not_before(ask: Command, truth: dict[str, Any]) -> None:
    expected = {
        "LarkspurThumbnailer": ["lambda.amazonaws.com"],
        "LarkspurVendorSupport": [f"arn:aws:iam::{INTRUDERS}:root"],
        "LarkspurAuditReader": [f"arn:aws:iam::{INTRUDERS}:root"],
        "LarkspurInvoiceLambda": [user("svc-datasync")],
    }
    for change in truth["q23"]:
        (told,) = [one for one in changes(ask, change["at"][11:19]) if one["kind"] == "trust"]
        assert (short(told["role"]), told["entry"]["eventID"]) == (short(change["role"]), change["event_id"])
        admitted, excluded = ([one["who"] for one in told[member]] for member in ("admits", "excludes"))
        if change["side"] == "response":
            assert admitted == []
        else:
            assert (admitted, excluded) == (expected[short(change["role"])], [])


def test_24_what_the_loss_of_the_boundary_allowed(ask: Command, truth: dict[str, Any]) -> None:
    (removed,) = truth["q24"]
    (told,) = changes(ask, removed["at"][11:19])
    boundary = told["boundary"]
    assert (told["principal"], boundary["change"], boundary["before"]) == (
        user(removed["for"]),
        "removed",
        removed["was"],
    )
    assert boundary["entry"]["eventID"] == removed["event_id"]
    assert (told["raised"], told["risk"]["after"]) == ("yes", "administrator")
    before = ask("access", "svc-backup", "--at", "2026-03-17T14:01:19", *OF_MAIN, *JSON).json["permissions"][
        0
    ]
    assert sum(boundary["gainedActions"]["surely"].values()) == before["withheld"]["boundary"]


def test_25_what_the_lost_denial_allowed_again(ask: Command, truth: dict[str, Any]) -> None:
    detached = truth["q34"]["detached"]
    (told,) = changes(ask, detached["at"][11:19])
    assert (told["principal"], told["raised"]) == (user("ci-deploy"), "yes")
    assert {(one["what"], one["entry"]["eventID"]) for one in told["gained"]} == {
        ("deny went", detached["event_id"])
    }
    assert {one["statements"][0]["policyArn"] for one in told["gained"]} == {truth["q34"]["policy"]}


def test_32_which_role_came_into_which_profile_and_what_it_is_worth(
    ask: Command, truth: dict[str, Any]
) -> None:
    put = truth["q32"]
    (told,) = changes(ask, put["put_there"]["at"][11:19])
    assert (told["profile"], short(told["role"]), told["entry"]["eventID"]) == (
        put["profile"],
        put["role"],
        put["put_there"]["event_id"],
    )
    assert told["entry"]["actor"] == put["by"]
    assert told["risk"] == "administrator"
    assert MANAGED_POLICIES[ADMIN.rsplit("/", 1)[-1]][2]["Statement"][0]["Action"] == "*"


# -- faces


def test_the_read_api_gives_the_same(http: TestClient, ask: Command) -> None:
    query = {"at": "2026-03-17T13:06", "account": MAIN}
    answer = http.get("/v1/access/ci-deploy", params=query)
    assert answer.status_code == 200
    assert answer.json() == ask("access", "ci-deploy", "--at", "2026-03-17T13:06", *OF_MAIN, *JSON).json
    assert http.get("/v1/access/nobody", params=query).status_code == 404
    assert http.get("/v1/access/ci-deploy", params={"when": "now"}).status_code == 422


def test_one_line_an_item(ask: Command) -> None:
    times = ("--from", "2026-03-17T13:54:19", "--to", "2026-03-17T13:54:20")
    lines = ask("diff", "--permissions", *times, *OF_MAIN, "--format", "ndjson").lines
    assert [one["kind"] for one in lines] == ["principal", "trust"]


def test_nothing_differs(ask: Command) -> None:
    times = ("--from", "2026-03-17T13:05", "--to", "2026-03-17T13:06")
    assert ask("diff", "--permissions", *times, *OF_MAIN).text == "no permission differs\n"


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        (("access", ""), 2, "principal: is empty"),
        (("access", "nobody", *OF_MAIN), 1, "no user and no role 'nobody'"),
        (("access", "ci-deploy"), 2, "several; say which"),
        (("access", "arn:aws:s3:::bucket"), 2, "is neither the ARN of an IAM or STS principal"),
        (("access", "ci-deploy", *OF_MAIN, "--at", "soon"), 2, "'soon' is not a time"),
        (("access", "ci-deploy", "--account", "me"), 2, "'me' is not an account id"),
        (
            ("access", "ci-deploy", *OF_MAIN, "--at", "2026-03-17T13:06", "--against", "nobody"),
            1,
            "no user and no role 'nobody'",
        ),
        (("access", "ci-deploy", "--chain"), 2, "--chain is of the key of a session"),
        (("access", "ASIA0000000000000000", "--chain"), 1, "no record shows the session"),
        (("access", "ASIA0000000000000000", "--chain", "--against", "ci-deploy"), 2, "leave out --against"),
        (
            ("diff", "--from", "2026-03-17", "--to", "2026-03-18", "--principal", "x"),
            2,
            "goes with --permissions",
        ),
        (
            ("diff", "--permissions", "--from", "2026-03-17", "--to", "2026-03-16", *OF_MAIN),
            2,
            "is after",
        ),
        (
            (
                "diff",
                "--permissions",
                "--from",
                "2026-03-17",
                "--to",
                "2026-03-18",
                "--principal",
                "nobody",
                *OF_MAIN,
            ),
            1,
            "no user and no role 'nobody'",
        ),
        (
            (
                "diff",
                "--permissions",
                "--from",
                "2026-03-17",
                "--to",
                "2026-03-18",
                "--principal",
                "root",
                *OF_MAIN,
            ),
            2,
            "root has no policies",
        ),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    ask: Command, asked: tuple[str, ...], code: int, says: str
) -> None:
    ran: Ran = ask(*asked)
    assert ran.code == code, ran.err
    assert ran.err.startswith("iam-ledger: ")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def test_a_temporary_key_is_explained_with_what_limits_its_session(ask: Command) -> None:
    """GetSessionToken's sessions can't call IAM without MFA, whatever their user may do."""
    asked = ("--action", "iam:ListUsers", "--resource", "*", "--at", "2026-03-17T14:21", "--format", "json")
    of_the_user = ask("explain", "--principal", "AKIATCH6YDSY5EZ6PFWP", *asked).json
    of_the_session = ask("explain", "--principal", "ASIATCH6YDSYVJQTTZC2", *asked).json
    assert of_the_user["decision"] == "allowed"
    assert of_the_session["decision"] == "explicitDeny"
    denying = [one["policy"] for one in of_the_session["statements"] if one["effect"] == "Deny"]
    assert denying == ["AWS:limits of GetSessionToken"]
    assert {"kind": "conditionKey", "about": "aws:multifactorauthpresent"} in of_the_session["unknown"]
