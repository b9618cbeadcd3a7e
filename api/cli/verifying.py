"""`verify`: whether what the ledger holds is what it says it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.events import Account
from api.cli.exits import Exit, Failed, end, say
from api.cli.opening import opened_log
from api.cli.permission_tables import VERDICTS, statement_named
from api.cli.printing import Format, Formatted, answer, cell, clock, console, plain, short, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from projections.permissions.verification import Verified

REASONS = {
    "differs": "comes out otherwise",
    "notOfTheCall": "is not about this call",
    "notAsHashed": "is not what was hashed",
    "unreadable": "can't be read",
    "noState": "can't be made again",
    "unknownSemantics": "was made by rules not known here",
}


def add_to(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    context: typer.Context,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Make every stored decision again, from the log alone.")
    ] = False,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Check that every stored decision comes out the same when it is made again from the log alone."""
    from api.asking import check_account
    from projections.vocabulary import UnknownName

    if not decisions:
        raise Failed("verify what? --decisions")
    if account is not None:
        check_account(account)
    with opened_log(context.obj) as log, _progress() as progress:
        from projections.permissions.verification import verify_decisions

        known = log.account_ids()
        if account is not None and account not in known:
            raise UnknownName(f"the ledger has no account {account!r}")
        verified = verify_decisions(log, known if account is None else [account], progress)
    told = verified.to_document()
    if not answer(format, told):
        show(*_report(told))
    if told["divergences"]:
        say(f"{len(told['divergences'])} of {told['stored']} stored decisions can't be confirmed")
        end(Exit.NOT_ALL)


def _report(told: Mapping[str, Any]) -> Iterator[RenderableType]:
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


@contextmanager
def _progress() -> Iterator[Callable[[Verified], None] | None]:
    """A bar on standard error, where somebody looks at it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(error=True),
        transient=True,
    ) as bar:
        task = bar.add_task("verifying", total=None)

        def advance(verified: Verified) -> None:
            bar.update(task, completed=verified.recomputed, total=verified.stored)

        yield advance
