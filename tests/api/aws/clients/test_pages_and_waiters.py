"""boto3's own paginators and waiters."""

from __future__ import annotations

import pytest

from tests.api.aws.clients.documents import allowing, trusting
from tests.api.aws.clients.test_limits import fill
from tests.api.aws.clients.watching import Watched


def test_a_paginator_sees_each_user_once_and_in_order(aws: Watched) -> None:
    names = [f"user-{number:03}" for number in range(110)]
    fill(aws, "CreateUser", [{"UserName": name} for name in reversed(names)])
    pages = list(aws.iam.get_paginator("list_users").paginate())
    assert [len(page["Users"]) for page in pages] == [100, 10]
    assert [page["IsTruncated"] for page in pages] == [True, False]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    small = aws.iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 40})
    assert [user["UserName"] for user in small.search("Users")] == names


@pytest.mark.parametrize(
    ("listing", "member"),
    [
        ("list_users", "Users"),
        ("list_groups", "Groups"),
        ("list_roles", "Roles"),
        ("list_policies", "Policies"),
        ("list_instance_profiles", "InstanceProfiles"),
        ("list_virtual_mfa_devices", "VirtualMFADevices"),
    ],
)
def test_every_listing_goes_on_where_it_ended(aws: Watched, listing: str, member: str) -> None:
    make = {
        "list_users": lambda name: aws.iam.create_user(UserName=name),
        "list_groups": lambda name: aws.iam.create_group(GroupName=name),
        "list_roles": lambda name: aws.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trusting("ec2.amazonaws.com")
        ),
        "list_policies": lambda name: aws.iam.create_policy(PolicyName=name, PolicyDocument=allowing("s3:*")),
        "list_instance_profiles": lambda name: aws.iam.create_instance_profile(InstanceProfileName=name),
        "list_virtual_mfa_devices": lambda name: aws.iam.create_virtual_mfa_device(VirtualMFADeviceName=name),
    }[listing]
    for name in ("c", "a", "b"):
        make(name)
    scope = {"Scope": "Local"} if listing == "list_policies" else {}
    found = []
    for page in aws.iam.get_paginator(listing).paginate(**scope, PaginationConfig={"PageSize": 1}):
        assert len(page[member]) == 1
        found.append(page[member][0])
    whole = getattr(aws.iam, listing)(**scope)
    assert (found, whole["IsTruncated"]) == (whole[member], False)
    assert "Marker" not in whole
    assert len(found) == 3


def test_waiters_find_what_was_made(aws: Watched) -> None:
    iam = aws.iam
    once = {"Delay": 0, "MaxAttempts": 1}
    iam.create_user(UserName="alice")
    iam.get_waiter("user_exists").wait(UserName="alice", WaiterConfig=once)
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting("ec2.amazonaws.com"))
    iam.get_waiter("role_exists").wait(RoleName="deploy", WaiterConfig=once)
    arn = iam.create_policy(PolicyName="own", PolicyDocument=allowing("s3:*"))["Policy"]["Arn"]
    iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig=once)
    iam.create_instance_profile(InstanceProfileName="web")
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="web", WaiterConfig=once)
