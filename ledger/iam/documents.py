"""Policy documents in calls: checked as they come in, URL-encoded as they go out (RFC 3986, as the IAM API says)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from ledger.account.entities import PolicyDocument
from ledger.iam.refusals import LimitExceeded, Malformed
from ledger.policy.grammar import PolicyKind, check_policy
from ledger.policy.malformed import MalformedPolicyDocument


def checked(text: str, kind: PolicyKind) -> dict[str, Any]:
    """The document; raises Malformed in AWS's words."""
    try:
        return check_policy(text, kind)
    except MalformedPolicyDocument as error:
        raise Malformed(error.message) from error


def text_of(document: PolicyDocument | None) -> str:
    if isinstance(document, str):
        return document
    return "" if document is None else orjson.dumps(document).decode()


def encoded(document: PolicyDocument | None) -> str:
    return quote(text_of(document), safe="")


def check_size(size: int, quota: int, what: str) -> None:
    """`what` has the quota, as in `user alice`. Sizes are `policy_size`: characters that are no white space."""
    if size > quota:
        raise LimitExceeded(f"Maximum policy size of {quota} bytes exceeded for {what}")
