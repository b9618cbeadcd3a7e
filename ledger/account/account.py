"""The account: all entities of one AWS account at one moment, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, Self

from immutables import Map

from ledger.account import codec
from ledger.account.assumptions import Assumption, Reason
from ledger.account.entities import (
    EMPTY,
    Deleted,
    Entity,
    Group,
    InstanceProfile,
    Kind,
    ManagedPolicy,
    OIDCProvider,
    Owner,
    Ref,
    Role,
    SAMLProvider,
    ServerCertificate,
    Settings,
    User,
    VirtualMFADevice,
    Workload,
    without,
)
from ledger.account.trusted import naming, trusted_arns

MADE_ID = "assumed:"
PLACES: Mapping[Kind, str] = {
    Kind.USER: "users",
    Kind.GROUP: "groups",
    Kind.ROLE: "roles",
    Kind.POLICY: "policies",
    Kind.INSTANCE_PROFILE: "instance_profiles",
    Kind.MFA_DEVICE: "mfa_devices",
    Kind.SAML_PROVIDER: "saml_providers",
    Kind.OIDC_PROVIDER: "oidc_providers",
    Kind.SERVER_CERTIFICATE: "server_certificates",
    Kind.WORKLOAD: "workloads",
    Kind.DELETED: "deleted",
}


class Part(StrEnum):
    """What a user or root has and what is looked up by its own id."""

    ACCESS_KEY = "access-key"
    MFA_DEVICE = "mfa-device"
    CREDENTIAL = "credential"


@dataclass(frozen=True, slots=True)
class Account:
    """Entities by unique id. `names`, `owners` and `holders` are indexes over them.

    `touched` and `noted` say what the latest step changed and assumed; `assumptions` counts all there were.
    No method costs more for a larger account than a look-up does, but for deleting or renaming what many
    others refer to.
    """

    id: str
    settings: Settings
    users: Map[str, User] = EMPTY
    groups: Map[str, Group] = EMPTY
    roles: Map[str, Role] = EMPTY
    policies: Map[str, ManagedPolicy] = EMPTY
    instance_profiles: Map[str, InstanceProfile] = EMPTY
    mfa_devices: Map[str, VirtualMFADevice] = EMPTY
    saml_providers: Map[str, SAMLProvider] = EMPTY
    oidc_providers: Map[str, OIDCProvider] = EMPTY
    server_certificates: Map[str, ServerCertificate] = EMPTY
    workloads: Map[str, Workload] = EMPTY
    deleted: Map[str, Deleted] = EMPTY
    names: Map[Ref, str] = field(default=EMPTY, repr=False)  # (kind, name in lower case or ARN) to id
    owners: Map[tuple[Part, str], Ref] = field(default=EMPTY, repr=False)  # to who has the key or device
    holders: Map[str, Map[Ref, None]] = field(default=EMPTY, repr=False)  # ARN or id to who refers to it
    touched: Map[Ref, None] = field(default=EMPTY, compare=False, repr=False)
    noted: tuple[Assumption, ...] = field(default=(), compare=False, repr=False)
    assumptions: int = field(default=0, compare=False)

    @classmethod
    def empty(cls, account_id: str) -> Self:
        return cls(account_id, Settings(id=account_id))

    @classmethod
    def from_documents(cls, account_id: str, documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Self:
        """The account that the documents of its entities, (kind, id, document), describe."""
        account = cls.empty(account_id)
        for kind, _, document in documents:
            account = account.put(codec.from_document(Kind(kind), document))
        return account.settled()

    # ---- looking up

    def get(self, kind: Kind, entity_id: str) -> Entity | None:
        if kind is Kind.SETTINGS:
            return self.settings
        found: Entity | None = getattr(self, PLACES[kind]).get(entity_id)
        return found

    def arn_named(self, kind: Kind, name: str) -> str | None:
        """The ARN, with its path, of an entity by which a request names it."""
        if kind is Kind.POLICY:
            return next((policy.arn for policy in self.policies.values() if policy.name == name), None)
        found = self.names.get((kind, name.casefold()))
        return None if found is None else getattr(self.get(kind, found), "arn", None)

    def user_named(self, name: str) -> User | None:
        return self.users.get(self.names.get((Kind.USER, name.casefold()), ""))

    def group_named(self, name: str) -> Group | None:
        return self.groups.get(self.names.get((Kind.GROUP, name.casefold()), ""))

    def role_named(self, name: str) -> Role | None:
        return self.roles.get(self.names.get((Kind.ROLE, name.casefold()), ""))

    def instance_profile_named(self, name: str) -> InstanceProfile | None:
        return self.instance_profiles.get(self.names.get((Kind.INSTANCE_PROFILE, name.casefold()), ""))

    def server_certificate_named(self, name: str) -> ServerCertificate | None:
        return self.server_certificates.get(self.names.get((Kind.SERVER_CERTIFICATE, name.casefold()), ""))

    def policy(self, arn: str) -> ManagedPolicy | None:
        """The customer's policy of this ARN; of AWS's own only those that a snapshot brought."""
        return self.policies.get(self.names.get((Kind.POLICY, arn), ""))

    def key_owner(self, access_key_id: str) -> Owner | None:
        return self._owner((Part.ACCESS_KEY, access_key_id))

    def device_owner(self, serial_number: str) -> Owner | None:
        return self._owner((Part.MFA_DEVICE, serial_number))

    def credential_owner(self, credential_id: str) -> Owner | None:
        return self._owner((Part.CREDENTIAL, credential_id))

    def _owner(self, part: tuple[Part, str]) -> Owner | None:
        match self.owners.get(part):
            case (Kind.USER, user_id):
                return self.users.get(user_id)
            case (Kind.SETTINGS, _):
                return self.settings
        return None

    def members(self, group: Group) -> Iterator[User]:
        return (self.users[user_id] for kind, user_id in self._referring_to(group.id) if kind is Kind.USER)

    def profiles_of(self, role: Role) -> Iterator[InstanceProfile]:
        referring = self._referring_to(role.id)
        return (self.instance_profiles[place] for kind, place in referring if kind is Kind.INSTANCE_PROFILE)

    def holders_of(self, policy_arn: str) -> Iterator[User | Group | Role]:
        """Whom the policy is attached to, or bounds."""
        for kind, entity_id in self._referring_to(policy_arn):
            holder = self.get(kind, entity_id)
            if isinstance(holder, User | Group | Role):
                yield holder

    def entities(self) -> Iterator[Entity]:
        yield self.settings
        for place in PLACES.values():
            yield from getattr(self, place).values()

    def _referring_to(self, target: str) -> list[Ref]:
        return sorted(self.holders.get(target, EMPTY))

    # ---- changing

    def put(self, entity: Entity) -> Self:
        """With the entity as it is now, new or changed."""
        if isinstance(entity, Settings):
            return self._put_settings(entity)
        shelf: Map[str, Any] = getattr(self, PLACES[entity.kind])
        before = shelf.get(entity.id)
        if before == entity:
            return self
        changed: dict[str, Any] = {PLACES[entity.kind]: shelf.set(entity.id, entity)}
        return self._reindexed((entity.kind, entity.id), before, entity, changed)

    def drop(self, kind: Kind, entity_id: str) -> Self:
        """Without this entity. What others say of it stays; see `ledger.account.deletion`."""
        shelf: Map[str, Any] = getattr(self, PLACES[kind])
        before = shelf.get(entity_id)
        if before is None:
            return self
        return self._reindexed((kind, entity_id), before, None, {PLACES[kind]: shelf.delete(entity_id)})

    def naming_in_trusts(self, arn: str, now: str) -> Self:
        """With `now` for this ARN of a user or role in each trust policy that names it."""
        account = self
        for kind, role_id in self._referring_to(arn):
            role = self.roles[role_id] if kind is Kind.ROLE else None
            if role is not None and role.trust is not None:
                trust = replace(role.trust, document=naming(role.trust.document, arn, now))
                account = account.put(replace(role, trust=trust))
        return account

    def touch(self, *entities: Entity) -> Self:
        """Note that what is shown of these has changed, though they themselves have not."""
        touched = self.touched
        for entity in entities:
            touched = touched.set((entity.kind, entity.id), None)
        return self._with({"touched": touched})

    def assume(self, reason: Reason, about: str) -> Self:
        noted = (*self.noted, Assumption(reason, about))
        return self._with({"noted": noted, "assumptions": self.assumptions + 1})

    def settled(self) -> Self:
        """The same account at the beginning of another step."""
        if not self.touched and not self.noted:
            return self
        return self._with({"touched": EMPTY, "noted": ()})

    def _put_settings(self, settings: Settings) -> Self:
        if settings == self.settings:
            return self
        return self._reindexed((Kind.SETTINGS, self.id), self.settings, settings, {"settings": settings})

    def _reindexed(
        self, ref: Ref, before: Entity | None, after: Entity | None, changed: dict[str, Any]
    ) -> Self:
        changed["touched"] = self.touched.set(ref, None)
        name_before, name_after = _name(before), _name(after)
        if name_before != name_after:
            names = self.names
            if name_before is not None and names.get((ref[0], name_before)) == ref[1]:
                names = names.delete((ref[0], name_before))
            if name_after is not None:
                names = names.set((ref[0], name_after), ref[1])
            changed["names"] = names
        parts_before, parts_after = _parts(before), _parts(after)
        if parts_before != parts_after:
            owners = self.owners
            for part in parts_before - parts_after:
                if owners.get(part) == ref:
                    owners = owners.delete(part)
            for part in parts_after - parts_before:
                owners = owners.set(part, ref)
            changed["owners"] = owners
        links_before, links_after = _links(before), _links(after)
        if links_before != links_after:
            holders = self.holders
            for target in links_before - links_after:
                left = without(holders[target], ref)
                holders = holders.set(target, left) if left else holders.delete(target)
            for target in links_after - links_before:
                holders = holders.set(target, holders.get(target, EMPTY).set(ref, None))
            changed["holders"] = holders
        return self._with(changed)

    def _with(self, changed: Mapping[str, Any]) -> Self:
        """What `dataclasses.replace` gives, in a third of its time; nearly every change goes through here twice."""
        values = list(_VALUES(self))
        for name, value in changed.items():
            values[_PLACE_OF[name]] = value
        return type(self)(*values)

    # ---- showing

    def document(self, entity: Entity) -> dict[str, Any]:
        """What is stored of an entity, and what AWS's own form says of it besides: names of what it refers to."""
        document = codec.to_document(entity)
        match entity:
            case User():
                for membership in document["Memberships"]:
                    group = self.groups.get(membership["GroupId"])
                    if group is not None:
                        membership["GroupName"] = group.name
                document["GroupList"] = sorted(
                    membership["GroupName"]
                    for membership in document["Memberships"]
                    if "GroupName" in membership
                )
            case Role():
                document["InstanceProfileList"] = [
                    {
                        "InstanceProfileName": profile.name,
                        "InstanceProfileId": profile.id,
                        "Arn": profile.arn,
                        "MadeBy": profile.roles[entity.id].made_by,
                    }
                    for profile in self.profiles_of(entity)
                ]
            case InstanceProfile():
                for place in document["Roles"]:
                    role = self.roles.get(place["RoleId"])
                    if role is not None:
                        place["RoleName"] = role.name
                        place["Arn"] = role.arn
        return document

    def to_document(self) -> dict[str, Any]:
        """The whole state, entities in AWS's form, each list in the order of ARNs."""
        return {
            "Account": self.id,
            "users": self._shown(self.users),
            "groups": self._shown(self.groups),
            "roles": self._shown(self.roles),
            "policies": self._shown(self.policies),
            "instanceProfiles": self._shown(self.instance_profiles),
            "mfaDevices": self._shown(self.mfa_devices),
            "samlProviders": self._shown(self.saml_providers),
            "openIDConnectProviders": self._shown(self.oidc_providers),
            "serverCertificates": self._shown(self.server_certificates),
            "workloads": self._shown(self.workloads),
            "settings": self.document(self.settings),
        }

    def _shown(self, shelf: Map[str, Any]) -> list[dict[str, Any]]:
        return [self.document(entity) for entity in sorted(shelf.values(), key=_arn)]


_FIELDS = [it.name for it in fields(Account)]
_VALUES = attrgetter(*_FIELDS)
_PLACE_OF = {name: place for place, name in enumerate(_FIELDS)}


def _arn(entity: Any) -> tuple[str, str]:
    return (getattr(entity, "arn", entity.id), entity.id)


def _name(entity: Entity | None) -> str | None:
    """What an entity is looked up by: policies by their ARN, all others by their name, ignoring case."""
    match entity:
        case ManagedPolicy():
            return entity.arn
        case User() | Group() | Role() | InstanceProfile() | ServerCertificate():
            return entity.name.casefold()
    return None


_NOTHING: frozenset[str] = frozenset()
_NO_PARTS: frozenset[tuple[Part, str]] = frozenset()


def _parts(entity: Entity | None) -> frozenset[tuple[Part, str]]:
    if not isinstance(entity, User | Settings):
        return _NO_PARTS
    if not (entity.access_keys or entity.mfa_devices or entity.credentials):
        return _NO_PARTS
    return frozenset(
        (
            *((Part.ACCESS_KEY, key_id) for key_id in entity.access_keys),
            *((Part.MFA_DEVICE, serial_number) for serial_number in entity.mfa_devices),
            *((Part.CREDENTIAL, credential_id) for credential_id in entity.credentials),
        )
    )


def _links(entity: Entity | None) -> frozenset[str]:
    match entity:
        case User():
            bound = () if entity.boundary is None else (entity.boundary.policy_arn,)
            return frozenset((*entity.attached, *entity.memberships, *bound))
        case Role():
            bound = () if entity.boundary is None else (entity.boundary.policy_arn,)
            return frozenset((*entity.attached, *bound, *trusted_arns(entity.trust)))
        case Group():
            return frozenset(entity.attached)
        case InstanceProfile():
            return frozenset(entity.roles)
    return _NOTHING
