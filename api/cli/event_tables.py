"""Events, sessions and credentials as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from api.cli.differences import changes
from api.cli.printing import OUTCOMES, cell, clock, pairs, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

Told = Mapping[str, Any]
CHANGES = {"created": "green", "deleted": "red", "changed": "yellow"}
PARAMETERS_MAX = 4_000  # characters of one event's parameters


def events(lines: Iterable[Told]) -> Table:
    """A line each. Where all are of one day, the day stands at the top and leaves more room."""
    shown = list(lines)
    days = {line["time"][:10] for line in shown}
    day = days.pop() if len(days) == 1 else None
    made = table(day or "time", "who", "action", "on what", "result", "from")
    for line in shown:
        made.add_row(
            clock(line["time"])[11 if day else 0 :],
            cell(who(line)),
            cell(line["action"]),
            cell(on_what(line)),
            cell(result(line), OUTCOMES.get(line["outcome"], "")),
            cell(source(line)),
        )
    return made if shown else table("no event matches")


def source(line: Told) -> str:
    """An address, or the service that called on somebody's behalf."""
    return str(line["sourceIP"] or "–").removesuffix(".amazonaws.com")


def who(line: Told) -> str:
    """As short as it can be told: the user, or the role and its session."""
    if line["actorType"] == "Root":
        return "root"
    return short(line["actor"])


def on_what(line: Told) -> str:
    named = line["resources"]
    if not named:
        return "–"
    more = f" +{len(named) - 1}" if len(named) > 1 else ""
    return short(named[0]) + more


def result(line: Told) -> str:
    if line["outcome"] == "failed":
        return str(line["error"] or "failed")
    return "ok" if line["outcome"] == "succeeded" else "denied"


def credentials(page: Told) -> Iterator[RenderableType]:
    """Whose activity it is, and over which credentials."""
    principal = page["principal"]
    yield cell(f"{principal.get('type')} {principal.get('arn') or principal.get('name')}", "bold")
    made = table("credential", "kind", "came by", fold=("came by",))
    for one in page["credentials"]:
        via = " ← ".join(hop_name(hop) for hop in one.get("via", []))
        made.add_row(cell(one.get("accessKey")), cell(one.get("kind")), cell(via or "–"))
    if made.row_count:
        yield made
    yield ""


def chain(hops: Iterable[Told]) -> Table:
    """From the credential that was used back to the first human or service."""
    rows = list(hops)
    assumed = any(hop.get("assumed") for hop in rows)
    made = table(
        "credential", "as", "opened", "from", "mfa", *(["assumed"] if assumed else []), fold=("assumed",)
    )
    for hop in rows:
        opened = hop.get("openedBy")
        made.add_row(
            cell(hop.get("credential")),
            cell(hop_name(hop)),
            clock(opened["time"] if opened else hop.get("time")),
            cell(hop.get("sourceIP")),
            cell(hop.get("mfa")),
            *([cell(hop.get("assumed") or "–")] if assumed else []),
        )
    return made


def hop_name(hop: Told) -> str:
    return short(hop.get("session") or hop.get("principal")) if hop.get("type") != "Root" else "root"


def event(told: Told) -> Iterator[RenderableType]:
    """One event whole."""
    if "erased" in told:
        yield from _erased(told)
        return
    line, record = told["entry"], told["entry"]["record"]
    style = OUTCOMES.get(line["outcome"], "")
    yield cell(f"{clock(line['time'])} UTC   {line['action']}   {line['outcome']}", f"bold {style}".strip())
    yield pairs(
        {
            "who": told["who"]["label"],
            "human": told["who"].get("human"),
            "with": line["accessKey"],
            "from": f"{plain(line['sourceIP'])}   {plain(line['userAgent'])}",
            "on what": line["resources"],
            "result": _result(told["result"]),
            "asked": parameters(record.get("requestParameters")),
            "answered": parameters(record.get("responseElements")),
        }
    )
    hops = told["who"].get("chain") or []
    if hops:
        yield ""
        yield cell("who it was, back to the first credential", "bold")
        yield chain(hops)
    yield ""
    yield cell("what it changed" if told["changed"] else "it changed nothing of IAM's", "bold")
    if told["changed"]:
        yield from differences(told["changed"])
    if told["authorization"] is not None:
        yield ""
        yield cell("the decision that was stored with it", "bold")
        yield _decision(told["authorization"])
    yield ""
    yield pairs(
        {
            "entry": f"{line['account']}:{line['position']}",
            "event id": line["eventID"],
            "region": line["region"],
            "recorded at": clock(line["recordedAt"]),
            "from file": (told.get("origin") or {}).get("file"),
        }
    )


def _erased(told: Told) -> Iterator[RenderableType]:
    line, erased = told["entry"], told["erased"]
    by = erased["by"]
    yield cell(f"its record was erased by entry {by['account']}:{by['position']}", "bold")
    yield pairs(
        {
            "erased at": clock(by["time"]),
            "by": erased["operator"],
            "why": erased["reason"],
            "entry": f"{line['account']}:{line['position']}",
            "event id": line["eventID"],
            "recorded at": clock(line["recordedAt"]),
            "leaf hash": told["leafHash"],
        }
    )


def _decision(told: Told) -> RenderableType:
    """What was asked, and the statements that matched. The document is as the entry's body keeps it."""
    rows = {
        "decision": told.get("decision"),
        "action": told.get("action"),
        "resource": told.get("resource"),
        "missing": ", ".join(told.get("missing") or ()),
        "statements": ", ".join(_statement(one) for one in told.get("statements") or ()),
    }
    return pairs({name: plain(value) for name, value in rows.items() if value})


def _statement(told: Told) -> str:
    policy = plain(told.get("policy") or told.get("policyArn") or told.get("layer"))
    return f"{plain(told.get('effect'))} by {policy} {plain(told.get('sid') or told.get('index'))}"


def _result(told: Told) -> str:
    parts = (told["outcome"], told["error"], told["message"])
    return ": ".join(str(part) for part in parts if part)


def parameters(told: Any) -> Text:
    if not told:
        return cell("–")
    text = orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()
    if text.count("\n") < 4:
        text = orjson.dumps(told).decode()
    if len(text) > PARAMETERS_MAX:
        text = text[:PARAMETERS_MAX] + " …"
    made = cell("")
    for number, line in enumerate(text.splitlines()):
        made.append("\n" * bool(number) + plain(line))
    return made


def differences(found: Iterable[Told]) -> Iterator[RenderableType]:
    """What became of each entity, by whom, and below it what came and went."""
    made = table("change", "kind", "name", "time", "by", "event")
    rows = list(found)
    for one in rows:
        entry = one.get("entry") or {}
        made.add_row(
            cell(one["change"], CHANGES.get(one["change"], "")),
            cell(one["kind"]),
            cell(short(one["name"])),
            clock(entry.get("time")),
            cell(short(entry.get("actor"))),
            cell(entry.get("eventName")),
        )
    yield made
    for one in rows:
        yield ""
        yield cell(f"{one['kind']} {short(one['name'])}", f"bold {CHANGES.get(one['change'], '')}".strip())
        for line in changes(one["before"], one["after"]) or ["set anew, to what it was"]:
            yield cell(f"  {line}")
