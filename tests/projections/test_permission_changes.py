"""What came and went between two times, who is responsible, and whether it made a difference: histories of known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from projections.investigation import Investigation
from tests.ledger.told import ACCOUNT
from tests.projections.permitting import Telling, arn, ledger_of, statement, trusting

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYTHING = statement("*")


def between(folder: Path, story: Telling, since: int, **more: Any) -> list[Any]:
    made = ledger_of(folder, story)
    return made.permissions.differences(ACCOUNT, since, story.later(), **more)


def only(folder: Path, story: Telling, since: int) -> Any:
    (found,) = between(folder, story, since)
    return found


def by(one: Any) -> str:
    return str(one["entry"]["eventID"])


# -- did it really raise? (10)


def test_attaching_what_one_has_already_is_no_raise(tmp_path: Path) -> None:
    story = Telling()
    story.group("admins", EVERYTHING)
    story.user("alice", groups=["admins"])
    since = story.later()
    attached = story.attach("user", "alice", story.policy("more", statement(["s3:*", "ec2:Describe*"])))
    found = only(tmp_path, story, since)
    assert (found["raised"], found["graver"], found["risk"]["after"]) == ("no", False, "administrator")
    assert [(one["what"], one["matters"], by(one)) for one in found["gained"]] == [
        ("allow came", "no", attached)
    ]


def test_attaching_an_administrators_policy_is(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement("s3:GetObject", "arn:aws:s3:::books/*"))
    since = story.later()
    attached = story.attach("user", "alice", ADMIN)
    found = only(tmp_path, story, since)
    assert (found["raised"], found["risk"]) == ("yes", {"before": "secrets", "after": "administrator"})
    assert [by(one) for one in found["gained"]] == [attached]


def test_a_narrower_statement_of_the_same_actions_is_covered_and_a_wider_one_is_not(tmp_path: Path) -> None:
    for resource, matters in (("arn:aws:s3:::books/2026/*", "no"), ("arn:aws:s3:::b*", "yes")):
        story = Telling()
        story.user("alice", statement("s3:Get*", "arn:aws:s3:::books/*"))
        since = story.later()
        story.put("user", "alice", "more", statement("s3:GetObject", resource))
        found = only(tmp_path, story, since)
        assert [one["matters"] for one in found["gained"]] == [matters]


def test_a_raise_that_a_boundary_or_a_denial_keeps_is_none(tmp_path: Path) -> None:
    for keep in ("boundary", "deny"):
        story = Telling()
        story.user("alice", statement("iam:*", "*", "Deny") if keep == "deny" else statement("s3:*"))
        if keep == "boundary":
            story.bound("user", "alice", story.policy("narrow", statement("s3:*")))
        since = story.later()
        story.put("user", "alice", "more", statement("iam:AttachUserPolicy"))
        assert only(tmp_path, story, since)["raised"] == "no", keep


def test_the_same_under_another_condition_is_perhaps_a_raise(tmp_path: Path) -> None:
    office = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    world = {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}
    for condition, raised in ((office, "no"), (world, "perhaps"), (None, "yes")):
        story = Telling()
        story.user("alice", statement("sns:Publish", Condition=office))
        since = story.later()
        more: dict[str, Any] = {} if condition is None else {"Condition": condition}
        story.put("user", "alice", "more", statement("sns:Publish", **more))
        found = between(tmp_path, story, since)
        assert [one["raised"] for one in found] == ([raised] if condition != office else []), condition


def test_an_escalation_that_is_gained_is_named(tmp_path: Path) -> None:
    story = Telling()
    own = story.policy("own", statement("s3:ListBucket"))
    story.user("alice")
    story.attach("user", "alice", own)
    since = story.later()
    changed = story.version(own, 2, statement("s3:ListBucket"), statement("iam:CreatePolicyVersion", own))
    found = only(tmp_path, story, since)
    assert [one["name"] for one in found["escalationsGained"]] == ["CreatePolicyVersion"]
    assert found["risk"] == {"before": "list", "after": "escalates"}
    assert {by(one) for one in found["gained"]} == {changed}


# -- a new default version (11)


def test_a_new_default_version_changes_all_under_the_policy(tmp_path: Path) -> None:
    """A user, a group's members and a role are under it; another user is not."""
    story = Telling()
    own = story.policy("own", statement("s3:ListBucket"))
    story.group("devs")
    story.user("alice")
    story.user("bob", groups=["devs"])
    story.user("carol", statement("s3:ListBucket"))
    story.role("deploy", trusting({"AWS": ACCOUNT}))
    for kind, name in (("user", "alice"), ("group", "devs"), ("role", "deploy")):
        story.attach(kind, name, own)
    story.version(own, 2, statement(["s3:ListBucket", "s3:DeleteBucket"]), default=False)
    since = story.later()
    changed = story.did("SetDefaultPolicyVersion", {"policyArn": own, "versionId": "v2"})
    found = between(tmp_path, story, since)
    assert {one["principal"] for one in found} == {
        arn("user", "alice"),
        arn("user", "bob"),
        arn("role", "deploy"),
    }
    for one in found:
        assert one["gainedActions"]["examples"] == ["s3:DeleteBucket"]
        assert [(shift["what"], shift["matters"], by(shift)) for shift in one["gained"]] == [
            ("allow came", "yes", changed)
        ]
        assert [(shift["what"], shift["matters"], by(shift)) for shift in one["lost"]] == [
            ("allow went", "no", changed)
        ]


def test_a_version_that_is_not_put_in_force_changes_nothing(tmp_path: Path) -> None:
    story = Telling()
    own = story.policy("own", statement("s3:ListBucket"))
    story.user("alice")
    story.attach("user", "alice", own)
    since = story.later()
    story.version(own, 2, EVERYTHING, default=False)
    assert between(tmp_path, story, since) == []


# -- groups, and who is responsible


def test_who_joined_and_left_a_group(tmp_path: Path) -> None:
    story = Telling()
    story.group("readers", statement("s3:GetObject"))
    story.group("writers", statement("s3:PutObject"))
    story.user("alice", groups=["readers"])
    since = story.later()
    joined = story.did("AddUserToGroup", {"userName": "alice", "groupName": "writers"})
    left = story.did("RemoveUserFromGroup", {"userName": "alice", "groupName": "readers"})
    found = only(tmp_path, story, since)
    assert [(one["actions"], by(one)) for one in found["gained"]] == [(["s3:PutObject"], joined)]
    assert [(one["actions"], by(one)) for one in found["lost"]] == [(["s3:GetObject"], left)]


def test_what_came_by_two_ways_went_with_the_last(tmp_path: Path) -> None:
    story = Telling()
    own = story.policy("own", statement("s3:GetObject"))
    story.group("readers")
    story.attach("group", "readers", own)
    story.user("alice", groups=["readers"])
    story.attach("user", "alice", own)
    since = story.later()
    story.did("DetachUserPolicy", {"userName": "alice", "policyArn": own})
    last = story.did("DetachGroupPolicy", {"groupName": "readers", "policyArn": own})
    (gone,) = only(tmp_path, story, since)["lost"]
    assert (gone["matters"], by(gone)) == ("yes", last)


def test_a_user_who_came_and_one_who_went(tmp_path: Path) -> None:
    story = Telling()
    story.user("bob", statement("s3:GetObject"))
    since = story.later()
    story.did("DeleteUserPolicy", {"userName": "bob", "policyName": "own"})
    story.did("DeleteUser", {"userName": "bob"})
    story.user("alice", statement("s3:GetObject"))
    found = {one["principal"]: one for one in between(tmp_path, story, since)}
    assert (found[arn("user", "alice")]["change"], found[arn("user", "alice")]["raised"]) == (
        "created",
        "yes",
    )
    assert (found[arn("user", "bob")]["change"], found[arn("user", "bob")]["raised"]) == ("deleted", "no")


def test_of_one_principal_alone(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice")
    story.user("bob")
    since = story.later()
    for name in ("alice", "bob"):
        story.put("user", name, "more", statement("s3:*"))
    (found,) = between(tmp_path, story, since, principal="bob")
    assert found["principal"] == arn("user", "bob")


# -- boundaries (24)


def test_what_a_boundary_kept_is_possible_when_it_is_gone(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(["s3:*", "sns:Publish"]))
    narrow = story.policy("narrow", statement("s3:*"))
    story.bound("user", "alice", narrow)
    since = story.later()
    removed = story.did("DeleteUserPermissionsBoundary", {"userName": "alice"})
    found = only(tmp_path, story, since)
    boundary = found["boundary"]
    assert (boundary["change"], boundary["before"], boundary["after"], by(boundary)) == (
        "removed",
        narrow,
        None,
        removed,
    )
    assert boundary["gainedActions"] == {"surely": {"Write": 1}, "perhaps": {}, "examples": ["sns:Publish"]}
    assert found["gained"] == []


def test_a_boundary_that_is_set_and_one_that_is_rewritten(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(["sqs:SendMessage", "sns:Publish"]))
    narrow = story.policy("narrow", statement("sns:*"))
    first = story.later()
    story.bound("user", "alice", narrow)
    second = story.later()
    rewritten = story.version(narrow, 2, statement("sqs:*"))
    made = ledger_of(tmp_path, story)
    (was_set,) = made.permissions.differences(ACCOUNT, first, second)
    (changed,) = made.permissions.differences(ACCOUNT, second, story.later())
    assert (was_set["boundary"]["change"], was_set["boundary"]["lostActions"]["examples"]) == (
        "set",
        ["sqs:SendMessage"],
    )
    assert (changed["boundary"]["change"], by(changed["boundary"])) == ("rewritten", rewritten)
    assert changed["boundary"]["gainedActions"]["examples"] == ["sqs:SendMessage"]
    assert changed["boundary"]["lostActions"]["examples"] == ["sns:Publish"]


def test_removing_a_boundary_that_kept_nothing_raises_nothing(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement("s3:*"))
    story.bound("user", "alice", story.policy("wide", EVERYTHING))
    since = story.later()
    story.did("DeleteUserPermissionsBoundary", {"userName": "alice"})
    assert only(tmp_path, story, since)["raised"] == "no"


# -- explicit denials (25)


def test_a_denial_that_is_detached_raises_what_it_denied(tmp_path: Path) -> None:
    story = Telling()
    guard = story.policy("guard", statement(["sns:Publish", "ec2:RunInstances"], "*", "Deny"))
    story.user("alice", statement("sns:*"))
    story.attach("user", "alice", guard)
    since = story.later()
    gone = story.did("DetachUserPolicy", {"userName": "alice", "policyArn": guard})
    found = only(tmp_path, story, since)
    assert found["gainedActions"]["examples"] == ["sns:Publish"]  # nothing ever allowed ec2:RunInstances
    assert [(one["what"], one["matters"], by(one)) for one in found["gained"]] == [("deny went", "yes", gone)]


def test_a_denial_that_another_repeats_is_not_gone(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement("sns:*"), statement("sns:P*", "*", "Deny"))
    story.put("user", "alice", "guard", statement("sns:Publish", "*", "Deny"))
    since = story.later()
    story.did("DeleteUserPolicy", {"userName": "alice", "policyName": "guard"})
    found = only(tmp_path, story, since)
    assert (found["raised"], [one["matters"] for one in found["gained"]]) == ("no", ["no"])


# -- trust (23)


def trust_change(folder: Path, before: Any, after: Any, *, users: bool = True) -> Any:
    story = Telling()
    if users:
        story.user("alice", statement("sts:AssumeRole"))
        story.user("bob")
    story.role("goal", trusting(before))
    since = story.later()
    event = story.did("UpdateAssumeRolePolicy", {"roleName": "goal", "policyDocument": trusting(after)})
    found = only(folder, story, since)
    assert (found["kind"], by(found)) == ("trust", event)
    return found


def whom(one: Any, member: str) -> dict[str, Any]:
    return {who["who"]: who["certain"] for who in one[member]}


def test_who_may_assume_a_role_that_could_not_before(tmp_path: Path) -> None:
    """The account delegates to its own policies: alice's allow it, bob's do not, admin's are not known."""
    found = trust_change(tmp_path, {"Service": "ec2.amazonaws.com"}, {"AWS": ACCOUNT})
    assert whom(found, "admits") == {arn("user", "alice"): True}
    assert whom(found, "excludes") == {"ec2.amazonaws.com": None}


def test_who_could_before_is_not_let_in_again(tmp_path: Path) -> None:
    found = trust_change(tmp_path, {"AWS": ACCOUNT}, {"AWS": [ACCOUNT, arn("user", "bob")]})
    assert whom(found, "admits") == {arn("user", "bob"): True}
    assert found["excludes"] == []


def test_outsiders_are_told_by_the_names_that_the_policy_gives_them(tmp_path: Path) -> None:
    stranger = "arn:aws:iam::999900001111:root"
    found = trust_change(tmp_path, {"AWS": ACCOUNT}, {"AWS": [ACCOUNT, stranger]}, users=False)
    assert [(one["who"], one["is"], one["outside"]) for one in found["admits"]] == [
        (stranger, "account", True)
    ]


def test_anyone(tmp_path: Path) -> None:
    found = trust_change(tmp_path, {"AWS": ACCOUNT}, {"AWS": "*"})
    assert whom(found, "admits")["*"] is None
    assert arn("user", "bob") in whom(found, "admits")


# -- instance profiles (32)


def test_a_role_that_is_put_into_a_profile_and_taken_out(tmp_path: Path) -> None:
    story = Telling()
    story.role("ops", trusting({"Service": "ec2.amazonaws.com"}), EVERYTHING)
    told = {
        "instanceProfileName": "web",
        "instanceProfileId": "AIPAWEB000000001",
        "arn": arn("instance-profile", "web"),
        "path": "/",
    }
    story.did("CreateInstanceProfile", {"instanceProfileName": "web"}, {"instanceProfile": told})
    first = story.later()
    put = story.did("AddRoleToInstanceProfile", {"instanceProfileName": "web", "roleName": "ops"})
    second = story.later()
    taken = story.did("RemoveRoleFromInstanceProfile", {"instanceProfileName": "web", "roleName": "ops"})
    made: Investigation = ledger_of(tmp_path, story)
    for since, until, change, event in ((first, second, "put", put), (second, story.later(), "taken", taken)):
        (found,) = made.permissions.differences(ACCOUNT, since, until)
        assert (found["profile"], found["role"], found["risk"], found["change"], by(found)) == (
            "web",
            arn("role", "ops"),
            "administrator",
            change,
            event,
        )


# -- chains (13)


def test_one_beside_another(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(["sns:Publish", "sts:AssumeRole"]))
    story.role("weak", trusting({"AWS": ACCOUNT}), statement("sns:Publish"))
    story.role("strong", trusting({"AWS": ACCOUNT}), statement("sns:*"))
    made = ledger_of(tmp_path, story)
    at = story.later()
    weak, strong = (made.permissions.comparison(name, "alice", at=at) for name in ("weak", "strong"))
    assert (weak["raised"], strong["raised"]) == ("no", "yes")
    assert "sts:AssumeRole" in weak["lostActions"]["examples"]
