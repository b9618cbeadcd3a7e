"""The question that a policy answers: who asks to do what, on what, in which context."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

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

    def __hash__(self) -> int:
        return hash(self.arn)

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


class Request:
    """`context` are the condition keys that came with it, spelt in any case; `known` tells whether a key that is not
    there is known to be absent, and is None where all of them are. `resource` is None where nobody told it, `owner`
    (the resource's account) where it stands in the resource's ARN, or is the caller's own.
    """

    __slots__ = ("_values", "action", "caller", "context", "known", "owner", "resource")

    def __init__(
        self,
        caller: Caller,
        action: str,
        resource: str | None,
        context: Mapping[str, tuple[str, ...]],
        owner: str | None,
        known: Callable[[str], bool] | None,
    ) -> None:
        self.caller = caller
        self.action = action.lower()
        self.resource = resource
        self.context = context
        self.owner = owner
        self.known = known
        self._values: Values | None = None

    @property
    def values(self) -> Values:
        """All condition keys that are there, in lower case: also those that follow from the caller and the resource.

        Most requests are decided without them, so they are put together when they are first asked for.
        """
        if self._values is None:
            values = {**self.caller.values, **{key.lower(): value for key, value in self.context.items()}}
            account = self.resource_account
            if account is not None:
                values.setdefault("aws:resourceaccount", (account,))
            self._values = values
        return self._values

    @property
    def resource_account(self) -> str | None:
        """The account that the resource belongs to; None: the caller's own."""
        if self.owner is None and self.resource is not None:
            return account_in(self.resource)
        return self.owner

    @property
    def cross_account(self) -> bool:
        account = self.resource_account
        return account is not None and account != self.caller.account_id


def request_of(
    caller: Caller,
    action: str,
    resource: str | None,
    context: Mapping[str, tuple[str, ...]],
    *,
    resource_account: str | None = None,
    known: Callable[[str], bool] | None = None,
) -> Request:
    """The request; its parts are told as those of `Request`."""
    return Request(caller, action, resource, context, resource_account, known)


def account_in(arn: str) -> str | None:
    """The account that an ARN names, if it names one."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and len(parts[4]) == 12 and parts[4].isdigit() else None
