"""A snapshot of the account: from here on it is as AWS said it was, whatever the records before had left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from immutables import Map

from ledger.account.account import MADE_ID, Account
from ledger.account.change import Change, Unreadable
from ledger.account.deletion import remove, renumber
from ledger.account.entities import (
    EMPTY,
    Attachment,
    Boundary,
    DefaultVersion,
    Group,
    InlinePolicy,
    InstanceProfile,
    ManagedPolicy,
    Membership,
    PolicyVersion,
    ProfiledRole,
    Role,
    Tag,
    TrustPolicy,
    User,
    tag_index,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import policy_in_use
from ledger.intake.snapshots import ACTION, Snapshot, SnapshotRejected, read_snapshot

Told = TypeVar("Told", User, Group, Role, ManagedPolicy, InstanceProfile)
Grant = TypeVar(
    "Grant",
    Membership,
    Attachment,
    InlinePolicy,
    Boundary,
    TrustPolicy,
    PolicyVersion,
    DefaultVersion,
    ProfiledRole,
    Tag,
)


@evolves(ACTION, rank=Rank.BASELINE)
def import_account_snapshot(account: Account, change: Change) -> Account:
    """Users keep the keys, passwords and MFA devices that are known of them: a snapshot tells nothing of these.

    What was there before and still is keeps the entries that made it, so provenance outlives a later snapshot.
    """
    details = change.record.request.get("details")
    try:
        snapshot = read_snapshot(details, account_id=account.id, made_by=change.position)
    except SnapshotRejected as error:
        raise Unreadable(str(error)) from error
    account = _only(account, snapshot, change.position)
    for policy in snapshot.policies:
        account = account.put(_policy(account.policies.get(policy.id), policy))
    for group in snapshot.groups:
        account = account.put(_group(account.groups.get(group.id), group))
    for role in snapshot.roles:
        account = account.put(_role(account.roles.get(role.id), role))
    for user in snapshot.users:
        account = account.put(_user(account.users.get(user.id), user))
    account = _with_profiles(account, snapshot.instance_profiles)
    for arn in sorted(_policies_in_use(snapshot)):
        account = policy_in_use(account, arn)
    return account


def _policies_in_use(snapshot: Snapshot) -> set[str]:
    attached = [it.attached for listed in (snapshot.users, snapshot.groups, snapshot.roles) for it in listed]
    boundaries = [it.boundary for it in snapshot.users] + [it.boundary for it in snapshot.roles]
    arns = {arn for policies in attached for arn in policies}
    return arns | {boundary.policy_arn for boundary in boundaries if boundary is not None}


def _only(account: Account, snapshot: Snapshot, position: int) -> Account:
    """The account without what the snapshot does not know, and with the ids that it tells."""
    account = _matched(account, snapshot.policies, account.policies, position)
    account = _matched(account, snapshot.groups, account.groups, position)
    account = _matched(account, snapshot.roles, account.roles, position)
    account = _matched(account, snapshot.users, account.users, position)
    profiles = account.instance_profiles
    told = {it.id for it in snapshot.instance_profiles}
    # A profile that is not told may still be there, without a role; only namesakes are certain to be gone.
    names = {it.name.casefold() for it in snapshot.instance_profiles}
    doubted = {key: it for key, it in profiles.items() if key in told or it.name.casefold() in names}
    return _matched(account, snapshot.instance_profiles, Map(doubted), position)


def _matched(account: Account, told: Iterable[Told], there: Map[str, Told], position: int) -> Account:
    ids = {entity.id for entity in told}
    by_name = {_name(entity): entity.id for entity in told}
    for entity in sorted(there.values(), key=lambda it: it.id):
        now = by_name.get(_name(entity))
        if entity.id in ids:
            continue
        if now is not None and entity.id.startswith(MADE_ID) and now not in there:
            account = renumber(account, entity, now)
        else:
            account = remove(account, entity, position)
    return account


def _name(entity: User | Group | Role | ManagedPolicy | InstanceProfile) -> str:
    return entity.arn if isinstance(entity, ManagedPolicy) else entity.name.casefold()


# ---- what is kept of what was known


def _user(there: User | None, told: User) -> User:
    told = replace(told, tags=_indexed(told, told.tags))
    if there is None:
        return told
    return replace(
        there,
        **_whence(there, told),
        memberships=_kept(there.memberships, told.memberships),
        attached=_kept(there.attached, told.attached),
        inline=_kept_texts(there.inline, told.inline),
        boundary=_same(there.boundary, told.boundary),
        tags=_kept(there.tags, told.tags),
    )


def _group(there: Group | None, told: Group) -> Group:
    if there is None:
        return told
    return replace(
        there,
        **_whence(there, told),
        attached=_kept(there.attached, told.attached),
        inline=_kept_texts(there.inline, told.inline),
    )


def _role(there: Role | None, told: Role) -> Role:
    told = replace(told, tags=_indexed(told, told.tags))
    if there is None:
        return told
    return replace(
        there,
        **_whence(there, told),
        trust=_same(there.trust, told.trust),
        attached=_kept(there.attached, told.attached),
        inline=_kept_texts(there.inline, told.inline),
        boundary=_same(there.boundary, told.boundary),
        tags=_kept(there.tags, told.tags),
        description=told.description or there.description,  # older outputs tell neither of these two
        max_session_duration=told.max_session_duration or there.max_session_duration,
        max_signin_session_duration=told.max_signin_session_duration or there.max_signin_session_duration,
    )


def _policy(there: ManagedPolicy | None, told: ManagedPolicy) -> ManagedPolicy:
    if there is None:
        return told
    versions = {
        version_id: _same_version(there.versions.get(version_id), version)
        for version_id, version in told.versions.items()
    }
    return replace(
        there,
        **_whence(there, told),
        versions=Map(versions),
        default=_same(there.default, told.default),
        last_version=max(there.last_version, told.last_version),
        description=told.description,
    )


def _with_profiles(account: Account, profiles: Iterable[InstanceProfile]) -> Account:
    told = {profile.id: profile for profile in profiles}
    for profile in sorted(account.instance_profiles.values(), key=lambda it: it.id):
        if profile.id not in told and profile.roles:
            account = account.touch(*(account.roles[role_id] for role_id in profile.roles))
            account = account.put(replace(profile, roles=EMPTY))
    for profile in told.values():
        there = account.instance_profiles.get(profile.id)
        if there is not None:
            profile = replace(
                there,
                **_whence(there, profile),
                roles=_kept(there.roles, profile.roles),
                tags=_kept(there.tags, profile.tags),
            )
        if profile != there:
            housed = {*profile.roles, *(() if there is None else there.roles)}
            account = account.put(profile).touch(*(account.roles[role_id] for role_id in sorted(housed)))
    return account


def _whence(there: Told, told: Told) -> dict[str, Any]:
    return {
        "name": told.name,
        "path": told.path,
        "arn": told.arn,
        "create_date": told.create_date if there.create_date is None else there.create_date,
        "created_by": told.created_by if there.created_by is None else there.created_by,
        "assumed": (),
    }


def _same(there: Grant | None, told: Grant | None) -> Grant | None:
    """The grant as it is told; made by whom it was known to be made by, if it is the same."""
    if there is None or told is None or there.made_by is None:
        return told
    kept = replace(told, made_by=there.made_by)
    return kept if kept == there else told


def _same_version(there: PolicyVersion | None, told: PolicyVersion) -> PolicyVersion:
    """A version never changes: one id, one text."""
    if there is None or there.made_by is None:
        return told
    return replace(told, made_by=there.made_by, create_date=there.create_date)


def _kept(there: Map[str, Grant], told: Map[str, Grant]) -> Map[str, Grant]:
    kept = {key: same for key, grant in told.items() if (same := _same(there.get(key), grant)) is not None}
    return there if Map(kept) == there else Map(kept)


def _kept_texts(there: Map[str, InlinePolicy], told: Map[str, InlinePolicy]) -> Map[str, InlinePolicy]:
    """The same; a text that was hidden in its record is taken to be the one that is told now."""
    hidden = {
        name: replace(told[name], made_by=policy.made_by)
        for name, policy in there.items()
        if policy.document is None and name in told
    }
    return _kept(there.update(hidden), told)


def _indexed(entity: User | Role, tags: Map[str, Tag]) -> Map[str, Tag]:
    return Map({tag_index(entity, tag.key): tag for tag in tags.values()})
