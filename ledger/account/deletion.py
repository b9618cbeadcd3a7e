"""What goes when an entity goes, and what follows when its id becomes known."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ledger.account.account import MADE_ID, Account
from ledger.account.assumptions import Reason
from ledger.account.entities import (
    Deleted,
    Entity,
    Group,
    InstanceProfile,
    ManagedPolicy,
    Membership,
    Named,
    ProfiledRole,
    Role,
    User,
    detaching,
    without,
)

Renumbered = TypeVar("Renumbered", User, Group, Role, ManagedPolicy, InstanceProfile)


def delete(account: Account, entity: Entity, deleted_by: int | None) -> Account:
    """Without the entity, what hung on it and what referred to it.

    AWS deletes nothing that something still hangs on, so where something does, the log has a hole: that is noted.
    """
    freed, cascaded = _cut_loose(_unnamed(account, entity), entity)
    if cascaded:
        freed = freed.assume(Reason.CASCADE, arn_of(entity))
    return _bury(freed.drop(entity.kind, entity.id), entity, deleted_by)


def remove(account: Account, entity: Entity, deleted_by: int | None) -> Account:
    """The same, where it is known that the entity is gone, whatever hung on it."""
    freed, _ = _cut_loose(_unnamed(account, entity), entity)
    return _bury(freed.drop(entity.kind, entity.id), entity, deleted_by)


def _bury(account: Account, entity: Entity, deleted_by: int | None) -> Account:
    """Keep the ids that never come again."""
    gone = (entity.id, *entity.access_keys) if isinstance(entity, User) else (entity.id,)
    for gone_id in gone:
        if isinstance(entity, Named) and not gone_id.startswith(MADE_ID):
            account = account.put(Deleted(id=gone_id, name=arn_of(entity), deleted_by=deleted_by))
    return account


def renumber(account: Account, entity: Renumbered, unique_id: str) -> Account:
    """The same entity under the unique id that has become known; what refers to it follows."""
    now = replace(
        entity, id=unique_id, assumed=tuple(it for it in entity.assumed if it is not Reason.UNTOLD_ID)
    )
    members: list[User] = list(account.members(entity)) if isinstance(entity, Group) else []
    profiles: list[InstanceProfile] = list(account.profiles_of(entity)) if isinstance(entity, Role) else []
    account = account.drop(entity.kind, entity.id).put(now)
    for user in members:
        moved = Membership(unique_id, user.memberships[entity.id].made_by)
        memberships = without(user.memberships, entity.id).set(unique_id, moved)
        account = account.put(replace(user, memberships=memberships))
    for profile in profiles:
        place = ProfiledRole(unique_id, profile.roles[entity.id].made_by)
        account = account.put(replace(profile, roles=without(profile.roles, entity.id).set(unique_id, place)))
    return account


def arn_of(entity: Entity) -> str:
    return entity.arn if isinstance(entity, Named) else entity.id


def _unnamed(account: Account, entity: Entity) -> Account:
    """Trust policies that named the user or role show its unique id from now on, so a namesake is not trusted."""
    if isinstance(entity, User | Role) and not entity.id.startswith(MADE_ID):
        return account.naming_in_trusts(entity.arn, entity.id)
    return account


def _cut_loose(account: Account, entity: Entity) -> tuple[Account, bool]:
    """Without what others say of the entity; and whether anything still hung on it."""
    match entity:
        case User():
            parts = (entity.memberships, entity.attached, entity.inline, entity.access_keys)
            more = (entity.mfa_devices, entity.credentials)
            return account, any(parts) or any(more) or entity.login_profile is not None
        case Group():
            members: list[User] = list(account.members(entity))
            for user in members:
                account = account.put(replace(user, memberships=without(user.memberships, entity.id)))
            return account, bool(members or entity.attached or entity.inline)
        case Role():
            profiles = list(account.profiles_of(entity))
            for profile in profiles:
                account = account.put(replace(profile, roles=without(profile.roles, entity.id)))
            return account, bool(profiles or entity.attached or entity.inline)
        case ManagedPolicy():
            holders = list(account.holders_of(entity.arn))
            for holder in holders:
                account = account.put(_released(holder, entity.arn))
            return account, bool(holders) or len(entity.versions) > 1
        case InstanceProfile():
            housed = [account.roles[role_id] for role_id in entity.roles]
            return account.touch(*housed), bool(housed)
    return account, False


def _released(holder: User | Group | Role, policy_arn: str) -> User | Group | Role:
    match holder:
        case Group():
            return detaching(holder, policy_arn)
        case User():
            freed = detaching(holder, policy_arn)
            bound = freed.boundary is not None and freed.boundary.policy_arn == policy_arn
            return replace(freed, boundary=None) if bound else freed
        case Role():
            released = detaching(holder, policy_arn)
            held = released.boundary is not None and released.boundary.policy_arn == policy_arn
            return replace(released, boundary=None) if held else released
