"""Access keys of users and of root."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.entities import AccessKey, Deleted, Owner, without
from ledger.iam.deciding import NOTHING, Answer, Call, Forget, Keep, Moment, SecretKind, decides
from ledger.iam.limits import ACCESS_KEYS_PER_USER, room_for_one_more
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import by_age, paged
from ledger.iam.present import owner_named
from ledger.iam.refusals import InvalidInput, NoSuchEntity
from ledger.iam.subjects import absent, owner_name, the_owner
from ledger.iam.targets import a_user

ACTIVE = "Active"
SETTABLE = ("Active", "Inactive")
ID_LENGTH = 20


def shown(owner: Owner, key: AccessKey) -> dict[str, Any]:
    told = {"UserName": owner_name(owner), "AccessKeyId": key.id, "Status": key.status}
    return told if key.create_date is None else told | {"CreateDate": key.create_date}


@decides("iam:CreateAccessKey", on=a_user)
def decide_create_access_key(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    room_for_one_more(owner.access_keys, ACCESS_KEYS_PER_USER, "AccessKeysPerUser")
    key_id, secret = moment.unique_id("AKIA")[:ID_LENGTH], moment.secret_key()
    key = AccessKey(key_id, ACTIVE, moment.time, None, None)
    output = {"AccessKey": shown(owner, key) | {"SecretAccessKey": secret}}
    return Answer(output, (Keep(SecretKind.ACCESS_KEY, key_id, secret),))


@evolves("iam:CreateAccessKey", rank=Rank.GRANT)
def create_access_key(account: Account, change: Change) -> Account:
    told = change.response.within("AccessKey")
    key_id = told.text("AccessKeyId")
    if key_id is None:
        raise Unreadable("AccessKeyId")
    account, owner = the_owner(account, change)
    created_at = told.date("CreateDate")
    key = AccessKey(
        id=key_id,
        status=told.text("Status") or ACTIVE,
        create_date=change.time if created_at is None else created_at,
        made_by=change.position,
        status_made_by=change.position,
    )
    return account.put(replace(owner, access_keys=owner.access_keys.set(key_id, key)))


@decides("iam:ListAccessKeys", on=a_user)
def list_access_keys(account: Account, call: Call, moment: Moment) -> Answer:
    owner = owner_named(account, call)
    return Answer(
        paged(
            call,
            "AccessKeyMetadata",
            owner.access_keys.values(),
            lambda key: by_age(key.create_date, key.made_by, key.id),
            lambda key: shown(owner, key),
        )
    )


@decides("iam:UpdateAccessKey", on=a_user)
def decide_update_access_key(account: Account, call: Call, moment: Moment) -> Answer:
    _check_there(account, call)
    if call["Status"] not in SETTABLE:  # the model knows Expired, which no call sets
        raise InvalidInput(f"The status {call['Status']} cannot be set.")
    return NOTHING


@evolves("iam:UpdateAccessKey", rank=Rank.CHANGE)
def update_access_key(account: Account, change: Change) -> Account:
    key_id, status = change.request.needed("AccessKeyId"), change.request.needed("Status")
    owner = account.key_owner(key_id)
    if owner is None:
        account, owner = the_owner(account, change)
        account = account.assume(Reason.UNSEEN_CREATION, key_id)
        key = AccessKey(key_id, ACTIVE, None, None, None, (Reason.UNSEEN_CREATION,))
    else:
        key = owner.access_keys[key_id]
    if key.status != status:
        key = replace(key, status=status, status_made_by=change.position)
    return account.put(replace(owner, access_keys=owner.access_keys.set(key_id, key)))


@decides("iam:DeleteAccessKey", on=a_user)
def decide_delete_access_key(account: Account, call: Call, moment: Moment) -> Answer:
    _check_there(account, call)
    return Answer(secrets=(Forget(SecretKind.ACCESS_KEY, call["AccessKeyId"]),))


@evolves("iam:DeleteAccessKey", rank=Rank.REVOKE)
def delete_access_key(account: Account, change: Change) -> Account:
    key_id = change.request.needed("AccessKeyId")
    owner = account.key_owner(key_id)
    if owner is None:
        account = absent(account, key_id)
    else:
        account = account.put(replace(owner, access_keys=without(owner.access_keys, key_id)))
    return account.put(Deleted(id=key_id, name=key_id, deleted_by=change.position))


def _check_there(account: Account, call: Call) -> None:
    if call["AccessKeyId"] not in owner_named(account, call).access_keys:
        raise NoSuchEntity(f"The Access Key with id {call['AccessKeyId']} cannot be found.")
