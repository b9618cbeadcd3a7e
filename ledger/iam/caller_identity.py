"""Who calls, and whose a key is. AWS asks for no permission.

Source: AWS STS API reference, GetCallerIdentity and GetAccessKeyInfo; IAM user guide, "Information available in all
requests".
"""

from __future__ import annotations

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Bearer, Call, Moment, anything, decides
from ledger.iam.refusals import ValidationError
from ledger.policy.request import CallerKind

TEMPORARY = "ASIA"


@decides("sts:GetCallerIdentity", on=anything, permission_needed=False)
def get_caller_identity(account: Account, call: Call, moment: Moment) -> Answer:
    caller = call.by.caller
    return Answer({"UserId": user_id(call.by), "Account": caller.account_id or account.id, "Arn": caller.arn})


def user_id(by: Bearer) -> str:
    """`aws:userid` of whoever calls."""
    caller = by.caller
    last = caller.arn.rpartition("/")[2]
    match caller.kind:
        case CallerKind.ROLE_SESSION:
            return f"{caller.unique_id}:{last}"
        case CallerKind.FEDERATED_USER:
            return f"{caller.account_id}:{last}"
        case CallerKind.ROOT:
            return caller.account_id or ""
    return caller.unique_id or ""


@decides("sts:GetAccessKeyInfo", on=anything, permission_needed=False)
def get_access_key_info(account: Account, call: Call, moment: Moment) -> Answer:
    """Temporary keys belong to no entity of the account, and whoever issued them here is this account.

    Of other accounts' keys nothing is known here; AWS, which issued them all, answers.
    """
    key = call["AccessKeyId"]
    if account.key_owner(key) is None and not key.startswith(TEMPORARY):
        raise ValidationError(f"The access key {key} is not known.")
    return Answer({"Account": account.id})
