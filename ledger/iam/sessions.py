"""Sessions: who opened which temporary credential, and as whom it acts. Opening one changes no account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ledger.account.change import Change, Members, Sighting
from ledger.account.dates import read_date
from ledger.account.entities import PolicyDocument
from ledger.record import Identity

ROLE_SESSION_SECONDS = 3600
USER_SESSION_SECONDS = 43_200
ROOT_SESSION_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Session:
    """A temporary credential. `arn` and `unique_id` name the lasting principal that it acts as."""

    action: str
    position: int
    time: int
    access_key_id: str | None  # None: a session of the console, or a response that told none
    session_arn: str | None
    session_name: str | None
    arn: str | None
    unique_id: str | None
    account_id: str | None  # of that principal; it may be another account
    opened_by: Identity
    parent_access_key_id: str | None  # the credential that this one came from
    opener_arn: (
        str | None
    )  # who opened it; for a switch of role in the console not the identity of the record
    source_ip: str | None
    user_agent: str | None
    expiration: int | None
    duration_seconds: int | None
    mfa: bool | None
    serial_number: str | None = None
    source_identity: str | None = None
    external_id: str | None = None
    policy: PolicyDocument | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()
    provider: str | None = None  # whose assertion or token opened it
    subject: str | None = None  # whom that assertion or token names


def session_opened(change: Change) -> Session | None:
    """The session that this record shows the opening of; None for all other records, and for what failed."""
    read = _READERS.get(change.record.action)
    return read(change) if read is not None and change.record.succeeded else None


def _of_a_role(change: Change) -> Session:
    request, response = change.request, change.response
    user = response.within("AssumedRoleUser")
    arn = request.text("RoleArn")
    session_arn = user.text("Arn")
    name = request.text("RoleSessionName") or (session_arn or "").rpartition("/")[2] or None
    if session_arn is None:
        session_arn = _session_arn(arn, name)
    unique_id = (user.text("AssumedRoleId") or "").partition(":")[0]
    serial_number = request.text("SerialNumber")
    return replace(
        _issued(change, default_seconds=ROLE_SESSION_SECONDS),
        session_arn=session_arn,
        session_name=name,
        arn=arn,
        unique_id=unique_id or None,
        account_id=_account_of(arn),
        mfa=True if serial_number else change.actor.mfa,
        serial_number=serial_number,
        source_identity=response.text("SourceIdentity")
        or request.text("SourceIdentity")
        or change.actor.source_identity,
        external_id=request.text("ExternalId"),
        transitive_tag_keys=tuple(
            dict.fromkeys((*request.texts("TransitiveTagKeys"), *request.pairs("IncomingTransitiveTags")))
        ),
    )


def _with_saml(change: Change) -> Session:
    return replace(
        _of_a_role(change),
        provider=change.request.text("PrincipalArn") or change.response.text("Issuer"),
        subject=change.response.text("Subject") or change.actor.name,
    )


def _with_web_identity(change: Change) -> Session:
    return replace(
        _of_a_role(change),
        provider=change.response.text("Provider") or change.request.text("ProviderId"),
        subject=change.response.text("SubjectFromWebIdentityToken") or change.actor.name,
    )


def _of_the_caller(change: Change) -> Session:
    """GetSessionToken: the caller again, for a while, and with MFA if a device was named."""
    actor, serial_number = change.actor, change.request.text("SerialNumber")
    return replace(
        _issued(change, default_seconds=USER_SESSION_SECONDS),
        arn=actor.arn,
        unique_id=actor.unique_id,
        account_id=actor.account_id,
        mfa=bool(serial_number),
        serial_number=serial_number,
    )


def _of_a_federated_user(change: Change) -> Session:
    """GetFederationToken: acts under a name of its own with what the caller's policies and the request's share."""
    user, actor = change.response.within("FederatedUser"), change.actor
    return replace(
        _issued(change, default_seconds=USER_SESSION_SECONDS),
        session_arn=user.text("Arn"),
        session_name=change.request.text("Name"),
        arn=actor.arn,
        unique_id=actor.unique_id,
        account_id=actor.account_id,
        mfa=False,
    )


def _of_root(change: Change) -> Session:
    """AssumeRoot: root of a member account, bounded by one policy of AWS."""
    target = change.request.text("TargetPrincipal") or ""
    account_id = _account_of(target) if target.startswith("arn:") else target or None
    task = change.request.within("TaskPolicyArn").text("Arn") or change.request.text("TaskPolicyArn")
    return replace(
        _issued(change, default_seconds=ROOT_SESSION_SECONDS),
        arn=f"arn:aws:iam::{account_id}:root" if account_id else None,
        unique_id=account_id,
        account_id=account_id,
        policy_arns=() if task is None else (task,),
        source_identity=change.response.text("SourceIdentity") or change.actor.source_identity,
    )


def _of_a_delegate(change: Change) -> Session:
    arn = change.response.text("AssumedPrincipal")
    session = _issued(change, default_seconds=ROLE_SESSION_SECONDS)
    return replace(session, arn=arn, account_id=_account_of(arn))


def _in_the_console(change: Change) -> Session:
    actor, more = change.actor, Members(change.record.document.get("additionalEventData"))
    used = more.text("MFAUsed")
    return replace(
        _issued(change, default_seconds=None),
        session_arn=actor.session_arn,
        session_name=actor.session_name,
        arn=actor.arn,
        unique_id=actor.unique_id,
        account_id=actor.account_id,
        mfa=used.lower() == "yes" if used else actor.mfa,
        serial_number=more.text("MFAIdentifier"),
        opener_arn=more.text("SwitchFrom") or actor.label,
    )


def _issued(change: Change, *, default_seconds: int | None) -> Session:
    """What all kinds of session have in common."""
    request, credentials = change.request, change.response.within("Credentials")
    expiration = credentials.date("Expiration")
    duration = request.number("DurationSeconds")
    if duration is None and expiration is not None:
        duration = expiration - change.time
    if duration is None:
        duration = default_seconds
    if expiration is None and duration is not None:
        expiration = change.time + duration
    document = change.record.document
    return Session(
        action=change.record.action,
        position=change.position,
        time=change.time,
        access_key_id=credentials.text("AccessKeyId"),
        session_arn=None,
        session_name=None,
        arn=None,
        unique_id=None,
        account_id=None,
        opened_by=change.actor,
        parent_access_key_id=change.actor.access_key_id,
        opener_arn=change.actor.label,
        source_ip=_text(document.get("sourceIPAddress")),
        user_agent=_text(document.get("userAgent")),
        expiration=expiration,
        duration_seconds=duration,
        mfa=change.actor.mfa,
        policy=request.policy("Policy"),
        policy_arns=request.texts("PolicyArns"),
        tags=tuple(sorted(_tags(request).items())),
    )


def _tags(request: Members) -> dict[str, str]:
    """Those that the request passes, that a token or assertion passes, and that come from the calling session.

    Source: "Pass session tags in AWS STS", "Viewing session tags in CloudTrail".
    """
    return request.pairs("IncomingTransitiveTags") | request.pairs("PrincipalTags") | request.pairs("Tags")


def role_shown(session: Session) -> Sighting | None:
    """The role that a session acts as exists, even if nobody ever calls with that session."""
    if session.arn is None or session.unique_id is None or ":role/" not in session.arn:
        return None
    role = Identity(
        kind="AssumedRole",
        arn=session.arn,
        unique_id=session.unique_id,
        name=session.arn.rpartition("/")[2],
        account_id=session.account_id,
        access_key_id=session.access_key_id,
        session_arn=session.session_arn,
        session_name=session.session_name,
        issuer_kind="Role",
        mfa=session.mfa,
        session_began=None,
        source_identity=session.source_identity,
        invoked_by=None,
    )
    return Sighting(session.position, session.time, role)


def session_began(identity: Identity) -> int | None:
    """When the session began that this caller shows, for sessions whose opening no record shows."""
    return read_date(identity.session_began)


def _account_of(arn: str | None) -> str | None:
    parts = (arn or "").split(":")
    return parts[4] or None if len(parts) > 5 else None


def _session_arn(role_arn: str | None, name: str | None) -> str | None:
    parts = (role_arn or "").split(":", 5)
    if len(parts) < 6 or name is None:
        return None
    return f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{parts[5].rpartition('/')[2]}/{name}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


_READERS: Final[dict[str, Callable[[Change], Session]]] = {
    "signin:GetSigninToken": _in_the_console,
    "sts:AssumeRole": _of_a_role,
    "sts:AssumeRoleWithSAML": _with_saml,
    "sts:AssumeRoleWithWebIdentity": _with_web_identity,
    "sts:AssumeRoot": _of_root,
    "sts:GetDelegatedAccessToken": _of_a_delegate,
    "sts:GetFederationToken": _of_a_federated_user,
    "sts:GetSessionToken": _of_the_caller,
    "signin:ConsoleLogin": _in_the_console,
    "signin:SwitchRole": _in_the_console,
}

SESSION_ACTIONS: Final = frozenset(_READERS)
"""The records that may show the opening of a session."""
