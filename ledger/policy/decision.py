"""What an evaluation comes to: the decision, every statement that mattered, and what was missing or not known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import NamedTuple

SEMANTICS = 1
"""The version of the rules that decisions are made by. It is raised when the same input may come out differently."""


class Verdict(StrEnum):
    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class Layer(StrEnum):
    """The kinds of policy that take part, in the order in which their statements are told."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"
    RESOURCE = "resource"
    TRUST = "trust"
    SERVICE_CONTROL = "scp"
    RESOURCE_CONTROL = "rcp"


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


class GrantKind(StrEnum):
    """How a policy comes to bear on somebody. The value is how it reads."""

    MEMBERSHIP = "membership"
    ATTACHMENT = "attachment"
    INLINE_POLICY = "inlinePolicy"
    POLICY_VERSION = "policyVersion"
    DEFAULT_VERSION = "defaultVersion"
    BOUNDARY = "permissionsBoundary"
    TRUST_POLICY = "trustPolicy"
    SESSION_POLICY = "sessionPolicy"
    PASSWORD_POLICY = "passwordPolicy"
    BEGINNING = "creation"


@dataclass(frozen=True, slots=True)
class Grant:
    """One edge that gives or limits permission. `made_by` is the position of the entry that made it in `account`.

    None says that no entry is known to have made it: it is from before the log, or AWS made it.
    """

    kind: GrantKind
    about: str  # what was granted: a group, a policy's ARN or name, a version
    holder: str  # the ARN of whom, or what, it was granted to
    account: str
    made_by: int | None


Way = tuple[Grant, ...]
"""From the policy's text to the principal: version, attachment, membership."""


@dataclass(frozen=True, slots=True)
class Source:
    """A policy in force, as it stands in an answer."""

    layer: Layer
    name: str
    arn: str | None = None
    version: str | None = None
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that matched. `index` counts from 0 in its policy."""

    source: Source
    index: int
    sid: str | None
    effect: Effect


class Through(IntFlag):
    """By which of its entries a Principal element named the caller. Source: "Policy evaluation logic"."""

    NOBODY = 0
    ACCOUNT = 1  # delegates to the account's own policies
    ANYONE = 2
    ROLE = 4
    ITSELF = 8  # the user, the role session or the federated user by its own ARN
    OTHER = 16  # a service, or an identity provider


class UnknownKind(StrEnum):
    """What an answer rests on and nobody told. The value names it in answers."""

    CONDITION_KEY = "conditionKey"
    RESOURCE = "resource"
    ACTION = "action"
    PRINCIPAL = "principal"
    POLICY_TEXT = "policyText"
    POLICY_VERSION = "policyVersion"
    EARLIER_GRANTS = "earlierGrants"
    RESOURCE_POLICY = "resourcePolicy"
    TRUST_POLICY = "trustPolicy"
    SESSION_POLICY = "sessionPolicy"
    CONTROL_POLICY = "controlPolicy"
    OTHER_ACCOUNT = "otherAccount"


@dataclass(frozen=True, slots=True, order=True)
class Unknown:
    kind: UnknownKind
    about: str


class Decision(NamedTuple):
    """`statements` are all that matched, allows and denies, whatever decided in the end.

    `missing` names, for an implicit denial, each layer that had to allow and did not: `identity`, `boundary`,
    `session`, `resource`, `trust`, `scp:0` … `unknown` is empty where nothing that was not told could have changed
    the verdict; the verdict then takes what was not told for absent. `possible` are statements that may have
    matched besides. `might_allow`: it is no, and what was not told could have made it yes.
    """

    verdict: Verdict
    statements: tuple[Match, ...]
    missing: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    possible: tuple[Match, ...] = ()
    might_allow: bool = False

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED
