"""GetSessionToken and GetFederationToken: a user's own permissions for a while, whole or in part.

Source: AWS STS API reference, GetSessionToken and GetFederationToken.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Call, Moment, Question, anything, decides
from ledger.iam.issuing import (
    CHAINED_SECONDS,
    check_code,
    check_session_policies,
    check_tags,
    credentials,
    packed,
    user_seconds,
)
from ledger.iam.refusals import AccessDenied
from ledger.iam.sessions import USER_SESSION_SECONDS


def _check_long_term(call: Call, operation: str) -> None:
    if call.by.session is not None:
        raise AccessDenied(f"Cannot call {operation} with session credentials")


def _seconds(call: Call) -> int:
    return user_seconds(call, CHAINED_SECONDS if call.by.is_root else USER_SESSION_SECONDS)


@decides("sts:GetSessionToken", on=anything, facts=("code_right",), permission_needed=False)
def get_session_token(account: Account, call: Call, moment: Moment) -> Answer:
    """AWS asks for no permission: this is how a user authenticates with MFA."""
    _check_long_term(call, "GetSessionToken")
    check_code(account, call)
    return Answer({"Credentials": credentials(moment, _seconds(call))})


def a_federated_user(account: Account, call: Call) -> str:
    return f"arn:aws:sts::{account.id}:federated-user/{call.get('Name', '')}"


def _tagging(account: Account, call: Call) -> Iterable[Question]:
    return [("sts:TagSession", a_federated_user(account, call))] if call.get("Tags") else ()


@decides("sts:GetFederationToken", on=a_federated_user, also=_tagging)
def get_federation_token(account: Account, call: Call, moment: Moment) -> Answer:
    _check_long_term(call, "GetFederationToken")
    check_tags([tag["Key"] for tag in call.get("Tags", ())], (), ())
    check_session_policies(account, call, moment.time)
    return Answer(
        {
            "Credentials": credentials(moment, _seconds(call)),
            "FederatedUser": {
                "FederatedUserId": f"{account.id}:{call['Name']}",
                "Arn": a_federated_user(account, call),
            },
        }
        | packed(call, call.tags)
    )
