"""For a recorded call, the question that IAM was asked: which actions, on which resources.

CloudTrail tells the operation and its request, not the question. A denial's message does tell it; else the action is
the one that the reference has for the event, and the resource is read off the record by the action's ARN patterns.
Whatever is not certain carries a Guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from ledger.account.change import Members
from ledger.calls.action_names import action_named, actions_of
from ledger.calls.denials import DenialWords, denial_words
from ledger.calls.iam_resources import entity, in_words
from ledger.calls.question import EVERYTHING, NOT_TOLD, Asked, Guess, Question, Target, Unasked
from ledger.calls.requested import ArnOf, Requested
from ledger.calls.resource_patterns import filled
from ledger.calls.service_resources import s3_target, targets_of
from ledger.policy.aws_actions import AccessLevel, AwsAction, aws_action, is_action
from ledger.record import INSIGHT, Record

QUESTIONS_MAX = 128  # of one call: deleting a thousand things at once is asked about some of them here

NO_PERMISSION: Final = frozenset(
    {
        "sts:GetCallerIdentity",
        "sts:GetSessionToken",
        "sso:GetRoleCredentials",
        "sso:ListAccountRoles",
        "sso:ListAccounts",
        "sso:Logout",
    }
)
"""What every caller may do, whatever the policies say (the API references of STS and of the access portal)."""


def no_arns(_kind: str, _name: str) -> str | None:
    return None


def asked(record: Record, arn_of: ArnOf = no_arns) -> Asked:
    """What IAM was asked for this call; of a denial, what was refused.

    `arn_of` looks up a user, group, role, policy or instance-profile by name in the account as it was at that time:
    requests name them without the path that their ARN has.
    """
    requested = Requested(record, arn_of)
    words = denial_words(record)
    if words is not None and words.action is not None:
        return Asked(_refused(requested, words, action_named(words.action)))
    unasked = _unasked(record)
    if unasked is not None:
        return Asked((), unasked)
    questions: list[Question] = []
    for name in actions_of(record):
        action = aws_action(name)
        if action is None:
            questions.append(_unknown(requested, name))
            continue
        found = _questions(action.name, targets_of(requested, action))
        questions += [*found, *_implied(requested, action, found)]
    return Asked(tuple(dict.fromkeys(questions))[:QUESTIONS_MAX])


def _unasked(record: Record) -> Unasked | None:
    kind = record.document.get("eventType")
    if record.action == INSIGHT:
        return Unasked.INSIGHT
    if kind == "AwsServiceEvent":
        return Unasked.SERVICE_EVENT
    if kind == "AwsConsoleSignIn" or (record.service == "signin" and not is_action(record.action)):
        return Unasked.SIGN_IN
    return Unasked.NEEDS_NO_PERMISSION if record.action in NO_PERMISSION else None


def _questions(action: str, targets: tuple[Target, ...]) -> list[Question]:
    return [Question(action, it.resources, it.guess) for it in targets]


def _unknown(requested: Requested, name: str) -> Question:
    told = requested.listed or requested.named
    guess = (Guess.NAMED_AS_EVENT,) if told else (Guess.NAMED_AS_EVENT, Guess.RESOURCE_NOT_TOLD)
    return Question(name, told, guess)


# ---- a denial: AWS says what it was asked


def _refused(requested: Requested, words: DenialWords, name: str) -> tuple[Question, ...]:
    action = aws_action(name)
    if words.resource is None:
        targets = (NOT_TOLD,) if action is None else targets_of(requested, action)
        return tuple(_questions(name, targets))
    return tuple(_questions(name, (_of_words(requested, words.resource, action),)))


def _of_words(requested: Requested, words: str, action: AwsAction | None) -> Target:
    """An ARN, as mostly; or the name of an IAM entity, or that by which the request names the resource."""
    if words == "*" or words.startswith("arn:"):
        return Target((words,))
    if action is None:
        return Target((words,), (Guess.RESOURCE_BUILT,)) if words else NOT_TOLD
    if action.name.startswith("iam:") and (target := in_words(requested, words)) is not None:
        return target
    if not words or not action.resource_types:
        return NOT_TOLD if action.resource_types else EVERYTHING
    kind = max(action.resource_types, key=lambda it: it.required)
    place = kind.pattern.rpartition("${")[2].rstrip("}")
    arn = filled(requested, kind.pattern, {place: words})
    if action.name.startswith("secretsmanager:"):
        return Target((f"{arn}-??????",), (Guess.PART_NOT_TOLD,))
    return Target((arn,), (Guess.RESOURCE_BUILT,))


# ---- what AWS asks besides, because of what the request holds


def _implied(requested: Requested, action: AwsAction, main: list[Question]) -> Iterator[Question]:
    service, _, name = action.name.partition(":")
    request = Members(requested.record.request)
    if service == "s3":
        yield from _implied_by_s3(requested, name, request)
    if service == "sts":
        if "Tags" in request and request.pairs("Tags"):
            yield from _besides("sts:TagSession", main)
        if request.text("SourceIdentity"):
            yield from _besides("sts:SetSourceIdentity", main)
    elif name.startswith(
        ("Create", "Run", "Allocate", "Put", "Copy", "Register", "Request", "Start", "Upload")
    ):
        yield from _tagging(requested, action, main)
    if action.level not in (AccessLevel.LIST, AccessLevel.READ):
        yield from _passing(requested, action)


def _besides(action: str, main: list[Question]) -> Iterator[Question]:
    for question in main:
        yield Question(action, question.resources, (*question.guess, Guess.IMPLIED))


def _implied_by_s3(requested: Requested, name: str, request: Members) -> Iterator[Question]:
    bucket, key = request.text("bucketName"), request.text("key")
    if bucket is None or name not in ("PutObject", "CreateBucket"):
        return
    source = request.text("x-amz-copy-source") if name == "PutObject" else None
    if source is not None:
        path, _, version = source.removeprefix("arn:aws:s3:::").lstrip("/").partition("?versionId=")
        from_bucket, _, from_key = unquote(path).partition("/")
        target = s3_target(requested, from_bucket, from_key, of_object=True)
        yield Question("s3:GetObjectVersion" if version else "s3:GetObject", target.resources, target.guess)
    target = s3_target(requested, bucket, key, of_object=name == "PutObject")
    guess = (*target.guess, Guess.IMPLIED)
    if (request.text("x-amz-acl") or "private") != "private":
        yield Question(
            "s3:PutObjectAcl" if name == "PutObject" else "s3:PutBucketAcl", target.resources, guess
        )
    if name == "PutObject" and request.text("x-amz-tagging"):
        yield Question("s3:PutObjectTagging", target.resources, guess)


def _tagging(requested: Requested, action: AwsAction, main: list[Question]) -> Iterator[Question]:
    """Who makes something with tags must be allowed to tag it."""
    service, _, name = action.name.partition(":")
    request = requested.record.request
    if service == "ec2":
        kinds = _tagged_kinds(request.get("tagSpecificationSet") or request.get("TagSpecification"))
        for kind in kinds:
            yield Question("ec2:CreateTags", (requested.arn("ec2", f"{kind}/*"),), (Guess.IMPLIED,))
        return
    if not any(
        isinstance(it, str) and it.lower() in ("tags", "taglist", "tagset") and request[it] for it in request
    ):
        return
    names = (
        (f"Tag{name.removeprefix('Create')}",) if service == "iam" else ("TagResource", "AddTagsToResource")
    )
    tagging = next((it for it in names if is_action(f"{service}:{it}")), None)
    if tagging is not None:
        yield from _besides(f"{service}:{tagging}", main)


def _tagged_kinds(specifications: object) -> list[str]:
    if isinstance(specifications, dict):
        specifications = specifications.get("items", [specifications])
    if not isinstance(specifications, list):
        return []
    kinds = (Members(it).text("ResourceType") for it in specifications)
    return list(dict.fromkeys(kind for kind in kinds if kind is not None))


def _passing(requested: Requested, action: AwsAction) -> Iterator[Question]:
    """iam:PassRole is checked by the call that hands a role to a service, and leaves no record of its own."""
    if action.name == "iam:AddRoleToInstanceProfile":
        role = requested.text("rolename")
        if role is not None:
            target = entity(requested, "role", role)
            yield Question("iam:PassRole", target.resources, (*target.guess, Guess.ROLE_PASSED))
    if action.name.startswith(("iam:", "sts:")):
        return
    if action.name in _PASSING_BY_PROFILE or (
        action.name == "ec2:RunInstances" and "iamInstanceProfile" in Members(requested.record.request)
    ):
        yield _NO_ROLE
        return
    for name, texts in requested.members.items():
        for text in texts if "role" in name else ():
            if _ROLE.fullmatch(text):
                yield Question("iam:PassRole", (text,), (Guess.ROLE_PASSED,))


_ROLE: Final = re.compile(r"arn:[^:]+:iam::\d*:role/(?!aws-service-role/).+")
# These name an instance profile, and pass the role that is in it.
_PASSING_BY_PROFILE: Final = ("ec2:AssociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation")
_NO_ROLE: Final = Question("iam:PassRole", (), (Guess.ROLE_PASSED, Guess.RESOURCE_NOT_TOLD))
