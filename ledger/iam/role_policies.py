"""Policies of roles: attached, inline, and the boundary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import (
    Attachment,
    InlinePolicy,
    Role,
    attaching,
    bounded_by,
    detaching,
    putting,
    removing,
)
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.documents import check_size, checked, encoded, text_of
from ledger.iam.limits import ATTACHED_PER_ROLE, ROLE_POLICY_SIZE, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import boundary_there, check_policy_arn, modifiable_role, policy_exists, role_named
from ledger.iam.refusals import InvalidInput, NoSuchEntity, PolicyNotAttachable
from ledger.iam.subjects import AWS_MANAGED, absent, policy_in_use, the_role
from ledger.iam.targets import a_role
from ledger.policy.grammar import PolicyKind, policy_size
from ledger.policy.request import SERVICE_LINKED_PATH


@decides("iam:AttachRolePolicy", on=a_role)
def decide_attach_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    """Attaching what is attached changes nothing, so it needs no room."""
    policy_arn = _policy_arn(call)
    role = modifiable_role(account, call["RoleName"])
    if policy_arn in role.attached:
        return NOTHING
    _check_attachable(policy_arn)
    if not policy_exists(account, policy_arn, moment.time):
        raise NoSuchEntity(f"Policy {policy_arn} does not exist or is not attachable.")
    room_for_one_more(role.attached, ATTACHED_PER_ROLE, "PoliciesPerRole")
    return NOTHING


@evolves("iam:AttachRolePolicy", rank=Rank.GRANT)
def attach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(role, arn, change.position))


@decides("iam:DetachRolePolicy", on=a_role)
def decide_detach_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    policy_arn = _policy_arn(call)
    if policy_arn not in modifiable_role(account, call["RoleName"]).attached:
        raise NoSuchEntity(f"Policy {policy_arn} was not found.")
    return NOTHING


@evolves("iam:DetachRolePolicy", rank=Rank.REVOKE)
def detach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in role.attached:
        return absent(account, f"{arn} attached to {role.arn}")
    return account.put(detaching(role, arn))


@decides("iam:ListAttachedRolePolicies", on=a_role)
def list_attached_role_policies(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    attached = role_named(account, call["RoleName"]).attached.values()
    found = (it for it in attached if _path(it.policy_arn).startswith(prefix))
    return Answer(paged(call, "AttachedPolicies", found, _order, _shown))


@decides("iam:PutRolePolicy", on=a_role)
def decide_put_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    """All inline policies together have one quota. A policy that takes the place of another is counted instead of it."""
    role, text = modifiable_role(account, call["RoleName"]), call["PolicyDocument"]
    checked(text, PolicyKind.IDENTITY)
    others = (it for name, it in role.inline.items() if name != call["PolicyName"])
    size = policy_size(text) + sum(policy_size(text_of(it.document)) for it in others)
    check_size(size, ROLE_POLICY_SIZE, f"role {role.name}")
    return NOTHING


@evolves("iam:PutRolePolicy", rank=Rank.GRANT)
def put_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {role.arn}")
    return account.put(putting(role, name, document, change.position))


@decides("iam:GetRolePolicy", on=a_role)
def get_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    role = role_named(account, call["RoleName"])
    policy = _inline_named(role, call["PolicyName"])
    return Answer(
        {
            "RoleName": role.name,
            "PolicyName": policy.name,
            "PolicyDocument": encoded(policy.document),
        }
    )


@decides("iam:ListRolePolicies", on=a_role)
def list_role_policies(account: Account, call: Call, moment: Moment) -> Answer:
    inline = role_named(account, call["RoleName"]).inline
    return Answer(paged(call, "PolicyNames", inline, lambda name: name, lambda name: name))


@decides("iam:DeleteRolePolicy", on=a_role)
def decide_delete_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    _inline_named(modifiable_role(account, call["RoleName"]), call["PolicyName"])
    return NOTHING


@evolves("iam:DeleteRolePolicy", rank=Rank.REVOKE)
def delete_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    name = change.request.needed("PolicyName")
    if name not in role.inline:
        return absent(account, f"{name} of {role.arn}")
    return account.put(removing(role, name))


@decides("iam:PutRolePermissionsBoundary", on=a_role)
def decide_put_role_permissions_boundary(account: Account, call: Call, moment: Moment) -> Answer:
    modifiable_role(account, call["RoleName"])
    _check_attachable(boundary_there(account, call["PermissionsBoundary"], moment.time))
    return NOTHING


@evolves("iam:PutRolePermissionsBoundary", rank=Rank.GRANT)
def put_role_permissions_boundary(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PermissionsBoundary")
    return policy_in_use(account, arn).put(bounded_by(role, arn, change.position))


@decides("iam:DeleteRolePermissionsBoundary", on=a_role)
def decide_delete_role_permissions_boundary(account: Account, call: Call, moment: Moment) -> Answer:
    """Where there is no boundary the call has nothing to do: the API reference names no error for that."""
    modifiable_role(account, call["RoleName"])
    return NOTHING


@evolves("iam:DeleteRolePermissionsBoundary", rank=Rank.REVOKE)
def delete_role_permissions_boundary(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    if role.boundary is None:
        return account if change.native else absent(account, f"the permissions boundary of {role.arn}")
    return account.put(replace(role, boundary=None))


def _policy_arn(call: Call) -> str:
    policy_arn = str(call["PolicyArn"])
    check_policy_arn(policy_arn)
    if ":policy/" not in policy_arn:
        raise InvalidInput(f"ARN {policy_arn} is not valid.")
    return policy_arn


def _check_attachable(policy_arn: str) -> None:
    """The policies of service-linked roles are for no others (aws-cdk#6131)."""
    if AWS_MANAGED in policy_arn and _path(policy_arn).startswith(SERVICE_LINKED_PATH):
        raise PolicyNotAttachable("Cannot attach a Service Role Policy to a Customer Role.")


def _inline_named(role: Role, name: str) -> InlinePolicy:
    found = role.inline.get(name)
    if found is None:
        raise NoSuchEntity(f"The role policy with name {name} cannot be found.")
    return found


def _path(policy_arn: str) -> str:
    """From the ARN, for AWS's own policies are not kept in the account."""
    path = policy_arn.partition(":policy/")[2].rpartition("/")[0]
    return f"/{path}/" if path else "/"


def _order(it: Attachment) -> str:
    """By name, then by whose it is: no two policies of one owner have the same name, whatever their paths."""
    return f"{it.policy_name.casefold()} {it.policy_arn.split(':')[4]}"


def _shown(it: Attachment) -> dict[str, Any]:
    return {"PolicyName": it.policy_name, "PolicyArn": it.policy_arn}
