"""Access keys, login profiles, MFA devices and the other credentials: of users, of the caller, of root."""

import pytest

from ledger.account.assumptions import Reason
from ledger.account.entities import Kind
from tests.ledger.told import ACCOUNT, ADMIN, NOON, ROOT, call, create_key, create_user, given

KEY = "AKIAALICE0000001"
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
ROOT_DEVICE = f"arn:aws:iam::{ACCOUNT}:mfa/root-account-mfa-device"
ALICE = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
}
ROLE_SESSION = {"type": "AssumedRole", "principalId": "AROA1:x", "accountId": ACCOUNT}

# ---- access keys


def test_a_key_belongs_to_the_user_who_is_named() -> None:
    told = given(create_user(), create_key())
    assert told.user()["AccessKeys"] == [
        {
            "AccessKeyId": KEY,
            "Status": "Active",
            "CreateDate": "2023-11-14T22:13:20Z",
            "MadeBy": 1,
            "StatusMadeBy": 1,
        }
    ]


def test_a_key_for_nobody_named_belongs_to_the_caller() -> None:
    response = {"accessKey": {"accessKeyId": KEY, "status": "Active"}}
    assert given(create_user(), call("CreateAccessKey", None, response, by=ALICE)).user()["AccessKeys"]
    assert (
        given(call("CreateAccessKey", None, response, by=ROOT)).settings["AccessKeys"][0]["AccessKeyId"]
        == KEY
    )
    assert given(call("CreateAccessKey", None, response, by=ALICE)).user()["Assumed"]


def test_a_key_for_nobody_named_by_a_role_session_is_nobodys() -> None:
    response = {"accessKey": {"accessKeyId": KEY, "status": "Active"}}
    assert given(call("CreateAccessKey", None, response, by=ROLE_SESSION)).reasons == [Reason.UNREADABLE]


def test_a_key_is_switched_off_by_its_id_alone() -> None:
    off = call("UpdateAccessKey", {"accessKeyId": KEY, "status": "Inactive"})
    told = given(create_user(), create_key(), off)
    assert told.user()["AccessKeys"][0]["Status"] == "Inactive"
    assert told.user()["AccessKeys"][0]["StatusMadeBy"] == 2
    assert told.when(off).user()["AccessKeys"][0]["StatusMadeBy"] == 2
    assert told.reasons == []


def test_switching_a_key_nobody_created_assumes_it() -> None:
    told = given(
        create_user(), call("UpdateAccessKey", {"userName": "alice", "accessKeyId": KEY, "status": "Active"})
    )
    assert told.user()["AccessKeys"] == [
        {"AccessKeyId": KEY, "Status": "Active", "Assumed": [Reason.UNSEEN_CREATION]}
    ]


def test_a_key_is_deleted_by_its_id_alone_and_never_comes_again() -> None:
    delete = call("DeleteAccessKey", {"accessKeyId": KEY})
    told = given(create_user(), create_key(), delete)
    assert told.user()["AccessKeys"] == []
    assert KEY in told.account.deleted
    assert told.when(delete).reasons == [Reason.ABSENT]


# ---- login profiles


def test_a_login_profile_remembers_who_made_it_and_who_set_the_password() -> None:
    request = {"userName": "alice", "passwordResetRequired": True}
    told = given(create_user(), call("CreateLoginProfile", request))
    assert told.user()["LoginProfile"] == {
        "CreateDate": "2023-11-14T22:13:20Z",
        "PasswordResetRequired": True,
        "PasswordLastChanged": "2023-11-14T22:13:20Z",
        "MadeBy": 1,
        "PasswordMadeBy": 1,
    }
    told.when(call("UpdateLoginProfile", {"userName": "alice", "passwordResetRequired": False}, at=NOON + 60))
    told.when(call("UpdateLoginProfile", {"userName": "alice"}, at=NOON + 70))
    profile = told.user()["LoginProfile"]
    assert (profile["MadeBy"], profile["PasswordMadeBy"], profile["PasswordResetRequired"]) == (1, 3, False)


def test_a_changed_password_is_the_callers() -> None:
    request = {"userName": "alice", "passwordResetRequired": True}
    told = given(create_user(), call("CreateLoginProfile", request))
    told.when(call("ChangePassword", None, by=ALICE, at=NOON + 60))
    profile = told.user()["LoginProfile"]
    assert (profile["PasswordMadeBy"], profile["PasswordResetRequired"]) == (2, False)


def test_changing_a_password_nobody_gave_assumes_a_login_profile() -> None:
    told = given(create_user(), call("ChangePassword", None, by=ALICE))
    assert told.reasons == [Reason.UNSEEN_CREATION]
    assert told.user()["LoginProfile"]["Assumed"] == [Reason.UNSEEN_CREATION]


def test_root_can_have_a_login_profile() -> None:
    told = given(call("CreateLoginProfile", None, by=ROOT))
    assert told.settings["LoginProfile"]["MadeBy"] == 0
    assert "LoginProfile" not in told.when(call("DeleteLoginProfile", None, by=ROOT)).settings


def test_a_second_login_profile_means_that_the_first_was_deleted() -> None:
    create = call("CreateLoginProfile", {"userName": "alice"})
    assert given(create_user(), create, create).reasons == [Reason.UNSEEN_DELETION]


def test_a_login_profile_is_deleted_once() -> None:
    delete = call("DeleteLoginProfile", {"userName": "alice"})
    told = given(create_user(), call("CreateLoginProfile", {"userName": "alice"}), delete)
    assert "LoginProfile" not in told.user()
    assert told.when(delete).reasons == [Reason.ABSENT]


# ---- MFA devices

create_phone = call(
    "CreateVirtualMFADevice", {"virtualMFADeviceName": "phone"}, {"virtualMFADevice": {"serialNumber": PHONE}}
)
enable_phone = call("EnableMFADevice", {"userName": "alice", "serialNumber": PHONE})
deactivate_phone = call("DeactivateMFADevice", {"userName": "alice", "serialNumber": PHONE})
delete_phone = call("DeleteVirtualMFADevice", {"serialNumber": PHONE})


def test_a_virtual_device_is_nobodys_until_it_is_enabled() -> None:
    told = given(create_user(), create_phone)
    assert told.account.to_document()["mfaDevices"] == [{"SerialNumber": PHONE, "CreatedBy": 1, "Tags": []}]
    told.when(enable_phone)
    assert told.account.to_document()["mfaDevices"] == []
    assert told.user()["MFADevices"] == [
        {
            "SerialNumber": PHONE,
            "EnableDate": "2023-11-14T22:13:20Z",
            "Virtual": True,
            "MadeBy": 2,
            "CreatedBy": 1,
            "Tags": [],
        }
    ]
    assert set(told.account.touched) == {(Kind.MFA_DEVICE, PHONE), (Kind.USER, "AIDA0000000ALICE1")}
    assert told.when(enable_phone).user()["MFADevices"][0]["MadeBy"] == 2
    told.when(deactivate_phone)
    assert told.user()["MFADevices"] == []
    assert told.account.to_document()["mfaDevices"] == [{"SerialNumber": PHONE, "CreatedBy": 1, "Tags": []}]
    assert told.when(delete_phone).account.to_document()["mfaDevices"] == []
    assert told.account.assumptions == 0
    assert told.when(delete_phone).reasons == [Reason.ABSENT]


def test_a_virtual_device_without_a_response_is_named_by_the_request() -> None:
    told = given(call("CreateVirtualMFADevice", {"virtualMFADeviceName": "phone", "path": "/a/"}))
    assert list(told.account.mfa_devices) == [f"arn:aws:iam::{ACCOUNT}:mfa/a/phone"]


def test_enabling_a_virtual_device_nobody_created_assumes_it_but_not_a_hardware_one() -> None:
    assert given(create_user(), enable_phone).reasons == [Reason.UNSEEN_CREATION]
    hardware = call("EnableMFADevice", {"userName": "alice", "serialNumber": "GAHT12345678"})
    told = given(create_user(), hardware)
    assert told.reasons == []
    assert not told.user()["MFADevices"][0]["Virtual"]
    told.when(call("DeactivateMFADevice", {"serialNumber": "GAHT12345678"}))
    assert told.user()["MFADevices"] == []
    assert told.account.to_document()["mfaDevices"] == []


def test_root_is_named_in_words_of_its_own() -> None:
    told = given(call("EnableMFADevice", {"userName": "AWS ROOT USER", "serialNumber": ROOT_DEVICE}, by=ROOT))
    assert told.settings["MFADevices"][0]["SerialNumber"] == ROOT_DEVICE
    assert not told.account.users


def test_a_device_that_turns_up_with_another_user_was_deactivated_unseen() -> None:
    other = call("EnableMFADevice", {"userName": "bob", "serialNumber": PHONE})
    told = given(create_user(), create_user("bob"), create_phone, enable_phone, other)
    assert told.user()["MFADevices"] == []
    assert told.user("bob")["MFADevices"][0]["MadeBy"] == 4
    assert told.reasons == [Reason.ABSENT]


def test_deactivating_a_device_nobody_enabled_is_noted() -> None:
    told = given(create_user(), deactivate_phone)
    assert told.reasons == [Reason.ABSENT]
    assert told.account.to_document()["mfaDevices"][0]["Assumed"] == [Reason.UNSEEN_CREATION]


def test_deleting_a_device_in_use_takes_it_from_its_user() -> None:
    told = given(create_user(), create_phone, enable_phone, delete_phone)
    assert told.user()["MFADevices"] == []
    assert told.reasons == [Reason.CASCADE]


def test_creating_a_device_again_means_that_it_was_deleted() -> None:
    assert given(create_phone, create_phone).reasons == [Reason.UNSEEN_DELETION]
    told = given(create_user(), create_phone, enable_phone, create_phone)
    assert told.reasons == [Reason.UNSEEN_DELETION]
    assert told.user()["MFADevices"] == []


def test_tags_go_with_a_device() -> None:
    def tag(key: str) -> dict:
        return call("TagMFADevice", {"serialNumber": PHONE, "tags": [{"key": key, "value": "1"}]})

    told = given(create_user(), create_phone, tag("a"), enable_phone, tag("A"))
    assert [it["Key"] for it in told.user()["MFADevices"][0]["Tags"]] == ["A", "a"]
    untag = call("UntagMFADevice", {"serialNumber": PHONE, "tagKeys": ["a"]})
    told.when(untag).when(deactivate_phone)
    assert told.account.to_document()["mfaDevices"][0]["Tags"] == [{"Key": "A", "Value": "1", "MadeBy": 4}]
    assert told.when(call("UntagMFADevice", {"serialNumber": PHONE, "tagKeys": ["A"]})).reasons == []
    assert given(tag("a")).reasons == [Reason.UNSEEN_CREATION]


# ---- the others

OTHERS = {
    "SSHPublicKeys": (
        ("UploadSSHPublicKey", "UpdateSSHPublicKey", "DeleteSSHPublicKey"),
        ("sSHPublicKey", "sSHPublicKeyId"),
    ),
    "SigningCertificates": (
        ("UploadSigningCertificate", "UpdateSigningCertificate", "DeleteSigningCertificate"),
        ("certificate", "certificateId"),
    ),
    "ServiceSpecificCredentials": (
        (
            "CreateServiceSpecificCredential",
            "UpdateServiceSpecificCredential",
            "DeleteServiceSpecificCredential",
        ),
        ("serviceSpecificCredential", "serviceSpecificCredentialId"),
    ),
}


@pytest.mark.parametrize("list_name", OTHERS)
def test_other_credentials_are_made_switched_and_removed(list_name: str) -> None:
    (make, switch, remove), (noun, id_name) = OTHERS[list_name]
    response = {noun: {id_name: "APKA00000001", "status": "Active", "userName": "alice"}}
    told = given(create_user(), call(make, {"userName": "alice", "serviceName": "codecommit"}, response))
    (credential,) = told.user()[list_name]
    assert (credential["Status"], credential["MadeBy"]) == ("Active", 1)
    off = call(switch, {"userName": "alice", id_name: "APKA00000001", "status": "Inactive"})
    assert told.when(off).user()[list_name][0]["StatusMadeBy"] == 2
    assert told.when(off).user()[list_name][0]["StatusMadeBy"] == 2
    delete = call(remove, {"userName": "alice", id_name: "APKA00000001"})
    assert list_name not in told.when(delete).user()
    assert told.when(delete).reasons == [Reason.ABSENT]
    assert told.when(off).user()[list_name][0]["Assumed"] == [Reason.UNSEEN_CREATION]
    assert given(call(make, {"userName": "alice"})).reasons == [Reason.UNREADABLE]


def test_the_caller_may_be_known_by_id_under_another_name() -> None:
    renamed = call("UpdateUser", {"userName": "alice", "newUserName": "alicia"})
    told = given(create_user(), renamed, call("ChangePassword", None, by=ALICE))
    assert told.user("alicia")["LoginProfile"]["PasswordMadeBy"] == 2
    assert ADMIN["userName"] not in {user.name for user in told.account.users.values()}
