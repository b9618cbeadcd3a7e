"""Keys, lineages and findings as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.printing import cell, clock, pairs, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.tree import Tree

Told = Mapping[str, Any]

SEVERITIES = {"critical": "bold red", "high": "red", "medium": "yellow"}
ROWS_MAX = 15


def key(told: Told) -> Iterator[RenderableType]:
    yield cell(f"access key {told['accessKey']}", "bold")
    yield from key_summary(told)
    for title, rows in (("addresses", told["addresses"]), ("agents", told["agents"])):
        yield from _section(title, _seen(title, rows))
    yield from _section("services", _counted("service", told["services"]))
    yield from _section("denied calls", _denied(told["deniedCalls"]))
    yield from _section("sessions it opened", _sessions(told["sessions"]))
    yield from _section("what it created", _made(told["created"]))


def key_summary(told: Told) -> Iterator[RenderableType]:
    owner = told["owner"] or {}
    yield pairs(
        {
            "owner": f"{plain(owner.get('type'))} {plain(owner.get('arn') or owner.get('name'))}",
            "created": _by(told["createdAt"], told["createdBy"]),
            "status": told["status"],
            "": _statuses(told["statusHistory"]),
            "used": f"{clock(told['firstUsed'])} to {clock(told['lastUsed'])}",
            "calls": f"{told['calls']}, of which {told['denied']} denied and {told['failed']} failed",
        }
    )


def _by(time: str | None, entry: Told | None) -> str:
    if entry is None:
        return f"{clock(time)}, by whom the log does not tell"
    return f"{clock(time or entry['time'])} by {short(entry['actor'])} (event {entry['eventID']})"


def _statuses(history: Iterable[Told]) -> str:
    return "; ".join(
        f"{one['status']} {clock(one['time'])}"
        + (f" by {short(one['entry']['actor'])}" if one.get("entry") else "")
        for one in history
    )


def _section(title: str, rows: Table) -> Iterator[RenderableType]:
    if rows.row_count:
        yield ""
        yield cell(title, "bold")
        yield rows


def _seen(title: str, rows: Iterable[Told]) -> Table:
    name = {"addresses": "address", "agents": "agent"}[title]
    made = table(name, "first", "last", "count", "new")
    for one in rows:
        made.add_row(
            cell(one[name]),
            clock(one["first"]),
            clock(one["last"]),
            str(one["count"]),
            cell("new" if one["new"] else "", "red"),
        )
    return made


def _counted(name: str, rows: Iterable[Told]) -> Table:
    made = table(name, "count")
    for one in rows:
        made.add_row(cell(one[name]), str(one["count"]))
    return made


def _denied(rows: Iterable[Told]) -> Table:
    made = table("action", "count", "first", "last")
    for one in rows:
        made.add_row(cell(one["action"]), str(one["count"]), clock(one["first"]), clock(one["last"]))
    return made


def _sessions(rows: Iterable[Told]) -> Table:
    made = table("key", "session", "opened", "calls", "last used")
    for one in rows:
        opened = one.get("openedBy") or {}
        made.add_row(
            cell(one["accessKey"]),
            cell(short(one["session"])),
            clock(opened.get("time")),
            str(one["calls"]),
            clock(one["lastUsed"]),
        )
    return made


def _made(rows: Iterable[Told]) -> Table:
    made = table("kind", "name", "made", "by", "now", fold=("name",))
    for one in rows:
        entry = one.get("entry") or {}
        made.add_row(
            cell(one["kind"]),
            cell(short(one["name"])),
            clock(entry.get("time")),
            cell(short(entry.get("actor"))),
            cell("exists" if one["exists"] else "gone", "red" if one["exists"] else ""),
        )
    return made


def lineage(told: Told) -> Iterator[RenderableType]:
    from rich.tree import Tree

    root = told["root"]
    named = next((root[name] for name in ("arn", "session", "accessKey", "name") if root.get(name)), None)
    kind = root.get("kind") or root.get("type")
    tree = Tree(cell(f"{kind} {plain(named)}" if kind else named, "bold"), guide_style="dim")
    days = {day for one in told["made"] for day in _days(one)}
    for one in told["made"]:
        _grow(tree, one, from_char=11 if len(days) == 1 else 0)
    yield tree
    left = list(_left(told["made"]))
    yield ""
    yield cell(f"{_count(told['made'])} made, of which {len(left)} still there", "bold")
    if told["changed"]:
        yield ""
        yield cell("what it changed", "bold")
        yield _changed(told["changed"])


def _days(one: Told) -> Iterator[str]:
    yield str((one.get("entry") or {}).get("time"))[:10]
    for below in one.get("made") or []:
        yield from _days(below)


def _grow(tree: Tree, one: Told, from_char: int) -> None:
    """A branch for what was made, with what that made; where all is of one day, without the day."""
    entry = one.get("entry") or {}
    ended = one.get("endedBy")
    if one["exists"]:
        now = "STILL THERE"
    else:
        now = f"gone {clock(ended['time'])[from_char:]} by {short(ended['actor'])}" if ended else "gone"
    calls = f", {one['calls']} calls" if one.get("calls") else ""
    label = cell(f"{one['kind']} {short(one['name'])}")
    label.append(f"  {clock(entry.get('time'))[from_char:]}", "dim")
    label.append(f"  {plain(now)}{calls}", "red" if one["exists"] else "dim")
    if one.get("assumed"):
        label.append(f"  assumed: {plain(one['assumed'])}", "yellow")
    branch = tree.add(label)
    for below in one.get("made") or []:
        _grow(branch, below, from_char)


def _left(made: Iterable[Told]) -> Iterator[Told]:
    for one in made:
        if one["exists"]:
            yield one
        yield from _left(one.get("made") or [])


def _count(made: Iterable[Told]) -> int:
    return sum(1 + _count(one.get("made") or []) for one in made)


def _changed(rows: Iterable[Told]) -> Table:
    made = table("time", "what", "kind", "name", "by")
    for one in rows:
        entry = one.get("entry") or {}
        made.add_row(
            clock(entry.get("time")),
            cell(entry.get("eventName")),
            cell(one.get("kind")),
            cell(short(one.get("name"))),
            cell(short(entry.get("actor"))),
        )
    return made


def findings(found: Iterable[Told]) -> Table:
    made = table("time", "severity", "kind", "what", fold=("what",))
    for one in found:
        made.add_row(
            clock(one["time"]),
            cell(one["severity"], SEVERITIES.get(str(one["severity"]).lower(), "")),
            cell(one["kind"]),
            cell(one["title"]),
        )
    return made if made.row_count else table("nothing was found")
