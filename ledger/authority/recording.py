"""The record of a live call, in CloudTrail's form. Source: CloudTrail record contents, eventVersion 1.11.

What a record never holds (S11 and S12 of the IAM and STS models' `sensitive` members) is left out as AWS leaves it out;
where AWS writes a session token, it is hidden.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.change import HIDDEN
from ledger.iam.console_sign_in import CONSOLE_LOGIN
from ledger.iam.deciding import Bearer
from ledger.own_records import EVENT_VERSION
from ledger.policy.request import CallerKind
from ledger.record import format_time

REGION: Final = "us-east-1"  # of IAM and the global endpoint of STS, since 2021-11-22
AGENT_MAX = 1024
EC2: Final = "ec2.amazonaws.com"
EC2_ROLE_DELIVERY: Final = "2.0"  # of the instance metadata service, by the version of its protocol

NEVER_RECORDED: Final = frozenset(
    name.lower()
    for name in (
        *("Password", "OldPassword", "NewPassword", "PrivateKey", "AddPrivateKey", "SecretAccessKey"),
        *("Base32StringSeed", "QRCodePNG", "ServicePassword", "ServiceCredentialSecret", "TradeInToken"),
        *("AuthenticationCode1", "AuthenticationCode2", "TokenCode", "SAMLAssertion", "WebIdentityToken"),
        "TrustedIdentityPropagationContext",
    )
)
HIDDEN_MEMBERS: Final = frozenset({"sessiontoken"})
DATES: Final = frozenset(
    {"createdate", "expiration", "expirationdate", "uploaddate", "enabledate", "updatedate"}
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whence and how a call came."""

    source_ip: str
    user_agent: str
    request_id: str
    region: str = REGION
    secure: bool = False  # whether it came over TLS


def recorded(members: Mapping[str, Any], *, comma: bool = False) -> dict[str, Any]:
    """Members of a request or an answer as CloudTrail writes them: names in lower case at their beginning, no secrets."""
    told = {}
    for name, value in members.items():
        spelt, plain = _spelt(name)
        if value is None or plain in NEVER_RECORDED:
            continue
        if plain in HIDDEN_MEMBERS:
            value = HIDDEN
        elif plain in DATES and isinstance(value, int):
            value = spoken_date(value, comma=comma)
        told[spelt] = value if type(value) is str else _value(value, comma)
    return told


@lru_cache(maxsize=4_096)
def _spelt(name: str) -> tuple[str, str]:
    """The name of a member as CloudTrail writes it, and in lower case."""
    return name[:1].lower() + name[1:], name.lower()


def _value(value: Any, comma: bool) -> Any:
    if isinstance(value, Mapping):
        return recorded(value, comma=comma)
    if isinstance(value, list | tuple):
        return [_value(item, comma) for item in value]
    if isinstance(value, datetime):
        return spoken_date(int(value.timestamp()), comma=comma)
    return value if isinstance(value, str | int | float | bool) else str(value)


def spoken_date(seconds: int, *, comma: bool = False) -> str:
    """`Jul 10, 2023 12:23:05 PM`, as IAM's records have it; with a comma behind the year, STS's."""
    at = time.gmtime(seconds)
    hour = at.tm_hour % 12 or 12
    return time.strftime(f"%b {at.tm_mday}, %Y{',' if comma else ''} {hour}:%M:%S %p", at)


def record_of(
    account: Account,
    by: Bearer,
    action: str,
    *,
    at: int,
    event_id: str,
    surroundings: Surroundings,
    read_only: bool,
    request: Mapping[str, Any] | None,
    response: Mapping[str, Any] | None = None,
    error: tuple[str, str | None] | None = None,
    source: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`error` is CloudTrail's code and the message; `extra` are members that only some records have."""
    service, _, name = action.partition(":")
    document: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": identity_of(account, by),
        "eventTime": format_time(at),
        "eventSource": source or f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": surroundings.region,
        "sourceIPAddress": surroundings.source_ip,
        "userAgent": surroundings.user_agent[:AGENT_MAX],
        "requestParameters": dict(request) if request else None,
        "responseElements": dict(response) if response else None,
        "requestID": surroundings.request_id,
        "eventID": event_id,
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account.id,
        "eventCategory": "Management",
    }
    if by.session is not None and by.session.action == CONSOLE_LOGIN:
        document["sessionCredentialFromConsole"] = "true"
    if error is not None:
        document["errorCode"], message = error
        if message:
            document["errorMessage"] = message
    if extra:
        document |= extra
    return document


def as_told_to(account_id: str, document: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """The record of a call as the other account that takes part has it: no more of the caller than the account and the id.

    Source: "Logging IAM and AWS STS API calls with AWS CloudTrail", cross-account role assumption.
    """
    who = document["userIdentity"]
    caller = {"type": "AWSAccount", "principalId": who["principalId"], "accountId": who["accountId"]}
    told = {**document, "userIdentity": caller, "eventID": event_id, "recipientAccountId": account_id}
    told.pop("sessionCredentialFromConsole", None)
    return told


def identity_of(account: Account, by: Bearer) -> dict[str, Any]:
    """The userIdentity element. Source: "CloudTrail userIdentity element"."""
    caller, session = by.caller, by.session
    told: dict[str, Any]
    match caller.kind:
        case CallerKind.ROOT:
            told = {
                "type": "Root",
                "principalId": caller.account_id,
                "arn": caller.arn,
                "accountId": caller.account_id,
            }
        case CallerKind.USER:
            told = {
                "type": "IAMUser",
                "principalId": caller.unique_id,
                "arn": caller.arn,
                "accountId": caller.account_id,
                "userName": caller.arn.rsplit("/", 1)[-1],
            }
        case CallerKind.ROLE_SESSION:
            told = {
                "type": "AssumedRole",
                "principalId": f"{caller.unique_id}:{caller.arn.rsplit('/', 1)[-1]}",
                "arn": caller.arn,
                "accountId": caller.account_id,
            }
        case CallerKind.FEDERATED_USER:
            told = {
                "type": "FederatedUser",
                "principalId": f"{caller.account_id}:{caller.arn.rsplit('/', 1)[-1]}",
                "arn": caller.arn,
                "accountId": caller.account_id,
            }
        case CallerKind.SERVICE:
            told = {"type": "AWSService", "invokedBy": caller.arn}
        case _ if by.federated is not None:
            told = {
                "type": by.federated.kind,
                "principalId": by.federated.principal_id,
                "userName": by.federated.user_name,
                "identityProvider": by.federated.identity_provider,
            }
        case _:
            told = {"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL"}
    if by.access_key_id is not None:
        told["accessKeyId"] = by.access_key_id
    if session is not None:
        told["sessionContext"] = _session_context(by)
    return told


def _session_context(by: Bearer) -> dict[str, Any]:
    caller, session = by.caller, by.session
    assert session is not None
    context: dict[str, Any] = {
        "attributes": {
            "creationDate": format_time(session.time),
            "mfaAuthenticated": "true" if by.mfa else "false",
        }
    }
    if caller.kind is CallerKind.ROLE_SESSION:
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": caller.unique_id,
            "arn": caller.role_arn,
            "accountId": caller.account_id,
            "userName": (caller.role_arn or "").rsplit("/", 1)[-1],
        }
    elif caller.kind is CallerKind.FEDERATED_USER and session.opened_by.arn is not None:
        opener = session.opened_by
        context["sessionIssuer"] = {
            "type": opener.kind,
            "principalId": opener.unique_id,
            "arn": opener.arn,
            "accountId": opener.account_id,
            "userName": opener.name,
        }
    if session.action == "sts:AssumeRoleWithWebIdentity":
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": {}}
    if session.source_identity is not None:
        context["sourceIdentity"] = session.source_identity
    if session.opened_by.invoked_by == EC2:
        context["ec2RoleDelivery"] = EC2_ROLE_DELIVERY
    return context
