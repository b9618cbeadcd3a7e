"""Instance profiles: how a machine comes by a role."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import InstanceProfile, Kind, ProfiledRole, tagging, untagging, without
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, create, created, the_instance_profile, the_role


@evolves("iam:CreateInstanceProfile", rank=Rank.CREATE)
def create_instance_profile(account: Account, change: Change) -> Account:
    profile = InstanceProfile(**created(account, change, Kind.INSTANCE_PROFILE, "InstanceProfile"))
    profile = tagging(profile, change.request.pairs("Tags"), change.position)
    there = account.instance_profiles.get(profile.id) or account.instance_profile_named(profile.name)
    return create(account, profile, there)


@evolves("iam:DeleteInstanceProfile", rank=Rank.DELETE)
def delete_instance_profile(account: Account, change: Change) -> Account:
    name = change.request.needed("InstanceProfileName")
    profile = account.instance_profile_named(name)
    if profile is None:
        return absent(account, f"instance-profile/{name}")
    return delete(account, profile, change.position)


@evolves("iam:AddRoleToInstanceProfile", rank=Rank.GRANT)
def add_role_to_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    account, role = the_role(account, change)
    if role.id in profile.roles:
        return account
    place = ProfiledRole(role.id, change.position)
    return account.put(replace(profile, roles=profile.roles.set(role.id, place))).touch(role)


@evolves("iam:RemoveRoleFromInstanceProfile", rank=Rank.REVOKE)
def remove_role_from_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    account, role = the_role(account, change)
    if role.id not in profile.roles:
        return absent(account, f"{role.arn} in {profile.arn}")
    return account.put(replace(profile, roles=without(profile.roles, role.id))).touch(role)


@evolves("iam:TagInstanceProfile", rank=Rank.CHANGE)
def tag_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    return account.put(tagging(profile, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagInstanceProfile", rank=Rank.REVOKE)
def untag_instance_profile(account: Account, change: Change) -> Account:
    account, profile = the_instance_profile(account, change)
    return account.put(untagging(profile, change.request.texts("TagKeys")))
