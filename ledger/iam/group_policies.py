"""Policies of groups, attached and inline."""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import attaching, detaching, putting, removing
from ledger.iam import inlining
from ledger.iam.attaching import attach, attached, detach, policy_arn_of
from ledger.iam.deciding import Answer, Call, Moment, decides
from ledger.iam.limits import ATTACHED_PER_GROUP, GROUP_POLICY_SIZE
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import group_named
from ledger.iam.subjects import absent, policy_in_use, the_group
from ledger.iam.targets import a_group


@decides("iam:AttachGroupPolicy", on=a_group)
def decide_attach_group_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    group = group_named(account, call["GroupName"])
    return attach(account, group, arn, moment, ATTACHED_PER_GROUP, "PoliciesPerGroup")


@evolves("iam:AttachGroupPolicy", rank=Rank.GRANT)
def attach_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(group, arn, change.position))


@decides("iam:DetachGroupPolicy", on=a_group)
def decide_detach_group_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    return detach(group_named(account, call["GroupName"]), arn)


@evolves("iam:DetachGroupPolicy", rank=Rank.REVOKE)
def detach_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in group.attached:
        return absent(account, f"{arn} attached to {group.arn}")
    return account.put(detaching(group, arn))


@decides("iam:ListAttachedGroupPolicies", on=a_group)
def list_attached_group_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return attached(group_named(account, call["GroupName"]), call)


@decides("iam:PutGroupPolicy", on=a_group)
def decide_put_group_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.put(group_named(account, call["GroupName"]), call, GROUP_POLICY_SIZE)


@evolves("iam:PutGroupPolicy", rank=Rank.GRANT)
def put_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {group.arn}")
    return account.put(putting(group, name, document, change.position))


@decides("iam:GetGroupPolicy", on=a_group)
def get_group_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.get(group_named(account, call["GroupName"]), call)


@decides("iam:ListGroupPolicies", on=a_group)
def list_group_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.names(group_named(account, call["GroupName"]), call)


@decides("iam:DeleteGroupPolicy", on=a_group)
def decide_delete_group_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.delete(group_named(account, call["GroupName"]), call)


@evolves("iam:DeleteGroupPolicy", rank=Rank.REVOKE)
def delete_group_policy(account: Account, change: Change) -> Account:
    account, group = the_group(account, change)
    name = change.request.needed("PolicyName")
    if name not in group.inline:
        return absent(account, f"{name} of {group.arn}")
    return account.put(removing(group, name))
