"""The entities of an account and their grants, as immutable values.

Every grant and every part remembers in `made_by` the position of the entry that made it, every entity in
`created_by` the one that created it; None says that no entry is known to have done so. Changing something to
what it is already changes nothing, so `made_by` is always the entry that brought about what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from immutables import Map

from ledger.account.assumptions import Reason

EMPTY: Map[Any, Any] = Map()  # a map never changes, so all may share it

PolicyDocument = Mapping[str, Any] | str
"""A policy's JSON object; or its text, where that is no JSON object."""


class Kind(StrEnum):
    """What an entity is. The value names it in what is stored."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"
    INSTANCE_PROFILE = "instance-profile"
    MFA_DEVICE = "mfa-device"
    SAML_PROVIDER = "saml-provider"
    OIDC_PROVIDER = "oidc-provider"
    SERVER_CERTIFICATE = "server-certificate"
    WORKLOAD = "workload"
    SETTINGS = "settings"
    DELETED = "deleted"


# ---- grants and parts


@dataclass(frozen=True, slots=True)
class Membership:
    group_id: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class Attachment:
    policy_arn: str
    made_by: int | None

    @property
    def policy_name(self) -> str:
        return self.policy_arn.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    name: str
    document: PolicyDocument | None  # None: no record told the text
    made_by: int | None


@dataclass(frozen=True, slots=True)
class Boundary:
    policy_arn: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    document: PolicyDocument
    made_by: int | None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    version_id: str
    document: PolicyDocument | None  # None: no record told the text
    create_date: int | None
    made_by: int | None


@dataclass(frozen=True, slots=True)
class DefaultVersion:
    """The choice of the version that is in force."""

    version_id: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class ProfiledRole:
    """A role's place in an instance profile."""

    role_id: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class ProfileAssociation:
    """By which an EC2 instance has an instance profile. A namesake of the profile that is made later is another one."""

    id: str  # iip-assoc-…
    profile_arn: str
    profile_id: str | None  # None: no record told it
    made_by: int | None


@dataclass(frozen=True, slots=True)
class TaskRole:
    """The role that a task of ECS acts as, by its ARN."""

    role_arn: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class Tag:
    key: str
    value: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class AccessKey:
    id: str
    status: str  # Active, Inactive
    create_date: int | None
    made_by: int | None
    status_made_by: int | None
    assumed: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginProfile:
    create_date: int | None
    password_reset_required: bool
    password_date: int | None  # when the password was last set
    made_by: int | None
    password_made_by: int | None
    assumed: tuple[Reason, ...] = ()
    max_signin_session_duration: int | None = None  # seconds


@dataclass(frozen=True, slots=True)
class MFADevice:
    """A device that is assigned to somebody."""

    serial_number: str
    enable_date: int | None
    made_by: int | None  # the entry that enabled it
    created_by: int | None = None  # for a virtual device the entry that created it
    tags: Map[str, Tag] = EMPTY
    assumed: tuple[Reason, ...] = ()

    @property
    def virtual(self) -> bool:
        return is_virtual(self.serial_number)


def is_virtual(serial_number: str) -> bool:
    return ":mfa/" in serial_number


class CredentialKind(StrEnum):
    SSH_PUBLIC_KEY = "ssh-public-key"
    SIGNING_CERTIFICATE = "signing-certificate"
    SERVICE_SPECIFIC = "service-specific"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a user signs in to one service with, other than by access key or password."""

    kind: CredentialKind
    id: str
    status: str
    create_date: int | None
    expiration_date: int | None
    service_name: str | None
    service_user_name: str | None
    made_by: int | None
    status_made_by: int | None
    assumed: tuple[Reason, ...] = ()
    body: str | None = None  # the public key or the certificate, where a record told it


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    minimum_password_length: int
    require_symbols: bool
    require_numbers: bool
    require_uppercase_characters: bool
    require_lowercase_characters: bool
    allow_users_to_change_password: bool
    max_password_age: int | None
    password_reuse_prevention: int | None
    hard_expiry: bool
    made_by: int | None


@dataclass(frozen=True, slots=True)
class Alias:
    name: str
    made_by: int | None


@dataclass(frozen=True, slots=True)
class Preference:
    """A switch of the whole account, by the name that AWS gives it."""

    name: str
    value: str
    made_by: int | None


# ---- entities


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What has an ARN. `id` is the unique id, or a made one such as `assumed:user/alice`."""

    id: str
    name: str
    path: str = "/"
    arn: str
    create_date: int | None = None
    created_by: int | None = None
    assumed: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Named):
    kind: ClassVar[Kind] = Kind.USER
    memberships: Map[str, Membership] = EMPTY
    attached: Map[str, Attachment] = EMPTY
    inline: Map[str, InlinePolicy] = EMPTY
    boundary: Boundary | None = None
    tags: Map[str, Tag] = EMPTY
    login_profile: LoginProfile | None = None
    access_keys: Map[str, AccessKey] = EMPTY
    mfa_devices: Map[str, MFADevice] = EMPTY
    credentials: Map[str, Credential] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Named):
    kind: ClassVar[Kind] = Kind.GROUP
    attached: Map[str, Attachment] = EMPTY
    inline: Map[str, InlinePolicy] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(Named):
    kind: ClassVar[Kind] = Kind.ROLE
    trust: TrustPolicy | None = None  # None: no record told it
    attached: Map[str, Attachment] = EMPTY
    inline: Map[str, InlinePolicy] = EMPTY
    boundary: Boundary | None = None
    tags: Map[str, Tag] = EMPTY
    description: str | None = None
    max_session_duration: int | None = None
    max_signin_session_duration: int | None = None  # None: not set, which is no default


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPolicy(Named):
    kind: ClassVar[Kind] = Kind.POLICY
    versions: Map[str, PolicyVersion] = EMPTY
    default: DefaultVersion | None  # None: no record told which
    last_version: int  # the highest there ever was; numbers are not used again
    description: str | None = None
    tags: Map[str, Tag] = EMPTY

    @property
    def default_version(self) -> PolicyVersion | None:
        return None if self.default is None else self.versions.get(self.default.version_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceProfile(Named):
    kind: ClassVar[Kind] = Kind.INSTANCE_PROFILE
    roles: Map[str, ProfiledRole] = EMPTY
    tags: Map[str, Tag] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMFADevice:
    """A virtual device that is assigned to nobody. Its serial number is its id and its ARN."""

    kind: ClassVar[Kind] = Kind.MFA_DEVICE
    id: str
    created_by: int | None
    tags: Map[str, Tag] = EMPTY
    assumed: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Propagation:
    """What an identity provider's assertions or tokens tell of the human behind a session, and to which IAM Identity
    Center they belong. Source: IAM API reference, "UpdateOpenIDConnectProvider".
    """

    context_provider: Mapping[str, Any] | None  # the structure as the API names its members
    identity_center_instance_arn: str | None
    made_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SAMLProvider:
    """Whose assertions open role sessions. Its ARN is its id."""

    kind: ClassVar[Kind] = Kind.SAML_PROVIDER
    id: str
    create_date: int | None
    created_by: int | None
    metadata_made_by: int | None  # the entry that set the present metadata document
    metadata: str | None = None  # None: no record told it
    assertion_encryption_mode: str | None = None
    propagation: Propagation | None = None
    tags: Map[str, Tag] = EMPTY
    assumed: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OIDCProvider:
    """Whose tokens open role sessions. Its ARN is its id."""

    kind: ClassVar[Kind] = Kind.OIDC_PROVIDER
    id: str
    url: str
    create_date: int | None
    created_by: int | None
    client_ids: Map[str, int | None] = EMPTY  # to the entry that added each
    thumbprints: tuple[str, ...] = ()
    thumbprints_made_by: int | None = None
    propagation: Propagation | None = None
    tags: Map[str, Tag] = EMPTY
    assumed: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate(Named):
    """What proves a web site to its visitors; `create_date` is when it was uploaded. Its private key is kept nowhere."""

    kind: ClassVar[Kind] = Kind.SERVER_CERTIFICATE
    body: str | None = None  # PEM; None: no record told it
    chain: str | None = None  # PEM; None: there is none, or no record told it
    expiration: int | None = None
    tags: Map[str, Tag] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A machine that acts as a role, and so needs no key: an EC2 instance or a task of ECS."""

    kind: ClassVar[Kind] = Kind.WORKLOAD
    id: str  # i-…, or the task's ARN
    name: str  # by its tag Name, or else its id
    create_date: int | None
    created_by: int | None
    availability_zone: str | None = None
    image_id: str | None = None
    runs_as: ProfileAssociation | TaskRole | None = None  # None: an instance whose profile was taken away

    @property
    def is_instance(self) -> bool:
        return self.id.startswith("i-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What belongs to the account itself: root's credentials, the password policy, aliases, switches."""

    kind: ClassVar[Kind] = Kind.SETTINGS
    id: str  # the account's number
    email: str | None = None  # of root, who signs in by it; told only where the account was made here
    alias: Alias | None = None
    password_policy: PasswordPolicy | None = None
    preferences: Map[str, Preference] = EMPTY
    login_profile: LoginProfile | None = None
    access_keys: Map[str, AccessKey] = EMPTY
    mfa_devices: Map[str, MFADevice] = EMPTY
    credentials: Map[str, Credential] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An id that was and never comes again: a late call under it brings nobody back."""

    kind: ClassVar[Kind] = Kind.DELETED
    id: str
    name: str
    deleted_by: int | None


Entity = (
    User
    | Group
    | Role
    | ManagedPolicy
    | InstanceProfile
    | VirtualMFADevice
    | SAMLProvider
    | OIDCProvider
    | ServerCertificate
    | Workload
    | Settings
    | Deleted
)
Ref = tuple[Kind, str]

Owner = User | Settings
"""Who has credentials: a user, or root."""

# ---- small changes that several entities share

Holder = TypeVar("Holder", User, Group, Role)
Bounded = TypeVar("Bounded", User, Role)
Tagged = TypeVar(
    "Tagged",
    User,
    Role,
    ManagedPolicy,
    InstanceProfile,
    VirtualMFADevice,
    MFADevice,
    SAMLProvider,
    OIDCProvider,
    ServerCertificate,
)


def attaching(holder: Holder, policy_arn: str, made_by: int | None) -> Holder:
    if policy_arn in holder.attached:
        return holder
    return replace(holder, attached=holder.attached.set(policy_arn, Attachment(policy_arn, made_by)))


def detaching(holder: Holder, policy_arn: str) -> Holder:
    return replace(holder, attached=without(holder.attached, policy_arn))


def putting(holder: Holder, name: str, document: PolicyDocument | None, made_by: int | None) -> Holder:
    there = holder.inline.get(name)
    if there is not None and there.document == document:
        return holder
    return replace(holder, inline=holder.inline.set(name, InlinePolicy(name, document, made_by)))


def removing(holder: Holder, name: str) -> Holder:
    return replace(holder, inline=without(holder.inline, name))


def bounded_by(holder: Bounded, policy_arn: str, made_by: int | None) -> Bounded:
    if holder.boundary is not None and holder.boundary.policy_arn == policy_arn:
        return holder
    return replace(holder, boundary=Boundary(policy_arn, made_by))


def tagging(tagged: Tagged, tags: Mapping[str, str], made_by: int | None) -> Tagged:
    kept = tagged.tags
    for key, value in tags.items():
        there = kept.get(tag_index(tagged, key))
        if there is None or (there.key, there.value) != (key, value):
            kept = kept.set(tag_index(tagged, key), Tag(key, value, made_by))
    return tagged if kept is tagged.tags else replace(tagged, tags=kept)


def untagging(tagged: Tagged, keys: tuple[str, ...]) -> Tagged:
    kept = tagged.tags
    for key in keys:
        kept = without(kept, tag_index(tagged, key))
    return replace(tagged, tags=kept)


def tag_index(tagged: object, key: str) -> str:
    """Users and roles compare tag keys ignoring case (and keep it), all others by case (IAM user guide, id_tags)."""
    return key.casefold() if isinstance(tagged, User | Role) else key


Entitled = TypeVar("Entitled", User, Group, Role, ManagedPolicy, InstanceProfile, ServerCertificate)
K = TypeVar("K")
V = TypeVar("V")


def known(entity: Entitled, *reasons: Reason) -> Entitled:
    """The entity, of which these things need no longer be assumed."""
    if not set(reasons) & set(entity.assumed):
        return entity
    return replace(entity, assumed=tuple(reason for reason in entity.assumed if reason not in reasons))


def without(parts: Map[K, V], key: K) -> Map[K, V]:
    return parts.delete(key) if key in parts else parts
