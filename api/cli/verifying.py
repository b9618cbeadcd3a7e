"""`verify`: whether what the ledger holds is what was written, and what was decided."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.events import Account
from api.cli.exits import Exit, Failed, end, say
from api.cli.opening import checkpoint_key_of_ledger, opened_log
from api.cli.printing import Format, Formatted, answer, console, show
from api.cli.verification_tables import decisions_report, log_report, projections_report
from api.cli.witnesses import Named, witnesses_named

if TYPE_CHECKING:
    from ledger.checkpoint import Checkpoint
    from ledger.log import Log
    from ledger.log.checkpoints import Checkpoints
    from ledger.notes import Verifier
    from ledger.verification.findings import Found
    from ledger.witness.witnesses import Witness

Moved = Callable[[int, int], None]  # so many done, of so many


def add_to(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    context: typer.Context,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint that was kept elsewhere: the log has to continue it. Again for another account.",
            metavar="FILE",
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            "--since",
            help="The same, and entries are derived from there on only; those before were verified when it was made.",
            metavar="FILE",
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="The public half of a key that signs; else this ledger's.", metavar="KEY"),
    ] = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Make every stored decision again, from the log alone.")
    ] = False,
    projections: Annotated[
        bool, typer.Option("--projections", help="Build every projection again beside it, and compare.")
    ] = False,
    witness: Named = None,
    account: Account = None,
    format: Formatted = Format.table,
) -> None:
    """Derive everything again from the stored bytes, and tell what differs from what was written."""
    from api.asking import check_account

    if account is not None:
        check_account(account)
    with opened_log(context.obj) as log:
        told = _verified(
            context.obj,
            log,
            account,
            anchors=[(path, _read(path)) for path in checkpoint or ()],
            since=None if since is None else (since, _read(since)),
            keys=keys,
            witnesses=witnesses_named(witness, None),
            decisions=decisions,
            projections=projections,
        )
    if not answer(format, told):
        show(*log_report(told["log"]))
        if decisions:
            show(*decisions_report(told["decisions"]))
        if projections:
            show(*projections_report(told["projections"]))
    if told["guards"] is None:
        say("whether the database's triggers are as they were made can't be told here")
    if any(list(_say(told))):
        end(Exit.NOT_ALL)


def _say(told: Mapping[str, Any]) -> Iterator[bool]:
    if first := told["log"]["first"]:
        place = ":".join(str(part) for part in (first["account"], first["position"]) if part is not None)
        say(
            f"{told['log']['differing']} differences; first{f' at {place}' if place else ''}: {first['detail']}"
        )
        yield True
    for guard in told["guards"] or ():
        say(f"warning: {guard}: the database does not refuse what it should")
        yield True
    if "decisions" in told and (wrong := told["decisions"]["divergences"]):
        say(f"{len(wrong)} of {told['decisions']['stored']} stored decisions can't be confirmed")
        yield True
    if "projections" in told and (differing := told["projections"]["differing"]):
        say(f"the projections differ from the log in {differing} ways; `iam-ledger rebuild` builds them anew")
        yield True


def _verified(
    url: str,
    log: Log,
    account: str | None,
    *,
    anchors: Sequence[tuple[Path, bytes]],
    since: tuple[Path, bytes] | None,
    keys: list[str] | None,
    witnesses: Sequence[Witness],
    decisions: bool,
    projections: bool,
) -> dict[str, Any]:
    from ledger.log.checkpoints import Checkpoints
    from ledger.verification.verification import NotTheBeginning, verify_log
    from projections.vocabulary import UnknownName

    known = log.account_ids()
    if account is not None and account not in known:
        raise UnknownName(f"the ledger has no account {account!r}")
    chosen = known if account is None else [account]
    verifiers = _verifiers(url, keys, witnesses)
    opened = [_anchor(verifiers, *one) for one in anchors]
    opened += _seen(Checkpoints(log, checkpoint_key_of_ledger(url)), chosen, witnesses)
    begun = None if since is None else _anchor(verifiers, *since)
    for whose, _ in [*opened, *([] if begun is None else [begun])]:
        if whose not in chosen:
            raise Failed(f"a checkpoint is of account {whose}, which is not verified here", Exit.NOT_ALL)
    of_account: dict[str, list[Checkpoint]] = {}
    for whose, one in opened:
        of_account.setdefault(whose, []).append(one)
    try:
        with _progress("entries") as moved:
            found = verify_log(
                log,
                chosen,
                verifiers=verifiers,
                anchors=of_account,
                since=None if begun is None else dict([begun]),
                whole=account is None,
                progress=None if moved is None else _of_entries(moved),
            )
    except NotTheBeginning as error:
        raise Failed(str(error), Exit.NOT_ALL) from error
    told: dict[str, Any] = {"log": found.to_document(), "guards": _guards(log)}
    if decisions:
        from projections.permissions.verification import verify_decisions

        with _progress("decisions") as moved:
            told["decisions"] = verify_decisions(
                log,
                chosen,
                None if moved is None else lambda so_far: moved(so_far.recomputed, so_far.stored),
            ).to_document()
    if projections:
        from projections.rebuilding import verify_projections

        with _progress("projections") as moved:
            told["projections"] = verify_projections(log, chosen, moved).to_document()
    return told


def _seen(
    checkpoints: Checkpoints, accounts: Sequence[str], witnesses: Sequence[Witness]
) -> Iterator[tuple[str, Checkpoint]]:
    """The newest that each witness tells it has seen of each log: the log has to continue it, too."""
    from ledger.witness.witnesses import NotHeard

    for account in accounts if witnesses else ():
        for witness in witnesses:
            try:
                seen = witness.newest(checkpoints.origin(account))
            except NotHeard as error:
                say(f"account {account}: the witness {witness.name} was not heard: {error}")
                continue
            if seen is not None:
                yield account, seen


def _guards(log: Log) -> list[str] | None:
    from ledger.verification.guards import CantTell, altered_guards

    try:
        return altered_guards(log)
    except CantTell:
        return None


def _of_entries(moved: Moved) -> Callable[[Found], None]:
    return lambda found: moved(found.entries, found.whole)


def _verifiers(
    url: str, keys: list[str] | None, witnesses: Sequence[Witness]
) -> Callable[[str], list[Verifier]]:
    """The keys that may sign for an account: those that were given, or else the ledger's own; and those of witnesses."""
    from ledger.checkpoint import account_key
    from ledger.notes import BadKey, Verifier
    from ledger.witness.witnesses import Cosigner

    of_witnesses: list[Verifier] = [one.verifier for one in witnesses if isinstance(one, Cosigner)]

    if keys:
        try:
            given = [Verifier.parse(one) for one in keys]
        except BadKey as error:
            raise Failed(f"--key: {error}") from error
        return lambda account_id: [
            *(one for one in given if one.name.rpartition("/")[2] == account_id),
            *of_witnesses,
        ]
    signer = checkpoint_key_of_ledger(url)
    return lambda account_id: [
        *([] if signer is None else [account_key(signer, account_id).verifier]),
        *of_witnesses,
    ]


def _anchor(verifiers: Callable[[str], list[Verifier]], path: Path, note: bytes) -> tuple[str, Checkpoint]:
    """Whose log it is of, and the checkpoint. Without a key it is taken on the word of whoever kept it."""
    from ledger.checkpoint import Checkpoint, open_checkpoint
    from ledger.notes import BadNote, unverified_text
    from ledger.witness.cosignature import CosignatureVerifier

    try:
        found = Checkpoint.of_text(unverified_text(note))
        account = found.origin.rpartition("/")[2]
        if trusted := [one for one in verifiers(account) if not isinstance(one, CosignatureVerifier)]:
            found = open_checkpoint(note, trusted)
    except BadNote as error:
        raise Failed(f"{path} is no checkpoint to go by: {error}", Exit.NOT_ALL) from error
    return account, found


def _read(file: Path) -> bytes:
    from ledger.notes import NOTE_BYTES_MAX

    try:
        with file.open("rb") as opened:
            return opened.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise Failed(f"cannot read {file}: {error.strerror}", Exit.UNAVAILABLE) from error


@contextmanager
def _progress(what: str) -> Iterator[Moved | None]:
    """A bar on standard error, where somebody looks at it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn(f"verifying {what}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(error=True),
        transient=True,
    ) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
