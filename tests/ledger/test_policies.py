"""Customer managed policies: versions, the choice of the one in force, and deletion."""

from ledger.account.assumptions import Reason
from tests.ledger.told import (
    ALLOW,
    DENY,
    DENY_TEXT,
    OWN,
    call,
    create_policy,
    create_role,
    create_user,
    given,
)


def new_version(told: str | None = "v2", default: object = True, text: str | None = DENY_TEXT) -> dict:
    request = {"policyArn": OWN, "setAsDefault": default, "policyDocument": text}
    return call("CreatePolicyVersion", request, {"policyVersion": {"versionId": told}} if told else None)


def choose(version: str) -> dict:
    return call("SetDefaultPolicyVersion", {"policyArn": OWN, "versionId": version})


attach = call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN})


def versions(policy: dict) -> dict[str, tuple[bool, int | None]]:
    return {it["VersionId"]: (it["IsDefaultVersion"], it.get("MadeBy")) for it in policy["PolicyVersionList"]}


def test_a_policy_begins_with_its_first_version() -> None:
    policy = given(create_policy()).policy()
    assert policy["PolicyId"] == "ANPAOWN000000001"
    assert policy["DefaultVersionId"] == "v1"
    assert policy["PolicyVersionList"][0]["Document"] == ALLOW
    assert versions(policy) == {"v1": (True, 0)}


def test_a_new_version_is_in_force_if_the_request_says_so() -> None:
    policy = given(create_policy(), new_version()).policy()
    assert versions(policy) == {"v2": (True, 1), "v1": (False, 0)}
    assert policy["DefaultVersionMadeBy"] == 1
    assert policy["PolicyVersionList"][0]["Document"] == DENY
    assert versions(given(create_policy(), new_version(default=False)).policy())["v1"][0]


def test_truth_may_be_written_as_a_text() -> None:
    assert given(create_policy(), new_version(default="true")).policy()["DefaultVersionId"] == "v2"
    assert given(create_policy(), new_version(default="false")).policy()["DefaultVersionId"] == "v1"


def test_a_version_whose_id_nobody_told_has_the_next_number() -> None:
    drop = call("DeletePolicyVersion", {"policyArn": OWN, "versionId": "v2"})
    told = given(create_policy(), new_version(None), choose("v1"), drop, new_version(None))
    assert versions(told.policy()).keys() == {"v1", "v3"}  # numbers are not used again
    assert told.account.assumptions == 0


def test_the_choice_of_a_version_remembers_who_made_it() -> None:
    told = given(create_policy(), new_version(), choose("v1"))
    assert told.policy()["DefaultVersionMadeBy"] == 2
    assert told.when(choose("v1")).policy()["DefaultVersionMadeBy"] == 2


def test_choosing_a_version_nobody_saw_leaves_its_text_unknown() -> None:
    told = given(create_policy(), choose("v3"))
    assert told.reasons == [Reason.ABSENT]
    assert told.policy()["Assumed"] == [Reason.UNKNOWN_TEXT]
    assert "Document" not in told.policy()["PolicyVersionList"][0]
    assert "Assumed" not in told.when(choose("v1")).policy()


def test_deleting_a_version_that_is_not_there_is_noted() -> None:
    told = given(create_policy(), call("DeletePolicyVersion", {"policyArn": OWN, "versionId": "v7"}))
    assert told.reasons == [Reason.ABSENT]


def test_a_version_of_a_policy_nobody_created_makes_its_text_known() -> None:
    told = given(create_user(), attach, new_version("v6"))
    assert told.policy()["DefaultVersionId"] == "v6"
    assert Reason.UNKNOWN_TEXT not in told.policy()["Assumed"]
    assert told.policy()["LastVersion"] == 6


def test_a_deleted_policy_is_detached_everywhere_and_that_is_noted() -> None:
    delete = call("DeletePolicy", {"policyArn": OWN})
    bound = call("PutRolePermissionsBoundary", {"roleName": "deploy", "permissionsBoundary": OWN})
    told = given(create_policy(), create_user(), create_role(), attach, bound, delete)
    assert told.user()["AttachedManagedPolicies"] == []
    assert "PermissionsBoundary" not in told.role()
    assert told.reasons == [Reason.CASCADE]
    assert given(create_policy(), delete).reasons == []
    assert given(create_policy(), new_version(), delete).reasons == [Reason.CASCADE]
    assert given(delete).reasons == [Reason.ABSENT]


def test_a_policy_created_anew_is_another_policy() -> None:
    told = given(create_policy(), call("DeletePolicy", {"policyArn": OWN}), create_policy(2))
    assert told.policy()["PolicyId"] == "ANPAOWN000000002"
    assert told.account.assumptions == 0


def test_tag_keys_of_policies_are_told_apart_by_case() -> None:
    def tag(key: str) -> dict:
        return call("TagPolicy", {"policyArn": OWN, "tags": [{"key": key, "value": "1"}]})

    told = given(create_policy(), tag("a"), tag("A"))
    assert [it["Key"] for it in told.policy()["Tags"]] == ["A", "a"]
    told.when(call("UntagPolicy", {"policyArn": OWN, "tagKeys": ["a"]}))
    assert [it["Key"] for it in told.policy()["Tags"]] == ["A"]


def test_a_policy_without_a_text_says_so() -> None:
    told = given(create_policy() | {"requestParameters": {"policyName": "own"}})
    assert told.reasons == [Reason.UNKNOWN_TEXT]
    assert told.policy()["Assumed"] == [Reason.UNKNOWN_TEXT]


def test_who_holds_a_policy_is_known() -> None:
    told = given(create_policy(), create_user(), attach)
    assert [holder.name for holder in told.account.holders_of(OWN)] == ["alice"]
