"""What turned a permission, as answers tell it: the entry, and what it changed of users, groups, roles and policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ledger.account.assumptions import Reason
from ledger.account.entities import Group, ManagedPolicy, PolicyDocument, Ref, Role, Settings, User
from ledger.account.managed_policies import known_until, managed_policy
from ledger.record import format_time
from projections.permissions.over_time.courses import Step
from projections.permissions.over_time.turning import Cause
from projections.permissions.telling import Answer, Place, Teller

MINUTE = 60  # within which AWS's date of a creation is that of its record
Holding = User | Group | Role


def places_of_causes(causes: Iterable[Cause | None]) -> set[Place]:
    """The entries that these are."""
    return {
        (cause.account_id, cause.step.position)
        for cause in causes
        if cause is not None and cause.step is not None
    }


def told_cause(teller: Teller, cause: Cause | None) -> Answer | None:
    """The entry with `changed`; without an entry where it was the time itself, or AWS."""
    if cause is None:
        return None
    if cause.step is not None:
        entry = teller.entry(cause.account_id, cause.step.position)
        return {**entry, "changed": list(changes_of(cause.step, cause.concerns))}
    return {
        **teller.entry(cause.account_id, None),
        "eventTime": format_time(cause.time),
        "changed": [
            _change("policy", arn.rsplit("/", 1)[-1], *_by_aws(arn, cause.time)) for arn in cause.aws_policies
        ]
        or [_change("condition", "aws:CurrentTime", "time", format_time(cause.time))],
    }


def changes_of(step: Step, concerns: Collection[Ref]) -> Iterator[Answer]:
    """What a step changed of these entities that permissions rest on."""
    for kind, unique_id in step.touched:
        if (kind, unique_id) not in concerns:
            continue
        before, after = step.before.get(kind, unique_id), step.after.get(kind, unique_id)
        entity = after or before
        if isinstance(entity, Settings):
            if step.before.settings.password_policy != step.after.settings.password_policy:
                yield _change(str(kind), step.after.id, "passwordPolicySet", None)
            continue
        if not isinstance(entity, User | Group | Role | ManagedPolicy):
            continue
        for what, about in _changes(step, before, after):
            yield _change(str(kind), entity.name, what, about)


def _changes(step: Step, before: Any, after: Any) -> Iterator[tuple[str, str | None]]:
    if after is None:
        yield "deleted", None
        return
    if before is None:
        known = Reason.UNSEEN_CREATION in after.assumed or (
            after.create_date is not None and after.create_date < step.time - MINUTE
        )
        yield "known" if known else "created", None
    if isinstance(after, ManagedPolicy):
        if after.default is not None and _in_force(before) != _in_force(after):
            yield "inForce", after.default.version_id
        return
    yield from _granted(before, after)
    if isinstance(after, User):
        joined = {} if before is None else before.memberships
        for what, group_id in _compared(joined, after.memberships, "joined", "left", None):
            group = step.after.groups.get(group_id) or step.before.groups.get(group_id)
            yield what, group_id if group is None else group.name
    if isinstance(after, User | Role):
        bounds = [None if one is None else one.boundary for one in (before, after)]
        names = [None if one is None else one.policy_arn for one in bounds]
        if names[0] != names[1]:
            yield ("boundarySet", names[1]) if names[1] is not None else ("boundaryRemoved", names[0])
    if isinstance(after, Role) and after.trust is not None:
        old_trust = None if before is None else before.trust
        if old_trust is None or old_trust.document != after.trust.document:
            yield "trustSet", None


def _in_force(policy: ManagedPolicy | None) -> tuple[str, PolicyDocument | None] | None:
    """Its version, with the text, which can come to be known later than that it is in force."""
    if policy is None or policy.default is None:
        return None
    version = policy.default_version
    return policy.default.version_id, None if version is None else version.document


def _granted(before: Holding | None, after: Holding) -> Iterator[tuple[str, str | None]]:
    attached: Mapping[str, Any] = {} if before is None else before.attached
    inline: Mapping[str, Any] = {} if before is None else before.inline
    yield from _compared(attached, after.attached, "attached", "detached", None)
    yield from _compared(inline, after.inline, "inlinePut", "inlineDeleted", "document")


def _compared(
    before: Mapping[str, Any], after: Mapping[str, Any], come: str, gone: str, text: str | None
) -> Iterator[tuple[str, str]]:
    """What is there now and was not, or not with the same text; and what was there."""
    for name, part in after.items():
        if name not in before or (text is not None and getattr(before[name], text) != getattr(part, text)):
            yield come, name
    for name in before:
        if name not in after:
            yield gone, name


def _by_aws(arn: str, at: int) -> tuple[str, str | None]:
    """The version that AWS put in force; after the last that is known of its policies, that nothing is."""
    version = managed_policy(arn, at) if at <= known_until() else None
    return ("notKnownFromHere", None) if version is None else ("changedByAWS", version.version_id)


def _change(kind: str, name: str, what: str, about: str | None) -> Answer:
    return {"kind": kind, "name": name, "what": what, "about": about}
