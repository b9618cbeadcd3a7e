"""Which managed policies there are, and to whom each is attached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.account.account import Account
from ledger.account.entities import Group, ManagedPolicy, Role, User
from ledger.account.managed_policies import Outline, outline, policy_arns
from ledger.iam.deciding import EVERYTHING, Answer, Call, Moment, decides
from ledger.iam.paging import paged
from ledger.iam.policies import brief, brief_of_aws, found_in, is_of_aws, usage
from ledger.iam.targets import a_policy, told_as

AS_BOUNDARY = "PermissionsBoundary"


@told_as(lambda call, _: f"policy path {call.get('PathPrefix') or '/'}")
def _all_policies(account: Account, call: Call) -> str:
    return EVERYTHING


@decides("iam:ListPolicies", on=_all_policies)
def list_policies(account: Account, call: Call, moment: Moment) -> Answer:
    """The account's own policies by name, and then AWS's by ARN."""

    def show(policy: ManagedPolicy | Outline) -> dict[str, Any]:
        if isinstance(policy, Outline):
            return brief_of_aws(account, policy)
        return brief(account, policy)

    prefix = call.get("PathPrefix", "/")
    found = (
        policy
        for policy in _in_scope(account, call.get("Scope", "All"), moment.time)
        if policy.path.startswith(prefix) and _is_used(account, call, policy.arn)
    )
    return Answer(paged(call, "Policies", found, _place, show))


def _in_scope(account: Account, scope: str, at: int) -> Iterator[ManagedPolicy | Outline]:
    """A snapshot may have brought some of AWS's policies into the account; they are told as it brought them."""
    for policy in account.policies.values():
        if scope == "All" or is_of_aws(policy.arn) == (scope == "AWS"):
            yield policy
    if scope != "Local":
        for arn in policy_arns():
            found = outline(arn, at)
            if found is not None and account.policy(arn) is None:
                yield found


def _is_used(account: Account, call: Call, policy_arn: str) -> bool:
    """Whether it is used as the call wants its policies to be."""
    use, only_attached = call.get("PolicyUsageFilter"), call.get("OnlyAttached", False)
    if use is None and not only_attached:
        return True
    attached, bounded = usage(account, policy_arn)
    return bounded > 0 if use == AS_BOUNDARY else attached > 0


def _place(policy: ManagedPolicy | Outline) -> str:
    return f"1{policy.arn}" if is_of_aws(policy.arn) else f"0{policy.name.casefold()} {policy.arn}"


@decides("iam:ListEntitiesForPolicy", on=a_policy)
def list_entities_for_policy(account: Account, call: Call, moment: Moment) -> Answer:
    """Groups, users and roles by name; a page goes on from one list into the next."""
    arn = found_in(account, call["PolicyArn"], moment.time).arn
    prefix, wanted, use = call.get("PathPrefix", "/"), call.get("EntityFilter"), call.get("PolicyUsageFilter")
    found = [
        holder
        for holder in account.holders_of(arn)
        if holder.path.startswith(prefix)
        and wanted in (None, type(holder).__name__)
        and _uses(holder, arn, use)
    ]
    page = paged(
        call, "Holders", found, lambda holder: f"{_LISTS[type(holder)]}/{holder.name.casefold()}", _same
    )
    holders = page.pop("Holders")
    for kind, name in _LISTS.items():
        noun = kind.__name__
        page[name] = [
            {f"{noun}Name": holder.name, f"{noun}Id": holder.id}
            for holder in holders
            if isinstance(holder, kind)
        ]
    return Answer(page)


_LISTS: dict[type[User | Group | Role], str] = {
    Group: "PolicyGroups",
    Role: "PolicyRoles",
    User: "PolicyUsers",
}


def _uses(holder: User | Group | Role, policy_arn: str, use: str | None) -> bool:
    attached = policy_arn in holder.attached
    if isinstance(holder, Group) or holder.boundary is None:
        bounded = False
    else:
        bounded = holder.boundary.policy_arn == policy_arn
    match use:
        case "PermissionsPolicy":
            return attached
        case _ if use == AS_BOUNDARY:
            return bounded
    return attached or bounded


def _same(holder: User | Group | Role) -> User | Group | Role:
    return holder
