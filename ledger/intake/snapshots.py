"""Snapshots: the output of `aws iam get-account-authorization-details`, and the record that keeps one.

The answer tells users, groups, roles (with their instance profiles) and managed policies with all versions. It
tells no access keys, login profiles, MFA devices, and no instance profiles without a role.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from immutables import Map

from ledger.account.codec import version_number
from ledger.account.dates import read_date
from ledger.account.entities import (
    Attachment,
    Boundary,
    DefaultVersion,
    Group,
    InlinePolicy,
    InstanceProfile,
    ManagedPolicy,
    Membership,
    PolicyDocument,
    PolicyVersion,
    ProfiledRole,
    Role,
    Tag,
    TrustPolicy,
    User,
)
from ledger.account.texts import read_policy
from ledger.own_records import SOURCE, own_record
from ledger.record import RecordRejected, canonical, format_time, parse_time

EVENT_NAME = "ImportAccountSnapshot"
ACTION = f"{SOURCE}:{EVENT_NAME}"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class SnapshotRejected(ValueError):
    """This is no whole snapshot of the account. The message says what was found, and where."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the account was, each grant made by the entry that keeps the snapshot."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    roles: tuple[Role, ...]
    policies: tuple[ManagedPolicy, ...]
    instance_profiles: tuple[InstanceProfile, ...]


def snapshot_record(document: Any, taken_at: str, account_id: str) -> dict[str, Any]:
    """The record that keeps a snapshot; raises SnapshotRejected. The same snapshot gives the same record."""
    try:
        at = parse_time(taken_at)
    except RecordRejected as error:
        raise SnapshotRejected(
            f"the time at which the snapshot was taken is no ISO 8601 time: {taken_at!r}"
        ) from error
    details = merge_pages(document)
    read_snapshot(details, account_id=account_id, made_by=0)
    parameters = {"takenAt": format_time(at), "details": details}
    digest = hashlib.sha256(canonical({"account": account_id, **parameters})).digest()
    event_id = str(uuid.UUID(bytes=digest[:16], version=5))
    return own_record(account_id, ACTION, parameters, at=at, event_id=event_id)


def merge_pages(document: Any) -> dict[str, list[Any]]:
    """The four lists of one answer, or of the list of its pages; raises SnapshotRejected."""
    pages = document if isinstance(document, list) else [document]
    merged: dict[str, list[Any]] = {}
    for number, page in enumerate(pages):
        if not isinstance(page, Mapping):
            raise SnapshotRejected(f"page {number} is not an object but {_kind(page)}")
        for name in LISTS:
            found = page.get(name)
            if found is not None and not isinstance(found, list):
                raise SnapshotRejected(f"{name} is not a list but {_kind(found)}")
            if found is not None:
                merged.setdefault(name, []).extend(found)
    missing = [name for name in LISTS if name not in merged]
    if missing:
        raise SnapshotRejected(
            f"{' and '.join(missing)} missing; give the whole output of `aws iam get-account-authorization-details`"
        )
    last = pages[-1]
    if (
        last.get("NextToken")
        or (last.get("IsTruncated") in (True, "true") and len(pages) == 1)
        or _open_end(pages)
    ):
        raise SnapshotRejected("the snapshot is cut short: more pages follow; take it without --max-items")
    return merged


def read_snapshot(document: Any, *, account_id: str, made_by: int) -> Snapshot:
    """What a snapshot says; raises SnapshotRejected."""
    details = merge_pages(document)
    groups = tuple(_group(place, made_by) for place in _places(details, "GroupDetailList"))
    group_ids = {group.name.casefold(): group.id for group in groups}
    role_places = list(_places(details, "RoleDetailList"))
    snapshot = Snapshot(
        users=tuple(_user(place, made_by, group_ids) for place in _places(details, "UserDetailList")),
        groups=groups,
        roles=tuple(_role(place, made_by) for place in role_places),
        policies=tuple(_policy(place, made_by) for place in _places(details, "Policies")),
        instance_profiles=_instance_profiles(role_places, made_by),
    )
    _check(snapshot, account_id)
    return snapshot


def _check(snapshot: Snapshot, account_id: str) -> None:
    """Each id and each name once, and all of this account."""
    for listed in (
        snapshot.users,
        snapshot.groups,
        snapshot.roles,
        snapshot.policies,
        snapshot.instance_profiles,
    ):
        ids: set[str] = set()
        names: set[str] = set()
        for entity in listed:
            name = entity.arn if isinstance(entity, ManagedPolicy) else entity.name.casefold()
            if entity.id in ids or name in names:
                raise SnapshotRejected(f"{entity.arn} is there twice")
            ids.add(entity.id)
            names.add(name)
            owner = entity.arn.split(":")[4:5]
            if owner != [account_id] and not (isinstance(entity, ManagedPolicy) and owner == ["aws"]):
                raise SnapshotRejected(f"{entity.arn} does not belong to account {account_id}")


# ---- entities


class _Place:
    """An object in the snapshot that knows where it stands."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise SnapshotRejected(f"{where} is not an object but {_kind(value)}")
        self._value = value
        self.where = where

    def text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            raise SnapshotRejected(f"{self.where}.{name} is not a text but {_kind(value)}")
        return value

    def any_text(self, name: str) -> str:
        value = self._value.get(name)
        if not isinstance(value, str):
            raise SnapshotRejected(f"{self.where}.{name} is not a text but {_kind(value)}")
        return value

    def optional(self, name: str) -> str | None:
        return None if self._value.get(name) is None else self.any_text(name)

    def number(self, name: str) -> int | None:
        value = self._value.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def true(self, name: str) -> bool:
        return self._value.get(name) in (True, "true")

    def date(self, name: str) -> int | None:
        return read_date(self._value.get(name))

    def policy(self, name: str) -> PolicyDocument:
        document = read_policy(self._value.get(name))
        if document is None:
            raise SnapshotRejected(f"{self.where}.{name} is not a policy but {_kind(self._value.get(name))}")
        return document

    def within(self, name: str) -> _Place | None:
        value = self._value.get(name)
        return None if value is None else _Place(value, f"{self.where}.{name}")

    def places(self, name: str) -> Iterable[_Place]:
        return (_Place(item, f"{self.where}.{name}[{index}]") for index, item in enumerate(self._list(name)))

    def texts(self, name: str) -> Iterable[str]:
        for index, item in enumerate(self._list(name)):
            if not isinstance(item, str):
                raise SnapshotRejected(f"{self.where}.{name}[{index}] is not a text but {_kind(item)}")
            yield item

    def _list(self, name: str) -> list[Any]:
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise SnapshotRejected(f"{self.where}.{name} is not a list but {_kind(value)}")
        return value


def _places(details: Mapping[str, list[Any]], name: str) -> Iterable[_Place]:
    return (_Place(item, f"{name}[{index}]") for index, item in enumerate(details[name]))


def _named(place: _Place, noun: str, made_by: int) -> dict[str, Any]:
    return {
        "id": place.text(f"{noun}Id"),
        "name": place.text(f"{noun}Name"),
        "path": place.text("Path"),
        "arn": place.text("Arn"),
        "create_date": place.date("CreateDate"),
        "created_by": made_by,
    }


def _user(place: _Place, made_by: int, group_ids: Mapping[str, str]) -> User:
    memberships = {}
    for name in place.texts("GroupList"):
        group_id = group_ids.get(name.casefold())
        if group_id is None:
            raise SnapshotRejected(f"{place.where}.GroupList names {name!r}, which is not in GroupDetailList")
        memberships[group_id] = Membership(group_id, made_by)
    return User(
        **_named(place, "User", made_by),
        memberships=Map(memberships),
        attached=_attached(place, made_by),
        inline=_inline(place, "UserPolicyList", made_by),
        boundary=_boundary(place, made_by),
        tags=_tags(place, made_by),
    )


def _group(place: _Place, made_by: int) -> Group:
    return Group(
        **_named(place, "Group", made_by),
        attached=_attached(place, made_by),
        inline=_inline(place, "GroupPolicyList", made_by),
    )


def _role(place: _Place, made_by: int) -> Role:
    return Role(
        **_named(place, "Role", made_by),
        trust=TrustPolicy(place.policy("AssumeRolePolicyDocument"), made_by),
        attached=_attached(place, made_by),
        inline=_inline(place, "RolePolicyList", made_by),
        boundary=_boundary(place, made_by),
        tags=_tags(place, made_by),
        description=place.optional("Description"),
        max_session_duration=place.number("MaxSessionDuration"),
        max_signin_session_duration=place.number("MaxSigninSessionDuration"),
    )


def _policy(place: _Place, made_by: int) -> ManagedPolicy:
    versions = {
        version.text("VersionId"): PolicyVersion(
            version.text("VersionId"), version.policy("Document"), version.date("CreateDate"), made_by
        )
        for version in place.places("PolicyVersionList")
    }
    default = place.text("DefaultVersionId")
    if default not in versions:
        raise SnapshotRejected(
            f"{place.where}.PolicyVersionList has no {default}, which is the default version"
        )
    return ManagedPolicy(
        **_named(place, "Policy", made_by),
        versions=Map(versions),
        default=DefaultVersion(default, made_by),
        last_version=max(map(version_number, versions)),
        description=place.optional("Description"),
    )


def _instance_profiles(role_places: Iterable[_Place], made_by: int) -> tuple[InstanceProfile, ...]:
    found: dict[str, InstanceProfile] = {}
    for role in role_places:
        place = ProfiledRole(role.text("RoleId"), made_by)
        for told in role.places("InstanceProfileList"):
            profile_id = told.text("InstanceProfileId")
            there = found.get(profile_id)
            roles = (Map() if there is None else there.roles).set(place.role_id, place)
            found[profile_id] = InstanceProfile(
                **_named(told, "InstanceProfile", made_by), roles=roles, tags=_tags(told, made_by)
            )
    return tuple(found.values())


# ---- grants


def _attached(place: _Place, made_by: int) -> Map[str, Attachment]:
    arns = (it.text("PolicyArn") for it in place.places("AttachedManagedPolicies"))
    return Map({arn: Attachment(arn, made_by) for arn in arns})


def _inline(place: _Place, name: str, made_by: int) -> Map[str, InlinePolicy]:
    policies = (
        InlinePolicy(it.text("PolicyName"), it.policy("PolicyDocument"), made_by) for it in place.places(name)
    )
    return Map({policy.name: policy for policy in policies})


def _boundary(place: _Place, made_by: int) -> Boundary | None:
    told = place.within("PermissionsBoundary")
    return None if told is None else Boundary(told.text("PermissionsBoundaryArn"), made_by)


def _tags(place: _Place, made_by: int) -> Map[str, Tag]:
    """By key as it is written; `ledger.iam.snapshots` indexes them as the entity does."""
    tags = (Tag(it.text("Key"), it.any_text("Value"), made_by) for it in place.places("Tags"))
    return Map({tag.key: tag for tag in tags})


def _open_end(pages: list[Any]) -> bool:
    """Whether no page of several says that it is the last."""
    said = [page["IsTruncated"] in (True, "true") for page in pages if "IsTruncated" in page]
    return bool(said) and all(said)


def _kind(value: Any) -> str:
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:60]!r}"
