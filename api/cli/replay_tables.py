"""Replays for people: calls with another outcome, statements by their use, and policies to paste."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from api.cli.permission_tables import UNKNOWN, grant_told, statement_named, statement_told
from api.cli.printing import cell, clock, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType

Told = Mapping[str, Any]
CALLS_SHOWN, SUMS_SHOWN = 50, 15
INSTEAD = {
    "denied": "denied",
    "allowed": "allowed",
    "noUser": "no such user",
    "noRole": "no such role",
    "noKey": "no such key",
    "keyInactive": "key inactive",
    "noPassword": "another password",
    "noSession": "no such session",
    "noEntity": "nothing to change",
}
DENIED = {"explicitDeny": "denied, explicitly", "implicitDeny": "denied"}


def what_if(told: Told, *, every: bool) -> Iterator[RenderableType]:
    """What was edited, what that would have changed, call by call and in sums."""
    for one in told["without"]:
        yield cell(f"without: {_event(one, one['time'])} ({one['account']}:{one['position']})", "bold")
    for one in told["with"]:
        idle = "" if one["changed"] else ", which changes nothing"
        yield cell(f"with: {_event(one, one['eventTime'])}{idle}", "bold")
    if told["ignored"]:
        yield cell(f"{told['ignored']:,} records of the file change no account", "yellow")
    yield cell(_sum(told))
    calls = told["calls"]
    if not calls:
        return
    yield ""
    shown = calls if every else calls[:CALLS_SHOWN]
    yield _calls(shown)
    if len(shown) < len(calls):
        yield cell(f"… and {len(calls) - len(shown):,} more: --all shows them")
    yield from _statements(told)
    for name in ("principal", "action"):
        rows = told["totals"][f"{name}s"]
        yield ""
        yield _sums(rows if every else rows[:SUMS_SHOWN], name)


def _event(one: Told, time: str) -> str:
    return f"{one['eventName']} by {short(one['actor'])}, {clock(time)}"


def _sum(told: Told) -> str:
    totals = told["totals"]
    if not told["replayed"]:
        return "no recorded call is later than that; an earlier eventTime tells what it would have changed"
    parts = []
    if totals["lost"]:
        hang = (
            f", {totals['transitive']:,} of them for want of another of them" if totals["transitive"] else ""
        )
        parts.append(f"{totals['lost']:,} could not have been made{hang}")
    if totals["allowed"]:
        parts.append(f"{totals['allowed']:,} that were denied would have been allowed")
    words = "; ".join(parts) or "all would have had the outcome that they had"
    return f"of {told['replayed']:,} calls since {clock(told['since'])}: {words}"


def _calls(calls: Sequence[Told]) -> RenderableType:
    days = {one["entry"]["time"][:10] for one in calls}
    day = days.pop() if len(days) == 1 else None
    made = table(day or "time", "who", "action", "on what", "would be", "for want of")
    for one in calls:
        because = one["because"]
        made.add_row(
            clock(one["entry"]["time"])[11 if day else 0 :],
            cell(short(one["actor"])),
            cell(one["action"]),
            cell(_on_what(one)),
            cell(_instead(one), "green" if one["why"] == "allowed" else "red"),
            cell("–" if because is None else f"{because['eventName']} {clock(because['eventTime'])[11:]}"),
        )
    return made


def _on_what(one: Told) -> str:
    more = f" +{len(one['questions']) - 1}" if len(one["questions"]) > 1 else ""
    named = one["resource"]
    return (short(named) or str(named).rpartition(":")[2]) + more


def _instead(one: Told) -> str:
    perhaps = "perhaps " if any(question["unknown"] for question in one["questions"]) else ""
    return perhaps + DENIED.get(one["after"] or "", INSTEAD[one["why"]])


def _statements(told: Told) -> Iterator[RenderableType]:
    """The statements that no longer decide, and those that newly do, with the grants behind them."""
    questions = [question for one in told["calls"] for question in one["questions"]]
    for member, words in (("noLonger", "no longer decides"), ("newly", "newly decides")):
        counted: dict[int, int] = {}
        for question in questions:
            for number in question[member]:
                counted[number] = counted.get(number, 0) + 1
        for number, count in sorted(counted.items(), key=lambda item: -item[1]):
            yield ""
            yield cell(f"{words} ({count:,})", "yellow")
            yield from statement_told(told["statements"][number])
    missing = sorted({name for question in questions for name in question["missing"]})
    if missing:
        yield ""
        yield cell(f"missing: {', '.join(missing)}", "yellow")
    unknown = {(one["kind"], one["about"]) for question in questions for one in question["unknown"]}
    for kind, about in sorted(unknown):
        yield cell(f"not known: {UNKNOWN[kind].format(about)}", "yellow")


def _sums(rows: Sequence[Told], name: str) -> RenderableType:
    made = table(name, "lost", "transitive", "allowed")
    for column in made.columns[1:]:
        column.justify = "right"
    for one in rows:
        made.add_row(
            cell(short(one[name])), f"{one['lost']:,}", f"{one['transitive']:,}", f"{one['allowed']:,}"
        )
    return made


def coverage(told: Told) -> Iterator[RenderableType]:
    """A line for each statement; below, who granted those that no call needed."""
    statements = told["statements"]
    if not statements:
        yield cell("no such statement")
        return
    made = table("policy", "version", "statement", "of", "decided", "shared", "last", "in force")
    for column in made.columns[4:6]:
        column.justify = "right"
    for one in statements:
        style = "" if one["use"] == "decisive" else "yellow"
        made.add_row(
            cell(_policy(one), style),
            cell(one["version"]),
            cell(f"{one['index']} {one['effect']} {one['sid'] or ''}".rstrip()),
            cell("–" if one["holder"] is None else short(one["holder"])),
            f"{one['decisive']:,}",
            f"{one['shared']:,}",
            clock(one["last"]),
            cell(one["inForce"]),
        )
    yield made
    yield cell(_counted(told))
    never = [one for one in statements if one["use"] == "never" and one["inForce"]]
    for one in never:
        perhaps = f"; may have matched {one['possible']:,} calls" if one["possible"] else ""
        yield ""
        yield cell(f"never needed: {statement_named(one)}{perhaps}", "bold")
        for grant in one["grants"]:
            yield cell(f"  ← {grant_told(grant)}")


def _policy(one: Told) -> str:
    return f"{one['layer']} policy" if one["layer"] == "trust" else str(one["policy"])


def _counted(told: Told) -> str:
    unexplained = told["unexplained"]
    more = f"; {unexplained:,} were allowed by what no record tells" if unexplained else ""
    return f"{told['calls']:,} calls{more}"


def policy_text(policy: Told) -> str:
    """The document as it can be pasted: never wrapped, and in ASCII alone."""
    return json.dumps(policy, indent=2)


def suggestion(told: Told) -> Iterator[RenderableType]:
    """What is to be said below a suggested policy: what it rests on, and what of it is guessed."""
    if told["policy"] is None:
        yield cell(f"no recorded call of {told['principal']} was allowed that needs a permission")
        return
    yield cell(f"# {told['calls']:,} calls of {told['principal']}; {told['size']:,} characters")
    for one in told["widened"]:
        yield cell(f"# {one['pattern']} stands for {one['actions']:,} actions", "yellow")
    for one in told["uncertain"]:
        yield cell(
            f"# uncertain: {one['action']} on {one['resource']} ({one['calls']:,}): {'; '.join(one['guess'])}",
            "yellow",
        )
