"""Roles: their names, who may take them on, boundaries and tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import (
    Boundary,
    Kind,
    Role,
    TrustPolicy,
    known,
    tagging,
)
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.documents import encoded
from ledger.iam.limits import ROLES, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.present import RESERVED_PATH, boundary_there, modifiable_role, role_named
from ledger.iam.refusals import DeleteConflict, EntityAlreadyExists, InvalidInput, ValidationError
from ledger.iam.subjects import absent, create, created, policy_in_use, the_role
from ledger.iam.tagging_operations import taggable
from ledger.iam.tags import new_tags, shown_tags, tagging_too
from ledger.iam.targets import a_role, arn, listed, new
from ledger.iam.trust import check_trust
from ledger.policy.request import SERVICE_LINKED_PATH

SESSION_SECONDS = 3600  # a role's MaxSessionDuration where the request names none
DURATIONS = frozenset({"MaxSessionDuration", "MaxSigninSessionDuration", "ResetMaxSigninSessionDuration"})
RESERVED = {SERVICE_LINKED_PATH: "AWS Service linked Roles", RESERVED_PATH: "roles of IAM Identity Center"}
"""Path prefixes of AWS's own, and whose they are. The second's words are ours, after the first's."""


def shown(role: Role) -> dict[str, Any]:
    """A role as GetRole answers. AWS tells here alone how long its sessions may last, listings excepted."""
    told = in_listings(role) | _boundary_and_tags(role)
    told["RoleLastUsed"] = {}  # empty, as of a role that was never used
    return told


def in_listings(role: Role) -> dict[str, Any]:
    """Without boundary, tags and last use, as the IAM API reference says of ListRoles."""
    told = brief(role)
    if role.description is not None:
        told["Description"] = role.description
    told["MaxSessionDuration"] = role.max_session_duration or SESSION_SECONDS
    if role.max_signin_session_duration is not None:
        told["MaxSigninSessionDuration"] = role.max_signin_session_duration
    return told


def brief(role: Role) -> dict[str, Any]:
    """What AWS shows of a role within an instance profile."""
    told: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
    }
    if role.trust is not None:
        told["AssumeRolePolicyDocument"] = encoded(role.trust.document)
    return told


def _boundary_and_tags(role: Role) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if role.boundary is not None:
        told["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": role.boundary.policy_arn,
        }
    if role.tags:
        told["Tags"] = shown_tags(role.tags)
    return told


@decides(
    "iam:CreateRole",
    on=new("role", "RoleName"),
    also=tagging_too("iam:TagRole", new("role", "RoleName")),
)
def decide_create_role(account: Account, call: Call, moment: Moment) -> Answer:
    """The answer has neither description nor duration, though the role has: so AWS's own records and examples show."""
    name, path, boundary = call["RoleName"], call.get("Path", "/"), call.get("PermissionsBoundary")
    for prefix, whose in RESERVED.items():
        if path.startswith(prefix):
            raise InvalidInput(f"Path prefix '{prefix}' can only be used for {whose}")
    check_trust(account, call["AssumeRolePolicyDocument"])
    if account.role_named(name) is not None:
        raise EntityAlreadyExists(f"Role with name {name} already exists.")
    room_for_one_more(account.roles, ROLES, "RolesPerAccount")
    role = Role(
        id=moment.unique_id("AROA"),
        name=name,
        path=path,
        arn=arn(account, f"role{path}{name}"),
        create_date=moment.time,
        trust=TrustPolicy(call["AssumeRolePolicyDocument"], None),
        boundary=None if boundary is None else Boundary(boundary_there(account, boundary, moment.time), None),
        tags=new_tags(Role, Map(), call),
    )
    return Answer({"Role": brief(role) | _boundary_and_tags(role)})


@evolves("iam:CreateRole", rank=Rank.CREATE)
def create_role(account: Account, change: Change) -> Account:
    account, role = the_new_role(account, change)
    if role.trust is None:
        account = account.assume(Reason.UNKNOWN_TEXT, role.arn)
    return create(account, role, account.roles.get(role.id) or account.role_named(role.name))


def the_new_role(account: Account, change: Change) -> tuple[Account, Role]:
    request, told = change.request, change.response.within("Role")
    role = Role(
        **created(account, change, Kind.ROLE, "Role"),
        description=request.text("Description") or told.text("Description"),
        max_session_duration=request.number("MaxSessionDuration")
        or told.number("MaxSessionDuration")
        or SESSION_SECONDS,
        max_signin_session_duration=request.number("MaxSigninSessionDuration")
        or told.number("MaxSigninSessionDuration"),
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


@decides("iam:GetRole", on=a_role)
def get_role(account: Account, call: Call, moment: Moment) -> Answer:
    return Answer({"Role": shown(role_named(account, call["RoleName"]))})


@decides("iam:ListRoles", on=listed("role"))
def list_roles(account: Account, call: Call, moment: Moment) -> Answer:
    prefix = call.get("PathPrefix", "/")
    found = (role for role in account.roles.values() if role.path.startswith(prefix))
    return Answer(paged(call, "Roles", found, lambda role: role.name.casefold(), in_listings))


@decides("iam:UpdateRole", on=a_role)
def decide_update_role(account: Account, call: Call, moment: Moment) -> Answer:
    """Of a service-linked role the description alone can be edited (IAM user guide, "Service-linked roles").

    How AWS refuses to set and reset in one request is not known; the words are ours.
    """
    named = modifiable_role if any(call.get(name) for name in DURATIONS) else role_named
    named(account, call["RoleName"])
    if "MaxSigninSessionDuration" in call and call.get("ResetMaxSigninSessionDuration"):
        raise ValidationError(
            "Must not specify MaxSigninSessionDuration when ResetMaxSigninSessionDuration is true"
        )
    return NOTHING


@evolves("iam:UpdateRole", rank=Rank.CHANGE)
def update_role(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    request = change.request
    reset = request.truth("ResetMaxSigninSessionDuration")
    return account.put(
        replace(
            role,
            description=request.text("Description") if "Description" in request else role.description,
            max_session_duration=request.number("MaxSessionDuration") or role.max_session_duration,
            max_signin_session_duration=request.number("MaxSigninSessionDuration")
            or (None if reset else role.max_signin_session_duration),
        )
    )


@decides("iam:UpdateRoleDescription", on=a_role)
def decide_update_role_description(account: Account, call: Call, moment: Moment) -> Answer:
    role = role_named(account, call["RoleName"])
    return Answer({"Role": brief(role) | {"Description": call["Description"]}})


@evolves("iam:UpdateRoleDescription", rank=Rank.CHANGE)
def update_role_description(account: Account, change: Change) -> Account:
    account, role = the_role(account, change)
    return account.put(replace(role, description=change.request.text("Description")))


@decides("iam:UpdateAssumeRolePolicy", on=a_role)
def decide_update_assume_role_policy(account: Account, call: Call, moment: Moment) -> Answer:
    modifiable_role(account, call["RoleName"])
    check_trust(account, call["PolicyDocument"])
    return NOTHING


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


@decides("iam:DeleteRole", on=a_role)
def decide_delete_role(account: Account, call: Call, moment: Moment) -> Answer:
    role = modifiable_role(account, call["RoleName"])
    if role.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    if role.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if any(account.profiles_of(role)):
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    return NOTHING


@evolves("iam:DeleteRole", rank=Rank.DELETE)
def delete_role(account: Account, change: Change) -> Account:
    name = change.request.needed("RoleName")
    role = account.role_named(name)
    return absent(account, f"role/{name}") if role is None else delete(account, role, change.position)


taggable(
    "Role", Role, on=a_role, there=lambda account, call: role_named(account, call["RoleName"]), told=the_role
)
