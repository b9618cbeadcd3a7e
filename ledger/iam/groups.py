"""Groups: their names, members and policies."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import (
    Group,
    Kind,
    Membership,
    attaching,
    detaching,
    putting,
    removing,
    without,
)
from ledger.iam.names import renamed
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, create, created, evict, policy_in_use, the_group, the_user


@evolves("iam:CreateGroup", rank=Rank.CREATE)
def create_group(account: Account, change: Change) -> Account:
    group = Group(**created(account, change, Kind.GROUP, "Group"))
    return create(account, group, account.groups.get(group.id) or account.group_named(group.name))


@evolves("iam:UpdateGroup", rank=Rank.CHANGE)
def update_group(account: Account, change: Change) -> Account:
    """Members refer to the group by its id, so they follow; but what is shown of them changes."""
    account, group = the_group(account, change)
    now = renamed(group, change.request.text("NewGroupName"), change.request.text("NewPath"))
    namesake = account.group_named(now.name)
    if namesake is not None and namesake.id != group.id:
        account = evict(account, namesake)
    return account.put(now).touch(*account.members(group))


@evolves("iam:DeleteGroup", rank=Rank.DELETE)
def delete_group(account: Account, change: Change) -> Account:
    name = change.request.needed("GroupName")
    group = account.group_named(name)
    return absent(account, f"group/{name}") if group is None else delete(account, group, change.position)


@evolves("iam:AddUserToGroup", rank=Rank.GRANT)
def add_user_to_group(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    account, group = the_group(account, change)
    if group.id in user.memberships:
        return account
    membership = Membership(group.id, change.position)
    return account.put(replace(user, memberships=user.memberships.set(group.id, membership)))


@evolves("iam:RemoveUserFromGroup", rank=Rank.REVOKE)
def remove_user_from_group(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    account, group = the_group(account, change)
    if group.id not in user.memberships:
        return absent(account, f"{user.arn} in {group.arn}")
    return account.put(replace(user, memberships=without(user.memberships, group.id)))


@evolves("iam:AttachGroupPolicy", rank=Rank.GRANT)
def attach_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(group, arn, change.position))


@evolves("iam:DetachGroupPolicy", rank=Rank.REVOKE)
def detach_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in group.attached:
        return absent(account, f"{arn} attached to {group.arn}")
    return account.put(detaching(group, arn))


@evolves("iam:PutGroupPolicy", rank=Rank.GRANT)
def put_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {group.arn}")
    return account.put(putting(group, name, document, change.position))


@evolves("iam:DeleteGroupPolicy", rank=Rank.REVOKE)
def delete_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    name = change.request.needed("PolicyName")
    if name not in group.inline:
        return absent(account, f"{name} of {group.arn}")
    return account.put(removing(group, name))
