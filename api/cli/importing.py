"""`import`: CloudTrail files and account snapshots into the log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.exits import Exit, Failed, end, say
from api.cli.printing import Format, Formatted, answer, console, pairs, show
from api.cli.witnesses import Named, written_log
from api.defaults import REJECTS_VARIABLE

if TYPE_CHECKING:
    from ledger.digests import PublicKeys
    from ledger.intake.digests import DigestsChecked
    from ledger.intake.importer import Summary

STDIN = "-"
FAILURES_TOLD_MAX = 20


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    context: typer.Context,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH…", help="Files, folders, globs, or - for stdin.")
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="The output of `aws iam get-account-authorization-details`.", metavar="FILE"),
    ] = None,
    taken_at: Annotated[str | None, typer.Option(help="When the snapshot was taken.", metavar="TIME")] = None,
    account: Annotated[
        str | None, typer.Option(help="Whose snapshot it is, if it does not say.", metavar="ID")
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(envvar=REJECTS_VARIABLE, help="List here what could not be read.", metavar="FILE"),
    ] = None,
    digest_keys: Annotated[
        Path | None,
        typer.Option(
            "--digest-keys",
            help="What `aws cloudtrail list-public-keys` prints, to check digests with.",
            metavar="FILE",
        ),
    ] = None,
    witness: Named = None,
    format: Formatted = Format.table,
) -> None:
    """Take CloudTrail logs into the ledger, or a snapshot of an account.

    It may be interrupted and repeated: what the ledger has already is counted as a duplicate.
    """
    keys = None if digest_keys is None else _read_keys(digest_keys)
    if snapshot is not None:
        _import_snapshot(context, snapshot, taken_at, account, paths, witness, format)
        return
    if taken_at is not None or account is not None:
        raise Failed("--taken-at and --account go with --snapshot")
    if not paths:
        raise Failed("import what? name files, folders or globs, or - for standard input")
    _check(paths, rejects)
    from ledger.intake.digests import check_digests

    with written_log(context.obj, witness, create=True) as log, _progress(paths) as progress:
        from ledger.intake.importer import import_paths

        try:
            summary = import_paths(log, paths, rejects=rejects, progress=progress, stdin=sys.stdin.buffer)
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename is None:
                raise
            raise Failed(f"cannot write {error.filename}: {error.strerror}", Exit.UNAVAILABLE) from error
    digests = None if summary.interrupted else check_digests(paths, keys)
    _sum_up(summary, rejects, digests if digests is not None and digests.count else None, format)


def _read_keys(path: Path) -> PublicKeys:
    from ledger.digests import BadDigest, read_public_keys

    try:
        return read_public_keys(path.read_bytes())
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}", Exit.UNAVAILABLE) from error
    except BadDigest as error:
        raise Failed(f"{path}: {error}") from error


def _check(paths: list[str], rejects: Path | None) -> None:
    """Before anything is done: afterwards it would be half done."""
    for path in paths:
        if not path.strip() or "\x00" in path:
            raise Failed(f"{path!r} is no path")
    if rejects is not None and (rejects.is_dir() or not rejects.absolute().parent.is_dir()):
        raise Failed(f"cannot write {rejects}: it is a folder, or its folder is not there")


def _import_snapshot(
    context: typer.Context,
    snapshot: Path,
    taken_at: str | None,
    account: str | None,
    paths: list[str] | None,
    witness: list[str] | None,
    format: Format,
) -> None:
    from api.asking import check_account, moment
    from ledger.intake.baseline import import_snapshot
    from ledger.intake.snapshots import SnapshotRejected

    if paths:
        raise Failed("a snapshot is imported by itself; import the logs with another command")
    if taken_at is None:
        raise Failed("--snapshot needs --taken-at: the time at which it was taken")
    when = moment("taken-at", taken_at)
    if account is not None:
        check_account(account)
    with written_log(context.obj, witness, create=True) as log:
        try:
            appended = import_snapshot(log, snapshot, taken_at=when, account=account)
        except SnapshotRejected as error:
            raise Failed(str(error), Exit.NOT_ALL) from error
    told = {
        "files": 1,
        "records": 1,
        "appended": appended.count,
        "duplicates": appended.duplicates,
        "rejected": 0,
    }
    if not answer(format, told):
        show(
            "the ledger has this snapshot already" if appended.duplicates else "the snapshot is in the ledger"
        )


def _sum_up(summary: Summary, rejects: Path | None, digests: DigestsChecked | None, format: Format) -> None:
    told = outline(summary)
    if digests is not None:
        told["digests"] = {
            "verified": digests.verified,
            "failed": digests.failed,
            "withoutKey": digests.without_key,
            "missingLogFiles": digests.missing_logs,
        }
    if not answer(format, told):
        show(*_table(summary, digests))
    if digests is not None and digests.failed:
        for failure in digests.failures[:FAILURES_TOLD_MAX]:
            say(failure)
        say(f"{digests.failed} digests or log files that they name are not as they were signed")
    rejected = told["rejected"]
    if rejected:
        listed = f"; {rejects} lists them" if rejects is not None else "; --rejects FILE lists them"
        say(f"{rejected} could not be taken in{listed}")
    if summary.interrupted:
        say("interrupted; import the same again to go on")
        end(Exit.INTERRUPTED)
    if rejected or (digests is not None and digests.failed):
        end(Exit.NOT_ALL)


def outline(summary: Summary) -> dict[str, Any]:
    """The sum as programs read it."""
    return {
        "files": summary.files,
        "records": summary.records,
        "appended": summary.appended,
        "duplicates": summary.duplicates,
        "rejected": summary.rejected.total(),
        "rejectedBy": dict(sorted(summary.rejected.items())),
        "skipped": summary.skipped.total(),
        "skippedBy": dict(sorted(summary.skipped.items())),
        "accounts": dict(sorted(summary.accounts.items())),
        "bytes": summary.bytes,
        "seconds": round(summary.seconds, 3),
        "interrupted": summary.interrupted,
    }


def _table(summary: Summary, digests: DigestsChecked | None = None) -> Iterator[Any]:
    rate = summary.records / summary.seconds if summary.seconds else 0.0
    told = {
        "files": f"{summary.files:,}",
        "records": f"{summary.records:,} in {summary.seconds:.1f} s ({rate:,.0f} a second)",
        "appended": f"{summary.appended:,}{_by(summary.accounts, ' to ')}",
        "duplicates": f"{summary.duplicates:,}",
        "rejected": f"{summary.rejected.total():,}{_by(summary.rejected, ': ')}",
    }
    if summary.skipped:
        told["no logs"] = f"{summary.skipped.total():,}{_by(summary.skipped, ': ')}"
    if digests is not None:
        missing = f"; {digests.missing_logs:,} log files that they name are not here"
        told["digests"] = (
            f"{digests.verified:,} verified, {digests.failed:,} failed, {digests.without_key:,} without key"
            f"{missing if digests.missing_logs else ''}"
        )
    yield pairs(told)


def _by(counted: Any, joint: str) -> str:
    parts = [f"{name} ({count:,})" for name, count in sorted(counted.items())]
    return joint + ", ".join(parts) if parts else ""


@contextmanager
def _progress(paths: list[str]) -> Iterator[Callable[[Summary], None] | None]:
    """A bar on standard error, where somebody looks at it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    whole = _bytes_in(paths)
    with Progress(
        TextColumn("importing"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=console(error=True),
        transient=True,
    ) as bar:
        task = bar.add_task("importing", total=whole, told="")

        def advance(summary: Summary) -> None:
            rate = summary.records / max(summary.seconds, 0.001)
            bar.update(
                task, completed=summary.bytes, told=f"{summary.records:,} records, {rate:,.0f} a second"
            )

        yield advance


def _bytes_in(paths: list[str], seconds_max: float = 2.0) -> int | None:
    """How much there is to read, if that can be told soon: else the bar has no end."""
    from ledger.intake.sources import Source, find_sources

    if STDIN in paths:
        return None
    until = time.monotonic() + seconds_max
    whole = 0
    for one in find_sources(paths):
        if isinstance(one, Source):
            if one.size is None or time.monotonic() > until:
                return None
            whole += one.size
    return whole
