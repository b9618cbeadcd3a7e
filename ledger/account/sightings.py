"""Sightings: who calls exists, even if no record shows how they came to be."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple, TypeVar

from ledger.account.account import MADE_ID, Account
from ledger.account.assumptions import Reason
from ledger.account.change import HIDDEN, Sighting
from ledger.account.deletion import arn_of, delete, renumber
from ledger.account.entities import AccessKey, Owner, Role, User, known
from ledger.record import Identity

_ARN = re.compile(
    r"arn:[\w-]+:iam::(?P<account>\d+):(?P<kind>user|role)(?P<path>/(?:[!-~]+/)?)(?P<name>[^/\s]+)"
)
_UNIQUE_ID = re.compile(r"\w{8,128}", re.ASCII)  # masked ones have asterisks
_LONG_TERM_KEY = re.compile(r"AKIA\w{4,124}", re.ASCII)

Seen = TypeVar("Seen", User, Role)


class SightingKey(NamedTuple):
    """Two sightings of one key say the same."""

    kind: str
    arn: str
    unique_id: str | None
    access_key_id: str | None


def sighting_key(identity: Identity, account_id: str) -> SightingKey | None:
    """What tells whether this caller was seen before; None for callers who are nobody of this account."""
    if identity.account_id != account_id or identity.name == HIDDEN:
        return None
    key = identity.access_key_id
    key = key if key is not None and _LONG_TERM_KEY.fullmatch(key) else None
    if identity.kind == "Root":
        return None if key is None else SightingKey("Root", "", account_id, key)
    found = _ARN.fullmatch(identity.arn or "")
    if found is None or found["account"] != account_id or found["kind"] != _KINDS.get(_issuer(identity)):
        return None
    unique_id = identity.unique_id
    unique_id = unique_id if unique_id is not None and _UNIQUE_ID.fullmatch(unique_id) else None
    return SightingKey(_issuer(identity), found[0], unique_id, key)


_KINDS = {"IAMUser": "user", "AssumedRole": "role"}


def _issuer(identity: Identity) -> str:
    """A federated user acts with what the issuing user has."""
    return identity.issuer_kind or "" if identity.kind == "FederatedUser" else identity.kind


def sighted(account: Account, sighting: Sighting) -> Account:
    """The account, in which the caller and their long-term key exist. Adds only what was not known."""
    key = sighting_key(sighting.identity, account.id)
    if key is None:
        return account
    if key.kind == "Root":
        return _with_key(account, account.settings, key.access_key_id)
    if key.unique_id in account.deleted:
        return account
    found = _ARN.fullmatch(key.arn)
    assert found is not None
    if key.kind == "IAMUser":
        user = User(id=_id(key, found), name=found["name"], path=found["path"], arn=key.arn)
        account, user = _recognise(account, user, account.users.get(user.id), account.user_named(user.name))
        return _with_key(account, user, key.access_key_id)
    role = Role(id=_id(key, found), name=found["name"], path=found["path"], arn=key.arn)
    if sighting.identity.issuer_kind is None:  # a session's own ARN has no path
        role = replace(role, assumed=(Reason.UNTOLD_PATH,))
    account, _ = _recognise(account, role, account.roles.get(role.id), account.role_named(role.name))
    return account


def _id(key: SightingKey, found: re.Match[str]) -> str:
    return key.unique_id or f"{MADE_ID}{found['kind']}/{found['name']}"


def _recognise(
    account: Account, seen: Seen, same_id: Seen | None, same_name: Seen | None
) -> tuple[Account, Seen]:
    if same_id is not None:
        return _placed(account, same_id, seen)
    if same_name is not None and seen.id.startswith(MADE_ID):
        return account, same_name
    if same_name is not None and same_name.id.startswith(MADE_ID):
        account = renumber(account, same_name, seen.id)
        return _placed(account, replace(known(same_name, Reason.UNTOLD_ID), id=seen.id), seen)
    if same_name is not None:  # deleted and made again, and no record shows so
        account = account.assume(Reason.UNSEEN_DELETION, same_name.arn)
        account = delete(account, same_name, None)
    assumed = [Reason.UNSEEN_CREATION, *seen.assumed]
    if seen.id.startswith(MADE_ID):
        assumed.append(Reason.UNTOLD_ID)
    if isinstance(seen, Role):
        assumed.append(Reason.UNKNOWN_TEXT)
    new = replace(seen, assumed=tuple(assumed))
    return account.assume(Reason.UNSEEN_CREATION, arn_of(new)).put(new), new


def _placed(account: Account, there: Seen, seen: Seen) -> tuple[Account, Seen]:
    """With the path and the ARN, if only now they are told."""
    if Reason.UNTOLD_PATH not in there.assumed or Reason.UNTOLD_PATH in seen.assumed:
        return account, there
    placed = replace(known(there, Reason.UNTOLD_PATH), path=seen.path, arn=seen.arn)
    return account.put(placed), placed


def _with_key(account: Account, owner: Owner, key_id: str | None) -> Account:
    if key_id is None or key_id in account.deleted or account.key_owner(key_id) is not None:
        return account
    key = AccessKey(key_id, "Active", None, None, None, (Reason.UNSEEN_CREATION,))
    account = account.assume(Reason.UNSEEN_CREATION, key_id)
    return account.put(replace(owner, access_keys=owner.access_keys.set(key_id, key)))
