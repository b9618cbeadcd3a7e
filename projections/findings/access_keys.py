"""Keys that were made, and keys that AWS found in public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log.schema import Kind, entries, principals, strings
from ledger.record import format_time
from projections.findings.evidence import End, Evidence, Finding, by, is_own, one, refs, target_user
from projections.findings.standing import made, standing

QUARANTINE = "AWSCompromisedKeyQuarantine"  # …, …V2, …V3: what AWS attaches to the user of a leaked key


def created_for_another(evidence: Evidence) -> Iterator[Finding]:
    """Question 16: who made a key for another user? Source: Elastic's and Sigma's rules on CreateAccessKey.

    The actor is not the user whom the call names; a role session is nobody's user, so its keys are all another's.
    """
    for entry in evidence.calls("iam:CreateAccessKey"):
        user = target_user(entry)
        if user is None or is_own(entry.record.identity, user):
            continue
        key = created_key(entry)
        use = evidence.uses([key]).get(key)
        yield Finding(
            "medium" if use is None else "high",
            f"A key for {user} was made by somebody else",
            f"{user}/{key}",
            [entry],
            {**by(evidence, entry), "user": user, "accessKey": key, "calls": use.count if use else 0},
        )


def created_for_oneself(evidence: Evidence) -> Iterator[Finding]:
    """Question 17: which key did a user make for themselves and then use? Root's keys have a kind of their own."""
    for entry in evidence.calls("iam:CreateAccessKey"):
        user = target_user(entry)
        if user is None or not is_own(entry.record.identity, user):
            continue
        key = created_key(entry)
        first = evidence.first_use(key)
        if first is None:
            continue
        use = evidence.uses([key])[key]
        same = first.document.get("sourceIPAddress") == entry.document.get("sourceIPAddress")
        yield Finding(
            "low" if same else "medium",
            f"{user} made a key for themselves and used it",
            f"{user}/{key}",
            [entry, first],
            {
                "user": user,
                "accessKey": key,
                "firstUse": one(first),
                "lastUsed": format_time(use.last),
                "calls": use.count,
                "sameAddress": same,
            },
        )


def created_key(entry: Entry) -> str:
    made = entry.record.response.get("accessKey")
    return str(made.get("accessKeyId", "")) if isinstance(made, Mapping) else ""


def quarantined(evidence: Evidence) -> Iterator[Finding]:
    """Question 34: when did AWS quarantine a user's keys, what did each key do before, during and after, and who
    detached the policy? Source: AWS's managed policies AWSCompromisedKeyQuarantine*; Elastic, Panther.

    A call of the very second of the attachment counts as before, of the detachment as during. An attachment that a
    snapshot told of began with the snapshot.
    """
    yield from _quarantines_told(evidence)
    for entry in evidence.calls("iam:AttachUserPolicy"):
        user, policy = (entry.record.request.get(name) for name in ("userName", "policyArn"))
        if not isinstance(user, str) or not isinstance(policy, str) or QUARANTINE not in policy:
            continue
        detached = next(
            (
                later
                for later in evidence.later_calls(
                    "iam:DetachUserPolicy", account=entry.account_id, since=entry.time
                )
                if later.record.request.get("userName") == user
                and later.record.request.get("policyArn") == policy
            ),
            None,
        )
        keys = _lasting_keys(evidence, entry.account_id, user)
        end = detached.time if detached is not None else None
        told = [_around(evidence, key, number, entry.time, end) for key, number in keys.items()]
        yield Finding(
            "high",
            f"AWS quarantined the keys of {user}" + (", and somebody lifted it" if detached else ""),
            user,
            [entry, detached] if detached else [entry],
            {
                "user": user,
                "policy": policy,
                "attached": one(entry),
                "detached": one(detached),
                "detachedBy": by(evidence, detached) if detached else None,
                "keys": told,
            },
        )


@standing
def _quarantines_told(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Quarantines that stand at the end, and that no record of an attachment shows."""
    for user in sorted(end.account.users.values(), key=lambda one: one.arn):
        for attachment in user.attached.values():
            told = made(evidence, end, attachment.made_by)
            if QUARANTINE not in attachment.policy_arn or not told:
                continue
            if told[0].record.action == "iam:AttachUserPolicy":
                continue
            keys = _lasting_keys(evidence, end.account.id, user.name)
            yield Finding(
                "high",
                f"AWS quarantined the keys of {user.name}",
                user.name,
                told,
                {
                    "user": user.name,
                    "policy": attachment.policy_arn,
                    "attached": None,
                    "detached": None,
                    "detachedBy": None,
                    "keys": [
                        _around(evidence, key, number, told[0].time, None) for key, number in keys.items()
                    ],
                },
            )


def _lasting_keys(evidence: Evidence, account: str, user: str) -> dict[str, int]:
    """The lasting keys that the user called with."""
    e, p, k = entries.c, principals.c, strings.c
    rows = sa.select(p.id).where(p.kind == "IAMUser", p.account_id == account, p.name == user)
    used = sa.select(e.access_key).where(e.principal.in_(rows)).distinct()
    query = sa.select(k.text, k.id).where(k.kind == Kind.KEY, k.text.like("AKIA%"), k.id.in_(used))
    return dict(evidence.connection.execute(query.order_by(k.text)).all())


def _around(evidence: Evidence, key: str, number: int, start: int, end: int | None) -> dict[str, Any]:
    e = entries.c
    before, until = e.time <= start, sa.true() if end is None else e.time <= end
    query = sa.select(
        sa.func.sum(sa.case((before, 1), else_=0)), sa.func.sum(sa.case((sa.not_(until), 1), else_=0))
    ).where(e.access_key == number)
    counted = evidence.connection.execute(query).one()
    during = evidence.entries(e.access_key == number, e.time > start, until)
    return {
        "accessKey": key,
        "before": counted[0] or 0,
        "during": refs(during),
        "refusedDuring": refs(entry for entry in during if not entry.record.succeeded),
        "after": counted[1] or 0,
    }
