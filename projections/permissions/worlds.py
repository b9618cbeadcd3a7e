"""The accounts that a question is put to, all at one moment."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.account.account import Account
from projections.permissions.accounts import Moment, PastAccounts
from projections.permissions.judging import Named


class PastWorld:
    """The accounts at the end of a second, or `before` something in it, read as far as they are asked for."""

    def __init__(self, past: PastAccounts, at: int, before: Mapping[str, Moment] | None = None) -> None:
        self.at = at
        self._past = past
        self._before = before or {}
        self._known = past.known()
        self._read: dict[tuple[str, tuple[Named, ...]], Account] = {}

    def account(self, account_id: str, *named: Named) -> Account | None:
        if account_id not in self._known:
            return None
        key = (account_id, named)
        if key not in self._read:
            moment = self._before.get(account_id, Moment(self.at))
            self._read[key] = self._past.about(account_id, named, moment)
        return self._read[key]


class WalkedWorld:
    """Accounts that are at hand whole, as a walk over the log moves them along."""

    def __init__(self, at: int, accounts: Mapping[str, Account]) -> None:
        self.at = at
        self._accounts = accounts

    def account(self, account_id: str, *_: Named) -> Account | None:
        return self._accounts.get(account_id)
