"""What principals could do, and what changed of it, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.differences import brief
from api.cli.permission_tables import UNKNOWN
from api.cli.printing import cell, clock, pairs, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Told = Mapping[str, Any]

NOT_KNOWN = "not known"
RISKS = {
    "administrator": "everything",
    "escalates": "it can raise its own permission",
    "permissions": "it manages permissions",
    "secrets": "it reads what is kept",
    "write": "it changes things",
    "tagging": "it tags things",
    "read": "it reads",
    "list": "it lists",
    "unknown": "actions that are not known",
    "nothing": "nothing is allowed",
    NOT_KNOWN: "nobody told what it was granted",
}
STYLES = {"administrator": "red", "escalates": "red", "permissions": "yellow", "secrets": "yellow"}
NAMED_MAX = 3  # of many, in a table; --format json has them all


def access(told: Told) -> Iterator[RenderableType]:
    """Permissions in order of risk, ways to raise them, roles within reach, and what is not known."""
    from rich.text import Text

    risk = told["risk"] or NOT_KNOWN
    yield Text.assemble(
        (risk, f"bold {STYLES.get(risk, '')}".strip()),
        f"  {plain(told['principal'])} at {clock(told['at'])}: {RISKS[risk]}",
    )
    if told["boundary"]:
        yield cell(f"bounded by {plain(told['boundary'])}")
    if told["permissions"]:
        yield ""
        yield _permissions(told["permissions"])
    for one in told["withheld"]:
        by = ", ".join(one["withheld"])
        yield cell(f"withheld by {by}: {_actions(one)} on {_resources(one)} ({_through(one)})", "dim")
    for number, one in enumerate(told["denies"], 1):
        yield cell(f"deny {number}: {_actions(one)} on {_resources(one)}{_if(one)} ({_through(one)})")
    if told["escalations"]:
        yield ""
        yield _escalations(told["escalations"])
    if told["roles"]:
        yield ""
        yield _roles(told["roles"])
    for pattern in told["beyond"]:
        yield cell(f"and whatever other accounts let it assume of {plain(pattern)}", "yellow")
    yield from _unknown(told["unknown"])


def _permissions(found: Iterable[Told]) -> Table:
    made = table(
        "risk", "may", "on", "known actions", "through", fold=("may", "on", "known actions", "through")
    )
    for one in found:
        notes = _if(one)
        if one["boundedBy"]:
            notes += " (within the boundary)"
        if one["deniedBy"]:
            notes += f" (but deny {', '.join(str(number + 1) for number in one['deniedBy'])})"
        made.add_row(
            cell(one["risk"], STYLES.get(one["risk"], "")),
            cell(_actions(one)),
            cell(_resources(one) + notes),
            cell(_levels(one["knownActions"])),
            cell(_through(one)),
        )
    return made


def _escalations(found: Iterable[Told]) -> Table:
    made = table("raises itself by", "which", "on", fold=("which", "on"))
    for one in found:
        made.add_row(
            cell(one["name"] + ("" if one["certain"] else " (perhaps)")),
            cell(one["does"]),
            cell(_targets(one)),
        )
    return made


def _targets(one: Told) -> str:
    few = [short(target["arn"]) for target in one["targets"][:NAMED_MAX]]
    more = one["targetCount"] - len(few)
    return ", ".join(few) + (f" and {more} more" if more else "")


def _roles(found: Iterable[Told]) -> Table:
    made = table("role within reach", "account", "risk", "by way of", "if", fold=("by way of", "if"))
    for one in found:
        doubts = {
            UNKNOWN[doubt["kind"]].format(short(doubt["about"]))
            for hop in one["hops"]
            for doubt in hop["unknown"]
        }
        made.add_row(
            cell(short(one["role"])),
            cell(one["role"].split(":")[4]),
            cell(one["risk"] or NOT_KNOWN),
            cell(" → ".join(short(hop["from"]) for hop in one["hops"])),
            cell("; ".join(sorted(doubts)) or "for certain"),
        )
    return made


# -- what changed


def comparison(told: Told) -> Iterator[RenderableType]:
    """One principal beside another."""
    yield cell(
        f"{plain(told['principal'])} beside {plain(told['against'])} at {clock(told['at'])}: {_verdict(told)}",
        "bold",
    )
    yield from _shifts(told)
    yield from _unknown(told["unknown"])


def chain(hops: Iterable[Told]) -> Iterator[RenderableType]:
    """Each hop of a chain beside the one before it."""
    made = table("credential", "as", "after", "more than before", fold=("as", "after", "more than before"))
    for one in hops:
        made.add_row(
            cell(one["credential"]),
            cell(short(one["principal"])),
            cell(short(one["against"])),
            cell(_verdict(one)),
        )
    yield made if made.row_count else cell("the key was opened by nobody's session")


def changes(found: Iterable[Told]) -> Iterator[RenderableType]:
    """Principals, those with the same change together; trusts; instance profiles."""
    alike: dict[str, list[Told]] = {}
    others: list[Told] = []
    for one in found:
        if one["kind"] == "principal":
            alike.setdefault(repr(_likeness(one)), []).append(one)
        else:
            others.append(one)
    for number, group in enumerate(alike.values()):
        first = group[0]
        if number:
            yield ""
        names = ", ".join(short(one["principal"]) for one in group)
        yield cell(f"{names} ({first['change']}): {_verdict(first)}", "bold")
        yield from _shifts(first)
        if first["boundary"]:
            yield cell(_boundary(first["boundary"]))
        yield from _unknown(first["unknown"])
    if alike and others:
        yield ""
    for one in others:
        yield from (_trust(one) if one["kind"] == "trust" else _profile(one))


def _likeness(one: Told) -> object:
    shifts = [
        (shift["what"], shift["matters"], _actions(shift), _resources(shift), shift.get("entry"))
        for shift in (*one["gained"], *one["lost"])
    ]
    return one["change"], one["risk"], one["raised"], shifts, one["boundary"], one["unknown"]


def _verdict(told: Told) -> str:
    before, after = (told["risk"][side] or NOT_KNOWN for side in ("before", "after"))
    risks = after if before == after else f"{before} → {after}"
    gained, lost = told["gainedActions"], told["lostActions"]
    parts = [f"raised: {told['raised']}", risks]
    for word, actions in (("gained", gained), ("lost", lost)):
        if actions["surely"]:
            parts.append(f"{word} {_levels(actions['surely'])}")
        if actions["perhaps"]:
            parts.append(f"perhaps {word} {_levels(actions['perhaps'])}")
    return "; ".join(parts)


def _shifts(told: Told) -> Iterator[RenderableType]:
    """The statements that make a difference, and how many do not."""
    every = [*told["gained"], *told["lost"]]
    telling = [one for one in every if one["matters"] != "no"]
    timed = any("entry" in one for one in every)
    if telling:
        made = table(
            "statement",
            "matters",
            "actions",
            "on",
            "by" if timed else "in",
            fold=("actions", "on", "by", "in"),
        )
        for one in telling:
            by = _entry(one["entry"]) if timed else _through(one)
            made.add_row(
                cell(one["what"]),
                cell(one["matters"]),
                cell(_actions(one)),
                cell(_resources(one) + _if(one)),
                cell(by),
            )
        yield made
    if rest := len(every) - len(telling):
        yield cell(f"{rest} more came or went and make no difference", "dim")
    for word, ways in (
        ("can now raise itself by", told["escalationsGained"]),
        ("no more by", told["escalationsLost"]),
    ):
        if ways:
            yield cell(f"{word} {', '.join(way['name'] for way in ways)}")


def _boundary(told: Told) -> str:
    names = {"set": "after", "removed": "before"}
    which = short(told[names.get(told["change"], "after")])
    by = _entry(told["entry"])
    effect = [
        f"{word} {_levels(told[member]['surely'] or told[member]['perhaps'])}"
        for word, member in (("alone gained", "gainedActions"), ("alone lost", "lostActions"))
        if told[member]["surely"] or told[member]["perhaps"]
    ]
    return f"boundary {which} {told['change']} by {by}" + (f": {'; '.join(effect)}" if effect else "")


def _trust(told: Told) -> Iterator[RenderableType]:
    yield cell(f"trust of {short(told['role'])} ({told['change']}) by {_entry(told['entry'])}", "bold")
    lines = {}
    for word, member in (("lets in", "admits"), ("no more", "excludes")):
        whom = [_whom(one) for one in told[member]]
        if whom:
            lines[word] = ", ".join(whom)
    yield pairs(lines) if lines else cell("nobody more, nobody less")


def _whom(one: Told) -> str:
    name = plain(one["who"])
    if one["outside"]:
        return f"{name} ({one['is']}, outside the ledger)" if one["is"] != "service" else name
    return name if one["certain"] else f"{name} (perhaps)"


def _profile(told: Told) -> Iterator[RenderableType]:
    put = "put into" if told["change"] == "put" else "taken out of"
    yield cell(
        f"role {short(told['role'])} ({told['risk'] or 'not known'}) {put} the instance profile"
        f" {plain(told['profile'])} by {_entry(told['entry'])}",
        "bold",
    )


# -- words


def _actions(one: Told) -> str:
    if one["notActions"] is not None:
        return f"all but {_few(one['notActions'])}"
    return _few(one["actions"] or [])


def _resources(one: Told) -> str:
    if one["notResources"] is not None:
        return f"all but {_few(one['notResources'])}"
    return _few(one["resources"] or [])


def _few(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" +{more}" if more > 0 else "")


def _if(one: Told) -> str:
    return f" if {brief(one['condition'])}" if one["condition"] else ""


def _levels(counts: Told) -> str:
    return ", ".join(f"{level.lower()} {count}" for level, count in counts.items()) or "–"


def _through(one: Told) -> str:
    """`LarkspurDeploy v7 by group ci`: the policies, and the groups through which they came."""
    found: dict[str, None] = {}
    for statement in one["statements"]:
        name = f"{statement['policy']} {statement['version'] or ''}".strip()
        for way in statement["ways"] or [[]]:
            groups = [short(grant["about"]) for grant in way if grant["kind"] == "membership"]
            found[name + "".join(f" by group {group}" for group in groups)] = None
    return "; ".join(found) or "root"


def _entry(entry: Told | None) -> str:
    if entry is None or entry["entry"] is None:
        return "no entry shows it"
    return (
        f"{short(entry['actor'])}, {entry['eventName']} {clock(entry['eventTime'])} (entry {entry['entry']})"
    )


def _unknown(found: Iterable[Told]) -> Iterator[RenderableType]:
    for one in found:
        yield cell(f"not known: {UNKNOWN[one['kind']].format(one['about'])}", "yellow")
