"""Whom a step concerns: the users and roles for whom it may change the answer to a question.

A policy may be written anew and say the same of what is asked, which as a rule is nothing. Then its holders, often
hundreds, are as able as they were.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from ledger.account.account import Account
from ledger.account.entities import Group, Kind, ManagedPolicy, PolicyDocument, Ref, Role, Settings, User
from ledger.policy.decision import Effect
from ledger.policy.document import Statement, compile_policy
from projections.permissions.over_time.courses import Step
from projections.permissions.over_time.turning import Asked


class Concerning:
    """Tells whom steps concern, of one question."""

    def __init__(self, asked: Asked) -> None:
        self._actions = tuple(action.lower() for action in asked.actions)
        self._resource = asked.resource

    def by(self, step: Step) -> Iterator[Ref]:
        """The users and roles whose own permissions the step may turn."""
        for kind, unique_id in step.touched:
            if not self._matters(step, kind, unique_id):
                continue
            if kind in (Kind.USER, Kind.ROLE):
                yield kind, unique_id
            elif kind is Kind.SETTINGS:
                yield from ((Kind.USER, user_id) for user_id in step.after.users)
            else:
                yield from _reached(step.before, kind, unique_id)
                yield from _reached(step.after, kind, unique_id)

    def _matters(self, step: Step, kind: Kind, unique_id: str) -> bool:
        match step.before.get(kind, unique_id), step.after.get(kind, unique_id):
            case Settings() as before, Settings() as after:
                return before.password_policy != after.password_policy
            case ManagedPolicy() as before, ManagedPolicy() as after:
                return self._of_policy(before) != self._of_policy(after)
            case Group() as before, Group() as after:
                return self._of_group(step.before, before) != self._of_group(step.after, after)
        return True

    def _of_group(self, account: Account, group: Group) -> Hashable:
        said: set[Hashable] = {self._of_text(inline.document) for inline in group.inline.values()}
        for arn in group.attached:
            policy = account.policy(arn)
            said.add(arn if policy is None else self._of_policy(policy))
        return frozenset(said), group.assumed

    def _of_policy(self, policy: ManagedPolicy) -> Hashable:
        version = policy.default_version
        return self._of_text(None if version is None else version.document)

    def _of_text(self, document: PolicyDocument | None) -> Hashable:
        """What a text says of each action; None where nobody knows the text."""
        if not isinstance(document, Mapping):
            return None
        policy = compile_policy(document)
        return tuple(
            frozenset(self._said(one) for one in policy.about(action) if self._is_meant(one))
            for action in self._actions
        )

    def _is_meant(self, statement: Statement) -> bool:
        test = statement.resource_test
        return self._resource is None or test is None or bool(test(self._resource))

    def _said(self, statement: Statement) -> Effect | Statement:
        """Its effect alone, unless more than action and resource matters to it: equal texts have the same statements."""
        told = not statement.conditional and (self._resource is not None or statement.resource_test is None)
        return statement.effect if told else statement


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
