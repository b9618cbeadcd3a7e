"""The command itself: its options, its commands, and the one place where an error becomes a line and a status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer import TyperException

from api.cli import (
    access,
    accounts,
    authorities,
    copying,
    databases,
    delivering,
    erasing,
    evaluating,
    events,
    evidence,
    exporting,
    importing,
    investigations,
    machines,
    permissions,
    permissions_over_time,
    proofs,
    replays,
    running,
    signing_in,
    vaults,
    verifying,
    witnesses,
)
from api.cli.exits import Exit, Failed, nobody_reads, say
from api.defaults import DATABASE, DATABASE_VARIABLE
from ledger.collector import collecting_seldom

app = typer.Typer(
    name="iam-ledger",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who did what with AWS IAM, and what the account looked like at any time.",
)
for room in (
    authorities,
    signing_in,
    importing,
    events,
    accounts,
    investigations,
    permissions,
    permissions_over_time,
    access,
    replays,
    evaluating,
    verifying,
    proofs,
    witnesses,
    evidence,
    exporting,
    copying,
    databases,
    erasing,
    delivering,
    machines,
    running,
    vaults,
):
    room.add_to(app)


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; whatever is wrong with the input ends in one line on standard error and a status."""
    try:
        try:
            with collecting_seldom():
                ended = app(args=list(arguments), prog_name="iam-ledger", standalone_mode=False)
            sys.stdout.flush()
        except Exception as error:
            if (failed := _failed(error)) is None:
                raise
            say(failed)
            return failed.code
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.INTERRUPTED
    except SystemExit as stopped:
        if not isinstance(stopped.__context__, BrokenPipeError):  # what libraries make of it
            raise
        nobody_reads()
        return Exit.DONE
    except BrokenPipeError:
        nobody_reads()
        return Exit.DONE
    return ended if isinstance(ended, int) else Exit.DONE


def _failed(error: Exception) -> Failed | None:
    """What the error means to whoever typed the command; None where it is a mistake of ours."""
    match error:
        case Failed():
            return error
        case TyperException():
            if type(error).__name__ == "NoArgsIsHelpError":
                return Failed("which command? `iam-ledger --help` lists them")
            message = error.format_message()
            return Failed(f"{message}; --db comes before the command" if "--db" in message else message)
        case BrokenPipeError():
            return None
        case _:
            return _failed_below(error)


def _failed_below(error: Exception) -> Failed | None:
    from sqlalchemy.exc import DBAPIError, ProgrammingError

    from ledger.checkpoint import NoCheckpointKey
    from ledger.log import EntryDamaged, LedgerUnavailable, NotToBeWritten
    from ledger.log.checkpoints import HistoryContradicted
    from ledger.log.privileges import lacks_privilege
    from ledger.log.reading import DictionaryDamaged
    from ledger.log.tiles import TreeDamaged
    from ledger.vault.keys import NoVaultKey
    from projections.vocabulary import BadFilter, UnknownName

    match error:
        case BadFilter():
            return Failed(str(error))
        case UnknownName():
            return Failed(str(error.args[0] if error.args else error), Exit.NOT_ALL)
        case EntryDamaged() | TreeDamaged() | HistoryContradicted() | DictionaryDamaged():
            return Failed(str(error), Exit.NOT_ALL)
        case LedgerUnavailable() | NotToBeWritten() | NoVaultKey() | NoCheckpointKey():
            return Failed(str(error), Exit.UNAVAILABLE)
        case DBAPIError() if type(error).__name__ in ("OperationalError", "InterfaceError", "DatabaseError"):
            return Failed(f"the ledger cannot be used: {error.orig}", Exit.UNAVAILABLE)
        case ProgrammingError() if lacks_privilege(error):
            return Failed(f"this takes the ledger's owner: {error.orig}", Exit.UNAVAILABLE)
    return None


def _version(wanted: bool) -> None:
    if wanted:
        from api.version import product_version

        print(f"iam-ledger {product_version()}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    db: Annotated[
        str,
        typer.Option(
            envvar=DATABASE_VARIABLE,
            metavar="URL",
            help="The ledger: sqlite:///FILE, the path of an SQLite file, or postgresql://…",
        ),
    ] = DATABASE,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = db or DATABASE


if __name__ == "__main__":
    main()
