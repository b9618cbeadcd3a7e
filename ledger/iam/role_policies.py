"""Policies of roles: attached, inline, and the boundary."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import Role, attaching, bounded_by, detaching, putting, removing
from ledger.iam import inlining
from ledger.iam.attaching import attach, attached, check_attachable, detach, policy_arn_of
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.limits import ATTACHED_PER_ROLE, ROLE_POLICY_SIZE
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import boundary_there, modifiable_role, role_named
from ledger.iam.subjects import absent, policy_in_use, the_role
from ledger.iam.targets import a_role


@decides("iam:AttachRolePolicy", on=a_role)
def decide_attach_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    role = modifiable_role(account, call["RoleName"])
    return attach(account, role, arn, moment, ATTACHED_PER_ROLE, "PoliciesPerRole")


@evolves("iam:AttachRolePolicy", rank=Rank.GRANT)
def attach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(role, arn, change.position))


@decides("iam:DetachRolePolicy", on=a_role)
def decide_detach_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    return detach(modifiable_role(account, call["RoleName"]), arn)


@evolves("iam:DetachRolePolicy", rank=Rank.REVOKE)
def detach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in role.attached:
        return absent(account, f"{arn} attached to {role.arn}")
    return account.put(detaching(role, arn))


@decides("iam:ListAttachedRolePolicies", on=a_role)
def list_attached_role_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return attached(role_named(account, call["RoleName"]), call)


@decides("iam:PutRolePolicy", on=a_role)
def decide_put_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.put(modifiable_role(account, call["RoleName"]), call, ROLE_POLICY_SIZE)


@evolves("iam:PutRolePolicy", rank=Rank.GRANT)
def put_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {role.arn}")
    return account.put(putting(role, name, document, change.position))


@decides("iam:GetRolePolicy", on=a_role)
def get_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.get(role_named(account, call["RoleName"]), call)


@decides("iam:ListRolePolicies", on=a_role)
def list_role_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.names(role_named(account, call["RoleName"]), call)


@decides("iam:DeleteRolePolicy", on=a_role)
def decide_delete_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.delete(modifiable_role(account, call["RoleName"]), call)


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
    check_attachable(Role, boundary_there(account, call["PermissionsBoundary"], moment.time))
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
