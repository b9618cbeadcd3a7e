"""Roles and resources that let in anyone, or accounts that nobody here knows, as of the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.account.entities import Kind
from ledger.entry import Entry
from projections.findings.evidence import End, Evidence, Finding, by, one
from projections.findings.outsiders import Opening, openings
from projections.findings.standing import first_told, made, of_aws, reasons, standing


@standing
def open_trust(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which roles may be assumed by anyone, or by an account that the ledger does not know and that need not
    tell an external id? Source: IAM Access Analyzer; IAM user guide, "The confused deputy problem".

    `high` where it is anyone: `*`, or an identity provider that everybody may get a token of.
    """
    for role in sorted(end.account.roles.values(), key=lambda one: one.arn):
        if role.trust is None or of_aws(role):
            continue
        open_to = openings(role.trust.document, end.account.id, evidence.account_numbers)
        told = made(evidence, end, role.trust.made_by) or first_told(evidence, end, Kind.ROLE, role.id)
        if open_to and told:
            yield Finding(
                _severity(open_to),
                f"{role.name} may be assumed by {_names(open_to)}",
                role.arn,
                told,
                {
                    **by(evidence, told[0]),
                    "role": role.name,
                    "openTo": [opening.told() for opening in open_to],
                    "assumed": reasons(role.assumed),
                },
            )


@dataclass(frozen=True, slots=True)
class _Door:
    """How a service's resources get a policy and lose it. `resource` and `policy` are members of the request."""

    resource: tuple[str, ...]
    policy: tuple[str, ...]
    sets: str
    ends: tuple[str, ...]
    only: tuple[str, str] | None = (
        None  # a member that says that this call is about the policy, and its value
    )


DOORS = (
    _Door(
        ("bucketName",),
        ("bucketPolicy",),
        "s3:PutBucketPolicy",
        ("s3:DeleteBucketPolicy", "s3:DeleteBucket"),
    ),
    _Door(("keyId",), ("policy",), "kms:PutKeyPolicy", ("kms:ScheduleKeyDeletion",)),
    _Door(
        ("topicArn",),
        ("attributeValue",),
        "sns:SetTopicAttributes",
        ("sns:DeleteTopic",),
        ("attributeName", "Policy"),
    ),
    _Door(("queueUrl",), ("attributes", "Policy"), "sqs:SetQueueAttributes", ("sqs:DeleteQueue",)),
    _Door(
        ("secretId",),
        ("resourcePolicy",),
        "secretsmanager:PutResourcePolicy",
        ("secretsmanager:DeleteResourcePolicy", "secretsmanager:DeleteSecret"),
    ),
    _Door(
        ("repositoryName",),
        ("policyText",),
        "ecr:SetRepositoryPolicy",
        ("ecr:DeleteRepositoryPolicy", "ecr:DeleteRepository"),
    ),
    _Door(
        ("resourceArn",),
        ("policy",),
        "dynamodb:PutResourcePolicy",
        ("dynamodb:DeleteResourcePolicy", "dynamodb:DeleteTable"),
    ),
)


@standing
def open_resource(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which bucket, key, topic, queue, secret, repository or table has a policy that lets in anyone, or an
    account that the ledger does not know? Source: IAM Access Analyzer, Stratus's exfiltration by bucket policy.

    By the last policy that a record shows being set; of one from before the log nothing is known. An account's or
    bucket's block of public access, which may keep a policy from counting, is not looked at.
    """
    for door in DOORS:
        for resource, entry in _policies(evidence, end, door).items():
            open_to = openings(_member(entry, door.policy), end.account.id, evidence.account_numbers)
            if open_to:
                yield Finding(
                    _severity(open_to),
                    f"{resource} is open to {_names(open_to)}",
                    resource,
                    [entry],
                    {
                        **by(evidence, entry),
                        "resource": resource,
                        "setBy": one(entry),
                        "openTo": [opening.told() for opening in open_to],
                    },
                )


def _policies(evidence: Evidence, end: End, door: _Door) -> Mapping[str, Entry]:
    """The last record up to the end that set the policy of each resource that still has one."""
    found: dict[str, Entry] = {}
    for entry in evidence.later_calls(door.sets, *door.ends, account=end.account.id):
        resource = _member(entry, door.resource)
        if entry.time > end.at or not isinstance(resource, str):
            continue
        if entry.record.action in door.ends:
            found.pop(resource, None)
        elif _sets_policy(entry, door):
            found[resource] = entry
    return found


def _sets_policy(entry: Entry, door: _Door) -> bool:
    about = door.only is None or entry.record.request.get(door.only[0]) == door.only[1]
    return about and _member(entry, door.policy) is not None


def _member(entry: Entry, path: Sequence[str]) -> Any:
    told: Any = entry.record.request
    for name in path:
        told = told.get(name) if isinstance(told, Mapping) else None
    return told


def _severity(open_to: Sequence[Opening]) -> str:
    return "high" if any(opening.public for opening in open_to) else "medium"


def _names(open_to: Sequence[Opening]) -> str:
    names = sorted({"anyone" if opening.principal == "*" else opening.principal for opening in open_to})
    return ", ".join(names)
