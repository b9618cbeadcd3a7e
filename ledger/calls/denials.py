"""What AWS itself says of a refusal: the words of an error message, old and new.

Source: "Troubleshoot access denied error messages" (IAM user guide), and the messages of recorded denials. Services
word the beginning in their own ways; the reason, where there is one, comes last. A part of the message is often what
the caller wrote, the key of an S3 object for one, so the last reason is the one that counts.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from ledger.record import Record

LENGTH_MAX = 4096  # CloudTrail keeps 1 kB of a message


class PolicyKind(StrEnum):
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    RESOURCE = "resource-based policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"
    TRUST = "role trust policy"
    VPC_ENDPOINT = "VPC endpoint policy"


class Refusal(StrEnum):
    EXPLICIT = "explicit"  # a statement denies
    IMPLICIT = "implicit"  # no statement allows
    UNTOLD = "not told"


@dataclass(frozen=True, slots=True)
class DenialWords:
    """Each part is as AWS wrote it, and None where the message does not have it."""

    principal: str | None  # an ARN, that of the session for a role
    action: str | None  # SNS:ListTopics: not always spelt as policies spell it
    resource: str | None  # an ARN, `*`, or words like `user bob`
    refusal: Refusal
    policy_kind: PolicyKind | None
    policy_arn: str | None


def denial_words(record: Record) -> DenialWords | None:
    """None for a record that is no denial, or whose message says nothing beyond that (`Access Denied`)."""
    message = record.document.get("errorMessage")
    return read_message(message) if isinstance(message, str) else None


def read_message(message: str) -> DenialWords | None:
    text = " ".join(message[:LENGTH_MAX].splitlines())
    refused = _NOT_AUTHORIZED.search(text)
    explicit, implicit = _last(_EXPLICIT, text), _last(_IMPLICIT, text)
    if refused is None and explicit is None and implicit is None:
        return None
    reason = max(
        (it for it in (explicit, implicit) if it is not None), key=lambda it: it.start(), default=None
    )
    told = _ENDING.sub("", text) if reason is None else text[: reason.start()]
    named = _ACTION.search(told)
    # Object keys may hold anything, so the resource reaches to the end of what stands before the reason.
    resource = _RESOURCE.search(told, 0 if named is None else named.end())
    action = named or (_ALLOWS.search(text, reason.start()) if reason is not None else None)
    return DenialWords(
        principal=_principal(told),
        action=None if action is None else action[1],
        resource=None if resource is None else _unquoted(resource[1]),
        refusal=Refusal.UNTOLD
        if reason is None
        else Refusal.EXPLICIT
        if reason is explicit
        else Refusal.IMPLICIT,
        policy_kind=None if reason is None else _kind(reason[1]),
        policy_arn=None if reason is None or reason is implicit else reason[2],
    )


def _principal(text: str) -> str | None:
    found = _PRINCIPAL.search(text)
    return None if found is None else _unquoted(found[1])


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`" else text


def _kind(words: str | None) -> PolicyKind | None:
    """`identity-based policies` and `a permission boundary` are met too."""
    text = (words or "").lower().replace("policies", "policy").replace("boundaries", "boundary")
    return next((kind for word, kind in _KINDS.items() if word in text), None)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


_KINDS = {
    "identity-based": PolicyKind.IDENTITY,
    "boundary": PolicyKind.BOUNDARY,
    "session policy": PolicyKind.SESSION,
    "resource control": PolicyKind.RESOURCE_CONTROL,
    "service control": PolicyKind.SERVICE_CONTROL,
    "trust policy": PolicyKind.TRUST,
    "endpoint policy": PolicyKind.VPC_ENDPOINT,
    "resource-based": PolicyKind.RESOURCE,
}
_NAME = r"[A-Za-z][A-Za-z0-9-]*:[A-Za-z][A-Za-z0-9_]*"
_NOT_AUTHORIZED = re.compile(r"not authorized to|access denied (?:for|to)", re.IGNORECASE)
_PRINCIPAL = re.compile(r"(?:\bUser|\bPrincipal|\bAccount|\bRole): ?(\S+?) is not authorized", re.IGNORECASE)
_ACTION = re.compile(rf"\bauthorized to perform:? ?[\"'`]?({_NAME})", re.IGNORECASE)
_ALLOWS = re.compile(rf"\ballows? the ({_NAME}) action", re.IGNORECASE)
_RESOURCE = re.compile(r"[\"'`]? on (?:the )?resources?: ?(.*)", re.IGNORECASE)
_ENDING = re.compile(
    r"(?:\.? Encoded authorization failure message: \S*| \(Service: [^()]*\)|\."
    r"| because the root user has an MFA device and did not use it for the \S+ action)?$"
)
_IMPLICIT = re.compile(
    r" because no ([A-Za-z -]{1,60}?(?:polic(?:y|ies)|boundar(?:y|ies))) allows? ", re.IGNORECASE
)
_EXPLICIT = re.compile(
    r" with an explicit deny(?: in an? ([A-Za-z -]{1,60}?(?:policy|boundary))(?:: ?(arn:[^\s\"']+?)\.?(?= |$))?)?",
    re.IGNORECASE,
)
