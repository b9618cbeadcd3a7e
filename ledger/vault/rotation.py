"""Rotation of the vault's key: every secret under the first key of the keyring, and an entry that says so.

Secrets are no part of a log, but who can open them, and since when, is. So each account whose secrets were sealed anew has
an entry of that, in the transaction that did it. It names the keys by their ids, which tell nothing of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final
from uuid import uuid4

from ledger.entry import Draft
from ledger.log import Log
from ledger.own_records import SOURCE, own_record
from ledger.record import read_record
from ledger.vault.store import REWRAPPED_AT_ONCE, Vault

ROTATE: Final = f"{SOURCE}:RotateVaultKey"


def rotate(log: Log, vault: Vault, *, by: str, clock: Callable[[], float] = time.time) -> int:
    """Seal every secret with the keyring's first key, and say how many were not. The others of the keyring are then no
    longer needed, but for session tokens that were sealed with them.

    `by`, whoever does it, is written down for ever. An account of thousands of secrets has several entries: its calls go on
    in between.
    """
    done = 0
    for account_id in vault.accounts_to_rotate():
        sealed = REWRAPPED_AT_ONCE
        while sealed == REWRAPPED_AT_ONCE:
            sealed = _some(log, vault, account_id, by, clock)
            done += sealed
    vault.forget_unused_keys()
    return done


def _some(log: Log, vault: Vault, account_id: str, by: str, clock: Callable[[], float]) -> int:
    if not log.size(account_id):  # a token was added for an account that never began
        with vault.writing() as connection:
            return len(vault.rewrap(connection, account_id))
    with log.turn(account_id) as turn:
        before = vault.rewrap(turn.connection, account_id)
        if before:
            at = turn.second(clock())
            turn.append([_draft(account_id, before, vault.keyring.first.id, by=by, at=at)])
    return len(before)


def _draft(account_id: str, before: Collection[str], key: str, *, by: str, at: int) -> Draft:
    request = {"key": key, "keysBefore": sorted(set(before)), "secrets": len(before), "operator": by}
    return Draft.of(read_record(own_record(account_id, ROTATE, request, at=at, event_id=str(uuid4()))))
