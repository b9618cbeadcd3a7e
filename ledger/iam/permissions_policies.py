"""The permissions policies of one user, group or role, one by one, and the operations that look through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ledger.account.account import Account
from ledger.account.entities import Group, PolicyDocument, Role, User
from ledger.account.managed_policies import managed_policy
from ledger.iam.deciding import Answer, Call, Moment, decides
from ledger.iam.paging import paged
from ledger.iam.refusals import InvalidInput, NoSuchEntity
from ledger.policy.decision import Effect
from ledger.policy.document import Statement, compile_policy
from ledger.policy.request import account_in

Holder = User | Group | Role


@dataclass(frozen=True, slots=True)
class Held:
    """A policy that somebody has. `arn` is None for an inline policy, `holder` is whose it is."""

    name: str
    arn: str | None
    holder: Holder
    document: Mapping[str, Any]


def holder_at(account: Account, arn: str) -> Holder | None:
    """The user, group or role of this ARN; raises InvalidInput where it is the ARN of nothing of the kind."""
    parts = arn.split(":", 5)
    noun, _, path = parts[-1].partition("/")
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "iam" or noun not in _NAMED or not path:
        raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    found: Holder | None = _NAMED[noun](account, path.rsplit("/", 1)[-1])
    return found if found is not None and found.arn == arn else None


def a_source(account: Account, call: Call) -> str:
    """Whose policies an operation asks about; raises InvalidInput where another account is to tell of them."""
    arn = str(call.get("PolicySourceArn", ""))
    theirs = account_in(arn)
    if theirs not in (None, account.id):
        raise InvalidInput(
            f"Invalid Policy Source Arn: caller's account {account.id} does not have access to policies in account {theirs}"
        )
    return arn


def source_of_policies(account: Account, call: Call) -> Holder:
    """Raises InvalidInput or NoSuchEntity."""
    found = holder_at(account, call["PolicySourceArn"])
    if found is None:
        raise NoSuchEntity("Unable to retrieve specified IAM entity.")
    return found


_NAMED: Mapping[str, Any] = {
    "user": Account.user_named,
    "group": Account.group_named,
    "role": Account.role_named,
}


def permissions_policies(account: Account, holder: Holder, at: int) -> Iterator[Held]:
    """Inline and managed, a user's groups' too; each managed policy once. What nobody told the text of is left out."""
    holders = [holder]
    if isinstance(holder, User):
        groups = (account.groups.get(it.group_id) for it in holder.memberships.values())
        holders += sorted((it for it in groups if it is not None), key=lambda group: group.name)
    told = set[str]()
    for one in holders:
        for name, inline in sorted(one.inline.items()):
            if isinstance(inline.document, Mapping):
                yield Held(name, None, one, inline.document)
        for arn in sorted(set(one.attached) - told):
            document = managed_document(account, arn, at)
            told.add(arn)
            if isinstance(document, Mapping):
                yield Held(arn.rsplit("/", 1)[-1], arn, one, document)


def managed_document(account: Account, arn: str, at: int) -> PolicyDocument | None:
    """The text of a managed policy's version in force."""
    policy = account.policy(arn)
    version = managed_policy(arn, at) if policy is None else policy.default_version
    return None if version is None else version.document


# ---- which of them give access to a service


@decides("iam:ListPoliciesGrantingServiceAccess", on=lambda account, call: str(call.get("Arn", "")))
def list_policies_granting_service_access(account: Account, call: Call, moment: Moment) -> Answer:
    """For each service, in the order in which the call names them, the policies that allow any of its actions."""
    holder = holder_at(account, call["Arn"])
    if holder is None:
        raise NoSuchEntity(f"The entity with ARN {call['Arn']} cannot be found.")
    policies = list(permissions_policies(account, holder, moment.time))

    def show(place: tuple[int, str]) -> dict[str, Any]:
        granting = [_shown(policy) for policy in policies if _grants(policy, place[1].lower())]
        return {"ServiceNamespace": place[1], "Policies": granting}

    services = enumerate(dict.fromkeys(call["ServiceNamespaces"]))
    return Answer(
        paged(call, "PoliciesGrantingServiceAccess", services, lambda place: f"{place[0]:06}", show)
    )


def _shown(policy: Held) -> dict[str, Any]:
    if policy.arn is not None:
        return {"PolicyName": policy.name, "PolicyType": "MANAGED", "PolicyArn": policy.arn}
    return {
        "PolicyName": policy.name,
        "PolicyType": "INLINE",
        "EntityType": type(policy.holder).__name__.upper(),
        "EntityName": policy.holder.name,
    }


def _grants(policy: Held, service: str) -> bool:
    statements = compile_policy(policy.document).statements
    return any(it.effect is Effect.ALLOW and _speaks_of(it, service) for it in statements)


def _speaks_of(statement: Statement, service: str) -> bool:
    """Whether any action of the service is meant."""
    if statement.all_actions_but:
        return not {"*", "*:*", f"{service}:*"} & set(statement.actions)
    return any(fnmatchcase(service, action.partition(":")[0]) for action in statement.actions)
