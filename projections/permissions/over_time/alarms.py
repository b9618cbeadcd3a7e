"""The moments at which a permission may change though no entry does: a time that a condition names, a new version of
one of AWS's own policies, or the last second until which is known what these say.

Of `aws:CurrentTime` and `aws:EpochTime` the values are followed that are dates or numbers; a pattern of a date, which
only an operator of strings could compare, is not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import ceil, floor

from ledger.account.account import Account
from ledger.account.entities import Group, Role, User
from ledger.account.managed_policies import known_until, versions
from ledger.policy.conditions import texts_of
from ledger.policy.document import Policy
from ledger.policy.entitlements import AWS_MANAGED, Entitlement
from ledger.policy.evaluation import PolicySet
from ledger.policy.operators import BadValue, seconds_of

TIME_KEYS = frozenset({"aws:currenttime", "aws:epochtime"})
KEPT_MAX = 8_192

Holding = tuple[Account | None, User | Role | None]
"""An account and who of it holds policies; None where there is none."""


def next_alarm(holding: Holding, entitlement: Entitlement, trust: PolicySet | None, at: int) -> int | None:
    """The first second after `at` in which the permissions of a holder may change by themselves."""
    times = [_changes_of_aws(arn) for arn in _of_aws(holding)]
    for policies in (entitlement.identity, entitlement.boundary, trust):
        if policies is not None:
            times += [_bounds(policy) for policy, _ in policies.entries]
    return min((later for one in times if (later := _after(one, at)) is not None), default=None)


def changed_by_aws(holding: Holding, second: int) -> tuple[str, ...]:
    """Those of AWS's policies that the holder has and that say something else from this second on, or nobody knows what."""
    return tuple(arn for arn in _of_aws(holding) if second in _changes_of_aws(arn))


def _of_aws(holding: Holding) -> Iterator[str]:
    """AWS's own policies that the holder has, less those whose text the account itself keeps."""
    account, holder = holding
    if account is None or holder is None:
        return iter(())
    holders: list[User | Role | Group] = [holder]
    if isinstance(holder, User):
        groups = map(account.groups.get, holder.memberships)
        holders += [group for group in groups if group is not None]
    arns = dict.fromkeys(arn for one in holders for arn in one.attached)
    if holder.boundary is not None:
        arns[holder.boundary.policy_arn] = None
    return (arn for arn in arns if AWS_MANAGED in arn and account.policy(arn) is None)


@lru_cache(maxsize=KEPT_MAX)
def _changes_of_aws(arn: str) -> tuple[int, ...]:
    """The seconds in which a version begins, and the first of which nothing is known any more, sorted."""
    begins = [version.create_date for version in versions(arn) if version.create_date is not None]
    return (*begins, known_until() + 1) if begins else ()


@lru_cache(maxsize=KEPT_MAX)
def _bounds(policy: Policy) -> tuple[int, ...]:
    """The seconds with which a condition on the time may begin or cease to hold, sorted."""
    told = policy.document.get("Statement")
    found: set[int] = set()
    for statement in told if isinstance(told, list) else [told]:
        block = statement.get("Condition") if isinstance(statement, Mapping) else None
        for keys in block.values() if isinstance(block, Mapping) else ():
            for text in _texts(keys):
                moment = seconds_of(text)
                if moment is not None:
                    found |= {ceil(moment), floor(moment) + 1}
    return tuple(sorted(found))


def _texts(keys: object) -> Iterator[str]:
    """The values that one operator compares with the time."""
    if isinstance(keys, Mapping):
        for key, values in keys.items():
            if str(key).lower() in TIME_KEYS:
                try:
                    yield from texts_of(values)
                except BadValue:
                    continue


def _after(times: tuple[int, ...], at: int) -> int | None:
    place = bisect_right(times, at)
    return times[place] if place < len(times) else None
