"""Deliveries: whole accounts with signed digests (`export`), the keys that sign them, and whether what lies there is sound."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.exits import Exit, Failed, end, printable, say
from api.cli.opening import checkpoints_of_ledger, opened_log
from api.cli.printing import Format, Formatted, answer, pairs, show
from api.cli.witnesses import written_log
from api.defaults import SIGNING_KEYS_VARIABLE

if TYPE_CHECKING:
    from ledger.digests import PublicKeys
    from ledger.log import Log
    from ledger.notes import Verifier
    from projections.export.bucket import Bucket
    from projections.export.delivering import Delivered
    from projections.export.validation import Anchors, Validated

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--file", envvar=SIGNING_KEYS_VARIABLE, help="The file; else it is beside the ledger.", metavar="FILE"
    ),
]
Bits = Annotated[int, typer.Option(help="2048, 3072 or 4096.", metavar="NUMBER")]

room = typer.Typer(
    name="digest-keys", no_args_is_help=True, help="The keys that sign the digests of delivered accounts."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(room)
    app.command("validate-export")(validate_export)


# ---- keys


def digest_keys_file(url: str) -> Path:
    """Where the keys are if nothing else is said: beside an SQLite file, else in the working directory."""
    told = os.environ.get(SIGNING_KEYS_VARIABLE)
    if told:
        return Path(told)
    if "://" in url and not url.startswith("sqlite"):
        return Path("iam-ledger.digest-keys")
    return Path(f"{url.removeprefix('sqlite:///')}.digest-keys")


@room.command("new")
def new(context: typer.Context, file: KeyFile = None, bits: Bits = 3072) -> None:
    """Make a key that signs digests, in a new file for its owner alone."""
    from projections.export.signing_keys import make_key_file

    _check_bits(bits)
    path = file or digest_keys_file(context.obj)
    try:
        key = make_key_file(path, bits)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}", Exit.UNAVAILABLE) from error
    print(f"{path}: {key.fingerprint}")


@room.command("rotate")
def rotate(context: typer.Context, file: KeyFile = None, bits: Bits = 3072) -> None:
    """Make another key in the file, which signs from the next delivery on; the others stay, to write again what they signed."""
    from projections.export.signing_keys import rotate as rotated

    _check_bits(bits)
    path = file or digest_keys_file(context.obj)
    with _failures():
        try:
            key = rotated(path, bits)
        except OSError as error:
            raise Failed(f"cannot write {path}: {error.strerror}", Exit.UNAVAILABLE) from error
    print(f"{path}: {key.fingerprint}")


@room.command("list")
def list_(context: typer.Context) -> None:
    """The public keys that ever signed a digest of this ledger, as `aws cloudtrail list-public-keys` prints them."""
    from projections.export.delivered_folder import public_keys_text
    from projections.export.deliveries import public_keys_of

    with opened_log(context.obj) as log:
        keys = [key for account in log.account_ids() for key in public_keys_of(log, account)]
    print(public_keys_text(keys).decode(), end="")


def _check_bits(bits: int) -> None:
    from projections.export.signing_keys import BITS_CHOICES

    if bits not in BITS_CHOICES:
        raise Failed(f"--bits: {bits} is not one of {', '.join(map(str, BITS_CHOICES))}")


# ---- delivering


def deliver_accounts(
    url: str,
    accounts: Sequence[str] | None,
    to: str,
    key_file: Path,
    *,
    bucket: str | None,
    whole_hours: bool,
    again: bool,
) -> None:
    """Deliver these accounts, or all, and say what was written."""
    from projections.export.bucket import FolderBucket, place_of
    from projections.export.delivered_folder import claim, write_public_keys
    from projections.export.deliveries import public_keys_of
    from projections.export.delivering import Course, deliver
    from projections.export.signing_keys import read_keys
    from projections.vocabulary import UnknownName

    with _failures(), written_log(url) as log:
        keys, checkpoints = read_keys(key_file), checkpoints_of_ledger(url, log)
        place, name, prefix = place_of(to)
        if name is not None and bucket is not None:
            raise Failed("--bucket goes with a folder; s3://BUCKET/PREFIX names its bucket")
        known = log.account_ids()
        for account in accounts or ():
            if account not in known:
                raise UnknownName(f"the ledger has no account {account!r}")
        if isinstance(place, FolderBucket):
            claim(place.root)
        for account in accounts or known:
            course = Course(
                bucket=name or bucket or _bucket_of(log, account),
                prefix=prefix,
                whole_hours=whole_hours,
                again=again,
            )
            _tell(deliver(log, account, place, keys, course, checkpoints=checkpoints), to)
        if isinstance(place, FolderBucket):
            write_public_keys(place.root, (key for account in known for key in public_keys_of(log, account)))


def _bucket_of(log: Log, account: str) -> str:
    """A folder is delivered to under the name of a bucket, since digests name one."""
    from projections.export.deliveries import latest_delivery

    latest = latest_delivery(log, account)
    return f"iam-ledger-{account}" if latest is None else latest.bucket


def _tell(done: Delivered, to: str) -> None:
    again = f", {done.rewritten} objects written again" if done.rewritten else ""
    say(
        f"account {done.account_id}: {done.entries} entries in {done.log_files} log files and {done.digests} digests "
        f"to {to} as bucket {done.bucket}{again}"
    )
    for tip in done.tips:
        print(f"{tip.key}={tip.sha256}")  # in one line, whatever the width of the terminal


# ---- validating


def validate_export(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="FOLDER|s3://BUCKET[/PREFIX]", help="What was delivered.")],
    digest_keys: Annotated[
        Path | None,
        typer.Option("--digest-keys", help="Public keys, as list-public-keys prints them.", metavar="FILE"),
    ] = None,
    last_digest: Annotated[
        list[str] | None,
        typer.Option("--last-digest", help="A digest that must be there.", metavar="KEY=SHA256"),
    ] = None,
    log_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key", help="The public half of the key that signs checkpoints of the log.", metavar="KEY"
        ),
    ] = None,
    against_ledger: Annotated[
        bool, typer.Option("--ledger", help="The ledger knows the keys, and each digest there must be.")
    ] = False,
    account: Annotated[str | None, typer.Option(help="Only this one.", metavar="ID")] = None,
    format: Formatted = Format.table,
) -> None:
    """Check every digest and log file, more strictly than `aws cloudtrail validate-logs` does.

    That nothing was taken away at the end, or all of it signed anew, can only be told against something kept elsewhere:
    the ledger, or the last digest that `export` printed.
    """
    from projections.export.bucket import FolderBucket, place_of
    from projections.export.validation import Anchors, accounts_in, anchors_of, validate

    try:
        known = dict(anchors_of(last_digest or ()))
    except ValueError as error:
        raise Failed(f"--last-digest: {error}") from error
    signers = _signers(log_keys or ())
    with _failures():
        bucket, _, prefix = place_of(place)
        if isinstance(bucket, FolderBucket) and not bucket.root.is_dir():
            raise Failed(f"{place} is no folder", Exit.NOT_ALL)
        found = set(accounts_in(bucket, prefix))
        if against_ledger:
            if digest_keys is not None or known or signers:
                raise Failed(
                    "--ledger goes without --digest-keys, --last-digest and --key: the ledger knows them"
                )
            keys, anchors = _of_ledger(context.obj)
            found |= anchors.keys() if account is None else {account}
        else:
            keys = _public_keys(digest_keys, bucket)
            anchors = {
                one: Anchors(
                    {key: hashed for key, hashed in known.items() if f"/{one}/" in key}, signers=signers
                )
                for one in found | ({account} if account else set())
            }
        chosen = sorted(found) if account is None else [account]
        told = [
            validate(bucket, one, keys, prefix=prefix, anchors=anchors.get(one, Anchors())) for one in chosen
        ]
    _report(told, place, format)


def _of_ledger(url: str) -> tuple[PublicKeys, dict[str, Anchors]]:
    from ledger.digests import PublicKeys
    from projections.export.deliveries import trail_of
    from projections.export.validation import Anchors

    with opened_log(url) as log:
        trails = [trail_of(log, account) for account in log.account_ids()]
        anchors = {trail.account_id: Anchors.of_trail(trail, log) for trail in trails if trail.deliveries}
    return PublicKeys(key for trail in trails for key in trail.keys), anchors


def _signers(told: Sequence[str]) -> tuple[Verifier, ...]:
    from ledger.notes import BadKey, Verifier

    try:
        return tuple(Verifier.parse(one) for one in told)
    except BadKey as error:
        raise Failed(f"--key: {error}") from error


def _public_keys(file: Path | None, bucket: Bucket) -> PublicKeys:
    from ledger.digests import BadDigest, read_public_keys
    from projections.export.bucket import FolderBucket
    from projections.export.delivered_folder import KEYS_NAME

    beside = bucket.root / KEYS_NAME if isinstance(bucket, FolderBucket) else None
    path = file or beside
    if path is None:
        raise Failed("which keys? --digest-keys FILE, or --ledger")
    try:
        keys = read_public_keys(path.read_bytes())
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}", Exit.UNAVAILABLE) from error
    except BadDigest as error:
        raise Failed(f"{path}: {error}") from error
    if file is None:
        say(f"the keys are those of {path}: who can change the files can change them, too")
    return keys


def _report(told: list[Validated], place: str, format: Format) -> None:
    document = {"accounts": [_outline(one) for one in told], "sound": all(one.sound for one in told)}
    if not answer(format, document):
        for one in told:
            for finding in one.findings:
                print(printable(str(finding)))
            show(pairs(_summary(one)))
    if not told:
        raise Failed(f"nothing was delivered to {place}", Exit.NOT_ALL)
    for one in told:
        if one.unanchored:
            say(
                f"account {one.account_id} is not anchored ({', '.join(sorted(one.unanchored))}): whether newer digests "
                "were taken away can't be told; --ledger or --last-digest can tell"
            )
    if not document["sound"]:
        say(f"{sum(len(one.findings) for one in told)} things are wrong in {place}")
        end(Exit.NOT_ALL)


def _outline(one: Validated) -> dict[str, Any]:
    return {
        "account": one.account_id,
        "digests": one.digests,
        "validDigests": one.digests - len(one.bad_digests),
        "logFiles": one.log_files,
        "validLogFiles": one.log_files - len(one.bad_log_files),
        "newest": {region: {"key": key, "sha256": sha256} for region, (key, sha256) in one.newest.items()},
        "notAnchored": sorted(one.unanchored),
        "findings": [{"key": it.key, "detail": it.detail} for it in one.findings],
    }


def _summary(one: Validated) -> dict[str, Any]:
    return {
        "account": one.account_id,
        "digests": f"{one.digests - len(one.bad_digests)}/{one.digests} valid",
        "log files": f"{one.log_files - len(one.bad_log_files)}/{one.log_files} valid",
    }


@contextmanager
def _failures() -> Iterator[None]:
    from projections.export.signing_keys import NoSigningKey
    from projections.export.target import ExportFailed, TargetExists

    try:
        yield
    except TargetExists as error:
        raise Failed(str(error)) from error
    except (ExportFailed, NoSigningKey) as error:
        raise Failed(str(error), Exit.UNAVAILABLE) from error
