"""Permission over time for people: who could, the events that turned it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.permission_tables import MISSING, UNKNOWN, statement_named
from api.cli.printing import cell, clock, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType

Told = Mapping[str, Any]

ABLE = {"yes": "green", "perhaps": "yellow", "no": "red"}
CHANGES = {
    "created": "{name} was created",
    "known": "{name} is known from here on",
    "deleted": "{name} was deleted",
    "attached": "{about} attached to {name}",
    "detached": "{about} detached from {name}",
    "inlinePut": "{about} put into {name}",
    "inlineDeleted": "{about} taken out of {name}",
    "joined": "{name} joined {about}",
    "left": "{name} left {about}",
    "boundarySet": "{about} bounds {name}",
    "boundaryRemoved": "{about} bounds {name} no longer",
    "trustSet": "the trust policy of {name} was written",
    "passwordPolicySet": "the password policy of {name} was set or deleted",
    "inForce": "{about} of {name} in force",
    "changedByAWS": "AWS put {about} of {name} in force",
    "notKnownFromHere": "what AWS did to {name} from here on is not known",
    "time": "a time that a condition names",
    "keyStatus": "{name} is {about}",
}
CHANGES_MAX = 3
LISTED_MAX = 4
DAY = len("2026-03-17")  # told once, where all is of one day


def who_can(told: Told, *, single: bool) -> Iterator[RenderableType]:
    when = f"at {clock(told['from'])}" if single else f"{clock(told['from'])} to {clock(told['to'])}"
    yield cell(f"{told['action']} on {told['resource']}, account {told['account']}, {when}", "bold")
    day = clock(told["from"])[:DAY]
    alike = all(clock(one["to"])[:DAY] == day for row in told["principals"] for one in row["intervals"])
    columns = ("could", "calls", "by") if single else ("could", "from", "until", "calls", "by")
    made = table("who", *columns, fold=("by",))
    for row in told["principals"]:
        for one in row["intervals"]:
            times = (
                ()
                if single
                else tuple(clock(one[end])[DAY if alike else 0 :].strip() for end in ("from", "to"))
            )
            made.add_row(
                cell(_who(row)),
                cell(one["able"], ABLE[one["able"]]),
                *times,
                str(one["calls"]["count"]),
                cell(_by(row, one)),
            )
    yield made
    turns = list(_turns(told["principals"]))
    if turns:
        yield ""
        yield from turns
    for one in told["otherCalls"]:
        denied = f", {one['denied']} of them denied" if one["denied"] else ""
        yield cell(f"calls beside these: {short(one['principal'])} {one['count']}{denied}", "yellow")
    yield from _unknown(told["unknown"])


def _who(row: Told) -> str:
    """A role stands for its sessions; whoever is no user and no root says what it is."""
    name = short(row["principal"])
    match row["kind"]:
        case "user" | "root":
            return name
        case "account":
            return f"account {row['account']}"
        case kind:
            return f"{name} ({kind})"


def _by(row: Told, interval: Told) -> str:
    """The policies that allow it; where it is not certain, what is not known."""
    if interval["able"] != "yes":
        return "; ".join(UNKNOWN[one["kind"]].format(one["about"]) for one in interval["unknown"])
    if row["kind"] == "root":
        return "root may do all"
    return ", ".join(
        dict.fromkeys(
            f"{one['policy']}{' ' + one['version'] if one['version'] else ''}"
            for one in interval["statements"]
        )
    )


def _turns(rows: Iterable[Told]) -> Iterator[RenderableType]:
    """Each event that opened or closed somebody's interval, in order of time."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        intervals = row["intervals"]
        for number, one in enumerate(intervals):
            following = intervals[number + 1] if number + 1 < len(intervals) else None
            if one["opened"] is not None:
                what = "could" if one["able"] == "yes" else "perhaps could"
                _add(found, one["opened"], what, _who(row))
            if one["closed"] is not None and (following is None or following["from"] != one["to"]):
                _add(found, one["closed"], "could no longer", _who(row))
    for (time, _, cause, what), names in sorted(found.items()):
        yield cell(f"{clock(time)}  {', '.join(names)} {what}: {cause}")


def _add(found: dict[tuple[str, str, str, str], list[str]], cause: Told, what: str, who: str) -> None:
    key = (cause["eventTime"], f"{cause['entry'] or 0:012}", cause_told(cause), what)
    names = found.setdefault(key, [])
    if who not in names:
        names.append(who)


def cause_told(cause: Told) -> str:
    """`AttachUserPolicy by mara.lindqvist from 192.0.2.10 (entry 4711): AdministratorAccess attached to tom`."""
    changes = [
        CHANGES[one["what"]].format(name=short(one["name"]), about=short(one["about"]))
        for one in cause["changed"]
    ]
    more = f"; {len(changes) - CHANGES_MAX} more" if len(changes) > CHANGES_MAX else ""
    changed = "; ".join(changes[:CHANGES_MAX]) + more
    if cause["entry"] is None:
        return changed
    by = f"{cause['eventName']} by {short(cause['actor'])} from {plain(cause['sourceIP'])}"
    return f"{by} (entry {cause['entry']}){': ' if changed else ''}{changed}"


def first_able(told: Told, *, admin: bool) -> Iterator[RenderableType]:
    what = "is an administrator" if admin else f"{told['actions'][0]} on {plain(told['resource'])}"
    yield cell(f"{short(told['principal'])}, account {told['account']}: {what}", "bold")
    for turn in told["turns"]:
        by = "" if turn["by"] is None else f"  {cause_told(turn['by'])}"
        yield cell(f"{clock(turn['time'])}  {turn['able']}{by}", ABLE[turn["able"]])
        for statement in turn["statements"]:
            yield cell(f"  {statement_named(statement)}")
        for name in turn["missing"]:
            yield cell(f"  missing: {MISSING[name.partition(':')[0]]}")
        yield from _unknown(turn["unknown"])
    if not told["turns"]:
        yield cell("never, as far as the log tells", "yellow")


def _unknown(unknown: Iterable[Told]) -> Iterator[RenderableType]:
    for one in unknown:
        yield cell(f"not known: {UNKNOWN[one['kind']].format(one['about'])}", "yellow")


def exposure(told: Told) -> Iterator[RenderableType]:
    """Each segment: what opened it, what came and went of the statements, and the calls made under them."""
    key = f" by {told['accessKey']}" if told["accessKey"] else ""
    yield cell(
        f"{short(told['principal'])}{key}, account {told['account']}, actions {told['action']}", "bold"
    )
    before: dict[str, None] = {}
    for number, one in enumerate(told["segments"]):
        status = "" if one["keyStatus"] is None else f"  key {one['keyStatus']}"
        yield ""
        yield cell(f"{clock(one['from'])} to {clock(one['to'])}{status}", "bold")
        if one["opened"] is not None:
            yield cell(f"  {cause_told(one['opened'])}")
        now = dict.fromkeys(_in_force(statement) for statement in one["statements"])
        if not one["exists"]:
            yield cell("  nobody of that name")
        elif not now and not before:
            yield cell("  no statement is about these actions")
        for line in now:
            if line not in before:
                yield cell(f"  {'+' if number else ' '} {line}", "yellow" if number else "")
        for line in before:
            if line not in now:
                yield cell(f"  - {line}", "green")
        yield from _calls("calls", one["calls"])
        if one.get("sessionCalls"):
            yield from _calls("by sessions it opened", one["sessionCalls"])
        if one["bounded"] and all(statement["layer"] != "boundary" for statement in one["statements"]):
            yield cell("  a boundary allows none of these actions")
        yield from _unknown(one["unknown"])
        before = now


def _in_force(statement: Told) -> str:
    """`Allow s3:GetObject, s3:PutObject on * if …  (LarkspurDeploy v7, State)`."""
    words = statement["statement"]
    what = _listed(words["Action"]) if "Action" in words else f"all but {_listed(words.get('NotAction'))}"
    where = (
        f"all but {_listed(words['NotResource'])}"
        if "NotResource" in words
        else _listed(words.get("Resource"))
    )
    condition = " on a condition" if words.get("Condition") else ""
    version = f" {statement['version']}" if statement["version"] else ""
    bounds = " at most" if statement["layer"] == "boundary" else ""
    name = short(statement["policyArn"]) if bounds else statement["policy"]
    return f"{statement['effect']}{bounds} {what} on {where}{condition}  ({name}{version})"


def _listed(values: Any) -> str:
    found = [plain(one) for one in (values if isinstance(values, list) else [values])]
    more = f" and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
    return ", ".join(found[:LISTED_MAX]) + more


def _calls(title: str, calls: Iterable[Told]) -> Iterator[RenderableType]:
    found = list(calls)
    count, denied = sum(one["count"] for one in found), sum(one["denied"] for one in found)
    told = ", ".join(f"{one['action']} {one['count']}" for one in found[:LISTED_MAX])
    more = f", {len(found) - LISTED_MAX} other actions" if len(found) > LISTED_MAX else ""
    refused = f", of which {denied} denied" if denied else ""
    yield cell(f"  {title}: {count}{refused}{': ' if told else ''}{told}{more}")
