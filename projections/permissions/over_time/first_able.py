"""When a principal first became able to do something, and every turn since: by which entry, of whom."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.policy.decision import SEMANTICS
from ledger.policy.entitlements import Entitlements
from ledger.record import format_time
from projections.permissions.accounts import PastAccounts
from projections.permissions.judging import TRUSTING
from projections.permissions.over_time.following import Followed, Following
from projections.permissions.over_time.turned_by import places_of_causes, told_cause
from projections.permissions.over_time.turning import Able, Asked, Walk, unknown_of
from projections.permissions.over_time.who_could import matches_of, told_judged
from projections.permissions.telling import Answer, Teller, places_of, told_unknown

ADMINISTRATION = (
    "iam:AttachUserPolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPolicy",
    "iam:PutRolePolicy",
    "iam:CreatePolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:CreateUser",
    "iam:CreateAccessKey",
    "iam:PassRole",
    "ec2:RunInstances",
    "lambda:CreateFunction",
    "s3:GetObject",
    "s3:DeleteObject",
    "secretsmanager:GetSecretValue",
)
"""What an administrator may do, each on `*`: give anyone any permission, run anything, read and delete anything."""

EVERYTHING = "*"


def first_able(
    past: PastAccounts,
    entitlements: Entitlements,
    following: Following,
    followed: Followed,
    asked: Asked,
    until: int,
) -> Answer:
    """The turns of the principal's ability over the whole log up to `until`, `firstAble` the first that is no `no`."""
    role_arn = asked.resource if any(action.lower() in TRUSTING for action in asked.actions) else None
    if role_arn is not None and not role_arn.startswith("arn:"):
        role_arn = None
    walk = Walk(entitlements, asked, following.courses(followed, role_arn, 0, until))
    subject = followed.subject
    walk.begin(subject, -1, until)
    walk.go(until, lambda _: [subject])
    turns = [turn for turn in subject.turns if turn.cause is not None or turn.able is not Able.NO]
    teller = Teller(past.log)
    teller.learn(
        places_of_causes(turn.cause for turn in turns)
        | places_of(match for turn in turns for match in matches_of(turn.judged))
    )
    told = [
        {
            "time": None if turn.cause is None else format_time(turn.time),
            "able": str(turn.able),
            "by": told_cause(teller, turn.cause),
            **told_judged(teller, turn.judged),
            "unknown": [told_unknown(one) for one in unknown_of(turn.judged)],
        }
        for turn in turns
    ]
    principals = [turn.principal for turn in turns if turn.principal is not None]
    return {
        "principal": principals[-1].caller.arn if principals else None,
        "account": followed.account_id,
        "actions": list(asked.actions),
        "resource": asked.resource,
        "until": format_time(until),
        "able": told[-1]["able"] if told else str(Able.NO),
        "firstAble": next((one for one in told if one["able"] == "yes"), None),
        "turns": told,
        "semantics": SEMANTICS,
    }


def administration(context: Mapping[str, tuple[str, ...]]) -> Asked:
    """Whether somebody is an administrator."""
    return Asked(ADMINISTRATION, EVERYTHING, context)
