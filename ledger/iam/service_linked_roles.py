"""Roles that AWS makes and keeps: those that are linked to a service, and those from AWS's templates.

Source: IAM user guide, "Service-linked roles"; IAM API reference, "CreateServiceLinkedRole" and its kin.
"""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

import orjson

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.deletion import delete
from ledger.account.entities import EMPTY, Role, TrustPolicy, attaching
from ledger.iam.deciding import Answer, Call, Moment, decides
from ledger.iam.limits import ROLES, room_for_one_more
from ledger.iam.linked_services import LINKED_SERVICES
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import role_named
from ledger.iam.refusals import InvalidInput, NoSuchEntity
from ledger.iam.roles import brief, the_new_role
from ledger.iam.subjects import absent, create
from ledger.iam.targets import a_role, arn
from ledger.policy.request import SERVICE_LINKED_PATH

_TASK = re.compile(rf"task({SERVICE_LINKED_PATH}[^/]+/[^/]+)/[0-9a-fA-F-]+")


def _path(service: str) -> str:
    return f"{SERVICE_LINKED_PATH}{service}/"


def _name(call: Call) -> str:
    """Of the role that is asked for; empty for a service that is not known to have one."""
    linked, suffix = LINKED_SERVICES.get(call.get("AWSServiceName", "")), call.get("CustomSuffix")
    if linked is None:
        return ""
    return linked.role_name if suffix is None else f"{linked.role_name}_{suffix}"


def _the_new_one(account: Account, call: Call) -> str:
    return arn(account, f"role{_path(call.get('AWSServiceName', ''))}{_name(call) or '*'}")


@decides("iam:CreateServiceLinkedRole", on=_the_new_one)
def decide_create_service_linked_role(account: Account, call: Call, moment: Moment) -> Answer:
    """AWS's words on a service without such a role are not known; these are ours."""
    service, name = call["AWSServiceName"], _name(call)
    linked = LINKED_SERVICES.get(service)
    if linked is None:
        raise InvalidInput(f"Service-linked roles are not known for {service}")
    if "CustomSuffix" in call and not linked.suffix:
        raise InvalidInput(f"Custom suffix is not allowed for {service}")
    if account.role_named(name) is not None:
        raise InvalidInput(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    room_for_one_more(account.roles, ROLES, "RolesPerAccount")
    role = Role(
        id=moment.unique_id("AROA"),
        name=name,
        path=_path(service),
        arn=arn(account, f"role{_path(service)}{name}"),
        create_date=moment.time,
        trust=TrustPolicy(_trust(service), None),
    )
    return Answer({"Role": brief(role)})


def _trust(service: str) -> str:
    """In the order and with the lists that AWS's own records have."""
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


@evolves("iam:CreateServiceLinkedRole", rank=Rank.CREATE)
@evolves("iam:AcquireRole", rank=Rank.CREATE)
def create_role_of_aws(account: Account, change: Change) -> Account:
    """AWS itself attaches the policies of a service-linked role or of a template, and records nothing of it.

    What this ledger attaches it knows: the policy that AWS would.
    """
    if "Role" not in change.response:
        raise Unreadable("Role")
    account, role = the_new_role(account, change)
    linked = LINKED_SERVICES.get(change.request.text("AWSServiceName") or "") if change.native else None
    if linked is None:
        role = replace(role, assumed=(*role.assumed, Reason.UNSEEN_GRANTS))
    else:
        role = attaching(role, linked.policy_arn, change.position)
    return create(account, role, account.roles.get(role.id) or account.role_named(role.name))


@decides("iam:DeleteServiceLinkedRole", on=a_role)
def decide_delete_service_linked_role(account: Account, call: Call, moment: Moment) -> Answer:
    """No service is here that could still use it, so it goes at once."""
    role = role_named(account, call["RoleName"])
    if not role.path.startswith(SERVICE_LINKED_PATH):
        raise NoSuchEntity(f"The role with name {call['RoleName']} cannot be found.")
    return Answer({"DeletionTaskId": _task(role.path, role.name, role.id)})


def _task(path: str, name: str, role_id: str) -> str:
    """`task/aws-service-role/<service>/<name>/<uuid>`. The id follows from the role's, so that it can be known again."""
    return f"task{path}{name}/{uuid5(NAMESPACE_OID, role_id)}"


@evolves("iam:DeleteServiceLinkedRole", rank=Rank.DELETE)
def delete_service_linked_role(account: Account, change: Change) -> Account:
    """AWS deletes later, and now and then not at all; its policies go with it."""
    name = change.request.needed("RoleName")
    role = account.role_named(name)
    if role is None:
        return absent(account, f"role/{name}")
    bare = replace(role, attached=EMPTY, inline=EMPTY)
    if not change.native:
        account = account.assume(Reason.LATER, role.arn)
    return delete(account.put(bare), bare, change.position)


def _the_deleted_one(account: Account, call: Call) -> str:
    found = _TASK.fullmatch(call.get("DeletionTaskId", ""))
    return arn(account, f"role{found[1] if found else SERVICE_LINKED_PATH + '*'}")


@decides("iam:GetServiceLinkedRoleDeletionStatus", on=_the_deleted_one)
def get_service_linked_role_deletion_status(account: Account, call: Call, moment: Moment) -> Answer:
    """AWS's words on a task that it does not know are not known; these are ours."""
    task = call["DeletionTaskId"]
    found = _TASK.fullmatch(task)
    if found is None:
        raise InvalidInput(f"Deletion task {task} is not valid.")
    path, _, name = found[1].rpartition("/")
    role_arn = arn(account, f"role{found[1]}")
    for gone in account.deleted.values():
        if gone.name == role_arn and _task(f"{path}/", name, gone.id) == task:
            return Answer({"Status": "SUCCEEDED"})
    raise NoSuchEntity(f"The deletion task with id {task} cannot be found.")
