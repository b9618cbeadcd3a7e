"""Entities are stored and read back without loss, whatever they hold; and rubbish in records stops no fold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Members
from ledger.account.codec import from_document, to_document, version_number
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
    LoginProfile,
    ManagedPolicy,
    Membership,
    MFADevice,
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
from ledger.account.texts import read_policy
from ledger.iam import FOLDED_ACTIONS
from ledger.record import canonical
from tests.ledger.told import ACCOUNT, NOON, call, create_role, create_user, folded, imported

names = st.text(min_size=1, max_size=12)
positions = st.none() | st.integers(0, 2**60)
dates = st.none() | st.integers(0, 2**32 - 1)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, json, max_size=3) | st.text(min_size=1, max_size=9)
reasons = st.lists(st.sampled_from(Reason), unique=True, max_size=3).map(tuple)
maybe = st.none()


def by(parts: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[Any]:
    return st.lists(parts, max_size=3).map(lambda found: Map({getattr(it, key): it for it in found}))


def built(kind: Any, /, **members: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **members)


propagations = maybe | built(
    Propagation,
    context_provider=maybe | st.dictionaries(names, names, max_size=3),
    identity_center_instance_arn=maybe | names,
    made_by=positions,
)


def tags(index: Any = str) -> st.SearchStrategy[Any]:
    one = built(Tag, key=names, value=st.text(max_size=5), made_by=positions)
    return st.lists(one, max_size=3).map(lambda found: Map({index(it.key): it for it in found}))


attached = by(built(Attachment, policy_arn=names, made_by=positions), "policy_arn")
inline = by(built(InlinePolicy, name=names, document=maybe | documents, made_by=positions), "name")
boundaries = maybe | built(Boundary, policy_arn=names, made_by=positions)
named: dict[str, Any] = {
    "id": names,
    "name": names,
    "path": names,
    "arn": names,
    "create_date": dates,
    "created_by": positions,
    "assumed": reasons,
}
owned: dict[str, Any] = {
    "login_profile": maybe
    | built(
        LoginProfile,
        create_date=dates,
        password_reset_required=st.booleans(),
        password_date=dates,
        made_by=positions,
        password_made_by=positions,
        assumed=reasons,
        max_signin_session_duration=dates,
    ),
    "access_keys": by(
        built(
            AccessKey,
            id=names,
            status=names,
            create_date=dates,
            made_by=positions,
            status_made_by=positions,
            assumed=reasons,
        ),
        "id",
    ),
    "mfa_devices": by(
        built(
            MFADevice,
            serial_number=names,
            enable_date=dates,
            made_by=positions,
            created_by=positions,
            tags=tags(),
            assumed=reasons,
        ),
        "serial_number",
    ),
    "credentials": by(
        built(
            Credential,
            kind=st.sampled_from(CredentialKind),
            id=names,
            status=names,
            create_date=dates,
            expiration_date=dates,
            service_name=maybe | names,
            service_user_name=maybe | names,
            made_by=positions,
            status_made_by=positions,
            assumed=reasons,
            body=maybe | names,
        ),
        "id",
    ),
}
entities: st.SearchStrategy[Entity] = st.one_of(
    built(
        User,
        **named,
        **owned,
        memberships=by(built(Membership, group_id=names, made_by=positions), "group_id"),
        attached=attached,
        inline=inline,
        boundary=boundaries,
        tags=tags(str.casefold),
    ),
    built(Group, **named, attached=attached, inline=inline),
    built(
        Role,
        **named,
        trust=maybe | built(TrustPolicy, document=documents, made_by=positions),
        attached=attached,
        inline=inline,
        boundary=boundaries,
        tags=tags(str.casefold),
        description=maybe | st.text(max_size=5),
        max_session_duration=maybe | st.integers(0, 50_000),
        max_signin_session_duration=maybe | st.integers(0, 8_000_000),
    ),
    built(
        ManagedPolicy,
        **named,
        versions=by(
            built(
                PolicyVersion,
                version_id=names,
                document=maybe | documents,
                create_date=dates,
                made_by=positions,
            ),
            "version_id",
        ),
        default=maybe | built(DefaultVersion, version_id=names, made_by=positions),
        last_version=st.integers(0, 99),
        description=maybe | names,
        tags=tags(),
    ),
    built(
        InstanceProfile,
        **named,
        roles=by(built(ProfiledRole, role_id=names, made_by=positions), "role_id"),
        tags=tags(),
    ),
    built(VirtualMFADevice, id=names, created_by=positions, tags=tags(), assumed=reasons),
    built(
        SAMLProvider,
        id=names,
        create_date=dates,
        created_by=positions,
        metadata_made_by=positions,
        metadata=maybe | names,
        assertion_encryption_mode=maybe | names,
        propagation=propagations,
        tags=tags(),
        assumed=reasons,
    ),
    built(
        OIDCProvider,
        id=names,
        url=names,
        create_date=dates,
        created_by=positions,
        client_ids=st.dictionaries(names, positions, max_size=3).map(Map),
        thumbprints=st.lists(names, max_size=2).map(tuple),
        thumbprints_made_by=positions,
        propagation=propagations,
        tags=tags(),
        assumed=reasons,
    ),
    built(
        ServerCertificate,
        **named,
        body=maybe | names,
        chain=maybe | names,
        expiration=dates,
        tags=tags(),
    ),
    built(
        Workload,
        id=names,
        name=names,
        create_date=dates,
        created_by=positions,
        availability_zone=maybe | names,
        image_id=maybe | names,
        runs_as=maybe
        | built(ProfileAssociation, id=names, profile_arn=names, profile_id=maybe | names, made_by=positions)
        | built(TaskRole, role_arn=names, made_by=positions),
    ),
    built(
        Settings,
        id=names,
        alias=maybe | built(Alias, name=names, made_by=positions),
        password_policy=maybe
        | built(
            PasswordPolicy,
            minimum_password_length=st.integers(6, 128),
            require_symbols=st.booleans(),
            require_numbers=st.booleans(),
            require_uppercase_characters=st.booleans(),
            require_lowercase_characters=st.booleans(),
            allow_users_to_change_password=st.booleans(),
            max_password_age=maybe | st.integers(1, 1095),
            password_reuse_prevention=maybe | st.integers(1, 24),
            hard_expiry=st.booleans(),
            made_by=positions,
        ),
        preferences=by(built(Preference, name=names, value=names, made_by=positions), "name"),
        **owned,
    ),
    built(Deleted, id=names, name=names, deleted_by=positions),
)


@given(entities)
def test_an_entity_is_read_back_as_it_was_stored(entity: Entity) -> None:
    document = to_document(entity)
    assert from_document(entity.kind, document) == entity
    assert to_document(from_document(entity.kind, document)) == document
    canonical(document)  # JSON there is for all of it


def names_of(entity: Entity) -> tuple[object, object]:
    """What no two entities of a kind have in common: users of one name are no account."""
    return entity.kind, str(getattr(entity, "name", entity.id)).casefold()


@given(st.lists(entities, max_size=6, unique_by=(names_of, lambda entity: (entity.kind, entity.id))))
def test_an_account_is_restored_from_what_is_stored_of_it(several: list[Entity]) -> None:
    account = Account.empty(ACCOUNT)
    for entity in several:
        if not isinstance(entity, Settings):
            account = account.put(entity)
    stored = [(entity.kind, entity.id, to_document(entity)) for entity in account.entities()]
    restored = Account.from_documents(ACCOUNT, stored)
    assert restored.names == account.names
    assert all(restored.get(entity.kind, entity.id) == entity for entity in account.entities())
    assert restored.holders == account.holders


def test_what_is_shown_besides_is_not_read_back() -> None:
    account = folded(imported([create_user(), create_role()]))
    user = account.users["AIDA0000000ALICE1"]
    assert from_document(user.kind, account.document(user) | {"GroupList": ["nobody"]}) == user


def test_dropping_an_entity_leaves_no_trace_in_the_indexes() -> None:
    account = folded(imported([create_user(), create_role()]))
    for entity in list(account.entities()):
        if not isinstance(entity, Settings):
            account = account.drop(entity.kind, entity.id)
    assert account == Account.empty(ACCOUNT)


request_names = st.sampled_from(
    [
        "userName",
        "groupName",
        "roleName",
        "policyName",
        "policyArn",
        "policyDocument",
        "assumeRolePolicyDocument",
        "accessKeyId",
        "status",
        "instanceProfileName",
        "serialNumber",
        "tags",
        "tagKeys",
        "versionId",
        "setAsDefault",
        "newUserName",
        "newGroupName",
        "newPath",
        "path",
        "permissionsBoundary",
        "sAMLProviderArn",
        "openIDConnectProviderArn",
        "clientID",
        "details",
        "takenAt",
        "properties",
        "name",
        "url",
        "virtualMFADeviceName",
        "sSHPublicKeyId",
        "maxSessionDuration",
        "sAMLMetadataDocument",
        "contextProvider",
        "identityCenterInstanceArn",
        "removeContextProvider",
    ]
)
rubbish = json | st.sampled_from(
    ["alice", "deploy", "arn:aws:iam::111122223333:policy/x", "AROA000000DEPLOY1", "", "/"]
)
response_names = st.sampled_from(
    [
        "user",
        "role",
        "group",
        "policy",
        "policyVersion",
        "accessKey",
        "instanceProfile",
        "virtualMFADevice",
        "loginProfile",
    ]
)
member_names = st.sampled_from(
    ["userId", "arn", "roleId", "groupId", "policyId", "accessKeyId", "userName", "path", "versionId"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(FOLDED_ACTIONS)),
            st.none() | st.dictionaries(request_names, rubbish, max_size=5),
            st.none()
            | st.dictionaries(response_names, st.dictionaries(member_names, rubbish, max_size=4), max_size=2),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
def test_no_rubbish_stops_the_fold(calls: list[tuple[str, Any, Any, int]]) -> None:
    records = [create_user(), create_role()]
    for action, request, response, seconds in calls:
        source, name = action.split(":")
        where = source if source == "iam-ledger" else f"{source}.amazonaws.com"
        records.append(call(name, request, response, source=where, at=NOON + seconds))
    account = folded(imported(records))
    stored = [(entity.kind, entity.id, account.document(entity)) for entity in account.entities()]
    assert Account.from_documents(ACCOUNT, stored) == account


UNDATABLE: list[Any] = [
    None, True, "", "yesterday", "Foo 99, 2023 11:54:39 AM", -1, 10**20, float("nan"), [], {},
]  # fmt: skip


def test_dates_are_read_in_all_their_forms() -> None:
    assert read_date("Jul 10, 2023 11:54:39 AM") == 1_688_990_079
    assert read_date("Jul 10, 2023, 12:09:47 PM") == 1_688_990_987
    assert read_date("Feb 22, 2026, 4:11:47\u202fPM") == 1_771_776_707
    assert read_date("2023-07-10T11:54:39Z") == 1_688_990_079
    assert read_date("2023-07-10T11:54:39+00:00") == 1_688_990_079
    assert (
        read_date(1_688_990_079_123)
        == read_date(1_688_990_079)
        == read_date(1_688_990_079.9)
        == 1_688_990_079
    )
    for undatable in UNDATABLE:
        assert read_date(undatable) is None
    assert read_date("Jul 99, 2023 11:54:39 AM") is None


def test_policies_are_read_in_all_their_forms() -> None:
    assert read_policy({"a": 1}) == read_policy('{"a": 1}') == read_policy("%7B%22a%22%3A%201%7D") == {"a": 1}
    assert read_policy("[1]") == "[1]"
    assert read_policy("%zz") == "%zz"
    assert read_policy(None) is read_policy("") is read_policy(7) is None


def test_members_are_read_leniently() -> None:
    members = Members(
        {"SetAsDefault": "TRUE", "maxItems": "7", "PolicyArns": [{"arn": "a"}, "b", 3], "x": "\0"}
    )
    assert members.truth("setAsDefault") is True
    assert members.number("MaxItems") == 7
    assert members.texts("policyArns") == ("a", "b")
    assert members.within("nothing").text("at all") is None
    assert "SetAsDefault" in members
    assert Members({"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}).text("UserName") is None
    assert Members({"tags": {"items": [{"key": "a", "value": "1"}]}}).pairs("Tags") == {"a": "1"}


def test_version_ids_have_numbers() -> None:
    assert [version_number(it) for it in ("v1", "v12", "v2.x", "rubbish", "", "v" + "9" * 40)] == [
        1,
        12,
        2,
        0,
        0,
        0,
    ]
