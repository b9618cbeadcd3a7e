"""When an access key was last used."""

from __future__ import annotations

from typing import Any, Final

from api.aws.answers.reading import reads
from ledger.account.account import Account
from ledger.account.entities import User
from ledger.entry import Entry
from ledger.iam.deciding import Answer, Call, Moment
from ledger.iam.refusals import AccessDenied
from ledger.iam.targets import arn
from projections.investigation import Investigation

NOT_APPLICABLE: Final = "N/A"


def key_owner(account: Account, call: Call) -> str:
    """The user who has the key; where nobody has it, the key itself, in the words of AWS's denial."""
    key = call.get("AccessKeyId", "")
    owner = account.key_owner(key)
    if owner is None:
        return f"access key {key}"
    return owner.arn if isinstance(owner, User) else arn(account, "root")


@reads("iam:GetAccessKeyLastUsed", on=key_owner)
def get_access_key_last_used(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    """Every recorded call counts, whatever became of it; to the second, where AWS tells quarters of an hour.

    AWS denies a key that nobody has, even to those who may do everything. Root's key has no UserName.
    """
    key = call["AccessKeyId"]
    owner = account.key_owner(key)
    if owner is None:
        raise AccessDenied(
            f"User: {call.by.caller.arn} is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
            f"access key {key}"
        )
    told: dict[str, Any] = {"AccessKeyLastUsed": shown_use(ledger.last_uses.of_key(key))}
    return Answer({"UserName": owner.name, **told} if isinstance(owner, User) else told)


def shown_use(last: Entry | None) -> dict[str, Any]:
    if last is None:
        return {"ServiceName": NOT_APPLICABLE, "Region": NOT_APPLICABLE}
    return {
        "LastUsedDate": last.time,
        "ServiceName": last.record.service,
        "Region": region_of(last) or NOT_APPLICABLE,
    }


def region_of(entry: Entry) -> str | None:
    told = entry.document.get("awsRegion")
    return told if isinstance(told, str) and told else None
