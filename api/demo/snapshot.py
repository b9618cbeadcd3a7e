"""Prints an account as `aws iam get-account-authorization-details` does."""

from typing import Any

from api.demo.account import Account, Document, Group, InstanceProfile, Policy, Role, User
from api.demo.day import in_cli

Shown = dict[str, Any]


def authorization_details(account: Account) -> Shown:
    """Neither keys nor passwords nor second factors are in it: so it is with AWS."""
    return {
        "UserDetailList": [_user(account, user) for user in account.users.values()],
        "GroupDetailList": [_group(account, group) for group in account.groups.values()],
        "RoleDetailList": [_role(account, role) for role in account.roles.values()],
        "Policies": [
            _policy(account, policy) for policy in account.policies.values() if _in_use(account, policy)
        ],
    }


def _user(account: Account, user: User) -> Shown:
    shown: Shown = {
        "Path": "/",
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": in_cli(user.created),
    }
    if user.inline:
        shown["UserPolicyList"] = _inline(user.inline)
    shown |= {"GroupList": list(user.groups), "AttachedManagedPolicies": _attached(account, user.attached)}
    if user.boundary:
        shown["PermissionsBoundary"] = _boundary(user.boundary)
    return shown | {"Tags": []}


def _group(account: Account, group: Group) -> Shown:
    return {
        "Path": "/",
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": in_cli(group.created),
        "GroupPolicyList": _inline(group.inline),
        "AttachedManagedPolicies": _attached(account, group.attached),
    }


def _role(account: Account, role: Role) -> Shown:
    profiles = [profile for profile in account.profiles.values() if role.name in profile.roles]
    shown = _role_itself(role) | {
        "InstanceProfileList": [_profile(account, profile) for profile in profiles],
        "RolePolicyList": _inline(role.inline),
        "AttachedManagedPolicies": _attached(account, role.attached),
    }
    if role.boundary:
        shown["PermissionsBoundary"] = _boundary(role.boundary)
    return shown | {"Tags": [], "RoleLastUsed": {}}


def _role_itself(role: Role) -> Shown:
    return {
        "Path": "/" + "".join(f"{part}/" for part in role.arn.split("/")[1:-1]),
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": in_cli(role.created),
        "AssumeRolePolicyDocument": role.trust,
    }


def _profile(account: Account, profile: InstanceProfile) -> Shown:
    return {
        "Path": "/",
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.profile_id,
        "Arn": profile.arn,
        "CreateDate": in_cli(profile.created),
        "Roles": [_role_itself(account.roles[name]) for name in profile.roles],
    }


def _policy(account: Account, policy: Policy) -> Shown:
    newest_first = list(reversed(policy.versions.items()))
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "AttachmentCount": _attachments(account, policy.arn),
        "PermissionsBoundaryUsageCount": _boundaries(account, policy.arn),
        "IsAttachable": True,
        "CreateDate": in_cli(policy.created),
        "UpdateDate": in_cli(newest_first[0][1].created),
        "PolicyVersionList": [
            {
                "Document": version.document,
                "VersionId": version_id,
                "IsDefaultVersion": version_id == policy.default,
                "CreateDate": in_cli(version.created),
            }
            for version_id, version in newest_first
        ],
    }


def _inline(policies: dict[str, Document]) -> list[Shown]:
    return [{"PolicyName": name, "PolicyDocument": document} for name, document in policies.items()]


def _attached(account: Account, arns: list[str]) -> list[Shown]:
    return [{"PolicyName": account.policies[arn].name, "PolicyArn": arn} for arn in arns]


def _boundary(arn: str) -> Shown:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def _in_use(account: Account, policy: Policy) -> bool:
    """Of AWS's own policies only those are listed that are attached."""
    return not policy.arn.startswith("arn:aws:iam::aws:") or _attachments(account, policy.arn) > 0


def _attachments(account: Account, arn: str) -> int:
    holders: tuple[User | Group | Role, ...] = (
        *account.users.values(),
        *account.groups.values(),
        *account.roles.values(),
    )
    return sum(arn in holder.attached for holder in holders)


def _boundaries(account: Account, arn: str) -> int:
    holders: tuple[User | Role, ...] = (*account.users.values(), *account.roles.values())
    return sum(holder.boundary == arn for holder in holders)
