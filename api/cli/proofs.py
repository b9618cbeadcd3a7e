"""`checkpoint`, `prove` and `check`: what was signed of a log, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.events import Account
from api.cli.exits import Exit, Failed, say
from api.cli.opening import (
    checkpoint_key_file_of,
    checkpoint_key_of_ledger,
    checkpoints_of_ledger,
    opened_log,
)
from api.cli.printing import Format, Formatted, answer, cell, plain, print_bytes, short, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ledger.entry import Entry
    from ledger.log import Log
    from ledger.notes import Verifier
    from ledger.proof import Proved
    from ledger.witness.cosignature import CosignatureVerifier

room = typer.Typer(name="checkpoint", help="What is signed of a log: its size and its root.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)
    app.command()(prove)
    app.command()(check)


# -- checkpoint ---------------------------------------------------------------------------------------------------


@room.callback(invoke_without_command=True)
def checkpoint(context: typer.Context, account: Account = None) -> None:
    """Sign the log as it is now, and print the checkpoint: keep it elsewhere, and nobody can rewrite what it covers."""
    if context.invoked_subcommand is not None:
        return
    with opened_log(context.obj) as log:
        print_bytes(checkpoints_of_ledger(context.obj, log).current(_account(log, account)))


@room.command("new-key")
def new_key(
    context: typer.Context,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="What the ledger is called in its checkpoints; random if not given.",
            metavar="NAME",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Write it there; else beside the ledger.", metavar="FILE"),
    ] = None,
) -> None:
    """Make the key that signs checkpoints, in a new file that only its owner can read."""
    from ledger.checkpoint import new_ledger_key
    from ledger.key_files import write_key_file
    from ledger.notes import BadKey

    path = file or checkpoint_key_file_of(context.obj)
    try:
        key = new_ledger_key(ledger)
        write_key_file(path, key.secret_text())
    except BadKey as error:
        raise Failed(f"--name: {error}") from error
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}", Exit.UNAVAILABLE) from error
    print(f"{key.name}: {path}")


@room.command("key")
def key(context: typer.Context, account: Account = None) -> None:
    """Print the public half of the key, as it signs for an account: whoever checks a proof needs it."""
    from ledger.checkpoint import account_key

    with opened_log(context.obj) as log:
        signer = checkpoint_key_of_ledger(context.obj)
        if signer is None:
            raise Failed(
                "there is no key for checkpoints; `iam-ledger checkpoint new-key` makes one",
                Exit.UNAVAILABLE,
            )
        print(account_key(signer, _account(log, account)).verifier)


# -- prove --------------------------------------------------------------------------------------------------------


def prove(
    context: typer.Context,
    named: Annotated[
        str | None, typer.Argument(metavar="EVENT", help="An event id, or ACCOUNT:POSITION.")
    ] = None,
    without_body: Annotated[
        bool, typer.Option("--without-body", help="Tell the leaf only, and not the record.")
    ] = False,
    old: Annotated[
        int | None, typer.Option("--from", help="Instead: the size that the log once had.", metavar="SIZE")
    ] = None,
    new: Annotated[
        int | None, typer.Option("--to", help="The size that it had later; now, if left out.", metavar="SIZE")
    ] = None,
    account: Account = None,
) -> None:
    """Prove that an event is in the log, or that the log only grew from one size to another."""
    from ledger.log.proving import prove_continued, prove_entry

    if (named is None) == (old is None):
        raise Failed("prove what? an EVENT, or --from SIZE")
    with opened_log(context.obj) as log:
        checkpoints = checkpoints_of_ledger(context.obj, log)
        if named is not None:
            if new is not None or account is not None:
                raise Failed("--to and --account go with --from")
            entry = _event(log, named)
            print_bytes(prove_entry(log, checkpoints, entry, with_body=not without_body).to_bytes())
            return
        assert old is not None
        whose = _account(log, account)
        try:
            print_bytes(prove_continued(log, checkpoints, whose, old=old, new=new).to_bytes())
        except ValueError as error:
            raise Failed(f"--from, --to: {error}") from error


# -- check --------------------------------------------------------------------------------------------------------


def check(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="PROOF", help="A file that `prove` has written; - is standard input.")
    ],
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="The public half of a key that you trust; else that of this ledger's key. Of a witness: it must have cosigned.",
            metavar="KEY",
        ),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--earlier",
            help="The checkpoint that you kept, of the size that a proof begins with.",
            metavar="FILE",
        ),
    ] = None,
    format: Formatted = Format.table,
) -> None:
    """Check a proof. No ledger is needed, only the public half of the key that signed."""
    from ledger.proof import BadProof, check_cosigned, check_proof

    proof = _read(file)
    kept = None if earlier is None else _read(earlier)
    try:
        given, witnesses = _given(keys or ())
        proved = check_proof(proof, given or _own(context.obj, proof), earlier=kept)
        for witness in witnesses:
            check_cosigned(proof, witness)
    except BadProof as error:
        raise Failed(f"not proved: {error}", Exit.NOT_ALL) from error
    if not answer(format, _told(proved)):
        show(*_report(proved))
    for witness in witnesses:
        say(f"{witness.name} has cosigned the checkpoint")
    if not given:
        say("checked with the key of this ledger itself; one that you had from elsewhere says more")


def _given(keys: Sequence[str]) -> tuple[list[Verifier], list[CosignatureVerifier]]:
    """The keys of logs, and those of witnesses."""
    from ledger.notes import BadKey, Verifier
    from ledger.witness.cosignature import CosignatureVerifier

    given, witnesses = list[Verifier](), list[CosignatureVerifier]()
    for one in keys:
        try:
            witnesses.append(CosignatureVerifier.parse(one))
        except BadKey:
            try:
                given.append(Verifier.parse(one))
            except BadKey as error:
                raise Failed(f"--key: {error}") from error
    return given, witnesses


def _own(url: str, proof: bytes) -> list[Verifier]:
    """The ledger's key, under the name that it has for the account that the proof is about."""
    from ledger.checkpoint import Checkpoint, account_key
    from ledger.notes import BadNote, unverified_text
    from ledger.proof import BadProof, parse_proof

    signer = checkpoint_key_of_ledger(url)
    if signer is None:
        raise Failed("whose signature? --key says so, and there is no key of this ledger")
    try:
        origin = Checkpoint.of_text(unverified_text(parse_proof(proof).checkpoint)).origin
    except BadNote as error:
        raise BadProof(str(error)) from error
    account = origin.rpartition("/")[2]
    if not (account.isascii() and account.isdigit()):
        raise BadProof(f"it is of the log {origin[:200]}, which is not of this ledger")
    return [account_key(signer, account).verifier]


def _told(proved: Proved) -> dict[str, Any]:
    head = proved.checkpoint
    told: dict[str, Any] = {
        "proved": True,
        "checkpoint": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
    }
    if proved.old is not None:
        return told | {"from": proved.old, "to": head.size}
    return told | {"leaf": proved.leaf, "body": proved.body}


def _report(proved: Proved) -> Iterator[RenderableType]:
    head = proved.checkpoint
    if proved.leaf is None:
        yield cell(
            f"the log {head.origin} of {head.size:,} entries begins with all {proved.old:,} it once had"
        )
        return
    yield cell(f"entry {proved.leaf['position']} is in the log {head.origin} of {head.size:,} entries")
    if proved.body is not None:
        record = proved.body.get("record") or {}
        who = record.get("userIdentity") or {}
        caller = who.get("arn") or who.get("principalId") or who.get("type") or "somebody"
        yield cell(f"{record.get('eventTime')}  {record.get('eventName')} by {plain(short(str(caller)))}")


# -- what all of them ask -----------------------------------------------------------------------------------------


def _account(log: Log, named: str | None) -> str:
    from api.asking import check_account
    from projections.naming import account_named

    return account_named(log, None if named is None else check_account(named))


def _event(log: Log, named: str) -> Entry:
    from api.asking import check_words
    from projections.naming import events_named

    found = events_named(log, check_words("event", named))
    if len(found) > 1:
        places = ", ".join(f"{entry.account_id}:{entry.position}" for entry in found)
        raise Failed(f"several entries have that id; say which: {places}")
    return found[0]


def _read(file: Path) -> bytes:
    import sys

    from ledger.proof import PROOF_BYTES_MAX

    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(PROOF_BYTES_MAX + 1)
        with file.open("rb") as opened:
            return opened.read(PROOF_BYTES_MAX + 1)
    except OSError as error:
        raise Failed(f"cannot read {file}: {error.strerror}", Exit.UNAVAILABLE) from error
