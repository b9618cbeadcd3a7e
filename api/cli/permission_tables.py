"""Decisions for people: what decided, where it came from, and what nobody told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from api.cli.printing import cell, clock, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType

STEP = 2
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
    "mfa": "root has an MFA device and did not use it",
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
    "passwordPolicy": "the account's password policy, which is for {whom} too",
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


AGREEMENTS = {
    "agrees": "which is what AWS decided",
    "unknown": "which rests on what no record tells, so AWS may have decided otherwise",
    "eventualConsistency": "a change of the last seconds was not yet seen everywhere",
    "differs": "AWS decided otherwise, and nothing in the log says why",
    "notTold": "the call failed for another reason, so what AWS decided is not told",
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


def statement_told(statement: Mapping[str, Any], indent: int = 0) -> Iterator[RenderableType]:
    """A statement, and below it each way by which it reached the principal, grant by grant, and why each could be."""
    yield _line(statement_named(statement), indent, "bold")
    told: set[str] = set()
    for way in statement["ways"]:
        for grant in way:
            words = grant_told(grant)
            yield _line(f"← {words}", indent + STEP)
            if "because" in grant and words not in told and not _from_a_snapshot(grant):
                yield from because(grant["because"], indent + 3 * STEP)
            told.add(words)


def because(told: Mapping[str, Any], indent: int) -> Iterator[RenderableType]:
    """Why whoever made a grant could."""
    if "why" in told:
        yield _line(told["why"], indent)
        return
    yield _line(f"which {short(told['event']['actor'])} could, for", indent)
    if not told["statements"]:
        yield _line(_unexplained(told), indent + STEP, "yellow")
    for statement in told["statements"]:
        yield from statement_told(statement, indent + STEP)


def _line(text: str, indent: int, style: str = "") -> RenderableType:
    """A line that stays to the right of its indent however long it is."""
    from rich.padding import Padding

    return Padding(cell(text, style), (0, 0, 0, indent), expand=False)


def _unexplained(told: Mapping[str, Any]) -> str:
    if told["unasked"]:
        return str(told["unasked"])
    unknown = [UNKNOWN[one["kind"]].format(one["about"]) for one in told["unknown"]]
    return "; ".join(unknown) or "no statement that the log knows allows it"


def blame(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A call, its decision and statements, and whose credential it was."""
    event = told["event"]
    yield cell(
        f"{event['eventName']} by {short(event['actor'])} at {clock(event['time'])}: {told['outcome']}"
        f" (entry {event['position']} of {event['account']})",
        "bold",
    )
    for one in (told, *told["besides"]):
        yield from _question(one)
    for number, hop in enumerate(told["credential"]):
        yield _line(_hop(hop), STEP * number)
        if "because" in hop:
            yield from because(hop["because"], STEP * (number + 3))


def _question(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    if told["decision"] is None:
        yield cell(told["unasked"] or _unexplained(told), "" if told["unasked"] else "yellow")
        return
    words, style = VERDICTS[told["decision"]]
    yield Text.assemble((words, f"bold {style}"), f"  {plain(told['action'])}  on {plain(told['resource'])}")
    yield cell(AGREEMENTS[told["agreement"]])
    yield from reasons(told)


def _hop(hop: Mapping[str, Any]) -> str:
    who = f"{plain(hop['credential'])}: {short(hop['session'] or hop['principal'])}"
    opened, made = hop["openedBy"], hop["madeBy"]
    if opened is not None:
        who += f", opened by {short(opened['actor'])}, {opened['eventName']} {clock(opened['time'])}"
    if made is not None and made["entry"] is not None:
        who += f", made by {short(made['actor'])}, {made['eventName']} {clock(made['eventTime'])}"
    return f"with {who}" + (f" ({'; '.join(hop['assumed'])})" if hop["assumed"] else "")


def decisions(lines: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Calls with what was inferred of them."""
    made = table("time", "who", "action", "AWS", "inferred", "by", fold=("by",))
    for line in lines:
        by = [
            f"{one['effect']} {one['policy']} {one['version'] or ''}[{one['index']}]"
            for one in line["statements"]
        ]
        by += [f"missing {name}" for name in line["missing"]]
        by += [UNKNOWN[one["kind"]].format(short(one["about"])) for one in line["unknown"]]
        if line["agreement"] not in ("agrees", "unknown"):
            by.append(AGREEMENTS[line["agreement"]])
        made.add_row(
            cell(clock(line["time"])),
            cell(short(line["actor"])),
            cell(line["action"] or line["eventName"]),
            cell(line["outcome"]),
            cell(line["decision"]),
            cell("; ".join(by) or line["unasked"]),
        )
    return made


def grant_told(grant: Mapping[str, Any]) -> str:
    """`member of ci: by alice, AddUserToGroup 2026-03-17 13:26:48 from 203.0.113.66 (entry 4711)`."""
    what = GRANTS[grant["kind"]].format(what=short(grant["about"]), whom=short(grant["holder"]))
    if grant["account"] == "aws":
        return f"{what} by AWS"
    if grant["entry"] is None:
        return f"{what}: no entry shows who did it"
    if _from_a_snapshot(grant):
        return f"{what}, says the snapshot of {clock(grant['eventTime'])}"
    return (
        f"{what}: by {short(grant['actor'])}, {grant['eventName']} {clock(grant['eventTime'])}"
        f" from {plain(grant['sourceIP'])} (entry {grant['entry']})"
    )


def _from_a_snapshot(grant: Mapping[str, Any]) -> bool:
    return bool(grant["eventName"] == "ImportAccountSnapshot")


def statement_named(statement: Mapping[str, Any]) -> str:
    """`Allow: LarkspurDeploy v7, statement 7 (KeepOwnPolicy)`."""
    version = f" {statement['version']}" if statement["version"] else ""
    sid = f" ({statement['sid']})" if statement["sid"] else ""
    return f"{statement['effect']}: {statement['policy']}{version}, statement {statement['index']}{sid}"
