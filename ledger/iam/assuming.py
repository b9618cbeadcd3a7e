"""AssumeRole: acting as a role for a while. Whether the role trusts the caller has been asked before.

Source: AWS STS API reference, AssumeRole; IAM user guide, "Passing session tags in AWS STS", "Monitor and control actions
taken with assumed roles".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Bearer, Call, Moment, Question, decides
from ledger.iam.issuing import (
    assumed,
    check_code,
    check_session_policies,
    check_tags,
    credentials,
    packed,
    role_of_arn,
    role_seconds,
    the_role,
)
from ledger.iam.refusals import AccessDenied, InvalidContextAssertion
from ledger.policy.request import CallerKind, account_in


def inherited_tags(by: Bearer) -> dict[str, str]:
    """The calling session's transitive tags, which go on to all sessions that come from it."""
    if by.session is None:
        return {}
    transitive = {key.casefold() for key in by.session.transitive_tag_keys}
    return {key: value for key, value in by.session.tags if key.casefold() in transitive}


def inherited_source_identity(by: Bearer) -> str | None:
    return None if by.session is None else by.session.source_identity


def also(account: Account, call: Call) -> Iterable[Question]:
    """Tags and a source identity must be allowed as well, those that are inherited too."""
    role = the_role(account, call)
    if call.get("Tags") or inherited_tags(call.by):
        yield "sts:TagSession", role
    if call.get("SourceIdentity") or inherited_source_identity(call.by):
        yield "sts:SetSourceIdentity", role


def account_of_role(parameters: Mapping[str, Any]) -> str | None:
    return account_in(str(parameters.get("RoleArn", "")))


def a_role(account: Account, call: Call) -> str:
    """Root hears that it can't, before anybody asks whether the role trusts it."""
    arn = the_role(account, call)
    if call.by.is_root:
        raise AccessDenied("Roles may not be assumed by root accounts.")
    return arn


@decides("sts:AssumeRole", on=a_role, also=also, facts=("code_right",), across=account_of_role)
def assume_role(account: Account, call: Call, moment: Moment) -> Answer:
    if call.get("ProvidedContexts"):  # signed and encrypted by AWS for itself: here nobody can read them
        raise InvalidContextAssertion("The context assertion is not valid.")
    arn, name, tags = call["RoleArn"], call["RoleSessionName"], call.tags
    inherited = inherited_tags(call.by)
    check_tags([tag["Key"] for tag in call.get("Tags", ())], call.get("TransitiveTagKeys", ()), inherited)
    there = call.there or account
    role = role_of_arn(there, arn)
    if role is None:  # AWS tells nobody which roles there are
        raise _not_authorized(call, "sts:AssumeRole", arn)
    check_code(account, call)
    source_identity = call.get("SourceIdentity")
    kept = inherited_source_identity(call.by)
    if kept is not None and source_identity not in (None, kept):
        raise _not_authorized(call, "sts:SetSourceIdentity", arn)
    seconds = role_seconds(role, call, chained=call.by.caller.kind is CallerKind.ROLE_SESSION)
    check_session_policies(there, call, moment.time)
    output: dict[str, Any] = {
        "Credentials": credentials(moment, seconds),
        "AssumedRoleUser": assumed(role, name, there),
    } | packed(call, inherited | tags)
    if source_identity or kept:
        output["SourceIdentity"] = source_identity or kept
    return Answer(
        output,
        extra={"resources": [{"accountId": there.id, "type": "AWS::IAM::Role", "ARN": role.arn}]},
        request_told={"incomingTransitiveTags": inherited} if inherited else {},
    )


def _not_authorized(call: Call, action: str, arn: str) -> AccessDenied:
    return AccessDenied(
        f"User: {call.by.caller.arn} is not authorized to perform: {action} on resource: {arn}"
    )
