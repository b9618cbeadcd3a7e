"""Groups: their names and who is in them. Source: IAM API reference, "CreateGroup" and its kin."""

from __future__ import annotations

from typing import Any

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import Group, Kind
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import GROUPS, room_for_one_more
from ledger.iam.names import new_name_too, renamed
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import group_named
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists
from ledger.iam.subjects import absent, create, created, evict, the_group
from ledger.iam.targets import a_group, arn, listed, new
from ledger.iam.users import brief


def shown(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.create_date,
    }


@decides("iam:CreateGroup", on=new("group", "GroupName"))
def decide_create_group(account: Account, call: Call, moment: Moment) -> Answer:
    name, path = call["GroupName"], call.get("Path", "/")
    if account.group_named(name) is not None:
        raise EntityAlreadyExists(f"Group with name {name} already exists.")
    room_for_one_more(account.groups, GROUPS, "GroupsPerAccount")
    group = Group(
        id=moment.unique_id("AGPA"),
        name=name,
        path=path,
        arn=arn(account, f"group{path}{name}"),
        create_date=moment.time,
    )
    return Answer({"Group": shown(group)})


@evolves("iam:CreateGroup", rank=Rank.CREATE)
def create_group(account: Account, change: Change) -> Account:
    group = Group(**created(account, change, Kind.GROUP, "Group"))
    return create(account, group, account.groups.get(group.id) or account.group_named(group.name))


@decides("iam:GetGroup", on=a_group)
def get_group(account: Account, call: Call, moment: Moment) -> Answer:
    """The group, and its members a page at a time."""
    group = group_named(account, call["GroupName"])
    members = paged(call, "Users", account.members(group), lambda user: user.name.casefold(), brief)
    return Answer({"Group": shown(group), **members})


@decides("iam:ListGroups", on=listed("group"))
def list_groups(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (group for group in account.groups.values() if group.path.startswith(prefix))
    return Answer(paged(call, "Groups", found, lambda group: group.name.casefold(), shown))


@decides("iam:UpdateGroup", on=a_group, also=new_name_too("iam:UpdateGroup", Kind.GROUP))
def decide_update_group(account: Account, call: Call, moment: Moment) -> Answer:
    group = group_named(account, call["GroupName"])
    namesake = account.group_named(call.get("NewGroupName", group.name))
    if namesake is not None and namesake.id != group.id:
        raise EntityAlreadyExists(f"Group with name {call['NewGroupName']} already exists.")
    return NOTHING


@evolves("iam:UpdateGroup", rank=Rank.CHANGE)
def update_group(account: Account, change: Change) -> Account:
    """Members refer to the group by its id, so they follow; but what is shown of them changes."""
    account, group = the_group(account, change)
    now = renamed(group, change.request.text("NewGroupName"), change.request.text("NewPath"))
    namesake = account.group_named(now.name)
    if namesake is not None and namesake.id != group.id:
        account = evict(account, namesake)
    return account.put(now).touch(*account.members(group))


@decides("iam:DeleteGroup", on=a_group)
def decide_delete_group(account: Account, call: Call, moment: Moment) -> Answer:
    group = group_named(account, call["GroupName"])
    if any(account.members(group)):
        raise DeleteConflict("Cannot delete entity, must remove users from group first.")
    if group.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    if group.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    return NOTHING


@evolves("iam:DeleteGroup", rank=Rank.DELETE)
def delete_group(account: Account, change: Change) -> Account:
    name = change.request.needed("GroupName")
    group = account.group_named(name)
    return absent(account, f"group/{name}") if group is None else delete(account, group, change.position)
