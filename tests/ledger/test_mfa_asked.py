"""MFA devices: what is answered and what is refused."""

import base64
from io import BytesIO
from typing import Any

import segno

from ledger.iam.deciding import Bearer, Forget, Keep, SecretKind
from ledger.iam.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from ledger.policy.request import caller_of
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, NOON

PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
NOWHERE = f"arn:aws:iam::{ACCOUNT}:mfa/nowhere"
CODES: dict[str, Any] = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
RIGHT = {"codes_right": True}
WRONG = {"codes_right": False}
UNKNOWN = f"MFA Device with serial number {NOWHERE} does not exist."
NO_USER = "The user with name bob cannot be found."
WRONG_CODE = "Authentication code for device is not valid."


def with_a_phone() -> Asked:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone")
    return iam


def enable(iam: Asked, name: str = "alice", serial_number: str = PHONE, **more: Any) -> None:
    iam("EnableMFADevice", UserName=name, SerialNumber=serial_number, **CODES, facts=RIGHT, **more)


def in_use() -> Asked:
    iam = with_a_phone()
    enable(iam)
    return iam


def virtual(iam: Asked, status: str | None = None) -> list[dict[str, Any]]:
    more: dict[str, Any] = {} if status is None else {"AssignmentStatus": status}
    return list(iam("ListVirtualMFADevices", **more)["VirtualMFADevices"])


# ---- virtual devices


def test_a_new_device_is_answered_with_its_seed_and_the_vault_keeps_that() -> None:
    iam = Asked()
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/team/", Tags=tags)
    device = made["VirtualMFADevice"]
    serial_number = f"arn:aws:iam::{ACCOUNT}:mfa/team/phone"
    assert (device["SerialNumber"], device["Tags"]) == (serial_number, tags)
    seed = device["Base32StringSeed"].decode()
    assert len(base64.b32decode(seed)) == 40
    assert iam.answer.secrets == (Keep(SecretKind.TOTP_SEED, serial_number, seed),)
    assert seed not in str(iam.record)
    assert list(iam.record["responseElements"]["virtualMFADevice"]) == ["serialNumber", "tags"]


def test_the_picture_says_the_seed_the_device_and_the_account() -> None:
    acme = Asked()
    acme("CreateAccountAlias", AccountAlias="acme")
    for iam, account_name in ((Asked(), ACCOUNT), (acme, "acme")):
        device = iam("CreateVirtualMFADevice", VirtualMFADeviceName=f"of-{account_name}")["VirtualMFADevice"]
        told = f"otpauth://totp/of-{account_name}@{account_name}?secret={device['Base32StringSeed'].decode()}"
        expected = BytesIO()
        segno.make(told, micro=False).save(expected, kind="png", scale=4)
        assert device["QRCodePNG"] == expected.getvalue()


def test_a_device_is_there_once_enabled_or_not() -> None:
    for iam in (with_a_phone(), in_use()):
        with refused(EntityAlreadyExists, "MFA device already exists."):
            iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone")
        iam("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/other/")


def test_tags_of_a_new_device_keep_the_rules() -> None:
    with refused(InvalidInput, "Tag keys beginning with aws: are reserved for system use."):
        Asked()("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Tags=[{"Key": "aws:a", "Value": "b"}])


def test_virtual_devices_are_listed_by_assignment() -> None:
    iam = in_use()
    spare = f"arn:aws:iam::{ACCOUNT}:mfa/spare"
    iam("CreateVirtualMFADevice", VirtualMFADeviceName="spare", Tags=[{"Key": "a", "Value": "b"}])
    user = iam("GetUser", UserName="alice")["User"]
    assigned = {"SerialNumber": PHONE, "EnableDate": NOON, "User": user}
    assert virtual(iam, "Assigned") == [assigned]
    assert virtual(iam, "Unassigned") == [{"SerialNumber": spare}]
    assert virtual(iam, "Any") == virtual(iam) == [assigned, {"SerialNumber": spare}]
    page = iam("ListVirtualMFADevices", MaxItems=1)
    assert iam("ListVirtualMFADevices", Marker=page["Marker"])["VirtualMFADevices"] == virtual(iam)[1:]


def test_a_hardware_device_is_no_virtual_one() -> None:
    iam = with_a_phone()
    enable(iam, serial_number="GAHT12345678")
    assert virtual(iam) == [{"SerialNumber": PHONE}]
    assert [it["SerialNumber"] for it in iam("ListMFADevices", UserName="alice")["MFADevices"]] == [
        "GAHT12345678"
    ]


def test_a_device_is_deleted_and_forgotten_once_nobody_has_it() -> None:
    iam = in_use()
    with refused(DeleteConflict, "MFA VirtualDevice in use. Must deactivate first."):
        iam("DeleteVirtualMFADevice", SerialNumber=PHONE)
    iam("DeactivateMFADevice", UserName="alice", SerialNumber=PHONE)
    assert not iam.answer.secrets
    iam("DeleteVirtualMFADevice", SerialNumber=PHONE)
    assert iam.answer.secrets == (Forget(SecretKind.TOTP_SEED, PHONE),)
    assert virtual(iam) == []
    with refused(NoSuchEntity, UNKNOWN):
        iam("DeleteVirtualMFADevice", SerialNumber=NOWHERE)


# ---- devices of users


def test_an_enabled_device_is_the_users() -> None:
    iam = in_use()
    device = {"UserName": "alice", "SerialNumber": PHONE, "EnableDate": NOON}
    assert iam("ListMFADevices", UserName="alice") == {"MFADevices": [device], "IsTruncated": False}
    assert iam("GetMFADevice", SerialNumber=PHONE) == device
    assert iam("GetMFADevice", SerialNumber=PHONE, UserName="alice") == device


def test_no_record_holds_a_code() -> None:
    iam = in_use()
    assert not [code for code in CODES.values() if code in str(iam.record)]


def test_a_device_has_one_user() -> None:
    iam = in_use()
    iam("CreateUser", UserName="carol")
    for name in ("alice", "carol"):
        with refused(EntityAlreadyExists, "MFA Device is already in use."):
            enable(iam, name)


def test_codes_must_be_right() -> None:
    iam = with_a_phone()
    for serial_number in (PHONE, "GAHT12345678"):
        with refused(InvalidAuthenticationCode, WRONG_CODE):
            iam("EnableMFADevice", UserName="alice", SerialNumber=serial_number, **CODES, facts=WRONG)
    iam = in_use()
    iam("ResyncMFADevice", UserName="alice", SerialNumber=PHONE, **CODES, facts=RIGHT)
    with refused(InvalidAuthenticationCode, WRONG_CODE):
        iam("ResyncMFADevice", UserName="alice", SerialNumber=PHONE, **CODES, facts=WRONG)


def test_a_user_has_eight_devices() -> None:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    for number in range(9):
        iam("CreateVirtualMFADevice", VirtualMFADeviceName=f"phone{number}")
    for number in range(8):
        enable(iam, serial_number=f"{PHONE}{number}")
    with refused(LimitExceeded, "Cannot exceed quota for MFADevicesPerUser: 8"):
        enable(iam, serial_number=f"{PHONE}8")


def test_the_user_is_looked_for_before_the_device() -> None:
    iam = with_a_phone()
    for name, message in (("bob", NO_USER), ("alice", UNKNOWN)):
        with refused(NoSuchEntity, message):
            enable(iam, name, NOWHERE)
        with refused(NoSuchEntity, message):
            iam("DeactivateMFADevice", UserName=name, SerialNumber=NOWHERE)
        with refused(NoSuchEntity, message):
            iam("ResyncMFADevice", UserName=name, SerialNumber=NOWHERE, **CODES, facts=RIGHT)
        with refused(NoSuchEntity, message):
            iam("GetMFADevice", UserName=name, SerialNumber=NOWHERE)
    with refused(NoSuchEntity, NO_USER):
        iam("ListMFADevices", UserName="bob")


def test_somebody_elses_device_is_not_deactivated() -> None:
    iam = in_use()
    iam("CreateUser", UserName="carol")
    with refused(NoSuchEntity, "MFA Device invalid for user."):
        iam("DeactivateMFADevice", UserName="carol", SerialNumber=PHONE)
    with refused(NoSuchEntity, f"MFA Device with serial number {PHONE} does not exist."):
        iam("GetMFADevice", UserName="carol", SerialNumber=PHONE)


def test_a_deactivated_device_can_be_enabled_again() -> None:
    iam = in_use()
    iam("DeactivateMFADevice", UserName="alice", SerialNumber=PHONE)
    assert virtual(iam) == [{"SerialNumber": PHONE}]
    enable(iam)


# ---- root's


def test_root_says_root_of_itself_or_nothing() -> None:
    iam = with_a_phone()
    enable(iam, "root")
    (device,) = iam("ListMFADevices")["MFADevices"]
    assert (device["UserName"], device["SerialNumber"]) == ("root", PHONE)
    assert virtual(iam)[0]["User"] == {
        "Path": "/",
        "UserName": "root",
        "UserId": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
        "CreateDate": 0,  # no record shows how this account began
    }
    assert iam.account.settings.mfa_devices[PHONE].made_by is not None
    iam("DeactivateMFADevice", SerialNumber=PHONE)
    assert iam("ListMFADevices")["MFADevices"] == []
    assert len(iam.account.users) == 1


def test_a_user_of_that_name_is_meant_before_root_and_nobody_else_means_root() -> None:
    iam = with_a_phone()
    user = iam.account.user_named("alice")
    assert user is not None
    herself = Bearer(caller_of(user.arn, unique_id=user.id))
    with refused(NoSuchEntity, "The user with name root cannot be found."):
        enable(iam, "root", by=herself)
    iam("CreateUser", UserName="root")
    enable(iam, "root")
    assert not iam.account.settings.mfa_devices


# ---- tags


def test_tags_are_set_listed_and_taken_away_by_their_case() -> None:
    iam = in_use()
    iam("TagMFADevice", SerialNumber=PHONE, Tags=[{"Key": "b", "Value": "1"}, {"Key": "B", "Value": "2"}])
    tags = iam("ListMFADeviceTags", SerialNumber=PHONE)
    assert tags == {"Tags": [{"Key": "B", "Value": "2"}, {"Key": "b", "Value": "1"}], "IsTruncated": False}
    iam("UntagMFADevice", SerialNumber=PHONE, TagKeys=["b", "never"])
    assert iam("ListMFADeviceTags", SerialNumber=PHONE)["Tags"] == [{"Key": "B", "Value": "2"}]


def test_tags_are_refused_where_they_break_a_rule() -> None:
    iam = with_a_phone()
    with refused(InvalidInput, "Duplicate tag keys found."):
        iam("TagMFADevice", SerialNumber=PHONE, Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
    iam("TagMFADevice", SerialNumber=PHONE, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    with refused(LimitExceeded, "The number of tags has reached the maximum limit."):
        iam("TagMFADevice", SerialNumber=PHONE, Tags=[{"Key": "one-more", "Value": ""}])


def test_only_virtual_devices_that_are_there_have_tags() -> None:
    iam = with_a_phone()
    enable(iam, serial_number="GAHT12345678")
    for serial_number in (NOWHERE, "GAHT12345678"):
        message = f"MFA Device with serial number {serial_number} does not exist."
        with refused(NoSuchEntity, message):
            iam("TagMFADevice", SerialNumber=serial_number, Tags=[{"Key": "a", "Value": "1"}])
        with refused(NoSuchEntity, message):
            iam("UntagMFADevice", SerialNumber=serial_number, TagKeys=["a"])
        with refused(NoSuchEntity, message):
            iam("ListMFADeviceTags", SerialNumber=serial_number)
