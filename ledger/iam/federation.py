"""Roles assumed with the word of an identity provider: AssumeRoleWithWebIdentity and AssumeRoleWithSAML.

The token or the assertion has been checked before; what it says, or why it says nothing, is a fact of the call. Whether
the role trusts the provider has been asked before, too. Source: AWS STS API reference, of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import Role
from ledger.iam.deciding import Answer, Call, Federated, Moment, Question, Resource, decides
from ledger.iam.issuing import (
    assumed,
    check_session_policies,
    check_tags,
    credentials,
    packed,
    role_of_arn,
    role_seconds,
)
from ledger.iam.refusals import AccessDenied, Refusal, ValidationError

WEB_IDENTITY = "web_identity"
ASSERTION = "assertion"
ROLE_ARN: Final = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/.+", re.ASCII)
NO_ROLE: Final = "Request ARN is invalid"  # in AWS's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a provider says of whom it vouches for. `values` are the condition keys that it gives, in lower case."""

    provider_arn: str
    subject: str
    audience: str
    bearer: Federated
    values: Mapping[str, tuple[str, ...]]
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebIdentity(Vouched):
    """A token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion(Vouched):
    """`roles` are pairs of a role's ARN and the provider's; `ends` is when the provider ends the session, in seconds."""

    id: str
    issuer: str
    subject_type: str
    name_qualifier: str
    session_name: str
    roles: frozenset[tuple[str, str]]
    ends: int | None


def _role_vouched_for(fact: str) -> Resource:
    """The role; raises what is wrong with the token or the assertion, before anybody asks about the role."""

    def of(account: Account, call: Call) -> str:
        if isinstance(found := call.facts.get(fact), Refusal):
            raise found
        return _the_role(call)

    return of


def _the_role(call: Call) -> str:
    """The role's ARN; raises ValidationError for what is none."""
    arn = str(call.get("RoleArn", ""))
    if not ROLE_ARN.fullmatch(arn):
        raise ValidationError(NO_ROLE)
    return arn


def _also(fact: str, account: Account, call: Call) -> Iterable[Question]:
    said = call.facts.get(fact)
    if isinstance(said, Vouched):
        role = _the_role(call)
        if said.tags:
            yield "sts:TagSession", role
        if said.source_identity:
            yield "sts:SetSourceIdentity", role


def _role(account: Account, call: Call) -> Role:
    role = role_of_arn(account, call["RoleArn"])
    if role is None:
        raise AccessDenied(f"Not authorized to perform {call.action}")
    return role


@decides(
    "sts:AssumeRoleWithWebIdentity",
    on=_role_vouched_for(WEB_IDENTITY),
    also=lambda account, call: _also(WEB_IDENTITY, account, call),
    facts=(WEB_IDENTITY,),
)
def assume_role_with_web_identity(account: Account, call: Call, moment: Moment) -> Answer:
    said = call.facts[WEB_IDENTITY]
    assert isinstance(said, WebIdentity), "a token that says nothing is refused before"
    role = _role(account, call)
    seconds = role_seconds(role, call, chained=False)
    output = _session(account, call, moment, said, role, call["RoleSessionName"], seconds)
    output |= {"SubjectFromWebIdentityToken": said.subject, "Provider": said.provider_arn}
    return Answer(output, request_told=_passed(said))


@decides(
    "sts:AssumeRoleWithSAML",
    on=_role_vouched_for(ASSERTION),
    also=lambda account, call: _also(ASSERTION, account, call),
    facts=(ASSERTION,),
)
def assume_role_with_saml(account: Account, call: Call, moment: Moment) -> Answer:
    said = call.facts[ASSERTION]
    assert isinstance(said, Assertion), "an assertion that says nothing is refused before"
    if (call["RoleArn"], call["PrincipalArn"]) not in said.roles:
        raise AccessDenied(f"Not authorized to perform {call.action}")
    role = _role(account, call)
    seconds = role_seconds(role, call, chained=False)
    if said.ends is not None:
        seconds = min(seconds, said.ends - moment.time)
    output = _session(account, call, moment, said, role, said.session_name, seconds)
    output |= {
        "Subject": said.subject,
        "SubjectType": said.subject_type,
        "Issuer": said.issuer,
        "NameQualifier": said.name_qualifier,
    }
    told = {"sAMLAssertionID": said.id, "roleSessionName": said.session_name}
    return Answer(output, request_told=told | _passed(said))


def _session(
    account: Account, call: Call, moment: Moment, said: Vouched, role: Role, name: str, seconds: int
) -> dict[str, Any]:
    check_tags(said.tags, said.transitive_tag_keys, ())
    check_session_policies(account, call, moment.time)
    output: dict[str, Any] = {
        "Credentials": credentials(moment, seconds),
        "AssumedRoleUser": assumed(role, name, account),
        "Audience": said.audience,
    } | packed(call, said.tags)
    if said.source_identity is not None:
        output["SourceIdentity"] = said.source_identity
    return output


def _passed(said: Vouched) -> dict[str, Any]:
    """Tags that the provider passes, as CloudTrail writes them. Source: "Viewing session tags in CloudTrail"."""
    told: dict[str, Any] = {}
    if said.tags:
        told["principalTags"] = dict(said.tags)
    if said.transitive_tag_keys:
        told["transitiveTagKeys"] = list(said.transitive_tag_keys)
    return told
