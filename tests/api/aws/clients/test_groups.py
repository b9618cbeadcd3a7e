"""Groups, who is in them, and their policies."""

from __future__ import annotations

import json

from tests.api.aws.clients.documents import READ_ONLY, allowing
from tests.api.aws.clients.watching import Watched


def test_a_group_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_group(GroupName="admins", Path="/team/")["Group"]
    assert (made["Arn"], made["GroupId"][:4]) == (aws.arn("group/team/admins"), "AGPA")
    iam.update_group(GroupName="admins", NewGroupName="operators", NewPath="/")
    assert [group["Arn"] for group in iam.list_groups()["Groups"]] == [aws.arn("group/operators")]
    iam.delete_group(GroupName="operators")
    assert iam.list_groups()["Groups"] == []


def test_members(aws: Watched) -> None:
    iam = aws.iam
    iam.create_group(GroupName="admins")
    for name in ("bob", "alice"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="admins", UserName=name)
    iam.add_user_to_group(GroupName="admins", UserName="bob")
    told = iam.get_group(GroupName="admins")
    assert [user["UserName"] for user in told["Users"]] == ["alice", "bob"]
    assert [it["GroupName"] for it in iam.list_groups_for_user(UserName="bob")["Groups"]] == ["admins"]
    with aws.refused("DeleteConflict", 409, "Cannot delete entity, must remove users from group first."):
        iam.delete_group(GroupName="admins")
    iam.remove_user_from_group(GroupName="admins", UserName="bob")
    assert iam.list_groups_for_user(UserName="bob")["Groups"] == []


def test_policies_of_a_group(aws: Watched) -> None:
    iam = aws.iam
    iam.create_group(GroupName="admins")
    iam.attach_group_policy(GroupName="admins", PolicyArn=READ_ONLY)
    attached = iam.list_attached_group_policies(GroupName="admins")["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    iam.put_group_policy(GroupName="admins", PolicyName="own", PolicyDocument=allowing("s3:*"))
    told = iam.get_group_policy(GroupName="admins", PolicyName="own")
    assert told["PolicyDocument"] == json.loads(allowing("s3:*"))
    assert iam.list_group_policies(GroupName="admins")["PolicyNames"] == ["own"]
    iam.delete_group_policy(GroupName="admins", PolicyName="own")
    iam.detach_group_policy(GroupName="admins", PolicyArn=READ_ONLY)
    assert iam.list_attached_group_policies(GroupName="admins")["AttachedPolicies"] == []
