"""Each known way to raise one's own permission: found where its actions are allowed on the right thing, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from projections.permissions.reach.escalations import WAYS, On
from tests.ledger.told import ACCOUNT
from tests.projections.permitting import Record, Telling, arn, ledger_of, statement, trusting

OWN = arn("policy", "own")
ME, GROUP, OTHER_GROUP, OTHER = (
    arn("user", "me"),
    arn("group", "mine"),
    arn("group", "others"),
    arn("user", "bob"),
)
WORKER, BOSS, ENTERED = arn("role", "worker"), arn("role", "boss"), arn("role", "entered")

RIGHT = {
    On.OWN_POLICY: OWN,
    On.OWN_POLICY_OF_VERSIONS: OWN,
    On.ITSELF: ME,
    On.OWN_GROUP: GROUP,
    On.OTHER_GROUP: OTHER_GROUP,
    On.OTHER_USER: OTHER,
    On.OWN_ROLE: ENTERED,
    On.OTHER_ROLE: WORKER,
    On.PASSED_ROLE: WORKER,
    On.OWN_BOUNDARY: ME,
    On.ROLE_TO_ASSUME: BOSS,
}
"""For each kind of target the one that the small account has."""

WRONG = {
    On.OWN_POLICY: arn("policy", "unattached"),
    On.OWN_POLICY_OF_VERSIONS: arn("policy", "unattached"),
    On.ITSELF: OTHER,
    On.OWN_GROUP: OTHER_GROUP,
    On.OTHER_GROUP: GROUP,
    On.OTHER_USER: ME,
    On.OWN_ROLE: WORKER,
    On.OTHER_ROLE: arn("role", "nobody"),
    On.PASSED_ROLE: arn("role", "boss"),
    On.OWN_BOUNDARY: OTHER,
    On.ROLE_TO_ASSUME: WORKER,
}

OF_USERS = [way for way in WAYS if "Role" not in way.name or way.on is not On.OWN_BOUNDARY]


def small_account(*statements: Record) -> Telling:
    """`me`, under `own`, in `mine`, bounded, may assume `entered`; `statements` are what `me` may besides."""
    story = Telling()
    story.policy("own", statement("sns:ListTopics"))
    story.version(OWN, 2, statement("sns:*"), default=False)
    story.policy("unattached", statement("*"))
    story.version(arn("policy", "unattached"), 2, statement("sns:*"), default=False)
    everything = story.policy("everything", statement("*"))
    story.group("mine")
    story.group("others", statement("*"))
    story.user("bob", statement("*"))
    story.user("me", statement("sts:AssumeRole", ENTERED), *statements, groups=["mine"])
    story.attach("user", "me", OWN)
    story.bound("user", "me", everything)
    services = sorted({way.service for way in WAYS if way.service})
    story.role("worker", trusting({"Service": services}), statement("*"))
    story.role("boss", trusting({"AWS": ACCOUNT}), statement("*"))
    story.role("entered", trusting({"AWS": ACCOUNT}))
    return story


def escalations(folder: Path, story: Telling, name: str = "me") -> dict[str, Any]:
    told = ledger_of(folder, story).permissions.access(name, at=story.later())
    return {way["name"]: way for way in told["escalations"]}


def opening(
    on: On, actions: tuple[str, ...], besides: tuple[tuple[str, ...], ...], resource: str | None
) -> list[Record]:
    """Just what a way needs: its own actions on one thing, the first of each group besides on anything."""
    found = [statement([group[0] for group in besides])] if besides else []
    return [statement(list(actions), resource), *found] if actions else found


@pytest.mark.parametrize("way", OF_USERS, ids=lambda way: way.name)
def test_a_way_is_open_where_all_it_needs_is_allowed(way: Any, tmp_path: Path) -> None:
    story = small_account(*opening(way.on, way.actions, way.besides, RIGHT.get(way.on)))
    found = escalations(tmp_path, story)
    assert way.name in found
    assert found[way.name]["certain"]
    assert [one["arn"] for one in found[way.name]["targets"]] == [RIGHT.get(way.on, WORKER)]
    assert found[way.name]["statements"]


@pytest.mark.parametrize("way", [way for way in OF_USERS if way.actions], ids=lambda way: way.name)
def test_it_is_not_open_on_something_else(way: Any, tmp_path: Path) -> None:
    story = small_account(*opening(way.on, way.actions, way.besides, WRONG[way.on]))
    assert way.name not in escalations(tmp_path, story)


@pytest.mark.parametrize("way", [way for way in OF_USERS if way.besides], ids=lambda way: way.name)
def test_it_is_not_open_without_what_it_needs_besides(way: Any, tmp_path: Path) -> None:
    for left_out in range(len(way.besides)):
        fewer = way.besides[:left_out] + way.besides[left_out + 1 :]
        story = small_account(*opening(way.on, way.actions, fewer, RIGHT.get(way.on)))
        assert way.name not in escalations(tmp_path, story)


@pytest.mark.parametrize("way", OF_USERS, ids=lambda way: way.name)
def test_a_denial_closes_it(way: Any, tmp_path: Path) -> None:
    needed = way.actions or way.besides[0]
    story = small_account(
        *opening(way.on, way.actions, way.besides, RIGHT.get(way.on)),
        statement(
            [action for action in needed if action.partition(":")[2] != "AssumeRole"] or list(needed),
            "*",
            "Deny",
        ),
    )
    assert way.name not in escalations(tmp_path, story)


@pytest.mark.parametrize("name", ["DeleteRolePermissionsBoundary", "PutRolePermissionsBoundary"])
def test_a_role_takes_off_its_own_boundary(name: str, tmp_path: Path) -> None:
    for resource, open_ in ((arn("role", "mine"), True), (ME, False)):
        story = small_account()
        story.role("mine", trusting({"AWS": ACCOUNT}), statement(f"iam:{name}", resource))
        story.bound("role", "mine", arn("policy", "everything"))
        assert (name in escalations(tmp_path, story, "mine")) is open_


def test_a_policy_without_another_version_has_none_to_be_put_in_force(tmp_path: Path) -> None:
    story = Telling()
    only = story.policy("only", statement("iam:SetDefaultPolicyVersion"))
    story.user("me")
    story.attach("user", "me", only)
    assert escalations(tmp_path, story) == {}


def test_a_condition_that_nobody_told_leaves_it_open_perhaps(tmp_path: Path) -> None:
    story = small_account(
        statement(
            "iam:AttachUserPolicy", ME, Condition={"ArnEquals": {"iam:PolicyARN": arn("policy", "own")}}
        )
    )
    found = escalations(tmp_path, story)["AttachUserPolicy"]
    assert not found["certain"]
    assert found["targets"][0]["unknown"] == [{"kind": "conditionKey", "about": "iam:policyarn"}]


def test_a_role_is_passed_to_the_service_that_the_condition_names(tmp_path: Path) -> None:
    for service, open_ in (("lambda", True), ("ec2", False)):
        story = small_account(
            statement(
                "iam:PassRole",
                WORKER,
                Condition={"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}},
            ),
            statement(["lambda:CreateFunction", "lambda:InvokeFunction"]),
        )
        assert ("PassRoleToLambda" in escalations(tmp_path, story)) is open_


def test_who_may_do_everything_has_nothing_to_raise(tmp_path: Path) -> None:
    story = small_account(statement("*"))
    told = ledger_of(tmp_path, story).permissions.access("me", at=story.later())
    assert (told["risk"], told["escalations"]) == ("administrator", [])


def test_a_role_that_may_do_no_worse_is_no_escalation(tmp_path: Path) -> None:
    assert "AssumeRole" not in escalations(tmp_path, small_account())
