"""Whom a step concerns: the users and roles for whom it may change the answer to a question.

A policy may be written anew and say the same of what is asked, which as a rule is nothing; and what it no longer says,
another may say still. Then its holders, often hundreds, are as able as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.entities import Group, Kind, ManagedPolicy, PolicyDocument, Ref, Role, User
from ledger.policy.decision import Effect
from ledger.policy.document import Statement, compile_policy
from projections.permissions.over_time.courses import Step
from projections.permissions.over_time.turning import Asked

Said = frozenset[tuple[str, Effect | Statement] | Reason | str | None]
"""Of each action that is asked about: an effect, or a statement that more of a request matters to. Besides what is
assumed, the ARNs of policies that AWS keeps, and None for a text that nobody knows."""


class Concerning:
    """Tells whom steps concern, of one question."""

    def __init__(self, asked: Asked) -> None:
        self._actions = tuple(action.lower() for action in asked.actions)
        self._resource = asked.resource
        self._of_policies: dict[int, tuple[ManagedPolicy, Said]] = {}  # the policy is kept, and so its id

    def by(self, step: Step) -> Iterator[Ref]:
        """The users and roles whose own permissions the step may turn."""
        for kind, unique_id in step.touched:
            if kind in (Kind.USER, Kind.ROLE):
                yield kind, unique_id
            elif kind is Kind.SETTINGS:
                if step.before.settings.password_policy != step.after.settings.password_policy:
                    yield from ((Kind.USER, user_id) for user_id in step.after.users)
            elif self._is_other(step, kind, unique_id):
                reached = (_reached(account, kind, unique_id) for account in (step.before, step.after))
                for ref in dict.fromkeys(ref for refs in reached for ref in refs):
                    if self._is_other(step, *ref):
                        yield ref

    def _is_other(self, step: Step, kind: Kind, unique_id: str) -> bool:
        """Whether something else is said by a policy, or by all that a group, user or role has."""
        return self._said(step.before, kind, unique_id) != self._said(step.after, kind, unique_id)

    def _said(self, account: Account, kind: Kind, unique_id: str) -> tuple[Said, ...] | None:
        match account.get(kind, unique_id):
            case ManagedPolicy() as policy:
                return (self._by_policy(policy),)
            case User() | Role() as holder if holder.boundary is not None:
                return self._by_holder(account, holder), self._by_arn(account, holder.boundary.policy_arn)
            case User() | Role() | Group() as holder:
                return (self._by_holder(account, holder),)
        return None

    def _by_holder(self, account: Account, holder: User | Role | Group) -> Said:
        said = set[tuple[str, Effect | Statement] | Reason | str | None](holder.assumed)
        for inline in holder.inline.values():
            said |= self._by_text(inline.document)
        for arn in holder.attached:
            said |= self._by_arn(account, arn)
        for group_id in holder.memberships if isinstance(holder, User) else ():
            group = account.groups.get(group_id)
            if group is not None:
                said |= self._by_holder(account, group)
        return frozenset(said)

    def _by_arn(self, account: Account, arn: str) -> Said:
        policy = account.policy(arn)
        return frozenset((arn,)) if policy is None else self._by_policy(policy)

    def _by_policy(self, policy: ManagedPolicy) -> Said:
        kept = self._of_policies.get(id(policy))
        if kept is None:
            version = policy.default_version
            said = self._by_text(None if version is None else version.document)
            kept = self._of_policies[id(policy)] = policy, said
        return kept[1]

    def _by_text(self, document: PolicyDocument | None) -> Said:
        if not isinstance(document, Mapping):
            return frozenset((None,))
        policy, resource = compile_policy(document), self._resource
        said: set[tuple[str, Effect | Statement]] = set()
        for action in self._actions:
            for statement in policy.about(action):
                test = statement.resource_test
                if statement.conditional or (test is not None and resource is None):
                    said.add((action, statement))  # equal texts have the same statements
                elif test is None or test(resource or ""):
                    said.add((action, statement.effect))
        return frozenset(said)


def _reached(account: Account, kind: Kind, unique_id: str) -> Iterator[Ref]:
    """The users and roles that have a group's or a policy's permissions."""
    entity = account.get(kind, unique_id)
    if isinstance(entity, Group):
        yield from ((Kind.USER, user.id) for user in account.members(entity))
    elif isinstance(entity, ManagedPolicy):
        for holder in account.holders_of(entity.arn):
            if isinstance(holder, Group):
                yield from _reached(account, holder.kind, holder.id)
            else:
                assert isinstance(holder, User | Role)
                yield holder.kind, holder.id
