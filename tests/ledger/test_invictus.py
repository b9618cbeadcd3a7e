"""The recorded log, folded: what was read from the raw records by hand, at four times, and every order of import."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Sighting
from ledger.account.fold import Step, fold
from ledger.account.managed_policies import managed_policy
from ledger.record import parse_time
from tests.ledger.real import INVICTUS, first_sightings, invictus

SSM = "AmazonSSMManagedInstanceCore"


@pytest.fixture(scope="module")
def changes(real_logs: Path) -> list[Change]:
    return invictus(real_logs)


@pytest.fixture(scope="module")
def walked(changes: list[Change]) -> list[Step]:
    return walk(changes)


def walk(changes: list[Change]) -> list[Step]:
    events: list[Change | Sighting] = [*changes, *first_sightings(changes, INVICTUS)]
    return list(fold(Account.empty(INVICTUS), sorted(events, key=lambda event: event.time)))


def state(walked: list[Step], until: str) -> dict[str, Any]:
    before = [step for step in walked if step.cause.time <= parse_time(until)]
    return before[-1].account.to_document()


def grants(entities: list[dict[str, Any]], noun: str, inline: str) -> dict[str, tuple[list[str], list[str]]]:
    """Attached and inline policies by the name of who has them."""
    return {
        it[f"{noun}Name"].removeprefix("stratus-red-team-"): (
            [policy["PolicyName"] for policy in it["AttachedManagedPolicies"]],
            [policy["PolicyName"] for policy in it[inline]],
        )
        for it in entities
    }


def roles(document: dict[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    return grants(document["roles"], "Role", "RolePolicyList")


def users(document: dict[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    return grants(document["users"], "User", "UserPolicyList")


def test_at_11_55_30_two_attacks_are_set_up(walked: list[Step]) -> None:
    document = state(walked, "2023-07-10T11:55:30Z")
    assert users(document) == {"benjamin": ([], []), "bert-jan": ([], [])}
    assert roles(document) == {
        "ec2-get-password-data-role": ([], ["inline-policy"]),
        "ec2-steal-credentials-role": ([SSM], ["inline"]),
        "AWSServiceRoleForAmazonInspector2": ([], []),
    }
    (profile,) = document["instanceProfiles"]
    assert profile["InstanceProfileName"] == "stratus-red-team-ec2-steal-credentials-instance"
    assert [role["RoleName"] for role in profile["Roles"]] == ["stratus-red-team-ec2-steal-credentials-role"]
    assert [(tag["Key"], tag["Value"]) for tag in profile["Tags"]] == [("StratusRedTeam", "true")]
    assert document["policies"] == []


def test_at_12_10_00_one_attack_is_not_cleaned_up_and_one_runs_again(walked: list[Step]) -> None:
    document = state(walked, "2023-07-10T12:10:00Z")
    assert users(document) == {"benjamin": ([], []), "bert-jan": ([], [])}
    assert roles(document) == {
        "ec2-enumerate-role": ([SSM], []),
        "ec2lui-role-wuzemnoeqa": (["stratus-red-team-ec2lui-policy-wuzemnoeqa"], []),
        "AWSServiceRoleForAmazonInspector2": ([], []),
    }
    (policy,) = document["policies"]
    assert policy["PolicyId"] == "ANPATFQR7NSC7MUPDSBS4"
    assert policy["PolicyVersionList"][0]["Document"]["Statement"][0]["Action"] == ["ec2:DescribeInstances"]
    assert document["instanceProfiles"] == []


def test_at_12_27_30_there_are_four_new_users_and_a_role_that_anybody_may_take(walked: list[Step]) -> None:
    document = state(walked, "2023-07-10T12:27:30Z")
    assert users(document) == {
        "benjamin": ([], []),
        "bert-jan": ([], []),
        "malicious-iam-user": (["AdministratorAccess"], []),
        "backdoor-u-user": ([], []),
        "login-profile-user": ([], []),
        "nmfalu-gfjyeaypjt": ([], []),
    }
    keys = {it["UserName"]: [key["AccessKeyId"] for key in it["AccessKeys"]] for it in document["users"]}
    assert keys["malicious-iam-user"] == ["AKIATFQR7NSCQLA2F4OD"]
    assert keys["stratus-red-team-backdoor-u-user"] == ["AKIATFQR7NSC3ZO6PKAZ"]
    assert [it["UserName"] for it in document["users"] if "LoginProfile" in it] == [
        "stratus-red-team-login-profile-user",
        "stratus-red-team-nmfalu-gfjyeaypjt",
    ]
    assert roles(document) == {
        "backdoor-r-role": (["AdministratorAccess"], []),
        "backdoor-f-lambda": ([], []),
        "olc-lambda-xhfgzaowxc": ([], []),
        "trust-anchor-role": ([], []),
        "AWSServiceRoleForAmazonInspector2": ([], []),
        "AWSServiceRoleForRDS": ([], []),
    }
    (backdoor,) = (it for it in document["roles"] if it["RoleName"] == "stratus-red-team-backdoor-r-role")
    assert len(backdoor["AssumeRolePolicyDocument"]["Statement"]) == 2
    assert backdoor["AssumeRolePolicyMadeBy"] > backdoor["CreatedBy"]


def test_at_the_end_only_who_was_there_before_is_left(walked: list[Step]) -> None:
    document = state(walked, "2023-07-10T12:37:50Z")
    assert users(document) == {"benjamin": ([], []), "bert-jan": ([], [])}
    assert [key["AccessKeyId"] for user in document["users"] for key in user["AccessKeys"]] == [
        "AKIATFQR7NSCUXC3DDDP",
        "AKIATFQZ7NSC8Q4X21BJ",
        "AKIATFQR7NSC8Q4X20BJ",
    ]
    assert roles(document) == {
        "AWSServiceRoleForAmazonInspector2": ([], []),
        "AWSServiceRoleForRDS": ([], []),
    }
    assert all(it["Assumed"] for it in (*document["users"], *document["roles"]))
    assert document["policies"] == document["groups"] == document["instanceProfiles"] == []


def test_the_disorder_within_seconds_is_no_reason_to_assume_anything(walked: list[Step]) -> None:
    assumed = [
        (step.account.noted[0].reason, step.account.noted[0].about.rpartition("/")[2])
        for step in walked
        if isinstance(step.cause, Change) and step.account.noted
    ]
    assert assumed == [  # two roles were deleted without their policies; no record shows how these went
        (Reason.CASCADE, "stratus-red-team-leave-org-role"),
        (Reason.CASCADE, "stratus-red-team-ec2-enumerate-role"),
    ]


def test_the_order_of_the_files_would_have_to_assume_much(changes: list[Change]) -> None:
    as_written = [Change(it.position, it.record, native=True) for it in changes]
    assumed = [step for step in walk(as_written) if isinstance(step.cause, Change) and step.account.noted]
    assert len(assumed) == 10  # instead of two


def test_all_changes_that_succeeded_are_steps(walked: list[Step]) -> None:
    assert len([step for step in walked if isinstance(step.cause, Change)]) == 89


def test_grants_can_be_followed_to_the_record_that_made_them(
    walked: list[Step], changes: list[Change]
) -> None:
    document = state(walked, "2023-07-10T12:27:30Z")
    (malicious,) = (it for it in document["users"] if it["UserName"] == "malicious-iam-user")
    made_by = changes[malicious["AttachedManagedPolicies"][0]["MadeBy"]].record
    assert made_by.action == "iam:AttachUserPolicy"
    assert made_by.identity.name == "bert-jan"


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_import_makes_no_difference(
    walked: list[Step], changes: list[Change], seed: int
) -> None:
    shuffled = list(changes)
    Random(seed).shuffle(shuffled)
    again = walk([Change(at, change.record, native=False) for at, change in enumerate(shuffled)])
    for moment in (
        "2023-07-10T11:55:30Z",
        "2023-07-10T12:07:59Z",
        "2023-07-10T12:27:30Z",
        "2023-07-10T12:37:50Z",
    ):
        assert by_event(state(again, moment), shuffled) == by_event(state(walked, moment), changes)


def by_event(value: Any, changes: list[Change]) -> Any:
    if isinstance(value, dict):
        return {
            key: changes[it].event_id if key.endswith("By") else by_event(it, changes)
            for key, it in value.items()
        }
    return [by_event(it, changes) for it in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(6))
def test_the_fold_can_stop_at_any_second_and_go_on_from_what_was_stored(
    walked: list[Step], changes: list[Change], seed: int
) -> None:
    moment = Random(seed).choice(walked).cause.time
    stopped = [step for step in walked if step.cause.time <= moment][-1].account
    stored = [(entity.kind, entity.id, stopped.document(entity)) for entity in stopped.entities()]
    events: list[Change | Sighting] = [*changes, *first_sightings(changes, INVICTUS)]
    later = sorted((event for event in events if event.time > moment), key=lambda event: event.time)
    account = Account.from_documents(INVICTUS, stored)
    assert account == stopped
    for step in fold(account, later):
        account = step.account
    assert account == walked[-1].account


def test_the_text_of_what_was_attached_is_known_as_of_that_day() -> None:
    version = managed_policy(f"arn:aws:iam::aws:policy/{SSM}", parse_time("2023-07-10T12:00:00Z"))
    assert version is not None
    assert version.version_id == "v2"
