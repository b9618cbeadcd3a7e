"""Instance profiles: how a machine comes by a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import InstanceProfile, Kind, ProfiledRole, tagging, without
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, Question, decides
from ledger.iam.limits import INSTANCE_PROFILES, ROLES_PER_INSTANCE_PROFILE, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import instance_profile_named, modifiable_role, role_named
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from ledger.iam.roles import brief as brief_role
from ledger.iam.subjects import absent, create, created, the_instance_profile, the_role
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import a_role, an_instance_profile, arn, listed, new


def shown(account: Account, profile: InstanceProfile) -> dict[str, Any]:
    """A profile as GetInstanceProfile answers; listings leave out the tags."""
    told = brief(account, profile)
    if profile.tags:
        told["Tags"] = shown_tags(profile.tags)
    return told


def brief(account: Account, profile: InstanceProfile) -> dict[str, Any]:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.create_date,
        "Roles": [brief_role(account.roles[role_id]) for role_id in profile.roles],
    }


@decides(
    "iam:CreateInstanceProfile",
    on=new("instance-profile", "InstanceProfileName"),
    also=tagging_too("iam:TagInstanceProfile", new("instance-profile", "InstanceProfileName")),
)
def decide_create_instance_profile(account: Account, call: Call, moment: Moment) -> Answer:
    name, path = call["InstanceProfileName"], call.get("Path", "/")
    if account.instance_profile_named(name) is not None:
        raise EntityAlreadyExists(f"Instance Profile {name} already exists.")
    room_for_one_more(account.instance_profiles, INSTANCE_PROFILES, "InstanceProfilesPerAccount")
    profile = InstanceProfile(
        id=moment.unique_id("AIPA"),
        name=name,
        path=path,
        arn=arn(account, f"instance-profile{path}{name}"),
        create_date=moment.time,
        tags=new_tags(InstanceProfile, Map(), call),
    )
    return Answer({"InstanceProfile": shown(account, profile)})


@evolves("iam:CreateInstanceProfile", rank=Rank.CREATE)
def create_instance_profile(account: Account, change: Change) -> Account:
    profile = InstanceProfile(**created(account, change, Kind.INSTANCE_PROFILE, "InstanceProfile"))
    profile = tagging(profile, change.request.pairs("Tags"), change.position)
    there = account.instance_profiles.get(profile.id) or account.instance_profile_named(profile.name)
    return create(account, profile, there)


@decides("iam:GetInstanceProfile", on=an_instance_profile)
def get_instance_profile(account: Account, call: Call, moment: Moment) -> Answer:
    profile = instance_profile_named(account, call["InstanceProfileName"])
    return Answer({"InstanceProfile": shown(account, profile)})


@decides("iam:ListInstanceProfiles", on=listed("instance-profile"))
def list_instance_profiles(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (it for it in account.instance_profiles.values() if it.path.startswith(prefix))
    return _listed(account, call, found)


@decides("iam:ListInstanceProfilesForRole", on=a_role)
def list_instance_profiles_for_role(account: Account, call: Call, moment: Moment) -> Answer:
    return _listed(account, call, account.profiles_of(role_named(account, call["RoleName"])))


def _listed(account: Account, call: Call, found: Iterable[InstanceProfile]) -> Answer:
    return Answer(
        paged(call, "InstanceProfiles", found, lambda it: it.name.casefold(), lambda it: brief(account, it))
    )


@decides("iam:DeleteInstanceProfile", on=an_instance_profile)
def decide_delete_instance_profile(account: Account, call: Call, moment: Moment) -> Answer:
    if instance_profile_named(account, call["InstanceProfileName"]).roles:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    return NOTHING


@evolves("iam:DeleteInstanceProfile", rank=Rank.DELETE)
def delete_instance_profile(account: Account, change: Change) -> Account:
    name = change.request.needed("InstanceProfileName")
    profile = account.instance_profile_named(name)
    if profile is None:
        return absent(account, f"instance-profile/{name}")
    return delete(account, profile, change.position)


def passing_the_role(account: Account, call: Call) -> Iterable[Question]:
    return [("iam:PassRole", a_role(account, call))]


@decides("iam:AddRoleToInstanceProfile", on=an_instance_profile, also=passing_the_role)
def decide_add_role_to_instance_profile(account: Account, call: Call, moment: Moment) -> Answer:
    """A profile that has a role is full, even for the same role. The quota goes by an older name for its roles."""
    profile = instance_profile_named(account, call["InstanceProfileName"])
    modifiable_role(account, call["RoleName"])
    room_for_one_more(profile.roles, ROLES_PER_INSTANCE_PROFILE, "InstanceSessionsPerInstanceProfile")
    return NOTHING


@evolves("iam:AddRoleToInstanceProfile", rank=Rank.GRANT)
def add_role_to_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    account, role = the_role(account, change)
    if role.id in profile.roles:
        return account
    place = ProfiledRole(role.id, change.position)
    return account.put(replace(profile, roles=profile.roles.set(role.id, place))).touch(role)


@decides("iam:RemoveRoleFromInstanceProfile", on=an_instance_profile)
def decide_remove_role_from_instance_profile(account: Account, call: Call, moment: Moment) -> Answer:
    profile = instance_profile_named(account, call["InstanceProfileName"])
    role = modifiable_role(account, call["RoleName"])
    if role.id not in profile.roles:
        raise NoSuchEntity(f"Role {role.name} in Instance Profile {profile.name} cannot be found.")
    return NOTHING


@evolves("iam:RemoveRoleFromInstanceProfile", rank=Rank.REVOKE)
def remove_role_from_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    account, role = the_role(account, change)
    if role.id not in profile.roles:
        return absent(account, f"{role.arn} in {profile.arn}")
    return account.put(replace(profile, roles=without(profile.roles, role.id))).touch(role)


taggable(
    "InstanceProfile",
    InstanceProfile,
    on=an_instance_profile,
    there=lambda account, call: instance_profile_named(account, call["InstanceProfileName"]),
    told=the_instance_profile,
)
