"""The identities of the attacked account as they really are at each moment of the story."""

from dataclasses import dataclass, field
from typing import Any, Literal

Document = dict[str, Any]

MarkKind = Literal[
    "user",
    "access_key",
    "login_profile",
    "password",
    "group_membership",
    "user_policy",
    "user_attachment",
    "role",
    "role_policy",
    "role_attachment",
    "trust",
    "policy_version",
    "default_version",
    "mfa_device",
    "mfa_removal",
    "identity_provider",
    "instance_profile",
    "profile_role",
    "boundary_removal",
    "detachment",
]


@dataclass(slots=True)
class AccessKey:
    key_id: str
    status: Literal["Active", "Inactive"]
    created: int


@dataclass(slots=True)
class User:
    name: str
    user_id: str
    arn: str
    created: int
    groups: list[str] = field(default_factory=list)
    inline: dict[str, Document] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    keys: dict[str, AccessKey] = field(default_factory=dict)
    has_password: bool = False
    mfa: list[str] = field(default_factory=list)
    boundary: str | None = None


@dataclass(slots=True)
class Group:
    name: str
    group_id: str
    arn: str
    created: int
    inline: dict[str, Document] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Role:
    name: str
    role_id: str
    arn: str
    created: int
    trust: Document
    inline: dict[str, Document] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)
    boundary: str | None = None


@dataclass(slots=True)
class PolicyVersion:
    document: Document
    created: int


@dataclass(slots=True)
class Policy:
    name: str
    policy_id: str
    arn: str
    created: int
    versions: dict[str, PolicyVersion]
    default: str
    newest: int  # numbers of deleted versions are not given again
    path: str = "/"


@dataclass(slots=True)
class InstanceProfile:
    name: str
    profile_id: str
    arn: str
    created: int
    roles: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Mark:
    """Something that a call left behind, until another call took it away."""

    kind: MarkKind
    target: str
    event_id: str
    moment: int
    by: str
    side: str
    ended_by: str | None = None


@dataclass(slots=True)
class Account:
    account_id: str
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)  # by ARN, AWS managed ones too
    profiles: dict[str, InstanceProfile] = field(default_factory=dict)
    providers: list[str] = field(default_factory=list)
    mfa_devices: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def policy_arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.account_id}:policy/{name}"

    def end_mark(self, kind: MarkKind, target: str, event_id: str) -> None:
        for mark in self.marks:
            if mark.kind == kind and mark.target == target and mark.ended_by is None:
                mark.ended_by = event_id

    def end_marks_of_user(self, name: str, event_id: str) -> None:
        """What only lived within the user goes with it."""
        for mark in self.marks:
            if mark.ended_by is None and (mark.target == name or mark.target.startswith(f"{name}/")):
                mark.ended_by = event_id
