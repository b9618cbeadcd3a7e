"""`export`: entries out of the ledger, with a manifest of what they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from api.cli.delivering import deliver_accounts, digest_keys_file
from api.cli.events import entries_of, pages
from api.cli.exits import Exit, Failed, say
from api.cli.filters import Filters, with_filters
from api.cli.opening import investigation

if TYPE_CHECKING:
    from ledger.entry import Entry
    from projections.activity import Question
    from projections.investigation import Investigation

STDOUT = "-"


class Form(StrEnum):
    ndjson = "ndjson"
    csv = "csv"
    cloudtrail = "cloudtrail"


def add_to(app: typer.Typer) -> None:
    app.command()(export)


@with_filters
def export(
    context: typer.Context,
    filters: Filters,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="A file; for cloudtrail a folder or s3://BUCKET/PREFIX; or -.", metavar="PATH"
        ),
    ],
    form: Annotated[Form, typer.Option("--format", help="cloudtrail: files as AWS delivers them.")],
    principal_activity: Annotated[
        str | None,
        typer.Option(help="All that this principal did, over all their credentials.", metavar="WHO"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    signing_keys: Annotated[
        Path | None,
        typer.Option(
            "--signing-keys", help="Keys to sign digests with; else those beside the ledger.", metavar="FILE"
        ),
    ] = None,
    bucket: Annotated[
        str | None, typer.Option(help="What a folder is called as a bucket, in digests.", metavar="NAME")
    ] = None,
    whole_hours: Annotated[
        bool, typer.Option("--whole-hours", help="Leave the hour that is not over to a later export.")
    ] = False,
) -> None:
    """Write the entries that the filters choose, oldest first, and a manifest with counts and digests.

    Whole accounts in the form of CloudTrail get its signed digests too, where there is a key (`digest-keys new`): each
    export goes on from where the last one ended.
    """
    keys = _keys_to_sign_with(context.obj, form, filters, to, principal_activity, signing_keys)
    if keys is not None:
        deliver_accounts(
            context.obj,
            None if filters.account is None else [filters.account],
            to,
            keys,
            bucket=bucket,
            whole_hours=whole_hours,
            again=overwrite,
        )
        return
    if bucket is not None or whole_hours:
        raise Failed("--bucket and --whole-hours go with signed digests; `digest-keys new` makes their key")
    asked = filters.question(order="oldest", limit=1_000)
    if principal_activity is not None:
        _only_with_activity(filters)
    with investigation(context) as ledger:
        chosen = (
            ledger.entries.every(asked)
            if principal_activity is None
            else _activity(ledger, principal_activity, asked)
        )
        told = _exported(chosen, form, to, _words(filters, principal_activity), overwrite=overwrite)
    count = "1 entry" if told.entries == 1 else f"{told.entries} entries"
    say(f"exported {count} to {'standard output' if to == STDOUT else to}")


def _keys_to_sign_with(
    url: str,
    form: Form,
    filters: Filters,
    to: str,
    principal_activity: str | None,
    told: Path | None,
) -> Path | None:
    """The file of the keys; None where what is asked for has no digests: an extract, or another form."""
    whole = principal_activity is None and set(filters.given) <= {"account"} and to != STDOUT
    if form is not Form.cloudtrail or not whole:
        if told is not None or to.startswith("s3://"):
            raise Failed(
                "digests are of whole accounts: they go with --format cloudtrail and --account alone"
            )
        return None
    file = told or digest_keys_file(url)
    if told is None and not file.exists():
        if to.startswith("s3://"):
            raise Failed(f"there is no key to sign with: {file}; `iam-ledger digest-keys new` makes it")
        return None
    return file


def _exported(chosen: Iterator[Entry], form: Form, to: str, words: dict[str, Any], *, overwrite: bool) -> Any:
    from projections.export import ExportFailed, TargetExists
    from projections.export import export as write

    target: Path | BinaryIO = sys.stdout.buffer if to == STDOUT else Path(to)
    try:
        return write(chosen, form=form.value, to=target, question=words, overwrite=overwrite)
    except TargetExists as error:
        raise Failed(str(error).replace("or overwrite it", "or say --overwrite")) from error
    except ExportFailed as error:
        raise Failed(str(error), Exit.UNAVAILABLE) from error


def _activity(ledger: Investigation, principal: str, asked: Question) -> Iterator[Entry]:
    words: dict[str, Any] = {"account": asked.account, "since": asked.since, "until": asked.until}
    page = ledger.activity(principal, **words, limit=asked.limit)
    yield from entries_of(ledger, pages(ledger, principal, words | {"order": "oldest"}, page))


def _only_with_activity(filters: Filters) -> None:
    others = [name for name in filters.given if name not in ("account", "since", "until")]
    if others:
        raise Failed("--principal-activity goes with --account, --from and --to, and with no other filter")


def _words(filters: Filters, principal_activity: str | None) -> dict[str, Any]:
    """What was asked, in the words of the command, for the manifest."""
    names = {"since": "from", "until": "to"}
    words = {names.get(name, name.replace("_", "-")): getattr(filters, name) for name in filters.given}
    if principal_activity is not None:
        words["principal-activity"] = principal_activity
    return words
