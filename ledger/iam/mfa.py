"""MFA devices: created (the virtual ones), enabled for somebody, deactivated, deleted."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.entities import (
    MFADevice,
    Owner,
    VirtualMFADevice,
    is_virtual,
    tagging,
    untagging,
    without,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, the_owner


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


@evolves("iam:EnableMFADevice", rank=Rank.GRANT)
def enable_mfa_device(account: Account, change: Change) -> Account:
    account, owner = the_owner(account, change)
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


@evolves("iam:DeactivateMFADevice", rank=Rank.REVOKE)
def deactivate_mfa_device(account: Account, change: Change) -> Account:
    serial_number = change.request.needed("SerialNumber")
    owner = account.device_owner(serial_number)
    if owner is None:
        account, _ = the_owner(account, change)
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


@evolves("iam:TagMFADevice", rank=Rank.CHANGE)
def tag_mfa_device(account: Account, change: Change) -> Account:
    serial_number, tags = change.request.needed("SerialNumber"), change.request.pairs("Tags")
    owner = account.device_owner(serial_number)
    if owner is not None:
        device = tagging(owner.mfa_devices[serial_number], tags, change.position)
        return account.put(replace(owner, mfa_devices=owner.mfa_devices.set(serial_number, device)))
    account, unassigned = _the_unassigned(account, serial_number)
    return account.put(tagging(unassigned, tags, change.position))


@evolves("iam:UntagMFADevice", rank=Rank.REVOKE)
def untag_mfa_device(account: Account, change: Change) -> Account:
    serial_number, keys = change.request.needed("SerialNumber"), change.request.texts("TagKeys")
    owner = account.device_owner(serial_number)
    if owner is not None:
        device = untagging(owner.mfa_devices[serial_number], keys)
        return account.put(replace(owner, mfa_devices=owner.mfa_devices.set(serial_number, device)))
    account, unassigned = _the_unassigned(account, serial_number)
    return account.put(untagging(unassigned, keys))


def _the_unassigned(account: Account, serial_number: str) -> tuple[Account, VirtualMFADevice]:
    found = account.mfa_devices.get(serial_number)
    if found is not None:
        return account, found
    device = VirtualMFADevice(id=serial_number, created_by=None, assumed=(Reason.UNSEEN_CREATION,))
    return account.assume(Reason.UNSEEN_CREATION, serial_number).put(device), device


def _without_device(owner: Owner, serial_number: str) -> Owner:
    return replace(owner, mfa_devices=without(owner.mfa_devices, serial_number))
