"""Decisions for people: what decided, where it came from, and what nobody told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.printing import cell, clock, plain, short

if TYPE_CHECKING:
    from rich.console import RenderableType

VERDICTS = {
    "allowed": ("allowed", "green"),
    "explicitDeny": ("denied, explicitly", "red"),
    "implicitDeny": ("denied: nothing allows it", "red"),
}
MISSING = {
    "identity": "no identity-based policy allows it",
    "boundary": "the permissions boundary does not allow it",
    "session": "the session policy does not allow it",
    "resource": "no resource-based policy allows it",
    "trust": "the role's trust policy does not allow it",
    "scp": "a service control policy does not allow it",
    "rcp": "a resource control policy does not allow it",
}
GRANTS = {
    "policyVersion": "{what} of {whom} was written",
    "defaultVersion": "{what} of {whom} was put in force",
    "attachment": "{what} attached to {whom}",
    "inlinePolicy": "{what} put into {whom}",
    "membership": "{whom} is a member of {what}",
    "permissionsBoundary": "{what} bounds {whom}",
    "trustPolicy": "the trust policy of {whom}",
    "sessionPolicy": "{what} was passed to the session {whom}",
    "creation": "{whom} was created",
}
UNKNOWN = {
    "conditionKey": "the condition key {} was not told",
    "resource": "the resource was not told ({})",
    "action": "the action that was asked for is a guess ({})",
    "principal": "the log does not know {}",
    "policyText": "the text of {} is not known",
    "policyVersion": "another version of {} may have been in force",
    "earlierGrants": "what {} was granted before the log begins is not known",
    "resourcePolicy": "a policy of the resource itself is in no IAM log ({})",
    "trustPolicy": "the trust policy of {} is not known",
    "sessionPolicy": "no record shows what limited the session {}",
    "controlPolicy": "control policies of the organization are in no IAM log ({})",
    "otherAccount": "the log of account {} is not here",
}


def explanation(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A decision, its statements, and what is missing or not known."""
    from rich.text import Text

    words, style = VERDICTS[told["decision"]]
    yield Text.assemble(
        (words, f"bold {style}"),
        f"  {plain(told['principal'])}  {plain(told['action'])}  {plain(told['resource'])}"
        f"  at {clock(told['at'])}",
    )
    yield from reasons(told)


def reasons(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Why a decision came out as it did."""
    for statement in told["statements"]:
        yield from statement_told(statement)
    for name in told["missing"]:
        yield cell(f"missing: {MISSING[name.partition(':')[0]]}", "yellow")
    for one in told["unknown"]:
        yield cell(f"not known: {UNKNOWN[one['kind']].format(one['about'])}", "yellow")
    for statement in told["possible"]:
        yield cell(f"perhaps: {statement_named(statement)}", "yellow")


def statement_told(statement: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A statement, and below it each way by which it reached the principal, grant by grant."""
    yield cell(statement_named(statement), "bold")
    for way in statement["ways"]:
        for grant in way:
            yield cell(f"  ← {grant_told(grant)}")


def grant_told(grant: Mapping[str, Any]) -> str:
    """`member of ci: by alice, AddUserToGroup 2026-03-17 13:26:48 from 203.0.113.66 (entry 4711)`."""
    what = GRANTS[grant["kind"]].format(what=short(grant["about"]), whom=short(grant["holder"]))
    if grant["entry"] is None:
        return f"{what}: no entry shows who did it"
    return (
        f"{what}: by {short(grant['actor'])}, {grant['eventName']} {clock(grant['eventTime'])}"
        f" from {plain(grant['sourceIP'])} (entry {grant['entry']})"
    )


def statement_named(statement: Mapping[str, Any]) -> str:
    """`Allow: LarkspurDeploy v7, statement 7 (KeepOwnPolicy)`."""
    version = f" {statement['version']}" if statement["version"] else ""
    sid = f" ({statement['sid']})" if statement["sid"] else ""
    return f"{statement['effect']}: {statement['policy']}{version}, statement {statement['index']}{sid}"
