"""`evidence`: entries for strangers, with all that it takes to check them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.events import Account, Since, Until
from api.cli.exits import Exit, Failed, say
from api.cli.opening import checkpoints_of_ledger, opened_log

if TYPE_CHECKING:
    from ledger.log import Log
    from projections.evidence import Chosen, Heads


def add_to(app: typer.Typer) -> None:
    app.command()(evidence)


def evidence(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="NAME.zip, or a folder that is to be made.", metavar="PATH")
    ],
    events: Annotated[
        list[str] | None, typer.Argument(metavar="EVENT…", help="Event ids, or ACCOUNT:POSITION.")
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option("--principal", help="All that this ARN, name or unique id did.", metavar="WHO"),
    ] = None,
    since: Since = None,
    until: Until = None,
    positions: Annotated[
        str | None, typer.Option("--positions", help="All entries from A to B, both included.", metavar="A-B")
    ] = None,
    account: Account = None,
) -> None:
    """Write a bundle with which a stranger can check that entries are in the log, and that none was left out.

    It holds the records, the proofs, the signed checkpoint, and a program of plain Python that checks them.
    """
    from projections.evidence import EvidenceExists, Heads, TooMuch, digest_of, make_bundle, write_bundle

    if (bool(events), principal is not None, positions is not None).count(True) != 1:
        raise Failed("evidence of what? EVENT…, --principal or --positions")
    if principal is None and (since, until) != (None, None):
        raise Failed("--from and --to go with --principal")
    if events and account is not None:
        raise Failed("--account goes with --principal and --positions")
    asked = {
        "events": events or None,
        "principal": principal,
        "from": since,
        "to": until,
        "positions": positions,
        "account": account,
    }
    question = {name: value for name, value in asked.items() if value is not None}
    with opened_log(context.obj) as log:
        heads = Heads(checkpoints_of_ledger(context.obj, log))
        chosen = _chosen(log, heads, question)
        try:
            files = make_bundle(log, heads, chosen, question=question)
            write_bundle(files, output)
            digest, named = digest_of(output)
        except (TooMuch, EvidenceExists) as error:
            raise Failed(str(error)) from error
        except OSError as error:
            raise Failed(f"cannot write {output}: {error.strerror or error}", Exit.UNAVAILABLE) from error
    print(f"{digest}  {named}")
    _report(chosen, output)


def _chosen(log: Log, heads: Heads, question: dict[str, Any]) -> Chosen:
    from api.asking import check_account, check_words, interval
    from projections.evidence import chosen_activity, chosen_entries, chosen_stretch, positions_of
    from projections.naming import account_named, events_named

    named = question.get("account")
    account = None if named is None else account_named(log, check_account(named))
    if "events" in question:
        found = [
            entry for name in question["events"] for entry in events_named(log, check_words("event", name))
        ]
        return chosen_entries(heads, found)
    if "positions" in question:
        first, last = positions_of(question["positions"])
        return chosen_stretch(heads, account_named(log, account), first=first, last=last)
    since, until = interval(question.get("from"), question.get("to"))
    principal = check_words("principal", question["principal"])
    return chosen_activity(log, heads, principal, account=account, since=since, until=until)


def _report(chosen: Chosen, output: Path) -> None:
    count = "1 entry" if len(chosen.shown) == 1 else f"{len(chosen.shown)} entries"
    say(f"evidence of {count} written to {output}")
    if not chosen.claims:
        say("it does not claim to be complete: --principal and --positions do")
    if chosen.open_ended:
        say("too much lies behind the last entry: it is not claimed that nothing came later")
