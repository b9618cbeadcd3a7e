"""Users: their names, boundaries and tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import (
    Boundary,
    CredentialKind,
    Kind,
    User,
    bounded_by,
    tagging,
)
from ledger.iam.attaching import check_attachable
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import USERS, room_for_one_more
from ledger.iam.names import new_name_too, renamed
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import boundary_there, owner_named, user_named
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists
from ledger.iam.subjects import absent, create, created, evict, policy_in_use, the_user
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import a_user, arn, listed, new


def shown(user: User) -> dict[str, Any]:
    """A user as GetUser answers; listings leave out the boundary and the tags."""
    told = brief(user)
    if user.boundary is not None:
        told["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": user.boundary.policy_arn,
        }
    if user.tags:
        told["Tags"] = shown_tags(user.tags)
    return told


def shown_root(account: Account) -> dict[str, Any]:
    """Root as GetUser answers root; the name is the account's alias, where it has one."""
    alias, profile = account.settings.alias, account.settings.login_profile
    return {
        "Path": "/",
        "UserName": "root" if alias is None else alias.name,
        "UserId": account.id,
        "Arn": arn(account, "root"),
        "CreateDate": 0 if profile is None or profile.create_date is None else profile.create_date,
    }


def brief(user: User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
    }


@decides(
    "iam:CreateUser",
    on=new("user", "UserName"),
    also=tagging_too("iam:TagUser", new("user", "UserName")),
)
def decide_create_user(account: Account, call: Call, moment: Moment) -> Answer:
    name, path, boundary = call["UserName"], call.get("Path", "/"), call.get("PermissionsBoundary")
    if account.user_named(name) is not None:
        raise EntityAlreadyExists(f"User with name {name} already exists.")
    room_for_one_more(account.users, USERS, "UsersPerAccount")
    user = User(
        id=moment.unique_id("AIDA"),
        name=name,
        path=path,
        arn=arn(account, f"user{path}{name}"),
        create_date=moment.time,
        boundary=None if boundary is None else Boundary(boundary_there(account, boundary, moment.time), None),
        tags=new_tags(User, Map(), call),
    )
    return Answer({"User": shown(user)})


@evolves("iam:CreateUser", rank=Rank.CREATE)
def create_user(account: Account, change: Change) -> Account:
    user = User(**created(account, change, Kind.USER, "User"))
    boundary = change.request.text("PermissionsBoundary")
    if boundary is not None:
        account = policy_in_use(account, boundary)
        user = replace(user, boundary=Boundary(boundary, change.position))
    user = tagging(user, change.request.pairs("Tags"), change.position)
    return create(account, user, account.users.get(user.id) or account.user_named(user.name))


@decides("iam:GetUser", on=a_user)
def get_user(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    if isinstance(owner, User):
        return Answer({"User": shown(owner)})
    return Answer({"User": shown_root(account)})


@decides("iam:ListUsers", on=listed("user"))
def list_users(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (user for user in account.users.values() if user.path.startswith(prefix))
    return Answer(paged(call, "Users", found, lambda user: user.name.casefold(), brief))


@decides("iam:UpdateUser", on=a_user, also=new_name_too("iam:UpdateUser", Kind.USER))
def decide_update_user(account: Account, call: Call, moment: Moment) -> Answer:
    user = user_named(account, call["UserName"])
    namesake = account.user_named(call.get("NewUserName", user.name))
    if namesake is not None and namesake.id != user.id:
        raise EntityAlreadyExists(f"User with name {call['NewUserName']} already exists.")
    return NOTHING


@evolves("iam:UpdateUser", rank=Rank.CHANGE)
def update_user(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    now = renamed(user, change.request.text("NewUserName"), change.request.text("NewPath"))
    namesake = account.user_named(now.name)
    if namesake is not None and namesake.id != user.id:
        account = evict(account, namesake)
    return account.naming_in_trusts(user.arn, now.arn).put(now)


@decides("iam:DeleteUser", on=a_user)
def decide_delete_user(account: Account, call: Call, moment: Moment) -> Answer:
    user = user_named(account, call["UserName"])
    for what, there in _in_the_way(user):
        if there:
            raise DeleteConflict(f"Cannot delete entity, must {what} first.")
    return NOTHING


def _in_the_way(user: User) -> Iterable[tuple[str, object]]:
    """What must go before the user can. AWS's words are on record, but not which come first."""
    kinds = {credential.kind for credential in user.credentials.values()}
    return (
        ("delete policies", user.inline),
        ("detach all policies", user.attached),
        ("delete login profile", user.login_profile is not None),
        ("delete access keys", user.access_keys),
        ("delete certificates", CredentialKind.SIGNING_CERTIFICATE in kinds),
        ("delete MFA device", user.mfa_devices),
        ("remove users from group", user.memberships),
        ("remove referenced objects", kinds),
    )


@evolves("iam:DeleteUser", rank=Rank.DELETE)
def delete_user(account: Account, change: Change) -> Account:
    name = change.request.needed("UserName")
    user = account.user_named(name)
    return absent(account, f"user/{name}") if user is None else delete(account, user, change.position)


@decides("iam:PutUserPermissionsBoundary", on=a_user)
def decide_put_user_permissions_boundary(account: Account, call: Call, moment: Moment) -> Answer:
    user_named(account, call["UserName"])
    check_attachable(User, boundary_there(account, call["PermissionsBoundary"], moment.time))
    return NOTHING


@evolves("iam:PutUserPermissionsBoundary", rank=Rank.GRANT)
def put_user_permissions_boundary(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PermissionsBoundary")
    return policy_in_use(account, arn).put(bounded_by(user, arn, change.position))


@decides("iam:DeleteUserPermissionsBoundary", on=a_user)
def decide_delete_user_permissions_boundary(account: Account, call: Call, moment: Moment) -> Answer:
    """Where there is no boundary the call has nothing to do: the API reference names no error for that."""
    user_named(account, call["UserName"])
    return NOTHING


@evolves("iam:DeleteUserPermissionsBoundary", rank=Rank.REVOKE)
def delete_user_permissions_boundary(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    return account.put(replace(user, boundary=None))


taggable(
    "User", User, on=a_user, there=lambda account, call: user_named(account, call["UserName"]), told=the_user
)
