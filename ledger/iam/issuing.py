"""What all operations that open sessions share: credentials, session policies and tags, durations, codes of devices.

Source: AWS STS API reference, AssumeRole; IAM user guide, "Session policies" and "Passing session tags in AWS STS".
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from ledger.account.account import Account
from ledger.account.entities import Role
from ledger.iam.deciding import Call, Moment, calling_user
from ledger.iam.documents import checked
from ledger.iam.limits import SESSION_POLICY_ARNS, SESSION_POLICY_SIZE, SESSION_TAGS
from ledger.iam.present import check_arn, policy_exists
from ledger.iam.refusals import AccessDenied, InvalidParameterValue, PackedPolicyTooLarge, ValidationError
from ledger.iam.sessions import ROLE_SESSION_SECONDS
from ledger.policy.grammar import PolicyKind
from ledger.policy.request import CallerKind

ACCESS_KEY_ID_LENGTH: Final = 20
CHAINED_SECONDS: Final = 3600

# AWS tells no sizes, only percentages: nine tags of 252 characters are 498 % of what there is (aws-actions/
# configure-aws-credentials#1898), which 4 bytes beside each tag and 462 bytes for all explain.
PACKED_SIZE: Final = 462
BESIDE_A_TAG: Final = 4

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")

NO_CODE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
NOT_YOUR_DEVICE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)
WRONG_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def credentials(moment: Moment, seconds: int) -> dict[str, Any]:
    """Without the session token, which whoever keeps the keys makes of them."""
    return {
        "AccessKeyId": moment.unique_id("ASIA")[:ACCESS_KEY_ID_LENGTH],
        "SecretAccessKey": moment.secret_key(),
        "Expiration": moment.time + seconds,
    }


def the_role(account: Account, call: Call) -> str:
    """The role's ARN; raises ValidationError for what is none, before anybody asks whether it may be assumed."""
    arn = str(call.get("RoleArn", ""))
    if not _ARN.fullmatch(arn):
        raise ValidationError(f"{arn} is invalid")
    return arn


def role_of_arn(account: Account, arn: str) -> Role | None:
    found = account.role_named(arn.rpartition("/")[2])
    return found if found is not None and found.arn == arn else None


def assumed(role: Role, name: str, account: Account) -> dict[str, str]:
    """AssumedRoleUser: the session's ARN has no path."""
    return {
        "AssumedRoleId": f"{role.id}:{name}",
        "Arn": f"arn:aws:sts::{account.id}:assumed-role/{role.name}/{name}",
    }


def role_seconds(role: Role, call: Call, *, chained: bool) -> int:
    """Whoever assumes a role with the session of another gets an hour at most; AWS's services, what they ask for."""
    seconds: int = call.get("DurationSeconds", ROLE_SESSION_SECONDS)
    if call.by.caller.kind is CallerKind.SERVICE:
        return seconds
    if seconds > (role.max_session_duration or ROLE_SESSION_SECONDS):
        raise ValidationError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and seconds > CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    return seconds


def user_seconds(call: Call, otherwise: int) -> int:
    """Root's sessions end after an hour, however long they were to last."""
    seconds: int = call.get("DurationSeconds", otherwise)
    return min(seconds, CHAINED_SECONDS) if call.by.is_root else seconds


def check_code(account: Account, call: Call) -> None:
    """The code of the calling user's device, where one is told. Needs the fact `code_right`."""
    serial_number, code = call.get("SerialNumber"), call.get("TokenCode")
    if serial_number is None and code is None:
        return
    if serial_number is None or code is None:
        raise AccessDenied(NO_CODE)
    owner = account.device_owner(serial_number)
    caller = account.settings if call.by.is_root else calling_user(account, call)
    if owner is None or caller is None or owner.id != caller.id:
        raise AccessDenied(NOT_YOUR_DEVICE)
    if call.facts.get("code_right") is not True:
        raise AccessDenied(WRONG_CODE)


def check_tags(keys: Iterable[str], transitive: Iterable[str], inherited: Iterable[str]) -> None:
    """Session tags; keys are compared ignoring case. `inherited` come with the calling session and stay."""
    told: set[str] = set()
    for key in keys:
        folded = key.casefold()
        if folded in told:
            raise InvalidParameterValue(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        if folded.startswith("aws:"):
            raise InvalidParameterValue("aws: prefixed tag key names are not allowed for external use.")
        told.add(folded)
    if len(told) > SESSION_TAGS:
        raise ValidationError(_too_long(f"[{', '.join(sorted(told))}]", "tags", SESSION_TAGS))
    there = {key.casefold() for key in inherited}
    wanted = {key.casefold() for key in transitive}
    if there & (told | wanted):
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag "
            "key from the calling session."
        )
    if wanted - told:
        raise InvalidParameterValue(
            "The specified transitive tag key must be included in the requested tags."
        )


def check_session_policies(account: Account, call: Call, at: int) -> None:
    """The policies that limit the session to what both they and the principal's own allow."""
    text = call.get("Policy")
    if text is not None:
        if len(text) > SESSION_POLICY_SIZE:
            raise ValidationError(_too_long(text, "policy", SESSION_POLICY_SIZE))
        checked(text, PolicyKind.SESSION)
    arns = _arns(call)
    if len(arns) > SESSION_POLICY_ARNS:
        raise ValidationError(_too_long(f"[{', '.join(arns)}]", "policyArns", SESSION_POLICY_ARNS))
    for arn in arns:
        check_arn(arn)
        if not policy_exists(account, arn, at):
            raise InvalidParameterValue(f"Policy {arn} does not exist or is not attachable.")


def packed(call: Call, tags: Mapping[str, str]) -> dict[str, int]:
    """PackedPolicySize, the percentage of the room that policies and tags take up; nothing where there are none.

    AWS packs policies by a method of its own, which is told nowhere; here they are deflated.
    """
    told = [*_arns(call)]
    if (text := call.get("Policy")) is not None:
        told.append(orjson.dumps(orjson.loads(text)).decode())
    size = len(zlib.compress("\n".join(told).encode(), 9, -15)) if told else 0
    size += sum(len(key.encode()) + len(value.encode()) + BESIDE_A_TAG for key, value in tags.items())
    if not size:
        return {}
    percentage = max(1, size * 100 // PACKED_SIZE)
    if percentage > 100:
        if told:
            raise PackedPolicyTooLarge(
                f"Packed policy consumes {percentage}% of allotted space, please use smaller policy."
            )
        raise PackedPolicyTooLarge(f"Packed size of session tags consumes {percentage}% of allotted space.")
    return {"PackedPolicySize": percentage}


def _arns(call: Call) -> list[str]:
    return [found["arn"] for found in call.get("PolicyArns", ()) if "arn" in found]


def _too_long(value: str, member: str, most: int) -> str:
    """As AWS refuses what its models forbid; these bounds are in its documentation, not in its models."""
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {most}"
    )
