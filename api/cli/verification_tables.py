"""What `verify` shows to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.permission_tables import VERDICTS, statement_named
from api.cli.printing import cell, clock, counted, plain, short

if TYPE_CHECKING:
    from rich.console import RenderableType

REASONS = {
    "differs": "comes out otherwise",
    "notOfTheCall": "is not about this call",
    "notAsHashed": "is not what was hashed",
    "unreadable": "can't be read",
    "noState": "can't be made again",
    "unknownSemantics": "was made by rules not known here",
}


KINDS = {
    "editedBody": "an entry was edited",
    "editedColumn": "a column was edited",
    "deleted": "something was deleted",
    "inserted": "something was put in",
    "reordered": "the order was changed",
    "truncated": "the end was cut off",
    "rewritten": "history was rewritten",
    "treeSpoilt": "the tree was spoilt",
    "signatureWrong": "a signature is wrong",
    "bodyMissing": "a record is missing",
    "erasureUndone": "an erasure was undone",
    "unreadable": "it can't be read",
    "projectionDiffers": "a projection was edited",
}


def log_report(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    for one in told["differences"]:
        yield _difference(one)
    if told["differing"] > len(told["differences"]):
        yield f"and {told['differing'] - len(told['differences']):,} more"
    as_written = "" if told["differing"] else ", as they were written"
    yield f"{told['entries']:,} entries of {len(told['accounts'])} accounts{as_written}"
    for one in told["erased"]:
        yield cell(f"{one['account']}: {counted(one['records'], 'record')} erased by entry {one['by']}")
    for one in told["accounts"]:
        yield cell(_anchored(one))
    if told["cosignaturesVerified"]:
        yield f"{told['cosignaturesVerified']:,} cosignatures of witnesses verified"
    if told["checkpoints"] > told["signaturesVerified"]:
        unverified = told["checkpoints"] - told["signaturesVerified"]
        yield f"of {unverified:,} stored checkpoints no signature was verified: --key names the key"


def _difference(one: Mapping[str, Any]) -> RenderableType:
    place = ":".join(str(part) for part in (one["account"], one["position"]) if part is not None)
    return cell(f"{place or 'the ledger'}: {KINDS[one['kind']]}: {plain(one['detail'])}", "bold red")


def _anchored(one: Mapping[str, Any]) -> str:
    if one["anchoredUpTo"] is None:
        return (
            f"{one['account']}: not anchored: whoever has the key and the database could have rewritten all of it "
            "(--checkpoint names what was kept elsewhere)"
        )
    return f"{one['account']}: anchored up to {one['anchoredUpTo']:,} of {one['size']:,} entries"


def projections_report(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    for one in told["differences"]:
        yield _difference(one)
    names = ", ".join(told["rebuilt"]) or "none, for nobody has asked for any yet"
    yield f"projections built again: {names}; {told['differing']:,} differences"


def decisions_report(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    for one in told["divergences"]:
        yield from _divergence(one)
    if not told["stored"]:
        yield "0 stored decisions: what was imported came without any, so there is nothing to verify"
        return
    yield f"{told['stored']:,} stored, {told['recomputed']:,} recomputed, {told['diverging']:,} diverging"
    if told["unknownSemantics"]:
        yield f"{told['unknownSemantics']:,} were made by rules that are not known here"


def _divergence(one: Mapping[str, Any]) -> Iterator[RenderableType]:
    """`111122223333:7  2026-03-17 13:46:00  CreateUser by alice: comes out otherwise`, and what differs."""
    entry = one["entry"]
    call = ""
    if "eventID" in entry:
        call = f"  {clock(entry['time'])}  {plain(entry['eventName'])} by {plain(short(entry['actor']))}"
    yield cell(f"{entry['account']}:{entry['position']}{call}: {REASONS[one['reason']]}", "bold red")
    yield cell(f"  {one['detail']}")
    for side, title in (("stored", "stored"), ("recomputed", "comes out")):
        if one[side] is not None and one["differs"]:
            yield from _side(title, one[side], one["differs"])


def _side(title: str, told: Mapping[str, Any], differs: list[str]) -> Iterator[RenderableType]:
    yield cell(f"  {title}: {VERDICTS[told['decision']][0]}")
    for member in differs:
        if member == "statements":
            for statement in told["statements"]:
                yield cell(f"    {statement_named(statement)}")
                for way in statement["ways"]:
                    yield cell(f"      ← {', '.join(map(_grant, way))}")
        elif member != "decision":
            yield cell(f"    {member}: {plain(_words(told[member]))}")


def _grant(grant: Mapping[str, Any]) -> str:
    made = "no entry is known" if grant["entry"] is None else f"entry {grant['entry']}"
    return f"{grant['kind']} {grant['about']} ({made})"


def _words(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) and value else value
