"""One question to the accounts as they were: may this caller do this, on that, then; by the one engine and fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ledger.account.account import Account
from ledger.account.entities import Kind, Role, User
from ledger.policy.callers import holder_of
from ledger.policy.decision import Decision, Unknown, UnknownKind, Verdict
from ledger.policy.entitlements import TRUSTING as TRUSTING
from ledger.policy.entitlements import Entitlement, Entitlements, trust_of
from ledger.policy.evaluation import PolicySet, evaluate
from ledger.policy.request import Caller, CallerKind, Request, account_in, request_of

Named = tuple[Kind, str]
KEY_SERVICE = "kms"
"""Where the key's policy has to agree."""

WITH_RESOURCE_POLICIES = frozenset(
    [
        "acm-pca",
        "apigateway",
        "aps",
        "athena",
        "backup",
        "backup-gateway",
        "cloudtrail",
        "codeartifact",
        "codebuild",
        "dynamodb",
        "ecr",
        "elasticfilesystem",
        "es",
        "eventbridge",
        "events",
        "execute-api",
        "glacier",
        "glue",
        "iot",
        "kinesis",
        "kms",
        "lambda",
        "lex",
        "logs",
        "mediastore",
        "network-firewall",
        "organizations",
        "ram",
        "redshift-serverless",
        "rekognition",
        "route53resolver",
        "s3",
        "s3express",
        "s3-object-lambda",
        "s3-outposts",
        "s3tables",
        "schemas",
        "secretsmanager",
        "serverlessrepo",
        "ses",
        "signer",
        "sns",
        "sqs",
        "ssm",
        "ssm-contacts",
        "vpc-lattice",
        "xray",
    ]
)
"""Source: IAM user guide, "AWS services that work with IAM", column "Resource-based policies"."""


Entitled = tuple[Entitlement, tuple[Unknown, ...]]
"""A caller's own policies, and what is not known of them."""


class World(Protocol):
    """Accounts at one moment."""

    at: int

    def account(self, account_id: str, *named: Named) -> Account | None:
        """The account with at least these of its entities, as far as they are there; None where its log is not here."""


class Told(Protocol):
    """What is told of a call's context. `known` says of a key that is not there whether it is known to be absent."""

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def known(self) -> Callable[[str], bool] | None: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a question itself tells of the context."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, and what nobody told that it may rest on besides."""

    request: Request
    decision: Decision
    unknown: tuple[Unknown, ...]
    entitlement: Entitlement
    trust: PolicySet | None = None


def judge(
    world: World,
    entitlements: Entitlements,
    caller: Caller,
    holder: Named | None,
    action: str,
    resource: str | None,
    context: Told,
    *,
    session: PolicySet | None = None,
) -> Judgement:
    """The decision, by the policies that were in force; `holder` is whose policies the caller acts with."""
    own = entitled(world, entitlements, caller, holder)
    return judge_by(own, world, caller, action, resource, context, session=session)


def judge_by(
    own: Entitled,
    world: World,
    caller: Caller,
    action: str,
    resource: str | None,
    context: Told,
    *,
    session: PolicySet | None = None,
) -> Judgement:
    """The same where the caller's own policies are at hand already."""
    entitlement, unknown = own
    action_folded = action.lower()
    trust: PolicySet | None = None
    if action_folded in TRUSTING and resource is not None:
        trust, untold = _trust(world, resource)
        unknown += untold
        if trust is None:
            unknown = tuple(dict.fromkeys((*unknown, Unknown(UnknownKind.TRUST_POLICY, resource))))
    request = request_of(caller, action, resource, context.values, known=context.known)
    decision = evaluate(request, entitlement.policies(session, trust))
    if action_folded not in TRUSTING and decision.verdict is not Verdict.EXPLICIT_DENY:
        unknown += _resource_policy(request, decision)
    return Judgement(
        request, decision, tuple(dict.fromkeys((*decision.unknown, *unknown))), entitlement, trust
    )


def entitled(world: World, entitlements: Entitlements, caller: Caller, holder: Named | None) -> Entitled:
    """The caller's own policies at that moment, and what is not known of them."""
    if caller.account_id is None or caller.kind is CallerKind.ROOT:
        return Entitlement(), ()
    if holder is None:  # root's federated users have what was passed to them
        return Entitlement(), (Unknown(UnknownKind.PRINCIPAL, caller.arn),)
    account = world.account(caller.account_id, holder)
    if account is None:
        return Entitlement(), (Unknown(UnknownKind.OTHER_ACCOUNT, caller.account_id),)
    found = holder_of(account, holder)
    if found is None:
        return Entitlement(), (Unknown(UnknownKind.PRINCIPAL, caller.arn),)
    entitlement = entitlements.of(account, found, world.at)
    return entitlement, entitlement.unknown


def _trust(world: World, role_arn: str) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
    account_id = account_in(role_arn)
    account = None if account_id is None else world.account(account_id, (Kind.ROLE, role_arn))
    if account is None:
        return None, () if account_id is None else (Unknown(UnknownKind.OTHER_ACCOUNT, account_id),)
    role = holder_of(account, (Kind.ROLE, role_arn))
    if not isinstance(role, Role):
        return None, (Unknown(UnknownKind.PRINCIPAL, role_arn),)
    return trust_of(role, account.id)


def _resource_policy(request: Request, decision: Decision) -> tuple[Unknown, ...]:
    """A resource's own policy is in no IAM log: it may have allowed what nothing else did, or must have agreed."""
    service = request.action.partition(":")[0]
    must_agree = request.cross_account or service == KEY_SERVICE
    may_suffice = service in WITH_RESOURCE_POLICIES and decision.verdict is Verdict.IMPLICIT_DENY
    if must_agree or may_suffice:
        return (Unknown(UnknownKind.RESOURCE_POLICY, request.resource or "*"),)
    return ()


def tags_of(holder: User | Role | None) -> Mapping[str, str] | None:
    """The tags that a caller has of its own, as `aws:PrincipalTag/…` shows them; None where they are not known."""
    if holder is None or holder.assumed:
        return None
    return {tag.key: tag.value for tag in holder.tags.values()}
