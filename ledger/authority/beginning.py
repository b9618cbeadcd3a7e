"""How an account begins: with its root, who has an e-mail address and a password. Opening a ledger never creates one."""

from __future__ import annotations

from typing import Any

from ledger.authority.credentials import root_arn
from ledger.authority.recording import Surroundings, record_of
from ledger.authority.turns import Now, Turns, Written
from ledger.entry import Draft
from ledger.iam.deciding import Bearer, Keep, SecretKind
from ledger.iam.root import CREATE_ACCOUNT
from ledger.own_records import SOURCE
from ledger.policy.request import caller_of
from ledger.record import read_record


class AlreadyThere(Exception):
    """The account has entries: it can't begin again."""


def begin(turns: Turns, account_id: str, *, email: str, password_hash: str, around: Surroundings) -> None:
    """Make the account and its root, as one entry; raises AlreadyThere."""

    def decide(now: Now) -> Written:
        if now.position:
            raise AlreadyThere(f"account {account_id} has {now.position} entries already")
        by = Bearer(caller_of(root_arn(now.account)))
        document: dict[str, Any] = record_of(
            now.account,
            by,
            CREATE_ACCOUNT,
            at=now.time,
            event_id=now.event_id(),
            surroundings=around,
            read_only=False,
            request={"email": email},
            source=SOURCE,
        )
        kept = Keep(SecretKind.PASSWORD, account_id, password_hash)
        return Written(Draft.of(read_record(document)), None, (kept,))

    turns.call(account_id, decide)
