"""GetAccountAuthorizationDetails: all users, groups, roles and policies, as `iam-ledger import --snapshot` reads them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from immutables import Map

from api.aws.answers.last_used import role_last_used
from api.aws.answers.reading import reads
from ledger.account.account import Account
from ledger.account.codec import version_number
from ledger.account.entities import (
    Attachment,
    Boundary,
    DefaultVersion,
    Group,
    InlinePolicy,
    InstanceProfile,
    ManagedPolicy,
    Named,
    PolicyVersion,
    Role,
    User,
)
from ledger.account.managed_policies import managed_policy, versions
from ledger.iam.deciding import UNIQUE_ID_CHARACTERS, Answer, Call, Moment, anything
from ledger.iam.documents import encoded
from ledger.iam.paging import paged
from ledger.iam.tags import shown_tags
from ledger.policy.entitlements import AWS_MANAGED
from projections.investigation import Investigation

Told = dict[str, Any]
Entity = User | Group | Role | ManagedPolicy

LISTS: Final[Mapping[str, str]] = {  # of the answer, by what `Filter` calls their members
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
}


@dataclass(frozen=True, slots=True)
class _Detail:
    """An entity and its place: the lists follow each other, each in the order of names, and are one list for paging."""

    entity: Entity
    kind: str

    @property
    def key(self) -> str:
        return f"{list(LISTS).index(self.kind)}{self.entity.name.casefold()}"


@reads("iam:GetAccountAuthorizationDetails", on=anything)
def get_account_authorization_details(
    ledger: Investigation, account: Account, call: Call, moment: Moment
) -> Answer:
    """Of AWS's policies those that somebody has, or is bounded by, in the account."""
    wanted = set(call.get("Filter") or LISTS)
    details = (it for it in _details(account, moment.time) if it.kind in wanted)
    page = paged(call, "details", details, lambda it: it.key, lambda it: it)
    told: Told = {name: [] for name in LISTS.values()}
    for detail in page.pop("details"):
        told[LISTS[detail.kind]].append(_shown(ledger, account, detail.entity))
    return Answer(told | page)


def _details(account: Account, at: int) -> Iterator[_Detail]:
    for user in account.users.values():
        yield _Detail(user, "User")
    for group in account.groups.values():
        yield _Detail(group, "Group")
    for role in account.roles.values():
        yield _Detail(role, "Role")
    for policy in account.policies.values():
        if AWS_MANAGED not in policy.arn:
            yield _Detail(policy, "LocalManagedPolicy")
    for arn in account.holders:
        if AWS_MANAGED in arn and (found := account.policy(arn) or _of_aws(arn, at)) is not None:
            yield _Detail(found, "AWSManagedPolicy")


def _of_aws(arn: str, at: int) -> ManagedPolicy | None:
    """One of AWS's policies with all its versions until then; None where its text is not known.

    Its unique id is in no data that is here. Clients expect one, so one is made from the ARN: it is always the same, and
    not AWS's.
    """
    in_force = managed_policy(arn, at)
    if in_force is None:
        return None
    newest = version_number(in_force.version_id)
    known = {it.version_id: it for it in versions(arn) if version_number(it.version_id) <= newest}
    digest = base64.b32encode(sha256(arn.encode()).digest())[:UNIQUE_ID_CHARACTERS].decode()
    path, _, name = arn.partition(":policy")[2].rpartition("/")
    return ManagedPolicy(
        id=f"ANPA{digest}",
        name=name,
        path=f"{path}/",
        arn=arn,
        create_date=next(iter(known.values())).create_date,
        versions=Map(known),
        default=DefaultVersion(in_force.version_id, None),
        last_version=newest,
    )


# ---- each kind as AWS shows it


def _shown(ledger: Investigation, account: Account, entity: Entity) -> Told:
    match entity:
        case User():
            return _user(account, entity)
        case Group():
            return {
                **_named(entity, "Group"),
                "GroupPolicyList": _inline(entity.inline.values()),
                "AttachedManagedPolicies": _attached(entity.attached.values()),
            }
        case Role():
            return _role(ledger, account, entity)
        case ManagedPolicy():
            return _policy(account, entity)


def _user(account: Account, user: User) -> Told:
    groups = (account.groups.get(it.group_id) for it in user.memberships.values())
    told = {
        **_named(user, "User"),
        "GroupList": sorted(group.name for group in groups if group is not None),
        "AttachedManagedPolicies": _attached(user.attached.values()),
        **_bounded(user.boundary),
        "Tags": shown_tags(user.tags),
    }
    return {**told, "UserPolicyList": _inline(user.inline.values())} if user.inline else told


def _role(ledger: Investigation, account: Account, role: Role) -> Told:
    return {
        **_plain_role(role),
        "InstanceProfileList": [_profile(account, it) for it in account.profiles_of(role)],
        "RolePolicyList": _inline(role.inline.values()),
        "AttachedManagedPolicies": _attached(role.attached.values()),
        **_bounded(role.boundary),
        "Tags": shown_tags(role.tags),
        "RoleLastUsed": role_last_used(ledger, role.id),
    }


def _plain_role(role: Role) -> Told:
    told = _named(role, "Role")
    if role.trust is not None:
        told["AssumeRolePolicyDocument"] = encoded(role.trust.document)
    return told


def _profile(account: Account, profile: InstanceProfile) -> Told:
    roles = (account.roles.get(role_id) for role_id in sorted(profile.roles))
    told = {
        **_named(profile, "InstanceProfile"),
        "Roles": [_plain_role(role) for role in roles if role is not None],
    }
    return {**told, "Tags": shown_tags(profile.tags)} if profile.tags else told


def _policy(account: Account, policy: ManagedPolicy) -> Told:
    dates = [policy.create_date, *(version.create_date for version in policy.versions.values())]
    holders = list(account.holders_of(policy.arn))
    told = {
        **_named(policy, "Policy"),
        "DefaultVersionId": None if policy.default is None else policy.default.version_id,
        "AttachmentCount": sum(policy.arn in holder.attached for holder in holders),
        "PermissionsBoundaryUsageCount": sum(_bounds(policy.arn, holder) for holder in holders),
        "IsAttachable": True,
        "Description": policy.description,
        "UpdateDate": max((date for date in dates if date is not None), default=None),
        "PolicyVersionList": [
            _version(policy, it) for it in sorted(policy.versions.values(), key=_newest_first)
        ],
    }
    return _told(told)


def _version(policy: ManagedPolicy, version: PolicyVersion) -> Told:
    return _told(
        {
            "Document": None if version.document is None else encoded(version.document),
            "VersionId": version.version_id,
            "IsDefaultVersion": policy.default is not None
            and policy.default.version_id == version.version_id,
            "CreateDate": version.create_date,
        }
    )


def _named(entity: Named, noun: str) -> Told:
    return _told(
        {
            "Path": entity.path,
            f"{noun}Name": entity.name,
            f"{noun}Id": entity.id,
            "Arn": entity.arn,
            "CreateDate": entity.create_date,
        }
    )


def _attached(attachments: Iterable[Attachment]) -> list[Told]:
    told = ({"PolicyName": it.policy_name, "PolicyArn": it.policy_arn} for it in attachments)
    return sorted(told, key=lambda it: (it["PolicyName"], it["PolicyArn"]))


def _inline(policies: Iterable[InlinePolicy]) -> list[Told]:
    return [
        _told(
            {
                "PolicyName": it.name,
                "PolicyDocument": None if it.document is None else encoded(it.document),
            }
        )
        for it in sorted(policies, key=lambda it: it.name)
    ]


def _bounded(boundary: Boundary | None) -> Told:
    if boundary is None:
        return {}
    told = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary.policy_arn}
    return {"PermissionsBoundary": told}


def _bounds(arn: str, holder: User | Group | Role) -> bool:
    return not isinstance(holder, Group) and holder.boundary is not None and holder.boundary.policy_arn == arn


def _newest_first(version: PolicyVersion) -> int:
    return -version_number(version.version_id)


def _told(members: Told) -> Told:
    """Without what no record told."""
    return {name: value for name, value in members.items() if value is not None}
