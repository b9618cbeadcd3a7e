"""Whom trust policies name of their own account. A name stands for whoever had it when AWS took the policy.

AWS keeps the unique id behind each ARN of a user or role: when that user or role is deleted, the policy shows the id,
and a namesake created later is not trusted. Source: IAM user guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.account.entities import PolicyDocument, TrustPolicy

_NAMED = (":user/", ":role/")
_NOBODY: frozenset[str] = frozenset()


def trusted_arns(trust: TrustPolicy | None) -> frozenset[str]:
    """The ARNs of users and roles, of any account, that the policy names."""
    if trust is None or not isinstance(trust.document, Mapping):
        return _NOBODY
    names = (name for statement in _statements(trust.document) for name in _names(statement))
    return frozenset(name for name in names if any(part in name for part in _NAMED))


def naming(document: PolicyDocument, arn: str, now: str) -> PolicyDocument:
    """The document, in which `now` stands for this ARN."""
    if not isinstance(document, Mapping) or "Statement" not in document:
        return document
    statements = [_statement_naming(it, arn, now) for it in _statements(document)]
    whole = statements if isinstance(document["Statement"], list) else statements[0]
    return {**document, "Statement": whole}


def _statement_naming(statement: Any, arn: str, now: str) -> Any:
    if arn not in _names(statement):
        return statement
    principal = statement["Principal"]
    names = principal["AWS"]
    renamed = now if isinstance(names, str) else [now if name == arn else name for name in names]
    return {**statement, "Principal": {**principal, "AWS": renamed}}


def _statements(document: Mapping[str, Any]) -> list[Any]:
    """Recorded documents were taken by AWS, but nobody has checked what else may come in a file."""
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _names(statement: Any) -> list[str]:
    principal = statement.get("Principal") if isinstance(statement, Mapping) else None
    names = principal.get("AWS") if isinstance(principal, Mapping) else None
    found = names if isinstance(names, list) else [names]
    return [name for name in found if isinstance(name, str)]
