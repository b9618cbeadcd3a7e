"""The account itself, and its root: how both begin. AWS records no such call for an account outside of organizations."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import LoginProfile
from ledger.iam.operations import Rank, evolves

CREATE_ACCOUNT: Final = "iam-ledger:CreateAccount"


@evolves(CREATE_ACCOUNT, rank=Rank.CREATE)
def create_account(account: Account, change: Change) -> Account:
    """Root has an e-mail address and a password from the beginning, and nothing else."""
    email = change.request.needed("Email")
    profile = LoginProfile(
        create_date=change.time,
        password_reset_required=False,
        password_date=change.time,
        made_by=change.position,
        password_made_by=change.position,
    )
    return account.put(replace(account.settings, email=email, login_profile=profile))
