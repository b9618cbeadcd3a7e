"""Roles: who may take them on, their policies, boundaries and tags; service-linked roles too."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.deletion import delete
from ledger.account.entities import (
    EMPTY,
    Boundary,
    Kind,
    Role,
    TrustPolicy,
    attaching,
    bounded_by,
    detaching,
    known,
    putting,
    removing,
    tagging,
    untagging,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, create, created, policy_in_use, the_role

SESSION_SECONDS = 3600  # a role's MaxSessionDuration where the request names none


@evolves("iam:CreateRole", rank=Rank.CREATE)
def create_role(account: Account, change: Change) -> Account:
    account, role = _the_new_role(account, change)
    if role.trust is None:
        account = account.assume(Reason.UNKNOWN_TEXT, role.arn)
    return create(account, role, account.roles.get(role.id) or account.role_named(role.name))


@evolves("iam:CreateServiceLinkedRole", rank=Rank.CREATE)
@evolves("iam:AcquireRole", rank=Rank.CREATE)
def create_role_of_aws(account: Account, change: Change) -> Account:
    """AWS itself attaches the policies of a service-linked role or of a template, and records nothing of it."""
    if "Role" not in change.response:
        raise Unreadable("Role")
    account, role = _the_new_role(account, change)
    role = replace(role, assumed=(*role.assumed, Reason.UNSEEN_GRANTS))
    return create(account, role, account.roles.get(role.id) or account.role_named(role.name))


def _the_new_role(account: Account, change: Change) -> tuple[Account, Role]:
    request, told = change.request, change.response.within("Role")
    role = Role(
        **created(account, change, Kind.ROLE, "Role"),
        description=request.text("Description") or told.text("Description"),
        max_session_duration=request.number("MaxSessionDuration")
        or told.number("MaxSessionDuration")
        or SESSION_SECONDS,
    )
    document = request.policy("AssumeRolePolicyDocument") or told.policy("AssumeRolePolicyDocument")
    if document is None:
        role = replace(role, assumed=(*role.assumed, Reason.UNKNOWN_TEXT))
    else:
        role = replace(role, trust=TrustPolicy(document, change.position))
    boundary = request.text("PermissionsBoundary") or told.within("PermissionsBoundary").text(
        "PermissionsBoundaryArn"
    )
    if boundary is not None:
        account = policy_in_use(account, boundary)
        role = replace(role, boundary=Boundary(boundary, change.position))
    return account, tagging(role, request.pairs("Tags") or told.pairs("Tags"), change.position)


@evolves("iam:UpdateRole", rank=Rank.CHANGE)
def update_role(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    request = change.request
    return account.put(
        replace(
            role,
            description=request.text("Description") if "Description" in request else role.description,
            max_session_duration=request.number("MaxSessionDuration") or role.max_session_duration,
        )
    )


@evolves("iam:UpdateRoleDescription", rank=Rank.CHANGE)
def update_role_description(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    return account.put(replace(role, description=change.request.text("Description")))


@evolves("iam:UpdateAssumeRolePolicy", rank=Rank.CHANGE)
def update_assume_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    document = change.request.policy("PolicyDocument")
    if document is None:
        unknown = replace(
            role, trust=None, assumed=(*known(role, Reason.UNKNOWN_TEXT).assumed, Reason.UNKNOWN_TEXT)
        )
        return account.assume(Reason.UNKNOWN_TEXT, role.arn).put(unknown)
    if role.trust is not None and role.trust.document == document:
        return account
    return account.put(
        replace(known(role, Reason.UNKNOWN_TEXT), trust=TrustPolicy(document, change.position))
    )


@evolves("iam:DeleteRole", rank=Rank.DELETE)
def delete_role(account: Account, change: Change) -> Account:
    name = change.request.needed("RoleName")
    role = account.role_named(name)
    return absent(account, f"role/{name}") if role is None else delete(account, role, change.position)


@evolves("iam:DeleteServiceLinkedRole", rank=Rank.DELETE)
def delete_service_linked_role(account: Account, change: Change) -> Account:
    """AWS deletes later, and now and then not at all; its policies go with it."""
    name = change.request.needed("RoleName")
    role = account.role_named(name)
    if role is None:
        return absent(account, f"role/{name}")
    bare = replace(role, attached=EMPTY, inline=EMPTY)
    return delete(account.assume(Reason.LATER, role.arn).put(bare), bare, change.position)


@evolves("iam:AttachRolePolicy", rank=Rank.GRANT)
def attach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(role, arn, change.position))


@evolves("iam:DetachRolePolicy", rank=Rank.REVOKE)
def detach_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in role.attached:
        return absent(account, f"{arn} attached to {role.arn}")
    return account.put(detaching(role, arn))


@evolves("iam:PutRolePolicy", rank=Rank.GRANT)
def put_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {role.arn}")
    return account.put(putting(role, name, document, change.position))


@evolves("iam:DeleteRolePolicy", rank=Rank.REVOKE)
def delete_role_policy(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    name = change.request.needed("PolicyName")
    if name not in role.inline:
        return absent(account, f"{name} of {role.arn}")
    return account.put(removing(role, name))


@evolves("iam:PutRolePermissionsBoundary", rank=Rank.GRANT)
def put_role_permissions_boundary(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    arn = change.request.needed("PermissionsBoundary")
    return policy_in_use(account, arn).put(bounded_by(role, arn, change.position))


@evolves("iam:DeleteRolePermissionsBoundary", rank=Rank.REVOKE)
def delete_role_permissions_boundary(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    if role.boundary is None:
        return absent(account, f"the permissions boundary of {role.arn}")
    return account.put(replace(role, boundary=None))


@evolves("iam:TagRole", rank=Rank.CHANGE)
def tag_role(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    return account.put(tagging(role, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagRole", rank=Rank.REVOKE)
def untag_role(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    return account.put(untagging(role, change.request.texts("TagKeys")))
