"""Trust policies in calls: what AWS asks of one beyond its grammar.

Source: IAM user guide, "AWS JSON policy elements: Principal"; "IAM and AWS STS quotas".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.account.account import Account
from ledger.iam.documents import checked
from ledger.iam.limits import TRUST_POLICY_SIZE
from ledger.iam.refusals import LimitExceeded, Malformed
from ledger.policy.grammar import PolicyKind, policy_size

_UNIQUE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]+", re.ASCII)
_OF_IAM = re.compile(r"arn:[\w-]+:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)", re.ASCII)
_OF_STS = re.compile(r"arn:[\w-]+:sts::(\d{12}):assumed-role/([^/]+)/[^/]+", re.ASCII)


def check_trust(account: Account, text: str) -> None:
    """Raises Malformed or LimitExceeded where AWS would not take this as a role's trust policy."""
    document = checked(text, PolicyKind.TRUST)
    if policy_size(text) > TRUST_POLICY_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_SIZE}")
    for name in _principals(document):
        if not _may_be_there(account, name):
            raise Malformed(f'Invalid principal in policy: "AWS":"{name}"')


def _principals(document: Mapping[str, Any]) -> Iterator[str]:
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        names = statement["Principal"].get("AWS", [])
        yield from names if isinstance(names, list) else [names]


def _may_be_there(account: Account, name: str) -> bool:
    """Who is in other accounts can't be known here, so only this account's users and roles are looked for."""
    if _UNIQUE_ID.fullmatch(name):
        return name in account.users or name in account.roles
    if (found := _OF_IAM.fullmatch(name)) and found[1] == account.id:
        there = account.user_named(found[3]) if found[2] == "user" else account.role_named(found[3])
        return there is not None and there.arn == name
    if (found := _OF_STS.fullmatch(name)) and found[1] == account.id:
        return account.role_named(found[2]) is not None
    return True
