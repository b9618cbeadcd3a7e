"""The Principal and NotPrincipal elements: whom a resource's policy, or a role's trust policy, speaks of.

Source: IAM user guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.policy.decision import Through
from ledger.policy.request import Caller, CallerKind
from ledger.policy.variables import Values

_ROOT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root")
_ACCOUNT = re.compile(r"\d{12}")
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA)\w+", re.ASCII)


class BadPrincipal(ValueError):
    """A Principal element that names nobody."""


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom an element names. An account stands for the principals that its own policies let."""

    anyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]  # and unique ids, where what an ARN named is gone
    others: frozenset[str]  # services and identity providers

    def through(self, caller: Caller, values: Values) -> Through:
        """All ways in which the caller is named."""
        found = Through.ANYONE if self.anyone else Through.NOBODY
        if self.arns:
            if caller.arn in self.arns:
                found |= Through.ROLE if caller.arn == caller.role_arn else Through.ITSELF
            if caller.role_arn is not None and caller.role_arn in self.arns:
                found |= Through.ROLE
            if (unique_id := unique_id_of(caller, values)) is not None and unique_id in self.arns:
                found |= Through.ROLE if caller.kind is CallerKind.ROLE_SESSION else Through.ITSELF
        if caller.account_id is not None and caller.account_id in self.accounts:
            found |= Through.ACCOUNT
        if self.others:
            named = values.get("aws:federatedprovider", ())
            if caller.arn in self.others or any(one in self.others for one in named):
                found |= Through.OTHER
        return found

    def spares(self, caller: Caller, values: Values) -> bool:
        """Whether a Deny for all but these spares the caller: each name that the caller goes by must be there."""
        if self.anyone:
            return True
        found = self.through(caller, values)
        match caller.kind:
            case CallerKind.ROOT:
                return bool(found & Through.ACCOUNT)
            case CallerKind.USER | CallerKind.FEDERATED_USER:
                needed = Through.ACCOUNT | Through.ITSELF
            case CallerKind.ROLE_SESSION:
                needed = Through.ACCOUNT | Through.ROLE
                if caller.arn != caller.role_arn:
                    needed |= Through.ITSELF
            case _:
                return bool(found & Through.OTHER)
        return found & needed == needed


def unique_id_of(caller: Caller, values: Values) -> str | None:
    """AIDA… or AROA…, as it is known of the caller or told by `aws:userid`."""
    if caller.unique_id is not None:
        return caller.unique_id
    told = values.get("aws:userid", ())
    return told[0].partition(":")[0] if told else None


def read_principals(element: Any) -> Principals:
    """The names of a Principal or NotPrincipal element; raises BadPrincipal."""
    if element == "*":
        return Principals(True, frozenset(), frozenset(), frozenset())
    if not isinstance(element, Mapping) or not element:
        raise BadPrincipal("a principal is * or an object of kinds and names")
    anyone = False
    accounts: set[str] = set()
    arns: set[str] = set()
    others: set[str] = set()
    for kind, names in element.items():
        for name in names if isinstance(names, list | tuple) else (names,):
            if not isinstance(name, str):
                raise BadPrincipal(f"{kind}: a name is a text, not {type(name).__name__}")
            if kind in ("Service", "Federated"):
                others.add(name)
                anyone = anyone or name == "*"
            elif kind == "AWS":
                root = _ROOT.fullmatch(name)
                if name == "*":
                    anyone = True
                elif root or _ACCOUNT.fullmatch(name):
                    accounts.add(root[1] if root else name)
                else:
                    arns.add(name)
            elif kind != "CanonicalUser":  # of S3 alone: its ids are told by no record and no request
                raise BadPrincipal(f"{kind!r} is no kind of principal")
    return Principals(anyone, frozenset(accounts), frozenset(arns), frozenset(others))
