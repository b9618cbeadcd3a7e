"""From what somebody typed to the files it means, in an order that does not depend on the file system."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ledger.intake.rejects import Reason, Reject, Skipped

STDIN: Final = "-"
CHUNK_BYTES: Final = 256 * 1024
HELD_BYTES_MAX: Final = 64 * 1024 * 1024

# 111111111111_CloudTrail_eu-central-1_20171211T1505Z_A6kvhMoVeCsc7v8U.json.gz
DELIVERED: Final = re.compile(r"(?:^|[/\\])([0-9]{12})_CloudTrail(?:-Insight)?_[^/\\]*$")
DIGEST: Final = re.compile(r"(?:^|[/\\])CloudTrail-Digest(?:[/\\]|$)|[0-9]{12}_CloudTrail-Digest_[^/\\]*$")
NO_LOG_NAMES: Final = re.compile(
    r"(?:licen[cs]e|copying|notice|readme|changelog|\.ds_store|thumbs\.db|desktop\.ini|\.git[a-z]*)(?:\..*)?"
    r"|.*\.(?:md|rst|html?|pdf|py|sh|png|jpe?g)",
    re.IGNORECASE,
)


class Source:
    """One file to be read, or standard input, or a pipe.

    The sha256 is that of the bytes as they lie on disk. A file of usual size is read once, and held from the
    moment its hash is asked for until it is read, so what was hashed is what is read; of a longer one it is
    noticed if it changes in between.
    """

    def __init__(
        self, name: str, *, path: Path | None = None, pipe: Path | BinaryIO | None = None, named: bool = True
    ) -> None:
        self.name = name
        self.named = named  # by the user, not merely found in a folder
        self.size = path.stat().st_size if path is not None else None
        self.consumed = 0  # bytes of `size` read so far
        found = DELIVERED.search(name)
        self.account_hint = found[1] if found else None
        self._path = path
        self._pipe = pipe
        self._held: bytes | None = None
        self._sha256: str | None = None
        self._stamp: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    @property
    def must_be_a_log(self) -> bool:
        """Whether it is a fault if this is no log: it was named, or CloudTrail's own name says that it is one."""
        return self.named or DELIVERED.search(self.name) is not None

    @property
    def sha256(self) -> str | None:
        """In hex; None for a pipe. Raises OSError."""
        if self._sha256 is None and self._path is not None:
            with self._path.open("rb") as file:
                self._stamp = _stamp(file)
                if self._stamp[0] <= HELD_BYTES_MAX:
                    self._held = file.read()
                    self._sha256 = hashlib.sha256(self._held).hexdigest()
                else:
                    self._sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return self._sha256

    def open(self) -> Tap:
        """The bytes from the beginning. Raises OSError."""
        self.consumed = 0
        if self._path is None:
            pipe = self._pipe.open("rb") if isinstance(self._pipe, Path) else self._pipe
            assert pipe is not None
            return Tap(self, pipe, seekable=False, stamp=None)
        held, self._held = self._held, None
        if held is not None:
            return Tap(self, io.BytesIO(held), seekable=True, stamp=None)
        return Tap(self, self._path.open("rb"), seekable=True, stamp=self._stamp)


class Tap:
    """Reads a source and counts what was read."""

    def __init__(
        self, source: Source, file: BinaryIO, *, seekable: bool, stamp: tuple[int, int] | None
    ) -> None:
        self.file = file
        self.seekable = seekable
        self._source = source
        self._stamp = stamp

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        chunk = self.file.read(size)
        self._source.consumed += len(chunk)
        return chunk

    def close(self) -> None:
        if self._source.size is not None:
            self._source.consumed = self._source.size
        self.file.close()

    def changed(self) -> bool:
        """Whether the file is no longer the one that was hashed."""
        return self._stamp is not None and self._stamp != _stamp(self.file)


def _stamp(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def find_sources(
    paths: Iterable[str | Path], *, stdin: BinaryIO | None = None
) -> Iterator[Source | Skipped | Reject]:
    """The files that the paths mean: files, folders with all that is in them, globs, and `-`.

    The order is that of the paths, and by name within a folder or glob; a file met twice comes once. A file in a
    folder that is plainly no log is Skipped, a path that leads nowhere a Reject.
    """
    seen: set[tuple[int, int]] = set()
    for path in map(str, paths):
        if path == STDIN:
            if stdin is None:
                yield Reject(STDIN, "", Reason.UNREADABLE, "there is no standard input here")
            else:
                yield Source(STDIN, pipe=stdin)
            continue
        matches = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))
        if not matches:
            yield Reject(path, "", Reason.NOT_FOUND, "no such file, folder or pattern")
        for match in matches:
            yield from _walk(match, seen)


def _walk(path: str, seen: set[tuple[int, int]]) -> Iterator[Source | Skipped | Reject]:
    waiting = [path]
    named = True
    while waiting:
        found = waiting.pop()
        try:
            status = os.stat(found)
            if (status.st_dev, status.st_ino) in seen:
                yield Skipped(found, Reason.NOT_A_LOG, "met before, by another name or link")
            elif not named and NO_LOG_NAMES.fullmatch(os.path.basename(found)):
                yield Skipped(found, Reason.NOT_A_LOG, "by its name")
            elif os.path.isdir(found):
                waiting += [os.path.join(found, entry) for entry in sorted(os.listdir(found), reverse=True)]
            elif not named and DIGEST.search(found):
                yield Skipped(found, Reason.DIGEST, "a digest holds no records")
            elif os.path.isfile(found):
                yield Source(found, path=Path(found), named=named)
            elif named:  # somebody's `<(aws s3 cp … -)`
                yield Source(found, pipe=Path(found))
            else:
                yield Skipped(found, Reason.NOT_A_LOG, "no ordinary file")
            seen.add((status.st_dev, status.st_ino))
        except OSError as error:
            yield Reject(found, "", Reason.UNREADABLE, error.strerror or "cannot be read")
        named = False
