"""Managed policies at users, groups and roles: when AWS attaches and detaches them, and how it lists them.

Source: IAM API reference, "AttachUserPolicy" and its kin. The words of PolicyNotAttachable are recorded of roles only;
of users and groups they are ours after those.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ledger.account.account import Account
from ledger.account.entities import Attachment, Group, Role, User
from ledger.iam.deciding import NOTHING, Answer, Call, Moment
from ledger.iam.limits import room_for_one_more
from ledger.iam.paging import paged
from ledger.iam.present import check_policy_arn, policy_exists
from ledger.iam.refusals import NoSuchEntity, PolicyNotAttachable

SERVICE_ROLE_PATH = ":iam::aws:policy/aws-service-role/"
CUSTOMERS = {User: "User", Group: "Group", Role: "Customer Role"}


def policy_arn_of(call: Call) -> str:
    """The PolicyArn of the call. Raises ValidationError for what is no ARN, InvalidInput for one of something else."""
    arn = str(call["PolicyArn"])
    check_policy_arn(arn)
    return arn


def attach(
    account: Account, holder: User | Group | Role, arn: str, moment: Moment, quota: int, quota_name: str
) -> Answer:
    """Attaching what is attached changes nothing, so it needs no room.

    Raises PolicyNotAttachable, NoSuchEntity, or LimitExceeded where the holder has as many as `quota` allows.
    """
    if arn in holder.attached:
        return NOTHING
    check_attachable(type(holder), arn)
    if not policy_exists(account, arn, moment.time):
        raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
    room_for_one_more(holder.attached, quota, quota_name)
    return NOTHING


def check_attachable(kind: type[User | Group | Role], arn: str) -> None:
    """Raises PolicyNotAttachable for policies that AWS keeps for service-linked roles."""
    if SERVICE_ROLE_PATH in arn:
        raise PolicyNotAttachable(f"Cannot attach a Service Role Policy to a {CUSTOMERS[kind]}.")


def detach(holder: User | Group | Role, arn: str) -> Answer:
    if arn not in holder.attached:
        raise NoSuchEntity(f"Policy {arn} was not found.")
    return NOTHING


def attached(holder: User | Group | Role, call: Call) -> Answer:
    """The attached policies by name, those whose path begins with PathPrefix."""
    prefix = call.get("PathPrefix", "/")
    found = (it for it in holder.attached.values() if _path(it.policy_arn).startswith(prefix))
    return Answer(paged(call, "AttachedPolicies", found, _key, _shown))


def _path(policy_arn: str) -> str:
    """From the ARN, for AWS's own policies are not kept in the account."""
    path = policy_arn.partition(":policy/")[2].rpartition("/")[0]
    return f"/{path}/" if path else "/"


def _key(it: Attachment) -> str:
    """A customer's policy and one of AWS may have the same name. Whole ARNs make markers longer than AWS takes."""
    return f"{it.policy_name.casefold()} {sha256(it.policy_arn.encode()).hexdigest()[:8]}"


def _shown(it: Attachment) -> dict[str, Any]:
    return {"PolicyName": it.policy_name, "PolicyArn": it.policy_arn}
