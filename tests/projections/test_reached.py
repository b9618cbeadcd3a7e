"""Roles within reach, over accounts: what identity and trust allow together, how sure that is, and by which hops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tests.ledger.told import ACCOUNT
from tests.projections.permitting import Telling, arn, ledger_of, statement, trusting

ELSEWHERE, NOT_HERE = "444455556666", "777788889999"
ASSUME = "sts:AssumeRole"


def roles(folder: Path, *stories: Telling, of: str = "alice", at: int | None = None) -> dict[str, Any]:
    told = ledger_of(folder, *stories).permissions.access(
        of, at=at or max(story.later() for story in stories), account=ACCOUNT
    )
    return {one["role"]: one for one in told["roles"]}


def way(one: Any) -> list[str]:
    return [hop["from"].rsplit("/", 1)[-1] for hop in one["hops"]]


def test_identity_and_trust_must_both_allow(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME, [arn("role", "both"), arn("role", "no-trust")]))
    story.role("both", trusting({"AWS": ACCOUNT}))
    story.role("no-trust", trusting({"Service": "ec2.amazonaws.com"}))
    story.role("no-identity", trusting({"AWS": ACCOUNT}))
    found = roles(tmp_path, story)
    assert list(found) == [arn("role", "both")]
    assert found[arn("role", "both")]["certain"]


def test_a_trust_that_names_the_user_is_enough_in_its_account(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice")
    story.role("named", trusting({"AWS": arn("user", "alice")}))
    (hop,) = roles(tmp_path, story)[arn("role", "named")]["hops"]
    assert [one["layer"] for one in hop["statements"]] == ["trust"]
    assert hop["statements"][0]["grants"][0]["eventName"] == "CreateRole"


def test_a_denial_keeps_it_out(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME), statement(ASSUME, arn("role", "kept"), "Deny"))
    story.role("kept", trusting({"AWS": arn("user", "alice")}))
    assert roles(tmp_path, story) == {}


def test_from_role_to_role_into_another_account(tmp_path: Path) -> None:
    here, there = Telling(), Telling(ELSEWHERE)
    here.user("alice", statement(ASSUME, arn("role", "first")))
    here.role(
        "first", trusting({"AWS": arn("user", "alice")}), statement(ASSUME, arn("role", "third", ELSEWHERE))
    )
    here.role("second", trusting({"AWS": arn("role", "third", ELSEWHERE)}))
    there.role("third", trusting({"AWS": ACCOUNT}), statement(ASSUME, arn("role", "second")))
    found = roles(tmp_path, here, there)
    assert {name.rsplit("/", 1)[-1]: way(one) for name, one in found.items()} == {
        "first": ["alice"],
        "third": ["alice", "first"],
        "second": ["alice", "first", "third"],
    }
    assert all(one["certain"] for one in found.values())
    hop = found[arn("role", "third", ELSEWHERE)]["hops"][-1]
    assert [one["layer"] for one in hop["statements"]] == ["identity", "trust"]


def test_a_condition_that_nobody_told_makes_it_uncertain_and_all_behind_it(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME))
    story.role(
        "careful",
        trusting({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "secret"}}),
        statement(ASSUME),
    )
    story.role("behind", trusting({"AWS": arn("role", "careful")}))
    found = roles(tmp_path, story)
    assert {name: one["certain"] for name, one in found.items()} == {
        arn("role", "behind"): False,
        arn("role", "careful"): False,
    }
    assert found[arn("role", "careful")]["hops"][0]["unknown"] == [
        {"kind": "conditionKey", "about": "sts:externalid"}
    ]


def test_a_sure_way_goes_before_a_short_one(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME))
    careful = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": arn("role", "round")}, "Action": ASSUME},
            {"Effect": "Allow", "Principal": {"AWS": arn("user", "alice")}, "Action": ASSUME, **careful},
        ],
    }
    story.role("round", trusting({"AWS": ACCOUNT}), statement(ASSUME))
    story.role("goal", orjson.dumps(trust).decode())
    found = roles(tmp_path, story)[arn("role", "goal")]
    assert (way(found), found["certain"]) == (["alice", "round"], True)


def test_a_role_of_an_account_whose_log_is_not_here_is_perhaps_within_reach(tmp_path: Path) -> None:
    story = Telling()
    far = arn("role", "far", NOT_HERE)
    story.user("alice", statement(ASSUME, [far, f"arn:aws:iam::{NOT_HERE}:role/more-*"]))
    made = ledger_of(tmp_path, story)
    told = made.permissions.access("alice", at=story.later())
    ((one,), beyond) = told["roles"], told["beyond"]
    assert (one["role"], one["certain"], one["risk"]) == (far, False, None)
    assert {"kind": "otherAccount", "about": NOT_HERE} in one["hops"][0]["unknown"]
    assert beyond == [f"arn:aws:iam::{NOT_HERE}:role/more-*"]


def test_it_is_as_it_was_then(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME))
    story.role("later", trusting({"Service": "ec2.amazonaws.com"}))
    before = story.later()
    story.did("UpdateAssumeRolePolicy", {"roleName": "later", "policyDocument": trusting({"AWS": ACCOUNT})})
    made = ledger_of(tmp_path, story)
    assert made.permissions.access("alice", at=before)["roles"] == []
    assert [one["role"] for one in made.permissions.access("alice", at=story.later())["roles"]] == [
        arn("role", "later")
    ]


def test_a_boundary_bounds_what_is_within_reach(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice", statement(ASSUME))
    story.bound("user", "alice", story.policy("narrow", statement("s3:*")))
    story.role("goal", trusting({"AWS": ACCOUNT}))
    assert roles(tmp_path, story) == {}


def test_root_assumes_no_role(tmp_path: Path) -> None:
    story = Telling()
    story.user("alice")
    story.role("goal", trusting({"AWS": ACCOUNT}))
    told = ledger_of(tmp_path, story).permissions.access("root", at=story.later())
    assert (told["risk"], told["roles"]) == ("administrator", [])
