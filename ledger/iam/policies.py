"""Managed policies: the account's own, and AWS's as the account sees them."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.deletion import delete
from ledger.account.entities import (
    DefaultVersion,
    Group,
    Kind,
    ManagedPolicy,
    PolicyVersion,
    tagging,
)
from ledger.account.managed_policies import Outline, outline
from ledger.iam.deciding import NOTHING, UNIQUE_ID_CHARACTERS, Answer, Call, Moment, decides
from ledger.iam.documents import checked
from ledger.iam.limits import MANAGED_POLICY_SIZE, POLICIES, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import check_policy_arn
from ledger.iam.refusals import (
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
)
from ledger.iam.subjects import AWS_MANAGED, absent, create, created, the_policy
from ledger.iam.tagging_operations import changes_tags
from ledger.iam.tags import listed_tags, new_tags, shown_tags, tagging_too
from ledger.iam.targets import a_policy, arn, by_name, new, told_as
from ledger.policy.grammar import PolicyKind, policy_size

FIRST = "v1"


# ---- as answers show them


def shown(account: Account, policy: ManagedPolicy) -> dict[str, Any]:
    """A policy as GetPolicy answers; listings leave out the description and the tags."""
    told = brief(account, policy)
    if policy.description is not None:
        told["Description"] = policy.description
    return told | {"Tags": shown_tags(policy.tags)}


def brief(account: Account, policy: ManagedPolicy) -> dict[str, Any]:
    dates = [policy.create_date, *(version.create_date for version in policy.versions.values())]
    told = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": None if policy.default is None else policy.default.version_id,
        **_usage_shown(account, policy.arn),
        "CreateDate": policy.create_date,
        "UpdateDate": max((date for date in dates if date is not None), default=None),
    }
    return {name: value for name, value in told.items() if value is not None}


def brief_of_aws(account: Account, policy: Outline) -> dict[str, Any]:
    """One of AWS's policies.

    Its unique id and its description are in no data that is here. Clients expect an id, so one is made from the ARN:
    it is the same at all times, and not AWS's.
    """
    made = base64.b32encode(sha256(policy.arn.encode()).digest())[:UNIQUE_ID_CHARACTERS].decode()
    told = {
        "PolicyName": policy.name,
        "PolicyId": f"ANPA{made}",
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.version_id,
        **_usage_shown(account, policy.arn),
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
    }
    return {name: value for name, value in told.items() if value is not None}


def usage(account: Account, policy_arn: str) -> tuple[int, int]:
    """How many have the policy attached, and how many it bounds."""
    attached = bounded = 0
    for holder in account.holders_of(policy_arn):
        attached += policy_arn in holder.attached
        if not isinstance(holder, Group) and holder.boundary is not None:
            bounded += holder.boundary.policy_arn == policy_arn
    return attached, bounded


def _usage_shown(account: Account, policy_arn: str) -> dict[str, Any]:
    attached, bounded = usage(account, policy_arn)
    return {
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounded,
        "IsAttachable": True,
    }


# ---- what a call names


def is_of_aws(policy_arn: str) -> bool:
    return AWS_MANAGED in policy_arn


def unattachable(policy_arn: str) -> NoSuchEntity:
    """Reading calls tell an absent policy of the account so; of AWS's they say that they were not found."""
    if is_of_aws(policy_arn):
        return NoSuchEntity(f"Policy {policy_arn} was not found.")
    return NoSuchEntity(f"Policy {policy_arn} does not exist or is not attachable.")


def found_in(account: Account, policy_arn: str, at: int) -> ManagedPolicy | Outline:
    """The policy of this ARN, the account's or AWS's; raises ValidationError or NoSuchEntity."""
    check_policy_arn(policy_arn)
    policy = account.policy(policy_arn) or outline(policy_arn, at)
    if policy is None:
        raise unattachable(policy_arn)
    return policy


def check_own(account: Account, policy_arn: str, refusal: str) -> None:
    """Raises ValidationError where this is no ARN, and AccessDenied where the policy can't be the account's."""
    check_policy_arn(policy_arn)
    if policy_arn.split(":")[4] != account.id:
        raise AccessDenied(refusal)


def check_document(text: str) -> None:
    """Raises Malformed or LimitExceeded."""
    checked(text, PolicyKind.MANAGED)
    if policy_size(text) > MANAGED_POLICY_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {MANAGED_POLICY_SIZE}")


def _own_found(account: Account, policy_arn: str, refusal: str) -> ManagedPolicy:
    check_own(account, policy_arn, refusal)
    policy = account.policy(policy_arn)
    if policy is None:
        raise NoSuchEntity(f"Policy {policy_arn} was not found.")
    return policy


# ---- the operations


@decides(
    "iam:CreatePolicy",
    on=told_as(by_name("policy"))(new("policy", "PolicyName")),
    also=tagging_too("iam:TagPolicy", new("policy", "PolicyName")),
)
def decide_create_policy(account: Account, call: Call, moment: Moment) -> Answer:
    name, path, text = call["PolicyName"], call.get("Path", "/"), call["PolicyDocument"]
    check_document(text)
    tags = new_tags(ManagedPolicy, Map(), call)
    own = {it.name.casefold() for it in account.policies.values() if not is_of_aws(it.arn)}
    if name.casefold() in own:
        raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    room_for_one_more(own, POLICIES, "PoliciesPerAccount")
    policy = ManagedPolicy(
        id=moment.unique_id("ANPA"),
        name=name,
        path=path,
        arn=arn(account, f"policy{path}{name}"),
        create_date=moment.time,
        default=DefaultVersion(FIRST, None),
        last_version=1,
    )
    told = brief(account, policy)
    return Answer({"Policy": told | {"Tags": shown_tags(tags)} if tags else told})


@evolves("iam:CreatePolicy", rank=Rank.CREATE)
def create_policy(account: Account, change: Change) -> Account:
    entity = created(account, change, Kind.POLICY, "Policy")
    document = change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, entity["arn"])
        entity["assumed"] = (*entity["assumed"], Reason.UNKNOWN_TEXT)
    policy = ManagedPolicy(
        **entity,
        versions=Map({FIRST: PolicyVersion(FIRST, document, entity["create_date"], change.position)}),
        default=DefaultVersion(FIRST, change.position),
        last_version=1,
        description=change.request.text("Description"),
    )
    policy = tagging(policy, change.request.pairs("Tags"), change.position)
    return create(account, policy, account.policies.get(policy.id) or account.policy(policy.arn))


@decides("iam:GetPolicy", on=a_policy)
def get_policy(account: Account, call: Call, moment: Moment) -> Answer:
    policy = found_in(account, call["PolicyArn"], moment.time)
    if isinstance(policy, Outline):
        return Answer({"Policy": brief_of_aws(account, policy) | {"Tags": []}})
    return Answer({"Policy": shown(account, policy)})


@decides("iam:DeletePolicy", on=a_policy)
def decide_delete_policy(account: Account, call: Call, moment: Moment) -> Answer:
    refusal = "Cannot delete policies outside your own account."
    policy = _own_found(account, call["PolicyArn"], refusal)
    if any(usage(account, policy.arn)):
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy."
        )
    return NOTHING


@evolves("iam:DeletePolicy", rank=Rank.DELETE)
def delete_policy(account: Account, change: Change) -> Account:
    arn = change.request.needed("PolicyArn")
    policy = account.policy(arn)
    return absent(account, arn) if policy is None else delete(account, policy, change.position)


OUTSIDE_TAGS = "Cannot tag policies outside your own account."


changes_tags(
    "Policy",
    ManagedPolicy,
    on=a_policy,
    there=lambda account, call: _own_found(account, call["PolicyArn"], OUTSIDE_TAGS),
    told=lambda account, change: the_policy(account, change.request.needed("PolicyArn")),
)


@decides("iam:ListPolicyTags", on=a_policy)
def list_policy_tags(account: Account, call: Call, moment: Moment) -> Answer:
    check_policy_arn(call["PolicyArn"])
    policy = account.policy(call["PolicyArn"])
    if policy is not None:
        return Answer(listed_tags(call, policy.tags))
    if outline(call["PolicyArn"], moment.time) is None:
        raise NoSuchEntity(f"Policy {call['PolicyArn']} was not found.")
    return Answer(listed_tags(call))
