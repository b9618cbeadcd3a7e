"""Access keys of users and of root."""

from __future__ import annotations

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Unreadable
from ledger.account.entities import AccessKey, Deleted, without
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, the_owner

ACTIVE = "Active"


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


@evolves("iam:DeleteAccessKey", rank=Rank.REVOKE)
def delete_access_key(account: Account, change: Change) -> Account:
    key_id = change.request.needed("AccessKeyId")
    owner = account.key_owner(key_id)
    if owner is None:
        account = absent(account, key_id)
    else:
        account = account.put(replace(owner, access_keys=without(owner.access_keys, key_id)))
    return account.put(Deleted(id=key_id, name=key_id, deleted_by=change.position))
