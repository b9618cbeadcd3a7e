"""MFA devices: created (the virtual ones), enabled for somebody, deactivated, deleted."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import quote

import segno
from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import (
    MFADevice,
    Owner,
    Tag,
    User,
    VirtualMFADevice,
    is_virtual,
    tagging,
    untagging,
    without,
)
from ledger.iam.deciding import NOTHING, Answer, Call, Forget, Keep, Moment, SecretKind, decides
from ledger.iam.limits import MFA_DEVICES_PER_USER, USERS, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import by_age, paged
from ledger.iam.present import owner_named
from ledger.iam.refusals import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    NoSuchEntity,
)
from ledger.iam.subjects import ROOT_NAME, absent, owner_name, the_owner
from ledger.iam.tags import listed_tags, new_tags, shown_tags, tagging_too
from ledger.iam.targets import a_user, arn, by_name, listed, new, told_as
from ledger.iam.users import brief, shown_root

SEED_BYTES = 40  # sixty-four characters of Base32, as AWS's seeds have them


@told_as(by_name("user"))
def _whose(account: Account, call: Call) -> str:
    """The user whose device it is; root's own devices are root's."""
    return arn(account, ROOT_NAME) if _means_root(account, call) else a_user(account, call)


def _the_device(account: Account, call: Call) -> str:
    serial_number: str = call["SerialNumber"]
    return serial_number if serial_number.startswith("arn:") else arn(account, f"mfa/{serial_number}")


def _means_root(account: Account, call: Call) -> bool:
    """EnableMFADevice needs a name even of root, who has none; so root's own calls may say `root`."""
    name = call.get("UserName", ROOT_NAME)
    return call.by.is_root and name == ROOT_NAME and account.user_named(name) is None


def _owner(account: Account, call: Call) -> Owner:
    return account.settings if _means_root(account, call) else owner_named(account, call)


@decides(
    "iam:CreateVirtualMFADevice",
    on=new("mfa", "VirtualMFADeviceName"),
    also=tagging_too("iam:TagMFADevice", new("mfa", "VirtualMFADeviceName")),
)
def decide_create_virtual_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    path, name = call.get("Path", "/"), call["VirtualMFADeviceName"]
    serial_number = arn(account, f"mfa{path}{name}")
    if serial_number in account.mfa_devices or account.device_owner(serial_number) is not None:
        raise EntityAlreadyExists("MFA device already exists.")
    devices = (*account.mfa_devices, *(device.serial_number for _, device in _assigned(account)))
    room_for_one_more(devices, USERS, "VirtualMFADevicesPerAccount")
    tags = new_tags(VirtualMFADevice, Map(), call)
    seed = base64.b32encode(moment.fresh(SEED_BYTES)).decode()
    device: dict[str, Any] = {
        "SerialNumber": serial_number,
        "Base32StringSeed": seed.encode(),
        "QRCodePNG": _qr_code(account, name, seed),
    }
    if tags:
        device["Tags"] = shown_tags(tags)
    return Answer({"VirtualMFADevice": device}, (Keep(SecretKind.TOTP_SEED, serial_number, seed),))


def _qr_code(account: Account, name: str, seed: str) -> bytes:
    """Source: IAM API reference, "VirtualMFADevice": what the code says, and that it is a PNG."""
    alias = account.settings.alias
    label = f"{name}@{account.id if alias is None else alias.name}"
    image = BytesIO()
    segno.make(f"otpauth://totp/{quote(label, safe='@')}?secret={seed}", micro=False).save(
        image, kind="png", scale=4
    )
    return image.getvalue()


@evolves("iam:CreateVirtualMFADevice", rank=Rank.CREATE)
def create_virtual_mfa_device(account: Account, change: Change) -> Account:
    serial_number = change.response.within("VirtualMFADevice").text("SerialNumber")
    if serial_number is None:
        path, name = change.request.text("Path") or "/", change.request.needed("VirtualMFADeviceName")
        serial_number = f"arn:aws:iam::{account.id}:mfa{path}{name}"
    owner = account.device_owner(serial_number)
    if owner is not None:
        account = account.put(_without_device(owner, serial_number))
    if owner is not None or serial_number in account.mfa_devices:
        account = account.assume(Reason.UNSEEN_DELETION, serial_number)
    device = VirtualMFADevice(id=serial_number, created_by=change.position)
    return account.put(tagging(device, change.request.pairs("Tags"), change.position))


@decides("iam:EnableMFADevice", on=_whose, facts=("codes_right",))
def decide_enable_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    owner, serial_number = _owner(account, call), call["SerialNumber"]
    if account.device_owner(serial_number) is not None:
        raise EntityAlreadyExists("MFA Device is already in use.")
    if is_virtual(serial_number) and serial_number not in account.mfa_devices:
        raise _unknown(serial_number)
    room_for_one_more(owner.mfa_devices, MFA_DEVICES_PER_USER, "MFADevicesPerUser")
    _check_codes(call)
    return NOTHING


@evolves("iam:EnableMFADevice", rank=Rank.GRANT)
def enable_mfa_device(account: Account, change: Change) -> Account:
    account, owner = _whose_told(account, change)
    serial_number = change.request.needed("SerialNumber")
    if serial_number in owner.mfa_devices:
        return account
    before = account.device_owner(serial_number)
    if before is not None:
        account = absent(account.put(_without_device(before, serial_number)), f"{serial_number} unassigned")
    device = MFADevice(serial_number, enable_date=change.time, made_by=change.position)
    created = account.mfa_devices.get(serial_number)
    if created is not None:
        account = account.drop(created.kind, created.id)
        device = replace(device, created_by=created.created_by, tags=created.tags, assumed=created.assumed)
    elif device.virtual and before is None:
        account = account.assume(Reason.UNSEEN_CREATION, serial_number)
        device = replace(device, assumed=(Reason.UNSEEN_CREATION,))
    return account.put(replace(owner, mfa_devices=owner.mfa_devices.set(serial_number, device)))


@decides("iam:DeactivateMFADevice", on=_whose)
def decide_deactivate_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    _check_assigned(account, call)
    return NOTHING


@evolves("iam:DeactivateMFADevice", rank=Rank.REVOKE)
def deactivate_mfa_device(account: Account, change: Change) -> Account:
    serial_number = change.request.needed("SerialNumber")
    owner = account.device_owner(serial_number)
    if owner is None:
        account, _ = _whose_told(account, change)
        account = absent(account, serial_number)
        if is_virtual(serial_number) and serial_number not in account.mfa_devices:
            unseen = VirtualMFADevice(id=serial_number, created_by=None, assumed=(Reason.UNSEEN_CREATION,))
            account = account.put(unseen)
        return account
    device = owner.mfa_devices[serial_number]
    account = account.put(_without_device(owner, serial_number))
    if not device.virtual:
        return account
    return account.put(
        VirtualMFADevice(
            id=serial_number, created_by=device.created_by, tags=device.tags, assumed=device.assumed
        )
    )


@decides("iam:ResyncMFADevice", on=_whose, facts=("codes_right",))
def decide_resync_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    _check_assigned(account, call)
    _check_codes(call)
    return NOTHING


@decides("iam:DeleteVirtualMFADevice", on=_the_device)
def decide_delete_virtual_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    serial_number = call["SerialNumber"]
    if is_virtual(serial_number) and account.device_owner(serial_number) is not None:
        raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
    if serial_number not in account.mfa_devices:
        raise _unknown(serial_number)
    return Answer(secrets=(Forget(SecretKind.TOTP_SEED, serial_number),))


@evolves("iam:DeleteVirtualMFADevice", rank=Rank.DELETE)
def delete_virtual_mfa_device(account: Account, change: Change) -> Account:
    serial_number = change.request.needed("SerialNumber")
    device = account.mfa_devices.get(serial_number)
    if device is not None:
        return account.drop(device.kind, device.id)
    owner = account.device_owner(serial_number)
    if owner is None:
        return absent(account, serial_number)
    return account.put(_without_device(owner, serial_number)).assume(Reason.CASCADE, serial_number)


@decides("iam:GetMFADevice", on=_whose)
def get_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    serial_number = call["SerialNumber"]
    named = _owner(account, call) if "UserName" in call else None
    owner = account.device_owner(serial_number)
    if owner is None or (named is not None and owner.id != named.id):
        raise _unknown(serial_number)
    return Answer(_shown(owner, owner.mfa_devices[serial_number]))


@decides("iam:ListMFADevices", on=_whose)
def list_mfa_devices(account: Account, call: Call, moment: Moment) -> Answer:
    owner = _owner(account, call)
    return Answer(
        paged(
            call,
            "MFADevices",
            owner.mfa_devices.values(),
            lambda device: by_age(device.enable_date, device.made_by, device.serial_number),
            lambda device: _shown(owner, device),
        )
    )


@decides("iam:ListVirtualMFADevices", on=listed("mfa"))
def list_virtual_mfa_devices(account: Account, call: Call, moment: Moment) -> Answer:
    status, found = call.get("AssignmentStatus", "Any"), list[dict[str, Any]]()
    if status != "Unassigned":
        found += [_shown_assigned(account, *it) for it in _assigned(account) if it[1].virtual]
    if status != "Assigned":
        found += [{"SerialNumber": serial_number} for serial_number in account.mfa_devices]
    return Answer(
        paged(call, "VirtualMFADevices", found, lambda device: str(device["SerialNumber"]), lambda it: it)
    )


def _assigned(account: Account) -> Iterable[tuple[Owner, MFADevice]]:
    for owner in (account.settings, *account.users.values()):
        for device in owner.mfa_devices.values():
            yield owner, device


def _shown(owner: Owner, device: MFADevice) -> dict[str, Any]:
    told = {"UserName": owner_name(owner), "SerialNumber": device.serial_number}
    return told if device.enable_date is None else told | {"EnableDate": device.enable_date}


def _shown_assigned(account: Account, owner: Owner, device: MFADevice) -> dict[str, Any]:
    user = brief(owner) if isinstance(owner, User) else shown_root(account)
    told = {"SerialNumber": device.serial_number, "User": user}
    return told if device.enable_date is None else told | {"EnableDate": device.enable_date}


@decides("iam:ListMFADeviceTags", on=_the_device)
def list_mfa_device_tags(account: Account, call: Call, moment: Moment) -> Answer:
    return Answer(listed_tags(call, _tags(account, call)))


@decides("iam:TagMFADevice", on=_the_device)
def decide_tag_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    new_tags(VirtualMFADevice, _tags(account, call), call)
    return NOTHING


@evolves("iam:TagMFADevice", rank=Rank.CHANGE)
def tag_mfa_device(account: Account, change: Change) -> Account:
    serial_number, tags = change.request.needed("SerialNumber"), change.request.pairs("Tags")
    owner = account.device_owner(serial_number)
    if owner is not None:
        device = tagging(owner.mfa_devices[serial_number], tags, change.position)
        return account.put(replace(owner, mfa_devices=owner.mfa_devices.set(serial_number, device)))
    account, unassigned = _the_unassigned(account, serial_number)
    return account.put(tagging(unassigned, tags, change.position))


@decides("iam:UntagMFADevice", on=_the_device)
def decide_untag_mfa_device(account: Account, call: Call, moment: Moment) -> Answer:
    _tags(account, call)
    return NOTHING


@evolves("iam:UntagMFADevice", rank=Rank.REVOKE)
def untag_mfa_device(account: Account, change: Change) -> Account:
    serial_number, keys = change.request.needed("SerialNumber"), change.request.texts("TagKeys")
    owner = account.device_owner(serial_number)
    if owner is not None:
        device = untagging(owner.mfa_devices[serial_number], keys)
        return account.put(replace(owner, mfa_devices=owner.mfa_devices.set(serial_number, device)))
    account, unassigned = _the_unassigned(account, serial_number)
    return account.put(untagging(unassigned, keys))


def _whose_told(account: Account, change: Change) -> tuple[Account, Owner]:
    """Whose device a record tells of, as `_means_root` reads a call."""
    name = change.request.text("UserName")
    if change.actor.kind == "Root" and name == ROOT_NAME and account.user_named(name) is None:
        return account, account.settings
    return the_owner(account, change)


def _tags(account: Account, call: Call) -> Map[str, Tag]:
    """Those of a virtual device, wherever it is; no other device has tags."""
    serial_number = call["SerialNumber"]
    unassigned, owner = account.mfa_devices.get(serial_number), account.device_owner(serial_number)
    if unassigned is not None:
        return unassigned.tags
    if owner is None or not is_virtual(serial_number):
        raise _unknown(serial_number)
    return owner.mfa_devices[serial_number].tags


def _check_assigned(account: Account, call: Call) -> None:
    owner, serial_number = _owner(account, call), call["SerialNumber"]
    if serial_number in owner.mfa_devices:
        return
    if serial_number in account.mfa_devices or account.device_owner(serial_number) is not None:
        raise NoSuchEntity("MFA Device invalid for user.")
    raise _unknown(serial_number)


def _check_codes(call: Call) -> None:
    if not call.facts["codes_right"]:
        raise InvalidAuthenticationCode("Authentication code for device is not valid.")


def _unknown(serial_number: str) -> NoSuchEntity:
    return NoSuchEntity(f"MFA Device with serial number {serial_number} does not exist.")


def _the_unassigned(account: Account, serial_number: str) -> tuple[Account, VirtualMFADevice]:
    found = account.mfa_devices.get(serial_number)
    if found is not None:
        return account, found
    device = VirtualMFADevice(id=serial_number, created_by=None, assumed=(Reason.UNSEEN_CREATION,))
    return account.assume(Reason.UNSEEN_CREATION, serial_number).put(device), device


def _without_device(owner: Owner, serial_number: str) -> Owner:
    return replace(owner, mfa_devices=without(owner.mfa_devices, serial_number))
