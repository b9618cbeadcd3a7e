"""Encoded messages about refused calls. Nothing here gives out any, so there is none that could be decoded.

Source: AWS STS API reference, DecodeAuthorizationMessage.
"""

from __future__ import annotations

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Call, Moment, anything, decides
from ledger.iam.refusals import InvalidAuthorizationMessage


@decides("sts:DecodeAuthorizationMessage", on=anything)
def decode_authorization_message(account: Account, call: Call, moment: Moment) -> Answer:
    raise InvalidAuthorizationMessage("Message is not valid")
