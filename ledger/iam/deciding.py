"""What is asked of IAM, and the table of decisions: beside each operation's `evolves` stands what `decides` it.

A decision looks at the account, answers or refuses, changes nothing and asks nobody. Time and fresh identifiers come in
as a `Moment`, what had to be looked up elsewhere (a password, a code) as facts of the call, so the same question always
gets the same answer. What becomes of the account is said by the record of the call, through `evolves`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import User
from ledger.iam.sessions import Session
from ledger.policy.request import Caller, CallerKind

UNIQUE_ID_CHARACTERS = 17  # behind the prefix of four
SECRET_KEY_BYTES = 30  # forty characters of Base64


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call is decided, in seconds since 1970, and where its fresh identifiers come from."""

    time: int
    fresh: Callable[[int], bytes] = os.urandom

    def unique_id(self, prefix: str) -> str:
        """`AIDA` and the like, as IAM makes them. Source: IAM identifiers, "Understanding unique ID prefixes"."""
        return prefix + base64.b32encode(self.fresh(11))[:UNIQUE_ID_CHARACTERS].decode()

    def secret_key(self) -> str:
        return base64.b64encode(self.fresh(SECRET_KEY_BYTES)).decode()


@dataclass(frozen=True, slots=True)
class Federated:
    """Whom an identity provider vouches for. Source: "CloudTrail userIdentity element"."""

    kind: str  # WebIdentityUser, SAMLUser
    principal_id: str
    user_name: str
    identity_provider: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever presented a credential: an access key or, with `session`, a temporary one.

    `mfa` is None for long-term credentials, which can't tell. Who comes with a provider's token or assertion is
    `federated`, and has no other credential.
    """

    caller: Caller
    access_key_id: str | None = None
    session: Session | None = None
    mfa: bool | None = None
    federated: Federated | None = None

    @property
    def is_root(self) -> bool:
        return self.caller.kind is CallerKind.ROOT


@dataclass(slots=True)  # not frozen: to make one would take three times as long, and there is one a call
class Call:
    """A call of an operation. `parameters` are named as in botocore's model, and valid by it.

    `there` is the account that the call is about, where that is not the caller's: see `Decision.across`.
    """

    action: str
    parameters: Mapping[str, Any]
    by: Bearer
    facts: Mapping[str, Any] = field(default_factory=dict)  # what was looked up for it: see `Decision`
    there: Account | None = None

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self.parameters.get(name, otherwise)

    def __contains__(self, name: str) -> bool:
        return name in self.parameters

    @property
    def tags(self) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self.get("Tags", ())}


class SecretKind(StrEnum):
    """What the vault keeps. The value names it there."""

    ACCESS_KEY = "access-key"  # by its own id
    PASSWORD = "password"  # by the user's unique id, or the account's number for root
    TOTP_SEED = "totp-seed"  # by the device's serial number


@dataclass(frozen=True, slots=True)
class Keep:
    """For the vault to keep, from the moment that the call is in the log. A password comes as its Argon2id hash."""

    kind: SecretKind
    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forget:
    kind: SecretKind
    id: str


@dataclass(slots=True)  # not frozen, as `Call`
class Answer:
    """What the caller gets: members of the operation's output in botocore's model, times in seconds since 1970.

    `secrets` is what the vault has to do, in the transaction that writes the entry. `extra` are members that the record
    of this call has besides, such as `resources` and `additionalEventData`; `request_told` are members of
    requestParameters that CloudTrail writes and no parameter says, as they are to be written. `worded_by` is the position
    of the entry in whose request the policy document of the output stands word for word.
    """

    output: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Keep | Forget, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    request_told: Mapping[str, Any] = field(default_factory=dict)
    worded_by: int | None = None


NOTHING: Final = Answer()
"""AWS answers with no elements."""

EVERYTHING: Final = "*"

Question = tuple[str, str]
"""An action and the ARN of the resource that IAM is asked about."""

Decide = Callable[[Account, Call, Moment], Answer]
Resource = Callable[[Account, Call], str]
Also = Callable[[Account, Call], Iterable[Question]]
Across = Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Decision:
    """`on` tells the resource that permission is asked for, `also` what else must be allowed. `facts` names what is to
    be looked up before the decision, outside of any transaction, and `in_turn` what is to be looked up within that which
    writes the entry, for nobody may change it in between: see `ledger.authority.facts`. `outside`: the decision itself is
    made outside, for it takes time, and changes nothing.

    `on` raises the Refusal of a call that can be asked about nothing: its ARN is none, or the fact that says on whose
    word it comes is itself a Refusal. `permission` is the action that IAM is asked about, where that has another name
    than the operation: HeadObject needs s3:GetObject. `across` tells the account that the parameters name, where the
    operation can be called on another than the caller's.
    """

    action: str
    decide: Decide
    on: Resource
    also: Also | None = None
    facts: tuple[str, ...] = ()
    in_turn: tuple[str, ...] = ()
    permission_needed: bool = True
    outside: bool = False
    permission: str | None = None
    across: Across | None = None


DECISIONS: Final[dict[str, Decision]] = {}


def decides(
    action: str,
    *,
    on: Resource,
    also: Also | None = None,
    facts: tuple[str, ...] = (),
    in_turn: tuple[str, ...] = (),
    permission_needed: bool = True,
    across: Across | None = None,
) -> Callable[[Decide], Decide]:
    """This function answers a call of `action`, or raises a Refusal."""

    def enter(function: Decide) -> Decide:
        assert action not in DECISIONS, f"{action} is decided twice"
        DECISIONS[action] = Decision(
            action, function, on, also, facts, in_turn, permission_needed, across=across
        )
        return function

    return enter


def anything(account: Account, call: Call) -> str:
    """For operations that are on no resource."""
    return EVERYTHING


def calling_user(account: Account, call: Call) -> User | None:
    """The user who calls, by long-term key or as GetSessionToken's session; None for everybody else."""
    if call.by.caller.kind is not CallerKind.USER:
        return None
    found = account.users.get(call.by.caller.unique_id or "")
    return found
