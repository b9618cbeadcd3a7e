"""Roles: each operation, trust, and the roles that AWS makes itself."""

from urllib.parse import quote

import orjson

from ledger.account.assumptions import Reason
from tests.ledger.told import (
    ACCOUNT,
    ALLOW,
    ALLOW_TEXT,
    DENY_TEXT,
    NOON,
    OWN,
    READ_ONLY,
    TRUST_TEXT,
    call,
    create_policy,
    create_profile,
    create_role,
    folded,
    given,
    imported,
    steps,
)

attach = call("AttachRolePolicy", {"roleName": "deploy", "policyArn": READ_ONLY})
put = call("PutRolePolicy", {"roleName": "deploy", "policyName": "own", "policyDocument": ALLOW_TEXT})
trust = call("UpdateAssumeRolePolicy", {"roleName": "deploy", "policyDocument": DENY_TEXT})
delete = call("DeleteRole", {"roleName": "deploy"})
SERVICE_ROLE = {
    "path": "/aws-service-role/autoscaling.amazonaws.com/",
    "roleName": "AWSServiceRoleForAutoScaling",
    "roleId": "AROA2TOHFHNG77URCH2HX",
    "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
    "createDate": "Feb 22, 2026, 4:11:47\u202fPM",
    "assumeRolePolicyDocument": quote(TRUST_TEXT),
}
service_linked = call(
    "CreateServiceLinkedRole", {"aWSServiceName": "autoscaling.amazonaws.com"}, {"role": SERVICE_ROLE}
)


def test_a_role_has_its_trust_from_the_request() -> None:
    role = given(create_role()).role()
    assert role["AssumeRolePolicyDocument"] == orjson.loads(TRUST_TEXT)
    assert role["AssumeRolePolicyMadeBy"] == 0
    assert role["MaxSessionDuration"] == 7200


def test_a_role_has_its_trust_from_the_response_where_the_request_hides_it() -> None:
    request = {"roleName": "deploy"}
    told = given(call("CreateRole", request, {"role": {"assumeRolePolicyDocument": quote(TRUST_TEXT)}}))
    assert told.role()["AssumeRolePolicyDocument"] == orjson.loads(TRUST_TEXT)


def test_a_role_whose_trust_nobody_told_says_so() -> None:
    told = given(call("CreateRole", {"roleName": "deploy"}))
    assert "AssumeRolePolicyDocument" not in told.role()
    assert Reason.UNKNOWN_TEXT in told.role()["Assumed"]
    assert (
        "Assumed"
        not in given(call("CreateRole", {"roleName": "deploy"}, {"role": {"roleId": "AROA1"}}), trust).role()
    )


def test_trust_is_replaced_and_remembers_by_what() -> None:
    assert given(create_role(), trust).role()["AssumeRolePolicyMadeBy"] == 1
    assert given(create_role(), trust, trust).role()["AssumeRolePolicyMadeBy"] == 1


def test_an_unreadable_new_trust_is_unknown() -> None:
    told = given(create_role(), call("UpdateAssumeRolePolicy", {"roleName": "deploy"}))
    assert "AssumeRolePolicyDocument" not in told.role()
    assert told.role()["Assumed"] == [Reason.UNKNOWN_TEXT]


def test_policies_are_attached_and_detached() -> None:
    told = given(create_role(), attach)
    assert told.role()["AttachedManagedPolicies"][0]["MadeBy"] == 1
    detach = call("DetachRolePolicy", {"roleName": "deploy", "policyArn": READ_ONLY})
    assert told.when(detach).role()["AttachedManagedPolicies"] == []
    assert told.when(detach).reasons == [Reason.ABSENT]


def test_inline_policies_are_put_and_deleted() -> None:
    told = given(create_role(), put)
    assert told.role()["RolePolicyList"] == [{"PolicyName": "own", "PolicyDocument": ALLOW, "MadeBy": 1}]
    remove = call("DeleteRolePolicy", {"roleName": "deploy", "policyName": "own"})
    assert told.when(remove).role()["RolePolicyList"] == []
    assert told.when(remove).reasons == [Reason.ABSENT]


def test_a_boundary_is_put_and_deleted() -> None:
    bound = call("PutRolePermissionsBoundary", {"roleName": "deploy", "permissionsBoundary": OWN})
    told = given(create_policy(), create_role(), bound)
    assert told.role()["PermissionsBoundary"]["MadeBy"] == 2
    unbound = call("DeleteRolePermissionsBoundary", {"roleName": "deploy"})
    assert "PermissionsBoundary" not in told.when(unbound).role()
    assert told.when(unbound).reasons == []  # this ledger takes it, and it does nothing


def test_an_imported_record_that_deletes_no_boundary_shows_a_hole() -> None:
    unbound = call("DeleteRolePermissionsBoundary", {"roleName": "deploy"}, at=NOON + 1)
    latest = steps(imported([create_role(), unbound]))[-1].account
    assert [it.reason for it in latest.noted] == [Reason.ABSENT]


def test_description_and_duration_are_updated() -> None:
    told = given(create_role(), call("UpdateRole", {"roleName": "deploy", "maxSessionDuration": 3600}))
    assert told.role()["MaxSessionDuration"] == 3600
    told.when(call("UpdateRole", {"roleName": "deploy", "description": "ships"}))
    assert (told.role()["Description"], told.role()["MaxSessionDuration"]) == ("ships", 3600)
    told.when(call("UpdateRoleDescription", {"roleName": "deploy", "description": "shipped"}))
    assert told.role()["Description"] == "shipped"


def test_tag_keys_of_roles_are_one_ignoring_case() -> None:
    told = given(create_role())
    told.when(call("TagRole", {"roleName": "deploy", "tags": [{"key": "Env", "value": "prod"}]}))
    assert told.role()["Tags"] == [{"Key": "Env", "Value": "prod", "MadeBy": 1}]
    assert told.when(call("UntagRole", {"roleName": "deploy", "tagKeys": ["ENV"]})).role()["Tags"] == []


def test_a_deleted_role_leaves_its_instance_profile_empty() -> None:
    add = call("AddRoleToInstanceProfile", {"roleName": "deploy", "instanceProfileName": "web"})
    told = given(create_role(), create_profile(), add, delete)
    assert told.profile()["Roles"] == []
    assert told.reasons == [Reason.CASCADE]
    assert given(create_role(), delete).reasons == []
    assert given(delete).reasons == [Reason.ABSENT]


def test_an_imported_service_linked_role_has_rights_that_no_record_shows() -> None:
    account = folded(imported([service_linked]))
    found = account.role_named("AWSServiceRoleForAutoScaling")
    assert found is not None
    role = account.document(found)
    assert role["Path"] == "/aws-service-role/autoscaling.amazonaws.com/"
    assert role["CreateDate"] == "2026-02-22T16:11:47Z"
    assert role["AssumeRolePolicyDocument"] == orjson.loads(TRUST_TEXT)
    assert role["Assumed"] == [Reason.UNSEEN_GRANTS]
    assert role["AttachedManagedPolicies"] == []


def test_a_service_linked_role_of_this_ledger_has_the_policy_that_aws_would_give_it() -> None:
    role = given(service_linked).role("AWSServiceRoleForAutoScaling")
    assert "Assumed" not in role
    assert [it["PolicyName"] for it in role["AttachedManagedPolicies"]] == ["AutoScalingServiceRolePolicy"]
    assert role["AttachedManagedPolicies"][0]["MadeBy"] == 0


def test_a_role_acquired_from_a_template_is_a_role() -> None:
    acquired = call(
        "AcquireRole", {"templateArn": "arn:aws:iam::aws:role-template/x"}, {"role": SERVICE_ROLE}
    )
    assert given(acquired).role("AWSServiceRoleForAutoScaling")["RoleId"] == "AROA2TOHFHNG77URCH2HX"


def test_aws_deletes_a_service_linked_role_some_time_after_the_request() -> None:
    name = {"roleName": "AWSServiceRoleForAutoScaling"}
    ask, again = (
        call("DeleteServiceLinkedRole", name, {"deletionTaskId": "t"}, at=NOON + it) for it in (1, 2)
    )
    walked = steps(imported([service_linked, ask, again]))
    assert walked[1].account.role_named("AWSServiceRoleForAutoScaling") is None
    assert [[it.reason for it in step.account.noted] for step in walked[1:]] == [
        [Reason.LATER],
        [Reason.ABSENT],
    ]
