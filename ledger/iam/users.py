"""Users: their names, policies, boundaries and tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import (
    Boundary,
    Kind,
    User,
    attaching,
    bounded_by,
    detaching,
    putting,
    removing,
    tagging,
    untagging,
)
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import USERS, room_for_one_more
from ledger.iam.names import renamed
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import boundary_there, owner_named, user_named
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists
from ledger.iam.subjects import absent, create, created, evict, policy_in_use, the_user
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
    return Answer({"User": {"UserId": account.id, "Arn": arn(account, "root")}})


@decides("iam:ListUsers", on=listed("user"))
def list_users(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (user for user in account.users.values() if user.path.startswith(prefix))
    return Answer(paged(call, "Users", found, lambda user: user.name.casefold(), brief))


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
    if user.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    if user.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if user.memberships or user.access_keys or user.mfa_devices or user.login_profile or user.credentials:
        raise DeleteConflict("Cannot delete entity, must remove referenced objects first.")
    return NOTHING


@evolves("iam:DeleteUser", rank=Rank.DELETE)
def delete_user(account: Account, change: Change) -> Account:
    name = change.request.needed("UserName")
    user = account.user_named(name)
    return absent(account, f"user/{name}") if user is None else delete(account, user, change.position)


@evolves("iam:AttachUserPolicy", rank=Rank.GRANT)
def attach_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(user, arn, change.position))


@evolves("iam:DetachUserPolicy", rank=Rank.REVOKE)
def detach_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in user.attached:
        return absent(account, f"{arn} attached to {user.arn}")
    return account.put(detaching(user, arn))


@evolves("iam:PutUserPolicy", rank=Rank.GRANT)
def put_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {user.arn}")
    return account.put(putting(user, name, document, change.position))


@evolves("iam:DeleteUserPolicy", rank=Rank.REVOKE)
def delete_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    name = change.request.needed("PolicyName")
    if name not in user.inline:
        return absent(account, f"{name} of {user.arn}")
    return account.put(removing(user, name))


@evolves("iam:PutUserPermissionsBoundary", rank=Rank.GRANT)
def put_user_permissions_boundary(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PermissionsBoundary")
    return policy_in_use(account, arn).put(bounded_by(user, arn, change.position))


@evolves("iam:DeleteUserPermissionsBoundary", rank=Rank.REVOKE)
def delete_user_permissions_boundary(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    if user.boundary is None:
        return absent(account, f"the permissions boundary of {user.arn}")
    return account.put(replace(user, boundary=None))


@evolves("iam:TagUser", rank=Rank.CHANGE)
def tag_user(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    return account.put(tagging(user, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagUser", rank=Rank.REVOKE)
def untag_user(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    return account.put(untagging(user, change.request.texts("TagKeys")))
