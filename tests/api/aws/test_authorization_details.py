"""GetAccountAuthorizationDetails: the account whole, as a snapshot of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from api.demo.incident import Incident
from ledger.account.account import Account
from ledger.iam.refusals import ValidationError
from ledger.intake.baseline import import_snapshot
from ledger.log import Log, open_engine
from ledger.policy.entitlements import AWS_MANAGED
from ledger.record import canonical
from tests.api.aws.reading_asked import Ledger
from tests.ledger.asking import refused
from tests.ledger.told import (
    ACCOUNT,
    NOON,
    READ_ONLY,
    call,
    create_group,
    create_policy,
    create_profile,
    create_role,
    create_user,
)

DETAILS = "iam:GetAccountAuthorizationDetails"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    return ledger.told(
        create_user("bob", at=NOON),
        create_user("Alice", at=NOON + 1),
        create_group(at=NOON + 2),
        create_role(at=NOON + 3),
        create_policy(at=NOON + 4),
        create_profile(at=NOON + 5),
        call("AddUserToGroup", {"userName": "bob", "groupName": "devs"}, at=NOON + 6),
        call("AttachGroupPolicy", {"groupName": "devs", "policyArn": READ_ONLY}, at=NOON + 7),
        call("AddRoleToInstanceProfile", {"roleName": "deploy", "instanceProfileName": "web"}, at=NOON + 8),
    )


def names(answer: dict[str, Any]) -> list[str]:
    kinds = {"UserDetailList": "UserName", "GroupDetailList": "GroupName", "RoleDetailList": "RoleName"}
    return [it[kinds.get(name, "PolicyName")] for name in LISTS for it in answer[name]]


def test_lists_stand_in_the_order_of_names(told: Ledger) -> None:
    answer = told(DETAILS)
    assert names(answer) == ["admin", "Alice", "bob", "devs", "deploy", "own", "ReadOnlyAccess"]
    assert answer["IsTruncated"] is False


def test_pages_go_over_all_lists(told: Ledger) -> None:
    page = told(DETAILS, MaxItems=2)
    found = names(page)
    while page["IsTruncated"]:
        assert len(names(page)) == 2
        page = told(DETAILS, MaxItems=2, Marker=page["Marker"])
        found += names(page)
    assert found == ["admin", "Alice", "bob", "devs", "deploy", "own", "ReadOnlyAccess"]
    with refused(ValidationError, "Invalid Marker."):
        told(DETAILS, Marker="x")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["User"], ["admin", "Alice", "bob"]),
        (["Group", "Role"], ["devs", "deploy"]),
        (["LocalManagedPolicy"], ["own"]),
        (["AWSManagedPolicy"], ["ReadOnlyAccess"]),
    ],
)
def test_a_filter_names_kinds(told: Ledger, kinds: list[str], expected: list[str]) -> None:
    assert names(told(DETAILS, Filter=kinds)) == expected


def test_empty_lists_stand_but_for_a_users_policies(told: Ledger) -> None:
    answer = told(DETAILS)
    alice = answer["UserDetailList"][1]
    assert (alice["GroupList"], alice["AttachedManagedPolicies"], alice["Tags"]) == ([], [], [])
    assert "UserPolicyList" not in alice
    assert answer["GroupDetailList"][0]["GroupPolicyList"] == []
    role = answer["RoleDetailList"][0]
    assert (role["RolePolicyList"], role["Tags"], role["RoleLastUsed"]) == ([], [], {})
    assert [it["RoleName"] for it in role["InstanceProfileList"][0]["Roles"]] == ["deploy"]


def test_policies_tell_how_often_they_are_used_and_all_their_versions(told: Ledger) -> None:
    own, of_aws = told(DETAILS)["Policies"]
    assert (own["AttachmentCount"], of_aws["AttachmentCount"]) == (0, 1)
    in_force = [it["VersionId"] for it in of_aws["PolicyVersionList"] if it["IsDefaultVersion"]]
    assert in_force == [of_aws["DefaultVersionId"]]
    assert len(of_aws["PolicyVersionList"]) > 1


def test_the_incidents_account_survives_the_round_trip(
    incident_asked: Ledger, incident: Incident, tmp_path: Path
) -> None:
    """What is told, a page at a time, is read by the import of snapshots as the same account."""
    before = incident_asked.account
    pages = [incident_asked(DETAILS, MaxItems=7)]
    while pages[-1]["IsTruncated"]:
        pages.append(incident_asked(DETAILS, MaxItems=7, Marker=pages[-1]["Marker"]))
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_bytes(orjson.dumps(pages))
    log = Log(open_engine(f"sqlite:///{tmp_path / 'again.sqlite'}", create=True))
    import_snapshot(log, snapshot, taken_at=incident_asked.time)
    after = Ledger(log, incident.main_account).account
    log.engine.dispose()
    assert len(before.users) > 5
    assert permissions(after) == permissions(before)


def permissions(account: Account) -> list[Any]:
    """What a snapshot can tell: all but who made it, secrets, and what a role's details leave out."""
    documents = account.to_document()
    documents["policies"] = [it for it in documents["policies"] if AWS_MANAGED not in it["Arn"]]
    documents["instanceProfiles"] = [it for it in documents["instanceProfiles"] if it["Roles"]]
    kinds = ("users", "groups", "roles", "policies", "instanceProfiles")
    return [_told(documents[kind]) for kind in kinds]


UNTOLD = frozenset(
    {
        *("CreatedBy", "Assumed", "LastVersion", "Description", "MaxSessionDuration"),
        *("AccessKeys", "LoginProfile", "MFADevices", "Credentials"),
    }
)


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        kept = (name for name in value if name not in UNTOLD and not name.endswith("MadeBy"))
        return {name: _told(value[name]) for name in kept}
    return sorted(map(_told, value), key=canonical) if isinstance(value, list) else value


def test_another_account_is_not_told(told: Ledger) -> None:
    assert all(f":{ACCOUNT}:" in it["Arn"] for it in told(DETAILS)["UserDetailList"])
