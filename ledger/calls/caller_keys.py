"""The condition keys that say who calls, and with which credential. Source: "AWS global condition context keys"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.account.dates import read_date
from ledger.calls.context_reader import UNTOLD, Answer, Family, Seen, tells
from ledger.record import format_time

_TYPES: Final = {
    "Root": "Account",
    "IAMUser": "User",
    "AssumedRole": "AssumedRole",
    "FederatedUser": "FederatedUser",
}
_SERVICE: Final = "AWSService"
_OF_SERVICES: Final = "always, but for callers of unknown kind"


def _long_term(seen: Seen) -> bool:
    return (seen.identity.access_key_id or "").startswith("AKIA")


def _of_session(seen: Seen, value: str | None) -> Answer:
    """What only temporary credentials have."""
    if value is not None:
        return (value,)
    return None if _long_term(seen) or seen.kind == _SERVICE else UNTOLD


@tells(
    "aws:PrincipalArn",
    "userIdentity.arn; of a role sessionContext.sessionIssuer.arn",
    "where the record has it",
)
def _principal_arn(seen: Seen) -> Answer:
    kind = seen.kind
    if kind == _SERVICE:
        return None
    if kind == "AssumedRole":  # the session's own ARN drops the role's path
        issuer = seen.session.get("sessionIssuer")
        arn = issuer.get("arn") if isinstance(issuer, Mapping) else None
    elif kind == "FederatedUser":
        arn = seen.identity.session_arn
    else:
        arn = seen.identity.arn if kind in _TYPES else None
    return (arn,) if isinstance(arn, str) and arn else UNTOLD


@tells("aws:PrincipalAccount", "userIdentity.accountId", "where the record has it; a service has none")
def _principal_account(seen: Seen) -> Answer:
    if seen.kind == _SERVICE:
        return None
    return (seen.identity.account_id,) if seen.identity.account_id else UNTOLD


@tells("aws:PrincipalType", "userIdentity.type", "for root, users, roles and federated users")
def _principal_type(seen: Seen) -> Answer:
    told = _TYPES.get(seen.kind)
    return UNTOLD if told is None else (told,)


@tells("aws:userid", "userIdentity.principalId", "where the record has it")
def _userid(seen: Seen) -> Answer:
    told = seen.within("userIdentity").text("principalId")
    return (told,) if told and seen.kind in _TYPES else UNTOLD


@tells("aws:username", "userIdentity.userName", "for users; nobody else has one")
def _username(seen: Seen) -> Answer:
    kind = seen.kind
    if kind == "IAMUser":
        return (seen.identity.name,) if seen.identity.name else UNTOLD
    return None if kind in _TYPES or kind == _SERVICE else UNTOLD


@tells("aws:PrincipalIsAWSService", "userIdentity.type", _OF_SERVICES)
def _is_service(seen: Seen) -> Answer:
    if seen.kind == _SERVICE:
        return ("true",)
    return ("false",) if seen.kind in _TYPES else UNTOLD


@tells("aws:PrincipalServiceName", "userIdentity.invokedBy of type AWSService", _OF_SERVICES)
def _service_name(seen: Seen) -> Answer:
    if seen.kind == _SERVICE:
        return (seen.identity.invoked_by,) if seen.identity.invoked_by else UNTOLD
    return None if seen.kind in _TYPES else UNTOLD


@tells("aws:PrincipalServiceNamesList", "userIdentity.type", "absent for all but services")
def _service_names(seen: Seen) -> Answer:
    return None if seen.kind in _TYPES else UNTOLD


@tells(
    "aws:PrincipalTag/", "tags handed in; eventContext.tagContext.principalTags", "as far as they are told"
)
def _principal_tags(seen: Seen) -> Answer:
    return tag_family(seen, seen.principal_tags, "principalTags")


@tells(
    "aws:MultiFactorAuthPresent",
    "sessionContext.attributes.mfaAuthenticated; true of a call to STS that names a serialNumber",
    "absent for long-term keys",
)
def _mfa_present(seen: Seen) -> Answer:
    if _with_device(seen):
        return ("true",)
    if _long_term(seen):
        return None
    return _of_session(seen, None if seen.identity.mfa is None else str(seen.identity.mfa).lower())


@tells(
    "aws:MultiFactorAuthAge",
    "eventTime less sessionContext.attributes.creationDate; 0 of a call to STS that names a serialNumber",
    "absent for long-term keys and sessions without MFA",
)
def _mfa_age(seen: Seen) -> Answer:
    if _with_device(seen):
        return ("0",)
    if _long_term(seen) or seen.identity.mfa is False:
        return None
    began = read_date(seen.identity.session_began)
    age = None if began is None or not seen.identity.mfa else str(max(0, seen.record.time - began))
    return _of_session(seen, age)


def _with_device(seen: Seen) -> bool:
    """Whether the call itself brought a code of an MFA device: AssumeRole, GetSessionToken with SerialNumber."""
    return seen.action.startswith("sts:") and seen.request.text("SerialNumber") is not None


@tells("aws:TokenIssueTime", "sessionContext.attributes.creationDate", "absent for long-term keys")
def _token_issue_time(seen: Seen) -> Answer:
    began = None if _long_term(seen) else read_date(seen.identity.session_began)
    return _of_session(seen, None if began is None else format_time(began))


@tells(
    "aws:SourceIdentity",
    "sessionContext.sourceIdentity",
    "absent where a session or a long-term key has none",
)
def _source_identity(seen: Seen) -> Answer:
    if seen.identity.source_identity:
        return (seen.identity.source_identity,)
    return None if seen.session or _long_term(seen) else UNTOLD


@tells(
    "aws:FederatedProvider",
    "sessionContext.webIdFederationData.federatedProvider",
    "absent where there is none",
)
def _federated_provider(seen: Seen) -> Answer:
    web = seen.session.get("webIdFederationData")
    told = web.get("federatedProvider") if isinstance(web, Mapping) else None
    if isinstance(told, str) and told:
        return (told,)
    return None if seen.session or _long_term(seen) else UNTOLD


@tells(
    "ec2:RoleDelivery", "sessionContext.ec2RoleDelivery", "absent where a session or a long-term key has none"
)
def _role_delivery(seen: Seen) -> Answer:
    told = seen.session.get("ec2RoleDelivery")
    if isinstance(told, str) and told:
        return (told,)
    return None if seen.session or _long_term(seen) else UNTOLD


@tells("ec2:SourceInstanceARN", "sessionContext.ec2RoleDelivery", "absent for all but roles of EC2 instances")
def _source_instance(seen: Seen) -> Answer:
    return None if _role_delivery(seen) is None else UNTOLD


def tag_family(seen: Seen, handed_in: Mapping[str, str] | None, told_as: str) -> Answer:
    """CloudTrail writes down only the tags that its trail was told to, so what it has may not be all."""
    if handed_in is not None:
        return Family({key: (value,) for key, value in handed_in.items()}, whole=True)
    context = seen.event_context.get("tagContext")
    told = context.get(told_as) if isinstance(context, Mapping) else None
    if isinstance(
        told, list
    ):  # a resource each; their tags are one question only where there is one resource
        told = told[0].get("tags") if len(told) == 1 and isinstance(told[0], Mapping) else None
    if not isinstance(told, Mapping):
        return UNTOLD
    tags = {key: (value,) for key, value in told.items() if isinstance(key, str) and isinstance(value, str)}
    return Family(tags, whole=False)
