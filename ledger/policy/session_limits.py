"""What AWS keeps from a session whatever its policies say, written as policies so that answers can point at it.

Source: AWS STS API reference, GetSessionToken and GetFederationToken, "Permissions".
"""

from __future__ import annotations

from typing import Any, Final

from ledger.policy.decision import Layer, Source
from ledger.policy.document import Policy, compile_policy
from ledger.policy.evaluation import PolicySet

_OTHER_STS = (
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoot",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetFederationToken",
)


def _denying(*statements: dict[str, Any]) -> Policy:
    told = [{"Effect": "Deny", "Resource": "*"} | statement for statement in statements]
    return compile_policy({"Version": "2012-10-17", "Statement": told})


ALL: Final = (
    compile_policy(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    ),
    Source(Layer.SESSION, "AWS:everything"),
)
LIMITS: Final = {
    "sts:GetSessionToken": (
        _denying(
            {"Action": "iam:*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}},
            {"Action": list(_OTHER_STS)},
        ),
        Source(Layer.SESSION, "AWS:limits of GetSessionToken"),
    ),
    "sts:GetFederationToken": (
        _denying({"Action": "iam:*"}, {"Action": ["sts:AssumeRole", "sts:GetSessionToken", *_OTHER_STS]}),
        Source(Layer.SESSION, "AWS:limits of GetFederationToken"),
    ),
}
"""By the action that opened the session. ALL stands beside them where nothing else limits the session."""

LIMITING: Final = frozenset(source for _, source in LIMITS.values())


def with_limits(passed: PolicySet | None, action: str) -> PolicySet | None:
    """What was passed to a session, and what AWS keeps from all that this action opens; None: nothing limits it."""
    limit = LIMITS.get(action)
    if limit is None:
        return passed
    return PolicySet([*(passed.entries if passed is not None else (ALL,)), limit])
