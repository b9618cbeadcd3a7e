"""Whom a record names. What was used must have been there, so what is unknown is assumed, and noted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from ledger.account.account import MADE_ID, Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.deletion import arn_of, delete
from ledger.account.entities import (
    Entity,
    Group,
    InstanceProfile,
    Kind,
    ManagedPolicy,
    Owner,
    PolicyVersion,
    Role,
    User,
)

ROOT_USER = "AWS ROOT USER"  # what CloudTrail calls root; no user can have a name with spaces
ROOT_NAME = "root"  # where an answer must name the owner of root's credentials
AWS_MANAGED = ":iam::aws:policy/"
NEVER_TOLD = (Reason.UNSEEN_CREATION, Reason.UNTOLD_ID, Reason.UNTOLD_PATH)

# ---- what is there already


def the_user(account: Account, change: Change, name: str | None = None) -> tuple[Account, User]:
    name = name or change.request.needed("UserName")
    found = account.user_named(name)
    if found is not None:
        return account, found
    user = User(**_never_told(account, change, Kind.USER, name))
    return account.assume(Reason.UNSEEN_CREATION, user.arn).put(user), user


def the_group(account: Account, change: Change) -> tuple[Account, Group]:
    name = change.request.needed("GroupName")
    found = account.group_named(name)
    if found is not None:
        return account, found
    group = Group(**_never_told(account, change, Kind.GROUP, name))
    return account.assume(Reason.UNSEEN_CREATION, group.arn).put(group), group


def the_role(account: Account, change: Change) -> tuple[Account, Role]:
    name = change.request.needed("RoleName")
    found = account.role_named(name)
    if found is not None:
        return account, found
    role = Role(**_never_told(account, change, Kind.ROLE, name))
    role = replace(role, assumed=(*role.assumed, Reason.UNKNOWN_TEXT))
    return account.assume(Reason.UNSEEN_CREATION, role.arn).put(role), role


def the_instance_profile(account: Account, change: Change) -> tuple[Account, InstanceProfile]:
    name = change.request.needed("InstanceProfileName")
    found = account.instance_profile_named(name)
    if found is not None:
        return account, found
    profile = InstanceProfile(**_never_told(account, change, Kind.INSTANCE_PROFILE, name))
    return account.assume(Reason.UNSEEN_CREATION, profile.arn).put(profile), profile


def the_policy(account: Account, arn: str) -> tuple[Account, ManagedPolicy]:
    """The customer's managed policy of this ARN; the ARN tells name and path, but not the text."""
    found = account.policy(arn)
    if found is not None:
        return account, found
    path, _, name = arn.partition(":policy/")[2].rpartition("/")
    policy = ManagedPolicy(
        id=f"{MADE_ID}policy/{arn.partition(':policy/')[2] or arn}",
        name=name or arn,
        path=f"/{path}/" if path else "/",
        arn=arn,
        default=None,
        last_version=1,
        assumed=(Reason.UNSEEN_CREATION, Reason.UNTOLD_ID, Reason.UNKNOWN_TEXT),
    )
    return account.assume(Reason.UNSEEN_CREATION, arn).put(policy), policy


def policy_in_use(account: Account, arn: str) -> Account:
    """The account, in which a policy of this ARN exists. Those of AWS exist without being kept here."""
    return account if AWS_MANAGED in arn else the_policy(account, arn)[0]


def the_owner(account: Account, change: Change) -> tuple[Account, Owner]:
    """Whose credential it is: the user who is named, root by its special name, or else the caller."""
    name = change.request.text("UserName")
    if name == ROOT_USER:
        return account, account.settings
    return the_caller(account, change) if name is None else the_user(account, change, name)


def the_caller(account: Account, change: Change) -> tuple[Account, Owner]:
    actor = change.actor
    if actor.kind == "Root":
        return account, account.settings
    if actor.kind == "IAMUser":
        by_id = account.users.get(actor.unique_id or "")
        if by_id is not None:
            return account, by_id
        if actor.name is not None:
            return the_user(account, change, actor.name)
    raise Unreadable("UserName")


def owner_name(owner: Owner) -> str:
    return owner.name if isinstance(owner, User) else ROOT_NAME


def absent(account: Account, what: str) -> Account:
    """What was removed was not known to be there; now at least it is certain that it is not."""
    return account.assume(Reason.ABSENT, what)


# ---- what a record creates


Created = TypeVar("Created", User, Group, Role, ManagedPolicy, InstanceProfile)


def created(account: Account, change: Change, kind: Kind, noun: str) -> dict[str, Any]:
    """What the creation of any named entity tells: the response where there is one, else the request."""
    told = change.response.within(noun)
    name = told.text(f"{noun}Name") or change.request.needed(f"{noun}Name")
    path = told.text("Path") or change.request.text("Path") or "/"
    unique_id = told.text(f"{noun}Id")
    created_at = told.date("CreateDate")
    return {
        "id": unique_id or f"{MADE_ID}{kind.value}{path}{name}",
        "name": name,
        "path": path,
        "arn": told.text("Arn") or arn_for(account, change, kind, path, name),
        "create_date": change.time if created_at is None else created_at,
        "created_by": change.position,
        "assumed": () if unique_id else (Reason.UNTOLD_ID,),
    }


def create(account: Account, entity: Created, there: Created | None) -> Account:
    """With the new entity. `there` is what had its name before: itself, seen early, or one deleted unseen."""
    if there is None:
        return account.put(entity)
    if there.id == entity.id and not entity.id.startswith(MADE_ID):
        return account.put(_seen_early(there, entity))
    return evict(account, there).put(entity)


def evict(account: Account, namesake: Entity) -> Account:
    """Without an entity whose name another has now: it was deleted, and no record shows so."""
    return delete(account.assume(Reason.UNSEEN_DELETION, arn_of(namesake)), namesake, None)


def _seen_early(there: Created, entity: Created) -> Created:
    """What was known before its creation was, keeps what it got in between."""
    whence: dict[str, Any] = {
        "name": entity.name,
        "path": entity.path,
        "arn": entity.arn,
        "create_date": entity.create_date,
        "created_by": entity.created_by,
        "assumed": entity.assumed,
    }
    match there, entity:
        case (User(), User()):
            whence |= {"boundary": there.boundary or entity.boundary, "tags": there.tags or entity.tags}
        case (Role(), Role()):
            whence |= {
                "trust": there.trust or entity.trust,
                "boundary": there.boundary or entity.boundary,
                "tags": there.tags or entity.tags,
                "description": entity.description,
                "max_session_duration": there.max_session_duration or entity.max_session_duration,
                "max_signin_session_duration": (
                    there.max_signin_session_duration or entity.max_signin_session_duration
                ),
            }
        case (ManagedPolicy(), ManagedPolicy()):
            whence |= {
                "versions": entity.versions.update(_with_text(there)),
                "default": there.default or entity.default,
                "description": entity.description,
                "tags": there.tags or entity.tags,
            }
        case (InstanceProfile(), InstanceProfile()):
            whence |= {"tags": there.tags or entity.tags}
    return replace(there, **whence)


def _with_text(policy: ManagedPolicy) -> dict[str, PolicyVersion]:
    return {version_id: it for version_id, it in policy.versions.items() if it.document is not None}


def arn_for(account: Account, change: Change, kind: Kind, path: str, name: str) -> str:
    partition = (change.actor.arn or "").split(":")[1:2] or ["aws"]
    return f"arn:{partition[0]}:iam::{account.id}:{kind.value}{path}{name}"


def _never_told(account: Account, change: Change, kind: Kind, name: str) -> dict[str, Any]:
    return {
        "id": f"{MADE_ID}{kind.value}/{name}",
        "name": name,
        "arn": arn_for(account, change, kind, "/", name),
        "assumed": NEVER_TOLD,
    }
