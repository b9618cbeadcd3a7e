"""What the policies of a user, group or role, or one managed policy, grant: the actions, and so the services.

As IAM's last accessed information counts them: only what policies of the identity say, whatever boundaries, sessions and
the policies of resources say. Source: IAM API reference, "GenerateServiceLastAccessedDetails".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.account.account import Account
from ledger.account.entities import Group, Role, User
from ledger.account.managed_policies import managed_policy
from ledger.policy.decision import Effect
from ledger.policy.document import Policy, Statement, compile_policy
from ledger.policy.entitlements import entitlement, group_policies
from projections.permissions.reach.permitted import meant

ANY = ("*",)

Subject = User | Group | Role | str
"""Whose policies; a text is the ARN of a managed policy."""


def granted_actions(account: Account, subject: Subject, at: int) -> dict[str, list[str]]:
    """The known actions that are granted at a second, by service, both in order; what is denied everywhere is not."""
    statements = [statement for policy in _policies(account, subject, at) for statement in policy.statements]
    allowed = _meant(it for it in statements if it.effect is Effect.ALLOW)
    denied = _meant(it for it in statements if it.effect is Effect.DENY and _everywhere(it))
    found: dict[str, list[str]] = {}
    for action in sorted(allowed - denied, key=str.lower):
        service, _, name = action.partition(":")
        found.setdefault(service, []).append(name)
    return dict(sorted(found.items()))


def holders(account: Account, subject: Subject) -> list[User | Role]:
    """The users and roles whose use counts: whoever has the policies, be it through a group."""
    found: dict[str, User | Role] = {}
    for one in [subject] if not isinstance(subject, str) else account.holders_of(subject):
        if isinstance(subject, str) and subject not in one.attached:
            continue  # bounded by it
        for holder in account.members(one) if isinstance(one, Group) else [one]:
            found[holder.id] = holder
    return list(found.values())


def _policies(account: Account, subject: Subject, at: int) -> Iterable[Policy]:
    match subject:
        case User() | Role():
            return (policy for policy, _ in entitlement(account, subject, at).identity.entries)
        case Group():
            return (policy for policy, _ in group_policies(account, subject, at).entries)
        case str():
            kept = account.policy(subject)
            version = managed_policy(subject, at) if kept is None else kept.default_version
            document = None if version is None else version.document
            return [compile_policy(document)] if isinstance(document, Mapping) else []


def _meant(statements: Iterable[Statement]) -> frozenset[str]:
    return frozenset().union(*(meant(it.actions, it.all_actions_but) for it in statements))


def _everywhere(statement: Statement) -> bool:
    return not statement.clauses and not statement.all_resources_but and "*" in (statement.resources or ANY)
