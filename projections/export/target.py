"""Where an export goes: it is written under a temporary name and gets its own when it is whole.

So what bears the name of an export is one, and an interrupted export leaves at most a hidden `….partial`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from projections.export.manifest import PRODUCT

MANIFEST_NAME: Final = "manifest.json"
LOGS_NAME: Final = "AWSLogs"
OUR_FOLDER: Final = re.compile(rb'{\s*"product": "iam-ledger",[^{}]*"form": "cloudtrail"')


class ExportFailed(Exception):
    """Nothing was exported. The message says why, in one line."""


class TargetExists(ExportFailed):
    """Something stands there that must not be lost."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, and the digest of what is in it."""

    size: int
    sha256: str  # hex


@contextmanager
def failures_told(to: str) -> Iterator[None]:
    """What the system refuses becomes ExportFailed; that a reader had enough (`| head`) stays BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ExportFailed(f"cannot write {to}: {error.strerror or error}") from error


@contextmanager
def new_file(to: Path, *, overwrite: bool) -> Iterator[tuple[Path, Path]]:
    """Temporary names for a file and its manifest, which get theirs at the end, the file last."""
    to = Path(os.path.realpath(to))  # a link is followed, not replaced
    manifest = manifest_of(to)
    for path in (to, manifest):
        if path.exists() and not path.is_file():
            raise TargetExists(f"{path} is no ordinary file; name a file that is to be made")
    _refuse_taken(to, manifest, overwrite=overwrite)
    with _partial(to.parent) as unfinished, _partial(to.parent) as unfinished_manifest:
        yield unfinished, unfinished_manifest
        _refuse_taken(to, manifest, overwrite=overwrite)
        unfinished_manifest.replace(manifest)
        unfinished.replace(to)


def manifest_of(to: Path) -> Path:
    return to.with_name(f"{to.name}.{MANIFEST_NAME}")


def _refuse_taken(*paths: Path, overwrite: bool) -> None:
    for path in paths:
        if not overwrite and path.exists():
            raise TargetExists(f"{path} exists; name another file or overwrite it")


@contextmanager
def new_folder(to: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder in `to`, whose AWSLogs and manifest move up at the end, the manifest last.

    `to` is made, or is empty, or with `overwrite` is an earlier export; what else stands in that stays.
    """
    to = Path(os.path.realpath(to))
    made = not to.exists()
    if made:
        to.mkdir()
    else:
        _refuse_folder(to, overwrite=overwrite)
    try:
        with _partial(to) as unfinished:
            unfinished.mkdir()
            yield unfinished
            (unfinished / LOGS_NAME).mkdir(exist_ok=True)
            _move_up(unfinished, to)
    except BaseException:
        if made:
            with suppress(OSError):
                to.rmdir()
        raise


def _refuse_folder(to: Path, *, overwrite: bool) -> None:
    if not to.is_dir():
        raise TargetExists(f"{to} is no folder; name a folder that is to be made")
    if not any(to.iterdir()):
        return
    if not overwrite:
        raise TargetExists(f"{to} is not empty; name another folder or overwrite it")
    if not _is_export(to):
        raise TargetExists(f"{to} is not empty and holds no export to overwrite; name another folder")


def _is_export(folder: Path) -> bool:
    try:
        with (folder / MANIFEST_NAME).open("rb") as file:
            return OUR_FOLDER.match(file.read(1024)) is not None  # the whole may be long
    except FileNotFoundError:
        return False


def _move_up(unfinished: Path, to: Path) -> None:
    former = unfinished / "former"  # goes with the temporary folder
    replaced = (to / LOGS_NAME).exists()
    if replaced:
        (to / LOGS_NAME).rename(former)
    try:
        (unfinished / LOGS_NAME).rename(to / LOGS_NAME)
        (unfinished / MANIFEST_NAME).replace(to / MANIFEST_NAME)
    except BaseException:
        with suppress(OSError):
            (to / LOGS_NAME).rename(unfinished / LOGS_NAME)
        if replaced:
            former.rename(to / LOGS_NAME)
        raise


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A name in the folder for what is not finished; what stands there in the end is removed."""
    path = folder / f".{PRODUCT}-{secrets.token_hex(6)}.partial"
    try:
        yield path
    finally:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def write_whole(path: Path, chunks: Iterable[bytes]) -> Written:
    """Write a new file, down to the disk."""
    size, digest = 0, sha256()
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return Written(size, digest.hexdigest())
