"""Whom a call names, who must be there: found, or refused in AWS's words."""

from __future__ import annotations

import re

from ledger.account.account import Account
from ledger.account.entities import Group, InstanceProfile, Owner, Role, User
from ledger.account.managed_policies import managed_policy
from ledger.iam.deciding import Call, calling_user
from ledger.iam.refusals import InvalidInput, NoSuchEntity, UnmodifiableEntity, ValidationError
from ledger.policy.request import SERVICE_LINKED_PATH

RESERVED_PATH = "/aws-reserved/"  # of the roles that IAM Identity Center makes

_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}|aws):[\w+=,.@/:%-]+", re.ASCII)


def user_named(account: Account, name: str) -> User:
    found = account.user_named(name)
    if found is None:
        raise NoSuchEntity(f"The user with name {name} cannot be found.")
    return found


def group_named(account: Account, name: str) -> Group:
    found = account.group_named(name)
    if found is None:
        raise NoSuchEntity(f"The group with name {name} cannot be found.")
    return found


def role_named(account: Account, name: str) -> Role:
    found = account.role_named(name)
    if found is None:
        raise NoSuchEntity(f"The role with name {name} cannot be found.")
    return found


def modifiable_role(account: Account, name: str) -> Role:
    """The role, where its owner may change it: a service-linked role, or one of IAM Identity Center, is changed by its
    service alone.
    """
    found = role_named(account, name)
    if found.path.startswith((SERVICE_LINKED_PATH, RESERVED_PATH)):
        raise UnmodifiableEntity(
            f"Cannot perform the operation on the protected role '{found.name}' - this role is only modifiable by AWS"
        )
    return found


def instance_profile_named(account: Account, name: str) -> InstanceProfile:
    found = account.instance_profile_named(name)
    if found is None:
        raise NoSuchEntity(f"Instance Profile {name} cannot be found.")
    return found


def owner_named(account: Account, call: Call) -> Owner:
    """Whose credential it is about: the user whom `UserName` names; without a name whoever calls, user or root."""
    name = call.get("UserName")
    if name is not None:
        return user_named(account, name)
    if call.by.is_root:
        return account.settings
    found = calling_user(account, call)
    if found is None:
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return found


def check_arn(arn: str) -> None:
    """Raises ValidationError where this is no ARN of IAM's."""
    if not _ARN.fullmatch(arn):
        raise ValidationError(f"ARN {arn} is not valid.")


def check_policy_arn(arn: str) -> None:
    """Raises ValidationError where this is no ARN, InvalidInput where it is one of something else."""
    check_arn(arn)
    check_arn_of("policy", arn)


def check_arn_of(noun: str, arn: str) -> None:
    """Raises InvalidInput where this is no ARN of what the noun means, as in `saml-provider`."""
    if not _ARN.fullmatch(arn) or not arn.split(":", 5)[5].startswith(f"{noun}/"):
        raise InvalidInput(f"ARN {arn} is not valid.")


def policy_exists(account: Account, arn: str, at: int) -> bool:
    """Whether the account has the policy, or AWS has it now."""
    return account.policy(arn) is not None or managed_policy(arn, at) is not None


def boundary_there(account: Account, arn: str, at: int) -> str:
    """The ARN, where a policy of that ARN may bound somebody's permissions."""
    check_arn_of("policy", arn)
    if not policy_exists(account, arn, at):
        raise NoSuchEntity(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn
