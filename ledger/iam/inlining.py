"""Inline policies of users, groups and roles: when AWS takes them, and how it shows them.

Source: IAM API reference, "PutUserPolicy" and its kin; IAM user guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

from ledger.account.entities import Group, InlinePolicy, Role, User
from ledger.iam.deciding import NOTHING, Answer, Call
from ledger.iam.documents import check_size, checked, encoded, text_of
from ledger.iam.paging import paged
from ledger.iam.refusals import NoSuchEntity
from ledger.policy.grammar import PolicyKind, policy_size


def put(holder: User | Group | Role, call: Call, quota: int) -> Answer:
    """`quota` is for all inline policies of the holder together, in characters that are not white space. A policy
    that takes the place of another of its name is counted instead of it.

    Raises Malformed or LimitExceeded.
    """
    text = call["PolicyDocument"]
    checked(text, PolicyKind.IDENTITY)
    others = (it for name, it in holder.inline.items() if name != call["PolicyName"])
    size = policy_size(text) + sum(policy_size(text_of(it.document)) for it in others)
    check_size(size, quota, f"{holder.kind.value} {holder.name}")
    return NOTHING


def get(holder: User | Group | Role, call: Call) -> Answer:
    policy = _named(holder, call)
    return Answer(
        {
            f"{holder.kind.value.title()}Name": holder.name,
            "PolicyName": policy.name,
            "PolicyDocument": encoded(policy.document),
        },
        worded_by=policy.made_by,
    )


def delete(holder: User | Group | Role, call: Call) -> Answer:
    _named(holder, call)
    return NOTHING


def names(holder: User | Group | Role, call: Call) -> Answer:
    return Answer(paged(call, "PolicyNames", holder.inline, lambda name: name, lambda name: name))


def _named(holder: User | Group | Role, call: Call) -> InlinePolicy:
    found = holder.inline.get(call["PolicyName"])
    if found is None:
        raise NoSuchEntity(f"The {holder.kind.value} policy with name {call['PolicyName']} cannot be found.")
    return found
