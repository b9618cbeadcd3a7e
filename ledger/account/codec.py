"""Entities to JSON and back without loss: AWS's member names, ours (`MadeBy`, `CreatedBy`, `Assumed`) beside them.

The names are those of `aws iam get-account-authorization-details` and of the `aws iam list-…` answers. What can
be counted or looked up elsewhere (AttachmentCount, GroupList) is left out. None is a member that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, assert_never

from immutables import Map

from ledger.account.assumptions import Reason
from ledger.account.dates import read_date
from ledger.account.entities import (
    AccessKey,
    Alias,
    Attachment,
    Boundary,
    Credential,
    CredentialKind,
    DefaultVersion,
    Deleted,
    Entity,
    Group,
    InlinePolicy,
    InstanceProfile,
    Kind,
    LoginProfile,
    ManagedPolicy,
    Membership,
    MFADevice,
    Named,
    OIDCProvider,
    PasswordPolicy,
    PolicyVersion,
    Preference,
    ProfileAssociation,
    ProfiledRole,
    Propagation,
    Role,
    SAMLProvider,
    ServerCertificate,
    Settings,
    Tag,
    TaskRole,
    TrustPolicy,
    User,
    VirtualMFADevice,
    Workload,
)
from ledger.record import format_time

Json = dict[str, Any]
Read = Mapping[str, Any]


def to_document(entity: Entity) -> Json:
    match entity:
        case User():
            return _told(
                **_named(entity, "User"),
                UserPolicyList=_inline(entity.inline),
                AttachedManagedPolicies=_attached(entity.attached),
                PermissionsBoundary=_boundary(entity.boundary),
                Memberships=[
                    _told(GroupId=group, MadeBy=membership.made_by)
                    for group, membership in sorted(entity.memberships.items())
                ],
                Tags=_tags(entity.tags),
                **_credentials(entity),
            )
        case Group():
            return _told(
                **_named(entity, "Group"),
                GroupPolicyList=_inline(entity.inline),
                AttachedManagedPolicies=_attached(entity.attached),
            )
        case Role():
            trust = entity.trust
            return _told(
                **_named(entity, "Role"),
                AssumeRolePolicyDocument=None if trust is None else trust.document,
                AssumeRolePolicyMadeBy=None if trust is None else trust.made_by,
                RolePolicyList=_inline(entity.inline),
                AttachedManagedPolicies=_attached(entity.attached),
                PermissionsBoundary=_boundary(entity.boundary),
                Tags=_tags(entity.tags),
                Description=entity.description,
                MaxSessionDuration=entity.max_session_duration,
                MaxSigninSessionDuration=entity.max_signin_session_duration,
            )
        case ManagedPolicy():
            return _told(
                **_named(entity, "Policy"),
                DefaultVersionId=None if entity.default is None else entity.default.version_id,
                DefaultVersionMadeBy=None if entity.default is None else entity.default.made_by,
                LastVersion=entity.last_version,
                Description=entity.description,
                PolicyVersionList=[
                    _version(version, entity.default)
                    for _, version in sorted(entity.versions.items(), key=_newest)
                ],
                Tags=_tags(entity.tags),
            )
        case InstanceProfile():
            return _told(
                **_named(entity, "InstanceProfile"),
                Roles=[_told(RoleId=role, MadeBy=it.made_by) for role, it in sorted(entity.roles.items())],
                Tags=_tags(entity.tags),
            )
        case VirtualMFADevice():
            return _told(
                SerialNumber=entity.id,
                CreatedBy=entity.created_by,
                Tags=_tags(entity.tags),
                Assumed=_reasons(entity.assumed),
            )
        case SAMLProvider():
            return _told(
                Arn=entity.id,
                CreateDate=_date(entity.create_date),
                CreatedBy=entity.created_by,
                MetadataMadeBy=entity.metadata_made_by,
                SAMLMetadataDocument=entity.metadata,
                AssertionEncryptionMode=entity.assertion_encryption_mode,
                IdentityPropagation=_propagation(entity.propagation),
                Tags=_tags(entity.tags),
                Assumed=_reasons(entity.assumed),
            )
        case OIDCProvider():
            return _told(
                Arn=entity.id,
                Url=entity.url,
                CreateDate=_date(entity.create_date),
                CreatedBy=entity.created_by,
                ClientIDList=[
                    _told(ClientID=client, MadeBy=made_by)
                    for client, made_by in sorted(entity.client_ids.items())
                ],
                ThumbprintList=list(entity.thumbprints),
                ThumbprintsMadeBy=entity.thumbprints_made_by,
                IdentityPropagation=_propagation(entity.propagation),
                Tags=_tags(entity.tags),
                Assumed=_reasons(entity.assumed),
            )
        case ServerCertificate():
            return _told(
                **_named(entity, "ServerCertificate"),
                CertificateBody=entity.body,
                CertificateChain=entity.chain,
                Expiration=_date(entity.expiration),
                Tags=_tags(entity.tags),
            )
        case Workload():
            return _told(
                WorkloadId=entity.id,
                Name=entity.name,
                CreateDate=_date(entity.create_date),
                CreatedBy=entity.created_by,
                AvailabilityZone=entity.availability_zone,
                ImageId=entity.image_id,
                **_runs_as(entity.runs_as),
            )
        case Settings():
            return _told(
                Account=entity.id,
                Email=entity.email,
                AccountAlias=None
                if entity.alias is None
                else _told(AccountAlias=entity.alias.name, MadeBy=entity.alias.made_by),
                PasswordPolicy=_password_policy(entity.password_policy),
                Preferences=[
                    _told(Name=name, Value=it.value, MadeBy=it.made_by)
                    for name, it in sorted(entity.preferences.items())
                ],
                **_credentials(entity),
            )
        case Deleted():
            return _told(Id=entity.id, Name=entity.name, DeletedBy=entity.deleted_by)
    assert_never(entity)


def from_document(kind: Kind, document: Read) -> Entity:
    match kind:
        case Kind.USER:
            return User(
                **_read_named(document, "User"),
                inline=_read_inline(document["UserPolicyList"]),
                attached=_read_attached(document),
                boundary=_read_boundary(document),
                memberships=_by(
                    document["Memberships"], "GroupId", lambda it: Membership(it["GroupId"], it.get("MadeBy"))
                ),
                tags=_read_tags(document, str.casefold),
                **_read_credentials(document),
            )
        case Kind.GROUP:
            return Group(
                **_read_named(document, "Group"),
                inline=_read_inline(document["GroupPolicyList"]),
                attached=_read_attached(document),
            )
        case Kind.ROLE:
            trust = document.get("AssumeRolePolicyDocument")
            return Role(
                **_read_named(document, "Role"),
                trust=None if trust is None else TrustPolicy(trust, document.get("AssumeRolePolicyMadeBy")),
                inline=_read_inline(document["RolePolicyList"]),
                attached=_read_attached(document),
                boundary=_read_boundary(document),
                tags=_read_tags(document, str.casefold),
                description=document.get("Description"),
                max_session_duration=document.get("MaxSessionDuration"),
                max_signin_session_duration=document.get("MaxSigninSessionDuration"),
            )
        case Kind.POLICY:
            return ManagedPolicy(
                **_read_named(document, "Policy"),
                default=_read_default(document),
                last_version=document["LastVersion"],
                description=document.get("Description"),
                versions=_by(document["PolicyVersionList"], "VersionId", _read_version),
                tags=_read_tags(document),
            )
        case Kind.INSTANCE_PROFILE:
            return InstanceProfile(
                **_read_named(document, "InstanceProfile"),
                roles=_by(
                    document["Roles"], "RoleId", lambda it: ProfiledRole(it["RoleId"], it.get("MadeBy"))
                ),
                tags=_read_tags(document),
            )
        case Kind.MFA_DEVICE:
            return VirtualMFADevice(
                id=document["SerialNumber"],
                created_by=document.get("CreatedBy"),
                tags=_read_tags(document),
                assumed=_read_reasons(document),
            )
        case Kind.SAML_PROVIDER:
            return SAMLProvider(
                id=document["Arn"],
                create_date=read_date(document.get("CreateDate")),
                created_by=document.get("CreatedBy"),
                metadata_made_by=document.get("MetadataMadeBy"),
                metadata=document.get("SAMLMetadataDocument"),
                assertion_encryption_mode=document.get("AssertionEncryptionMode"),
                propagation=_read_propagation(document.get("IdentityPropagation")),
                tags=_read_tags(document),
                assumed=_read_reasons(document),
            )
        case Kind.OIDC_PROVIDER:
            return OIDCProvider(
                id=document["Arn"],
                url=document["Url"],
                create_date=read_date(document.get("CreateDate")),
                created_by=document.get("CreatedBy"),
                client_ids=Map({it["ClientID"]: it.get("MadeBy") for it in document["ClientIDList"]}),
                thumbprints=tuple(document["ThumbprintList"]),
                thumbprints_made_by=document.get("ThumbprintsMadeBy"),
                propagation=_read_propagation(document.get("IdentityPropagation")),
                tags=_read_tags(document),
                assumed=_read_reasons(document),
            )
        case Kind.SERVER_CERTIFICATE:
            return ServerCertificate(
                **_read_named(document, "ServerCertificate"),
                body=document.get("CertificateBody"),
                chain=document.get("CertificateChain"),
                expiration=read_date(document.get("Expiration")),
                tags=_read_tags(document),
            )
        case Kind.WORKLOAD:
            return Workload(
                id=document["WorkloadId"],
                name=document["Name"],
                create_date=read_date(document.get("CreateDate")),
                created_by=document.get("CreatedBy"),
                availability_zone=document.get("AvailabilityZone"),
                image_id=document.get("ImageId"),
                runs_as=_read_runs_as(document),
            )
        case Kind.SETTINGS:
            alias = document.get("AccountAlias")
            return Settings(
                id=document["Account"],
                email=document.get("Email"),
                alias=None if alias is None else Alias(alias["AccountAlias"], alias.get("MadeBy")),
                password_policy=_read_password_policy(document.get("PasswordPolicy")),
                preferences=_by(
                    document["Preferences"],
                    "Name",
                    lambda it: Preference(it["Name"], it["Value"], it.get("MadeBy")),
                ),
                **_read_credentials(document),
            )
        case Kind.DELETED:
            return Deleted(id=document["Id"], name=document["Name"], deleted_by=document.get("DeletedBy"))
    assert_never(kind)


# ---- what all named entities have


def _named(entity: Named, noun: str) -> Json:
    return {
        "Path": entity.path,
        f"{noun}Name": entity.name,
        f"{noun}Id": entity.id,
        "Arn": entity.arn,
        "CreateDate": _date(entity.create_date),
        "CreatedBy": entity.created_by,
        "Assumed": _reasons(entity.assumed),
    }


def _read_named(document: Read, noun: str) -> Json:
    return {
        "id": document[f"{noun}Id"],
        "name": document[f"{noun}Name"],
        "path": document["Path"],
        "arn": document["Arn"],
        "create_date": read_date(document.get("CreateDate")),
        "created_by": document.get("CreatedBy"),
        "assumed": _read_reasons(document),
    }


# ---- grants


def _attached(attached: Map[str, Attachment]) -> list[Json]:
    return [
        _told(PolicyName=it.policy_name, PolicyArn=arn, MadeBy=it.made_by)
        for arn, it in sorted(attached.items())
    ]


def _read_attached(document: Read) -> Map[str, Attachment]:
    return _by(
        document["AttachedManagedPolicies"],
        "PolicyArn",
        lambda it: Attachment(it["PolicyArn"], it.get("MadeBy")),
    )


def _inline(inline: Map[str, InlinePolicy]) -> list[Json]:
    return [
        _told(PolicyName=name, PolicyDocument=it.document, MadeBy=it.made_by)
        for name, it in sorted(inline.items())
    ]


def _read_inline(items: Iterable[Read]) -> Map[str, InlinePolicy]:
    return _by(
        items,
        "PolicyName",
        lambda it: InlinePolicy(it["PolicyName"], it.get("PolicyDocument"), it.get("MadeBy")),
    )


def _boundary(boundary: Boundary | None) -> Json | None:
    if boundary is None:
        return None
    return _told(
        PermissionsBoundaryType="Policy",  # as get-account-authorization-details writes it
        PermissionsBoundaryArn=boundary.policy_arn,
        MadeBy=boundary.made_by,
    )


def _read_boundary(document: Read) -> Boundary | None:
    told = document.get("PermissionsBoundary")
    return None if told is None else Boundary(told["PermissionsBoundaryArn"], told.get("MadeBy"))


def _read_default(document: Read) -> DefaultVersion | None:
    version_id = document.get("DefaultVersionId")
    return None if version_id is None else DefaultVersion(version_id, document.get("DefaultVersionMadeBy"))


def _version(version: PolicyVersion, default: DefaultVersion | None) -> Json:
    return _told(
        VersionId=version.version_id,
        IsDefaultVersion=default is not None and version.version_id == default.version_id,
        CreateDate=_date(version.create_date),
        Document=version.document,
        MadeBy=version.made_by,
    )


def _read_version(document: Read) -> PolicyVersion:
    return PolicyVersion(
        version_id=document["VersionId"],
        document=document.get("Document"),
        create_date=read_date(document.get("CreateDate")),
        made_by=document.get("MadeBy"),
    )


def version_number(version_id: str) -> int:
    """`v12` → 12; ids of another form come before all others."""
    number = version_id.partition(".")[0][1:]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


def _newest(item: tuple[str, PolicyVersion]) -> tuple[int, str]:
    return (-version_number(item[0]), item[0])


def _tags(tags: Map[str, Tag]) -> list[Json]:
    return [_told(Key=it.key, Value=it.value, MadeBy=it.made_by) for _, it in sorted(tags.items())]


def _read_tags(document: Read, index: Callable[[str], str] = str) -> Map[str, Tag]:
    return Map({index(it["Key"]): Tag(it["Key"], it["Value"], it.get("MadeBy")) for it in document["Tags"]})


# ---- identity providers


def _propagation(propagation: Propagation | None) -> Json | None:
    if propagation is None:
        return None
    return _told(
        ContextProvider=propagation.context_provider,
        IdentityCenterInstanceArn=propagation.identity_center_instance_arn,
        MadeBy=propagation.made_by,
    )


def _read_propagation(document: Read | None) -> Propagation | None:
    if document is None:
        return None
    return Propagation(
        document.get("ContextProvider"), document.get("IdentityCenterInstanceArn"), document.get("MadeBy")
    )


def _runs_as(runs_as: ProfileAssociation | TaskRole | None) -> Json:
    match runs_as:
        case ProfileAssociation():
            told = _told(
                AssociationId=runs_as.id,
                IamInstanceProfile=_told(Arn=runs_as.profile_arn, Id=runs_as.profile_id),
                MadeBy=runs_as.made_by,
            )
            return {"IamInstanceProfileAssociation": told}
        case TaskRole():
            return {"TaskRoleArn": runs_as.role_arn, "TaskRoleMadeBy": runs_as.made_by}
    return {}


def _read_runs_as(document: Read) -> ProfileAssociation | TaskRole | None:
    told = document.get("IamInstanceProfileAssociation")
    if told is not None:
        profile = told["IamInstanceProfile"]
        return ProfileAssociation(
            told["AssociationId"], profile["Arn"], profile.get("Id"), told.get("MadeBy")
        )
    role_arn = document.get("TaskRoleArn")
    return None if role_arn is None else TaskRole(role_arn, document.get("TaskRoleMadeBy"))


# ---- credentials


_CREDENTIALS = {
    CredentialKind.SSH_PUBLIC_KEY: ("SSHPublicKeys", "SSHPublicKeyId", "UploadDate"),
    CredentialKind.SIGNING_CERTIFICATE: ("SigningCertificates", "CertificateId", "UploadDate"),
    CredentialKind.SERVICE_SPECIFIC: (
        "ServiceSpecificCredentials",
        "ServiceSpecificCredentialId",
        "CreateDate",
    ),
}


def _credentials(owner: User | Settings) -> Json:
    return {
        "LoginProfile": _login_profile(owner.login_profile),
        "AccessKeys": [
            _told(
                AccessKeyId=it.id,
                Status=it.status,
                CreateDate=_date(it.create_date),
                MadeBy=it.made_by,
                StatusMadeBy=it.status_made_by,
                Assumed=_reasons(it.assumed),
            )
            for _, it in sorted(owner.access_keys.items())
        ],
        "MFADevices": [
            _told(
                SerialNumber=it.serial_number,
                EnableDate=_date(it.enable_date),
                Virtual=it.virtual,
                MadeBy=it.made_by,
                CreatedBy=it.created_by,
                Tags=_tags(it.tags),
                Assumed=_reasons(it.assumed),
            )
            for _, it in sorted(owner.mfa_devices.items())
        ],
        **{
            list_name: [
                _told(
                    **{id_name: it.id, date_name: _date(it.create_date)},
                    Status=it.status,
                    ServiceName=it.service_name,
                    ServiceUserName=it.service_user_name,
                    ExpirationDate=_date(it.expiration_date),
                    Body=it.body,
                    MadeBy=it.made_by,
                    StatusMadeBy=it.status_made_by,
                    Assumed=_reasons(it.assumed),
                )
                for _, it in sorted(owner.credentials.items())
                if it.kind is kind
            ]
            or None
            for kind, (list_name, id_name, date_name) in _CREDENTIALS.items()
        },
    }


def _read_credentials(document: Read) -> Json:
    return {
        "login_profile": _read_login_profile(document.get("LoginProfile")),
        "access_keys": _by(document["AccessKeys"], "AccessKeyId", _read_access_key),
        "mfa_devices": _by(document["MFADevices"], "SerialNumber", _read_mfa_device),
        "credentials": Map(
            {
                it[id_name]: Credential(
                    kind=kind,
                    id=it[id_name],
                    status=it["Status"],
                    create_date=read_date(it.get(date_name)),
                    expiration_date=read_date(it.get("ExpirationDate")),
                    service_name=it.get("ServiceName"),
                    service_user_name=it.get("ServiceUserName"),
                    made_by=it.get("MadeBy"),
                    status_made_by=it.get("StatusMadeBy"),
                    assumed=_read_reasons(it),
                    body=it.get("Body"),
                )
                for kind, (list_name, id_name, date_name) in _CREDENTIALS.items()
                for it in document.get(list_name, ())
            }
        ),
    }


def _read_access_key(document: Read) -> AccessKey:
    return AccessKey(
        id=document["AccessKeyId"],
        status=document["Status"],
        create_date=read_date(document.get("CreateDate")),
        made_by=document.get("MadeBy"),
        status_made_by=document.get("StatusMadeBy"),
        assumed=_read_reasons(document),
    )


def _read_mfa_device(document: Read) -> MFADevice:
    return MFADevice(
        serial_number=document["SerialNumber"],
        enable_date=read_date(document.get("EnableDate")),
        made_by=document.get("MadeBy"),
        created_by=document.get("CreatedBy"),
        tags=_read_tags(document),
        assumed=_read_reasons(document),
    )


def _login_profile(profile: LoginProfile | None) -> Json | None:
    if profile is None:
        return None
    return _told(
        CreateDate=_date(profile.create_date),
        PasswordResetRequired=profile.password_reset_required,
        PasswordLastChanged=_date(profile.password_date),
        MadeBy=profile.made_by,
        PasswordMadeBy=profile.password_made_by,
        Assumed=_reasons(profile.assumed),
        MaxSigninSessionDuration=profile.max_signin_session_duration,
    )


def _read_login_profile(document: Read | None) -> LoginProfile | None:
    if document is None:
        return None
    return LoginProfile(
        create_date=read_date(document.get("CreateDate")),
        password_reset_required=document["PasswordResetRequired"],
        password_date=read_date(document.get("PasswordLastChanged")),
        made_by=document.get("MadeBy"),
        password_made_by=document.get("PasswordMadeBy"),
        assumed=_read_reasons(document),
        max_signin_session_duration=document.get("MaxSigninSessionDuration"),
    )


def _password_policy(policy: PasswordPolicy | None) -> Json | None:
    if policy is None:
        return None
    return _told(
        MinimumPasswordLength=policy.minimum_password_length,
        RequireSymbols=policy.require_symbols,
        RequireNumbers=policy.require_numbers,
        RequireUppercaseCharacters=policy.require_uppercase_characters,
        RequireLowercaseCharacters=policy.require_lowercase_characters,
        AllowUsersToChangePassword=policy.allow_users_to_change_password,
        MaxPasswordAge=policy.max_password_age,
        PasswordReusePrevention=policy.password_reuse_prevention,
        HardExpiry=policy.hard_expiry,
        MadeBy=policy.made_by,
    )


def _read_password_policy(document: Read | None) -> PasswordPolicy | None:
    if document is None:
        return None
    return PasswordPolicy(
        minimum_password_length=document["MinimumPasswordLength"],
        require_symbols=document["RequireSymbols"],
        require_numbers=document["RequireNumbers"],
        require_uppercase_characters=document["RequireUppercaseCharacters"],
        require_lowercase_characters=document["RequireLowercaseCharacters"],
        allow_users_to_change_password=document["AllowUsersToChangePassword"],
        max_password_age=document.get("MaxPasswordAge"),
        password_reuse_prevention=document.get("PasswordReusePrevention"),
        hard_expiry=document["HardExpiry"],
        made_by=document.get("MadeBy"),
    )


# ---- the smallest pieces

T = TypeVar("T")


def _told(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _by(items: Iterable[Read], id_name: str, read: Callable[[Read], T]) -> Map[str, T]:
    return Map({item[id_name]: read(item) for item in items})


def _date(seconds: int | None) -> str | None:
    return None if seconds is None else format_time(seconds)


def _reasons(assumed: tuple[Reason, ...]) -> list[str] | None:
    return [reason.value for reason in assumed] or None


def _read_reasons(document: Read) -> tuple[Reason, ...]:
    return tuple(map(Reason, document.get("Assumed", ())))
