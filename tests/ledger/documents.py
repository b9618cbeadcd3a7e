"""Policy documents to be spoilt, a good one of each kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.policy.grammar import MalformedPolicyDocument, PolicyKind, check_policy

IDENTITY, MANAGED, TRUST, SESSION, RESOURCE, SCP, RCP = PolicyKind

SYNTAX = "Syntax errors in policy."
ORGANIZATIONS = "The provided policy document does not meet the requirements of the specified policy type."
BUCKET = "arn:aws:s3:::example_bucket"
READS: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
TRUSTS: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
SHARES: dict[str, Any] = {**READS, "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}}
FORBIDS: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
VALID: dict[PolicyKind, dict[str, Any]] = {
    IDENTITY: READS,
    MANAGED: READS,
    TRUST: TRUSTS,
    SESSION: READS,
    RESOURCE: SHARES,
    SCP: READS,
    RCP: FORBIDS,
}


def policy(*statements: Any, **members: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", **members, "Statement": list(statements)}


def without(statement: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name not in names}


def refusal(document: Any, kind: PolicyKind) -> tuple[str, str]:
    with pytest.raises(MalformedPolicyDocument) as refused:
        check_policy(document if isinstance(document, str) else json.dumps(document), kind)
    assert str(refused.value) == refused.value.message
    return refused.value.message, refused.value.place
