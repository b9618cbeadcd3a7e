"""Users that were made, and passwords that were set for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.entry import Entry
from projections.attribution import calls_of, find_whole
from projections.findings.evidence import DAY, Evidence, Finding, by, is_own, one, target_user
from projections.vocabulary import UnknownName

# What the tools of infrastructure as code call themselves. CloudFormation (and so CDK and SAM) calls by itself.
DEPLOYERS = ("terraform", "opentofu", "pulumi", "crossplane", "cloudformation", "ansible")
SHORT_LIFE = DAY


def password_set_for_another(evidence: Evidence) -> Iterator[Finding]:
    """Question 18: who set or changed the console password of another user? Source: Sigma's
    aws_update_login_profile, Stratus, Elastic.
    """
    for entry in evidence.calls("iam:CreateLoginProfile", "iam:UpdateLoginProfile"):
        user = target_user(entry)
        if user is None or is_own(entry.record.identity, user):
            continue
        created = entry.record.action == "iam:CreateLoginProfile"
        yield Finding(
            "medium",
            f"{user} was given a password"
            if created
            else f"The password of {user} was changed by somebody else",
            user,
            [entry],
            {
                **by(evidence, entry),
                "user": user,
                "created": created,
                "resetRequired": entry.record.request.get("passwordResetRequired"),
            },
        )


def created_unusually(evidence: Evidence) -> Iterator[Finding]:
    """Question 33: which user was made by hand? Source: Panther's entity_created_without_cloudformation.

    By hand is what no tool for infrastructure as code did, by its user agent or because CloudFormation called.
    Where users are made by hand as a rule, every one is found.
    """
    for entry in evidence.calls("iam:CreateUser"):
        if not _deployed(entry):
            deleted = _deletion(evidence, entry)
            yield Finding(
                "medium",
                f"The user {_user_name(entry)} was not made by a deployment",
                _user_name(entry),
                [entry, deleted] if deleted else [entry],
                _life(evidence, entry, deleted),
            )


def short_lived(evidence: Evidence) -> Iterator[Finding]:
    """Question 33: which user was deleted soon after it was made, and what did it do? Source: Panther.

    Soon is within 24 hours: users are made for people and for machines, who stay longer than a day.
    """
    for entry in evidence.calls("iam:CreateUser"):
        deleted = _deletion(evidence, entry)
        if deleted is not None and deleted.time - entry.time <= SHORT_LIFE:
            life = _life(evidence, entry, deleted)
            yield Finding(
                "high" if life["calls"] else "medium",
                f"The user {_user_name(entry)} lived for {deleted.time - entry.time} seconds",
                _user_name(entry),
                [entry, deleted],
                {**life, "seconds": deleted.time - entry.time},
            )


def _life(evidence: Evidence, entry: Entry, deleted: Entry | None) -> dict[str, Any]:
    """`calls`: with all credentials of the user, sessions included."""
    made = entry.record.response.get("user")
    unique_id = made.get("userId") if isinstance(made, Mapping) else None
    try:
        whole = find_whole(evidence.connection, evidence.sessions, str(unique_id))
        calls = calls_of(evidence.connection, whole)
    except UnknownName:
        calls = 0
    return {
        **by(evidence, entry),
        "user": _user_name(entry),
        "userId": unique_id,
        "userAgent": entry.document.get("userAgent"),
        "created": one(entry),
        "deleted": one(deleted),
        "deletedBy": by(evidence, deleted) if deleted else None,
        "calls": calls,
    }


def _user_name(entry: Entry) -> str:
    return str(entry.record.request.get("userName") or "?")


def _deployed(entry: Entry) -> bool:
    identity = entry.document.get("userIdentity")
    invoked_by = identity.get("invokedBy") if isinstance(identity, Mapping) else None
    told = f"{entry.document.get('userAgent')} {entry.document.get('sourceIPAddress')} {invoked_by}".lower()
    return any(deployer in told for deployer in DEPLOYERS)


def _deletion(evidence: Evidence, created: Entry) -> Entry | None:
    """The next deletion of a user of that name: names are unique while their users live."""
    name = _user_name(created).lower()
    later = evidence.later_calls("iam:DeleteUser", account=created.account_id, since=created.time)
    return next((entry for entry in later if _user_name(entry).lower() == name), None)
