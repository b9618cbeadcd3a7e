"""Policies of users, attached and inline."""

from __future__ import annotations

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import attaching, detaching, putting, removing
from ledger.iam import inlining
from ledger.iam.attaching import attach, attached, detach, policy_arn_of
from ledger.iam.deciding import Answer, Call, Moment, decides
from ledger.iam.limits import ATTACHED_PER_USER, USER_POLICY_SIZE
from ledger.iam.operations import Rank, evolves
from ledger.iam.present import user_named
from ledger.iam.subjects import absent, policy_in_use, the_user
from ledger.iam.targets import a_user


@decides("iam:AttachUserPolicy", on=a_user)
def decide_attach_user_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    user = user_named(account, call["UserName"])
    return attach(account, user, arn, moment, ATTACHED_PER_USER, "PoliciesPerUser")


@evolves("iam:AttachUserPolicy", rank=Rank.GRANT)
def attach_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PolicyArn")
    return policy_in_use(account, arn).put(attaching(user, arn, change.position))


@decides("iam:DetachUserPolicy", on=a_user)
def decide_detach_user_policy(account: Account, call: Call, moment: Moment) -> Answer:
    arn = policy_arn_of(call)
    return detach(user_named(account, call["UserName"]), arn)


@evolves("iam:DetachUserPolicy", rank=Rank.REVOKE)
def detach_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    arn = change.request.needed("PolicyArn")
    if arn not in user.attached:
        return absent(account, f"{arn} attached to {user.arn}")
    return account.put(detaching(user, arn))


@decides("iam:ListAttachedUserPolicies", on=a_user)
def list_attached_user_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return attached(user_named(account, call["UserName"]), call)


@decides("iam:PutUserPolicy", on=a_user)
def decide_put_user_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.put(user_named(account, call["UserName"]), call, USER_POLICY_SIZE)


@evolves("iam:PutUserPolicy", rank=Rank.GRANT)
def put_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    name, document = change.request.needed("PolicyName"), change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{name} of {user.arn}")
    return account.put(putting(user, name, document, change.position))


@decides("iam:GetUserPolicy", on=a_user)
def get_user_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.get(user_named(account, call["UserName"]), call)


@decides("iam:ListUserPolicies", on=a_user)
def list_user_policies(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.names(user_named(account, call["UserName"]), call)


@decides("iam:DeleteUserPolicy", on=a_user)
def decide_delete_user_policy(account: Account, call: Call, moment: Moment) -> Answer:
    return inlining.delete(user_named(account, call["UserName"]), call)


@evolves("iam:DeleteUserPolicy", rank=Rank.REVOKE)
def delete_user_policy(account: Account, change: Change) -> Account:
    account, user = the_user(account, change)
    name = change.request.needed("PolicyName")
    if name not in user.inline:
        return absent(account, f"{name} of {user.arn}")
    return account.put(removing(user, name))
