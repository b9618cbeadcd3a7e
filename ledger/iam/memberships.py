"""Memberships: which users are in which groups. Source: IAM API reference, "AddUserToGroup" and its kin.

AWS answers adding a member and removing who is no member as if there had been something to do. Whom it misses first
where there is neither user nor group is known of removing only: the user.
"""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Membership, without
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.groups import shown
from ledger.iam.limits import GROUPS_PER_USER, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import group_named, user_named
from ledger.iam.subjects import the_group, the_user
from ledger.iam.targets import a_group, a_user


@decides("iam:AddUserToGroup", on=a_group)
def decide_add_user_to_group(account: Account, call: Call, moment: Moment) -> Answer:
    user = user_named(account, call["UserName"])
    group = group_named(account, call["GroupName"])
    if group.id not in user.memberships:
        room_for_one_more(user.memberships, GROUPS_PER_USER, "GroupsPerUser")
    return NOTHING


@evolves("iam:AddUserToGroup", rank=Rank.GRANT)
def add_user_to_group(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    account, group = the_group(account, change)
    if group.id in user.memberships:
        return account
    membership = Membership(group.id, change.position)
    return account.put(replace(user, memberships=user.memberships.set(group.id, membership)))


@decides("iam:RemoveUserFromGroup", on=a_group)
def decide_remove_user_from_group(account: Account, call: Call, moment: Moment) -> Answer:
    user_named(account, call["UserName"])
    group_named(account, call["GroupName"])
    return NOTHING


@evolves("iam:RemoveUserFromGroup", rank=Rank.REVOKE)
def remove_user_from_group(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    account, group = the_group(account, change)
    return account.put(replace(user, memberships=without(user.memberships, group.id)))


@decides("iam:ListGroupsForUser", on=a_user)
def list_groups_for_user(account: Account, call: Call, moment: Moment) -> Answer:
    user = user_named(account, call["UserName"])
    found = (account.groups[group_id] for group_id in user.memberships if group_id in account.groups)
    return Answer(paged(call, "Groups", found, lambda group: group.name.casefold(), shown))
