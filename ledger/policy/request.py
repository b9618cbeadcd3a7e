"""The question that a policy answers: who asks to do what, on what, in which context."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from ledger.policy.variables import Values

CALLERS_MAX = 65_536
SERVICE_LINKED_PATH = "/aws-service-role/"

_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<rest>.+)", re.DOTALL
)
_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|aws\.internal)")


class BadCaller(ValueError):
    """This names no principal."""


class CallerKind(StrEnum):
    """What calls; the value is that of `aws:PrincipalType`."""

    ROOT = "Account"
    USER = "User"
    ROLE_SESSION = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    SERVICE = "Service"
    ANONYMOUS = "Anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal that calls. `arn` is the session's for a role session or a federated user.

    `values` are the condition keys that follow from who it is.
    """

    kind: CallerKind
    arn: str
    account_id: str | None
    role_arn: str | None = None  # of a role session: the role's, with its path where that is known
    unique_id: str | None = None  # AIDA…, or AROA…
    values: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def service_linked(self) -> bool:
        return SERVICE_LINKED_PATH in (self.role_arn or "")


@lru_cache(maxsize=CALLERS_MAX)
def caller_of(arn: str, role_arn: str | None = None, unique_id: str | None = None) -> Caller:
    """The principal that an ARN, a service's name or `*` names; raises BadCaller."""
    if arn == "*":
        return Caller(CallerKind.ANONYMOUS, arn, None, values=_values(CallerKind.ANONYMOUS))
    if _SERVICE.fullmatch(arn):
        values = _values(CallerKind.SERVICE) | {"aws:principalservicename": (arn,)}
        return Caller(CallerKind.SERVICE, arn, None, values=values)
    found = _ARN.fullmatch(arn)
    if found is None:
        raise BadCaller(f"{arn!r} is neither the ARN of an IAM or STS principal, nor a service, nor *")
    account_id, rest = found["account"], found["rest"]
    noun, _, named = rest.partition("/")
    match found["service"], noun:
        case "iam", "root" if not named:
            kind = CallerKind.ROOT
        case "iam", "user" if named:
            kind = CallerKind.USER
        case "iam", "role" if named:
            kind, role_arn = CallerKind.ROLE_SESSION, role_arn or arn
        case "sts", "assumed-role" if "/" in named.strip("/"):
            kind = CallerKind.ROLE_SESSION
            role_arn = role_arn or f"arn:{found['partition']}:iam::{account_id}:role/{named.split('/')[0]}"
        case "sts", "federated-user" if named:
            kind = CallerKind.FEDERATED_USER
        case _:
            raise BadCaller(f"{arn!r} is the ARN of nobody that calls")
    values = _values(kind)
    values["aws:principalarn"] = (role_arn or arn,)
    values["aws:principalaccount"] = (account_id,)
    if kind is CallerKind.USER:
        values["aws:username"] = (named.rsplit("/", 1)[-1],)
    return Caller(kind, arn, account_id, role_arn, unique_id, values)


def _values(kind: CallerKind) -> dict[str, tuple[str, ...]]:
    if kind is CallerKind.SERVICE:
        return {"aws:principalisawsservice": ("true",)}
    return {"aws:principaltype": (str(kind),), "aws:principalisawsservice": ("false",)}


class Request(NamedTuple):
    """`values` are all condition keys that are there, in lower case; `known` tells whether a key that is not there
    is known to be absent, and is None where all of them are. `resource` is None where nobody told it.
    """

    caller: Caller
    action: str  # in lower case
    resource: str | None
    values: Values
    resource_account: str | None  # None: the caller's own
    known: Callable[[str], bool] | None = None

    @property
    def cross_account(self) -> bool:
        return self.resource_account is not None and self.resource_account != self.caller.account_id


def request_of(
    caller: Caller,
    action: str,
    resource: str | None,
    context: Mapping[str, tuple[str, ...]],
    *,
    resource_account: str | None = None,
    known: Callable[[str], bool] | None = None,
) -> Request:
    """The request, in whose context stand also the keys that follow from the caller and the resource."""
    values = {**caller.values, **{key.lower(): value for key, value in context.items()}}
    if resource_account is None and resource is not None:
        resource_account = account_in(resource)
    if resource_account is not None:
        values.setdefault("aws:resourceaccount", (resource_account,))
    return Request(caller, action.lower(), resource, values, resource_account, known)


def account_in(arn: str) -> str | None:
    """The account that an ARN names, if it names one."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and len(parts[4]) == 12 and parts[4].isdigit() else None
