"""`witness`: a second place that sees each log's size and root, and refuses what does not continue what it has seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.events import Account
from api.cli.exits import Exit, Failed, end, say
from api.cli.opening import checkpoint_key_of_ledger, opened_log
from api.cli.printing import Format, Formatted, answer, cell, show

if TYPE_CHECKING:
    from ledger.log import Log
    from ledger.log.checkpoints import Checkpoints
    from ledger.notes import Signer
    from ledger.witness.fence import Fence
    from ledger.witness.sending import Finding
    from ledger.witness.witnesses import Witness

VARIABLE = "IAM_LEDGER_WITNESS"

room = typer.Typer(
    name="witness", help="A second place that sees what each log is, and refuses what contradicts it."
)

Named = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        envvar=VARIABLE,
        help="A folder on another disk, the URL of another database, or https://…#KEY. Several, if repeated.",
        metavar="WITNESS",
    ),
]


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)


@contextmanager
def written_log(url: str, named: Sequence[str] | None = None, *, create: bool = False) -> Iterator[Log]:
    """A log to write to, unless a witness contradicts it: one that is named, or else one of the environment's."""
    from ledger.log import Log
    from ledger.log.checkpoints import Checkpoints

    if named is None:
        named = os.environ.get(VARIABLE, "").split()
    with opened_log(url, create=create) as log:
        key = checkpoint_key_of_ledger(url)
        yield Log(log.engine, may_write=fence_of(log, Checkpoints(log, key), key, named).check)


def fence_of(log: Log, checkpoints: Checkpoints, key: Signer | None, named: Sequence[str] | None) -> Fence:
    """Raises NoCheckpointKey where there are witnesses, and nothing for them to see."""
    from ledger.checkpoint import NoCheckpointKey
    from ledger.witness.fence import Fence

    if named and key is None:
        raise NoCheckpointKey("witnesses see what was signed; `iam-ledger checkpoint new-key` makes a key")
    return Fence(log, checkpoints, witnesses_named(named, key))


def witnesses_named(named: Sequence[str] | None, key: Signer | None) -> list[Witness]:
    from ledger.witness.witnesses import BadWitness, witness_named

    try:
        return [witness_named(one, key) for one in named or ()]
    except BadWitness as error:
        raise Failed(f"--witness: {error}") from error


@room.command()
def send(
    context: typer.Context, witness: Named = None, account: Account = None, format: Formatted = Format.table
) -> None:
    """Sign each log as it is now, and have every witness see it."""
    from ledger.witness.sending import send as send_to

    with _asking(context.obj, witness, account) as (log, checkpoints, accounts, witnesses):
        findings = [send_to(log, checkpoints, one, place) for one in accounts for place in witnesses]
    _tell(findings, format)


@room.command()
def status(
    context: typer.Context, witness: Named = None, account: Account = None, format: Formatted = Format.table
) -> None:
    """Ask each witness what it has seen, and hold each log against it."""
    from ledger.witness.sending import examine_all

    with _asking(context.obj, witness, account) as (log, checkpoints, accounts, witnesses):
        findings = [found for one in accounts for found in examine_all(log, checkpoints, one, witnesses)]
    _tell(findings, format)


@room.command("acknowledge")
def acknowledge(
    context: typer.Context,
    reason: Annotated[
        str, typer.Option(help="Why the log is not what was seen of it; it is written down.", metavar="TEXT")
    ],
    witness: Named = None,
    account: Account = None,
) -> None:
    """Let a log go on that is not what a witness has seen, as after a backup was restored: an entry says so, and why."""
    import getpass

    from ledger.witness.acknowledging import acknowledge as write_down
    from ledger.witness.acknowledging import is_acknowledged, may_be_acknowledged
    from ledger.witness.sending import examine_all
    from ledger.witness.witnesses import NotHeard

    if not reason.strip():
        raise Failed("--reason: why?")
    with _asking(context.obj, witness, account) as (log, checkpoints, accounts, witnesses):
        contradicted = False
        for one in accounts:
            findings = examine_all(log, checkpoints, one, witnesses)
            wrong = [finding for finding in findings if finding.verdict.contradicts]
            if hopeless := [finding for finding in wrong if not may_be_acknowledged(finding)]:
                raise Failed(f"account {one}: {hopeless[0].detail}; restore it", Exit.NOT_ALL)
            new = [finding for finding in wrong if not is_acknowledged(log, finding)]
            write_down(log, one, new, reason=reason, by=getpass.getuser())
            for finding in wrong:
                contradicted = True
                place = next(place for place in witnesses if place.name == finding.witness)
                show(cell(f"account {one}: {finding.witness}: {finding.detail}"))
                try:
                    if not place.set_aside(checkpoints.origin(one)):
                        say(
                            f"{finding.witness} never goes back: for it to see the log again, the log needs another "
                            "name, `checkpoint new-key --name NAME`"
                        )
                except NotHeard as error:
                    raise Failed(f"{finding.witness}: {error}", Exit.UNAVAILABLE) from error
    if not contradicted:
        raise Failed("no witness contradicts: there is nothing to acknowledge", Exit.NOT_ALL)


@room.command("new-key")
def new_key(
    file: Annotated[Path, typer.Option("--file", help="Write it there.", metavar="FILE")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What the witness is called; random if not given.", metavar="NAME"),
    ] = None,
) -> None:
    """Make the key of a witness, in a new file that only its owner can read, and print its public half."""
    from ledger.key_files import write_key_file
    from ledger.notes import BadKey
    from ledger.witness.cosignature import new_witness_key, verifier_of

    try:
        key = new_witness_key(name)
        write_key_file(file, key.secret_text())
    except BadKey as error:
        raise Failed(f"--name: {error}") from error
    except OSError as error:
        raise Failed(f"cannot write {file}: {error.strerror}", Exit.UNAVAILABLE) from error
    print(verifier_of(key))


@room.command()
def serve(
    folder: Annotated[Path, typer.Option("--dir", help="Where it keeps what it has seen.", metavar="FOLDER")],
    key_file: Annotated[
        Path, typer.Option("--key-file", help="The key that it cosigns with.", metavar="FILE")
    ],
    logs: Annotated[
        list[str],
        typer.Option("--log", help="The public key of a log, as `checkpoint key` prints it.", metavar="KEY"),
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 for a free one.", min=0, max=65_535, metavar="PORT")
    ] = 0,
) -> None:
    """Be a witness for others' logs, over HTTP as C2SP tlog-witness has it. It needs no ledger."""
    from api.cli.listening import listening
    from api.witnessing import WitnessedLogs, make_witness_app
    from ledger.notes import BadKey, Verifier
    from ledger.witness.cosignature import verifier_of, witness_key_of
    from ledger.witness.stores import FolderStore

    if not folder.is_dir():
        raise Failed(
            f"there is no folder {folder}: a witness that lost what it has seen is none", Exit.UNAVAILABLE
        )
    try:
        key = witness_key_of(key_file)
    except BadKey as error:
        raise Failed(f"--key-file: {error}", Exit.UNAVAILABLE) from error
    try:
        watched = [Verifier.parse(one) for one in logs]
    except BadKey as error:
        raise Failed(f"--log: {error}") from error
    with listening(host, port) as ear:
        from api.connections import server_of

        at = ear.getsockname()[1]
        print(
            f"{key.name} answers on http://{f'[{host}]' if ':' in host else host}:{at}#{verifier_of(key)}",
            flush=True,
        )
        app = make_witness_app(WitnessedLogs(FolderStore(folder), key, watched))
        server_of(app).run(sockets=[ear])


@contextmanager
def _asking(
    url: str, named: list[str] | None, account: str | None
) -> Iterator[tuple[Log, Checkpoints, list[str], list[Witness]]]:
    from api.asking import check_account
    from ledger.log.checkpoints import Checkpoints
    from projections.naming import account_named

    key = checkpoint_key_of_ledger(url)
    witnesses = witnesses_named(named, key)
    if not witnesses:
        raise Failed(f"which witness? --witness or {VARIABLE} says so")
    with opened_log(url) as log:
        accounts = log.account_ids() if account is None else [account_named(log, check_account(account))]
        yield log, Checkpoints(log, key), accounts, witnesses


def _tell(findings: Sequence[Finding], format: Format) -> None:
    from ledger.witness.sending import Verdict

    if not answer(format, {"findings": [finding.told() for finding in findings]}):
        show(
            *(
                cell(
                    f"account {finding.account_id}: {finding.witness}: {finding.detail}",
                    "bold red" if finding.verdict.contradicts else "",
                )
                for finding in findings
            )
        )
    if any(finding.verdict.contradicts for finding in findings):
        say("a log is not what was seen of it")
        end(Exit.NOT_ALL)
    if any(finding.verdict is Verdict.NOT_HEARD for finding in findings):
        say("not every witness was heard")
        end(Exit.UNAVAILABLE)
